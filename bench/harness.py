"""One benchmark: contenders that live side by side and take their samples in turn.

    python -m bench.harness        (under the leader, with a spec on standard input)

The spec is `{"plan": {...}, "contenders": [...]}`. The plan has inputs of a run, as `samples.Plan`
reads them. A contender is `{"name": ..., "spec": {...}}` with the spec of a run's job, or with
`"argv": [...]` a program (see `bench.command`).

Each of the plan's forks starts the contenders of one round after the other. Those of a round take
turns in blocks: one execution that is not timed, so that nobody's idle workers were ended or cooled
down meanwhile, then `GROUP` samples. Who is done by the plan's rule leaves the round. Samples are
taken, measured and checked by the code of a run's job.

Two contenders on one cluster would wait for each other's cores, and count each other's memory. So
they are in different rounds; what others are compared with takes part in each. A result has the
round of each driver process (`rounds`): those of one round are compared, for which the machine was
the same.
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import Any

from engine_comparison import workloads
from engine_comparison.checks import judge_all
from engine_comparison.context import Context
from engine_comparison.errors import ProcessError, UserError
from engine_comparison.fork import Fork, process_fork
from engine_comparison.host import describe_host
from engine_comparison.objects import delete_prefix
from engine_comparison.protocol import Channel, Spec, run_module
from engine_comparison.result import figures_of
from engine_comparison.samples import GROUP, Plan


class Contender:
    """One that takes part: its driver processes, and where they wrote.

    Attributes:
        name: What it is called in the table.
    """

    def __init__(self, channel: Channel, plan: Plan, spec: dict[str, Any]) -> None:
        """Keep what it is; nothing is started."""
        self.name: str = spec["name"]
        self._channel, self._plan, self._spec = channel, plan, spec
        self._job: dict[str, Any] | None = None if "argv" in spec else spec["spec"]
        self._forks: list[Fork] = []
        self._rounds: list[int] = []
        self._described: dict[str, Any] = {}
        self._outputs: list[str] = []
        self._numbers = itertools.count()

    def start(self, ends: ExitStack, at: int) -> None:
        """Start a driver process in a round, which `ends` ends, and take its first sample."""
        self._say("start-up")
        made = (
            process_fork(self._job)
            if self._job
            else process_fork(self._spec, module="bench.command")
        )
        fork = ends.enter_context(made)
        self._forks.append(fork)
        self._rounds.append(at)
        self._guarded(fork.start)
        self._sample("first sample", keep=True)

    def block(self) -> None:
        """Take a block of samples, the first of them untimed."""
        self._sample("not timed", keep=False)
        for _ in range(GROUP):
            if not self.is_done():
                self._sample(f"hot sample {len(self._forks[-1].samples)}", keep=True)

    def is_done(self) -> bool:
        """Whether the present driver process has taken all of its samples."""
        samples = self._forks[-1].samples
        return self._plan.is_done(samples, sum(one.total_seconds for one in samples[1:]))

    def describe(self) -> None:
        """Ask the present driver process what it is."""
        self._described = self._guarded(self._forks[-1].describe)

    def result(self) -> dict[str, Any]:
        """The figures of all driver processes, after all outputs were judged.

        Raises:
            UserError: One of them is not right.
        """
        self._say("verify")
        return {
            "name": self.name,
            "rounds": self._rounds,
            **figures_of(self._plan, self._forks),
            **self._described,
            "verified": self._guarded(self._judge),
        }

    def clean_up(self) -> None:
        """Remove the outputs."""
        if self._job:
            delete_prefix(Context.open(self._job).filesystem, self._place(self._job))

    def _judge(self) -> dict[str, Any]:
        if not self._job:
            return {}  # a program's driver has looked after each execution
        workload = workloads.load(self._job["workload"])
        found = judge_all(Context.open(self._job), workload, self._outputs)
        return {name: found[name] for name in ("rowsIn", "bytesIn", "rows", "deviations")}

    def _sample(self, what: str, keep: bool) -> None:
        self._say(what)
        output = f"{self._place(self._job)}/{next(self._numbers)}" if self._job else ""
        self._outputs.append(output)
        self._guarded(lambda: self._forks[-1].sample(output, keep))

    def _place(self, job: dict[str, Any]) -> str:
        return f"{job['buckets']['output']}/bench/{self.name}"

    def _say(self, what: str) -> None:
        self._channel.phase(f"{self.name}: {what}")

    def _guarded(self, work: Any) -> Any:
        """Carry work out; a failure says whose it is."""
        try:
            return work()
        except UserError as error:
            raise UserError(f"{self.name}: {error.what}", error.why, error.do) from error
        except ProcessError as error:
            raise ProcessError(f"{self.name}: {error}") from error


def run_benchmark(channel: Channel, spec: Spec) -> dict[str, Any]:
    """Carry a benchmark out; returns the fields of the result event.

    Raises:
        UserError: A contender failed, or its output is not right.
        ProcessError: A contender failed.
    """
    plan = Plan.of(spec["plan"])
    contenders = {each["name"]: Contender(channel, plan, each) for each in spec["contenders"]}
    try:
        for _ in range(plan.forks):
            for at, names in enumerate(rounds(spec["contenders"])):
                _take_turns([contenders[name] for name in names], at)
        results = [each.result() for each in contenders.values()]
    finally:
        for each in contenders.values():
            each.clean_up()
    return {"contenders": results, "host": describe_host()}


def rounds(contenders: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    """Who lives side by side: of each cluster, by the processes of its services, one contender.

    Args:
        contenders: As in the spec; the name of the one that it is compared with is `against`.

    Returns:
        The names of each round. Each is in one round, and what others are compared with is in all.
    """
    clusters = {
        each["name"]: {int(one["pid"]) for one in each.get("spec", {}).get("services", [])}
        for each in contenders
    }
    shared = {each["against"] for each in contenders if each.get("against")}
    found: list[list[str]] = [[]]
    for name, cluster in clusters.items():
        free = (one for one in found if not any(cluster & clusters[other] for other in one))
        place = next(free, None)
        if place is None:
            found.append([name])
        else:
            place.append(name)
    return [[name for name in clusters if name in {*one, *shared}] for one in found]


def _take_turns(contenders: Sequence[Contender], at: int) -> None:
    """Have each start a driver process in a round, and all take blocks until they are done."""
    with ExitStack() as ends:
        for each in contenders:
            each.start(ends, at)
        while waiting := [each for each in contenders if not each.is_done()]:
            for each in waiting:
                each.block()
        for each in contenders:
            each.describe()


if __name__ == "__main__":
    sys.exit(run_module(run_benchmark))
