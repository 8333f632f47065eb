"""Where the model runs: the table of docs/gpu.md, and what engines and ONNX Runtime are asked."""

from __future__ import annotations

import re
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image
from pyarrow import fs

from engine_comparison import engines, placement, workloads
from engine_comparison.batches import ModelTask
from engine_comparison.context import Context
from engine_comparison.engines import Engine
from engine_comparison.errors import UserError
from engine_comparison.host import PACKAGE_PARENT
from engine_comparison.images import Decoded, Frame, decode_batch
from engine_comparison.placement import VISIBLE, Holder, Placement, place
from engine_comparison.timers import Timers

DOCS = Path(__file__).parents[2] / "docs" / "gpu.md"
CORES = 8
RUNNERS = {"local": "native", "docker": "ray"}
"""Daft's runner by default, by target."""


def engine_on(name: str, target: str = "local", **inputs: str) -> Engine:
    """A contender of eight cores on GPUs, without its services."""
    spec = {
        "engine": name,
        "workload": "image-embeddings",
        "inputs": {"device": "cuda", "gpuWorkers": "1", "daftRunner": RUNNERS[target], **inputs},
        "store": {},
        "model": {"path": "m"},
        "threads": CORES,
        "limits": {"cores": CORES, "memoryBytes": 2**33},
        "spark": {"workerCores": CORES},
        "ray": {"cpus": CORES},
    }
    return engines.load(name)(Context(spec, fs.LocalFileSystem()))


CONTENDERS = [
    name for name in engines.names() if "image-embeddings" in engines.load(name).facts.workloads
]


def row(name: str, target: str) -> list[str]:
    """A contender's row of the documentation's table."""
    cells = []
    for gpus, workers in ((1, 1), (1, 2), (2, 1), (2, 2)):
        placed = engine_on(name, target, gpus=str(gpus), gpuWorkers=str(workers)).placement
        assert placed.holder
        asked = ", ".join(f"{ask}={value}" for ask, value in placed.asks.items()) or "nothing"
        cells.append(f"{placed.workers}: {asked}")
    one, clamped, fewer, two = cells
    assert clamped == fewer == one  # one worker a GPU, and no more than are wanted
    holder = placed.holder.value
    return [f"`{name}`", target, holder, *(cell.partition(": ")[2] for cell in (one, two))]


