"""Polars with several threads a core."""

from __future__ import annotations

import os
from typing import ClassVar

from ..describe import EngineFacts, engine_facts
from .polars import Polars


class PolarsThreads(Polars):
    """See the module."""

    facts: ClassVar[EngineFacts] = engine_facts(__name__)

    def start(self) -> None:
        """Import Polars, with more threads than the other contenders have."""
        threads = self.context.threads * self.tunable("threadsPerCore")
        os.environ["POLARS_MAX_THREADS"] = str(threads)
        import polars  # noqa: F401


ENGINE = PolarsThreads
