"""Bad data: all engines leave out the same images for the same reasons, and count the same trips.

All four engines run as they do in a stack: Spark and Ray on clusters of the tests' own.
"""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from clusters import PIPELINES, environment, ray_access
from PIL import Image
from pyarrow import fs

from engine_comparison import engines, oracle, workloads
from engine_comparison.datasets.sample import zones
from engine_comparison.objects import list_files, list_parquet
from engine_comparison.store import open_store
from engine_comparison.workloads.taxi_inputs import TRIPS, ZONES_KEY

BUCKETS = {"lake": "dirtylake", "images": "dirtyimages", "warehouse": "report", "output": "oracles"}
ENGINES = ("daft-tuned", "ray-tuned", "spark-tuned")
"""Those that survive a corrupt image."""

SMALL = 60
"""Small images without a fault, so that requests for each image stand out from those for a run."""
FOR_A_RUN = 30
"""More than what a run asks for besides images: its list of them, and the output's folders."""

Run = Callable[..., dict[str, Any]]


def cut(share: float) -> Callable[[bytes], bytes]:
    return lambda image: image[: int(len(image) * share)]


def progressive(image: bytes) -> bytes:
    file = io.BytesIO()
    Image.open(io.BytesIO(image)).save(file, "JPEG", progressive=True)
    return file.getvalue()


def without_tables(image: bytes) -> bytes:
    """Progressive, and without a table that its first scan needs, which not all decoders refuse."""
    whole = progressive(image)
    at = whole.find(b"\xff\xc4")
    return whole[:at] + whole[at + 2 + int.from_bytes(whole[at + 2 : at + 4], "big") :]


