"""NVML as a recording plays it: in the place of the module `pynvml`."""

# ruff: noqa: N802  the names are NVML's

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace


class NVMLError(Exception):
    """What NVML raises."""


class NVMLError_LibraryNotFound(NVMLError):  # noqa: N801
    """There is no driver."""


@dataclass
class Row:
    """What a GPU says at one reading.

    Attributes:
        at: The moment, seconds.
        busy: Utilization, percent.
        used: Memory in use, bytes.
        energy: The counter, millijoules; None where it has none.
        power: Milliwatts; None where it tells none.
        mig: Whether it is in MIG mode, in which there is no utilization.
    """

    at: float
    busy: int = 0
    used: int = 0
    energy: int | None = None
    power: int | None = None
    mig: bool = False


class FakeNvml:
    """Plays recordings: `at` is the row that all GPUs are at."""

    NVMLError = NVMLError
    NVMLError_LibraryNotFound = NVMLError_LibraryNotFound

    def __init__(
        self, *gpus: list[Row], driver: str = "575.57.08", names: tuple[str, ...] = ()
    ) -> None:
        self.gpus, self.driver, self.names, self.at = gpus, driver, names, 0
        self.missing = False

    def now(self) -> float:
        """The recording's clock."""
        return self.gpus[0][self.at].at

    def nvmlInit(self) -> None:
        if self.missing:
            raise NVMLError_LibraryNotFound("Library Not Found")
        if not self.gpus:
            raise NVMLError("Driver Not Loaded")

    def nvmlSystemGetDriverVersion(self) -> str:
        return self.driver

    def nvmlDeviceGetCount(self) -> int:
        return len(self.gpus)

    def nvmlDeviceGetHandleByIndex(self, at: int) -> int:
        return at

    def nvmlDeviceGetUUID(self, gpu: int) -> str:
        return f"GPU-{gpu}"

    def nvmlDeviceGetName(self, gpu: int) -> str:
        return self.names[gpu] if self.names else "NVIDIA Fake"

    def nvmlDeviceGetUtilizationRates(self, gpu: int) -> SimpleNamespace:
        row = self.gpus[gpu][self.at]
        return SimpleNamespace(gpu=self._said(None if row.mig else row.busy))

    def nvmlDeviceGetMemoryInfo(self, gpu: int) -> SimpleNamespace:
        return SimpleNamespace(used=self.gpus[gpu][self.at].used, total=24 * 2**30)

    def nvmlDeviceGetTotalEnergyConsumption(self, gpu: int) -> int:
        return self._said(self.gpus[gpu][self.at].energy)

    def nvmlDeviceGetPowerUsage(self, gpu: int) -> int:
        return self._said(self.gpus[gpu][self.at].power)

    def _said(self, value: int | None) -> int:
        if value is None:
            raise NVMLError("Not Supported")
        return value
