"""Contenders on generated photographs, on a GPU and on the CPU, as runs carry them out."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psutil
import pyarrow as pa

from .. import engines, workloads
from ..datasets.sample import photos
from ..describe import EngineFacts
from ..engines import Context
from ..fork import PACKAGE_PARENT, process_fork
from ..gpu_measure import figures
from ..judge import read_table
from ..model.build import build
from ..samples import median_seconds

WORKLOAD = "image-predictions"
SAMPLES = 3
"""Those of each run, the first of them cold."""
BATCH = 32
JUDGED = 256
"""Images that the oracle answers: a sample where there are more."""
_WAIT_SECONDS = 120


@dataclass(frozen=True)
class Size:
    """How much is computed.

    Attributes:
        images: Photographs.
        cores: Those that contenders may use.
    """

    images: int
    cores: int


def contenders() -> list[EngineFacts]:
    """Those that can do the workload."""
    return [
        facts
        for facts in (engines.load(name).facts for name in engines.names())
        if WORKLOAD in facts.workloads
    ]


def lacks(facts: EngineFacts, jars: Path | None) -> str | None:
    """What a contender needs and this machine does not have; None if it can run."""
    module = {"spark": "pyspark"}.get(facts.engine, facts.engine)
    if facts.engine != "plain" and find_spec(module) is None:
        return f"the Python package {module}"
    if facts.cluster != "spark":
        return None
    if not shutil.which("java", path=_java_path()):
        return "Java 17 or 21 (on the PATH, or JAVA_HOME)"
    return None if jars else "the jars of pipelines/jars.lock in the folder of --wheels"


class Workbench:
    """A folder with a model, photographs and a store; clusters start when they are needed."""

    def __init__(self, folder: Path, size: Size, jars: Path | None = None) -> None:
        """Make the model and the photographs, and ask the oracle about them.

        Args:
            folder: For all that is made; it is short, since Ray has sockets in it.
            size: How much is computed.
            jars: The folder with Spark's jars that speak S3.
        """
        self.size, self._folder, self._jars = size, folder, jars
        self._stack, self._clusters = ExitStack(), dict[str, dict[str, Any]]()
        for bucket in ("images", "output"):
            (folder / "store" / bucket).mkdir(parents=True)
        photos.generate(
            folder / "store" / "images",
            {"photos": str(size.images), "seed": "1", "bucket": "images"},
        )
        build(folder / "model")
        self._store = self._stack.enter_context(_store(folder / "store", size.cores))
        self.workload = workloads.load(WORKLOAD)
        spec = self.spec("plain", "cpu")
        self.oracle = self.workload.right_answer(spec, Context.open(spec).filesystem)

    def __enter__(self) -> Workbench:
        return self

    def __exit__(self, *_: object) -> None:
        """End the store and the clusters."""
        self._stack.close()

    @property
    def model(self) -> Path:
        """The model's file."""
        return self._folder / "model" / "model.onnx"

    def spec(self, engine: str, device: str) -> dict[str, Any]:
        """What a contender's process is told."""
        gpus = int(device == "cuda")
        facts = engines.load(engine).facts
        return {
            "engine": engine,
            "workload": WORKLOAD,
            "inputs": {
                "batchSize": str(BATCH),
                "oracleImages": str(JUDGED),
                "decoder": facts.decoder or "",
                "daftRunner": "native",
                "device": device,
                **({"gpus": "1", "gpuWorkers": "1"} if gpus else {}),
            },
            "store": self._store,
            "buckets": {"lake": "images", "images": "images", "output": "output"},
            "threads": self.size.cores,
            "limits": {"cores": self.size.cores, "memoryBytes": psutil.virtual_memory().total},
            "model": {"path": str(self.model)},
            "services": [],
            "scratch": str(self._scratch(engine)),
            **self._cluster(facts.cluster),
        }

    def run(self, engine: str, device: str) -> dict[str, Any]:
        """Take the samples of a contender and judge the last one.

        Returns:
            `seconds` (the median of the hot samples), `imagesPerSecond`, `verified`, `message`,
            `deviations`, `agreement`, `configuration`, and on a GPU `gpu`, as in a result.

        Raises:
            UserError: The contender cannot do it.
            ToldError: It failed.
        """
        spec = self.spec(engine, device)
        outputs = [f"output/{engine}-{device}/{at}" for at in range(SAMPLES)]
        with process_fork(spec) as fork:
            fork.start()
            for output in outputs:
                fork.sample(output)
            described = fork.describe()
        hot = fork.samples[1:]
        seconds = median_seconds([hot])
        verdict = self.judge(read_table(Context.open(spec), outputs[-1]), spec["inputs"])
        rate = self.size.images / seconds
        gpu = figures([one.gpus for one in hot], rate, self.size.cores)
        return {
            "seconds": round(seconds, 4),
            "samples": [round(one.total_seconds, 4) for one in fork.samples],
            "imagesPerSecond": round(rate, 2),
            **verdict,
            "configuration": described["configuration"],
            **({"gpu": gpu} if device == "cuda" else {}),
        }

    def judge(self, answers: pa.Table, inputs: Mapping[str, str]) -> dict[str, Any]:
        """Compare answers with the oracle's, as runs do, within the tolerances for that device."""
        verdict = self.workload.verify(answers, self.oracle, inputs)
        return {
            "verified": verdict.verified,
            "message": verdict.message,
            "deviations": verdict.deviations,
            "agreement": verdict.agreement,
        }

    def _scratch(self, engine: str) -> Path:
        folder = self._folder / "scratch" / engine
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def _cluster(self, cluster: str) -> dict[str, Any]:
        """The section of a spec with the cluster that a contender computes on."""
        if cluster not in ("ray", "spark"):
            return {}
        if cluster not in self._clusters:
            started = (
                _ray(self._folder, self.size.cores)
                if cluster == "ray"
                else _spark(self._folder, self.size.cores, self._jars)
            )
            self._clusters[cluster] = self._stack.enter_context(started)
        section = self._clusters[cluster]
        os.environ.update(section.pop("environment", {}))
        return {cluster: section}


