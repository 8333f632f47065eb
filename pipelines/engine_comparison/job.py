"""One attempt of one run: take samples in driver processes, check all, publish the last.

    python -m engine_comparison.job        (under the leader, with a spec on standard input)
    python -m engine_comparison.job --shipped       (on a Ray cluster, see `ray_job`)

The order is the same for all engines, and so is what the clock covers: a sample begins with the
inputs in the store and ends with its output in the store. Each of the run's `forks` is one driver
process of the engine (see `fork`), so only its first sample is cold. This process conducts: it
measures, and looks at the outputs when all samples are taken, so that none of that is in a figure.
"""

from __future__ import annotations

import os
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from . import ray_job, workloads
from .checks import check_alike, check_memory, judge_all
from .context import Context
from .errors import UserError
from .fork import Fork, process_fork
from .gpu_measure import Uses
from .gpu_measure import figures as gpu_figures
from .host import describe_host
from .network import over_network
from .objects import list_parquet
from .profiling import take_profile
from .protocol import Channel, Spec, run_module
from .publish import Place, publish, recover
from .result import SCHEMA_VERSION, figures_of, validate
from .samples import Plan, counted
from .store import open_store
from .store_checks import check_answer, check_store, refusals_explained
from .store_requests import Requests, read_requests
from .workloads import Workload

Fields = dict[str, Any]
"""Fields of the result event."""


def run_job(channel: Channel, spec: Spec) -> Fields:
    """Carry out an attempt and return the fields of its result.

    Raises:
        UserError: A wrong spec, a service that is not there, or an output that is not right.
    """
    if ray_job.is_elsewhere(spec):
        return ray_job.submit(channel, spec, f"{__package__}.job")
    workload, context = workloads.load(spec["workload"]), Context.open(spec)

    def outside(question: str) -> list[Fields]:
        answers: list[Fields] = channel.ask("measure", question=question)["answers"]
        return answers

    measured = over_network(spec)

    def fork(**more: str) -> Fork:
        asked = outside if spec.get("measuredOutside") else None
        return process_fork(
            {**measured, **more}, asked, check=lambda seen: check_memory(context, seen)
        )

    store = measured["store"]
    with refusals_explained(store["endpoint"]):
        check_store(store, open_store(store), sorted(set(spec["buckets"].values())))
        return Attempt(channel, context, workload, fork).carry_out()


