"""What is made of NVML's answers, from recordings whose figures are known."""

from __future__ import annotations

import sys
from dataclasses import asdict

import pytest
from fake_nvml import FakeNvml, Row

from engine_comparison.gpu_measure import GpuUse, GpuWatch, figures, uses_of, uses_since
from engine_comparison.measure import AskingMeter

# Busy from the second quarter of a second on, then idle twice, then half busy, then idle.
RECORDED = [
    Row(0.0, busy=0, used=100, energy=5_000),
    Row(0.25, busy=0, used=900, energy=10_000),
    Row(0.5, busy=100, used=700, energy=30_000),
    Row(0.75, busy=0, used=700, energy=35_000),
    Row(1.0, busy=0, used=700, energy=40_000),
    Row(1.25, busy=50, used=800, energy=55_000),
    Row(1.5, busy=0, used=300, energy=60_000),
]


def watched(*gpus: list[Row], window_at: int = 0) -> dict[str, GpuUse]:
    """What a watch says of recordings, with a window that opens at a row."""
    nvml = FakeNvml(*gpus)
    watch = GpuWatch(nvml, nvml.now)
    for nvml.at in range(len(gpus[0])):
        if nvml.at == window_at:
            watch.begin()
        watch.read()
    return uses_of([{"gpus": watch.answer()}])


def test_a_recorded_series_has_exactly_its_figures():
    [use] = watched(RECORDED).values()
    assert use == GpuUse(
        "NVIDIA Fake",
        seconds=1.5,
        busy_seconds=0.375,  # a quarter whole, and a half of one
        starved_seconds=0.625,  # two quarters and the other half; neither the start nor the end
        joules=55.0,
        peak_memory=900,
    )


def test_a_peak_and_waiting_belong_to_their_window():
    [use] = watched(RECORDED, window_at=3).values()
    assert use.peak_memory == 800
    assert use.starved_seconds == 0  # no work in the window before the last
    assert (use.busy_seconds, use.joules) == (0.375, 55.0)


def test_without_a_counter_energy_is_power_by_time():
    powered = [Row(0.0, power=10_000), Row(0.5, power=100_000), Row(2.0, power=200_000)]
    [use] = watched(powered).values()
    assert use.joules == pytest.approx(0.5 * 100 + 1.5 * 200)
    [use] = watched([Row(0.0), Row(1.0)]).values()
    assert use.joules is None


def test_each_gpu_has_its_own_figures():
    idle = [Row(row.at, used=7) for row in RECORDED]
    busy, other = watched(RECORDED, idle).values()
    assert (busy.busy_seconds, other.busy_seconds, other.peak_memory) == (0.375, 0.0, 7)


def test_where_nobody_can_be_asked_nothing_is_watched(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "pynvml", None)  # the package is not installed
    assert GpuWatch.find() is None
    monkeypatch.setitem(sys.modules, "pynvml", FakeNvml())  # there is no driver
    assert GpuWatch.find() is None
    monkeypatch.setitem(sys.modules, "pynvml", FakeNvml(RECORDED))
    assert GpuWatch.find() is not None


@pytest.mark.parametrize(
    ("visible", "order", "names", "watched"),
    [
        (None, None, "AAA", [0, 1, 2]),
        ("1", None, "AAA", [1]),
        ("2, 0", None, "AAA", [0, 2]),
        ("", None, "AAA", []),
        ("1", None, "AAB", [0, 1, 2]),  # the fastest is CUDA's first, whichever that is
        ("1", "PCI_BUS_ID", "AAB", [1]),
        ("GPU-2,GPU-1", None, "AAB", [1, 2]),
        ("MIG-7d2f", None, "AAA", []),
    ],
)
def test_gpus_that_cuda_hides_are_not_measured(
    visible: str | None,
    order: str | None,
    names: str,
    watched: list[int],
    monkeypatch: pytest.MonkeyPatch,
):
    for name, value in (("CUDA_VISIBLE_DEVICES", visible), ("CUDA_DEVICE_ORDER", order)):
        if value is None:
            monkeypatch.delenv(name, raising=False)
        else:
            monkeypatch.setenv(name, value)
    nvml = FakeNvml(*[RECORDED] * 3, names=tuple(names))
    assert list(GpuWatch(nvml, nvml.now).answer()) == [f"GPU-{gpu}" for gpu in watched]


def test_a_gpu_without_utilization_is_not_measured():
    nvml = FakeNvml(RECORDED, [Row(0.0, mig=True)])
    assert list(GpuWatch(nvml, nvml.now).answer()) == ["GPU-0"]


def test_a_gpu_that_several_samplers_see_counts_once():
    use = GpuUse("A", 2.0, 1.0, 0.5, 10.0, 7)
    said = {"gpus": {"GPU-0": asdict(use)}}
    assert uses_of([{"gpus": {}}, {}, said, said]) == {"GPU-0": use}


def test_a_meter_says_what_the_gpus_did_in_a_sample():
    answers = iter([GpuUse("A", 1.0, 0.5, 0.0, 10.0, 9), GpuUse("A", 3.0, 2.0, 0.25, 70.0, 5)])
    first = {"gpus": {"GPU-0": asdict(next(answers))}}
    second = {"gpus": {"GPU-0": asdict(next(answers))}}
    said = iter([[first], [first], [second]])
    meter = AskingMeter(lambda _: next(said))
    before, after = meter.begin(), meter.read()
    assert uses_since(after.gpus, before.gpus) == {"GPU-0": GpuUse("A", 2.0, 1.5, 0.25, 60.0, 5)}


def test_a_results_figures_are_over_all_samples_that_count():
    samples = [
        {"GPU-0": GpuUse("A", 2.0, 1.0, 0.5, 100.0, 7), "GPU-1": GpuUse("A", 2.0, 0.0, 0.0, 40.0)},
        {"GPU-0": GpuUse("A", 3.0, 1.5, 0.25, 200.0, 9), "GPU-1": GpuUse("A", 3.0)},
    ]
    assert figures(samples, images_per_second=300.0, cores=8) == {
        "devices": [
            {
                "uuid": "GPU-0",
                "name": "A",
                "busyShare": 0.5,
                "starvedShare": 0.15,
                "peakMemoryBytes": 9,
                "joulesPerSample": 150.0,
            }
        ],
        "imagesPerSecondPerGpu": 300.0,
        "imagesPerSecondPerCore": 37.5,
    }
    idle = [{"GPU-1": GpuUse("A", 2.0)}]
    assert figures(idle, 300.0, 8) == {
        "devices": [],
        "imagesPerSecondPerGpu": None,
        "imagesPerSecondPerCore": 37.5,
    }
    assert figures([{}, {}], 300.0, 8) is None
