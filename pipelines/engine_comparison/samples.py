"""The samples of a run: how many, which of them count, and whether others were in the way.

The rule, for each driver process. The budget (`measureSeconds`) begins when the first sample has
ended. At least `MIN_HOT` hot samples are taken, and more until the run is steady, or the budget or
`maxSamples` is used up. Steady: the medians of the last two groups of `GROUP` samples differ by
at most `STEADY_WITHIN`, or by no more than their noise, which is the mean of the groups' ranges
(under a linear trend of d a sample the medians differ by 3 d and the ranges are 2 d, so a trend is
never taken for noise). Where the budget ends before two groups were taken, the run is steady if the
change over all of them, by the slope, is within `STEADY_WITHIN`.

No sample is taken again. One that others disturbed is kept and marked, and left out of the median
where `MIN_HOT` others remain.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from statistics import fmean, median
from typing import Any, Literal

from .gpu_measure import Uses

DISTURBED_ABOVE = 0.1
"""Share of the machine's cores: a sample during which others used more says little by itself."""
GRAIN_SECONDS = 0.1
"""CPU of others below this is no disturbance: it is as much as the counters are wrong by, which the
kernel counts in hundredths of a second for each process, and which are read four times a second."""
MIN_HOT = 3
"""Hot samples that are always taken."""
GROUP = 3
"""Samples of a group of which the median is taken."""
STEADY_WITHIN = 0.05
"""How far the medians of the last two groups may be apart, as a share of the later one."""

Kind = Literal["first", "warm", "hot"]
"""The cold one; those before the run was steady; those whose median is the run's."""
State = Literal["steady", "still warming", "fixed"]
"""Whether the samples had come to rest; `fixed` where their number was given beforehand."""


@dataclass(frozen=True)
class Sample:
    """One execution of the workload.

    Attributes:
        total_seconds: From the inputs in the store to the output in the store.
        cpu_seconds: CPU of the job and its engine's services.
        others_cpu_seconds: CPU of all else on the machine, without the object store.
        cores: Of the machine.
        kind: What it is among the samples of its process.
        gpus: What the GPUs did meanwhile.
    """

    total_seconds: float
    cpu_seconds: float
    others_cpu_seconds: float
    cores: int
    kind: Kind = "hot"
    gpus: Uses = field(default_factory=dict)

    @property
    def disturbed(self) -> bool:
        """Whether others used so much that it is part of the figure."""
        share = self.others_cpu_seconds / max(self.total_seconds * self.cores, 1e-9)
        return self.others_cpu_seconds > GRAIN_SECONDS and share > DISTURBED_ABOVE

    def fields(self, fork: int) -> dict[str, Any]:
        """As a result has it. `fork` counts the run's driver processes from 1."""
        return {
            "kind": self.kind,
            "fork": fork,
            "totalSeconds": round(self.total_seconds, 4),
            "cpuSeconds": round(self.cpu_seconds, 3),
            "othersCpuSeconds": round(self.others_cpu_seconds, 3),
            "disturbed": self.disturbed,
        }


@dataclass(frozen=True)
class Plan:
    """How many samples are taken.

    Attributes:
        measure_seconds: The budget of each driver process, which begins after its first sample.
        max_samples: Most hot samples of a driver process.
        forks: Driver processes, one after the other.
        warmup: Executions before those that are measured, where their number is fixed.
        repeats: Executions that are measured; None: until they are steady.
    """

    measure_seconds: float = 10.0
    max_samples: int = 60
    forks: int = 1
    warmup: int = 1
    repeats: int | None = None

    @classmethod
    def of(cls, inputs: Mapping[str, str]) -> Plan:
        """The plan that a run's inputs ask for; `warmup` or `repeats` alone fixes the number."""
        fixed = "warmup" in inputs or "repeats" in inputs
        return cls(
            measure_seconds=float(inputs.get("measureSeconds", cls.measure_seconds)),
            max_samples=int(inputs.get("maxSamples", cls.max_samples)),
            forks=max(1, int(inputs.get("forks", cls.forks))),
            warmup=int(inputs.get("warmup", cls.warmup)),
            repeats=max(1, int(inputs.get("repeats", MIN_HOT))) if fixed else None,
        )

    def is_done(self, samples: Sequence[Sample], seconds: float) -> bool:
        """Whether a driver process has taken all of its samples.

        Args:
            samples: In the order taken.
            seconds: Since the first one ended.
        """
        if self.repeats is not None:
            return len(samples) >= self.warmup + self.repeats
        hot = len(samples) - 1
        if hot < min(MIN_HOT, self.max_samples):
            return False
        spent = seconds >= self.measure_seconds or hot >= self.max_samples
        return spent or (len(_calm(samples[1:])) >= 2 * GROUP and is_steady(samples[1:]))

    def judged(self, samples: Sequence[Sample]) -> tuple[list[Sample], State]:
        """Say what each sample of a driver process is, and whether they had come to rest."""
        first, later = [replace(one, kind="first") for one in samples[:1]], list(samples[1:])
        if self.repeats is not None:
            warm = max(0, self.warmup - 1)
            before = [replace(one, kind="warm") for one in later[:warm]]
            return [*first, *before, *later[warm:]], "fixed"
        state: State = "steady" if is_steady(later) else "still warming"
        counted = {id(one) for one in _calm(later)[-2 * GROUP :]}
        at = next((n for n, one in enumerate(later) if id(one) in counted), 0)
        return [*first, *(replace(one, kind="warm") for one in later[:at]), *later[at:]], state


def is_steady(hot: Sequence[Sample]) -> bool:
    """Whether samples have come to rest by the rule of the module."""
    seconds = [one.total_seconds for one in _calm(hot)]
    if len(seconds) < 2 * GROUP:
        change = slope(hot) * (len(seconds) - 1)
        return len(seconds) >= MIN_HOT and abs(change) <= STEADY_WITHIN
    groups = seconds[-2 * GROUP : -GROUP], seconds[-GROUP:]
    before, after = (median(group) for group in groups)
    noise = fmean(max(group) - min(group) for group in groups)
    return abs(after - before) <= max(STEADY_WITHIN * after, noise)


def slope(hot: Sequence[Sample]) -> float:
    """Change of time from one sample to the next as a share of their median, of the last six.

    The median of the slopes between all pairs (Theil 1950, Sen 1968); 0 for fewer than two.
    """
    seconds = [one.total_seconds for one in _calm(hot)][-2 * GROUP :]
    if len(seconds) < 2:
        return 0.0
    pairs = combinations(enumerate(seconds), 2)
    return median((b - a) / (n - m) for (m, a), (n, b) in pairs) / max(median(seconds), 1e-9)


def _calm(samples: Sequence[Sample]) -> list[Sample]:
    """The samples that count: the undisturbed ones where there are enough of them, else all."""
    calm = [one for one in samples if not one.disturbed]
    return calm if len(calm) >= MIN_HOT else list(samples)


def median_seconds(forks: Sequence[Sequence[Sample]]) -> float:
    """The run's median: of the driver processes' medians of their hot samples that count.

    Where a process has no hot sample, its first one counts.
    """
    return median(median(one.total_seconds for one in counted(samples)) for samples in forks)


def counted(samples: Sequence[Sample]) -> Sequence[Sample]:
    """The samples of a driver process by which it is judged: the first one where none is hot."""
    return _calm(_hot(samples)) or samples


def _hot(samples: Sequence[Sample]) -> list[Sample]:
    return [one for one in samples if one.kind == "hot"]
