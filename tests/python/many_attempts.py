"""Attempts of one engine at many datasets, in one process, so that the engine starts once.

    python -m many_attempts      with {"spec": a job's spec, "places": [...]} on standard input

For each place, where a dataset is, a JSON line: what the job would have said of it. Instead of an
engine, `oracle` makes the right answers.
"""

from __future__ import annotations

import io
import json
import os
import sys
import traceback
from functools import partial
from typing import Any

from engine_comparison import engines, oracle, workloads
from engine_comparison.context import Context
from engine_comparison.driver import Driver
from engine_comparison.fork import Fork
from engine_comparison.job import Attempt
from engine_comparison.measure import Sampler
from engine_comparison.model.session import ONE_THREAD
from engine_comparison.protocol import Channel

TOLD = ("checksum", "rejects", "note", "rejected", "longTexts", "configuration")


def at_place(spec: dict[str, Any], place: str) -> dict[str, Any]:
    """The spec for the dataset of a place, with an oracle and an output of its own."""
    buckets = {"lake": place, "images": place, "warehouse": place, "output": place}
    return {**spec, "oracleKey": "oracle", "buckets": buckets}


def main() -> None:
    """Answer the request on standard input."""
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # engines print what they please
    request = json.loads(sys.stdin.readline())
    spec, places = request["spec"], request["places"]
    os.environ.update(ONE_THREAD)
    workload = workloads.load(spec["workload"])
    engine: Any = None
    if spec["engine"] != "oracle":
        engine = engines.load(spec["engine"])(Context.open(at_place(spec, places[0])))
        if engine.facts.name != "datafusion":  # it knows only the buckets of its start
            engine.start()
            engine.start = engine.stop = lambda: None
    for place in places:
        given = at_place(spec, place)
        silent = Channel(io.StringIO())
        try:
            if engine is None:
                said = oracle.main(silent, given)
            else:
                engine.context = Context.open(given)
                fork = partial(Fork, Driver(engine, workload), lambda pid: Sampler(pid, []))
                said = Attempt(silent, engine.context, workload, fork).carry_out()
            last = {"event": "result", **{key: said.get(key) for key in TOLD}}
        except Exception as error:
            traceback.print_exc()
            last = {"event": "failure", "kind": type(error).__name__, "reason": str(error)}
        out.write(json.dumps({"place": place, **last}) + "\n")
        out.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
