"""What is computed, whatever computes it: one file a workload, found by its place.

A file `image_predictions.py` that has a `WORKLOAD` is the workload `image-predictions`. The program
that starts the jobs runs no Python: it reads the attributes `name`, `dataset`, `purpose`, `prefix`,
`question` and `manner` from the file's text, each a string or a tuple of strings on one line.
"""

from __future__ import annotations

import importlib
import pkgutil

from ..errors import UserError
from .base import Workload

__all__ = ["Workload", "load", "names"]


def names() -> list[str]:
    """The names of all workloads, sorted."""
    found = []
    for module in pkgutil.iter_modules(__path__):
        if hasattr(importlib.import_module(f"{__name__}.{module.name}"), "WORKLOAD"):
            found.append(module.name.replace("_", "-"))
    return sorted(found)


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
