"""What Ray Data's two Parquet readers and its shuffle cost in a small job on two CPUs.

Needs nothing but packages from PyPI, and writes 100 MB to a temporary folder:

    pip install "ray[data]==2.60.0" pyarrow==25.0.1 polars==2.0.0 psutil numpy
    python ray_readers_and_shuffles.py [rows, default 6000000]

The job: filter trips, give each its borough, sum up by borough, write the report. Ways take turns
in one driver on one Ray of two CPUs; the first round is not counted, because workers start in it.
CPU is that of the driver and of all of Ray's processes.
"""

from __future__ import annotations

import logging
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path

import numpy as np
import psutil
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import ray
from ray.data import DataContext, Dataset
from ray.data.aggregate import Count, Sum
from ray.data.datatype import DataType
from ray.data.expressions import col, udf

CPUS, FILES, ROUNDS = 2, 12, 5
BOROUGHS = pa.array([f"borough {zone % 7}" for zone in range(266)])


def write(folder: Path, rows: int) -> None:
    """Write trips, a tenth of which have a fare above 30."""
    random = np.random.default_rng(1)
    for at in range(FILES):
        n = rows // FILES
        fare = np.where(random.random(n) < 0.1, random.uniform(30, 90, n), random.uniform(3, 30, n))
        zone = random.integers(1, 266, n, dtype=np.int64)
        columns = {"fare": fare, "total": fare * 1.2, "zone": zone}
        unread = {f"unread{i}": random.random(n) for i in range(9)}
        pq.write_table(pa.table(columns | unread), folder / f"{at}.parquet", compression="zstd")


def read(folder: str, new: bool, blocks: int | None) -> Dataset:
    """The kept trips, by one of the readers, in a number of blocks or in Ray Data's own number."""
    DataContext.get_current().use_datasource_v2 = new
    given = {} if blocks is None else {"override_num_blocks": blocks}
    trips = ray.data.read_parquet(folder, **given).select_columns(["fare", "total", "zone"])
    return trips.filter(expr=col("fare") > 30.0)


@udf(return_dtype=DataType.string())
def borough_of(zone: pa.Array) -> pa.Array:
    """Look boroughs up, in a task that has them anyway."""
    return pc.take(BOROUGHS, zone)


def looked_up(trips: Dataset) -> Dataset:
    """Boroughs by an expression."""
    return trips.with_column("borough", borough_of(col("zone")))


def joined(trips: Dataset) -> Dataset:
    """Boroughs by a join, which shuffles the trips."""
    zones = ray.data.from_arrow(pa.table({"zone": range(266), "borough": BOROUGHS}))
    return trips.join(zones, join_type="left_outer", num_partitions=CPUS, on=("zone",))


def report(trips: Dataset, partitions: int | None) -> Dataset:
    """Sums by borough, in a number of partitions or in Ray Data's own number."""
    grouped = trips.groupby("borough", num_partitions=partitions)
    return grouped.aggregate(Sum("total", alias_name="total"), Count(alias_name="trips"))


def read_in_tasks(folder: str, tasks: int) -> Dataset:
    """The kept trips, read by pyarrow in map calls of a number of tasks."""

    def read_files(listed: pa.Table) -> Iterator[pa.Table]:
        for path in listed["path"].to_pylist():
            trips = pq.read_table(path, columns=["fare", "total", "zone"], use_threads=False)
            yield trips.filter(pc.field("fare") > 30.0)

    paths = [{"path": str(path)} for path in sorted(Path(folder).iterdir())]
    listed = ray.data.from_items(paths, override_num_blocks=tasks)
    return listed.map_batches(read_files, batch_size=None, batch_format="pyarrow")


WAYS: dict[str, Callable[[str], Dataset]] = {
    "defaults: new reader, join, 200 partitions": lambda f: report(
        joined(read(f, True, None)), None
    ),
    "new reader, join, 1 partition": lambda f: report(joined(read(f, True, None)), 1),
    "new reader, look-up, 1 partition": lambda f: report(looked_up(read(f, True, None)), 1),
    "new reader with 12 blocks": lambda f: report(looked_up(read(f, True, FILES)), 1),
    "old reader": lambda f: report(looked_up(read(f, False, None)), 1),
    "old reader with 12 blocks": lambda f: report(looked_up(read(f, False, FILES)), 1),
    "old reader with 2 blocks": lambda f: report(looked_up(read(f, False, CPUS)), 1),
    "pyarrow in 12 tasks": lambda f: report(looked_up(read_in_tasks(f, FILES)), 1),
    "pyarrow in 2 tasks": lambda f: report(looked_up(read_in_tasks(f, CPUS)), 1),
    "old reader with 12 blocks, 200 partitions": lambda f: report(
        looked_up(read(f, False, FILES)), None
    ),
    "old reader with 12 blocks, join": lambda f: report(joined(read(f, False, FILES)), 1),
}


class Clock:
    """CPU of this process and of those that it started, the ended ones included."""

    def __init__(self) -> None:
        self.seen: dict[int, float] = {}

    def seconds(self) -> float:
        """CPU until now."""
        me = psutil.Process()
        for process in [me, *me.children(recursive=True)]:
            try:
                self.seen[process.pid] = sum(process.cpu_times()[:2])
            except psutil.Error:
                continue
        return sum(self.seen.values())


def main() -> None:
    """Write the files, take the samples, print a table."""
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 6_000_000
    warnings.filterwarnings("ignore")
    ray.init(num_cpus=CPUS, logging_level=logging.ERROR, log_to_driver=False)
    DataContext.get_current().enable_progress_bars = False
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    clock = Clock()
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "trips"), Path(folder, "reports")
        source.mkdir()
        write(source, rows)
        taken: dict[str, list[tuple[float, float]]] = {name: [] for name in WAYS}
        counts: set[int] = set()
        for at in range(ROUNDS + 1):
            for name, way in WAYS.items():
                output = target / f"{at} {name}"
                wall, cpu = time.perf_counter(), clock.seconds()
                way(str(source)).write_parquet(str(output))
                if at:
                    taken[name].append((time.perf_counter() - wall, clock.seconds() - cpu))
                counts.add(pc.sum(pq.read_table(output)["trips"]).as_py())
        assert len(counts) == 1, counts
    print(f"ray {metadata.version('ray')}, pyarrow {metadata.version('pyarrow')}")
    print(f"{rows:,} rows in {FILES} files, {CPUS} CPUs\n\n| way | seconds | CPU |\n|---|--:|--:|")
    for name, samples in taken.items():
        seconds, busy = (statistics.median(column) for column in zip(*samples, strict=True))
        print(f"| {name} | {seconds:.2f} | {busy:.2f} |")


if __name__ == "__main__":
    main()
