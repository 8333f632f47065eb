"""Spark's contenders: what they set, what they keep secret, and what they read back."""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from clusters import environment
from jobs import NO_STORE, spec_of
from profiles import assert_profile
from pyarrow import fs

from engine_comparison import engines, workloads
from engine_comparison.context import Context
from engine_comparison.engines import spark_application, spark_launch
from engine_comparison.engines.spark_application import DRIVER_OPTIONS, EXECUTOR_OPTIONS
from engine_comparison.engines.spark_comet import X86_64_V3, lacks
from engine_comparison.errors import UserError
from engine_comparison.host import PACKAGE_PARENT
from engine_comparison.objects import list_parquet
from engine_comparison.store import open_store

ADDRESSES = (
    "spark.app.",
    "spark.hadoop.fs.s3a.",
    "spark.authenticate",
    "spark.driver.",
    "spark.ui.",
)
SIZES = {"spark.cores.max", "spark.executor.cores", "spark.executor.memory"}
PLACES = {
    "spark.master",
    "spark.blockManager.port",
    "spark.port.maxRetries",
    "spark.executor.extraClassPath",
    "spark.executorEnv.PYTHONPATH",
    "spark.pyspark.python",
    "spark.local.dir",
    "spark.sql.warehouse.dir",
}
REACHED = {"endpoint", "endpoint.region", "path.style.access", "connection.ssl.enabled"}
KEYS = {"access.key", "secret.key", "aws.credentials.provider"}


@pytest.fixture
def spec(tmp_path: Path) -> dict[str, Any]:
    (tmp_path / "secret").write_text("the-spark-secret\n")
    return {
        **spec_of(NO_STORE, tmp_path, "taxi-report"),
        "spark": {
            "master": "spark://127.0.0.1:1",
            "jars": "/jars",
            "javaHome": None,
            "secretFile": str(tmp_path / "secret"),
            "workerCores": 3,
            "workerMemory": "2048m",
            "portBase": 30000,
        },
        "limits": {"cores": 6, "memoryBytes": 8 * 2**30},
        "scratch": str(tmp_path / "scratch"),
    }


@pytest.fixture
def context(spec: dict[str, Any], local_store: fs.FileSystem) -> Context:
    return Context(spec, local_store)


def settings_of(name: str, context: Context) -> dict[str, str]:
    engine: Any = engines.load(name)(context)
    settings: dict[str, str] = engine.settings("127.0.0.1")
    return settings


def test_the_documented_one_is_given_addresses_keys_and_sizes_and_nothing_else(context: Context):
    assert engines.load("spark").facts.tunables == ()
    settings = settings_of("spark", context)
    s3a = {n.removeprefix("spark.hadoop.fs.s3a.") for n in settings if ".fs.s3a." in n}
    assert s3a == REACHED | KEYS
    assert {n for n in settings if not n.startswith(ADDRESSES)} == SIZES | PLACES
    assert DRIVER_OPTIONS not in settings
    assert "spark.driver.memory" not in settings


def test_spark_takes_as_many_executors_as_the_runs_cores_make(context: Context):
    settings = settings_of("spark", context)
    assert settings["spark.cores.max"] == "6"
    assert settings["spark.executor.cores"] == "3"
    assert settings["spark.driver.port"] == "30000"
    engine: Any = engines.load("spark")(context)
    assert engine.executors == 2


@pytest.mark.parametrize("name", ["spark-tuned", "spark-comet"])
def test_a_tunable_with_a_name_of_sparks_is_a_setting_of_the_application(
    spec: dict[str, Any], local_store: fs.FileSystem, name: str
):
    before = settings_of(name, Context(spec, local_store))
    rows = [row for row in engines.load(name).facts.tunables if row.name.startswith("spark.")]
    assert rows
    for row in rows:
        assert before[row.name] == (str(row.value).lower() if row.value is True else row.value)
    spec["inputs"]["tunables"] = f'{{"{DRIVER_OPTIONS}":"-Xss4m"}}'
    assert settings_of(name, Context(spec, local_store))[DRIVER_OPTIONS] == "-Xss4m"


