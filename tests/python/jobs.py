"""Stores and jobs of the tests' own: a MinIO, datasets in it, and jobs that read them."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pyarrow.parquet as pq
import pytest
from pyarrow import fs

import engine_comparison
from engine_comparison import oracle, workloads
from engine_comparison.check_gpu.clusters import free_port
from engine_comparison.store import open_store

PACKAGE = Path(engine_comparison.__file__).parent

BUCKETS = {"lake": "lake", "images": "bucket", "warehouse": "warehouse", "output": "output"}

NO_STORE = {
    "endpoint": "http://127.0.0.1:9000",
    "region": "us-east-1",
    "accessKey": "the-access-key",
    "secretKey": "the-secret-key",
    "pathStyle": True,
}
"""The `store` object of a spec where nothing is asked of it."""

IN_PROCESS = [
    ("polars", "taxi-report", ""),
    ("duckdb", "taxi-report", ""),
    ("datafusion", "taxi-report", ""),
    ("plain", "image-predictions", "pillow"),
    ("plain", "image-embeddings", "pillow"),
    ("daft", "taxi-report", ""),
    ("daft-tuned", "taxi-report", ""),
    ("daft-tuned", "image-predictions", "pillow"),
    ("daft-tuned", "image-embeddings", "pillow"),
]
"""The contenders that need no cluster: engine, workload and decoder."""


@contextmanager
def minio_server(
    folder: Path, host: str = "127.0.0.1", **environment: str
) -> Iterator[dict[str, Any]]:
    """A MinIO on loopback, as the `store` object of a spec, if $MINIO_BIN names the program."""
    binary = os.environ.get("MINIO_BIN")
    if not binary:
        pytest.skip("set MINIO_BIN to a MinIO to test against a real store")
    address = f"{host}:{free_port()}"
    access_key, secret_key = secrets.token_hex(8), secrets.token_hex(16)
    server = subprocess.Popen(
        [binary, "server", str(folder), "--address", address, "--quiet"],
        env={
            "MINIO_ROOT_USER": access_key,
            "MINIO_ROOT_PASSWORD": secret_key,
            "HOME": "/tmp",
            **environment,
        },
        stdout=subprocess.DEVNULL,
    )
    try:
        for _ in range(300):
            with suppress(OSError):
                urllib.request.urlopen(f"http://{address}/minio/health/live").close()
                break
            time.sleep(0.1)
        yield {
            "endpoint": f"http://{address}",
            "region": "us-east-1",
            "accessKey": access_key,
            "secretKey": secret_key,
            "pathStyle": True,
            "metrics": "/minio/metrics/v3/api/requests",
        }
    finally:
        server.kill()
        server.wait()


def creating_store(minio: Mapping[str, Any]) -> fs.FileSystem:
    """A store, opened so that buckets can be made in it, which the package never does."""
    return fs.S3FileSystem(
        access_key=minio["accessKey"],
        secret_key=minio["secretKey"],
        endpoint_override=minio["endpoint"].removeprefix("http://"),
        scheme="http",
        allow_bucket_creation=True,
    )


def put_folder(store: fs.FileSystem, folder: Path, bucket: str) -> None:
    """Upload what is in a folder, each file by its path as the key."""
    for file in folder.rglob("*"):
        if file.is_file():
            with store.open_output_stream(f"{bucket}/{file.relative_to(folder)}") as stream:
                stream.write(file.read_bytes())


def spec_of(
    minio: dict[str, Any],
    model: Path,
    workload: str,
    buckets: Mapping[str, str] = BUCKETS,
    **inputs: str,
) -> dict[str, Any]:
    """What a job is told; its engine and scratch folder are the caller's to add."""
    return {
        "engine": "x",
        "workload": workload,
        "key": "0123456789abcdef",
        "attempt": "a1",
        "inputs": {
            "fareAbove": "30",
            "batchSize": "8",
            "maxRejected": "3",
            "oracleImages": "1000",
            "warmup": "0",
            "repeats": "2",
            "device": "cpu",
            **inputs,
        },
        "store": minio,
        "buckets": buckets,
        "threads": 2,
        "model": {"path": str(model / "model.onnx")},
        "services": [],
        "limits": {"cores": 2, "memoryBytes": 8 * 2**30},
        "oracleKey": "fedcba9876543210",
    }


def write_oracles(minio: dict[str, Any], model: Path, buckets: Mapping[str, str] = BUCKETS) -> None:
    """Put every workload's right answer where jobs look for it."""
    store = open_store(minio)
    for workload in workloads.names():
        spec = spec_of(minio, model, workload, buckets)
        pq.write_table(oracle.answer(spec, store), oracle.oracle_path(spec), filesystem=store)


def fill(minio: dict[str, Any], folder: Path, model: Path) -> None:
    """Put the sample datasets of a folder into a store, and the right answers."""
    creating = creating_store(minio)
    for bucket in BUCKETS.values():
        creating.create_dir(bucket)
    for bucket in (BUCKETS["lake"], BUCKETS["images"]):
        put_folder(creating, folder / bucket, bucket)
    write_oracles(minio, model)


def run_job(
    spec: dict[str, Any],
    package: Path = PACKAGE,
    module: str = "engine_comparison.job",
    inside: Sequence[str] = (),
    environment: Mapping[str, str] = MappingProxyType({}),
) -> list[dict[str, Any]]:
    """Run a job as a process of its own and return its events.

    Args:
        spec: What it is told.
        package: The folder of the Python package.
        module: What runs.
        inside: A program with arguments that is told the command to run.
        environment: What it takes to reach a cluster.
    """
    done = subprocess.run(
        [*inside, sys.executable, "-m", module],
        input=json.dumps(spec) + "\n",
        cwd=package.parent,
        # An engine must not depend on what the caller's shell happens to have.
        env={"PATH": os.environ["PATH"], "HOME": spec["scratch"], **environment},
        stdout=subprocess.PIPE,
        text=True,
        timeout=600,
        check=False,
    )
    return [json.loads(line) for line in done.stdout.splitlines()]
