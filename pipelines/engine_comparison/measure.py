"""Memory and CPU of a job and of its engine's services, seen from outside.

A busy job would starve a thread that samples (a big numpy or JVM call holds Python up for seconds),
so the sampler is a small process of its own::

    python -m engine_comparison.measure

It gets one JSON line, `{"job": pid, "services": [pid, ...], "store": [pid, ...]}`, and then one
line for every question, which it answers with one JSON line each (`Reading`).

Memory is the proportional set size (PSS): a page that n processes share counts 1/n for each, so
that a sum over processes counts it once. Where there is no PSS (not Linux, or another user's
process) the resident set size stands in, and `memory` says `rss`.

Everything is sampled: a peak shorter than the interval, and the CPU of a process that lived shorter
than it, are not seen.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import select
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import psutil

INTERVAL_SECONDS = 0.25
OVERHEAD = 0.05
"""Share of one core that sampling may take: reading the PSS of large processes takes long, and then
the interval is stretched."""

_ANSWER_SECONDS = 30


@dataclass(frozen=True)
class Reading:
    """What the sampler has seen up to now.

    Attributes:
        peak_memory: Largest sum of memory over job and services at one moment, bytes.
        idle_memory: Memory of the services before the job began its work, bytes.
        cpu_seconds: CPU of job and services since the sampler started.
        others_cpu_seconds: CPU of all else on the machine since then, without the object store.
        memory: `pss`, or `rss` where at least one process had no PSS to read; `cgroup` where it was
            measured from outside a container.
        samples: How many times memory was read.
    """

    peak_memory: int
    idle_memory: int
    cpu_seconds: float
    others_cpu_seconds: float
    memory: str
    samples: int


class Meter(ABC):
    """What measures a job. Use as a context manager around all that is measured."""

    @abstractmethod
    def read(self) -> Reading:
        """What was seen up to now."""

    def __enter__(self) -> Meter:
        return self

    def __exit__(self, *_: object) -> None:  # noqa: B027
        """End the measurement, where that takes something."""


class OutsideMeter(Meter):
    """The meter of a job in a container, which sees neither its engine's services nor the others.

    Whoever started the job measures, and began before it.
    """

    def __init__(self, ask: Callable[[], dict[str, Any]]) -> None:
        """Keep how to ask: `ask` returns the fields of a reading, named as in a result."""
        self._ask = ask

    def read(self) -> Reading:
        """What was seen up to now."""
        seen = self._ask()
        return Reading(
            peak_memory=int(seen["peakMemoryBytes"]),
            idle_memory=int(seen["idleMemoryBytes"]),
            cpu_seconds=float(seen["cpuSeconds"]),
            others_cpu_seconds=float(seen["othersCpuSeconds"]),
            memory=str(seen["memoryMeasure"]),
            samples=int(seen["readings"]),
        )


class Sampler(Meter):
    """The sampler process of one job, on the machine where the engine's services are too."""

    def __init__(self, job: int, services: Iterable[int], store: Iterable[int] = ()) -> None:
        """Start sampling.

        Args:
            job: Pid of the job; all its descendants count.
            services: Pids of the engine's services; their descendants count.
            store: Pids of the object store's processes, which are neither the engine nor `others`.
        """
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[1],
        )
        watched = {"job": job, "services": list(services), "store": list(store)}
        self._send(json.dumps(watched))
        self.read()  # the idle value is taken before the caller goes on

    def read(self) -> Reading:
        """What was seen up to now.

        Raises:
            RuntimeError: The sampler has died or does not answer.
        """
        self._send("read")
        return self._receive()

    def __exit__(self, *_: object) -> None:
        """End the sampler process."""
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            self._process.stdin.close()  # its end is the sampler's end
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_ANSWER_SECONDS)
        if self._process.poll() is None:
            self._process.kill()

    def _send(self, line: str) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(line + "\n")
            self._process.stdin.flush()
        except OSError as error:
            raise RuntimeError("the memory and CPU sampler has died") from error

    def _receive(self) -> Reading:
        stdout = self._process.stdout
        assert stdout is not None
        ready, _, _ = select.select([stdout], [], [], _ANSWER_SECONDS)
        line = stdout.readline() if ready else ""
        if not line:
            raise RuntimeError("the memory and CPU sampler does not answer")
        return Reading(**json.loads(line))


@dataclass
class _CpuClock:
    """CPU of a changing set of processes: the last value of each is kept when it is gone."""

    before: dict[tuple[int, float], float] = field(default_factory=dict)
    latest: dict[tuple[int, float], float] = field(default_factory=dict)

    def see(self, processes: Iterable[psutil.Process], baseline: bool) -> None:
        """Take the processes' CPU times; as their starting points if `baseline`."""
        for process in processes:
            with contextlib.suppress(psutil.Error):
                times = process.cpu_times()
                identity = (process.pid, process.create_time())
                self.latest[identity] = times.user + times.system
                if baseline:
                    self.before[identity] = self.latest[identity]

    def seconds(self) -> float:
        """CPU since the starting points, seconds."""
        return sum(value - self.before.get(one, 0.0) for one, value in self.latest.items())


