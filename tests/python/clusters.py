"""Clusters of the tests' own: a Ray head and a Spark master with workers, on loopback.

And attempts of an engine, with the cluster that it needs, at many datasets.
"""

from __future__ import annotations

import itertools
import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import MappingProxyType
from typing import Any

import psutil
import pytest
from jobs import free_port

import engine_comparison
from engine_comparison import engines

PIPELINES = Path(engine_comparison.__file__).parents[1]
WAIT_SECONDS = 120
GPUS = 2
"""What Ray and a Spark worker are told that they have; see `fake_cuda`."""

Event = dict[str, Any]
numbers = itertools.count(1)
Attempts = Callable[..., dict[str, Event]]


@contextmanager
def ray_node() -> Iterator[tuple[subprocess.Popen[bytes], dict[str, Any]]]:
    """A Ray head of two CPUs that says it has two GPUs: its process, and the section `ray`."""
    folder = Path(tempfile.mkdtemp(prefix="ec", dir="/tmp"))  # sockets in it need a short path
    token = folder / "token"
    token.write_text(secrets.token_hex(16))
    port = free_port()
    options = {
        "node-ip-address": "127.0.0.1",
        "port": port,
        "ray-client-server-port": free_port(),
        "include-dashboard": "false",
        "min-worker-port": 0,
        "max-worker-port": 0,
        "num-cpus": 2,
        "num-gpus": GPUS,
        "object-store-memory": 128 * 2**20,
        "temp-dir": folder / "ray",
    }
    command = [sys.executable, "-m", "engine_comparison.ray_node", "start", "--head", "--block"]
    command += [f"--{name}={value}" for name, value in options.items()]
    head = subprocess.Popen(
        [*command, "--disable-usage-stats"],
        env={**environment(folder), **ray_access(str(token)), "PYTHONPATH": str(PIPELINES)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.STDOUT,
    )
    try:
        wait_for(port, head)
        yield head, {"address": f"127.0.0.1:{port}", "tokenFile": str(token), "cpus": 2}
    finally:
        end(head)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def ray_head() -> Iterator[dict[str, Any]]:
    """The section `ray` of a spec, with a head behind it."""
    with ray_node() as (_, section):
        yield section


@pytest.fixture(scope="session")
def spark_master(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """A Spark master with two workers of two cores, as the section `spark` of a spec."""
    jars = os.environ.get("SPARK_JARS")
    if not jars or not shutil.which("java"):
        pytest.skip("set SPARK_JARS to a folder with S3A's jars, and have Java, to test Spark")
    import pyspark

    folder = tmp_path_factory.mktemp("spark")
    (folder / "secret").write_text(secrets.token_hex(16))
    settings = folder / "daemons.properties"
    settings.write_text(
        "spark.authenticate true\n"
        f"spark.authenticate.secret {(folder / 'secret').read_text()}\n"
        "spark.master.rest.enabled false\n"
    )
    port = free_port()

    def daemon(kind: str, *args: str, **more: str) -> subprocess.Popen[bytes]:
        program = Path(pyspark.__file__).parent / "bin" / "spark-class"
        common = ["--host", "127.0.0.1", "--webui-port", "0", "--properties-file", str(settings)]
        return subprocess.Popen(
            [str(program), f"org.apache.spark.deploy.{kind}", *common, *args],
            env={
                **environment(folder),
                "SPARK_LOCAL_IP": "127.0.0.1",
                "SPARK_DAEMON_MEMORY": "256m",
                **more,
            },
            stdout=subprocess.DEVNULL,
            stderr=subprocess.STDOUT,
        )

    resource = "-Dspark.worker.resource.gpu"
    find_gpus = PIPELINES / "engine_comparison" / "spark_gpus.sh"
    gpus = {  # as infra/services.ts has it
        "SPARK_WORKER_GPUS": " ".join(map(str, range(GPUS))),
        "SPARK_WORKER_OPTS": f"{resource}.amount={GPUS} {resource}.discoveryScript={find_gpus}",
    }
    started = [daemon("master.Master", "--port", str(port))]
    try:
        wait_for(port, started[0])
        for worker in ("1", "2"):
            sizes = ["--cores", "2", "--memory", "1g", "--work-dir", str(folder / worker)]
            offered = gpus if worker == "1" else {}
            started.append(daemon("worker.Worker", *sizes, f"spark://127.0.0.1:{port}", **offered))
        yield {
            "master": f"spark://127.0.0.1:{port}",
            "jars": jars,
            "javaHome": None,
            "secretFile": str(folder / "secret"),
            "workerCores": 2,
            "workerMemory": "1024m",
            "portBase": free_port(),
        }
    finally:
        for process in reversed(started):
            end(process)


def environment(home: Path) -> dict[str, str]:
    """As little as a stack gives its services: nothing depends on what a shell happens to have."""
    return {"PATH": os.environ["PATH"], "HOME": str(home), "OMP_NUM_THREADS": "1"}


def ray_access(token: str) -> dict[str, str]:
    """What a process needs to talk to the head, and keeps both on the loopback interface."""
    return {
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN_PATH": token,
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
    }


def wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < deadline:
        assert process.poll() is None, f"{process.args} ended with {process.returncode}"
        with suppress(OSError):
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        time.sleep(0.2)
    raise AssertionError(f"nobody listens on {port}")


def end(process: subprocess.Popen[bytes]) -> None:
    """Ends a process and all that it started, by their ids."""
    with suppress(psutil.NoSuchProcess):
        family = psutil.Process(process.pid).children(recursive=True)
        process.kill()
        for one in family:
            with suppress(psutil.NoSuchProcess):
                one.kill()
    process.wait()


@pytest.fixture(scope="session")
def attempt(
    minio: dict[str, Any],
    model_folder: Path,
    tmp_path_factory: pytest.TempPathFactory,
    request: pytest.FixtureRequest,
) -> Attempts:
    """Makes an engine, or the oracle, try the datasets of some places; place to last event."""

    def attempts(
        engine: str,
        workload: str,
        places: list[str],
        store: dict[str, Any] = minio,
        module: str = "many_attempts",
        variables: Mapping[str, str] = MappingProxyType({}),
        **inputs: str,
    ) -> dict[str, Event]:
        scratch = tmp_path_factory.mktemp(engine)
        facts = None if engine == "oracle" else engines.load(engine).facts
        asked = {
            "decoder": (facts and facts.decoder) or "pillow",
            "fareAbove": "30",
            "batchSize": "8",
            "oracleImages": "1000",
            "maxRejected": "1000000",
            **inputs,
        }
        spec = {
            "engine": engine,
            "workload": workload,
            "key": "0123456789abcdef",
            "attempt": f"a{next(numbers)}",
            "inputs": {"warmup": "0", "repeats": "1", "device": "cpu", **asked},
            "store": store,
            "threads": 2,
            "limits": {"cores": 2, "memoryBytes": 16 * 2**30},
            "model": {"path": str(model_folder / "model.onnx")},
            "services": [],
            "scratch": str(scratch),
        }
        access = {}
        cluster = facts.cluster if facts else "none"
        if cluster == "daftRunner":
            cluster = inputs.get("daftRunner", "native")
        if cluster == "spark":
            spec["spark"] = request.getfixturevalue("spark_master")
        if cluster == "ray":
            spec["ray"] = request.getfixturevalue("ray_head")
            access = ray_access(spec["ray"]["tokenFile"])
        done = subprocess.run(
            [sys.executable, "-m", module],
            input=json.dumps({"spec": spec, "places": places}) + "\n",
            cwd=PIPELINES,
            env={
                **environment(scratch),
                **access,
                "PYTHONPATH": f"{PIPELINES}:{Path(__file__).parent}",
                **variables,
            },
            stdout=subprocess.PIPE,
            text=True,
            timeout=300 + 60 * len(places),
            check=False,
        )
        events = [json.loads(line) for line in done.stdout.splitlines()]
        assert done.returncode == 0, f"{engine} crashed ({done.returncode}) after {events[-1:]}"
        return {event["place"]: event for event in events}

    return attempts
