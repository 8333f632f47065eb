"""The engines that need no cluster, on a real store: every workload, judged by its oracle."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from jobs import BUCKETS, IN_PROCESS, PACKAGE, put_folder, run_job, spec_of, write_oracles
from profiles import assert_profile
from pyarrow import fs

from bench.harness import run_benchmark
from engine_comparison import engines, oracle
from engine_comparison.objects import list_files, list_parquet
from engine_comparison.protocol import Channel
from engine_comparison.store import open_store
from engine_comparison.verify import SHOWN


@pytest.fixture(scope="module")
def store(minio: dict[str, Any], creating: fs.FileSystem, store_folder: Path) -> fs.FileSystem:
    """The sample datasets in a real store, with two images damaged and one away."""
    for bucket in BUCKETS.values():
        creating.create_dir(bucket)
    store = open_store(minio)
    for bucket in ("lake", "bucket"):
        put_folder(store, store_folder / bucket, bucket)
    images = [info.path for info in list_files(store, "bucket/images")]
    with store.open_output_stream(images[1]) as stream:
        stream.write(b"no image")
    whole = (store_folder / images[2]).read_bytes()
    with store.open_output_stream(images[2]) as stream:
        stream.write(whole[: len(whole) // 2])
    store.delete_file(images[3])
    return store


@pytest.fixture(scope="module")
def oracles(store: fs.FileSystem, minio: dict[str, Any], model_folder: Path) -> None:
    write_oracles(minio, model_folder)


TOYS = Path(__file__).parent


@pytest.mark.usefixtures("oracles")
@pytest.mark.parametrize(("engine", "workload", "decoder"), IN_PROCESS)
def test_every_workload_is_verified_and_published(
    store: fs.FileSystem,
    minio: dict[str, Any],
    model_folder: Path,
    tmp_path: Path,
    engine: str,
    workload: str,
    decoder: str,
):
    spec = spec_of(minio, model_folder, workload, decoder=decoder, profile="true")
    *_, result = run_job({**spec, "engine": engine, "scratch": str(tmp_path)})
    assert result["event"] == "result", result
    assert_profile(result["profile"], engine, workload, result["rowsIn"])
    published = list_parquet(store, result["outputUri"].removeprefix("s3://").strip("/"))
    tables = [pq.read_table(i.path, filesystem=store, partitioning=None) for i in published]
    assert sum(len(table) for table in tables) == result["rows"] > 0
    if workload != "taxi-report":
        assert result["rejects"] == [
            {"reason": "missing", "count": 1},
            {"reason": "not-an-image", "count": 1},
            {"reason": "truncated", "count": 1},
        ]
        assert result["rows"] == result["rowsIn"] - 3
    workers = "modelWorkers" if engine == "plain" else "threads"
    assert result["configuration"][workers] == spec["threads"]
    if engine == "duckdb":  # which reads the store by its own client
        assert "httpfs" in result["configuration"]["extensions"]
    if engine.startswith("daft") and workload == "taxi-report":
        assert result["configuration"]["threadsStarted"] in (spec["threads"], None)
    assert result["configuration"]["persistsBetweenSamples"]
    if workload != "taxi-report":
        session = result["configuration"]["session"]
        assert session["providers"] == ["CPUExecutionProvider"]
        assert session["intraOpThreads"] == 1
    if (workload, decoder) == ("image-embeddings", "pillow"):
        assert result["deviations"]["embedding"] < 1e-5
        assert result["disagreements"] == {}
    if (workload, decoder) == ("image-embeddings", "own"):
        assert 0 < len(result["disagreements"]) <= SHOWN
    assert bool(result["tunables"]) == (engine == "plain" or engine.endswith("-tuned"))


@pytest.mark.parametrize("engine", ["plain", "daft-tuned"])
def test_a_model_whose_contract_asks_for_a_crop_gets_it(
    store: fs.FileSystem, minio: dict[str, Any], model_folder: Path, tmp_path: Path, engine: str
):
    cropping = tmp_path / "model"
    shutil.copytree(model_folder, cropping)
    contract = json.loads((cropping / "model.json").read_text())
    (cropping / "model.json").write_text(json.dumps({**contract, "crop": 0.5}))
    decoder = engines.load(engine).facts.decoder or ""
    spec = spec_of(minio, cropping, "image-embeddings", decoder=decoder)
    spec |= {"engine": engine, "scratch": str(tmp_path), "oracleKey": "0" * 16, "attempt": "crop"}
    pq.write_table(oracle.answer(spec, store), oracle.oracle_path(spec), filesystem=store)
    *_, result = run_job(spec)
    assert result["event"] == "result", result
    whole = spec_of(minio, model_folder, "image-embeddings", decoder=decoder)
    *_, result = run_job({**spec, "model": whole["model"], "attempt": "whole"})
    assert result["event"] == "failure"
    assert result["outcome"] == "wrong"


@pytest.mark.usefixtures("oracles")
def test_the_benchmark_takes_and_judges_the_samples_of_engines(
    store: fs.FileSystem,
    minio: dict[str, Any],
    model_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setenv("PYTHONPATH", str(PACKAGE.parent))
    spec = {**spec_of(minio, model_folder, "taxi-report"), "scratch": str(tmp_path)}
    names = ["polars", "daft"]
    given = [{"name": name, "spec": {**spec, "engine": name}} for name in names]
    with open(os.devnull, "w", encoding="utf-8") as nobody:
        plan = {"repeats": "1", "warmup": "1"}
        found = run_benchmark(Channel(nobody), {"plan": plan, "contenders": given})
    for one in found["contenders"]:
        assert one["verified"]["rows"] > 0
        assert [sample["kind"] for sample in one["samples"]] == ["first", "hot"]
        assert one["startUpSeconds"] > 0
        assert one["versions"]["python"]
    assert list_files(store, "output/bench") == []


@pytest.fixture
def with_toys(tmp_path: Path) -> Path:
    """The package with two contenders and a workload more, put among the others as files."""
    package = tmp_path / "engine_comparison"
    shutil.copytree(PACKAGE, package, ignore=shutil.ignore_patterns("__pycache__"))
    for folder, name in (
        ("engines", "toy"),
        ("engines", "polars_threads"),
        ("workloads", "toy_zones"),
    ):
        for suffix in (".py", ".json"):
            shutil.copy(TOYS / f"{name}{suffix}", package / folder)
    return package


@pytest.mark.usefixtures("oracles")
def test_an_engine_is_added_by_its_files(
    store: fs.FileSystem,
    minio: dict[str, Any],
    model_folder: Path,
    tmp_path: Path,
    with_toys: Path,
):
    spec = spec_of(minio, model_folder, "taxi-report")
    given = {"engine": "toy", "threads": 3, "scratch": str(tmp_path)}
    *_, result = run_job({**spec, **given}, with_toys)
    assert result["event"] == "result", result
    assert result["verified"]
    assert result["configuration"]["threads"] == 3
    assert result["configuration"]["persistsBetweenSamples"] == "the process"
    published = result["outputUri"].removeprefix("s3://").strip("/")
    assert "/engine=toy/" in published
    assert list_parquet(store, published)
    other = spec_of(minio, model_folder, "image-predictions")
    *_, failure = run_job({**other, **given}, with_toys)
    assert "cannot compute 'image-predictions'" in failure["reason"]


@pytest.mark.usefixtures("oracles")
@pytest.mark.parametrize(("given", "threads"), [({}, 4), ({"tunables": '{"threadsPerCore":3}'}, 6)])
def test_a_contender_of_an_engine_is_added_by_its_files_with_what_it_tunes(
    minio: dict[str, Any],
    model_folder: Path,
    tmp_path: Path,
    with_toys: Path,
    given: dict[str, str],
    threads: int,
):
    spec = spec_of(minio, model_folder, "taxi-report", **given)
    named = {"engine": "polars-threads", "scratch": str(tmp_path)}
    *_, result = run_job({**spec, **named}, with_toys)
    assert result["event"] == "result", result
    assert result["configuration"]["threads"] == threads
    (tunable,) = result["tunables"]
    assert (tunable["name"], tunable["value"]) == ("threadsPerCore", threads // 2)


@pytest.mark.usefixtures("store")
def test_a_workload_is_added_by_its_files_and_brings_its_oracle(
    minio: dict[str, Any], model_folder: Path, tmp_path: Path, with_toys: Path
):
    spec = spec_of(minio, model_folder, "toy-zones")
    given = {**spec, "engine": "toy", "scratch": str(tmp_path)}
    *_, right = run_job(given, with_toys, "engine_comparison.oracle")
    assert right["event"] == "result", right
    *_, result = run_job(given, with_toys)
    assert result["event"] == "result", result
    assert (result["rowsIn"], result["rows"]) == (20000, right["rows"])
    assert result["checksum"] == right["checksum"]
    assert result["outputUri"].startswith("s3://warehouse/toy-zones/engine=toy/")
    *_, failure = run_job({**given, "engine": "polars"}, with_toys)
    assert "cannot compute 'toy-zones'" in failure["reason"]


def test_a_refused_key_is_a_failure_with_advice(
    minio: dict[str, Any], model_folder: Path, tmp_path: Path
):
    spec = spec_of(minio, model_folder, "taxi-report")
    wrong = {**minio, "secretKey": "no"}
    events = run_job({**spec, "engine": "polars", "store": wrong, "scratch": str(tmp_path)})
    assert [event["event"] for event in events] == ["failure"]
    assert "refuses the access key" in events[0]["reason"]
    assert events[0]["advice"]
