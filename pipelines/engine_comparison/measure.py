"""Memory and CPU of a job and of its engine's services, and the GPUs, seen from outside.

Processes of `sampler` look; here is what they are asked, and how their answers are added up.

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
"""

from __future__ import annotations

import contextlib
import json
import select
import subprocess
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from .gpu_measure import Uses, uses_of
from .sampler import MEASURES, Answer

_ANSWER_SECONDS = 30


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
        measures = [MEASURES.index(each["memory"]) for each in answers if "memory" in each]
        return Reading(
            peak_memory=self._peak,
            idle_memory=sum(each.get("idle", 0) for each in self._first),
            cpu_seconds=round(total("cpu"), 3),
            others_cpu_seconds=round(max(0.0, others), 3),
            memory=MEASURES[max(measures, default=0)],
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
            [sys.executable, "-m", f"{__package__}.sampler"],
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
