"""How much an engine is told it may use."""

from typing import Any

import pytest
from pyarrow import fs

from engine_comparison.engines import Context


@pytest.mark.parametrize(
    ("wanted", "gpus", "used"),
    [(1, 1, 1), (4, 2, 2), (2, 4, 2)],
    ids=["one each", "never more than there are", "never more than wanted"],
)
def test_workers_on_gpus(wanted: int, gpus: int, used: int) -> None:
    assert context("cuda", wanted, gpus).model_workers == used


def test_without_a_gpu_the_cores_count() -> None:
    assert context("cpu", 4, 0).model_workers == 3


def context(device: str, wanted: int, gpus: int) -> Context:
    spec: dict[str, Any] = {
        "inputs": {"device": device},
        "threads": 3,
        "gpuWorkers": wanted,
        "ray": {"gpus": gpus},
    }
    return Context(spec, fs.LocalFileSystem())
