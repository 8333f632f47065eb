"""What is read of the taxi trips: months of trips, and the table of zones."""

from __future__ import annotations

from typing import IO

import pyarrow as pa
from pyarrow import fs

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
