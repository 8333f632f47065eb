"""Contenders on a store that speaks a part of S3, and on one at an address of IPv6."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from clusters import ray_access
from jobs import (
    BUCKETS,
    IN_PROCESS,
    creating_store,
    fill,
    minio_server,
    run_job,
    spec_of,
    write_oracles,
)
from limited_key import add_key
from partial_store import PartialStore, partial_store
from pyarrow import fs

from engine_comparison import engines
from engine_comparison.errors import UserError
from engine_comparison.objects import delete_prefix, list_files, write_json
from engine_comparison.store import open_store


@pytest.fixture(scope="module")
def real(
    store_folder: Path, model_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Any]]:
    """A store with the sample datasets, at an address of IPv6."""
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        pytest.skip("this machine has no IPv6")
    with minio_server(tmp_path_factory.mktemp("other"), host="[::1]") as made:
        fill(made, store_folder, model_folder)
        yield made


@pytest.fixture(scope="module")
def partial(real: dict[str, Any]) -> Iterator[tuple[PartialStore, dict[str, Any]]]:
    with partial_store(real) as made:
        yield made


def assert_verified(spec: dict[str, Any], engine: str, tmp_path: Path, **more: Any) -> None:
    environment = more.pop("environment", {})
    given = {**spec, **more, "engine": engine, "scratch": str(tmp_path)}
    *_, result = run_job(given, environment=environment)
    assert result["event"] == "result", result
    assert result["verified"]


@pytest.mark.parametrize(("engine", "workload", "decoder"), IN_PROCESS)
def test_a_run_is_verified_at_an_address_of_ipv6(
    real: dict[str, Any],
    model_folder: Path,
    tmp_path: Path,
    engine: str,
    workload: str,
    decoder: str,
):
    spec = spec_of(real, model_folder, workload, decoder=decoder)
    assert_verified(spec, engine, tmp_path)


WITHOUT_CHECKSUMS = [one for one in IN_PROCESS if engines.load(one[0]).facts.checksums is None]


@pytest.mark.parametrize(("engine", "workload", "decoder"), WITHOUT_CHECKSUMS)
def test_a_run_is_verified_where_only_a_part_of_s3_is_known(
    partial: tuple[PartialStore, dict[str, Any]],
    model_folder: Path,
    tmp_path: Path,
    engine: str,
    workload: str,
    decoder: str,
):
    server, store = partial
    server.refused.clear()
    spec = spec_of(store, model_folder, workload, decoder=decoder)
    assert_verified(spec, engine, tmp_path, attempt="partial")
    assert server.refused == []


@pytest.mark.long
@pytest.mark.parametrize("engine", ["spark", "ray"])
@pytest.mark.parametrize("kind", ["ipv6", "partial"])
def test_engines_with_clusters_too(
    real: dict[str, Any],
    partial: tuple[PartialStore, dict[str, Any]],
    spark_master: dict[str, Any],
    ray_head: dict[str, Any],
    model_folder: Path,
    tmp_path: Path,
    engine: str,
    kind: str,
):
    server, reduced = partial
    server.refused.clear()
    spec = spec_of(real if kind == "ipv6" else reduced, model_folder, "taxi-report")
    more = {"attempt": kind, "spark": spark_master, "ray": ray_head}
    assert_verified(
        {**spec, **more}, engine, tmp_path, environment=ray_access(ray_head["tokenFile"])
    )
    assert server.refused == []


@pytest.mark.parametrize("dataset", ["taxi", "photos"])
def test_a_store_that_is_asked_too_often_is_asked_again(
    partial: tuple[PartialStore, dict[str, Any]], tmp_path: Path, dataset: str
):
    server, store = partial
    spec = {
        **{"store": store, "dataset": dataset, "buckets": BUCKETS, "scratch": str(tmp_path)},
        "inputs": {"maxRejected": "3"},
    }
    found = []
    for server.busy in (0, 4):
        *_, result = run_job(spec, module="engine_comparison.inspection.step")
        server.busy = 0
        assert result["event"] == "result", result
        found.append(result["facts"])
    assert found[0] == found[1]


def test_prefixes_are_deleted_one_by_one_with_all_markers(
    partial: tuple[PartialStore, dict[str, Any]], real: dict[str, Any]
):
    server, spec = partial
    server.refused.clear()
    store, creating = open_store(spec), creating_store(real)
    creating.create_dir("deleted")
    for key in ("a/b/c.json", "a/d.json", "e/f/g.json"):
        write_json(store, f"deleted/{key}", {})
    delete_prefix(store, "deleted/e/f/")
    assert [info.path for info in list_files(store, "deleted")] == [
        "deleted/a/b/c.json",
        "deleted/a/d.json",
    ]
    delete_prefix(store, "deleted/a")
    delete_prefix(store, "deleted/a")
    assert creating.get_file_info(fs.FileSelector("deleted", recursive=True)) == []
    assert server.refused == []


def test_an_object_that_the_store_keeps_is_named():
    class Store:
        def get_file_info(self, asked: Any) -> Any:
            if isinstance(asked, fs.FileSelector):
                return [fs.FileInfo("output/a/kept", fs.FileType.File)]
            return fs.FileInfo(asked, fs.FileType.Directory)

        def delete_file(self, path: str) -> None:
            raise OSError("AWS Error ACCESS_DENIED during DeleteObject operation: Access Denied.")

    with pytest.raises(UserError) as raised:
        delete_prefix(Store(), "output/a")  # type: ignore[arg-type]
    assert "does not delete output/a/kept: AWS Error ACCESS_DENIED" in raised.value.what
    assert "Allow s3:DeleteObject" in raised.value.do


DATA = (BUCKETS["lake"], BUCKETS["images"])
"""The buckets that a stack with `datasetSource: existing` only reads."""


@pytest.fixture(scope="module")
def readers(
    real: dict[str, Any], model_folder: Path
) -> list[tuple[dict[str, Any], dict[str, str]]]:
    """Stores and buckets of two stacks: the keys may read the data and write their own outputs."""

    def reader(name: str) -> tuple[dict[str, Any], dict[str, str]]:
        buckets = {
            **BUCKETS,
            "warehouse": f"{name}-warehouse",
            "output": f"{name}-output",
        }
        own = [buckets["warehouse"], buckets["output"]]
        for bucket in own:
            creating_store(real).create_dir(bucket)
        store = add_key(real, name, DATA, own)
        write_oracles(store, model_folder, buckets)
        return store, buckets

    return [reader("reader-one"), reader("reader-two")]


def data_of(store: dict[str, Any]) -> dict[str, Any]:
    """All that the data's buckets have: sizes and times of change, by path."""
    opened = open_store(store)
    found = [
        file
        for bucket in DATA
        for file in opened.get_file_info(fs.FileSelector(bucket, recursive=True))
    ]
    return {file.path: (file.size, file.mtime_ns) for file in found if file.is_file}