@pytest.mark.parametrize(
    ("workload", "below", "quick"),
    [("taxi-report", 512, True), ("taxi-report", 0, False), ("image-embeddings", 0, True)],
)
def test_executors_compile_quickly_where_they_have_little_to_do(
    spec: dict[str, Any], local_store: fs.FileSystem, workload: str, below: int, quick: bool
):
    spec["workload"] = workload
    spec["inputs"]["tunables"] = f'{{"quickCompilerBelowMiB":{below}}}'
    settings = settings_of("spark-tuned", Context(spec, local_store))
    assert ("TieredStopAtLevel=1" in settings.get(EXECUTOR_OPTIONS, "")) == quick
    assert settings["spark.sql.files.minPartitionNum"] == "12"


@pytest.mark.parametrize(("images", "by"), [("mapInArrow", "_mapped"), ("binaryFile", "_images")])
def test_images_go_the_way_that_is_set(
    spec: dict[str, Any],
    local_store: fs.FileSystem,
    monkeypatch: pytest.MonkeyPatch,
    images: str,
    by: str,
):
    called: list[str] = []
    fake = FakeJvm(0)
    engine: Any = engines.load("spark-tuned")
    monkeypatch.setattr(engine, "_mapped", lambda *_: called.append("_mapped") or fake)
    monkeypatch.setattr(
        engines.load("spark"), "_images", lambda *_: called.append("_images") or fake
    )
    spec["inputs"]["tunables"] = json.dumps({"images": images})
    engine(Context(spec, local_store)).image_embeddings(workloads.load("image-embeddings"), "out/x")
    assert called == [by]


def test_only_comets_contender_has_comets_jar_and_divides_the_workers_memory(context: Context):
    own, other = settings_of("spark-comet", context), settings_of("spark-tuned", context)
    for name in ("spark.driver.extraClassPath", "spark.executor.extraClassPath"):
        assert own[name] == "/jars/*:/jars/comet/*"
        assert other[name] == "/jars/*"
    assert (own["spark.executor.memory"], own["spark.memory.offHeap.size"]) == ("1024m", "1024m")


def test_comet_says_what_it_lacks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text(f"flags : {' '.join(sorted(X86_64_V3))}\n")
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    assert lacks(False, cpuinfo) is None
    assert "certificates" in str(lacks(True, cpuinfo))
    cpuinfo.write_text(f"flags : {' '.join(sorted(X86_64_V3 - {'avx2'}))}\n")
    assert lacks(False, cpuinfo) == "the processor lacks avx2"
    monkeypatch.setattr("platform.machine", lambda: "riscv64")
    assert "riscv64" in str(lacks(False, cpuinfo))


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
    monkeypatch.setattr(spark_application, "WAIT_SECONDS", 0.2)
    engine: Any = engines.load("spark")(context)
    engine._session = FakeJvm(1)
    with pytest.raises(UserError, match="waiting for workers: 1 of 2"):
        engine._wait_for_executors()
    engine._session = FakeJvm(2)
    engine._wait_for_executors()


def test_sparks_secrets_are_in_a_private_file_and_nowhere_else(context: Context):
    engine: Any = engines.load("spark")(context)
    before = dict(os.environ)
    try:
        conf = context.scratch / "conf"
        settings = engine.settings("127.0.0.1")
        spark_launch.write_private(
            conf / "spark-defaults.conf", spark_launch.as_properties(settings)
        )
        spark_launch.set_environment(conf, "127.0.0.1", None, sys.executable)
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


def test_workers_on_other_machines_get_all_files_of_the_model(
    spec: dict[str, Any], local_store: fs.FileSystem, tmp_path: Path
):
    folder = tmp_path / "model"
    folder.mkdir()
    names = ["labels.json", "model.json", "model.onnx", "model.onnx.data"]
    for name in names:
        (folder / name).touch()
    spec["spark"]["packages"] = "/packages.tgz"
    spec["model"] = {"path": str(folder / "model.onnx")}
    settings = settings_of("spark", Context(spec, local_store))
    assert settings["spark.files"] == ",".join(str(folder / name) for name in names)


def test_properties_keep_backslashes():
    assert spark_launch.as_properties({"a": "b\\c"}) == "a=b\\\\c\n"


