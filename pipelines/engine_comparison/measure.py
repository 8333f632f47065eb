"""Memory and CPU of a job and of its engine's services, and the GPUs, seen from outside.

A busy job would starve a thread that samples (a big numpy or JVM call holds Python up for seconds),
so the sampler is a small process beside it::

    python -m engine_comparison.measure

It gets one JSON line, `{"job": pid, "services": [pid, ...], "store": [pid, ...]}`, or
`{"all": true}` in a container, whose processes all count. Then each line is a question, which it
answers with one JSON line (`_Watch.answer`): `begin` opens a window, `read` says what it has seen.

Peak memory has one definition on every target:

    the largest sampled sum of PSS, plus, for each process, what its VmHWM exceeds the largest RSS
    that was sampled of it

PSS, the proportional set size, counts a page that n processes share 1/n for each, so that a sum
over processes counts it once. VmHWM is the kernel's own mark of the largest RSS of a process; it
sees a peak of any length. It is reset when a window opens, by writing 5 to /proc/PID/clear_refs
(proc(5)), and a window covers one start-up or one sample. A bare sum of VmHWM would count shared
memory, such as Ray's object store, once a process.

`memory` says how it was measured: `pss` as above; `pss-sampled` where VmHWM could not be reset, so
that a peak between two readings is not seen; `rss` where PSS could not be read either (not Linux,
or another user's process).

CPU is sampled: that of a process which lived for less than the interval is not seen.
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
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import psutil

from .gpu_measure import GpuWatch, Uses, uses_of

INTERVAL_SECONDS = 0.25
OVERHEAD = 0.05
"""Share of one core that sampling may take: reading the PSS of large processes takes long, and then
the interval is stretched."""

_ANSWER_SECONDS = 30
_MEASURES = ("pss", "pss-sampled", "rss")
"""From the best to the worst; several processes are measured as well as the worst of them."""

_CONDUCTORS = ("engine_comparison.leader", "engine_comparison.job", "engine_comparison.measure")
"""Modules whose processes conduct and measure: they belong to no engine."""

Answer = dict[str, Any]
"""What a sampler says: see `_Watch.answer`."""


@dataclass(frozen=True)
class Reading:
    """What was seen up to now.

    Attributes:
        peak_memory: Largest memory of job and services in a window, bytes; see the module.
        idle_memory: Memory of the services before the job began its work, bytes.
        cpu_seconds: CPU of job and services since the meter started.
        others_cpu_seconds: CPU of all else on the machine since then, without the object store.
        memory: How memory was measured; see the module.
        samples: How many times memory was read.
        gpus: What the GPUs did since the meter started, their peaks of memory in the window.
    """

    peak_memory: int
    idle_memory: int
    cpu_seconds: float
    others_cpu_seconds: float
    memory: str
    samples: int
    gpus: Uses = field(default_factory=dict)


class Meter(ABC):
    """What measures a job. Use as a context manager around all that is measured."""

    @abstractmethod
    def begin(self) -> Reading:
        """Open a window: only memory in windows counts for the peak."""

    @abstractmethod
    def read(self) -> Reading:
        """Read at the end of what the window covers."""

    def __enter__(self) -> Meter:
        return self

    def __exit__(self, *_: object) -> None:  # noqa: B027
        """End the measurement, where that takes something."""


class AskingMeter(Meter):
    """Adds up what one or several samplers say, each of which sees some of the processes."""

    def __init__(self, ask: Callable[[str], Sequence[Answer]]) -> None:
        """Ask the samplers for the first time.

        Args:
            ask: Puts a question to all samplers and returns their answers, always in one order.
        """
        self._ask = ask
        self._peak = 0
        self._first = ask("begin")

    def begin(self) -> Reading:
        """See `Meter.begin`."""
        return self._reading(self._ask("begin"))

    def read(self) -> Reading:
        """See `Meter.read`."""
        return self._reading(self._ask("read"))

    def _reading(self, answers: Sequence[Answer]) -> Reading:
        self._peak = max(self._peak, _peak_of(answers))

        def total(name: str) -> float:
            pairs = zip(answers, self._first, strict=True)
            return sum(now.get(name, 0.0) - before.get(name, 0.0) for now, before in pairs)

        machine = max(
            now.get("machineCpu", 0.0) - before.get("machineCpu", 0.0)
            for now, before in zip(answers, self._first, strict=True)
        )
        others = machine - total("cpu") - total("storeCpu") - total("ownCpu")
        measures = [_MEASURES.index(each["memory"]) for each in answers if "memory" in each]
        return Reading(
            peak_memory=self._peak,
            idle_memory=sum(each.get("idle", 0) for each in self._first),
            cpu_seconds=round(total("cpu"), 3),
            others_cpu_seconds=round(max(0.0, others), 3),
            memory=_MEASURES[max(measures, default=0)],
            samples=max(each.get("samples", 0) for each in answers),
            gpus=uses_of(answers),
        )


def _peak_of(answers: Sequence[Answer]) -> int:
    """The largest memory of a window over all samplers, which read at different moments, bytes."""
    seen = sorted(
        (at, sampler, memory)
        for sampler, each in enumerate(answers)
        for at, memory in each.get("seen", [])
    )
    latest: dict[int, int] = {}
    largest = 0
    for _, sampler, memory in seen:
        latest[sampler] = memory
        largest = max(largest, sum(latest.values()))
    return largest + sum(int(each.get("unseen", 0)) for each in answers)


class Sampler(AskingMeter):
    """The sampler process of one job, on the machine where the engine's services are too."""

    def __init__(self, job: int, services: Iterable[int], store: Iterable[int] = ()) -> None:
        """Start sampling; the idle value is taken before this returns.

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
        super().__init__(self._question)

    def _question(self, question: str) -> list[Answer]:
        """Ask and wait.

        Raises:
            RuntimeError: The sampler has died or does not answer.
        """
        self._send(question)
        stdout = self._process.stdout
        assert stdout is not None
        ready, _, _ = select.select([stdout], [], [], _ANSWER_SECONDS)
        line = stdout.readline() if ready else ""
        if not line:
            raise RuntimeError("the memory and CPU sampler does not answer")
        return [json.loads(line)]

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


Identity = tuple[int, float]
"""Pid and start time: pids are used again."""


@dataclass
class _CpuClock:
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
class _Window:
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


class _Watch:
    """The sampler's state."""

    def __init__(self, watched: dict[str, Any]) -> None:
        self.all = bool(watched.get("all"))
        self.job: list[int] = [watched["job"]] if "job" in watched else []
        self.services: list[int] = watched.get("services", [])
        self.store: list[int] = watched.get("store", [])
        self.engine_cpu, self.store_cpu, self.own_cpu = _CpuClock(), _CpuClock(), _CpuClock()
        self.memory = "pss"
        self.samples = 0
        self.gpus = GpuWatch.find()
        groups = self._groups()
        self._see_cpu(groups, starting=True)
        self.idle = sum(self._memory_of(process)[0] for process in groups["services"])
        self.window = _Window()
        self.begin()

    def begin(self) -> None:
        """Open a window."""
        self.window = _Window()
        groups = self._groups()
        for process in [*groups["job"], *groups["services"]]:
            try:
                Path(f"/proc/{process.pid}/clear_refs").write_text("5", encoding="ascii")
            except (FileNotFoundError, ProcessLookupError):
                if not Path("/proc/self/clear_refs").exists():
                    self._worse("pss-sampled")
            except OSError:
                self._worse("pss-sampled")
                with contextlib.suppress(psutil.Error):
                    self.window.unmarked.add((process.pid, process.create_time()))
        self.sample()
        if self.gpus:
            self.gpus.begin()

    def sample(self) -> None:
        """Read memory and CPU once."""
        groups = self._groups()
        self._see_cpu(groups, starting=False)
        at, total = time.monotonic(), 0
        for process in [*groups["job"], *groups["services"]]:
            pss, rss = self._memory_of(process)
            total += pss
            with contextlib.suppress(psutil.Error, OSError, KeyError):
                identity = (process.pid, process.create_time())
                mark = _sizes(process.pid, "status", "VmHWM")["VmHWM"]
                self.window.largest[identity] = max(rss, self.window.largest.get(identity, 0))
                self.window.marks[identity] = mark
        self.window.seen.append((at, total))
        self.samples += 1
        if self.gpus:
            self.gpus.read()

    def answer(self) -> Answer:
        """What was seen: memory of the window (bytes), CPU since the start (seconds)."""
        return {
            "seen": self.window.seen,
            "unseen": self.window.unseen(),
            "idle": self.idle,
            "memory": self.memory,
            "samples": self.samples,
            "cpu": self.engine_cpu.seconds(),
            "storeCpu": self.store_cpu.seconds(),
            "ownCpu": self.own_cpu.seconds(),
            "machineCpu": _machine_cpu(),
            "gpus": self.gpus.answer() if self.gpus else {},
        }

    def _worse(self, measure: str) -> None:
        self.memory = max(self.memory, measure, key=_MEASURES.index)

    def _see_cpu(self, groups: dict[str, list[psutil.Process]], starting: bool) -> None:
        self.engine_cpu.see([*groups["job"], *groups["services"]], starting)
        self.store_cpu.see(groups["store"], starting)
        self.own_cpu.see(groups["own"], starting)

    def _groups(self) -> dict[str, list[psutil.Process]]:
        """Job, services and store with their descendants; a process is in one group only."""
        children: dict[int, list[psutil.Process]] = {}
        alive: dict[int, psutil.Process] = {}
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                children.setdefault(process.ppid(), []).append(process)
                alive[process.pid] = process
        if self.all:
            own = [one for one in alive.values() if _conducts(one) or _is_entering(one)]
            services = [process for process in alive.values() if process not in own]
            return {"own": own, "services": services, "store": [], "job": []}
        # The conductor started this process.
        own = [alive[pid] for pid in (os.getpid(), os.getppid()) if pid in alive]
        seen = {process.pid for process in own} - set(self.job)

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
            "job": family(self.job),
            "own": [process for process in own if process.pid not in self.job],
        }

    def _memory_of(self, process: psutil.Process) -> tuple[int, int]:
        """PSS and RSS of a process, bytes; zeros if it is gone.

        Both are of one read: what a process that grows held in between would be in neither the PSS
        nor in what its VmHWM exceeds its RSS. Where PSS cannot be read, RSS is used for both.
        """
        try:
            sizes = _sizes(process.pid, "smaps_rollup", "Pss", "Rss")
            return sizes["Pss"], sizes["Rss"]
        except (ProcessLookupError, KeyError):
            return 0, 0
        except FileNotFoundError:
            if Path("/proc/self/smaps_rollup").exists():
                return 0, 0
        except OSError:
            pass
        self._worse("rss")
        with contextlib.suppress(psutil.Error):
            rss = int(process.memory_info().rss)
            return rss, rss
        return 0, 0


