"""What Ray Data says of a dataset that was written: the times of its operators' tasks.

Ray fuses operators, and says of each part of a fused one how long it took if it is asked to.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..profile import Kind, Stage

if TYPE_CHECKING:
    from ray.data import Dataset

_KINDS: tuple[tuple[str, Kind], ...] = (
    ("Write", "write"),
    ("Read|List|Input|read_trips", "read"),
    ("decode", "decode"),
    ("Shuffle|Join|Repartition|Sort|Reduce", "shuffle"),
)
"""What operators are for whose names begin so or have that in them; all others compute."""


def kind_of(name: str) -> Kind:
    """What an operator is for; of fused ones whose time Ray does not divide, the first."""
    first = name.partition("->")[0]
    return next((kind for words, kind in _KINDS if re.search(words, first)), "compute")


def stages_of(dataset: Dataset, cpus: int) -> list[Stage]:
    """The operators of a dataset that was written, in the order of the data.

    Args:
        dataset: The one whose method wrote it.
        cpus: CPUs of the cluster that the job uses.
    """
    summary = dataset.get_stats_summary()
    stages: list[Stage] = []
    told: list[Any] = []
    for operator in _in_order(summary):
        seconds = operator.wall_time.sum if operator.wall_time else 0.0
        if operator.stage_time and seconds in told:
            continue  # some that move blocks repeat the statistics of the tasks that made them
        told.append(seconds)
        stages += _parts(operator, seconds, cpus)
    return with_spilled(stages, summary.dataset_bytes_spilled)


def with_spilled(stages: list[Stage], size: int) -> list[Stage]:
    """Add what the dataset has spilled, of which Ray has the sum, to the stage that moved most."""
    if not size or not stages:
        return stages
    at = max(range(len(stages)), key=lambda one: stages[one].bytes or 0)
    return [*stages[:at], replace(stages[at], spilled_bytes=size), *stages[at + 1 :]]


def _in_order(summary: Any) -> Iterator[Any]:
    for parent in summary.parents:
        yield from _in_order(parent)
    yield from summary.operators_stats


def _parts(operator: Any, seconds: float, cpus: int) -> Iterator[Stage]:
    """The stages of an operator: the parts that are fused in it, where Ray divides its time."""
    names = operator.operator_name.split("->")
    rows = operator.output_num_rows.sum if operator.output_num_rows else None
    size = operator.output_size_bytes.sum if operator.output_size_bytes else None
    parts = [part.sum for part in operator.stage_time or []]
    if len(parts) < len(names):
        names, parts = [operator.operator_name], [seconds]
    last = len(names) - 1
    parts = [*parts[:last], sum(parts[last:])]  # a writer has a part more, which is not named
    parts[0] += max(0.0, seconds - sum(parts))
    for at, (name, part) in enumerate(zip(names, parts, strict=True)):
        counts = (rows, size) if at == last else (None, None)
        yield Stage(name, kind_of(name), part / cpus, *counts)