READ_BACK = """
import json, pathlib, psutil, sys
from engine_comparison import engines, workloads
from engine_comparison.context import Context
from engine_comparison.profile import with_bottleneck
spec = json.loads(sys.stdin.read())
engine = engines.load(spec["engine"])(Context.open(spec))
try:
    engine.start()
    said = engine.configuration()
    application = engine.session.sparkContext.applicationId
    everybody = psutil.process_iter(["cmdline"])
    [executor] = [one for one in everybody if application in (one.info["cmdline"] or ())]
    threads = pathlib.Path(f"/proc/{executor.pid}/task").glob("*/comm")
    said["executorThreads"] = [one.read_text() for one in threads]
    profile = engine.profile(workloads.load(spec["workload"]), spec["output"]).fields()
    print(json.dumps({**said, "profile": with_bottleneck(profile, 1.0, 1.0)}))
finally:
    engine.stop()
"""


def is_g1_default() -> bool:
    """Whether Java takes this collector where nobody says which, as it does on servers."""
    told = [str(shutil.which("java")), "-XX:+PrintFlagsFinal", "-version"]
    flags = subprocess.run(told, capture_output=True, text=True, check=True).stdout
    return re.search(r"\bUseG1GC +:?= true", flags) is not None


@pytest.fixture(scope="module")
def lake(minio: dict[str, Any], creating: fs.FileSystem, store_folder: Path) -> fs.FileSystem:
    creating.create_dir("spark-lake")
    creating.create_dir("spark-out")
    fs.copy_files(str(store_folder / "lake"), "spark-lake", fs.LocalFileSystem(), creating)
    return open_store(minio)


@pytest.mark.parametrize("name", ["spark", "spark-tuned", "spark-comet"])
def test_what_the_application_has_is_read_back_from_it(
    name: str,
    spec: dict[str, Any],
    minio: dict[str, Any],
    lake: fs.FileSystem,
    spark_master: dict[str, Any],
    tmp_path: Path,
):
    if name == "spark-comet" and not list(Path(spark_master["jars"], "comet").glob("*.jar")):
        pytest.skip("SPARK_JARS has no folder comet with its jar")
    output = f"spark-out/{name}"
    given = {
        **spec,
        "engine": name,
        "store": minio,
        "buckets": {"lake": "spark-lake", "warehouse": "spark-out", "output": "spark-out"},
        "spark": spark_master,
        "limits": {"cores": 2, "memoryBytes": 8 * 2**30},
        "output": output,
        "timers": f"spark-out/timers-{name}",
    }
    done = subprocess.run(
        [sys.executable, "-c", READ_BACK],
        input=json.dumps(given),
        env={**environment(tmp_path), "PYTHONPATH": str(PACKAGE_PARENT)},
        stdout=subprocess.PIPE,
        text=True,
        timeout=500,
        check=True,
    )
    said = json.loads(done.stdout.splitlines()[-1])
    assert_profile(said["profile"], name, "taxi-report", 20000)
    [executor] = said["profile"]["nodes"]
    assert executor["peakMemoryBytes"] > 2**26
    assert executor["cpuSeconds"] > 0
    assert said["executors"] == 1
    assert ("emulated-client" in said["executorJvm"]) == (name == "spark-tuned")
    usual = is_g1_default()
    in_driver = any("G1" in collector for collector in said["driverCollectors"])
    in_executor = any(thread.startswith("G1 ") for thread in said["executorThreads"])
    assert in_driver == (usual and name == "spark")
    assert in_executor == (usual and name != "spark-tuned")
    assert not any("secret" in key or "key" in key for key in said["set"])
    if name == "spark":
        assert said["defaults"]["spark.sql.adaptive.enabled"] == "true"
        assert said["defaults"]["spark.sql.shuffle.partitions"] == "200"
    if name == "spark-comet":
        assert any("CometHashAggregate" in line for line in said["comet"]["operators"])
        assert said["comet"]["fallbacks"] == ["Unsupported file format CSV"]
    files = list_parquet(lake, output)
    table = pa.concat_tables([pq.read_table(file.path, filesystem=lake) for file in files])
    workload = workloads.load("taxi-report")
    verdict = workload.verify(table, workload.right_answer(given, lake), given["inputs"])
    assert verdict.verified, verdict.message
