"""What engines promise without their services: to be found, to fail clearly, to keep secrets."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jobs import NO_STORE, spec_of
from pyarrow import fs

from engine_comparison import engines, workloads
from engine_comparison.batches import fetched_ahead
from engine_comparison.check_gpu.clusters import free_port
from engine_comparison.context import Context
from engine_comparison.describe import EngineFacts, Tunable
from engine_comparison.engines import Engine
from engine_comparison.errors import UserError
from engine_comparison.ray_cluster import _check_resources


@pytest.fixture
def spec(tmp_path: Path) -> dict[str, Any]:
    (tmp_path / "secret").write_text("the-spark-secret\n")
    (tmp_path / "token").write_text("the-ray-token")
    return {
        **spec_of(NO_STORE, tmp_path, "taxi-report"),
        "spark": {
            "master": f"spark://127.0.0.1:{free_port()}",
            "jars": "/jars",
            "javaHome": None,
            "secretFile": str(tmp_path / "secret"),
            "workerCores": 1,
            "workerMemory": "2g",
            "portBase": 30000,
        },
        "ray": {
            "address": f"127.0.0.1:{free_port()}",
            "tokenFile": str(tmp_path / "token"),
            "cpus": 2,
        },
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


class Tuned(Engine):
    facts = EngineFacts(
        *("half-tuned", "Half, tuned", "half", "tuned"),
        tunables=(
            Tunable("blocks", 4, None, "fewer tasks", "https://half.test/blocks"),
            Tunable("eager", False, True, "nothing to gain", "https://half.test/eager"),
        ),
    )

    def start(self) -> None: ...

    def persists(self) -> str:
        return "nothing"

    def configuration(self) -> dict[str, Any]:
        return {}

    def stop(self) -> None: ...


def test_a_tunable_has_the_declared_value_unless_the_run_has_another(
    spec: dict[str, Any], local_store: fs.FileSystem
):
    declared = Tuned(Context(spec, local_store))
    assert (declared.tunable("blocks"), declared.tunable("eager")) == (4, False)
    spec["inputs"]["tunables"] = '{"blocks":8,"eager":false}'
    given = Tuned(Context(spec, local_store))
    assert (given.tunable("blocks"), given.tunable("eager")) == (8, False)
    assert given.tunables()[0] == {
        "name": "blocks",
        "value": 8,
        "default": None,
        "why": "fewer tasks",
        "source": "https://half.test/blocks",
    }
    with pytest.raises(KeyError, match="block"):
        given.tunable("block")


@pytest.mark.parametrize(
    ("name", "inputs", "said"),
    [
        ("ray", {}, "started anew for each sample"),
        ("ray-tuned", {}, "model that tasks cached"),
        ("daft", {"daftRunner": "native"}, "the process"),
        ("daft", {"daftRunner": "ray"}, "the cluster"),
        ("daft-tuned", {}, "session of the model"),
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


@pytest.mark.parametrize(
    ("has", "gpus", "fits"),
    [
        ({"CPU": 2.0}, 0, True),
        ({"CPU": 1.0}, 0, False),
        ({"CPU": 2.0}, 1, False),
        ({"CPU": 2.0, "GPU": 1.0}, 1, True),
        ({"CPU": 2.0, "GPU": 1.0}, 2, False),
    ],
)
def test_ray_is_not_asked_for_what_it_does_not_have(
    context: Context, has: dict[str, float], gpus: int, fits: bool
):
    if fits:
        _check_resources(has, context, gpus)
    else:
        with pytest.raises(UserError, match="asks for"):
            _check_resources(has, context, gpus)


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
