"""What Polars says of a query that its streaming engine carried out.

Polars 2 has no `profile` any more. With POLARS_LOG_METRICS it writes a line for each node of the
physical plan on standard error: the CPU time of its tasks, rows, and what it read and wrote.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from ..profile import Kind, Stage, waits

_VARIABLE = "POLARS_LOG_METRICS"
_UNITS = {"ns": 1e-9, "µs": 1e-6, "ms": 1e-3, "s": 1.0}
_NODE = re.compile(r"^(?P<name>[\w -]+(?:\[.*?\])?): tot\((?P<total>[^)]*)\)")


@contextmanager
def metrics_logged() -> Iterator[list[str]]:
    """Have Polars log metrics, and collect what is written on standard error meanwhile.

    Yields:
        A list that has the lines afterwards; they come to standard error, too.
    """
    lines: list[str] = []
    kept = os.dup(2)
    with tempfile.TemporaryFile() as file:
        sys.stderr.flush()
        os.dup2(file.fileno(), 2)
        os.environ[_VARIABLE] = "1"
        try:
            yield lines
        finally:
            del os.environ[_VARIABLE]
            sys.stderr.flush()
            os.dup2(kept, 2)
            os.close(kept)
            file.seek(0)
            text = file.read().decode(errors="replace")
            sys.stderr.write(text)
            lines += text.splitlines()


def stages_of(lines: list[str], threads: int, wall: float) -> list[Stage]:
    """The nodes of a query's plan.

    Args:
        lines: As `metrics_logged` has them.
        threads: Of Polars.
        wall: Seconds of the query.
    """
    busy, waiting = [], []
    for line in lines:
        node = _NODE.match(line)
        if node is None:
            continue
        name, kind = node["name"], _kind_of(node["name"])
        rows = _number(line, "sent", "row") or _number(line, "recv", "row")
        seconds = _seconds(node["total"]) / threads
        busy.append(Stage(name, "decode" if kind == "read" else kind, seconds, rows))
        if kind != "compute":
            active = _seconds(_field(line, "io", "total_active_time"))
            received = _number(line, "io", "total_bytes_received")
            moved = received or _number(line, "io", "total_bytes_sent")
            waiting.append(Stage(f"{name}: waiting for the store", kind, active, None, moved))
    return waits(busy, waiting, wall)


def _kind_of(name: str) -> Kind:
    if "scan" in name or "source" in name:
        return "read"
    return "write" if "sink" in name else "compute"


def _field(line: str, group: str, name: str) -> str:
    """A value such as `row` of `sent(row=5, ...)`; empty where there is none."""
    found = re.search(rf"\b{group}\([^)]*?\b{name}=([^,)]*)", line)
    return found.group(1) if found else ""


def _number(line: str, group: str, name: str) -> int | None:
    text = _field(line, group, name)
    return int(text) if text else None


def _seconds(text: str) -> float:
    """A duration as Rust writes it: `1.50ms`."""
    found = re.fullmatch(r"([\d.]+)(ns|µs|ms|s)", text)
    return float(found.group(1)) * _UNITS[found.group(2)] if found else 0.0
