"""A node of a Ray cluster as the stacks start it."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
from clusters import environment, ray_node

from engine_comparison.check_gpu.clusters import WAIT_SECONDS, ray_access

AGENT = "ray::DashboardAgent"
RAYLET = "raylet"


@pytest.mark.parametrize("lost", [AGENT, RAYLET])
def test_a_node_that_loses_its_raylet_or_the_agent_ends_with_all_its_processes(lost: str) -> None:
    with ray_node() as (head, section):
        logs = Path(section["tokenFile"]).parent / "ray" / "session_latest" / "logs"
        log = logs / "dashboard_agent.log"
        eventually(lambda: (logs / "ray_process_exit.log").exists())  # it blocks
        eventually(lambda: log.exists() and "raylet pid is" in log.read_text())
        node = psutil.Process(head.pid)
        family = node.children(recursive=True)
        next(process for process in family if name_of(process) == lost).kill()
        try:
            assert head.wait(30) == 1
        except subprocess.TimeoutExpired:
            pytest.fail("the node lives on without its raylet")
        # An agent looks every few seconds whether its raylet is there.
        _, alive = psutil.wait_procs(family, timeout=60)
        assert alive == []


IDLE = """
import json, os, sys, time
import psutil, ray

ray.init(sys.argv[1], log_to_driver=False)

@ray.remote(num_cpus=0)
def busy():
    time.sleep(1)
    return os.getpid()

workers = set(ray.get([busy.remote() for _ in range(4)]))
time.sleep(3)
print(json.dumps([len(workers), sum(map(psutil.pid_exists, workers))]))
"""


def test_ray_keeps_idle_workers_as_long_as_a_stack_says(
    ray_head: dict[str, Any], tmp_path: Path
) -> None:
    """By itself it would keep one a CPU, and end the others when they are idle for a second."""
    done = subprocess.run(
        [sys.executable, "-c", IDLE, ray_head["address"]],
        env={**environment(tmp_path), **ray_access(ray_head["tokenFile"])},
        stdout=subprocess.PIPE,
        timeout=WAIT_SECONDS,
        check=True,
    )
    assert json.loads(done.stdout) == [4, 4]


def name_of(process: psutil.Process) -> str:
    """The title that a process has given itself, or its program's name."""
    title = " ".join(process.cmdline()).strip()
    return title if title.startswith("ray::") else process.name()


def eventually(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.2)