class _Watch:
    """The sampler's state."""

    def __init__(self, watched: dict[str, Any]) -> None:
        self.job: int = watched["job"]
        self.services: list[int] = watched["services"]
        self.store: list[int] = watched["store"]
        self.engine_cpu, self.store_cpu, self.own_cpu = _CpuClock(), _CpuClock(), _CpuClock()
        self.machine_before = _machine_cpu()
        self.memory = "pss"
        self.peak = 0
        self.samples = 0
        groups = self._groups()
        self._see_cpu(groups, baseline=True)
        self.idle = sum(self._memory_of(process) for process in groups["services"])

    def sample(self) -> None:
        """Read memory and CPU once."""
        groups = self._groups()
        self._see_cpu(groups, baseline=False)
        now = sum(self._memory_of(p) for p in [*groups["job"], *groups["services"]])
        self.peak = max(self.peak, now)
        self.samples += 1

    def reading(self) -> Reading:
        """Read CPU once more and tell what was seen."""
        self._see_cpu(self._groups(), baseline=False)
        engine = self.engine_cpu.seconds()
        busy = _machine_cpu() - self.machine_before
        others = busy - engine - self.store_cpu.seconds() - self.own_cpu.seconds()
        return Reading(
            peak_memory=self.peak,
            idle_memory=self.idle,
            cpu_seconds=round(engine, 3),
            others_cpu_seconds=round(max(0.0, others), 3),
            memory=self.memory,
            samples=self.samples,
        )

    def _see_cpu(self, groups: dict[str, list[psutil.Process]], baseline: bool) -> None:
        self.engine_cpu.see([*groups["job"], *groups["services"]], baseline)
        self.store_cpu.see(groups["store"], baseline)
        self.own_cpu.see([psutil.Process()], baseline)

    def _groups(self) -> dict[str, list[psutil.Process]]:
        """Job, services and store with their descendants; a process is in one group only."""
        children: dict[int, list[psutil.Process]] = {}
        alive: dict[int, psutil.Process] = {}
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                children.setdefault(process.ppid(), []).append(process)
                alive[process.pid] = process
        seen = {os.getpid()}

        def family(roots: Iterable[int]) -> list[psutil.Process]:
            found: list[psutil.Process] = []
            waiting = [alive[pid] for pid in roots if pid in alive]
            while waiting:
                process = waiting.pop()
                if process.pid not in seen:
                    seen.add(process.pid)
                    found.append(process)
                    waiting += children.get(process.pid, [])
            return found

        return {
            "services": family(self.services),
            "store": family(self.store),
            "job": family([self.job]),
        }

    def _memory_of(self, process: psutil.Process) -> int:
        """PSS of a process, or its RSS where PSS cannot be read; 0 if it is gone."""
        try:
            return int(process.memory_full_info().pss)
        except psutil.NoSuchProcess:
            return 0
        except (psutil.AccessDenied, AttributeError):
            self.memory = "rss"
        with contextlib.suppress(psutil.Error):
            return int(process.memory_info().rss)
        return 0


def _machine_cpu() -> float:
    """CPU that the whole machine has spent on work since it started, seconds."""
    times = psutil.cpu_times()
    # On Linux, time of guests is counted in `user` as well.
    idle = times.idle + getattr(times, "iowait", 0.0) + getattr(times, "guest", 0.0)
    return float(sum(times) - idle - getattr(times, "guest_nice", 0.0))


def cores() -> int:
    """Cores of the machine, at least 1."""
    return psutil.cpu_count() or 1


def describe_host() -> dict[str, Any]:
    """What the machine is: it goes into a result, since figures of two machines say little."""
    return {
        "system": f"{platform.system()} {platform.release()}",
        "machine": platform.machine(),
        "cpu": _cpu_name(),
        "cores": cores(),
        "memoryBytes": psutil.virtual_memory().total,
    }


def _cpu_name() -> str:
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or "unknown"


def _serve(questions: IO[bytes], answers: IO[str]) -> None:
    """Sample until there is nobody left to ask.

    Args:
        questions: Unbuffered: `select` must not miss a line that a buffer already holds.
        answers: One JSON line for each question.
    """
    watch = _Watch(json.loads(questions.readline()))
    due = time.monotonic()
    while True:
        ready, _, _ = select.select([questions], [], [], max(0.0, due - time.monotonic()))
        if time.monotonic() >= due:
            # Own CPU, not elapsed time: a starved sampler must not sample even less.
            began = time.process_time()
            watch.sample()
            cost = time.process_time() - began
            due = time.monotonic() + max(INTERVAL_SECONDS, cost / OVERHEAD)
        if ready:
            if not questions.readline():
                return
            answers.write(json.dumps(watch.reading().__dict__) + "\n")
            answers.flush()


if __name__ == "__main__":
    with open(0, "rb", buffering=0) as unbuffered:
        _serve(unbuffered, sys.stdout)
