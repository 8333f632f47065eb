"""TLC's yellow taxi trips of the first months of a year, with its zone table.

Settings: `year`, `months` (how many, from January on), `from` (the server: TLC's, or a mirror with
the same paths).

Writes taxi/yellow_tripdata_YYYY-MM.parquet and taxi/taxi_zone_lookup.csv as TLC publishes them. Its
files differ in more than their trips: up to January 2023 the zones are 64-bit integers, later
32-bit ones; counts are integers or floats; a column without a value has no type; it is called
airport_fee or Airport_fee; since 2025 there is a cbd_congestion_fee. The workload reads the few
columns that it needs; the inspection says by which types. Before 2011 the files have places instead
of zones, so there is no report of those years. tests/python/tlc_schemas.json has names and types by
month.

TLC answers 403 for a month that it does not have, and for any file when it was asked too often.

See https://www.nyc.gov/site/tlc/about/tlc-trip-record-data.page.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow.parquet as pq

from ...workloads.taxi_inputs import TRIP_COLUMNS, TRIPS_PREFIX, ZONES_KEY, parse_zones
from ..files import link_or_copy, whole_number
from .downloads import Remote

FIRST_YEAR = 2011

_ABSENT = (
    "TLC publishes a month about two months after its end: set an earlier taxiYear or fewer "
    "taxiMonths."
)

_ABSENT_ZONES = "A mirror must have the zone table at misc/taxi_zone_lookup.csv."


def remotes(settings: Mapping[str, str]) -> list[Remote]:
    """What to download: the months in their order, then the zone table.

    Raises:
        UserError: A setting is wrong.
    """
    year = whole_number(settings, "year", FIRST_YEAR, 2100)
    months = whole_number(settings, "months", 1, 12)
    server = settings["from"].rstrip("/")
    known = f"{server}/misc/taxi_zone_lookup.csv"
    urls = [
        f"{server}/trip-data/yellow_tripdata_{year}-{at:02d}.parquet" for at in range(1, months + 1)
    ]
    trips = [Remote(url, check_trips, _ABSENT, witness=known) for url in urls]
    return [*trips, Remote(known, check_zones, _ABSENT_ZONES, witness=known)]


def generate(folder: Path, settings: Mapping[str, str], files: Sequence[Path]) -> int:
    """Put the files where they belong in a folder.

    Args:
        folder: An empty folder.
        settings: As for `remotes`.
        files: What was downloaded, in the order of `remotes`.

    Returns:
        0: no photographs are used.
    """
    *trips, zones = files
    (folder / TRIPS_PREFIX).mkdir()
    for file in trips:
        link_or_copy(file, folder / TRIPS_PREFIX / file.name)
    link_or_copy(zones, folder / ZONES_KEY)
    return 0


def check_trips(path: Path) -> None:
    """See that a month has the columns of the report, and that all of them can be read.

    Raises:
        ValueError: It has not.
        OSError, pyarrow.ArrowException: It is no Parquet file, or damaged.
    """
    with pq.ParquetFile(path) as file:
        missing = set(TRIP_COLUMNS) - set(file.schema_arrow.names)
        if missing:
            raise ValueError(f"it has no column {', '.join(sorted(missing))}")
        for batch in file.iter_batches(1 << 20, columns=list(TRIP_COLUMNS)):
            batch.select(TRIP_COLUMNS)


def check_zones(path: Path) -> None:
    """See that a file is a zone table.

    Raises:
        ValueError, pyarrow.ArrowException: It is not.
    """
    with path.open("rb") as file:
        if len(parse_zones(file)) == 0:
            raise ValueError("it has no zones")
