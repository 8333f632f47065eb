"""Contenders on generated photographs, on a GPU and on the CPU, as runs carry them out."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psutil
import pyarrow as pa

from .. import engines, workloads
from ..context import Context
from ..datasets.sample import photos
from ..describe import EngineFacts
from ..fork import process_fork
from ..gpu_measure import figures
from ..host import PACKAGE_PARENT
from ..judge import read_table
from ..model.build import build
from ..samples import median_seconds
from . import clusters

WORKLOAD = "image-predictions"
SAMPLES = 3
"""Those of each run, the first of them cold."""
BATCH = 32
JUDGED = 256
"""Images that the oracle answers: a sample where there are more."""


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
            ProcessError: It failed.
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
            self._clusters[cluster] = self._start(cluster)
        return {cluster: self._clusters[cluster]}

    def _start(self, cluster: str) -> dict[str, Any]:
        """Start a cluster, with one GPU."""
        folder, cores = self._folder, self.size.cores
        if cluster == "ray":
            head = clusters.ray_head(folder, os.environ, cores, gpus=1, store_mib=512)
            _, section = self._stack.enter_context(head)
            os.environ.update(clusters.ray_access(section["tokenFile"]))
            return section
        memory = max(1024, 512 * cores)
        master = clusters.spark_master(folder, os.environ, str(self._jars), cores, memory, gpus=[1])
        return self._stack.enter_context(master)


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


def _java_path() -> str:
    home = os.environ.get("JAVA_HOME")
    places = [str(Path(home) / "bin")] if home else []
    return os.pathsep.join([*places, os.environ.get("PATH", "")])
