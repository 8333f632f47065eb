"""A driver process as its conductor has it: held to its cores, measured, asked for samples.

A run's job and the benchmark both take their samples here.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

import psutil

from .errors import ProcessError, UserError
from .gpu_measure import uses_since
from .host import PACKAGE_PARENT, cores
from .measure import AskingMeter, Meter, Reading, Sampler
from .samples import Sample

_STOP_SECONDS = 60
_NOTICE_SECONDS = 5
"""A Ray node that has lost one of its processes takes a few seconds to end the others."""

Fields = dict[str, Any]


class Obeying(Protocol):
    """What carries out the orders of `driver`: a process, or in tests an object."""

    pid: int

    def obey(self, order: Fields) -> Fields:
        """Carry an order out and answer it."""

    def stop(self) -> None:
        """End it."""


class DriverProcess:
    """A process of the module `driver`, or of another one that obeys the same orders."""

    def __init__(
        self, spec: Mapping[str, Any], cores: int | None, module: str = f"{__package__}.driver"
    ) -> None:
        """Start the process, which waits for its first order.

        Args:
            spec: What it gets.
            cores: How many cores it and its descendants may use; None: all.
            module: What it executes.
        """
        path = os.pathsep.join(filter(None, (str(PACKAGE_PARENT), os.environ.get("PYTHONPATH"))))
        self._process = subprocess.Popen(
            [sys.executable, "-m", module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": path},
        )
        self.pid = self._process.pid
        self._services = {
            str(service["name"]): psutil.Process(service["pid"])
            for service in spec.get("services", [])
            if psutil.pid_exists(service["pid"])
        }
        if cores is not None:
            confine([self.pid], cores)  # before it has read its spec, let alone loaded a library
        self._send(spec)

    def obey(self, order: Fields) -> Fields:
        """Have an order carried out.

        Raises:
            UserError: What the process says of something that the user can change, or a service
                that it runs on has ended, and the process with it.
            ProcessError: It failed otherwise, or ended without a word.
        """
        assert self._process.stdout is not None
        self._send(order)
        line = self._process.stdout.readline()
        if not line:
            raise self._silent_end()
        answer: Fields = json.loads(line)
        if answer["event"] != "failure":
            return answer
        if answer["kind"] == "user":
            raise UserError(answer["reason"], "", answer["advice"], answer["outcome"])
        raise ProcessError(answer["reason"])

    def _silent_end(self) -> Exception:
        """What to say of a process that has said nothing, such as Ray's when its node is lost."""
        code = self._process.wait()
        how = f"by signal {-code}" if code < 0 else f"with {code}"
        psutil.wait_procs(self._services.values(), _NOTICE_SECONDS)
        lost = [name for name, service in self._services.items() if not service.is_running()]
        if not lost:
            return ProcessError(f"The engine's process ended {how} and without a word.")
        return UserError(
            f"{', '.join(lost)} ended during the run, and then the engine's process ended {how}.",
            "The engine's work is done there.",
            f"See why {lost[0]} ended (npm run logs), and run it again.",
        )

    def stop(self) -> None:
        """Let it stop its engine by itself, or end it."""
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _send(self, message: Mapping[str, Any]) -> None:
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):  # one that has ended says why, or how
            self._process.stdin.write(json.dumps(message) + "\n")
            self._process.stdin.flush()


class Fork:
    """One driver process with its meter. Use as a context manager.

    Attributes:
        start_up_seconds: From nothing to an engine that can take work.
        samples: Those taken, in order.
        reading: What was measured up to now.
    """

    def __init__(
        self,
        driver: Obeying,
        meter: Callable[[int], Meter],
        check: Callable[[Reading], None] = lambda _: None,
    ) -> None:
        """Begin to measure.

        Args:
            driver: Started, and waiting for orders.
            meter: Makes what measures a driver with this pid.
            check: Looks at each reading, and raises where it must not be.
        """
        self.driver = driver
        self.start_up_seconds = 0.0
        self.samples: list[Sample] = []
        self._check = check
        try:
            self._meter = meter(driver.pid)
        except BaseException:
            driver.stop()
            raise

    def __enter__(self) -> Fork:
        return self

    def __exit__(self, *_: object) -> None:
        """End the driver, then the meter."""
        try:
            self.driver.stop()
        finally:
            self._meter.__exit__()

    def start(self) -> None:
        """Start the engine."""
        self._meter.begin()
        self.start_up_seconds = float(self.driver.obey({"do": "start"})["seconds"])
        self._read()

    def sample(self, output: str, keep: bool = True) -> Sample:
        """Take a sample.

        Args:
            output: Where the output goes, `<bucket>/<prefix>`; nothing is there yet.
            keep: Whether it is one of `samples`.
        """
        before = self._meter.begin()
        done = self.driver.obey({"do": "execute", "output": output})
        after = self._read()
        sample = Sample(
            total_seconds=float(done["seconds"]),
            cpu_seconds=max(0.0, after.cpu_seconds - before.cpu_seconds),
            others_cpu_seconds=max(0.0, after.others_cpu_seconds - before.others_cpu_seconds),
            cores=cores(),
            gpus=uses_since(after.gpus, before.gpus),
        )
        if keep:
            self.samples.append(sample)
        return sample

    def profile(self, output: str) -> Fields:
        """Carry a sample out that is not measured, and then one that the engine profiles.

        Args:
            output: Where the output of the profiled one goes; that of the other is beside it.

        Returns:
            See `profile.Profile.fields`.
        """
        self.driver.obey({"do": "execute", "output": f"{output}-before"})
        profile: Fields = self.driver.obey({"do": "profile", "output": output})["profile"]
        return profile

    def describe(self) -> Fields:
        """The engine's `configuration`, `tunables` and `versions`, as a result has them."""
        found = self.driver.obey({"do": "describe"})
        return {name: found[name] for name in ("configuration", "tunables", "versions")}

    def _read(self) -> Reading:
        self.reading = self._meter.read()
        self._check(self.reading)
        return self.reading


def process_fork(
    spec: Mapping[str, Any],
    outside: Callable[[str], list[Fields]] | None = None,
    check: Callable[[Reading], None] = lambda _: None,
    module: str = f"{__package__}.driver",
) -> Fork:
    """A fork in its own process, held with its engine's services to the run's cores.

    Args:
        spec: That of the job.
        outside: Asks the samplers of a platform whose services this process cannot see.
        check: As in `Fork`.
        module: As in `DriverProcess`.
    """
    limit = spec.get("limits", {}).get("cores")
    services = [int(service["pid"]) for service in spec.get("services", [])]
    if limit is not None:
        confine(services, int(limit))

    def meter(pid: int) -> Meter:
        if outside is not None:
            return AskingMeter(outside)
        return Sampler(pid, services, spec.get("store", {}).get("pids", []))

    return Fork(DriverProcess(spec, limit, module), meter, check)


def confine(pids: Iterable[int], cores: int) -> None:
    """Hold processes, their threads and their descendants to the first cores that we may use.

    What they start later inherits it. A process that is gone is left out.

    Args:
        pids: The roots.
        cores: How many.
    """
    allowed = set(sorted(os.sched_getaffinity(0))[: max(1, cores)])
    for pid in pids:
        with contextlib.suppress(psutil.Error):
            root = psutil.Process(pid)
            for process in [root, *root.children(recursive=True)]:
                with contextlib.suppress(psutil.Error, OSError):
                    for thread in process.threads():
                        os.sched_setaffinity(thread.id, allowed)
