"""What takes part in a benchmark; `load` finds it by the `kind` of its spec."""

from __future__ import annotations

import importlib
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

KINDS = {
    "engine": "engine:EngineContender",
    "start-up": "engine:StartUp",
    "command": "command:Command",
    "make-trips": "trips:MakeTrips",
    "write-trips": "trips:WriteTrips",
}


class Contender(ABC):
    """One way to do the benchmark's work."""

    @abstractmethod
    def start(self) -> None:
        """Get ready for any number of samples. Timed as start-up."""

    def prepare(self) -> None:  # noqa: B027
        """Take away what the last sample left. Not timed."""

    @abstractmethod
    def execute(self) -> float:
        """Do the work once; returns its seconds."""

    def verify(self) -> dict[str, Any]:
        """Hold the last output against what is known to be right; returns what was found.

        Raises:
            UserError: It is not right.
        """
        return {}

    def versions(self) -> dict[str, str]:
        """The versions of what does the work."""
        return {}

    def stop(self) -> None:  # noqa: B027
        """Let go of everything; called after failures too."""


def load(spec: dict[str, Any]) -> Contender:
    """Make the contender that a spec describes; nothing is started."""
    module, name = KINDS[spec["kind"]].split(":")
    made: Contender = getattr(importlib.import_module(f"{__name__}.{module}"), name)(spec)
    return made


def timed(work: Callable[[], object]) -> float:
    """The seconds that `work` takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began
