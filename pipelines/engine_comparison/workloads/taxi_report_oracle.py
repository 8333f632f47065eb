"""The right report, found without any engine: numpy over what pyarrow decodes, and exact sums.

It shares the list of files with the engines, and nothing else: it takes the columns in the types
that the files have, casts them itself, and reads the zone table as its owner wrote it.
"""

from __future__ import annotations

import csv
import io
import math
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import fs

from ..errors import UserError
from .taxi_inputs import AMOUNTS, TRIP_COLUMNS, ZONES_KEY

MAX_AMOUNT = 1e9
"""Dollars or miles. Below it, cents are exact in float64, and int64 has the sums of any table."""
TOLERANCE = 1e-9
"""That of the report's sums and means, see `taxi_report`: engines add in different orders."""
BATCH = 2**18
"""Trips that are in memory at a time."""


@dataclass
class _Sum:
    """Values that are there: how many, and the exact sum of each batch."""

    count: int = 0
    parts: list[float] = field(default_factory=list)
    size: float = 0.0

    def add(self, values: np.ndarray) -> None:
        self.count += len(values)
        self.parts.append(math.fsum(values))
        self.size += float(np.abs(values).sum())

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


class _Stated:
    """What a footer states of a column in a row group, compared with its values as they come."""

    def __init__(self, chunk: pq.ColumnChunkMetaData, rows: int) -> None:
        self._statistics, self._left, self._nulls = chunk.statistics, rows, 0

    def untrue(self, values: np.ndarray, there: np.ndarray) -> int:
        """How many of the next values are beyond the limits; one more if nulls are not as many."""
        stated, found = self._statistics, 0
        if stated is None:
            return 0
        if stated.has_min_max:
            minimum, maximum = float(stated.min), float(stated.max)
            found += int(np.count_nonzero(there & ((values < minimum) | (values > maximum))))
        self._left -= len(values)
        self._nulls += int(np.count_nonzero(~there))
        if stated.has_null_count and self._left == 0 and self._nulls != stated.null_count:
            found += 1
        return found


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
        UserError: Amounts are not finite, or too large, or cancel out, or values are not as
            footers state: which, in all files.
    """
    boroughs = _boroughs(filesystem, lake)
    groups: dict[str | None, _Group] = defaultdict(_Group)
    unusable: dict[tuple[str, str], int] = defaultdict(int)
    untrue: dict[tuple[str, str], int] = defaultdict(int)
    for path in facts["files"]:
        with filesystem.open_input_file(path) as file:
            for stated, rows in _batches(pq.ParquetFile(file)):
                columns = {name: _numbers(rows.column(name)) for name in TRIP_COLUMNS}
                for name, said in stated.items():
                    untrue[(path, name)] += said.untrue(*columns[name])
                for name in AMOUNTS:
                    values, there = columns[name]
                    fine = (values > -MAX_AMOUNT) & (values < MAX_AMOUNT)
                    unusable[(path, name)] += int(np.count_nonzero(there & ~fine))
                    columns[name] = values, there & fine
                zones, there = columns["PULocationID"]
                minus = there & (zones == 0) & np.signbit(zones)
                unusable[(path, "PULocationID")] += int(np.count_nonzero(minus))
                _add(groups, boroughs, columns, fare_above)
    _refuse(
        unusable,
        "There are amounts that are NaN, infinite, or a billion and more, or zones of minus zero",
        "Engines order, add, round or join such values differently, so there is no right answer.",
        "Write null where a value is not known, then run the same command again.",
    )
    _refuse(
        untrue,
        "Values are below the minimum or above the maximum that the footer of their file states, "
        "or nulls are not as many",
        "Some engines skip rows by what footers state, and would miss trips.",
        "Write the files again, then run the same command again.",
    )
    _refuse_cancelled(groups)
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
        group.cents += int(np.floor(totals * 100.0 + 0.5).astype(np.int64).sum())
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


def _batches(trips: pq.ParquetFile) -> Iterator[tuple[dict[str, _Stated], pa.RecordBatch]]:
    """The rows of a file, with what its footer states of their columns."""
    leaves = range(trips.metadata.num_columns)
    read = [at for at in leaves if trips.metadata.schema.column(at).path in TRIP_COLUMNS]
    for number in range(trips.num_row_groups):
        group = trips.metadata.row_group(number)
        chunks = map(group.column, read)
        stated = {chunk.path_in_schema: _Stated(chunk, group.num_rows) for chunk in chunks}
        for rows in trips.iter_batches(BATCH, [number], columns=list(TRIP_COLUMNS)):
            yield stated, rows


def _refuse(counts: Mapping[tuple[str, str], int], what: str, why: str, do: str) -> None:
    """Refuse values, which are counted by file and column.

    Raises:
        UserError: There are some.
    """
    places = [
        f"{count} in {name} of s3://{path}" for (path, name), count in counts.items() if count
    ]
    if places:
        more = f" and {len(places) - 20} more columns" if len(places) > 20 else ""
        raise UserError(f"{what}: {', '.join(places[:20])}{more}.", why, do)


def _refuse_cancelled(groups: Mapping[str | None, _Group]) -> None:
    """Refuse amounts of which so much cancels out that the order of adding decides the result.

    An addition rounds by half an ulp of what was added so far, up or down.

    Raises:
        UserError: There are such.
    """
    found = []
    for borough, group in groups.items():
        for name, given, result, parts in (
            ("total_amount", group.totals, group.totals.total(), 1),
            ("tip_amount", group.tips, group.tips.mean(), group.tips.count),
            ("trip_distance", group.distances, group.distances.mean(), group.distances.count),
        ):
            rounding = 2.0**-53 * math.sqrt(given.count) * given.size / max(parts, 1)
            if rounding > TOLERANCE / 2 * max(1.0, abs(result or 0.0)):
                found.append(f"{name} of {borough or 'trips without a borough'}")
    if found:
        raise UserError(
            f"There are amounts that cancel out: {', '.join(found[:20])}.",
            "Engines add in different orders, and so much is lost that their results differ.",
            "Write null where an amount is far too large, then run the same command again.",
        )