@dataclass
class Attempt:
    """One attempt of one run.

    Attributes:
        channel: Where its phases are announced.
        context: What the job was given.
        workload: What is computed.
        fork: Makes a driver process of the engine, not started yet, with what its spec has more.
    """

    channel: Channel
    context: Context
    workload: Workload
    fork: Callable[..., Fork]

    def __post_init__(self) -> None:
        given = self.context.spec.get("output")  # where it is beside data that is only read
        bucket = given["bucket"] if given else self.context.bucket(self.workload.facts.purpose)
        self.engine = str(self.context.spec["engine"])
        self.plan = Plan.of(self.context.inputs)
        self.place = Place(
            base=f"{bucket}/{self.workload.facts.prefix}/engine={self.engine}",
            key=self.context.spec["key"],
            attempt=self.context.spec["attempt"],
        )
        self.store = self.context.filesystem
        self.requests: Requests | None = None

    def carry_out(self) -> Fields:
        """Measure, verify, publish. Whatever fails, nothing of the attempt stays in the store."""
        started = datetime.now(timezone.utc).isoformat(timespec="seconds")
        recover(self.store, self.place.base)
        try:
            measured, outputs, gpus = self._measure()
            self.channel.phase("verify")
            judged = judge_all(self.context, self.workload, outputs)
            measured |= self._profile(measured, judged)
            files = list_parquet(self.store, outputs[-1])
            measured |= self._of_gpus(gpus, judged["rowsIn"] / max(measured["medianSeconds"], 1e-9))
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
        result = {
            "schema": SCHEMA_VERSION,
            "engine": self.engine,
            "workload": self.workload.name,
            "key": self.place.key,
            "attempt": self.place.attempt,
            "device": self.context.device,
            "startedAt": started,
            **measured,
            **judged,
            "rowsPerSecond": round(judged["rowsIn"] / max(measured["medianSeconds"], 1e-9), 3),
            "bytesOut": bytes_out,
            "host": describe_host(),
            "outputUri": self.place.uri,
        }
        validate(result)
        return result

    def _of_gpus(self, gpus: Sequence[Uses], images_per_second: float) -> Fields:
        """What a run on GPUs has besides: null where they could not be measured."""
        if self.context.device != "cuda":
            return {}
        return {"gpu": gpu_figures(gpus, images_per_second, self.context.limits["cores"])}

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
        """Say it in one way for all engines where store or input were the reason of a failure.

        Raises:
            UserError: The store does not answer any more, or an input file cannot be read.
        """
        bucket = self.context.bucket(self.workload.input_purpose)
        check_answer(self.context.store.endpoint, self.store, bucket)
        unreadable = self.workload.unreadable_input(self.store, self.context.input_facts)
        if unreadable:
            traceback.print_exception(error)
            raise UserError(
                unreadable,
                f"{self.engine} stopped there, and no engine may leave out input.",
                "If the store answers (`npm run status`), the object is damaged: write your own "
                "data again; `npm run destroy` and `npm start` make this project's data again.",
            ) from error

    def _measure(self) -> tuple[Fields, list[str], list[Uses]]:
        """Take the samples of all driver processes.

        Returns:
            The measured fields of the result, the prefixes that the samples were written to, and
            what the GPUs did in those that count.

        Raises:
            UserError: The run took more memory than it may.
        """
        forks: list[Fork] = []
        outputs: list[str] = []
        described: Fields = {}
        for number in range(1, self.plan.forks + 1):
            name = f", process {number} of {self.plan.forks}" if self.plan.forks > 1 else ""
            with self.fork() as fork:
                self.channel.phase(f"start-up{name}")
                fork.start()
                outputs += self._samples(fork, len(outputs), name)
                described = fork.describe()
            forks.append(fork)
        judged = [self.plan.judged(fork.samples)[0] for fork in forks]
        gpus = [one.gpus for samples in judged for one in counted(samples)]
        # Of nodes that nobody looks at, the figures of the driver say nothing.
        unmeasured = self.context.spec.get("unmeasuredNodes", False)
        measure = "driver" if unmeasured else forks[-1].reading.memory
        network = {"network": self.context.inputs.get("network", "none")}
        configuration = {"memoryMeasure": measure, **network, **described["configuration"]}
        measured = {
            **figures_of(self.plan, forks),
            **({"requests": self.requests.fields()} if self.requests else {}),
            "limits": self.context.limits,
            **described,
            "configuration": configuration,
        }
        return measured, outputs, gpus

    def _profile(self, measured: Fields, judged: Fields) -> Fields:
        """The field `profile` of the result, where it was asked for."""
        if self.context.inputs.get("profile") != "true":
            return {}
        self.channel.phase("profile")

        def check(output: str) -> None:
            check_alike(self.context, self.workload, output, judged, "The profiled sample")

        place = f"{self.place.attempt_prefix}/profile"
        return {"profile": take_profile(self.fork, place, check, measured)}

    def _samples(self, fork: Fork, taken: int, name: str) -> list[str]:
        """Take the samples of a driver process; returns where they were written to.

        What each asks of the store is read when none is taken; the last one's stays.
        """
        outputs: list[str] = []
        before = read_requests(self.context.spec["store"])
        first_ended = time.monotonic()
        while not outputs or not self.plan.is_done(fork.samples, time.monotonic() - first_ended):
            at = len(outputs)
            self.channel.phase(f"hot sample {at}{name}" if at else f"first sample{name}")
            outputs.append(f"{self.place.attempt_prefix}/{taken + at}")
            fork.sample(outputs[-1])
            after = read_requests(self.context.spec["store"])
            self.requests = after.since(before) if after else None
            before = after
            if at == 0:
                first_ended = time.monotonic()
        return outputs


if __name__ == "__main__":
    shipped = ray_job.SHIPPED in sys.argv
    exit_code = ray_job.run_shipped(run_job) if shipped else run_module(run_job)
    sys.stderr.flush()
    os._exit(exit_code)  # see `driver`
