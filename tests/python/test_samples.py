"""Samples: taken again while others are in the way, and nothing that was measured is dropped."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine_comparison.samples import TRIES, Try, median_seconds, sample_of, take_hot

CORES = 2


def tried(others: float, seconds: float = 2.0) -> Try:
    return Try(seconds, 1.5, others)


@pytest.mark.parametrize(
    ("seconds", "others", "disturbed"),
    [
        (2.0, 0.0, False),
        (2.0, 0.4, False),  # a tenth of two cores
        (2.0, 0.41, True),
        (0.1, 0.09, False),  # nearly half of them, but no more than the counters' grain
        (0.1, 0.11, True),
        (0.0, 0.11, True),
    ],
)
def test_others_disturb_above_a_tenth_of_the_machine(
    seconds: float, others: float, disturbed: bool
):
    assert tried(others, seconds).is_disturbed(CORES) is disturbed


@pytest.mark.parametrize(
    ("others", "taken"),
    [([0.0], 1), ([1.0, 0.0], 2), ([1.0, 1.0, 0.0], 3), ([1.0, 1.0, 1.0, 0.0], 3)],
)
def test_a_disturbed_sample_is_taken_again_at_most_twice(others: list[float], taken: int):
    asked = []

    def execute(number: int) -> Try:
        asked.append(number)
        return tried(others[number - 1])

    assert take_hot(execute, CORES) == [tried(one) for one in others[:taken]]
    assert asked == list(range(1, taken + 1))


def test_an_undisturbed_try_is_the_sample_and_the_others_are_beside_it():
    sample = sample_of("hot", [tried(3.0, 9.0), tried(0.1, 2.5)], CORES)
    assert sample == {
        "kind": "hot",
        "totalSeconds": 2.5,
        "cpuSeconds": 1.5,
        "othersCpuSeconds": 0.1,
        "disturbed": False,
        "tries": [
            {"totalSeconds": 9.0, "cpuSeconds": 1.5, "othersCpuSeconds": 3.0},
            {"totalSeconds": 2.5, "cpuSeconds": 1.5, "othersCpuSeconds": 0.1},
        ],
    }


def test_one_try_needs_no_list_of_tries():
    assert "tries" not in sample_of("first", [tried(0.0)], CORES)


@given(st.lists(st.floats(0.5, 4.0), min_size=TRIES, max_size=TRIES))
def test_where_all_are_disturbed_the_least_disturbed_is_kept_and_marked(others: list[float]):
    sample = sample_of("hot", [tried(one) for one in others], CORES)
    assert sample["disturbed"]
    assert sample["othersCpuSeconds"] == round(min(others), 3)
    assert len(sample["tries"]) == TRIES


def test_the_median_is_that_of_the_hot_samples_where_there_are_any():
    first, *hot = (
        {"kind": kind, "totalSeconds": seconds}
        for kind, seconds in [("first", 9.0), ("hot", 2.0), ("hot", 4.0)]
    )
    assert median_seconds([first, *hot]) == 3.0
    assert median_seconds([first]) == 9.0
