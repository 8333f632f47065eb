"""Polars, with a loop after each sample that does nothing for a tenth of the time that it took."""

from __future__ import annotations

import time
from typing import ClassVar

from ..describe import EngineFacts, engine_facts
from ..workloads.taxi_report import TaxiReport
from . import timed
from .polars import Polars

SHARE = 0.1


class PolarsSlowed(Polars):
    """See the module."""

    facts: ClassVar[EngineFacts] = engine_facts(__name__)

    def taxi_report(self, workload: TaxiReport, output: str) -> None:
        """The report, and the loop."""
        report = super().taxi_report
        end = SHARE * timed(lambda: report(workload, output)) + time.perf_counter()
        while time.perf_counter() < end:
            pass


ENGINE = PolarsSlowed