def test_the_documentation_has_the_table_that_runs_go_by(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv(VISIBLE, raising=False)
    lines = re.findall(
        r"^\| (`[a-z-]+` \| (?:local|docker) .*) \|$",
        DOCS.read_text(encoding="utf-8"),
        re.MULTILINE,
    )
    told = [[cell.strip() for cell in line.split(" | ")] for line in lines]
    assert told == [row(name, target) for name in CONTENDERS for target in RUNNERS]


@pytest.mark.parametrize("name", CONTENDERS)
def test_without_a_gpu_the_model_runs_on_the_cores_and_nothing_is_asked_for(name: str):
    placed = engine_on(name, device="cpu").placement
    assert placed == Placement(CORES)
    assert (placed.gpu(), placed.gpus, placed.fields()) == (None, 0, {})


@pytest.mark.parametrize(("visible", "workers"), [("1", 1), ("3,1", 2), ("0,1,2", 2), (None, 2)])
@pytest.mark.parametrize("holder", list(Holder))
def test_what_cuda_shows_the_job_counts_where_the_job_has_the_sessions(
    holder: Holder, visible: str | None, workers: int
):
    placed = place(holder, gpus=2, gpu_workers=2, cores=8, visible=visible)
    in_job = holder in (Holder.LOOP, Holder.JOB, Holder.FRESH)
    assert placed.workers == (workers if in_job else 2)


@pytest.mark.parametrize(
    ("gpus", "executors", "workers", "taken", "each", "decoders"),
    [(1, 1, 1, 1, "1", 8), (2, 1, 2, 1, "2", 4), (1, 2, 1, 1, "1", 4), (2, 2, 2, 2, "1", 4)],
)
def test_executors_of_spark_share_the_gpus_out(
    gpus: int, executors: int, workers: int, taken: int, each: str, decoders: int
):
    placed = place(Holder.SPARK, gpus, gpu_workers=2, cores=8, shares=executors)
    assert (placed.workers, placed.executors, placed.decoders) == (workers, taken, decoders)
    assert placed.asks["spark.executor.resource.gpu.amount"] == each


def test_reading_keeps_a_cpu_beside_a_pool_of_actors():
    assert place(Holder.RAY_POOL, 2, 2, cores=2).workers == 1


def context_of_ray(gpus: list[str], actor: str | None) -> Callable[[], SimpleNamespace]:
    """Ray's context in a process that has some GPUs, and is an actor or not."""
    ids = {"GPU": gpus}
    found = SimpleNamespace(get_accelerator_ids=lambda: ids, get_actor_id=lambda: actor)
    return lambda: found


ON_RAY = [Holder.RAY_POOL, Holder.RAY_ACTOR, Holder.DAFT_POOL, Holder.DAFT_WORKER]


@pytest.mark.parametrize("holder", [*ON_RAY, Holder.SPARK])
def test_no_session_opens_in_the_driver_of_a_cluster(
    holder: Holder, monkeypatch: pytest.MonkeyPatch
):
    import ray

    monkeypatch.setattr(ray, "get_runtime_context", context_of_ray([], None))
    task = ModelTask({}, {"path": "m"}, Placement(1, holder), "image-embeddings")
    with pytest.raises(UserError, match="a process that was given none"):
        task.session()


@pytest.mark.parametrize("holder", ON_RAY)
def test_a_session_opens_in_what_ray_gave_a_gpu(holder: Holder, monkeypatch: pytest.MonkeyPatch):
    import ray

    monkeypatch.setattr(ray, "get_runtime_context", context_of_ray(["1"], "a"))
    monkeypatch.setenv(VISIBLE, "0")
    assert Placement(2, holder, visible="1,3").gpu(1) == 1
    # Daft's worker has lost what the stack shows it, and gets it back.
    assert placement.os.environ[VISIBLE] == ("1,3" if holder is Holder.DAFT_WORKER else "0")


def test_a_task_of_spark_opens_its_session_on_the_gpu_that_it_was_given(
    monkeypatch: pytest.MonkeyPatch,
):
    import pyspark

    class Given:
        addresses = ("1",)

        @classmethod
        def get(cls) -> Given:
            return cls()

        def resources(self) -> dict[str, Any]:
            return {"gpu": self}

    monkeypatch.setattr(pyspark, "TaskContext", Given)
    assert Placement(2, Holder.SPARK).gpu() == 1


@pytest.mark.parametrize("name", ["spark", "spark-tuned"])
def test_spark_is_asked_for_gpus_by_its_resource_settings(
    name: str, tmp_path: Path, local_store: fs.FileSystem, monkeypatch: pytest.MonkeyPatch
):
    engine: Any = engine_on(name, gpus="2", gpuWorkers="2", batchSize="8")
    spec = engine.context.spec
    store = {"endpoint": "http://s", "region": "r", "accessKey": "a", "secretKey": "s"}
    spec["store"] = {**store, "pathStyle": True}
    spec["scratch"] = str(tmp_path)
    spec["spark"] |= {"master": "spark://m:1", "jars": "/j", "workerMemory": "1g", "portBase": 1}
    monkeypatch.setenv("PYTHONPATH", "/wheels")
    asked = engine.settings("127.0.0.1")
    # Workers find what the driver finds, whatever Python has as its own.
    assert asked["spark.executorEnv.PYTHONPATH"] == f"{PACKAGE_PARENT}:/wheels"
    assert asked["spark.executor.resource.gpu.amount"] == "2"
    assert asked["spark.task.resource.gpu.amount"] == "1"
    assert asked.get("spark.task.cpus") == ("4" if name == "spark-tuned" else None)
    spec["inputs"]["device"] = "cpu"
    assert not any("resource" in setting for setting in engine.settings("127.0.0.1"))


def test_ray_is_asked_for_a_gpu_an_actor():
    pool = engine_on("ray", gpus="2", gpuWorkers="2").pool  # type: ignore[attr-defined]
    assert (pool["num_gpus"], pool["compute"].min_size, pool["compute"].max_size) == (1, 2, 2)
    pool = engine_on("ray", device="cpu").pool  # type: ignore[attr-defined]
    assert (pool["num_gpus"], pool["compute"].min_size) == (None, CORES - 1)


def test_rays_actor_with_the_gpus_is_made_once(monkeypatch: pytest.MonkeyPatch):
    import ray

    made: list[dict[str, Any]] = []

    class Remote:
        def __init__(self, kind: type) -> None:
            self.kind = kind

        def options(self, **asked: Any) -> Remote:
            made.append(asked)
            return self

        def remote(self, task: ModelTask) -> object:
            return object()

    monkeypatch.setattr(ray, "remote", Remote)
    engine: Any = engine_on("ray-tuned", "docker", gpus="2", gpuWorkers="2")
    task = engine.task(workloads.load("image-embeddings"))
    assert engine._actor(task) is engine._actor(task)
    assert made == [{"num_gpus": 2, "num_cpus": 0, "max_concurrency": 4}]


@pytest.mark.parametrize(
    ("name", "target", "asked"),
    [
        ("daft", "local", {"gpus": 1, "max_concurrency": 2}),
        ("daft", "docker", {"gpus": 1, "max_concurrency": 2}),
        ("daft-tuned", "local", {"gpus": 2, "cpus": 2, "use_process": False}),
        ("daft-tuned", "docker", {"gpus": 2, "cpus": 2, "use_process": False}),
    ],
)
def test_dafts_classes_ask_for_gpus(
    name: str, target: str, asked: dict[str, Any], monkeypatch: pytest.MonkeyPatch
):
    import daft

    from engine_comparison.engines import daft as documented
    from engine_comparison.engines import daft_tuned

    made: list[dict[str, Any]] = []

    def cls(**options: Any) -> Any:
        made.append(options)
        return lambda _: lambda task: task

    monkeypatch.setattr(daft, "cls", cls)
    workload: Any = workloads.load("image-embeddings")
    for engine, more in (
        (engine_on(name, target, gpus="2", gpuWorkers="2"), asked),
        (engine_on(name, target, device="cpu"), {k: v for k, v in asked.items() if "use" in k}),
    ):
        task = engine.task(workload)
        if name == "daft":
            documented._model(task, list(workload.schema(3))[1:])
        else:
            daft_tuned._model(task, 3, use_process=False)
        assert made.pop() == more


def test_versions_are_those_of_onnx_runtime_with_cuda_where_it_is_installed(
    monkeypatch: pytest.MonkeyPatch,
):
    version = metadata.version

    def without_the_other(name: str) -> str:
        if name == "onnxruntime":
            raise metadata.PackageNotFoundError(name)
        return "1.23.2" if name == "onnxruntime-gpu" else version(name)

    monkeypatch.setattr(metadata, "version", without_the_other)
    versions = engine_on("plain").versions()
    assert versions == {"pyarrow": version("pyarrow"), "onnxruntime-gpu": "1.23.2"}


@pytest.mark.parametrize(
    "name", [name for name in CONTENDERS if engines.load(name).facts.use != "documented"]
)
def test_half_precision_is_a_declared_tunable(name: str):
    workload: Any = workloads.load("image-embeddings")
    assert not engine_on(name, gpus="1").task(workload).half
    halved = engine_on(name, gpus="1", tunables='{"fp16":true}').task(workload)
    assert halved.half


@pytest.mark.parametrize("decoders", [0, 3])
def test_images_are_decoded_alike_whoever_decodes_them(
    store_folder: Path, decoders: int, monkeypatch: pytest.MonkeyPatch
):
    import threading

    from engine_comparison import batches

    files = {str(file): file.read_bytes() for file in sorted(store_folder.rglob("*.jpg"))[:7]}
    files["broken"] = b"no image"
    names = list(files)
    task = ModelTask({}, {}, Placement(1, Holder.LOOP, decoders=decoders), "", concurrency=2)
    monkeypatch.setattr(ModelTask, "reader", lambda _: files.get)
    by: set[int] = set()
    decode = batches.decode_batch

    def noted(*args: Any, **more: Any) -> Decoded:
        by.add(threading.get_ident())
        return decode(*args, **more)

    monkeypatch.setattr(batches, "decode_batch", noted)
    given = [names[:3], names[3:6], names[6:]]
    got = list(task.decoded(given, Frame(64), Timers()))
    assert [urls for urls, _ in got] == given
    assert [len(decoded.pixels) for _, decoded in got] == [3, 3, 1]
    assert got[-1][1].reasons == [None, "not-an-image"]
    right = [np.asarray(Image.open(name).convert("RGB").resize((64, 64), 2)) for name in names[:-1]]
    np.testing.assert_array_equal(np.concatenate([one.pixels for _, one in got]), right)
    assert (threading.get_ident() in by) == (decoders == 0)


def test_a_tasks_images_reach_the_actor_and_come_back_in_order(
    session: Any, store_folder: Path, monkeypatch: pytest.MonkeyPatch
):
    import ray

    from engine_comparison.engines.ray_tuned import ask_actor
    from engine_comparison.model.session import Shape

    workload: Any = workloads.load("image-embeddings")
    files = {str(file): file.read_bytes() for file in sorted(store_folder.rglob("*.jpg"))[:9]}
    files["broken"] = b"no image"
    asked: list[int] = []

    def answer(pixels: np.ndarray) -> list[pa.Array]:
        asked.append(len(pixels))
        columns: list[pa.Array] = workload.answer(session, pixels)
        return columns

    actor = SimpleNamespace(answer=SimpleNamespace(remote=answer))
    monkeypatch.setattr(ray, "get", lambda columns: columns)
    monkeypatch.setattr(ModelTask, "reader", lambda _: files.get)
    task = ModelTask({}, {}, Placement(1, Holder.RAY_ACTOR), "image-embeddings", concurrency=2)
    listed = pa.table({"image_url": list(files)})
    rows = ask_actor(listed, task, Shape(Frame(224), 1280), 2, actor)
    assert asked == [2, 2, 2, 2, 1]
    assert rows.column("image_url").to_pylist() == list(files)[:-1]
    assert rows.schema == workload.schema(1280)
    right = workload.infer(session, list(files), decode_batch(list(files.values()))).column(
        "embedding"
    )
    np.testing.assert_array_equal(
        rows.column("embedding").combine_chunks().flatten(), right.drop_null().flatten()
    )
