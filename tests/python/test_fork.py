"""A driver process: held to its cores, measured, and its failures told."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from engine_comparison.errors import ProcessError, UserError
from engine_comparison.fork import DriverProcess, Fork, confine
from engine_comparison.measure import Sampler

# Obeys as `engine_comparison.driver` does. Hashing lets go of the interpreter, so threads are busy.
BUSY = """
import hashlib, json, sys, threading, time

def burn(until):
    block = bytes(2**20)
    while time.perf_counter() < until:
        hashlib.sha256(block)

def done(**fields):
    print(json.dumps({"event": "done", **fields}), flush=True)

spec = json.loads(sys.stdin.readline())
for line in sys.stdin:
    order = json.loads(line)
    if order["do"] == "execute":
        if order["output"] == "break":
            print(json.dumps({"event": "failure", "kind": spec["kind"], "reason": "it broke",
                              "advice": "do not", "outcome": "timed out"}), flush=True)
            break
        if order["output"] == "die":
            sys.exit(3)
        began = time.perf_counter()
        threads = [threading.Thread(target=burn, args=(began + 1.5,)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        done(seconds=time.perf_counter() - began)
    else:
        done(seconds=0.5)
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    (tmp_path / "busy.py").write_text(BUSY)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), *sys.path]))
    return "busy"


def forked(module: str, cores: int | None, kind: str = "user", **spec: Any) -> Fork:
    driver = DriverProcess({"kind": kind, **spec}, cores, module)
    return Fork(driver, lambda pid: Sampler(pid, []))


def test_a_loop_of_eight_threads_uses_no_more_cpu_than_its_cores_allow(module: str):
    with forked(module, 1) as fork:
        fork.start()
        sample = fork.sample("out")
    # The counters' grain is a hundredth of a second a thread.
    assert sample.cpu_seconds <= 1.05 * sample.total_seconds + 0.1
    assert fork.start_up_seconds == 0.5
    assert fork.samples == [sample]


def test_a_service_that_runs_already_is_confined_with_its_threads(module: str):
    driver = DriverProcess({}, None, module)
    try:
        confine([driver.pid], 1)
        threads = psutil.Process(driver.pid).threads()
        assert threads
        assert {len(os.sched_getaffinity(thread.id)) for thread in threads} == {1}
        confine([driver.pid], 1024)  # and may have all again
        assert os.sched_getaffinity(driver.pid) == os.sched_getaffinity(0)
    finally:
        driver.stop()


@pytest.mark.parametrize(("kind", "error"), [("user", UserError), ("bug", ProcessError)])
def test_a_failure_is_told_in_the_words_of_the_process(
    module: str, kind: str, error: type[Exception]
):
    with forked(module, None, kind) as fork, pytest.raises(error, match="it broke") as told:
        fork.sample("break")
    if isinstance(told.value, UserError):
        assert (told.value.do, told.value.outcome) == ("do not", "timed out")


def test_a_process_that_ends_without_a_word_is_told(module: str):
    with forked(module, None) as fork, pytest.raises(ProcessError, match="ended with 3"):
        fork.sample("die")


def test_a_process_that_ends_with_its_service_names_it(module: str):
    """As Ray's driver does when its node is lost; the node takes a while to end."""
    running, lost = (subprocess.Popen(["sleep", seconds]) for seconds in ("60", "2"))
    services = [{"name": "spark-master", "pid": running.pid}, {"name": "ray-head", "pid": lost.pid}]
    try:
        with forked(module, None, services=services) as fork, pytest.raises(UserError) as told:
            fork.sample("die")
        assert told.value.what == (
            "ray-head ended during the run, and then the engine's process ended with 3."
        )
    finally:
        for service in (running, lost):
            service.kill()
            service.wait()


def test_the_process_ends_with_its_fork(module: str):
    with forked(module, None) as fork:
        pid = fork.driver.pid
    deadline = time.monotonic() + 30
    while psutil.pid_exists(pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not psutil.pid_exists(pid)
