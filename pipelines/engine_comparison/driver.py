"""The driver process of an engine: it starts, executes and ends on command.

    python -m engine_comparison.driver

The first line of standard input is the job's spec. Then each line is an order, answered by one
event, `{"event": "done", ...}`:

    {"do": "start"}                         {"seconds": ...}
    {"do": "execute", "output": "..."}      {"seconds": ...}
    {"do": "profile", "output": "..."}      {"profile": ...}
    {"do": "describe"}                      {"configuration": ..., "tunables": ..., "versions": ...}

The end of the input ends the driver. A failure is the last event, as of every module.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

from . import engines, workloads
from .context import Context
from .engines import Engine, timed
from .model.session import ONE_THREAD
from .protocol import Channel, Spec, run_module
from .store_checks import refusals_explained
from .workloads import Workload


def serve(channel: Channel, spec: Spec) -> dict[str, Any]:
    """Do what is ordered until there is nobody left to order."""
    os.environ.update(ONE_THREAD)
    workload, engine = workloads.load(spec["workload"]), engines.load(spec["engine"])
    with refusals_explained(spec["store"]["endpoint"]):
        driver = Driver(engine(Context.open(spec)), workload)
        try:
            for line in sys.stdin:
                channel.tell({"event": "done", **driver.obey(json.loads(line))})
        finally:
            driver.stop()
    return {}


class Driver:
    """An engine that obeys orders."""

    pid = os.getpid()

    def __init__(self, engine: Engine, workload: Workload) -> None:
        """Keep both; nothing is started."""
        self._engine, self._workload = engine, workload

    def obey(self, order: dict[str, Any]) -> dict[str, Any]:
        """Carry an order out; see the module."""
        if order["do"] == "start":
            return {"seconds": timed(self._engine.start)}
        if order["do"] == "execute":
            output = order["output"]
            return {"seconds": timed(lambda: self._engine.run(self._workload, output))}
        if order["do"] == "profile":
            return {"profile": self._engine.profile(self._workload, order["output"]).fields()}
        configuration = self._engine.configuration()
        persists = {"persistsBetweenSamples": self._engine.persists()}
        return {
            "configuration": {**persists, **self._engine.placement.fields(), **configuration},
            "tunables": self._engine.tunables(),
            "versions": {"python": sys.version.split()[0], **self._engine.versions()},
        }

    def stop(self) -> None:
        """See `Engine.stop`."""
        self._engine.stop()


if __name__ == "__main__":
    exit_code = run_module(serve)
    sys.stderr.flush()
    # Without the interpreter's own end: all is said and stopped, and threads of native libraries
    # that are still there have been seen to crash it (Daft, about one run in ten of a prototype).
    os._exit(exit_code)
