"""What engines promise without their services: to be found, to fail clearly, to keep secrets."""

from __future__ import annotations

import os
import socket
import stat
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import fs

from engine_comparison import engines, workloads
from engine_comparison.batches import fetched_ahead
from engine_comparison.describe import EngineFacts
from engine_comparison.engines import Context, Engine
from engine_comparison.errors import UserError
from engine_comparison.ray_cluster import _check_resources
from engine_comparison.workloads.taxi_inputs import TRIPS_READ, ZONES
from engine_comparison.workloads.taxi_report_oracle import REPORT_SQL


def closed_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@pytest.fixture
def spec(tmp_path: Path) -> dict[str, Any]:
    (tmp_path / "secret").write_text("the-spark-secret\n")
    (tmp_path / "token").write_text("the-ray-token")
    return {
        "engine": "x",
        "workload": "taxi-report",
        "inputs": {"fareAbove": "30", "batchSize": "8", "device": "cpu"},
        "store": {
            "endpoint": "http://127.0.0.1:9000",
            "region": "us-east-1",
            "accessKey": "the-access-key",
            "secretKey": "the-secret-key",
            "pathStyle": True,
        },
        "buckets": {
            "lake": "lake",
            "images": "bucket",
            "warehouse": "warehouse",
            "output": "output",
        },
        "spark": {
            "master": f"spark://127.0.0.1:{closed_port()}",
            "jars": "/jars",
            "javaHome": None,
            "secretFile": str(tmp_path / "secret"),
            "workers": 2,
            "workerCores": 3,
            "workerMemory": "2g",
            "portBase": 30000,
        },
        "ray": {
            "address": f"127.0.0.1:{closed_port()}",
            "tokenFile": str(tmp_path / "token"),
            "cpus": 2,
            "gpus": 0,
        },
        "threads": 2,
        "gpuWorkers": 1,
        "model": {"path": "m", "labels": "l"},
        "services": [],
        "limits": {"cores": 2, "memoryBytes": 8 * 2**30},
        "scratch": str(tmp_path / "scratch"),
    }


@pytest.fixture
def context(spec: dict[str, Any], local_store: fs.FileSystem) -> Context:
    return Context(spec, local_store)


def test_engines_are_found_by_their_place():
    assert {"daft", "plain", "polars", "ray", "spark"} <= set(engines.names())


@pytest.mark.parametrize("name", engines.names())
def test_every_engine_has_a_method_for_each_of_its_workloads(name: str, context: Context):
    engine = engines.load(name)
    assert engine(context).name == name
    assert engine(context).persists()
    for workload in workloads.names():
        method = getattr(engine, workload.replace("-", "_"), None)
        assert callable(method) == (workload in engine.facts.workloads)


def test_every_engine_states_packages_that_are_installed():
    for name in engines.names():
        for package in engines.load(name).facts.packages:
            assert metadata.version(package)


def test_an_unknown_engine_is_refused_with_the_known_ones():
    with pytest.raises(UserError, match="no engine 'flink'") as raised:
        engines.load("flink")
    assert f"Use one of: {', '.join(engines.names())}." in raised.value.do


def test_a_workload_that_an_engine_has_no_method_for_is_refused(context: Context):
    class Half(Engine):
        facts = EngineFacts("half", "Half", "half", "other")

        def start(self) -> None: ...

        def persists(self) -> str:
            return "nothing"

        def configuration(self) -> dict[str, Any]:
            return {}

        def stop(self) -> None: ...

    with pytest.raises(UserError, match="'half' cannot compute 'taxi-report'"):
        Half(context).run(workloads.load("taxi-report"), "x/y")


@pytest.mark.parametrize(
    ("name", "inputs", "said"),
    [
        ("ray", {"rayCompute": "tasks"}, "model that tasks cached"),
        ("ray", {"rayCompute": "actors"}, "started anew for each sample"),
        ("daft", {"daftRunner": "native"}, "the process"),
        ("daft", {"daftRunner": "ray"}, "the cluster"),
    ],
)
def test_what_persists_is_said_of_the_way_an_engine_runs(
    spec: dict[str, Any],
    local_store: fs.FileSystem,
    name: str,
    inputs: dict[str, str],
    said: str,
):
    spec["inputs"].update(inputs)
    assert said in engines.load(name)(Context(spec, local_store)).persists()


