"""Timers for what an engine cannot see: what a user's function does inside of its workers.

In a profiled sample each task leaves its sums as an object in the store, which is what workers on
any machine reach, and the driver adds them up.
"""

from __future__ import annotations

import time
import uuid
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeVar

from pyarrow import fs

from .objects import list_files, read_json, write_json
from .profile import Kind, Stage

Item = TypeVar("Item")

_NAMES: dict[Kind, str] = {"read": "fetch", "decode": "decode", "compute": "model"}


@dataclass
class Timers:
    """Sums of one task.

    Attributes:
        seconds: By kind.
        counts: `rows` and `bytes` that were fetched.
    """

    seconds: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    counts: Counter[str] = field(default_factory=Counter)

    @contextmanager
    def timing(self, kind: Kind) -> Iterator[None]:
        """Time what is inside."""
        began = time.perf_counter()
        yield
        self.seconds[kind] += time.perf_counter() - began

    def each(self, kind: Kind, items: Iterable[Item]) -> Iterator[Item]:
        """Time the waiting for each item."""
        waiting = iter(items)
        while True:
            began = time.perf_counter()
            item = next(waiting, None)
            self.seconds[kind] += time.perf_counter() - began
            if item is None:
                return
            yield item

    def count(self, files: Iterable[bytes | None]) -> None:
        """Count what was fetched."""
        sizes = [len(data or b"") for data in files]
        self.counts.update(rows=len(sizes), bytes=sum(sizes))

    def save(self, store: fs.FileSystem, place: str) -> None:
        """Leave the sums where `read_timers` finds them.

        Args:
            store: The store.
            place: `<bucket>/<prefix>` of the profiled sample's timers.
        """
        sums = {"seconds": self.seconds, "counts": self.counts}
        write_json(store, f"{place}/{uuid.uuid4().hex}.json", sums)


def read_timers(store: fs.FileSystem, place: str, workers: int) -> list[Stage]:
    """Add up what the tasks of a sample have left.

    Args:
        store: The store.
        place: As in `Timers.save`.
        workers: How many work at a time, by which the sums are divided.

    Returns:
        Stages named fetch, decode and model; none if no task has timers.
    """
    seconds: dict[str, float] = defaultdict(float)
    counts: Counter[str] = Counter()
    for info in list_files(store, place):
        found = read_json(store, info.path) or {}
        for at, took in found.get("seconds", {}).items():
            seconds[at] += took
        counts.update(found.get("counts", {}))
    return [
        Stage(
            name,
            kind,
            seconds[kind] / workers,
            counts["rows"] or None,
            counts["bytes"] or None if kind == "read" else None,
        )
        for kind, name in _NAMES.items()
        if kind in seconds
    ]
