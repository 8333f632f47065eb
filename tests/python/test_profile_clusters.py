"""Profiles of the contenders that no corrupt image may reach: a sample each, on small inputs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from clusters import PIPELINES, environment, ray_access
from jobs import put_folder, spec_of
from profiles import assert_profile
from pyarrow import fs

from engine_comparison.datasets.sample import photos, taxi
from engine_comparison.store import open_store

PROFILE = """
import json, os, sys
from engine_comparison import engines, workloads
from engine_comparison.context import Context
from engine_comparison.profile import with_bottleneck
spec = json.loads(sys.stdin.read())
engine = engines.load(spec["engine"])(Context.open(spec))
try:
    engine.start()
    profile = engine.profile(workloads.load(spec["workload"]), spec["out"]).fields()
    print("\\n" + json.dumps(with_bottleneck(profile, 1.0, 1.0)), flush=True)
finally:
    engine.stop()
os._exit(0)
"""


@pytest.fixture(scope="module")
def buckets(
    minio: dict[str, Any], creating: fs.FileSystem, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, str]:
    """The sample datasets in a bucket of this module's own."""
    creating.create_dir("profiled")
    folder = tmp_path_factory.mktemp("profiled")
    taxi.generate(folder, {"rows": "20000", "months": "3", "seed": "1"})
    photos.generate(folder, {"photos": "20", "seed": "1", "bucket": "profiled"})
    put_folder(open_store(minio), folder, "profiled")
    return dict.fromkeys(("lake", "images", "warehouse", "output"), "profiled")


@pytest.mark.parametrize(
    ("engine", "workload", "inputs"),
    [
        ("ray", "taxi-report", {}),
        ("ray-tuned", "taxi-report", {}),
        ("ray-arrow", "taxi-report", {}),
        ("daft-tuned", "taxi-report", {"daftRunner": "ray"}),
        ("ray", "image-predictions", {}),
        ("ray-tuned", "image-predictions", {}),
        ("spark", "image-predictions", {}),
        ("spark-tuned", "image-predictions", {}),
        ("daft", "image-predictions", {"daftRunner": "native"}),
        ("daft", "image-embeddings", {"daftRunner": "native"}),
    ],
)
def test_a_sample_is_profiled(
    engine: str,
    workload: str,
    inputs: dict[str, str],
    minio: dict[str, Any],
    buckets: dict[str, str],
    model_folder: Path,
    tmp_path: Path,
    request: pytest.FixtureRequest,
):
    own = {"timers": f"profiled/{engine}/timers", "out": f"profiled/{engine}/{workload}"}
    spec = {
        **spec_of(minio, model_folder, workload, buckets, **inputs),
        **own,
        "engine": engine,
        "scratch": str(tmp_path),
    }
    access = {}
    on_cluster = inputs.get("daftRunner") != "native"
    if engine.startswith("spark"):
        spec["spark"] = request.getfixturevalue("spark_master")
    elif on_cluster:
        spec["ray"] = request.getfixturevalue("ray_head")
        access = ray_access(spec["ray"]["tokenFile"])
    done = subprocess.run(
        [sys.executable, "-c", PROFILE],
        input=json.dumps(spec),
        env={**environment(tmp_path), **access, "PYTHONPATH": str(PIPELINES)},
        stdout=subprocess.PIPE,
        text=True,
        timeout=300,
        check=True,
    )
    profile = json.loads(done.stdout.splitlines()[-1])
    assert_profile(profile, engine, workload, 20 if "image" in workload else 20000)
    assert bool(profile["nodes"]) == on_cluster
    for node in profile["nodes"]:
        assert node["peakMemoryBytes"] > 2**20
        assert node["cpuSeconds"] >= 0
    kinds = {stage["kind"] for stage in profile["stages"]}
    assert kinds >= {"read", "compute"}
    shuffles = workload == "taxi-report" and engine != "ray-arrow"  # which sums up in its map calls
    assert ("shuffle" if shuffles else "write") in kinds
