"""taxi-report: revenue and tips of the expensive trips, by the borough where they began.

In SQL, with cents(x) = CAST(floor(x * 100 + 0.5) AS BIGINT):

    SELECT zones.Borough                    AS borough,
           sum(total_amount)                AS revenue,
           sum(cents(total_amount))         AS revenue_cents,
           count(*)                         AS trips,
           avg(tip_amount)                  AS avg_tip,
           avg(trip_distance)               AS avg_distance
    FROM trips LEFT JOIN zones ON trips.PULocationID = zones.LocationID
    WHERE fare_amount > :fareAbove
    GROUP BY zones.Borough

The rules that engines are apt to read differently:

- A trip whose zone is null or not in the zone table counts for the group null. "Unknown" and "N/A"
  are two further boroughs of the zone table: "N/A" is a string, also where a CSV reader takes it
  for a null by default (see `read_zones`).
- Nulls are ignored as in SQL: a null fare does not pass the filter; a null total adds nothing to
  the sums, and a null tip or distance is left out of the mean, while the trip is counted.
- Cents are rounded half up, in 64-bit floating point, by floor(x * 100 + 0.5): a multiplication, an
  addition and a floor, each exactly rounded by IEEE 754, so that all engines get the same integer.
  (Their own `round` differ: half away from zero, half to even, decimal first.)
"""

from __future__ import annotations

from typing import IO, ClassVar

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import fs

from ..errors import one_line
from ..verify import (
    SchemaMismatch,
    Verdict,
    compare_keys,
    conform,
    examples,
    relative_deviations,
    worst,
)
from .base import Inputs, Workload

TRIPS_PREFIX = "taxi"
"""Prefix of the trips in the bucket `lake`; each `*.parquet` directly below it is a month."""
ZONES_KEY = "taxi/taxi_zone_lookup.csv"
"""The zone table in the bucket `lake`."""

_timestamp = pa.timestamp("us")
TRIPS = pa.schema(
    [
        ("VendorID", pa.int32()),
        ("tpep_pickup_datetime", _timestamp),
        ("tpep_dropoff_datetime", _timestamp),
        ("passenger_count", pa.int64()),
        ("trip_distance", pa.float64()),
        ("RatecodeID", pa.int64()),
        ("store_and_fwd_flag", pa.large_string()),
        ("PULocationID", pa.int32()),
        ("DOLocationID", pa.int32()),
        ("payment_type", pa.int64()),
        ("fare_amount", pa.float64()),
        ("extra", pa.float64()),
        ("mta_tax", pa.float64()),
        ("tip_amount", pa.float64()),
        ("tolls_amount", pa.float64()),
        ("improvement_surcharge", pa.float64()),
        ("total_amount", pa.float64()),
        ("congestion_surcharge", pa.float64()),
        ("Airport_fee", pa.float64()),
    ]
)
"""The 19 columns of a month of yellow trips, with the types of the files that TLC published for
2024. Some files have their timestamps in nanoseconds, as some of TLC's have."""

TRIP_COLUMNS = ("PULocationID", "fare_amount", "tip_amount", "total_amount", "trip_distance")
"""The columns that the question needs; engines give this as their reading schema or projection."""
TRIPS_READ = pa.schema([TRIPS.field(name) for name in TRIP_COLUMNS]).set(
    0, pa.field("PULocationID", pa.int64())
)
"""`TRIP_COLUMNS` with the types to read them as. Zones are 64 bits wide in TLC's files up to
January 2023 and 32 later, so a year's files may differ: the wider type has room for both."""

ZONES = pa.schema(
    [
        pa.field("LocationID", pa.int64(), nullable=False),
        pa.field("Borough", pa.string(), nullable=False),
        pa.field("Zone", pa.string(), nullable=False),
        pa.field("service_zone", pa.string(), nullable=False),
    ]
)
"""The zone table: CSV with a header, comma, quotes around strings, and no nulls at all.
Its key is as wide as that of `TRIPS_READ`, because some engines join equal types only."""


def read_zones(filesystem: fs.FileSystem, bucket: str) -> pa.Table:
    """Read the zone table, in which "N/A" is a string.

    For engines without a careful CSV reader of their own; it has 265 rows.

    Args:
        filesystem: The store.
        bucket: Name of the bucket `lake`.

    Returns:
        A table with the schema `ZONES`.
    """
    with filesystem.open_input_stream(f"{bucket}/{ZONES_KEY}") as stream:
        return parse_zones(stream)


def parse_zones(stream: IO[bytes] | pa.NativeFile) -> pa.Table:
    """Read a zone table from a file; see `read_zones`."""
    from pyarrow import csv

    options = csv.ConvertOptions(
        column_types=ZONES, include_columns=ZONES.names, strings_can_be_null=False, null_values=[]
    )
    return csv.read_csv(stream, convert_options=options).cast(ZONES)


