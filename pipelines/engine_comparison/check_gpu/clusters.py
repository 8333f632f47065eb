"""Clusters on loopback, each for as long as a block: a Ray head, a Spark master with workers."""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil

from ..host import PACKAGE_PARENT

WAIT_SECONDS = 120
"""How long a service may take until it listens."""

Service = subprocess.Popen[bytes]


@contextmanager
def ray_head(
    folder: Path, environment: Mapping[str, str], cores: int, gpus: int, store_mib: int
) -> Iterator[tuple[Service, dict[str, Any]]]:
    """A Ray head with its node.

    Args:
        folder: For its files; it is short, since Ray has sockets in it.
        environment: What its processes get besides.
        cores: CPUs that it offers.
        gpus: GPUs that it offers.
        store_mib: Size of its object store.

    Yields:
        Its process, and the section `ray` of a spec.

    Raises:
        RuntimeError: It does not start.
    """
    token, port = _private(folder / "ray-token", secrets.token_hex(16)), free_port()
    options = {
        "node-ip-address": "127.0.0.1",
        "port": port,
        "ray-client-server-port": free_port(),
        "include-dashboard": "false",
        "min-worker-port": 0,
        "max-worker-port": 0,
        "num-cpus": cores,
        "num-gpus": gpus,
        "object-store-memory": store_mib * 2**20,
        "temp-dir": folder / "ray",
    }
    command = [sys.executable, "-m", "engine_comparison.ray_node", "start", "--head", "--block"]
    command += [f"--{name}={value}" for name, value in options.items()]
    path = os.pathsep.join(filter(None, (str(PACKAGE_PARENT), environment.get("PYTHONPATH"))))
    variables = {**environment, **ray_access(str(token)), "PYTHONPATH": path}
    with service([*command, "--disable-usage-stats"], variables, folder / "ray.log") as head:
        wait_for(port, head)
        yield head, {"address": f"127.0.0.1:{port}", "tokenFile": str(token), "cpus": cores}


def ray_access(token: str) -> dict[str, str]:
    """What a process needs to talk to the head, and keeps both on the loopback interface."""
    return {
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN_PATH": token,
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
    }


@contextmanager
def spark_master(
    folder: Path,
    environment: Mapping[str, str],
    jars: str,
    cores: int,
    memory_mib: int,
    gpus: Sequence[int],
) -> Iterator[dict[str, Any]]:
    """A Spark master with workers.

    Args:
        folder: For its files.
        environment: What its processes get besides.
        jars: The folder with the jars that speak S3.
        cores: Cores of each worker.
        memory_mib: Memory of each worker's executors.
        gpus: How many GPUs each worker offers, the first ones of CUDA's.

    Yields:
        The section `spark` of a spec.

    Raises:
        RuntimeError: It does not start.
    """
    import pyspark

    program = str(Path(pyspark.__file__).parent / "bin" / "spark-class")
    secret = secrets.token_hex(16)
    settings = _private(
        folder / "spark.properties",
        f"spark.authenticate true\nspark.authenticate.secret {secret}\n"
        "spark.master.rest.enabled false\n",
    )
    common = ["--host", "127.0.0.1", "--webui-port", "0", "--properties-file", str(settings)]
    variables = {
        **environment,
        "SPARK_LOCAL_IP": "127.0.0.1",
        "SPARK_DAEMON_MEMORY": "256m",
        # A user's own settings say nothing here.
        "SPARK_CONF_DIR": str(folder),
    }
    port, memory, log = free_port(), f"{memory_mib}m", folder / "spark.log"
    address, kind = f"spark://127.0.0.1:{port}", "org.apache.spark.deploy."
    with ExitStack() as stack:
        command = [program, f"{kind}master.Master", *common, "--port", str(port)]
        wait_for(port, stack.enter_context(service(command, variables, log)))
        for at, offered in enumerate(gpus):
            sizes = ["--cores", str(cores), "--memory", memory]
            place = ["--work-dir", str(folder / f"worker-{at}"), address]
            command = [program, f"{kind}worker.Worker", *common, *sizes, *place]
            stack.enter_context(service(command, {**variables, **_offer(offered)}, log))
        yield {
            "master": address,
            "jars": jars,
            "javaHome": environment.get("JAVA_HOME"),
            "secretFile": str(_private(folder / "spark-secret", secret)),
            "workerCores": cores,
            "workerMemory": memory,
            "portBase": free_port(),
        }


def _offer(gpus: int) -> dict[str, str]:
    """What makes a worker of Spark offer GPUs, as infra/services.ts has it."""
    if gpus == 0:
        return {}
    resource, script = "-Dspark.worker.resource.gpu", Path(__file__).parents[1] / "spark_gpus.sh"
    return {
        "SPARK_WORKER_GPUS": " ".join(map(str, range(gpus))),
        "SPARK_WORKER_OPTS": f"{resource}.amount={gpus} {resource}.discoveryScript={script}",
    }


def _private(file: Path, text: str) -> Path:
    """A file that only its owner can read."""
    file.touch(mode=0o600)
    file.write_text(text, encoding="utf-8")
    return file


@contextmanager
def service(command: list[str], environment: Mapping[str, str], log: Path) -> Iterator[Service]:
    """A process that lives as long as the block, with all that it starts."""
    with log.open("ab") as file:
        process = subprocess.Popen(command, env=dict(environment), stdout=file, stderr=file)
    try:
        yield process
    finally:
        with suppress(psutil.NoSuchProcess):
            family = psutil.Process(process.pid).children(recursive=True)
            process.kill()
            for one in family:
                with suppress(psutil.NoSuchProcess):
                    one.kill()
        process.wait()


def free_port() -> int:
    """A port of loopback that nobody has."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def wait_for(port: int, process: Service) -> None:
    """Wait until a process listens.

    Raises:
        RuntimeError: It ends before, or does not within `WAIT_SECONDS`.
    """
    deadline = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with suppress(OSError):
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        time.sleep(0.1)
    raise RuntimeError(f"{process.args!r} does not listen on port {port}")
