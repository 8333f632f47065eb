"""Where the time of a sample went: what each engine says of itself, in one form.

An engine's stages say how much of the sample's wall time they account for: the seconds that
workers were busy with a stage, divided by the workers that there were. What an engine waits for
without a worker, such as an answer of the store, counts as it is.

The bottleneck is named by a rule:

- the share of a kind is the seconds of its stages;
- `coordination` is the wall time that no stage covers: planning, scheduling, cores without work;
- the sample's bottleneck is the kind with the largest share;
- that of the one-shot is `start-up`, if start-up took longer than that kind does of the first
  sample, which is taken to divide as the profiled one does.

`read` includes decoding where an engine's reader does both in one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

Kind = Literal["read", "decode", "compute", "shuffle", "write", "coordination", "start-up"]
KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass(frozen=True)
class Stage:
    """A part of a sample.

    Attributes:
        name: In the engine's words.
        kind: What it is for.
        seconds: Of the sample's wall time; see the module.
        rows: What it passed on, or None where the engine does not say.
        bytes: What it read, wrote or moved.
        spilled_bytes: What it put on disk for lack of memory.
    """

    name: str
    kind: Kind
    seconds: float
    rows: int | None = None
    bytes: int | None = None
    spilled_bytes: int | None = None

    def fields(self) -> dict[str, Any]:
        """As a result has it."""
        return {
            "name": self.name,
            "kind": self.kind,
            "seconds": round(self.seconds, 6),
            "rows": self.rows,
            "bytes": self.bytes,
            "spilledBytes": self.spilled_bytes,
        }


@dataclass(frozen=True)
class Node:
    """What a process or machine of a cluster used, by the engine's own measure.

    Attributes:
        name: In the engine's words.
        peak_memory: Bytes, as `measure` has it: never to be compared with other definitions.
        cpu_seconds: Of the profiled sample.
        measure: What was measured, in words.
    """

    name: str
    peak_memory: int | None
    cpu_seconds: float | None
    measure: str

    def fields(self) -> dict[str, Any]:
        """As a result has it."""
        return {
            "name": self.name,
            "peakMemoryBytes": self.peak_memory,
            "cpuSeconds": None if self.cpu_seconds is None else round(self.cpu_seconds, 3),
            "measure": self.measure,
        }


@dataclass(frozen=True)
class Profile:
    """What an engine says of one sample.

    Attributes:
        means: Where it comes from, in words.
        seconds: The sample's wall time.
        stages: In the order of the data, as far as the engine has one.
        nodes: Of a cluster, where the engine measures it.
    """

    means: str
    seconds: float
    stages: Sequence[Stage]
    nodes: Sequence[Node] = ()

    def fields(self) -> dict[str, Any]:
        """As the driver answers, and `with_bottleneck` reads it."""
        return {
            "means": self.means,
            "seconds": round(self.seconds, 6),
            "stages": [stage.fields() for stage in self.stages],
            "nodes": [node.fields() for node in self.nodes],
        }


def with_bottleneck(
    profile: dict[str, Any], start_up: float, first_sample: float
) -> dict[str, Any]:
    """Complete a profile by coordination, start-up and the names of the bottlenecks.

    Args:
        profile: As `Profile.fields` has it.
        start_up: Seconds of the run's start-up.
        first_sample: Seconds of its first sample.
    """
    wall = float(profile["seconds"])
    shares: dict[str, float] = defaultdict(float)
    for stage in profile["stages"]:
        shares[stage["kind"]] += stage["seconds"]
    rest = max(0.0, wall - sum(shares.values()))
    shares["coordination"] += rest
    sample, seconds = max(shares.items(), key=lambda one: one[1])
    slowest = seconds / max(wall, 1e-9) * first_sample
    added = [
        Stage("what no stage covers", "coordination", rest),
        Stage("start-up", "start-up", start_up),
    ]
    return {
        **profile,
        "stages": [*profile["stages"], *(stage.fields() for stage in added)],
        "bottleneck": sample,
        "oneShotBottleneck": "start-up" if start_up > slowest else sample,
    }


def inside(stage: Stage, inner: Sequence[Stage]) -> list[Stage]:
    """What was measured inside of a stage, and what is left of it.

    Args:
        stage: As an engine has it, which sees a function of ours as a whole.
        inner: As that function has it.
    """
    named = [replace(one, name=f"{stage.name}: {one.name}") for one in inner]
    rest = stage.seconds - sum(one.seconds for one in inner)
    return [*named, replace(stage, seconds=max(0.0, rest))]


def divided(stages: Sequence[Stage], inner: Sequence[Stage]) -> list[Stage]:
    """Divide the longest stage that computes by what was measured inside of it; see `inside`."""
    computing = [at for at, stage in enumerate(stages) if stage.kind == "compute"]
    if not inner or not computing:
        return list(stages)
    at = max(computing, key=lambda one: stages[one].seconds)
    return [*stages[:at], *inside(stages[at], inner), *stages[at + 1 :]]


def waits(stages: Sequence[Stage], open_seconds: Sequence[Stage], wall: float) -> list[Stage]:
    """Add how long an engine waited for requests that no worker of its waits for.

    While one is open, workers may be busy with what has come before: only where they were not is
    the time that of waiting.

    Args:
        stages: What workers were busy with.
        open_seconds: For how long requests were open, which is at most the wall time.
        wall: Seconds of the sample.
    """
    idle = max(0.0, wall - sum(stage.seconds for stage in stages))
    waited = []
    for stage in open_seconds:
        seconds = min(stage.seconds, idle)
        idle -= seconds
        waited.append(replace(stage, seconds=seconds))
    return [*waited, *stages]
