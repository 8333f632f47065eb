"""The samples of a run: how long, with whose CPU, and whether others were in the way."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

DISTURBED_ABOVE = 0.1
"""Share of the machine's cores: a sample during which others used more says little by itself."""
GRAIN_SECONDS = 0.1
"""CPU of others below this is no disturbance: it is as much as the counters are wrong by, which the
kernel counts in hundredths of a second for each process, and which are read four times a second."""
TRIES = 3
"""How often a disturbed sample is taken at most."""


@dataclass(frozen=True)
class Try:
    """One execution of the workload.

    Attributes:
        total_seconds: From the inputs in the store to the output in the store.
        cpu_seconds: CPU of the job and its engine's services.
        others_cpu_seconds: CPU of all else on the machine, without the object store.
    """

    total_seconds: float
    cpu_seconds: float
    others_cpu_seconds: float

    def others_share(self, cores: int) -> float:
        """Share of the machine's cores that others used, 0 to 1."""
        return self.others_cpu_seconds / max(self.total_seconds * cores, 1e-9)

    def is_disturbed(self, cores: int) -> bool:
        """Whether others used so much that it is part of the figure."""
        return (
            self.others_cpu_seconds > GRAIN_SECONDS and self.others_share(cores) > DISTURBED_ABOVE
        )

    def fields(self) -> dict[str, float]:
        """As a result has them."""
        return {
            "totalSeconds": round(self.total_seconds, 4),
            "cpuSeconds": round(self.cpu_seconds, 3),
            "othersCpuSeconds": round(self.others_cpu_seconds, 3),
        }


def take_hot(execute: Callable[[int], Try], cores: int) -> list[Try]:
    """Take a hot sample, again while it is disturbed.

    Args:
        execute: Executes the workload; gets which try it is, from 1.
        cores: Of the machine.

    Returns:
        All tries, `TRIES` at most; only the last one can be undisturbed.
    """
    tries = [execute(1)]
    while tries[-1].is_disturbed(cores) and len(tries) < TRIES:
        tries.append(execute(len(tries) + 1))
    return tries


def sample_of(kind: str, tries: Sequence[Try], cores: int) -> dict[str, Any]:
    """A sample of the result: the least disturbed of its tries, with all of them beside it.

    Args:
        kind: `first` or `hot`.
        tries: In the order taken, at least one.
        cores: Of the machine.
    """
    kept = min(tries, key=lambda one: (one.is_disturbed(cores), one.others_share(cores)))
    sample = {"kind": kind, **kept.fields(), "disturbed": kept.is_disturbed(cores)}
    return sample if len(tries) == 1 else {**sample, "tries": [one.fields() for one in tries]}


def median_seconds(samples: Sequence[dict[str, Any]]) -> float:
    """The median of the hot samples' total seconds; of all samples where there is no hot one."""
    hot = [sample for sample in samples if sample["kind"] == "hot"]
    return float(median(sample["totalSeconds"] for sample in hot or samples))
