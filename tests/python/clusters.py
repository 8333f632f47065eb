"""Clusters of the tests' own: a Ray head and a Spark master with workers, on loopback.

And attempts of an engine, with the cluster that it needs, at many datasets.
"""

from __future__ import annotations

import itertools
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

import engine_comparison
from engine_comparison import engines
from engine_comparison.check_gpu.clusters import Service, ray_access
from engine_comparison.check_gpu.clusters import ray_head as ray_head_in
from engine_comparison.check_gpu.clusters import spark_master as spark_master_in

PIPELINES = Path(engine_comparison.__file__).parents[1]
GPUS = 2
"""What Ray and a Spark worker are told that they have; see `fake_cuda`."""
IDLE_WORKERS = {"RAY_idle_worker_killing_time_threshold_ms": "600000"}
"""How long Ray keeps an idle worker, as infra/services.ts has it for the nodes of stacks."""

Event = dict[str, Any]
numbers = itertools.count(1)
Attempts = Callable[..., dict[str, Event]]


@contextmanager
def ray_node() -> Iterator[tuple[Service, dict[str, Any]]]:
    """A Ray head of two CPUs that says it has two GPUs: its process, and the section `ray`."""
    folder = Path(tempfile.mkdtemp(prefix="ec", dir="/tmp"))  # sockets in it need a short path
    try:
        variables = {**environment(folder), **IDLE_WORKERS}
        with ray_head_in(folder, variables, cores=2, gpus=GPUS, store_mib=128) as head:
            yield head
    finally:
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
    folder = tmp_path_factory.mktemp("spark")
    with spark_master_in(folder, environment(folder), jars, 2, 1024, gpus=[GPUS, 0]) as section:
        yield section


def environment(home: Path) -> dict[str, str]:
    """As little as a stack gives its services: nothing depends on what a shell happens to have."""
    return {"PATH": os.environ["PATH"], "HOME": str(home), "OMP_NUM_THREADS": "1"}


def with_double(notes: Path, gpus: int) -> dict[str, str]:
    """What gives an attempt the double of CUDA (`fake_cuda`), which leaves its notes there."""
    here = Path(__file__).parent
    return {
        "PYTHONPATH": f"{here / 'fake_cuda'}:{PIPELINES}:{here}",
        "FAKE_CUDA": str(notes),
        "FAKE_GPUS": str(gpus),
    }


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
