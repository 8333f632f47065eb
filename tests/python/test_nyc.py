"""The real datasets, made from a server that has small files of their shapes."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from faulty_server import FaultyServer, drops_after, serving, status
from pyarrow import fs

import engine_comparison
from engine_comparison import oracle
from engine_comparison.datasets import make
from engine_comparison.datasets.nyc import photos, taxi
from engine_comparison.datasets.sample.zones import zones_csv
from engine_comparison.errors import UserError
from engine_comparison.model.build import class_labels
from engine_comparison.store import open_store
from engine_comparison.workloads.image_inputs import METADATA
from engine_comparison.workloads.taxi_report import TaxiReport

DISHES = [f"dish_{at}" for at in range(95)] + list(photos.LABELS)
EACH = 3
"""Photographs of each dish on the server."""
TRIPS = 3000
"""In each month on the server."""


class Silent:
    def phase(self, name: str) -> None:
        pass


def month(at: int) -> pa.Table:
    """Trips as TLC had them in January 2023, from February 2023 on, and from 2025 on."""
    wide = at == 1
    zone = pa.int64() if wide else pa.int32()
    count = pa.float64() if wide else pa.int64()
    random = np.random.default_rng(at)
    zones = random.integers(1, 270, TRIPS)
    fares = np.round(random.uniform(-5, 90, TRIPS), 2)
    times = pa.array(random.integers(0, 10**9, TRIPS), pa.timestamp("s"))
    columns = {
        "VendorID": pa.array(np.ones(TRIPS), zone),
        "tpep_pickup_datetime": times.cast(pa.timestamp("ns" if at == 3 else "us")),
        "passenger_count": pa.array(np.ones(TRIPS), count),
        "trip_distance": pa.array(random.uniform(0, 30, TRIPS)),
        "store_and_fwd_flag": pa.array(["N"] * TRIPS, pa.string() if wide else pa.large_string()),
        "PULocationID": pa.array(zones, zone, mask=zones % 50 == 0),
        "fare_amount": pa.array(fares, mask=zones == 7),
        "tip_amount": pa.array(fares * 0.2, mask=zones == 8),
        "total_amount": pa.array(fares * 1.2 + 3.5, mask=zones == 9),
        "airport_fee" if wide else "Airport_fee": pa.nulls(
            TRIPS, pa.null() if wide else pa.float64()
        ),
    }
    if at == 3:
        columns["cbd_congestion_fee"] = pa.array(np.full(TRIPS, 0.75))
    return pa.table(columns)


def file_of(table: pa.Table, rows: int | None = None) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, row_group_size=rows)
    return sink.getvalue().to_pybytes()


def photo(dish: int, number: int) -> bytes:
    return f"a photograph of {DISHES[dish]}, number {number}".encode()


def photo_files() -> list[bytes]:
    """Three files, dish after dish in no order, in small groups of rows."""
    dishes = [(dish * 37) % len(DISHES) for dish in range(len(DISHES))]
    rows = [(dish, number) for dish in dishes for number in range(EACH)]
    features = {"info": {"features": {"label": {"names": DISHES}}}}
    schema = pa.schema(
        [("image", pa.struct([("bytes", pa.binary()), ("path", pa.string())])), ("label", "int64")],
        metadata={"huggingface": json.dumps(features)},
    )
    shares = np.array_split(np.arange(len(rows)), 3)
    tables = [
        pa.Table.from_pylist(
            [
                {"image": {"bytes": photo(*rows[at]), "path": f"{at}.jpg"}, "label": rows[at][0]}
                for at in share
            ],
            schema=schema,
        )
        for share in shares
    ]
    return [file_of(table, 10) for table in tables]


@pytest.fixture(scope="module")
def files() -> dict[str, bytes]:
    trips = {f"/trip-data/yellow_tripdata_2023-{at:02d}.parquet": month(at) for at in (1, 2, 3)}
    zones = zones_csv().replace(b"\n", b"\r\n")
    named = zip(photos.FILES, photo_files(), strict=True)
    return {
        **{path: file_of(table) for path, table in trips.items()},
        "/misc/taxi_zone_lookup.csv": zones,
        **{f"/food-101/{name}": content for name, content in named},
    }


@pytest.fixture
def server(files: dict[str, bytes], monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultyServer]:
    monkeypatch.setenv("NO_PROXY", "*")
    with serving() as state:
        state.files = dict(files)
        yield state


def spec_of(server: FaultyServer, folder: Path, kind: str, **settings: str) -> dict[str, Any]:
    known = {
        "taxi": {"year": "2023", "months": "3", "from": server.url},
        "photos": {"photos": "101", "bucket": "b", "from": f"{server.url}/food-101"},
    }
    return {
        "source": "nyc",
        "kind": kind,
        "out": str(folder / "out"),
        "downloads": str(folder / "downloads"),
        "settings": {**known[kind], **settings},
    }


def test_the_trips_are_tlcs_files_unchanged(server, files, tmp_path):
    event = make.make(Silent(), spec_of(server, tmp_path, "taxi"))
    assert (event["files"], event["distinctSources"]) == (4, 0)
    listed = json.loads((tmp_path / "out" / "manifest.json").read_text())
    served = {path.rpartition("/")[2]: content for path, content in files.items()}
    for entry in listed:
        assert entry["path"].startswith("taxi/")
        content = served[entry["path"].removeprefix("taxi/")]
        assert (tmp_path / "out" / entry["path"]).read_bytes() == content
        assert entry["sha256"] == hashlib.sha256(content).hexdigest()
    assert [entry["path"][-11:-8] for entry in listed[1:]] == ["-01", "-02", "-03"]


def test_fewer_months_need_no_second_download(server, tmp_path):
    make.make(Silent(), spec_of(server, tmp_path, "taxi"))
    asked = len(server.asked)
    event = make.make(
        Silent(), {**spec_of(server, tmp_path, "taxi", months="1"), "out": str(tmp_path / "less")}
    )
    assert event["files"] == 2
    assert len(server.asked) == asked == 4


def test_a_month_that_tlc_has_not_published_is_told_and_leaves_no_dataset(server, tmp_path):
    with pytest.raises(UserError, match=r"2023-04\.parquet cannot be had: .* 404") as raised:
        make.make(Silent(), spec_of(server, tmp_path, "taxi", months="4"))
    assert raised.value.do.startswith("TLC publishes a month about two months after its end")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (file_of(month(2).drop_columns(["PULocationID"])), "no column PULocationID"),
        (b"<html>Log in to the network</html>", "Parquet"),
        (file_of(month(2))[:-10], "Parquet"),
    ],
)
def test_a_month_that_is_none_is_refused(server, tmp_path, content, words):
    server.files["/trip-data/yellow_tripdata_2023-02.parquet"] = content
    with pytest.raises(UserError, match=words):
        make.make(Silent(), spec_of(server, tmp_path, "taxi"))
    assert not (tmp_path / "out").exists()


def test_damage_within_a_month_is_seen(server, tmp_path):
    path = "/trip-data/yellow_tripdata_2023-02.parquet"
    content = bytearray(server.files[path])
    metadata = pq.read_metadata(pa.BufferReader(bytes(content)))
    fare = metadata.row_group(0).column(metadata.schema.names.index("fare_amount"))
    start = fare.dictionary_page_offset
    content[start : start + 40] = bytes(40)
    server.files[path] = bytes(content)
    with pytest.raises(UserError, match="2023-02"):
        make.make(Silent(), spec_of(server, tmp_path, "taxi"))


def test_a_zone_table_that_is_none_is_refused(server, tmp_path):
    server.files["/misc/taxi_zone_lookup.csv"] = b"<html>\n<p>no zones</p>\n"
    with pytest.raises(UserError, match=r"taxi_zone_lookup\.csv cannot be had"):
        make.make(Silent(), spec_of(server, tmp_path, "taxi"))


@pytest.mark.parametrize("count", [1, 50, 101, 150, 303])
def test_photographs_are_spread_evenly_over_the_dishes(server, tmp_path, count):
    event = make.make(Silent(), spec_of(server, tmp_path, "photos", photos=str(count)))
    assert event["files"] == count + 1
    assert event["distinctSources"] == count
    table = pq.read_table(tmp_path / "out/image_metadata.parquet")
    assert table.schema.equals(METADATA)
    rows = table.to_pylist()
    dishes = [row["source"].split("/")[1] for row in rows]
    counts = Counter(dishes)
    assert len(counts) == min(count, 101)
    assert max(counts.values()) - min(counts.values()) <= 1
    assert len({row["source"] for row in rows}) == len({row["image_url"] for row in rows}) == count
    contents = set()
    for row, dish in zip(rows, dishes, strict=True):
        assert row["label"] == photos.LABELS.get(dish)
        content = (tmp_path / "out" / row["image_url"].removeprefix("s3://b/")).read_bytes()
        assert content.startswith(f"a photograph of {dish}, number ".encode())
        contents.add(content)
    assert len(contents) == count


def test_files_with_too_few_photographs_are_refused(server, tmp_path):
    with pytest.raises(UserError, match="The files have 3 photographs of class 0 only"):
        make.make(Silent(), spec_of(server, tmp_path, "photos", photos="304"))
    assert not (tmp_path / "out").exists()


def test_a_few_photographs_are_of_dishes_far_apart():
    assert [dish for dish, _ in photos.spread(4)] == [0, 25, 50, 75]
    assert photos.spread(105)[-4:] == [(0, 1), (25, 1), (50, 1), (75, 1)]


def test_labels_of_dishes_are_labels_of_the_model():
    assert set(photos.LABELS.values()) <= set(class_labels())


def test_photographs_that_are_of_another_dataset_are_refused(server, tmp_path):
    server.files[f"/food-101/{photos.FILES[1]}"] = file_of(month(1))
    with pytest.raises(UserError, match="does not name its classes"):
        make.make(Silent(), spec_of(server, tmp_path, "photos"))


@pytest.mark.parametrize(
    ("kind", "settings", "words"),
    [
        ("taxi", {"year": "2010"}, "year of the dataset is '2010'"),
        ("taxi", {"months": "13"}, "months of the dataset is '13'"),
        ("photos", {"photos": "25251"}, "photos of the dataset is '25251'"),
        ("photos", {"bucket": ""}, "bucket of the dataset is ''"),
    ],
)
def test_wrong_settings_are_named_before_anything_is_asked_for(
    server, tmp_path, kind, settings, words
):
    with pytest.raises(UserError, match=words):
        make.make(Silent(), spec_of(server, tmp_path, kind, **settings))
    assert server.asked == []


def test_the_module_tells_its_progress_and_one_failure(server, tmp_path):
    path = "/trip-data/yellow_tripdata_2023-02.parquet"
    server.faults[path] = [drops_after(0.5), status(404)]
    done = subprocess.run(
        [sys.executable, "-m", "engine_comparison.datasets.make"],
        input=json.dumps(spec_of(server, tmp_path, "taxi")) + "\n",
        cwd=Path(make.__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    events = [json.loads(line) for line in done.stdout.splitlines()]
    phases = [event["phase"] for event in events[:-1]]
    assert phases[0] == "download taxi"
    assert "file 1 of 4, yellow_tripdata_2023-01.parquet: checking" in phases
    assert any("file 2 of 4" in phase and "bytes too early; again in" in phase for phase in phases)
    assert (events[-1]["event"], done.returncode) == ("failure", 1)
    assert events[-1]["reason"].startswith(f"{server.url}{path} cannot be had: the server answers")
    assert "set datasetSource to sample" in events[-1]["advice"]
    assert len(done.stderr.splitlines()) < 20


BUCKETS = {"lake": "lake", "images": "bucket", "warehouse": "warehouse", "output": "output"}


@pytest.mark.parametrize("engine", ["polars", "daft"])
def test_engines_read_months_of_different_types(
    server: FaultyServer,
    minio: dict[str, Any],
    creating: fs.FileSystem,
    tmp_path: Path,
    engine: str,
):
    make.make(Silent(), spec_of(server, tmp_path, "taxi"))
    buckets = {purpose: f"nyc-{engine}-{name}" for purpose, name in BUCKETS.items()}
    for bucket in buckets.values():
        creating.create_dir(bucket)
    store = open_store(minio)
    for file in (tmp_path / "out" / "taxi").iterdir():
        with store.open_output_stream(f"{buckets['lake']}/taxi/{file.name}") as stream:
            stream.write(file.read_bytes())
    spec = {
        "engine": engine,
        "workload": "taxi-report",
        "key": "0123456789abcdef",
        "attempt": "a1",
        "inputs": {"fareAbove": "30", "warmup": "0", "repeats": "1", "device": "cpu"},
        "store": minio,
        "buckets": buckets,
        "daft": {"runner": "native"},
        "threads": 2,
        "limits": {"cores": 2, "memoryBytes": 8 * 2**30},
        "model": {"path": "none"},
        "services": [],
        "oracleKey": "fedcba9876543210",
        "scratch": str(tmp_path),
    }
    table = oracle.answer(spec, store)
    assert expected_trips() == sum(table.column("trips").to_pylist())
    assert {"N/A", "Unknown", None} <= set(table.column("borough").to_pylist())
    pq.write_table(table, oracle.oracle_path(spec), filesystem=store)
    done = subprocess.run(
        [sys.executable, "-m", "engine_comparison.job"],
        input=json.dumps(spec) + "\n",
        cwd=Path(engine_comparison.__file__).parents[1],
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)},
        stdout=subprocess.PIPE,
        text=True,
        timeout=120,
        check=False,
    )
    result = json.loads(done.stdout.splitlines()[-1])
    assert result["event"] == "result", result
    assert result["verified"]
    assert result["rowsIn"] == 3 * TRIPS
    assert result["checksum"] == TaxiReport().checksum(table, spec["inputs"])


def expected_trips() -> int:
    """Trips above 30 dollars, counted by other code than the oracle's."""
    fares = [fare for at in (1, 2, 3) for fare in month(at).column("fare_amount").to_pylist()]
    return sum(fare is not None and fare > 30 for fare in fares)


def test_the_columns_of_the_report_are_found_in_all_three_kinds_of_files(tmp_path):
    for at in (1, 2, 3):
        path = tmp_path / f"{at}.parquet"
        path.write_bytes(file_of(month(at)))
        taxi.check_trips(path)
