"""Samples: taken until they have come to rest, and nothing that was measured is dropped."""

from __future__ import annotations

import random

import pytest

from engine_comparison.samples import Plan, Sample, is_steady, median_seconds, slope

CORES = 2


def taken(*seconds: float, others: float = 0.0) -> list[Sample]:
    return [Sample(one, 1.5, others, CORES) for one in seconds]


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
    assert taken(seconds, others=others)[0].disturbed is disturbed


@pytest.mark.parametrize(
    ("seconds", "steady"),
    [
        ([2.0, 2.0, 2.0, 2.0, 2.0, 2.0], True),
        ([2.0, 2.0, 2.0, 1.92, 1.92, 1.92], True),  # 4 %
        ([2.0, 2.0, 2.0, 1.88, 1.88, 1.88], False),  # 6 %, and no noise
        ([2.3, 1.9, 2.0, 1.88, 2.2, 1.8], True),  # 6 %, within the noise
        ([3.5, 3.2, 3.0, 2.8, 2.6, 2.4], False),  # a trend is no noise
        ([9.0, 5.0, 3.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0], True),  # the last two groups alone
        ([2.0, 2.02, 1.98], True),  # the budget ended before two groups were there
        ([2.0, 1.8, 1.6], False),
        ([2.0, 2.0], False),
    ],
)
def test_steady_is_when_the_medians_of_the_last_two_groups_agree(
    seconds: list[float], steady: bool
):
    assert is_steady(taken(*seconds)) is steady


@pytest.mark.parametrize("fall", [0.02, 0.05, 0.2])
def test_a_trend_is_not_taken_for_noise(fall: float):
    falling = taken(*(10 * (1 - fall) ** n for n in range(6)))
    assert is_steady(falling) is (10 * (1 - fall) - 10 * (1 - fall) ** 4 <= 0.5 * (1 - fall) ** 4)
    assert slope(falling) == pytest.approx(-fall, rel=0.2)


def run(plan: Plan, times: list[float], others: dict[int, float] | None = None) -> list[Sample]:
    """The samples that a process takes whose executions take these times, the first one first."""
    found: list[Sample] = []
    clock = 0.0
    while not found or not plan.is_done(found, clock):
        at = len(found)
        found.append(Sample(times[at], 1.0, (others or {}).get(at, 0.0), CORES))
        clock += times[at] if at else 0.0
    return found


def test_samples_are_taken_until_they_are_steady():
    times = [9.0, 4.0, 3.0, 2.5, 2.2, 1.9, 1.7, 1.4, 1.4, 1.4, 1.4, 1.4, 1.4, 1.4, 1.4]
    found = run(Plan(measure_seconds=100), times)
    samples, state = Plan().judged(found)
    assert state == "steady"
    assert len(found) == 12
    assert [one.kind for one in samples] == ["first"] + ["warm"] * 5 + ["hot"] * 6


def test_three_hot_samples_are_taken_whatever_the_budget():
    assert len(run(Plan(measure_seconds=0), [9.0] * 10)) == 4
    assert len(run(Plan(measure_seconds=10), [30.0] * 10)) == 4


def test_the_budget_begins_when_the_first_sample_has_ended():
    falling = [50.0, *(4.0 * 0.8**n for n in range(20))]
    found = run(Plan(measure_seconds=10), falling)
    assert sum(one.total_seconds for one in found[1:-1]) < 10 <= sum(falling[1 : len(found)])
    assert Plan().judged(found)[1] == "still warming"


def test_there_are_at_most_max_samples():
    falling = [9.0, *(0.9**n for n in range(100))]
    assert len(run(Plan(measure_seconds=1e9, max_samples=8), falling)) == 9


def test_a_disturbed_sample_is_kept_and_left_out_where_three_others_remain():
    found = run(Plan(measure_seconds=100), [9.0, 1.0, 5.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0], {2: 4.0})
    samples, state = Plan().judged(found)
    assert state == "steady"
    assert len(samples) == 8
    assert [one.disturbed for one in samples].count(True) == 1
    assert median_seconds([samples]) == 1.0
    all_disturbed = taken(1.0, 5.0, 6.0, others=4.0)
    assert median_seconds([[*taken(9.0), *all_disturbed]]) == pytest.approx(5.5)


@pytest.mark.parametrize(
    ("inputs", "kinds"),
    [
        ({"warmup": "0", "repeats": "1"}, "first"),
        ({"warmup": "0", "repeats": "2"}, "first hot"),
        ({"warmup": "1", "repeats": "1"}, "first hot"),
        ({"warmup": "3", "repeats": "1"}, "first warm warm hot"),
        ({"repeats": "2"}, "first hot hot"),
    ],
)
def test_a_fixed_number_is_kept_to(inputs: dict[str, str], kinds: str):
    plan = Plan.of(inputs)
    samples, state = plan.judged(run(plan, [1.0] * 9))
    assert " ".join(one.kind for one in samples) == kinds
    assert state == "fixed"


def test_the_median_is_that_of_the_processes_medians():
    forks = [[*taken(9.0), *taken(*hot)] for hot in ([1.0, 1.0, 1.0], [2.0, 2.0, 2.0], [4.0])]
    judged = [Plan(repeats=3).judged(samples)[0] for samples in forks]
    assert median_seconds(judged) == 2.0
    assert median_seconds([judged[0][:1]]) == 9.0


def test_noise_alone_comes_to_rest_soon():
    rng = random.Random(20260101)
    steady = sum(
        Plan().judged(run(Plan(), [rng.gauss(1.0, 0.05) for _ in range(80)]))[1] == "steady"
        for _ in range(100)
    )
    assert steady >= 95