@contextmanager
def _store(folder: Path, cores: int) -> Iterator[dict[str, Any]]:
    """The store over a folder, as the section `store` of a spec."""
    command = [sys.executable, "-m", f"{__package__}.folder_store", str(folder)]
    server = subprocess.Popen(
        [*command, str(max(1, min(4, cores // 4)))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=PACKAGE_PARENT,
    )
    assert server.stdin is not None
    assert server.stdout is not None
    try:
        yield {
            "endpoint": f"http://127.0.0.1:{int(server.stdout.readline())}",
            "region": "us-east-1",
            "accessKey": "anybody",
            "secretKey": "anybody",
            "pathStyle": True,
            "pids": [server.pid],
        }
    finally:
        server.stdin.close()
        server.wait()


@contextmanager
def _ray(folder: Path, cores: int) -> Iterator[dict[str, Any]]:
    """A Ray head on loopback, as the section `ray` of a spec."""
    token = folder / "ray-token"
    token.touch(mode=0o600)
    token.write_text(secrets.token_hex(16))
    access = {
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN_PATH": str(token),
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
    }
    port = _free_port()
    options = {
        "node-ip-address": "127.0.0.1",
        "port": port,
        "ray-client-server-port": _free_port(),
        "include-dashboard": "false",
        "min-worker-port": 0,
        "max-worker-port": 0,
        "num-cpus": cores,
        "num-gpus": 1,
        "object-store-memory": 512 * 2**20,
        "temp-dir": folder / "ray",
    }
    command = [sys.executable, "-m", "engine_comparison.ray_node", "start", "--head", "--block"]
    command += [f"--{name}={value}" for name, value in options.items()]
    path = os.pathsep.join(filter(None, (str(PACKAGE_PARENT), os.environ.get("PYTHONPATH"))))
    environment = {**os.environ, **access, "PYTHONPATH": path}
    with _service([*command, "--disable-usage-stats"], environment, folder / "ray.log") as head:
        _wait_for(port, head)
        yield {
            "address": f"127.0.0.1:{port}",
            "tokenFile": str(token),
            "cpus": cores,
            "environment": access,
        }


@contextmanager
def _spark(folder: Path, cores: int, jars: Path | None) -> Iterator[dict[str, Any]]:
    """A Spark master with a worker on loopback, as the section `spark` of a spec."""
    import pyspark

    program = str(Path(pyspark.__file__).parent / "bin" / "spark-class")
    secret, settings = folder / "spark-secret", folder / "spark.properties"
    for file in (secret, settings):
        file.touch(mode=0o600)
    secret.write_text(secrets.token_hex(16))
    settings.write_text(
        f"spark.authenticate true\nspark.authenticate.secret {secret.read_text()}\n"
        "spark.master.rest.enabled false\n"
    )
    common = ["--host", "127.0.0.1", "--webui-port", "0", "--properties-file", str(settings)]
    environment = {
        **os.environ,
        "SPARK_LOCAL_IP": "127.0.0.1",
        "SPARK_DAEMON_MEMORY": "256m",
        # A user's own settings say nothing here.
        "SPARK_CONF_DIR": str(folder),
    }
    find_gpus = folder / "find-gpus.sh"
    find_gpus.write_text("""#!/bin/sh\necho '{"name": "gpu", "addresses": ["0"]}'\n""")
    find_gpus.chmod(0o700)
    resource = "-Dspark.worker.resource.gpu"
    offers = f"{resource}.amount=1 {resource}.discoveryScript={find_gpus}"
    port, memory = _free_port(), f"{max(1024, 512 * cores)}m"
    kind = "org.apache.spark.deploy."
    with ExitStack() as stack:
        log = folder / "spark.log"
        master = [program, f"{kind}master.Master", *common, "--port", str(port)]
        _wait_for(port, stack.enter_context(_service(master, environment, log)))
        sizes = ["--cores", str(cores), "--memory", memory, "--work-dir", str(folder / "spark")]
        worker = [program, f"{kind}worker.Worker", *common, *sizes, f"spark://127.0.0.1:{port}"]
        stack.enter_context(_service(worker, {**environment, "SPARK_WORKER_OPTS": offers}, log))
        yield {
            "master": f"spark://127.0.0.1:{port}",
            "jars": str(jars),
            "javaHome": os.environ.get("JAVA_HOME"),
            "secretFile": str(secret),
            "workerCores": cores,
            "workerMemory": memory,
            "portBase": _free_port(),
        }


@contextmanager
def _service(
    command: list[str], environment: Mapping[str, str], log: Path
) -> Iterator[subprocess.Popen[bytes]]:
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


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _WAIT_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with suppress(OSError):
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        time.sleep(0.1)
    raise RuntimeError(f"{process.args!r} does not listen on port {port}")


def _java_path() -> str:
    home = os.environ.get("JAVA_HOME")
    places = [str(Path(home) / "bin")] if home else []
    return os.pathsep.join([*places, os.environ.get("PATH", "")])
