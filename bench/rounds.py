"""The order of the samples: A B C, A B C, so that what changes on the machine meets all alike."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from engine_comparison.samples import Try, sample_of, take_hot


def take_rounds(
    names: Sequence[str], rounds: int, take: Callable[[str, str], Try], cores: int
) -> dict[str, list[dict[str, Any]]]:
    """Take samples of all contenders in turn: one cold one each, then the hot ones.

    Args:
        names: The contenders, in the order of each round.
        rounds: Hot samples of each.
        take: Takes one sample; gets the contender and what the sample is called.
        cores: Of the machine.

    Returns:
        Samples by contender, the first one cold. A disturbed hot sample was taken again at once, at
        most twice; `samples.sample_of` says which try counts, and keeps all.
    """
    taken: dict[str, list[dict[str, Any]]] = {
        name: [sample_of("first", [take(name, "first sample")], cores)] for name in names
    }
    for at in range(1, rounds + 1):
        for name in names:
            tries = take_hot(_named(take, name, f"sample {at}/{rounds}"), cores)
            taken[name].append(sample_of("hot", tries, cores))
    return taken


def _named(take: Callable[[str, str], Try], name: str, sample: str) -> Callable[[int], Try]:
    return lambda n: take(name, sample if n == 1 else f"{sample}, try {n}")
