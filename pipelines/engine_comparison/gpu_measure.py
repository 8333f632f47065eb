"""What GPUs do, by NVML, the library behind `nvidia-smi`.

The sampler of `measure` asks at each of its readings, four times a second, wherever it runs and
sees GPUs: on target docker, in the containers of the engine. Without NVML's Python package, its
library or a GPU there is nothing to ask, and a run on a GPU has no such figures. Nor has one on a
GPU in MIG mode, of which NVML tells no utilization.

NVML knows all GPUs, whatever CUDA_VISIBLE_DEVICES says. Those that it hides are others', and left
out. Its numbers are NVML's where CUDA counts in that order: where CUDA_DEVICE_ORDER says so, or all
GPUs are of one model. Otherwise CUDA counts from the fastest, and all GPUs are watched.

- Busy: NVML's utilization, the share of its last sampling period (1/6 s to 1 s, by GPU) in which a
  kernel ran, times the seconds since the reading before.
- Starved: seconds without a kernel between the first and the last work in a window. There are
  images to answer then, and none is decoded, or copied to the GPU.
- Memory: what is in use on the whole GPU, the driver's share and others' included.
- Energy: the GPU's own counter; where it has none (before Volta), its power times the seconds.

https://docs.nvidia.com/deploy/nvml-api/group__nvmlDeviceQueries.html describes the calls.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from typing import Any

from .placement import VISIBLE


@dataclass(frozen=True)
class GpuUse:
    """What a GPU did up to a moment.

    Attributes:
        name: The GPU's model.
        seconds: How long it was watched.
        busy_seconds: Of these, with a kernel at work; see the module.
        starved_seconds: Of these, waiting for images; see the module.
        joules: Its energy; None where the GPU tells none.
        peak_memory: Largest memory in use that was read in the window, bytes.
    """

    name: str
    seconds: float = 0.0
    busy_seconds: float = 0.0
    starved_seconds: float = 0.0
    joules: float | None = None
    peak_memory: int = 0

    def since(self, before: GpuUse) -> GpuUse:
        """What it did after an earlier moment, with the peak of the window."""
        joules = None
        if self.joules is not None and before.joules is not None:
            joules = self.joules - before.joules
        return replace(
            self,
            seconds=self.seconds - before.seconds,
            busy_seconds=self.busy_seconds - before.busy_seconds,
            starved_seconds=self.starved_seconds - before.starved_seconds,
            joules=joules,
        )


Uses = Mapping[str, GpuUse]
"""By the GPUs' UUIDs."""


class _Gpu:
    """One GPU, and the sums over its readings."""

    def __init__(self, nvml: Any, at: int, now: float) -> None:
        self._nvml = nvml
        self._handle = nvml.nvmlDeviceGetHandleByIndex(at)
        self.uuid = str(nvml.nvmlDeviceGetUUID(self._handle))
        self.use = GpuUse(str(nvml.nvmlDeviceGetName(self._handle)))
        self._at = now
        self._counted = self._counter()
        if self._counted is not None or self._watts() is not None:
            self.use = replace(self.use, joules=0.0)
        self._idle: float | None = None
        """Seconds without a kernel since the last work in the window; None before its first."""

    def begin(self) -> None:
        """Open a window."""
        self._idle = None
        self.use = replace(self.use, peak_memory=self._memory())

    def read(self, now: float) -> None:
        """Add what it did since the last reading."""
        passed, self._at = now - self._at, now
        busy = passed * self._nvml.nvmlDeviceGetUtilizationRates(self._handle).gpu / 100
        self.use = replace(
            self.use,
            seconds=self.use.seconds + passed,
            busy_seconds=self.use.busy_seconds + busy,
            starved_seconds=self.use.starved_seconds + self._starved(passed, busy),
            joules=self._joules(passed),
            peak_memory=max(self.use.peak_memory, self._memory()),
        )

    def _starved(self, passed: float, busy: float) -> float:
        """Seconds of waiting that are known to be over."""
        if busy == 0:
            if self._idle is not None:
                self._idle += passed
            return 0.0
        waited = 0.0 if self._idle is None else self._idle + passed - busy
        self._idle = 0.0
        return waited

    def _joules(self, passed: float) -> float | None:
        before, counted = self._counted, self._counter()
        self._counted = counted
        if before is not None and counted is not None:
            return (self.use.joules or 0.0) + (counted - before) / 1000
        watts = self._watts()
        return None if watts is None else (self.use.joules or 0.0) + watts * passed

    def _counter(self) -> int | None:
        """Energy since the driver was loaded, millijoules."""
        with suppress(self._nvml.NVMLError):
            return int(self._nvml.nvmlDeviceGetTotalEnergyConsumption(self._handle))
        return None

    def _watts(self) -> float | None:
        with suppress(self._nvml.NVMLError):
            return float(self._nvml.nvmlDeviceGetPowerUsage(self._handle)) / 1000
        return None

    def _memory(self) -> int:
        return int(self._nvml.nvmlDeviceGetMemoryInfo(self._handle).used)


