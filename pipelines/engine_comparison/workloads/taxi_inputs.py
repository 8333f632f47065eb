"""What is read of the taxi trips: months of trips, and the table of zones.

Which files, by which types: the facts say it, which `inspection.taxi` found before any run.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import IO, Any

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import fs

TRIPS_PREFIX = "taxi"
"""Prefix of the trips in the bucket `lake`; `docs/datasets.md` says which files there are data."""
ZONES_KEY = "taxi/taxi_zone_lookup.csv"
"""The zone table in the bucket `lake`, as its owner wrote it. Engines read `zones_path`."""

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

AMOUNTS = ("fare_amount", "tip_amount", "total_amount", "trip_distance")
"""The columns of numbers. Whatever type a table has them in, all arithmetic is in float64."""
TRIP_COLUMNS = ("PULocationID", *AMOUNTS)
"""The columns that the question needs; engines give this as their reading schema or projection."""

ZONES = pa.schema(
    [
        pa.field("LocationID", pa.int64(), nullable=False),
        pa.field("Borough", pa.string(), nullable=False),
        pa.field("Zone", pa.string(), nullable=False),
        pa.field("service_zone", pa.string(), nullable=False),
    ]
)
"""The zone table: CSV with a header, comma, quotes around strings, and no nulls at all."""


def trip_files(facts: Mapping[str, Any]) -> list[str]:
    """The trips' files as `<bucket>/taxi/<name>.parquet`, sorted; there is at least one."""
    return list(facts["files"])


def trip_schema(facts: Mapping[str, Any]) -> pa.Schema:
    """`TRIP_COLUMNS` with the types to read them as.

    PULocationID is int64 or float64. An amount is int64, float32, float64 or decimal128 of at most
    18 digits, 4 of them after the point. A file may have a narrower type of the same family, such
    as int32. Engines cast amounts to float64 before they compare or add.
    """
    return pa.schema([(name, arrow_type(facts["types"][name])) for name in TRIP_COLUMNS])


def arrow_type(name: str) -> pa.DataType:
    """The type that its text names: `int64`, `float32`, `float64`, `decimal128(10, 2)`."""
    if name.startswith("decimal128"):
        precision, scale = name.removeprefix("decimal128(").removesuffix(")").split(",")
        return pa.decimal128(int(precision), int(scale))
    return {"int64": pa.int64(), "float32": pa.float32(), "float64": pa.float64()}[name]


def doubles(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """An amount as float64, for engines that compute by pyarrow.

    Its own cast of decimals is off by one in the last place in a third of all values, which moves
    half cents: it multiplies by a power of ten where a division rounds correctly.
    """
    kind = column.type
    if not pa.types.is_decimal(kind):
        return column.cast(pa.float64())
    power = pa.scalar(10**kind.scale, pa.decimal128(kind.scale + 1, 0))
    whole = pc.multiply(column, power).cast(pa.int64())
    return pc.divide(whole.cast(pa.float64()), float(10**kind.scale))


def zones_path(facts: Mapping[str, Any]) -> str:
    """The zone table for engines, `<bucket>/<key>`: `zone_schema` in this order, each zone once."""
    return str(facts["zones"])


def zone_schema(facts: Mapping[str, Any]) -> pa.Schema:
    """`ZONES` with the key in the type of `trip_schema`: some engines join equal types only."""
    return ZONES.set(0, ZONES.field(0).with_type(arrow_type(facts["types"]["PULocationID"])))


def read_zones(filesystem: fs.FileSystem, facts: Mapping[str, Any]) -> pa.Table:
    """Read the zone table, in which "N/A" is a string.

    For engines without a careful CSV reader of their own; it has 265 rows.

    Returns:
        A table with the schema `zone_schema`.
    """
    with filesystem.open_input_stream(zones_path(facts)) as stream:
        return parse_zones(stream).cast(zone_schema(facts))


def parse_zones(stream: IO[bytes] | pa.NativeFile) -> pa.Table:
    """Read a zone table from a file, with the schema `ZONES`."""
    from pyarrow import csv

    options = csv.ConvertOptions(
        column_types=ZONES, include_columns=ZONES.names, strings_can_be_null=False, null_values=[]
    )
    return csv.read_csv(stream, convert_options=options).cast(ZONES)
