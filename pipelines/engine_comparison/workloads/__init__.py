"""What is computed, whatever computes it: found by its place.

The workload `image-predictions` is two files in this folder: `image_predictions.json` says what it
is (see `describe`), and `image_predictions.py` has a `WORKLOAD`, which also knows how the right
answer is found. Nothing else needs to know of it.
"""

from __future__ import annotations

import importlib

from ..describe import names as described
from ..errors import UserError
from .base import Workload

__all__ = ["Workload", "load", "names"]


def names() -> list[str]:
    """The names of all workloads, sorted: those that are described in this folder."""
    return described(__name__)


def load(name: str) -> Workload:
    """Find a workload by its name.

    Raises:
        UserError: There is no such workload.
    """
    if name not in names():
        raise UserError(
            f"There is no workload {name!r}.",
            "A run computes one of the workloads in engine_comparison/workloads/.",
            f"Use one of: {', '.join(names())}.",
        )
    workload: Workload = importlib.import_module(f"{__name__}.{name.replace('-', '_')}").WORKLOAD
    return workload