def trip_files(filesystem: fs.FileSystem, bucket: str) -> list[str]:
    """The trips' files as `<bucket>/taxi/<name>.parquet`, sorted."""
    listing = filesystem.get_file_info(fs.FileSelector(f"{bucket}/{TRIPS_PREFIX}"))
    return sorted(info.path for info in listing if info.is_file and info.path.endswith(".parquet"))


class TaxiReport(Workload):
    """See the module."""

    name: ClassVar[str] = "taxi-report"
    dataset: ClassVar[str] = "taxi"
    question: ClassVar[tuple[str, ...]] = ("fareAbove",)
    purpose: ClassVar[str] = "warehouse"
    prefix: ClassVar[str] = "report"
    input_purpose: ClassVar[str] = "lake"
    key: ClassVar[str] = "borough"

    def schema(self, dimension: int | None = None) -> pa.Schema:
        """The report's columns; `borough` is null for trips without a known zone.

        The three means and sums of floats are null where a group has only nulls.
        """
        return pa.schema(
            [
                pa.field("borough", pa.string(), nullable=True),
                pa.field("revenue", pa.float64(), nullable=True),
                pa.field("revenue_cents", pa.int64(), nullable=True),
                pa.field("trips", pa.int64(), nullable=False),
                pa.field("avg_tip", pa.float64(), nullable=True),
                pa.field("avg_distance", pa.float64(), nullable=True),
            ]
        )

    def exact_columns(self, inputs: Inputs) -> tuple[str, ...]:
        """Key, counts and cents."""
        return ("borough", "trips", "revenue_cents")

    def tolerances(self, inputs: Inputs) -> dict[str, float]:
        """Relative. Sums of n floats in another order differ by up to about n * 1e-16 of the sum.

        So 1e-9 leaves room for millions of rows in a group and is far below a cent in a hundred
        thousand dollars, which would show in the exact cents.
        """
        return {"revenue": 1e-9, "avg_tip": 1e-9, "avg_distance": 1e-9}

    def count_inputs(self, filesystem: fs.FileSystem, bucket: str) -> int:
        """Count the trips by the files' footers."""
        total = 0
        for path in trip_files(filesystem, bucket):
            with filesystem.open_input_file(path) as file:
                total += pq.read_metadata(file).num_rows
        return total

    def unreadable_input(self, filesystem: fs.FileSystem, bucket: str) -> str | None:
        """Read the zones and of each month what the question needs, a row group at a time."""
        reading = bucket + "/" + ZONES_KEY
        try:
            read_zones(filesystem, bucket)
            for reading in trip_files(filesystem, bucket):
                with filesystem.open_input_file(reading) as file:
                    month = pq.ParquetFile(file)
                    for group in range(month.num_row_groups):
                        trips = month.read_row_group(group, columns=list(TRIP_COLUMNS))
                        trips.select(list(TRIP_COLUMNS)).cast(TRIPS_READ)
        except (pa.ArrowException, OSError, ValueError, KeyError) as error:
            return f"s3://{reading} cannot be read: {one_line(error, 160)}"
        return None

    def input_bytes(self, filesystem: fs.FileSystem, bucket: str) -> int:
        """The trips' files and the zone table."""
        paths = [*trip_files(filesystem, bucket), f"{bucket}/{ZONES_KEY}"]
        return sum(info.size or 0 for info in filesystem.get_file_info(paths))

    def verify(self, table: pa.Table, oracle: pa.Table, inputs: Inputs) -> Verdict:
        """Compare borough by borough: the exact columns for equality, the others by tolerance."""
        try:
            table = conform(table, self.schema())
        except SchemaMismatch as error:
            return Verdict(False, message=f"The report has the wrong shape: {error}.")
        oracle = conform(oracle, self.schema())
        keys = compare_keys(
            table.column("borough").to_pylist(), oracle.column("borough").to_pylist()
        )
        if keys.message:
            return Verdict(False, keys.deviations, message=f"Boroughs differ: {keys.message}.")
        # The key sets are equal, nothing is repeated: sorting aligns the rows, null last in both.
        ours, right = table.sort_by("borough"), oracle.sort_by("borough")
        boroughs = right.column("borough").to_pylist()
        deviations, wrong = keys.deviations, []
        limits = {"trips": 0.0, "revenue_cents": 0.0, **self.tolerances(inputs)}
        for name, limit in limits.items():
            off = relative_deviations(_column(ours, name), _column(right, name))
            deviations[name] = worst(off)
            beyond = [key for key, value in zip(boroughs, off, strict=True) if value > limit]
            if beyond:
                wrong.append(f"{name} of {examples(beyond)}")
        message = f"Not as the oracle has it: {'; '.join(wrong)}." if wrong else ""
        return Verdict(not wrong, deviations, message=message)


def _column(table: pa.Table, name: str) -> pa.Array:
    return table.column(name).combine_chunks()


WORKLOAD = TaxiReport()
