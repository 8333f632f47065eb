"""One benchmark: contenders that live side by side and take their samples in turn.

    python -m bench.harness        (under the leader, with a spec on standard input)

The spec is `{"rounds": n, "contenders": [...]}`; what a contender is told is in `bench.worker`. The
result has, for each contender, its start-up, every sample, its peak memory and what it verified.
"""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from bench.rounds import take_rounds
from engine_comparison.errors import UserError
from engine_comparison.measure import Sampler, cores, describe_host
from engine_comparison.protocol import Channel, Spec, run_module
from engine_comparison.samples import Try

CHECKOUT = Path(__file__).parents[1]
_STOP_SECONDS = 60


class Live:
    """A contender in a process of its own, started once.

    Attributes:
        name: What it is called in the table.
        peak_memory: The largest sum of its memory and its services' during a sample, bytes.
    """

    def __init__(self, spec: dict[str, Any]) -> None:
        """Start the process; the contender in it starts by `start`."""
        self.name: str = spec["name"]
        self.peak_memory = 0
        self._spec = spec
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bench.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=CHECKOUT,
        )

    def __enter__(self) -> Live:
        return self

    def __exit__(self, *_: object) -> None:
        """Let it stop by itself, or end it."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.close()
            self._process.wait(_STOP_SECONDS)
        except (OSError, subprocess.TimeoutExpired):
            self._process.kill()
        self._process.wait()

    def start(self) -> dict[str, Any]:
        """Hand over the spec and wait until it is ready: `{"seconds": ..., "versions": ...}`."""
        return self._ask(self._spec)

    def verify(self) -> dict[str, Any]:
        """Hold the last output against what is known to be right.

        Raises:
            UserError: It is not right.
        """
        return self._ask({"do": "verify"})

    def sample(self) -> Try:
        """Take one sample, with CPU and memory of the contender, its services and all others."""
        self._ask({"do": "prepare"})
        given = self._spec.get("spec", {})
        services = [int(service["pid"]) for service in given.get("services", [])]
        store = given.get("store", {}).get("pids", [])
        with Sampler(self._process.pid, services, store) as sampler:
            before = sampler.read()
            seconds = float(self._ask({"do": "execute"})["seconds"])
            after = sampler.read()
        self.peak_memory = max(self.peak_memory, after.peak_memory)
        return Try(
            total_seconds=seconds,
            cpu_seconds=max(0.0, after.cpu_seconds - before.cpu_seconds),
            others_cpu_seconds=max(0.0, after.others_cpu_seconds - before.others_cpu_seconds),
        )

    def _ask(self, order: dict[str, Any]) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps(order) + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        except BrokenPipeError:
            line = ""
        answer = json.loads(line) if line else {"event": "failure", "reason": "its process ended"}
        if answer["event"] == "failure":
            raise UserError(
                f"{self.name}: {answer['reason']}",
                "A comparison in which one fails is none.",
                answer.get("advice") or "The log has the whole story.",
            )
        fields: dict[str, Any] = answer
        return fields


def run_benchmark(channel: Channel, spec: Spec) -> dict[str, Any]:
    """Carry a benchmark out; returns the fields of the result event.

    Raises:
        UserError: A contender failed, or its output is not right.
    """
    with ExitStack() as ends:
        live = {each["name"]: ends.enter_context(Live(each)) for each in spec["contenders"]}
        started = {}
        for name, contender in live.items():
            channel.phase(f"{name}: start-up")
            started[name] = contender.start()

        def take(name: str, sample: str) -> Try:
            channel.phase(f"{name}: {sample}")
            return live[name].sample()

        samples = take_rounds(list(live), int(spec["rounds"]), take, cores())
        results = []
        for name, contender in live.items():
            channel.phase(f"{name}: verify")
            results.append(
                {
                    "name": name,
                    "startUpSeconds": started[name]["seconds"],
                    "versions": started[name]["versions"],
                    "samples": samples[name],
                    "peakMemoryBytes": contender.peak_memory,
                    "verified": contender.verify()["found"],
                }
            )
    return {"contenders": results, "host": describe_host()}


if __name__ == "__main__":
    sys.exit(run_module(run_benchmark))
