"""The process of one contender: it prepares, executes and verifies when told.

    python -m bench.worker

The first line of standard input says what it is, `{"name": ..., "kind": ..., ...}` with what its
class in `bench.contenders` asks for; it is answered when the contender has started. Then each line
is an order, answered by one JSON line:

    {"do": "prepare"}   {}        {"do": "execute"}   {"seconds": ...}
    {"do": "verify"}    {"found": {...}}

The end of the input is the end of the contender.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

from bench.contenders import Contender, load, timed
from engine_comparison.model.session import thread_environment
from engine_comparison.protocol import Channel, Spec, run_module


def serve(channel: Channel, spec: Spec) -> dict[str, Any]:
    """Do what is ordered until there is nobody left to order."""
    os.environ.update(thread_environment())
    contender = load(spec)
    try:
        seconds = timed(contender.start)
        channel.tell({"event": "done", "seconds": seconds, "versions": contender.versions()})
        for line in sys.stdin:
            channel.tell({"event": "done", **_obey(contender, json.loads(line)["do"])})
    finally:
        contender.stop()
    return {}


def _obey(contender: Contender, order: str) -> dict[str, Any]:
    if order == "execute":
        return {"seconds": contender.execute()}
    if order == "verify":
        return {"found": contender.verify()}
    contender.prepare()
    return {}


if __name__ == "__main__":
    exit_code = run_module(serve)
    sys.stderr.flush()
    os._exit(exit_code)  # as a job does, whose engines have been seen to crash at their end
