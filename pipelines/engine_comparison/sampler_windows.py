"""What `sampler` keeps: CPU since its start, and memory since a window was opened."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from dataclasses import dataclass, field

import psutil

Identity = tuple[int, float]
"""Pid and start time: pids are used again."""


@dataclass
class CpuClock:
    """CPU of a changing set of processes: the last value of each is kept when it is gone."""

    before: dict[Identity, float] = field(default_factory=dict)
    latest: dict[Identity, float] = field(default_factory=dict)

    def see(self, processes: Iterable[psutil.Process], starting: bool) -> None:
        """Take the processes' CPU times; as their starting points where `starting`."""
        for process in processes:
            with contextlib.suppress(psutil.Error):
                times = process.cpu_times()
                identity = (process.pid, process.create_time())
                self.latest[identity] = times.user + times.system
                if starting:
                    self.before[identity] = self.latest[identity]

    def seconds(self) -> float:
        """CPU since the starting points, seconds."""
        return sum(value - self.before.get(one, 0.0) for one, value in self.latest.items())


@dataclass
class Window:
    """Memory since a window was opened.

    Attributes:
        unmarked: Processes whose VmHWM is older than the window.
        seen: Moment (seconds of the monotonic clock) and sum of memory at each reading, bytes.
        largest: Largest RSS that was read of each process, bytes.
        marks: VmHWM of each process as it was read last, bytes.
    """

    unmarked: set[Identity] = field(default_factory=set)
    seen: list[tuple[float, int]] = field(default_factory=list)
    largest: dict[Identity, int] = field(default_factory=dict)
    marks: dict[Identity, int] = field(default_factory=dict)

    def unseen(self) -> int:
        """What the processes held between two readings more than was read, bytes."""
        return sum(
            max(0, mark - self.largest[one])
            for one, mark in self.marks.items()
            if one not in self.unmarked
        )
