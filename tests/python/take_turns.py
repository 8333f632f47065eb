"""Real samples: Polars twice, and once slowed by a tenth, in turn as the benchmark takes them.

python -m take_turns FORKS      with MINIO_BIN; prints the last event of `bench.harness`
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from jobs import BUCKETS, PACKAGE, creating_store, minio_server, put_folder, spec_of

from engine_comparison import oracle
from engine_comparison.datasets.sample import taxi

HERE = Path(__file__).parent
ENGINES = {"one": "polars", "other": "polars", "slowed": "polars-slowed"}
ROWS = "36000000"


def main(forks: str) -> None:
    """Take the samples of so many driver processes of each."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "minio").mkdir()
        with minio_server(folder / "minio") as minio:
            job = with_data(minio, folder)
            contenders = [
                {"name": name, "spec": {**job, "engine": engine}}
                for name, engine in ENGINES.items()
            ]
            print(harness(folder, {"plan": {"forks": forks}, "contenders": contenders}))


def with_data(minio: dict[str, Any], folder: Path) -> dict[str, Any]:
    """A job's spec, with trips in the store and the right answer."""
    store = creating_store(minio)
    for bucket in {BUCKETS["lake"], BUCKETS["output"]}:
        store.create_dir(bucket)
    (folder / "data").mkdir()
    taxi.generate(folder / "data", {"rows": ROWS, "months": "4", "seed": "1"})
    put_folder(store, folder / "data", BUCKETS["lake"])
    spec = {**spec_of(minio, folder, "taxi-report"), "scratch": str(folder)}
    pq.write_table(oracle.answer(spec, store), oracle.oracle_path(spec), filesystem=store)
    return spec


def harness(folder: Path, spec: dict[str, Any]) -> str:
    """The last event of the benchmark, by a copy of the package with the contender that is slow."""
    package = folder / "code" / PACKAGE.name
    shutil.copytree(PACKAGE, package, ignore=shutil.ignore_patterns("__pycache__"))
    for suffix in (".py", ".json"):
        shutil.copy(HERE / f"polars_slowed{suffix}", package / "engines")
    done = subprocess.run(
        [sys.executable, "-m", "bench.harness"],
        input=json.dumps(spec) + "\n",
        cwd=HERE.parents[1],
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "PYTHONPATH": str(package.parent),
        },
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    return done.stdout.splitlines()[-1]


if __name__ == "__main__":
    main(sys.argv[1])