def _conducts(process: psutil.Process) -> bool:
    """Whether a process of a container belongs to no engine."""
    with contextlib.suppress(psutil.Error):
        return any(module in process.cmdline() for module in _CONDUCTORS)
    return False


def _is_entering(process: psutil.Process) -> bool:
    """Whether a container's runtime still makes this process, as for each check of its health.

    Its parent is outside, and nobody may read it before it executes what it was made for.
    """
    try:
        if process.ppid() == 0:
            Path(f"/proc/{process.pid}/smaps_rollup").open().close()
    except PermissionError:
        return True
    except (psutil.Error, OSError):
        pass
    return False


def _sizes(pid: int, file: str, *names: str) -> dict[str, int]:
    """Sizes that a file of a process in /proc has by these names, from one read, bytes."""
    text = Path(f"/proc/{pid}/{file}").read_text(encoding="utf-8", errors="replace")
    found = (line.partition(":") for line in text.splitlines())
    return {name: 1024 * int(value.split()[0]) for name, _, value in found if name in names}


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
    due = time.monotonic() + INTERVAL_SECONDS
    while True:
        ready, _, _ = select.select([questions], [], [], max(0.0, due - time.monotonic()))
        if time.monotonic() >= due:
            # Own CPU, not elapsed time: a starved sampler must not sample even less.
            began = time.process_time()
            watch.sample()
            cost = time.process_time() - began
            due = time.monotonic() + max(INTERVAL_SECONDS, cost / OVERHEAD)
        if ready:
            question = questions.readline().strip()
            if not question:
                return
            if question == b"begin":
                watch.begin()
            else:
                watch.sample()
            answers.write(json.dumps(watch.answer()) + "\n")
            answers.flush()


if __name__ == "__main__":
    with open(0, "rb", buffering=0) as unbuffered:
        _serve(unbuffered, sys.stdout)
