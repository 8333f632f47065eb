"""A node of a Ray cluster as the stacks start it."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from clusters import ray_node

from engine_comparison.check_gpu.clusters import WAIT_SECONDS

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


def name_of(process: psutil.Process) -> str:
    """The title that a process has given itself, or its program's name."""
    title = " ".join(process.cmdline()).strip()
    return title if title.startswith("ray::") else process.name()


def eventually(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.2)