def marked(image: bytes) -> bytes:
    """With a marker in the middle of its scan, as a flipped bit makes one."""
    at = image.find(b"\xff\x00", len(image) // 2)
    return image[: at + 1] + b"\x37" + image[at + 2 :]


def picture(kind: str, spoil: int | None = None) -> Callable[[bytes], bytes]:
    """The image in another format, with one byte changed in its middle."""

    def encode(image: bytes) -> bytes:
        file = io.BytesIO()
        Image.open(io.BytesIO(image)).resize((64, 48)).save(file, kind)
        data = bytearray(file.getvalue())
        if spoil is not None:
            data[len(data) // 2] ^= spoil
        return bytes(data)

    return encode


# What is done to one image each, and why it is left out then, or None.
DAMAGE: list[tuple[Callable[[bytes], bytes] | None, str | None]] = [
    (None, "missing"),
    (lambda _: b"", "empty"),
    (lambda _: b"<html>404 not found</html>", "not-an-image"),
    (lambda _: bytes(1000), "not-an-image"),
    (picture("GIF"), "not-an-image"),
    (cut(0.5), "truncated"),
    (cut(0.01), "truncated"),
    (lambda image: image[:-2], "truncated"),
    (marked, "undecodable"),
    (without_tables, "undecodable"),
    (picture("PNG", spoil=0x55), "undecodable"),
    (picture("PNG"), None),
    (progressive, None),
]
REJECTS = [
    {"reason": reason, "count": sum(one == reason for _, one in DAMAGE)}
    for reason in ("empty", "missing", "not-an-image", "truncated", "undecodable")
]

# Fares, totals, tips and distances as they are not meant to be; zone 999 is in no table.
TRIPS_MADE = [
    {"PULocationID": 1, "fare_amount": 45.0, "total_amount": 50.005, "tip_amount": 1.0},
    {"PULocationID": None, "fare_amount": 45.0, "total_amount": 50.0, "tip_amount": 2.0},
    {"PULocationID": 999, "fare_amount": 45.0, "total_amount": 50.0, "tip_amount": None},
    {"PULocationID": 0, "fare_amount": 31.0, "total_amount": None, "tip_amount": None},
    {"PULocationID": 264, "fare_amount": 45.0, "total_amount": -50.0, "tip_amount": -3.0},
    {"PULocationID": 265, "fare_amount": 30.01, "total_amount": None, "tip_amount": None},
    {"PULocationID": 132, "fare_amount": -45.0, "total_amount": -50.0, "tip_amount": 0.0},
    {"PULocationID": 132, "fare_amount": None, "total_amount": 50.0, "tip_amount": 0.0},
    {"PULocationID": 132, "fare_amount": 30.0, "total_amount": 50.0, "tip_amount": 0.0},
    {"PULocationID": 4, "fare_amount": 99.0, "total_amount": -0.005, "trip_distance": -1.0},
    {"PULocationID": 4, "fare_amount": 99.0, "total_amount": 0.015, "trip_distance": None},
]
UNITS = ("us", "ns", "ms", "us")


def month(number: int, unit: str) -> pa.Table:
    """The trips as a month whose timestamps have their own unit."""
    fields = [
        pa.field(
            field.name, pa.timestamp(unit) if pa.types.is_timestamp(field.type) else field.type
        )
        for field in TRIPS
    ]
    rows = [{"trip_distance": 1.5 * number, **trip} for trip in TRIPS_MADE[number:]]
    return pa.Table.from_pylist(rows, schema=pa.schema(fields))


@pytest.fixture(scope="module")
def store(minio: dict[str, Any], creating: fs.FileSystem, store_folder: Path) -> fs.FileSystem:
    """A store of bad data."""
    for bucket in BUCKETS.values():
        creating.create_dir(bucket)
    store = open_store(minio)

    def put(path: str, data: bytes) -> None:
        with store.open_output_stream(path) as stream:
            stream.write(data)

    listed = pq.read_table(store_folder / "bucket" / "image_metadata.parquet")
    rows = [
        {**row, "image_url": row["image_url"].replace("s3://bucket", "s3://dirtyimages")}
        for row in listed.to_pylist()
    ]
    images = sorted((store_folder / "bucket" / "images").iterdir())
    for at in range(SMALL):
        path = f"dirtyimages/images/small-{at:02}.jpg"
        put(path, picture("JPEG")(images[-1].read_bytes()))
        rows.append({**rows[-1], "image_url": f"s3://{path}"})
    listed = pa.Table.from_pylist(rows, listed.schema)
    pq.write_table(listed, "dirtyimages/image_metadata.parquet", filesystem=store)
    assert len(images) > len(DAMAGE)
    for at, file in enumerate(images):
        damage = DAMAGE[at][0] if at < len(DAMAGE) else bytes
        if damage:
            put(f"dirtyimages/images/{file.name}", damage(file.read_bytes()))
    put("dirtyimages/images/unlisted.jpg", b"nobody asks for this one")
    put(f"dirtylake/{ZONES_KEY}", zones.zones_csv())
    for at, unit in enumerate(UNITS):
        path = f"dirtylake/taxi/yellow_tripdata_2024-{at + 1:02}.parquet"
        pq.write_table(month(at, unit), path, filesystem=store)
    return store


@pytest.fixture(scope="module")
def run(
    minio: dict[str, Any],
    store: fs.FileSystem,
    model_folder: Path,
    tmp_path_factory: pytest.TempPathFactory,
    request: pytest.FixtureRequest,
) -> Run:
    """Carries out a run, judged by an oracle that reads the same bad data; its last event."""
    spec: dict[str, Any] = {
        "key": "0123456789abcdef",
        "attempt": "a1",
        "inputs": {
            "fareAbove": "30",
            "batchSize": "4",
            "maxRejected": "100",
            "oracleImages": "1000",
            "warmup": "0",
            "repeats": "1",
            "device": "cpu",
        },
        "store": minio,
        "buckets": BUCKETS,
        "threads": 2,
        "limits": {"cores": 2, "memoryBytes": 16 * 2**30},
        "model": {"path": str(model_folder / "model.onnx")},
        "services": [],
        "oracleKey": "fedcba9876543210",
    }
    judged: set[str] = set()

    @cache
    def carry_out(engine: str, workload: str, **inputs: str) -> dict[str, Any]:
        scratch = tmp_path_factory.mktemp("scratch")
        given = {**spec, "engine": engine, "workload": workload, "scratch": str(scratch)}
        # What an earlier attempt has published is kept for a while under its name.
        given["attempt"] = scratch.name
        decoder = engines.load(engine).facts.decoder or ""
        given["inputs"] = {**spec["inputs"], "decoder": decoder, **inputs}
        given["facts"] = workloads.load(workload).input_facts(given, store)
        if workload not in judged:
            path = oracle.oracle_path(given)
            pq.write_table(oracle.answer(given, store), path, filesystem=store)
            judged.add(workload)
        access = {}
        if engine.startswith("spark"):
            given["spark"] = request.getfixturevalue("spark_master")
        if engine.startswith("ray") or inputs.get("daftRunner") == "ray":
            given["ray"] = request.getfixturevalue("ray_head")
            access = ray_access(given["ray"]["tokenFile"])
        done = subprocess.run(
            [sys.executable, "-m", "engine_comparison.job"],
            input=json.dumps(given) + "\n",
            cwd=PIPELINES,
            env={**environment(scratch), **access},
            stdout=subprocess.PIPE,
            text=True,
            timeout=300,
            check=False,
        )
        last: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return last

    return carry_out


@pytest.mark.parametrize("workload", ["image-predictions", "image-embeddings"])
@pytest.mark.parametrize("engine", [*ENGINES, "plain"])
def test_all_engines_reject_the_same_images_for_the_same_reasons(
    run: Run, store: fs.FileSystem, engine: str, workload: str
):
    result = run(engine, workload)
    assert result["event"] == "result", result
    assert result["rejects"] == REJECTS
    assert result["rejected"] == sum(reason is not None for _, reason in DAMAGE)
    assert result["rowsIn"] == 20 + SMALL
    published = result["outputUri"].removeprefix("s3://").strip("/")
    files = [info.path for info in list_parquet(store, published)]
    tables = [pq.read_table(path, filesystem=store, partitioning=None) for path in files]
    answered = [url for table in tables for url in table.column("image_url").to_pylist()]
    names = [info.path for info in list_files(store, "dirtyimages/images")]
    whole = names[len([one for one in DAMAGE if one[0]]) - 2 :]  # the last two of DAMAGE and on
    assert sorted(answered) == [f"s3://{name}" for name in whole if "unlisted" not in name]


@pytest.mark.parametrize("workload", ["image-predictions", "image-embeddings"])
@pytest.mark.parametrize("engine", [*ENGINES, "plain"])
def test_an_image_is_one_request(run: Run, engine: str, workload: str):
    """By the counts of the store."""
    result = run(engine, workload)
    asked = result["requests"]["byApi"]
    images = result["rowsIn"]
    assert images <= asked["GetObject"] <= images + FOR_A_RUN
    assert asked.get("HeadObject", 0) <= FOR_A_RUN < images


def test_daft_on_ray_rejects_them_too(run: Run):
    result = run("daft-tuned", "image-embeddings", daftRunner="ray")
    assert result["event"] == "result", result
    assert result["configuration"]["runner"] == "ray"
    assert result["rejects"] == REJECTS


@pytest.mark.parametrize("engine", [*ENGINES, "spark", "daft", "polars", "ray", "ray-arrow"])
def test_all_engines_count_bad_trips_alike(run: Run, store: fs.FileSystem, engine: str):
    result = run(engine, "taxi-report")
    assert result["event"] == "result", result
    assert result["rowsIn"] == sum(len(TRIPS_MADE) - at for at in range(len(UNITS)))
    published = result["outputUri"].removeprefix("s3://").strip("/")
    files = [info.path for info in list_parquet(store, published)]
    tables = [pq.read_table(path, filesystem=store, partitioning=None) for path in files]
    rows = {row["borough"]: row for table in tables for row in table.to_pylist()}
    # Month n begins with trip n. Without a known zone: 1, 2 and 3; of these only 1 and 2 have a
    # total. Zones 264 and 265 are "Unknown" and "N/A", 1 is Newark; 4 is in Queens here.
    counts = {borough: (row["trips"], row["revenue_cents"]) for borough, row in rows.items()}
    assert counts == {
        None: (2 + 3 + 4, 5000 * 2 + 5000 * 3),
        "Unknown": (4, -5000 * 4),
        "N/A": (4, None),
        "EWR": (1, 5001),
        "Queens": (8, 4 * (0 + 2)),
    }
    assert rows["N/A"]["avg_tip"] is None
    assert rows["Queens"]["avg_distance"] == -1.0
