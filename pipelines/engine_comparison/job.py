"""One attempt of one run: start the engine, measure samples, verify the last one, publish it.

    python -m engine_comparison.job        (under the leader, with a spec on standard input)
    python -m engine_comparison.job --shipped       (on a Ray cluster, see `ray_job`)

The order is the same for all engines, and so is what the clock covers: a sample begins with the
inputs in the store and ends with its output in the store. All of an attempt is one driver process
of the engine, so only the first sample is cold.
"""

from __future__ import annotations

import itertools
import json
import os
import sys
import time
import traceback
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from . import engines, ray_job, workloads
from .engines import Context, Engine
from .errors import UserError
from .judge import judge
from .measure import Meter, OutsideMeter, Reading, Sampler, cores, describe_host
from .model.session import thread_environment
from .protocol import Channel, Spec, run_module
from .publish import Place, publish, recover
from .samples import Try, median_seconds, sample_of, take_hot
from .store import check_store, delete_prefix, list_parquet, told
from .workloads import Workload

Fields = dict[str, Any]
"""Fields of the result event."""

SCHEMA = Path(__file__).with_name("result.schema.json")


def run_job(channel: Channel, spec: Spec) -> Fields:
    """Carry out an attempt and return the fields of its result.

    Raises:
        UserError: A wrong spec, a service that is not there, or an output that is not right.
    """
    if ray_job.is_elsewhere(spec):
        return ray_job.submit(channel, spec, f"{__package__}.job")
    os.environ.update(thread_environment())
    workload, engine = workloads.load(spec["workload"]), engines.load(spec["engine"])
    context = Context.open(spec)
    with told(spec["store"]["endpoint"]):
        check_store(spec["store"], context.filesystem, sorted(set(spec["buckets"].values())))
        return Attempt(channel, context, workload, engine(context)).carry_out()


