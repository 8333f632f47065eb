"""A program as a contender: one process a sample.

    python -m bench.command

It obeys the orders of `engine_comparison.driver`. The spec is
`{"argv": [...], "environment": {...}}`; what the program uploads is named by
`{"spec": <that of a job>, "uploads": {"prefix": ..., "files": n, "bytes": n}}`. That is removed
before each execution and counted after it, neither of which is timed. The environment may hold
secrets and is never printed.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

from engine_comparison.driver import timed
from engine_comparison.errors import UserError
from engine_comparison.objects import delete_prefix, list_files
from engine_comparison.protocol import Channel, Spec, run_module
from engine_comparison.store import open_store


def serve(channel: Channel, spec: Spec) -> dict[str, Any]:
    """Do what is ordered until there is nobody left to order."""
    for line in sys.stdin:
        channel.tell({"event": "done", **obey(json.loads(line)["do"], spec)})
    return {}


def obey(order: str, spec: Spec) -> dict[str, Any]:
    """Carry an order out; there is nothing to start, and nothing to describe."""
    if order == "execute":
        return {"seconds": execute(spec)}
    return (
        {"seconds": 0.0}
        if order == "start"
        else {"configuration": {}, "tunables": {}, "versions": {}}
    )


def execute(spec: Spec) -> float:
    """Run the program to its end; returns its seconds.

    Raises:
        UserError: It fails, or what arrived is not what was to be uploaded.
    """
    uploads: dict[str, Any] | None = spec.get("uploads")
    store = open_store(spec["spec"]["store"]) if uploads else None
    if store and uploads:
        delete_prefix(store, uploads["prefix"])
    argv: list[str] = spec["argv"]
    codes: list[int] = []

    def run() -> None:
        environment = {**os.environ, **spec.get("environment", {})}
        done = subprocess.run(
            argv, env=environment, stdin=subprocess.DEVNULL, stdout=2, check=False
        )
        codes.append(done.returncode)

    seconds = timed(run)
    if codes != [0]:
        raise UserError(
            f"`{' '.join(argv)}` ended with {codes[0]}.",
            "A command that fails has no time.",
            "The log has what it said.",
        )
    if store and uploads:
        arrived = list_files(store, uploads["prefix"])
        found = {"files": len(arrived), "bytes": sum(info.size for info in arrived)}
        wanted = {name: uploads[name] for name in found}
        if found != wanted:
            raise UserError(
                f"{found} arrived in s3://{uploads['prefix']}, and {wanted} were sent.",
                "A command that does less is no faster.",
                "The log has what the command said.",
            )
    return seconds


if __name__ == "__main__":
    sys.exit(run_module(serve))
