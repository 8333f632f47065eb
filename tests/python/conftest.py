"""What several tests need: the built model, small datasets, and a store on the local disk."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

# One thread for native libraries, as in the workers; before any of them is loaded.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest
from hypothesis import HealthCheck, settings
from jobs import creating_store, minio_server
from pyarrow import fs

from engine_comparison.datasets.sample import photos, taxi
from engine_comparison.model.build import build
from engine_comparison.model.session import ModelSession
from engine_comparison.workloads.image_oracle import OracleModel

pytest_plugins = ["clusters", "scripted"]

# How long an example takes says more about what else the machine does than about the code.
settings.register_profile(
    "any-machine", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("any-machine")


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    build(folder)
    return folder


@pytest.fixture(scope="session")
def session(model_folder: Path) -> ModelSession:
    return ModelSession(model_folder / "model.onnx")


@pytest.fixture(scope="session")
def oracle_model(model_folder: Path) -> OracleModel:
    return OracleModel({"path": str(model_folder / "model.onnx")})


@pytest.fixture(scope="session")
def store_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Buckets as folders, filled with small sample datasets. Not to be changed by a test."""
    folder = tmp_path_factory.mktemp("store")
    for bucket in ("lake", "bucket", "warehouse", "output"):
        (folder / bucket).mkdir()
    taxi.generate(folder / "lake", {"rows": "20000", "months": "3", "seed": "1"})
    photos.generate(folder / "bucket", {"photos": "20", "seed": "1", "bucket": "bucket"})
    (folder / "output" / "oracles").mkdir()
    return folder


@pytest.fixture(scope="session")
def local_store(store_folder: Path) -> fs.FileSystem:
    return fs.SubTreeFileSystem(str(store_folder), fs.LocalFileSystem())


@pytest.fixture(scope="session")
def minio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """A real store, as the `store` object of a job's spec, if $MINIO_BIN names the program."""
    with minio_server(tmp_path_factory.mktemp("minio")) as store:
        yield store


@pytest.fixture(scope="session")
def creating(minio: dict[str, Any]) -> fs.FileSystem:
    """The real store, opened so that buckets can be made in it, which the package never does."""
    return creating_store(minio)
