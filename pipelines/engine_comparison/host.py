"""The machine that a process is on: its cores, its name, what it has done, where the package is."""

from __future__ import annotations

import contextlib
import platform
from pathlib import Path
from typing import Any

import psutil

PACKAGE_PARENT = Path(__file__).parents[1]
"""The folder to put on a process's `sys.path` so that it can import `engine_comparison`."""


def cores() -> int:
    """Cores of the machine, at least 1."""
    return psutil.cpu_count() or 1


def describe_host() -> dict[str, Any]:
    """What the machine is: it goes into a result, since figures of two machines say little."""
    return {
        "system": f"{platform.system()} {platform.release()}",
        "machine": platform.machine(),
        "cpu": _cpu_name(),
        "cores": cores(),
        "memoryBytes": psutil.virtual_memory().total,
    }


def _cpu_name() -> str:
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or "unknown"


def machine_cpu() -> float:
    """CPU that the whole machine has spent on work since it started, seconds."""
    times = psutil.cpu_times()
    # On Linux, time of guests is counted in `user` as well.
    idle = times.idle + getattr(times, "iowait", 0.0) + getattr(times, "guest", 0.0)
    return float(sum(times) - idle - getattr(times, "guest_nice", 0.0))
