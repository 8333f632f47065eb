"""The right report, found without any engine: numpy over what pyarrow decodes, and exact sums.

It shares the list of files with the engines, and nothing else: it takes the columns in the types
that the files have, casts them itself, and reads the zone table as its owner wrote it.
"""

from __future__ import annotations

import csv
import io
import math
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import fs

from ..errors import UserError
from .taxi_inputs import AMOUNTS, TRIP_COLUMNS, ZONES_KEY

MAX_DOLLARS = 1e12
"""Above it, cents are not exact in float64."""


BATCH = 2**18
"""Trips that are in memory at a time."""


@dataclass
class _Sum:
    """Values that are there: how many, and the exact sum of each batch."""

    count: int = 0
    parts: list[float] = field(default_factory=list)

    def add(self, values: np.ndarray) -> None:
        self.count += len(values)
        self.parts.append(math.fsum(values))

    def total(self) -> float | None:
        return math.fsum(self.parts) if self.count else None

    def mean(self) -> float | None:
        return math.fsum(self.parts) / self.count if self.count else None


@dataclass
class _Group:
    """What is known of the trips of one borough."""

    trips: int = 0
    cents: int = 0
    totals: _Sum = field(default_factory=_Sum)
    tips: _Sum = field(default_factory=_Sum)
    distances: _Sum = field(default_factory=_Sum)


def taxi_oracle(
    filesystem: fs.FileSystem, lake: str, facts: Mapping[str, Any], fare_above: float
) -> pa.Table:
    """Compute the report.

    Args:
        filesystem: The store.
        lake: Name of the bucket `lake`.
        facts: Those of the inspection; only `files` is asked.
        fare_above: Fares above it count, in dollars.

    Returns:
        The columns of the workload's schema.

    Raises:
        UserError: Amounts are not finite, or too large: which, in all files.
    """
    boroughs = _boroughs(filesystem, lake)
    groups: dict[str | None, _Group] = defaultdict(_Group)
    unusable: dict[tuple[str, str], int] = defaultdict(int)
    for path in facts["files"]:
        with filesystem.open_input_file(path) as file:
            for rows in pq.ParquetFile(file).iter_batches(BATCH, columns=list(TRIP_COLUMNS)):
                columns = {name: _numbers(rows.column(name)) for name in TRIP_COLUMNS}
                for name in AMOUNTS:
                    values, there = columns[name]
                    fine = np.abs(values) < (MAX_DOLLARS if name == "total_amount" else math.inf)
                    unusable[(path, name)] += int(np.count_nonzero(there & ~fine))
                _add(groups, boroughs, columns, fare_above)
    _refuse({place: count for place, count in unusable.items() if count})
    return _report(groups)


def _add(
    groups: dict[str | None, _Group],
    boroughs: Mapping[float, str],
    columns: Mapping[str, tuple[np.ndarray, np.ndarray]],
    fare_above: float,
) -> None:
    """Add the trips of a batch whose fares are above the limit."""
    fares, known = columns["fare_amount"]
    kept = known & (fares > fare_above)
    zones, zoned = (part[kept] for part in columns["PULocationID"])
    names = [
        boroughs.get(zone) if there else None
        for zone, there in zip(zones.tolist(), zoned.tolist(), strict=True)
    ]
    places = defaultdict(list)
    for at, name in enumerate(names):
        places[name].append(at)

    def given(name: str, rows: list[int]) -> np.ndarray:
        values, there = (part[kept][rows] for part in columns[name])
        return values[there]

    for name, rows in places.items():
        group = groups[name]
        totals = given("total_amount", rows)
        group.trips += len(rows)
        fine = totals[np.abs(totals) < MAX_DOLLARS]
        group.cents += int(np.floor(fine * 100.0 + 0.5).astype(np.int64).sum())
        group.totals.add(totals)
        group.tips.add(given("tip_amount", rows))
        group.distances.add(given("trip_distance", rows))


def _report(groups: Mapping[str | None, _Group]) -> pa.Table:
    """The groups as rows; a sum or mean of nothing is null."""
    found = list(groups.values())
    cents = [group.cents if group.totals.count else None for group in found]
    return pa.table(
        {
            "borough": pa.array(list(groups), pa.string()),
            "revenue": pa.array([group.totals.total() for group in found], pa.float64()),
            "revenue_cents": pa.array(cents, pa.int64()),
            "trips": pa.array([group.trips for group in found], pa.int64()),
            "avg_tip": pa.array([group.tips.mean() for group in found], pa.float64()),
            "avg_distance": pa.array([group.distances.mean() for group in found], pa.float64()),
        }
    )


def _numbers(column: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    """A column as float64, or int64 where it has integers, and which of its values there are."""
    there = ~column.is_null().to_numpy(zero_copy_only=False)
    if pa.types.is_decimal(column.type):
        values = [0.0 if value is None else float(value) for value in column.to_pylist()]
        return np.array(values, np.float64), there
    filled = column.fill_null(0).to_numpy(zero_copy_only=False)
    return filled.astype(np.int64 if filled.dtype.kind in "iu" else np.float64), there


def _boroughs(filesystem: fs.FileSystem, lake: str) -> dict[float, str]:
    """LocationID to borough."""
    with filesystem.open_input_stream(f"{lake}/{ZONES_KEY}") as stream:
        text = stream.read().decode("utf-8-sig")
    rows = csv.DictReader(io.StringIO(text, newline=""))
    return {int(row["LocationID"]): row["Borough"] for row in rows}


def _refuse(unusable: Mapping[tuple[str, str], int]) -> None:
    """Refuse amounts that are not finite, which engines order, add and round differently.

    Raises:
        UserError: There are some.
    """
    if not unusable:
        return
    places = [f"{count} in {name} of s3://{path}" for (path, name), count in unusable.items()]
    more = f" and {len(places) - 20} more columns" if len(places) > 20 else ""
    raise UserError(
        f"There are amounts that are NaN, infinite or a trillion and more: "
        f"{', '.join(places[:20])}{more}.",
        "Engines order, add and round such values differently, so there is no right answer.",
        "Write null where an amount is not known, then run the same command again.",
    )
