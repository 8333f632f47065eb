from __future__ import annotations

import io
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from pyarrow import fs

from engine_comparison import oracle, workloads
from engine_comparison.errors import UserError
from engine_comparison.protocol import Channel


@pytest.fixture
def spec(model_folder: Path, monkeypatch, local_store: fs.FileSystem) -> dict:
    def spec_for(workload: str) -> dict:
        return {
            "workload": workload,
            "oracleKey": "0123456789abcdef",
            "inputs": {"fareAbove": "30", "oracleImages": "100", "decoder": "pillow"},
            "store": {"endpoint": "here"},
            "buckets": {"lake": "lake", "images": "bucket", "output": "output"},
            "model": {"path": str(model_folder / "model.onnx")},
        }

    def open_store(store: dict) -> fs.FileSystem:
        assert store == {"endpoint": "here"}
        return local_store

    monkeypatch.setattr("engine_comparison.oracle.open_store", open_store)
    return spec_for


@pytest.mark.parametrize("name", workloads.names())
def test_an_oracle_is_stored_under_its_key_and_verifies_itself(name, spec, store_folder: Path):
    (store_folder / "output/oracles" / name).mkdir(exist_ok=True)
    event = oracle.main(Channel(io.StringIO()), spec(name))
    assert event["uri"] == f"s3://output/oracles/{name}/0123456789abcdef.parquet"
    stored = pq.read_table(store_folder / event["uri"].removeprefix("s3://"))
    workload = workloads.load(name)
    assert event["rejected"] == 0
    assert event["rows"] == len(stored)
    assert event["checksum"] == workload.checksum(stored, spec(name)["inputs"])
    assert workload.verify(stored, stored, spec(name)["inputs"]).verified


def test_without_trips_there_is_no_oracle(tmp_path: Path):
    (tmp_path / "lake/taxi").mkdir(parents=True)
    store = fs.SubTreeFileSystem(str(tmp_path), fs.LocalFileSystem())
    spec = {"buckets": {"lake": "lake", "output": "output"}, "inputs": {"fareAbove": "30"}}
    with pytest.raises(UserError, match="no trips in s3://lake/taxi/"):
        workloads.load("taxi-report").right_answer(spec, store)