def test_a_context_never_shows_its_secrets(context: Context):
    assert "the-secret-key" not in repr(context)
    assert "the-secret-key" not in repr(context.store)


@pytest.mark.parametrize(("name", "who"), [("spark", "Spark master"), ("ray", "Ray head")])
def test_a_cluster_that_is_away_is_told_at_once(context: Context, name: str, who: str):
    engine = engines.load(name)(context)
    with pytest.raises(UserError, match=f"The {who} at .* does not answer"):
        engine.start()
    engine.stop()


class FakeJvm:
    """As much of pyspark as waiting for executors touches."""

    def __init__(self, executors: int) -> None:
        self.executors = executors

    def __getattr__(self, _: str) -> Any:
        return self

    def __call__(self, *_: Any) -> Any:
        return self

    def size(self) -> int:
        return self.executors + 1


def test_spark_does_not_wait_for_ever_for_workers(
    context: Context, monkeypatch: pytest.MonkeyPatch
):
    from engine_comparison.engines import spark

    monkeypatch.setattr(spark, "WAIT_SECONDS", 0.2)
    engine = spark.Spark(context)
    engine._session = FakeJvm(1)  # type: ignore[assignment]
    with pytest.raises(UserError, match="waiting for workers: 1 of 2"):
        engine._wait_for_executors()
    engine._session = FakeJvm(2)  # type: ignore[assignment]
    engine._wait_for_executors()


def test_sparks_secrets_are_in_a_private_file_and_nowhere_else(context: Context):
    from engine_comparison.engines import spark

    engine = spark.Spark(context)
    before = dict(os.environ)
    try:
        conf = context.scratch / "conf"
        settings = engine._settings("127.0.0.1")
        spark._write_private(conf / "spark-defaults.conf", spark._as_properties(settings))
        spark._set_environment(conf, "127.0.0.1", None, sys.executable)
        added = {name: os.environ[name] for name in os.environ.keys() - before.keys()}
    finally:
        os.environ.clear()
        os.environ.update(before)
    file = conf / "spark-defaults.conf"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert "spark.authenticate.secret=the-spark-secret\n" in file.read_text()
    secrets = ("the-spark-secret", "the-secret-key", "the-access-key")
    assert not any(secret in value for value in added.values() for secret in secrets)
    # What becomes arguments of the executors' JVMs or their environment has none either.
    shown = {k: v for k, v in settings.items() if "Options" in k or "Env" in k or "Path" in k}
    assert shown
    assert not any(secret in value for value in shown.values() for secret in secrets)


def test_spark_is_sized_by_its_workers(context: Context):
    from engine_comparison.engines.spark import Spark

    settings = Spark(context)._settings("127.0.0.1")
    assert settings["spark.cores.max"] == "6"
    assert settings["spark.executor.cores"] == "3"
    assert settings["spark.sql.shuffle.partitions"] == "6"
    assert settings["spark.driver.port"] == "30000"
    assert "TieredStopAtLevel=1" in settings["spark.executor.extraJavaOptions"]


def test_workers_on_other_machines_get_all_files_of_the_model(
    spec: dict[str, Any], local_store: fs.FileSystem, tmp_path: Path
):
    from engine_comparison.engines.spark import Spark

    folder = tmp_path / "model"
    folder.mkdir()
    names = ["labels.json", "model.onnx", "model.onnx.data"]
    for name in names:
        (folder / name).touch()
    spec["spark"]["packages"] = "/packages.tgz"
    spec["model"] = {"path": str(folder / "model.onnx"), "labels": None}
    settings = Spark(Context(spec, local_store))._settings("127.0.0.1")
    assert settings["spark.files"] == ",".join(str(folder / name) for name in names)


def test_properties_keep_backslashes():
    from engine_comparison.engines.spark import _as_properties

    assert _as_properties({"a": "b\\c"}) == "a=b\\\\c\n"


@pytest.mark.parametrize(
    ("has", "device", "fits"),
    [
        ({"CPU": 2.0}, "cpu", True),
        ({"CPU": 1.0}, "cpu", False),
        ({"CPU": 2.0}, "cuda", False),
        ({"CPU": 2.0, "GPU": 1.0}, "cuda", True),
    ],
)
def test_ray_is_not_asked_for_what_it_does_not_have(
    spec: dict[str, Any], local_store: fs.FileSystem, has: dict[str, float], device: str, fits: bool
):
    spec["inputs"]["device"] = device
    context = Context(spec, local_store)
    if fits:
        _check_resources(has, context)
    else:
        with pytest.raises(UserError, match="asks for"):
            _check_resources(has, context)


