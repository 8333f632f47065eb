"""The sampler: a small process that reads the memory and CPU of a job and its engine's services.

    python -m engine_comparison.sampler

A busy job would starve a thread that samples: a big numpy or JVM call holds Python up for seconds.

It gets one JSON line, `{"job": pid, "services": [pid, ...], "store": [pid, ...]}`, or
`{"all": true}` in a container, whose processes all count. Then each line is a question, which it
answers with one JSON line (`Watch.answer`): `begin` opens a window, `read` closes it and says what
was seen. `measure` asks, and defines what is measured.

Between two windows it rests. In a benchmark the other contenders take their samples then, and each
sampler would take 3 to 5 % of a core from them.

CPU is sampled: that of a process which lived for less than the interval is not seen.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Any

import psutil

from .gpu_measure import GpuWatch
from .host import machine_cpu
from .sampler_windows import CpuClock, Window

INTERVAL_SECONDS = 0.25
OVERHEAD = 0.05
"""Share of one core that sampling may take: reading the PSS of large processes takes long, and then
the interval is stretched."""

MEASURES = ("pss", "pss-sampled", "rss")
"""From the best to the worst; several processes are measured as well as the worst of them."""

_CONDUCTORS = ("engine_comparison.leader", "engine_comparison.job", "engine_comparison.sampler")
"""Modules whose processes conduct and measure: they belong to no engine."""

Answer = dict[str, Any]
"""What a sampler says: see `Watch.answer`."""


class Watch:
    """The sampler's state."""

    def __init__(self, watched: dict[str, Any]) -> None:
        self.all = bool(watched.get("all"))
        self.job: list[int] = [watched["job"]] if "job" in watched else []
        self.services: list[int] = watched.get("services", [])
        self.store: list[int] = watched.get("store", [])
        self.engine_cpu, self.store_cpu, self.own_cpu = CpuClock(), CpuClock(), CpuClock()
        self.memory = "pss"
        self.samples = 0
        self.gpus = GpuWatch.find()
        groups = self._groups()
        self._see_cpu(groups, starting=True)
        self.idle = sum(self._memory_of(process)[0] for process in groups["services"])
        self.window = Window()
        self.is_open = False
        self.begin()

    def begin(self) -> None:
        """Open a window."""
        self.is_open = True
        self.window = Window()
        groups = self._groups()
        for process in [*groups["job"], *groups["services"]]:
            try:
                Path(f"/proc/{process.pid}/clear_refs").write_text("5", encoding="ascii")
            except (FileNotFoundError, ProcessLookupError):
                if not Path("/proc/self/clear_refs").exists():
                    self._worse("pss-sampled")
            except OSError:
                with contextlib.suppress(psutil.Error):
                    if process.status() == psutil.STATUS_ZOMBIE:
                        continue  # it has no memory, and only root may open its file
                    self._worse("pss-sampled")
                    self.window.unmarked.add((process.pid, process.create_time()))
        self.sample()
        if self.gpus:
            self.gpus.begin()

    def read(self) -> None:
        """Close the window by a last sample."""
        self.sample()
        self.is_open = False

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
            "machineCpu": machine_cpu(),
            "gpus": self.gpus.answer() if self.gpus else {},
        }

    def _worse(self, measure: str) -> None:
        self.memory = max(self.memory, measure, key=MEASURES.index)

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


def _serve(questions: IO[bytes], answers: IO[str]) -> None:
    """Sample until there is nobody left to ask.

    Args:
        questions: Unbuffered: `select` must not miss a line that a buffer already holds.
        answers: One JSON line for each question.
    """
    watch = Watch(json.loads(questions.readline()))
    due = time.monotonic() + INTERVAL_SECONDS
    while True:
        pause = max(0.0, due - time.monotonic()) if watch.is_open else None
        ready, _, _ = select.select([questions], [], [], pause)
        if watch.is_open and time.monotonic() >= due:
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
                due = time.monotonic() + INTERVAL_SECONDS
            else:
                watch.read()
            answers.write(json.dumps(watch.answer()) + "\n")
            answers.flush()


if __name__ == "__main__":
    with open(0, "rb", buffering=0) as unbuffered:
        _serve(unbuffered, sys.stdout)