@dataclass
class Attempt:
    """One attempt of one run.

    Attributes:
        channel: Where its phases are announced.
        context: What the job was given.
        workload: What is computed.
        engine: What computes it, not started yet.
    """

    channel: Channel
    context: Context
    workload: Workload
    engine: Engine

    def __post_init__(self) -> None:
        bucket = self.context.bucket(self.workload.facts.purpose)
        self.place = Place(
            base=f"{bucket}/{self.workload.facts.prefix}/engine={self.engine.name}",
            key=self.context.spec["key"],
            attempt=self.context.spec["attempt"],
        )
        self.store = self.context.filesystem

    def carry_out(self) -> Fields:
        """Measure, verify, publish. Whatever fails, nothing of the attempt stays in the store."""
        started = datetime.now(timezone.utc).isoformat(timespec="seconds")
        recover(self.store, self.place.base)
        try:
            measured, written = self._measure()
            self.channel.phase("verify")
            judged = judge(self.context, self.workload, written)
            files = list_parquet(self.store, written)
            result = self._result(started, measured, judged, sum(file.size for file in files))
            self.channel.phase("publish")
            publish(self.store, self.place, files, judged["checksum"])
        except UserError:
            raise
        except Exception as error:
            self._blame_input(error)
            raise
        finally:
            self._clean_up()
        return result

    def _result(self, started: str, measured: Fields, judged: Fields, bytes_out: int) -> Fields:
        """All fields of the result, made before the run is published: no error comes after that."""
        rate = judged["rowsIn"] / max(median_seconds(measured["samples"]), 1e-9)
        result = {
            "engine": self.engine.name,
            "workload": self.workload.name,
            "key": self.place.key,
            "attempt": self.place.attempt,
            "device": self.context.device,
            "startedAt": started,
            **measured,
            **judged,
            "rowsPerSecond": round(rate, 3),
            "bytesOut": bytes_out,
            "host": describe_host(),
            "outputUri": self.place.uri,
        }
        validate(result)
        return result

    def _clean_up(self) -> None:
        """Remove what is not published. Where that fails, the next attempt does it."""
        try:
            recover(self.store, self.place.base)
        except (
            Exception
        ) as error:  # why the attempt failed matters more, and that it succeeded, too
            print("what is not published could not be removed:", file=sys.stderr)
            traceback.print_exception(error)

    def _blame_input(self, error: Exception) -> None:
        """Say it in one way for all engines where an input was the reason of a failure.

        Raises:
            UserError: An input file cannot be read.
        """
        unreadable = self.workload.unreadable_input(self.store, self.context.input_facts)
        if unreadable:
            traceback.print_exception(error)
            raise UserError(
                unreadable,
                f"{self.engine.name} stopped there, and no engine may leave out input.",
                "If the store answers (`npm run status`), its objects are not what was uploaded: "
                "`npm run destroy` and `npm start` upload them again.",
            ) from error

    def _measure(self) -> tuple[Fields, str]:
        """Start the engine, take the samples, and stop it.

        Returns:
            The measured fields of the result, and the prefix that the last sample was written to.

        Raises:
            UserError: The run took more memory than it may.
        """
        with self._meter() as meter:
            try:
                self.channel.phase("start-up")
                began = time.perf_counter()
                self.engine.start()
                start_up = time.perf_counter() - began
                samples, written = self._samples(meter)
                configuration, versions = self.engine.configuration(), self.engine.versions()
            finally:
                self.engine.stop()
            seen = self._within_memory(meter.read())
        return {
            "startUpSeconds": round(start_up, 3),
            "samples": samples,
            "limits": self.context.limits,
            "peakMemoryBytes": seen.peak_memory,
            "idleMemoryBytes": seen.idle_memory,
            "cpuSeconds": seen.cpu_seconds,
            "othersCpuSeconds": seen.others_cpu_seconds,
            "configuration": {
                "memoryMeasure": seen.memory,
                "persistsBetweenSamples": self.engine.persists(),
                **configuration,
            },
            "tunables": self.engine.tunables(),
            "versions": {"python": sys.version.split()[0], **versions},
        }, written

    def _meter(self) -> Meter:
        """What tells memory and CPU: this machine, or who sees it where a container does not."""
        spec = self.context.spec
        if spec.get("measuredOutside"):
            return OutsideMeter(lambda: self.channel.ask("measure"))
        services = [int(service["pid"]) for service in spec.get("services", [])]
        return Sampler(os.getpid(), services, spec["store"].get("pids", []))

    def _samples(self, meter: Meter) -> tuple[list[Fields], str]:
        """Take the warm-ups and the repeats; only the output of the last execution is kept.

        The first sample of all is cold and counts as `first`; further warm-ups are not reported. It
        is taken once, whatever others did meanwhile: a second one would not be cold.
        """
        warmup = max(0, int(self.context.inputs.get("warmup", "1")))
        repeats = max(1, int(self.context.inputs.get("repeats", "3")))
        written = (f"{self.place.attempt_prefix}/{at}" for at in itertools.count())
        outputs: list[str] = []

        def execute(phase: str) -> Try:
            self.channel.phase(phase)
            if outputs:
                delete_prefix(self.store, outputs[-1])
            outputs.append(next(written))
            return self._execute(meter, outputs[-1])

        def hot(name: str) -> list[Try]:
            return take_hot(lambda n: execute(name if n == 1 else f"{name}, try {n}"), cores())

        samples: list[Fields] = []
        for at in range(warmup + repeats):
            name = "warm-up" if at < warmup else f"sample {at - warmup + 1}/{repeats}"
            if at == 0:
                samples.append(sample_of("first", [execute(name)], cores()))
            elif at < warmup:
                execute(name)
            else:
                samples.append(sample_of("hot", hot(name), cores()))
        return samples, outputs[-1]

    def _execute(self, meter: Meter, output: str) -> Try:
        """Execute the workload once.

        Raises:
            UserError: The run took more memory than it may.
        """
        before = meter.read()
        began = time.perf_counter()
        self.engine.run(self.workload, output)
        seconds = time.perf_counter() - began
        after = self._within_memory(meter.read())
        return Try(
            total_seconds=seconds,
            cpu_seconds=max(0.0, after.cpu_seconds - before.cpu_seconds),
            others_cpu_seconds=max(0.0, after.others_cpu_seconds - before.others_cpu_seconds),
        )

    def _within_memory(self, seen: Reading) -> Reading:
        """Pass a reading on whose peak is within the run's limit.

        Raises:
            UserError: It is above.
        """
        limit = self.context.limits["memoryBytes"]
        if seen.peak_memory > limit:
            raise UserError(
                f"The run took {gib(seen.peak_memory)} of memory ({seen.memory}) at its peak, and "
                f"runMemory allows {gib(limit)}.",
                "Every engine gets the same memory, the services of its own included: a result "
                "with more would stand beside those that kept to it.",
                "Set runMemory higher for all engines, or let this run take less by a smaller "
                "batchSize, sparkWorkerMemory or rayObjectStoreMemory.",
                "out of memory",
            )
        return seen


def gib(size: int) -> str:
    """A size in bytes for people: `6.00 GiB`."""
    return f"{size / 2**30:.2f} GiB"


def validate(result: Fields) -> None:
    """Hold a result against the JSON Schema that its readers rely on.

    Raises:
        jsonschema.ValidationError: A field is missing or of another type: a bug, no user's error.
    """
    import jsonschema

    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    jsonschema.validate({"event": "result", **result}, schema)


if __name__ == "__main__":
    shipped = ray_job.SHIPPED in sys.argv
    exit_code = ray_job.run_shipped(run_job) if shipped else run_module(run_job)
    sys.stderr.flush()
    # Without the interpreter's own end: all is said and stopped, and threads of native libraries
    # that are still there have been seen to crash it (Daft, about one run in ten of a prototype).
    os._exit(exit_code)
