"""The driver's side of a running Ray cluster, for Ray Data and for Daft's runner on Ray."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from .context import Context
from .errors import UserError, one_line
from .host import PACKAGE_PARENT
from .store import CONNECT_SECONDS, send_no_checksums, trust


def connect(context: Context, gpus: int) -> None:
    """Connect this process to the cluster, with the stack's token.

    Args:
        context: What the job was given.
        gpus: GPUs that the run takes.

    Raises:
        UserError: It is not there, refuses the token, or lacks CPUs or GPUs that are asked for.
    """
    section = context.spec["ray"]
    address = str(section["address"])
    inside = address == "auto"  # submitted to the cluster, with the package and the token's place
    if not inside:
        _check_reachable(address)
        os.environ.update(RAY_AUTH_MODE="token", RAY_AUTH_TOKEN_PATH=str(section["tokenFile"]))
    import ray
    from ray.job_config import JobConfig

    paths = [] if inside else [str(PACKAGE_PARENT)]
    try:
        ray.init(
            address=address,
            logging_level=logging.WARNING,
            job_config=JobConfig(_py_driver_sys_path=paths),
            runtime_env=_runtime_env(context),
        )
    except Exception as error:
        raise UserError(
            f"The Ray head at {address} does not take the job: {one_line(error, 200)}",
            "The cluster behind it carries out the run, and answers only who has its token.",
            "See the job's log and that of ray-head (npm run logs).",
        ) from error
    _check_resources(ray.cluster_resources(), context, gpus)


def _runtime_env(context: Context) -> dict[str, Any] | None:
    """What the cluster's workers are prepared with; None where they need nothing."""
    certificates, checksums = context.store.ca_certificates, context.store.checksums
    if certificates is None and checksums:
        return None

    def prepare() -> None:
        if certificates is not None:
            trust(certificates)
        if not checksums:
            send_no_checksums()

    return {"worker_process_setup_hook": prepare}


def idle_worker_milliseconds() -> int | None:
    """How long the cluster keeps an idle worker; None where its nodes were not told.

    Asked of a worker, which has the environment that its node was started with.
    """
    import ray

    name = "RAY_idle_worker_killing_time_threshold_ms"

    @ray.remote(num_cpus=0)
    def threshold() -> str | None:
        return os.environ.get(name)

    milliseconds: str | None = ray.get(threshold.remote())
    return None if milliseconds is None else int(milliseconds)


def disconnect() -> None:
    """Leave the cluster, if connected."""
    import ray

    with suppress(Exception):
        ray.shutdown()


def _check_reachable(address: str) -> None:
    """Fail at once where nobody listens; `ray.init` would try for a minute."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), CONNECT_SECONDS).close()
    except OSError as error:
        raise UserError(
            f"The Ray head at {address} does not answer: {error}.",
            "The run is carried out by the cluster behind it.",
            "See whether ray-head runs (npm run status) and its log (npm run logs).",
        ) from error


def _check_resources(resources: Mapping[str, float], context: Context, gpus: int) -> None:
    """Ray waits for ever for resources that its cluster does not have: ask before.

    Raises:
        UserError: There are too few CPUs or GPUs.
    """
    cpus = int(context.spec["ray"].get("cpus") or 1)
    if resources.get("CPU", 0) < cpus or resources.get("GPU", 0) < gpus:
        raise UserError(
            f"The Ray cluster has {resources.get('CPU', 0):g} CPUs and "
            f"{resources.get('GPU', 0):g} GPUs, and the run asks for {cpus} and {gpus}.",
            "Ray would wait for them for ever.",
            "Set rayCpus to what the cluster has, or gpu to off.",
        )
