"""What the agents on a Ray cluster's nodes say of memory and CPU while a sample is profiled.

Each node has an agent that offers metrics for Prometheus, which it renews every five seconds: what
rises and falls between is not seen. It is another definition than that of `measure`.
"""

from __future__ import annotations

import re
import threading
import time
import urllib.request
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any

from .profile import Node

INTERVAL_SECONDS = 1.0
TIMEOUT_SECONDS = 5.0
MEASURE = "Ray's agents, every 5 s: memory of the node's processes that no other shares (USS); CPU"

_LINE = re.compile(r"^ray_component_(uss_bytes|cpu_percentage)\{.*\} (\S+)$", re.MULTILINE)


def read_metrics(text: str) -> tuple[int, float]:
    """Add up the metrics of a node's processes.

    Args:
        text: In the format of Prometheus.

    Returns:
        Bytes of memory, and CPU as a multiple of one core.
    """
    sums = {"uss_bytes": 0.0, "cpu_percentage": 0.0}
    for name, value in _LINE.findall(text):
        sums[name] += float(value)
    return int(sums["uss_bytes"]), sums["cpu_percentage"] / 100


class Agents:
    """Asks the agents while it is open. Use as a context manager."""

    def __init__(self, nodes: Iterable[Mapping[str, Any]]) -> None:
        """Keep where they are.

        Args:
            nodes: As `ray.nodes` has them.
        """
        places = [
            (str(one["NodeManagerAddress"]), one["MetricsExportPort"])
            for one in nodes
            if one["Alive"]
        ]
        self._urls = {f"node {host}": f"http://{host}:{port}/metrics" for host, port in places}
        self._peaks: dict[str, int] = {}
        self._cpu: dict[str, float] = {}
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Agents:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join(TIMEOUT_SECONDS * (1 + len(self._urls)))

    def _watch(self) -> None:
        before = time.monotonic()
        ended = False
        while not ended:
            ended = self._ended.wait(INTERVAL_SECONDS)
            now = time.monotonic()
            for name, url in self._urls.items():
                with suppress(OSError):  # an agent that does not answer says nothing
                    with urllib.request.urlopen(url, timeout=TIMEOUT_SECONDS) as answer:
                        memory, cores = read_metrics(answer.read().decode())
                    self._peaks[name] = max(memory, self._peaks.get(name, 0))
                    self._cpu[name] = self._cpu.get(name, 0.0) + cores * (now - before)
            before = now

    def nodes(self) -> list[Node]:
        """What each node used, of those whose agents answered."""
        return [Node(name, peak, self._cpu[name], MEASURE) for name, peak in self._peaks.items()]
