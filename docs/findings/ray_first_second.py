"""When the tasks of a short Ray Data job start, with budgets of operators and without them.

Needs nothing but a package from PyPI:

    pip install "ray[data]==2.60.0"
    python ray_first_second.py [CPUs, default 4]

A task of each CPU sleeps for half a second, so that the machine's own speed does not matter.
"""

from __future__ import annotations

import logging
import sys
import time
from functools import partial
from importlib import metadata

import pyarrow as pa
import ray
from ray.data import DataContext

SLEEP, ROUNDS = 0.5, 5


def started(items: pa.Table, began: float) -> pa.Table:
    """When a task started, in seconds from the beginning of its job."""
    at = time.time() - began
    time.sleep(SLEEP)
    return pa.table({"started": [at] * len(items)})


def job(tasks: int) -> tuple[list[float], float]:
    """Carry out one job of so many tasks: when they started, and how long all of it took."""
    began = time.time()
    items = ray.data.range(tasks, override_num_blocks=tasks)
    rows = items.map_batches(
        partial(started, began=began), batch_size=None, batch_format="pyarrow"
    ).take_all()
    return sorted(row["started"] for row in rows), time.time() - began


def main() -> None:
    """Carry out some jobs of each kind in turn and print a table."""
    tasks = int(sys.argv[1]) if len(sys.argv) > 1 else 4
    ray.init(num_cpus=tasks, logging_level=logging.ERROR, log_to_driver=False)
    context = DataContext.get_current()
    context.enable_progress_bars = False
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    print(f"ray {metadata.version('ray')}, {tasks} CPUs, {tasks} tasks of {SLEEP} s\n")
    print("| op_resource_reservation_enabled | tasks start after, s | job, s |\n|---|---|--:|")
    for round_ in range(ROUNDS + 1):
        for budgets in (True, False):
            context.op_resource_reservation_enabled = budgets
            starts, seconds = job(tasks)
            if round_:  # workers start in the first one
                print(f"| {budgets} | {', '.join(f'{at:.2f}' for at in starts)} | {seconds:.2f} |")


if __name__ == "__main__":
    main()
