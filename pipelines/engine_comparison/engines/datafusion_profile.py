"""What DataFusion says of a plan that it has carried out: the metrics of its operators."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..profile import Stage, waits

if TYPE_CHECKING:
    from datafusion import ExecutionPlan
    from datafusion.plan import MetricsSet

_NO_WORK = "CoalescePartitionsExec"
"""Its time is that of the operators whose partitions it takes together."""


def stages_of(plan: ExecutionPlan, threads: int, wall: float) -> list[Stage]:
    """The operators of a plan, from the sources on.

    Args:
        plan: Carried out.
        threads: Of DataFusion, which are as many as it has partitions.
        wall: Seconds of the query.
    """
    busy, waiting = [], []
    for text, metrics in reversed(plan.collect_metrics()):
        name = text.partition(":")[0].strip()
        if name == _NO_WORK:
            continue
        seconds, spilled = _seconds(metrics, None), metrics.spilled_bytes
        stage = Stage(name, "compute", seconds / threads, metrics.output_rows, None, spilled)
        if name == "DataSourceExec":
            decoding = _seconds(metrics, "time_elapsed_processing")
            scanning = _seconds(metrics, "time_elapsed_scanning_total")
            opening = _seconds(metrics, "time_elapsed_opening")
            wait = (opening + max(0.0, scanning - decoding)) / threads
            size = metrics.sum_by_name("bytes_scanned")
            waiting.append(Stage(f"{name}: waiting for the store", "read", wait, None, size))
            stage = Stage(name, "decode", decoding / threads, metrics.output_rows)
        elif name == "RepartitionExec":
            seconds = _seconds(metrics, "repartition_time") + _seconds(metrics, "send_time")
            stage = Stage(name, "shuffle", seconds / threads, metrics.output_rows, None, spilled)
        elif name == "DataSinkExec":
            rows, size = (metrics.sum_by_name(what) for what in ("rows_written", "bytes_written"))
            stage = Stage(name, "write", seconds, rows, size)
        busy.append(stage)
    return waits(busy, waiting, wall)


def _seconds(metrics: MetricsSet, name: str | None) -> float:
    """A time of an operator, summed over its partitions; that of computing without a name."""
    found = metrics.elapsed_compute if name is None else metrics.sum_by_name(name)
    return (found or 0) / 1e9
