"""An engine as a contender: the same class that a run has, asked for one sample at a time."""

from __future__ import annotations

import importlib
import itertools
import json
import subprocess
import sys
from typing import Any

from engine_comparison import engines, workloads
from engine_comparison.engines import Context, Engine
from engine_comparison.errors import UserError
from engine_comparison.judge import judge
from engine_comparison.store import delete_prefix

from . import Contender, timed

OWN = {
    "duckdb": "duckdb:DuckDb",
    "ceiling": "ceiling:Ceiling",
    "ceiling-daft": "ceiling:DaftCeiling",
    "ceiling-memory": "ceiling:MemoryCeiling",
}
"""Engines that only the benchmark has: module of this package and class."""


def load_engine(name: str) -> type[Engine]:
    """One of the benchmark's own engines, or one of the program's."""
    if name not in OWN:
        return engines.load(name)
    module, found = OWN[name].split(":")
    engine: type[Engine] = getattr(importlib.import_module(f"{__package__}.{module}"), found)
    return engine


class EngineContender(Contender):
    """Executes a workload by an engine.

    The spec is `{"engine": ..., "spec": <that of a job>}`, and the last output is judged by the
    oracle as a job's is.
    """

    def __init__(self, spec: dict[str, Any]) -> None:
        """Open the store."""
        self._context = Context.open(spec["spec"])
        self._workload = workloads.load(spec["spec"]["workload"])
        self._engine = load_engine(spec["engine"])(self._context)
        self._place = f"{self._context.bucket('output')}/bench/{spec['engine']}"
        self._counts = itertools.count()
        self._output = ""

    def start(self) -> None:
        """See `Engine.start`."""
        self._engine.start()

    def prepare(self) -> None:
        """Delete what the last sample wrote."""
        delete_prefix(self._context.filesystem, self._place)
        self._output = f"{self._place}/{next(self._counts)}"

    def execute(self) -> float:
        """From the inputs in the store to the output in the store."""
        return timed(lambda: self._engine.run(self._workload, self._output))

    def verify(self) -> dict[str, Any]:
        """Judge the last output by the oracle."""
        found = judge(self._context, self._workload, self._output)
        return {name: found[name] for name in ("rowsIn", "bytesIn", "rows", "deviations")}

    def versions(self) -> dict[str, str]:
        """See `Engine.versions`."""
        return self._engine.versions()

    def stop(self) -> None:
        """See `Engine.stop`."""
        self._engine.stop()


class StartUp(Contender):
    """Starts an engine in a fresh process for every sample, which is the seconds of its `start`."""

    def __init__(self, spec: dict[str, Any]) -> None:
        """Keep what the fresh processes are told."""
        self._inner = {**spec, "kind": "engine"}

    def start(self) -> None:
        """Nothing is kept between samples."""

    def execute(self) -> float:
        """Start the engine in a process that ends before this returns.

        Raises:
            UserError: It does not start.
        """
        done = subprocess.run(
            [sys.executable, "-m", "bench.worker"],
            input=json.dumps(self._inner) + "\n",
            stdout=subprocess.PIPE,
            text=True,
            check=False,
        )
        answer = json.loads(done.stdout.partition("\n")[0] or "{}")
        if "seconds" not in answer:
            raise UserError(
                f"{self._inner['engine']} does not start: {answer.get('reason', 'no answer')}.",
                "Its start-up cannot be told.",
                answer.get("advice", "The log has the whole story."),
            )
        return float(answer["seconds"])