def test_a_key_that_may_only_read_cannot_write_the_data(
    readers: list[tuple[dict[str, Any], dict[str, str]]],
):
    for store, _ in readers:
        for bucket in DATA:
            with pytest.raises(OSError, match=r"ACCESS_DENIED|AccessDenied"):
                write_json(open_store(store), f"{bucket}/new.json", {})


@pytest.mark.parametrize("dataset", ["taxi", "photos"])
def test_data_is_inspected_by_a_key_that_may_only_read_it(
    readers: list[tuple[dict[str, Any], dict[str, str]]],
    real: dict[str, Any],
    tmp_path: Path,
    dataset: str,
):
    before = data_of(real)
    found = []
    for store, buckets in readers:
        spec = {
            **{"store": store, "dataset": dataset, "buckets": buckets},
            **{"scratch": str(tmp_path), "inputs": {"maxRejected": "3"}},
        }
        *_, result = run_job(spec, module="engine_comparison.inspection.step")
        assert result["event"] == "result", result
        found.append(result["facts"])
    assert found[0]
    assert found[0] == found[1]
    assert data_of(real) == before


@pytest.mark.parametrize(("engine", "workload", "decoder"), IN_PROCESS)
def test_a_run_is_verified_by_a_key_that_may_only_read_the_data(
    readers: list[tuple[dict[str, Any], dict[str, str]]],
    real: dict[str, Any],
    model_folder: Path,
    tmp_path: Path,
    engine: str,
    workload: str,
    decoder: str,
):
    before = data_of(real)
    for store, buckets in readers:
        spec = spec_of(store, model_folder, workload, buckets, decoder=decoder)
        output = {"bucket": buckets["output"]}
        assert_verified(spec, engine, tmp_path, output=output)
    assert data_of(real) == before
