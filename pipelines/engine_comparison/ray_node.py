"""A node of a Ray cluster: `ray start --block` that also ends when its raylet does.

    python -m engine_comparison.ray_node start --head --block ...   (the arguments of Ray's command)

A raylet that loses one of its agents ends with 0 (src/ray/raylet/agent_manager.cc of Ray 2.60),
which `ray start --block` takes for a stop on purpose (`expected_return_codes` in
ray/scripts/scripts.py): it lives on, and whoever supervises it sees a service that runs, but the
node is gone. When another of its processes is lost, it ends. So these are ended here.
"""

from __future__ import annotations

import threading
import time
from contextlib import suppress

import psutil
from ray.scripts.scripts import main

RAYLET = "raylet"


def end_with_raylet(node: psutil.Process) -> None:
    """Wait until the node has a raylet and then has it no more, and kill its other processes.

    Args:
        node: The process of `ray start --block`, of which Ray's processes are children.
    """
    while (raylet := _raylet_of(node)) is None:
        time.sleep(0.2)
    while _lives(raylet):
        time.sleep(1)
    print("the raylet has ended: ending the node", flush=True)
    for process in node.children():
        with suppress(psutil.NoSuchProcess):
            process.kill()


def _raylet_of(node: psutil.Process) -> psutil.Process | None:
    for process in node.children():
        with suppress(psutil.NoSuchProcess):
            if process.name() == RAYLET:
                return process
    return None


def _lives(process: psutil.Process) -> bool:
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


if __name__ == "__main__":
    threading.Thread(target=end_with_raylet, args=[psutil.Process()], daemon=True).start()
    main()