@pytest.mark.parametrize(
    ("wanted", "device", "compute"),
    [
        ("auto", "cpu", "tasks"),
        ("auto", "cuda", "actors"),
        ("tasks", "cuda", "tasks"),
        ("actors", "cpu", "actors"),
    ],
)
def test_ray_takes_actors_with_a_gpu_and_tasks_without(
    spec: dict[str, Any], local_store: fs.FileSystem, wanted: str, device: str, compute: str
):
    from engine_comparison.engines.ray import Ray

    spec["inputs"].update(rayCompute=wanted, device=device)
    assert Ray(Context(spec, local_store)).compute == compute


amounts = st.one_of(st.none(), st.integers(-9_999, 999_999).map(lambda cents: cents / 100))
trips = st.fixed_dictionaries(
    {
        "PULocationID": st.one_of(st.none(), st.integers(1, 6)),
        "fare_amount": amounts,
        "tip_amount": amounts,
        "total_amount": amounts,
        "trip_distance": amounts,
    }
)
ZONE_TABLE = pa.table(
    {
        "LocationID": [1, 2, 3, 4],
        "Borough": ["Queens", "Bronx", "N/A", "Unknown"],
        "Zone": ["a", "b", "c", "d"],
        "service_zone": ["N/A"] * 4,
    },
    schema=ZONES,
)


@settings(max_examples=40)
@given(st.lists(st.lists(trips, max_size=6), min_size=1, max_size=4))
def test_rays_sums_of_blocks_are_the_report_of_the_whole(blocks: list[list[dict[str, Any]]]):
    import duckdb

    from engine_comparison.engines.ray import report_of, sums_by_borough

    tables = [pa.Table.from_pylist(block, schema=TRIPS_READ) for block in blocks]
    ours = report_of(
        pa.concat_tables([sums_by_borough(table, ZONE_TABLE, 30.0) for table in tables])
    )
    with duckdb.connect() as connection:
        connection.register("trips", pa.concat_tables(tables))
        connection.register("zones", ZONE_TABLE)
        right = connection.execute(REPORT_SQL, {"fare_above": 30.0}).to_arrow_table()
    verdict = workloads.load("taxi-report").verify(ours, right, {})
    assert verdict.verified, verdict.message


@given(st.lists(st.lists(st.integers(), max_size=5), max_size=12))
def test_fetching_ahead_keeps_batches_and_order(batches: list[list[int]]):
    assert list(fetched_ahead(batches, str)) == [(b, [str(n) for n in b]) for b in batches]


def test_an_error_of_a_fetch_reaches_who_asked():
    def fetch(item: int) -> int:
        if item == 5:
            raise OSError("gone")
        return item

    with pytest.raises(OSError, match="gone"):
        list(fetched_ahead([[1, 2], [5], [6]], fetch))


def test_fetching_stays_only_some_batches_ahead():
    taken = []

    def batches() -> Any:
        for n in range(100):
            taken.append(n)
            yield [n]

    stream = fetched_ahead(batches(), str)
    next(stream)
    assert len(taken) <= 4
    stream.close()


def test_pixels_reach_rays_actors_as_they_were(local_store: fs.FileSystem, session: Any):
    from engine_comparison.batches import ModelTask
    from engine_comparison.engines.ray import ModelActor
    from engine_comparison.workloads.image_inputs import read_image, read_metadata

    urls = read_metadata(local_store, "bucket").column("image_url").to_pylist()[:3]
    workload: Any = workloads.load("image-embeddings")
    files = [read_image(local_store, url) for url in urls]
    right = workload.infer(session, urls, files)

    class Task(ModelTask):
        def session(self) -> Any:
            return session

    from engine_comparison.images import decode_batch

    pixels = decode_batch(files, session.size).pixels
    table = pa.table({"image_url": urls, "pixels": [p.tobytes() for p in pixels]})
    answered = ModelActor(Task({}, {}, "cpu", "image-embeddings"))(table)
    assert answered.column("image_url").to_pylist() == urls
    np.testing.assert_array_equal(
        answered.column("embedding").combine_chunks().flatten(),
        right.column("embedding").flatten(),
    )