class GpuWatch:
    """The GPUs that this process sees, read again and again."""

    def __init__(self, nvml: Any, now: Callable[[], float] = time.monotonic) -> None:
        """Find the GPUs.

        Args:
            nvml: The module `pynvml`.
            now: A clock, seconds.

        Raises:
            nvml.NVMLError: There is no driver, or it does not answer.
        """
        self._nvml, self._now = nvml, now
        nvml.nvmlInit()
        self._gpus = []
        for gpu in _shown([_Gpu(nvml, at, now()) for at in range(nvml.nvmlDeviceGetCount())]):
            with suppress(nvml.NVMLError):  # one in MIG mode
                gpu.read(now())
                self._gpus.append(gpu)

    @classmethod
    def find(cls) -> GpuWatch | None:
        """Those that this process sees; None where nobody can be asked."""
        try:
            import pynvml
        except ImportError:
            return None
        with suppress(pynvml.NVMLError):
            return cls(pynvml)
        return None

    def begin(self) -> None:
        """Open a window: of memory the peak counts, of waiting what lies in it."""
        self.read()
        for gpu in self._gpus:
            with suppress(self._nvml.NVMLError):
                gpu.begin()

    def read(self) -> None:
        """Read all. A GPU that does not answer, as one that was lost, is left as it was."""
        for gpu in self._gpus:
            with suppress(self._nvml.NVMLError):
                gpu.read(self._now())

    def answer(self) -> dict[str, dict[str, Any]]:
        """`GpuUse` of each by its UUID, as JSON has it."""
        return {gpu.uuid: asdict(gpu.use) for gpu in self._gpus}


def _shown(gpus: list[_Gpu]) -> list[_Gpu]:
    """The GPUs that CUDA shows this process; see the module."""
    visible = os.environ.get(VISIBLE)
    if visible is None:
        return gpus
    named = [one.strip() for one in visible.split(",")]
    if not any(one.isdigit() for one in named):
        return [gpu for gpu in gpus if gpu.uuid.startswith(tuple(filter(None, named)))]
    in_order = os.environ.get("CUDA_DEVICE_ORDER") == "PCI_BUS_ID"
    if not in_order and len({gpu.use.name for gpu in gpus}) > 1:
        return gpus
    return [gpu for at, gpu in enumerate(gpus) if str(at) in named]


def uses_of(answers: Sequence[Mapping[str, Any]]) -> dict[str, GpuUse]:
    """What samplers say of GPUs. Of one that several see, the first one's word is taken."""
    seen: dict[str, GpuUse] = {}
    for answer in answers:
        for uuid, said in answer.get("gpus", {}).items():
            seen.setdefault(uuid, GpuUse(**said))
    return seen


def uses_since(now: Uses, before: Uses) -> dict[str, GpuUse]:
    """What each did between two readings."""
    return {uuid: use.since(before[uuid]) for uuid, use in now.items() if uuid in before}


def figures(samples: Sequence[Uses], images_per_second: float, cores: int) -> dict[str, Any] | None:
    """What a result says of the GPUs that were at work.

    Args:
        samples: What all GPUs did in each sample that counts.
        images_per_second: By the run's median.
        cores: Those that the run might use.

    Returns:
        The field `gpu` of a result; None where nobody could be asked.
    """
    devices = []
    for uuid in sorted({uuid for uses in samples for uuid in uses}):
        uses = [uses[uuid] for uses in samples if uuid in uses]
        if any(use.busy_seconds > 0 for use in uses):
            devices.append(_device(uuid, uses))
    if not any(samples):
        return None
    return {
        "devices": devices,
        "imagesPerSecondPerGpu": round(images_per_second / len(devices), 3) if devices else None,
        "imagesPerSecondPerCore": round(images_per_second / cores, 3),
    }


def _device(uuid: str, uses: Sequence[GpuUse]) -> dict[str, Any]:
    seconds = max(sum(use.seconds for use in uses), 1e-9)
    joules = [use.joules for use in uses if use.joules is not None]
    return {
        "uuid": uuid,
        "name": uses[0].name,
        "busyShare": round(min(1.0, sum(use.busy_seconds for use in uses) / seconds), 4),
        "starvedShare": round(min(1.0, sum(use.starved_seconds for use in uses) / seconds), 4),
        "peakMemoryBytes": max(use.peak_memory for use in uses),
        "joulesPerSample": round(sum(joules) / len(joules), 3) if joules else None,
    }
