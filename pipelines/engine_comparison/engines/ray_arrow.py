"""Ray schedules, and pyarrow reads a table and adds it up inside Ray's map calls.

A task a CPU sums its files up, one after the other, and the few rows of all tasks come together in
one more. So it shows what Ray itself costs, without the reader and the operators of Ray Data.

pyarrow groups without threads. A task has one CPU, and with threads pyarrow 25 failed once on a
busy machine: "ArrowIndexError: thread index 10 is out of range [0, 10)".
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, ClassVar

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyarrow import fs

from ..describe import EngineFacts, engine_facts
from ..workloads.taxi_inputs import TRIP_COLUMNS, doubles, read_zones, trip_files, trip_schema
from ..workloads.taxi_report import TaxiReport
from . import ray

if TYPE_CHECKING:
    from ray.data import Dataset


class RayArrow(ray.OnRay):
    """See the module."""

    facts: ClassVar[EngineFacts] = engine_facts(__name__)

    def taxi_report(self, workload: TaxiReport, output: str) -> None:
        """Sums by borough where files are read; the few rows of all tasks make the report."""
        store, facts = self.context.filesystem, self.context.input_facts
        trips = self._trips()
        sums = trips.map_batches(
            partial(
                sums_by_borough,
                zones=read_zones(store, facts).select(["LocationID", "Borough"]),
                fare_above=float(self.context.inputs["fareAbove"]),
            ),
            batch_size=None,
            batch_format="pyarrow",
        )
        # A batch for which there are never enough rows waits for all of them. Asking for less than
        # a CPU keeps Ray from fusing it with the tasks before it.
        report = sums.map_batches(
            report_of, batch_size=_ALL_ROWS, batch_format="pyarrow", num_cpus=0.5
        )
        self._write(report, output)

    def _trips(self) -> Dataset:
        """The trips, by the reader that is set."""
        import ray.data

        store, facts = self.context.filesystem, self.context.input_facts
        files = trip_files(facts)
        blocks = self.blocks(len(files))
        if self.tunable("reader") == "ray":
            return ray.data.read_parquet(
                files,
                columns=list(TRIP_COLUMNS),
                filesystem=store,
                schema=trip_schema(facts),
                override_num_blocks=blocks,
            )
        listed = ray.data.from_items([{"path": file} for file in files], override_num_blocks=blocks)
        return listed.map_batches(
            partial(read_trips, store=store), batch_size=None, batch_format="pyarrow"
        )

    def persists(self) -> str:
        """See `Engine.persists`."""
        return "the cluster and its worker processes"


_ALL_ROWS = 1_000_000_000
"""More than the sums of all files ever are: a row for each borough of a file."""

_SUMS = ("revenue", "revenue_cents", "trips", "tips", "tipped", "distance", "measured")


def read_trips(listed: pa.Table, store: fs.FileSystem) -> Iterator[pa.Table]:
    """The trips of some files, a row group at a time.

    Args:
        listed: Has `path`, `<bucket>/<key>`.
        store: Where they are.

    Yields:
        Tables with `TRIP_COLUMNS`.
    """
    for path in listed.column("path").to_pylist():
        with pq.ParquetFile(path, filesystem=store, pre_buffer=True) as file:
            if file.num_row_groups == 0:
                yield file.schema_arrow.empty_table().select(list(TRIP_COLUMNS))
            for group in range(file.num_row_groups):
                yield file.read_row_group(group, columns=list(TRIP_COLUMNS), use_threads=False)


def sums_by_borough(trips: pa.Table, zones: pa.Table, fare_above: float) -> pa.Table:
    """Filter one block, look its zones up, and add up.

    Args:
        trips: Has `TRIP_COLUMNS`.
        zones: LocationID and Borough of every zone.
        fare_above: Fares above it count, in dollars.

    Returns:
        A row for each borough of the block, null included: sums and counts of values.
    """
    kept = trips.filter(pc.greater(doubles(trips.column("fare_amount")), fare_above))
    ids = zones.column("LocationID").combine_chunks()
    row = pc.index_in(kept.column("PULocationID").cast(ids.type), ids)
    total = doubles(kept.column("total_amount"))
    cents = pc.floor(pc.add(pc.multiply(total, 100.0), 0.5)).cast(pa.int64())
    grouped = pa.table(
        {
            "borough": zones.column("Borough").combine_chunks().take(row),
            "revenue": total,
            "revenue_cents": cents,
            "tips": doubles(kept.column("tip_amount")),
            "distance": doubles(kept.column("trip_distance")),
        }
    ).group_by("borough", use_threads=False)
    parts = {
        "revenue": ("revenue", "sum", None),
        "revenue_cents": ("revenue_cents", "sum", None),
        "trips": ([], "count_all", None),
        "tips": ("tips", "sum", None),
        "tipped": ("tips", "count", None),
        "distance": ("distance", "sum", None),
        "measured": ("distance", "count", None),
    }
    summed = grouped.aggregate(list(parts.values()))
    return summed.rename_columns(["borough", *parts])


def report_of(parts: pa.Table) -> pa.Table:
    """The rows of all blocks, as `sums_by_borough` has them, to the report."""
    summed = parts.group_by("borough", use_threads=False).aggregate(
        [(name, "sum") for name in _SUMS]
    )
    sums = summed.rename_columns(["borough", *_SUMS])

    def mean(total: str, count: str) -> pa.ChunkedArray:
        counts = sums.column(count)
        some = pc.if_else(pc.equal(counts, 0), pa.scalar(None, pa.int64()), counts)
        return pc.divide(sums.column(total), some.cast(pa.float64()))

    return pa.table(
        {
            "borough": sums.column("borough"),
            "revenue": sums.column("revenue"),
            "revenue_cents": sums.column("revenue_cents"),
            "trips": sums.column("trips"),
            "avg_tip": mean("tips", "tipped"),
            "avg_distance": mean("distance", "measured"),
        }
    )


ENGINE = RayArrow
