from __future__ import annotations

import csv
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import fs

from engine_comparison.datasets import files, make
from engine_comparison.datasets.sample import taxi
from engine_comparison.datasets.sample.photos import SOURCES
from engine_comparison.datasets.sample.zones import pickup_weights, zones
from engine_comparison.errors import UserError
from engine_comparison.image_rule import reject_reason
from engine_comparison.images import decode
from engine_comparison.model.build import class_labels
from engine_comparison.workloads.image_inputs import METADATA
from engine_comparison.workloads.taxi_inputs import TRIPS, parse_zones

TAXI = {"rows": "3000", "months": "2", "seed": "5"}
PHOTOS = {"photos": "6", "seed": "5", "bucket": "pictures"}
# Of the manifests of these two: equal on every machine and Python that the lock covers.
SHA256 = {
    "taxi": "350984f2b7922a5e830907a9c20d1c22040b2ea6df0ba462cc9d81f0066f59a1",
    "photos": "710df17cd6968627b9d5b8c5c25f458479ab939e59ab14b63abdeebd23aa09ea",
}


class Silent:
    def phase(self, name: str) -> None:
        pass


def made(kind: str, settings: dict[str, str], out: Path) -> dict:
    spec = {"source": "sample", "kind": kind, "out": str(out), "settings": settings}
    return make.make(Silent(), spec)


@pytest.mark.parametrize(("kind", "settings"), [("taxi", TAXI), ("photos", PHOTOS)])
def test_same_settings_give_the_same_bytes_in_another_process(kind, settings, tmp_path: Path):
    here = made(kind, settings, tmp_path / "here")
    spec = {
        "source": "sample",
        "kind": kind,
        "out": str(tmp_path / "there"),
        "settings": settings,
    }
    there = subprocess.run(
        [sys.executable, "-m", "engine_comparison.datasets.make"],
        input=json.dumps(spec) + "\n",
        env={**os.environ, "PYTHONHASHSEED": "1", "TZ": "Asia/Tokyo"},
        cwd=Path(make.__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
    )
    event = json.loads(there.stdout.splitlines()[-1])
    assert event == {"event": "result", **here}
    assert here["manifestSha256"] == SHA256[kind]
    other = made(kind, {**settings, "seed": "6"}, tmp_path / "other")
    assert other["manifestSha256"] != here["manifestSha256"]


@pytest.mark.parametrize(("kind", "settings"), [("taxi", TAXI), ("photos", PHOTOS)])
def test_the_manifest_lists_every_file_by_its_key(kind, settings, tmp_path: Path):
    event = made(kind, settings, tmp_path / "out")
    listed = json.loads((tmp_path / "out" / "manifest.json").read_text())
    for entry in listed:
        content = (tmp_path / "out" / entry["path"]).read_bytes()
        assert entry["bytes"] == len(content)
        assert entry["sha256"] == hashlib.sha256(content).hexdigest()
    there = [p for p in (tmp_path / "out").rglob("*") if p.is_file() and p.name != "manifest.json"]
    assert len(listed) == len(there) == event["files"]
    assert sum(entry["bytes"] for entry in listed) == event["bytes"]
    assert [entry["path"] for entry in listed] == sorted(entry["path"] for entry in listed)


def test_many_blocks_of_trips_are_the_same_however_many_threads_make_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(taxi, "_BLOCK", 400)
    manifests = set()
    for threads in (1, 3):
        monkeypatch.setattr(taxi, "cores", lambda threads=threads: threads)
        out = tmp_path / str(threads)
        manifests.add(made("taxi", TAXI, out)["manifestSha256"])
    assert len(manifests) == 1
    file = pq.ParquetFile(out / "taxi/yellow_tripdata_2024-01.parquet")
    groups = [file.read_row_group(at) for at in range(file.num_row_groups)]
    assert [len(group) for group in groups] == [400, 400, 400, 300]
    assert not groups[0].equals(groups[1])


def half_of_a_dataset(out: Path) -> None:
    with files.whole_folder(out) as part:
        (part / "half").write_text("")
        raise RuntimeError("the disk is full")


def test_a_dataset_is_replaced_whole_or_not_at_all(tmp_path: Path):
    out = tmp_path / "out"
    made("taxi", TAXI, out)
    before = (out / "manifest.json").read_bytes()
    with pytest.raises(RuntimeError, match="disk"):
        half_of_a_dataset(out)
    assert (out / "manifest.json").read_bytes() == before
    (tmp_path / "out.tmp").mkdir()  # left by a process that was killed
    made("taxi", {**TAXI, "rows": "10"}, out)
    assert (out / "manifest.json").read_bytes() != before
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_two_processes_that_make_the_same_dataset_leave_one_whole(tmp_path: Path):
    spec = json.dumps(
        {"source": "sample", "kind": "taxi", "out": str(tmp_path / "out"), "settings": TAXI}
    )
    both = [
        subprocess.Popen(
            [sys.executable, "-m", "engine_comparison.datasets.make"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            cwd=Path(make.__file__).parents[2],
        )
        for _ in range(2)
    ]
    for process in both:
        assert process.stdin
        process.stdin.write(spec.encode())
        process.stdin.close()
    assert [process.wait() for process in both] == [0, 0]
    manifest = (tmp_path / "out" / "manifest.json").read_bytes()
    assert hashlib.sha256(manifest).hexdigest() == SHA256["taxi"]
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize(
    ("kind", "settings", "message"),
    [
        ("taxi", {**TAXI, "rows": "0"}, "rows of the dataset is '0'"),
        ("taxi", {**TAXI, "months": "12.5"}, "months of the dataset is '12.5'"),
        ("taxi", {"rows": "1", "months": "1"}, "seed of the dataset is None"),
        ("photos", {**PHOTOS, "bucket": "a/b"}, "bucket of the dataset is 'a/b'"),
        ("videos", {}, "no dataset of the kind 'videos'"),
    ],
)
def test_wrong_settings_are_named_and_leave_nothing(kind, settings, message, tmp_path: Path):
    with pytest.raises(UserError, match=message):
        made(kind, settings, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_the_zone_table_has_the_shape_of_tlcs(store_folder: Path, local_store: fs.FileSystem):
    table = parse_zones(local_store.open_input_stream("lake/taxi/taxi_zone_lookup.csv"))
    assert table.column("LocationID").to_pylist() == list(range(1, 266))
    boroughs = dict(
        zip(*(table.column(n).to_pylist() for n in ("LocationID", "Borough")), strict=True)
    )
    assert (boroughs[264], boroughs[265], boroughs[1]) == ("Unknown", "N/A", "EWR")
    counts = {name: list(boroughs.values()).count(name) for name in set(boroughs.values())}
    assert counts["Manhattan"] == counts["Queens"] == 69
    assert sum(counts.values()) == 265
    with open(store_folder / "lake/taxi/taxi_zone_lookup.csv", newline="") as file:
        rows = [(int(row[0]), *row[1:]) for row in list(csv.reader(file))[1:]]
    assert rows == zones()
    assert (pickup_weights() > 0).all()


def test_the_trips_have_tlcs_schema_and_kinds_of_dirt(store_folder: Path):
    paths = sorted((store_folder / "lake/taxi").glob("*.parquet"))
    assert [path.name[-15:-8] for path in paths] == ["2024-01", "2024-02", "2024-03"]
    units = []
    for path in paths:
        schema = pq.read_schema(path)
        assert schema.names == TRIPS.names
        units.append(schema.field("tpep_pickup_datetime").type.unit)
        assert [f.type for f in schema if "datetime" not in f.name] == [
            f.type for f in TRIPS if "datetime" not in f.name
        ]
    assert units == ["us", "ns", "us"]
    trips = pa.concat_tables(pq.read_table(p, columns=TRIPS.names[3:]) for p in paths)
    assert len(trips) == 20000
    values = {name: trips.column(name).to_numpy() for name in trips.column_names}
    assert (values["fare_amount"] < 0).mean() == pytest.approx(0.01, abs=0.005)
    assert 0.03 < (values["fare_amount"] > 30).mean() < 0.25
    for name in ("passenger_count", "store_and_fwd_flag", "Airport_fee"):
        assert trips.column(name).null_count == pytest.approx(1000, rel=0.2)
    for name in ("PULocationID", "fare_amount", "tip_amount", "total_amount", "trip_distance"):
        assert 0 < trips.column(name).null_count < 40
    assert {0, 264, 265, 266, 999} <= set(np.unique(values["PULocationID"]))


def test_the_pictures_are_jpegs_of_known_photographs(store_folder: Path):
    table = pq.read_table(store_folder / "bucket/image_metadata.parquet")
    assert table.schema.equals(METADATA)
    for row in table.to_pylist():
        data = (store_folder / row["image_url"].removeprefix("s3://")).read_bytes()
        assert reject_reason(data) is None
        assert decode(data).std() > 5
        assert row["label"] == SOURCES[row["source"]][2]
    assert len(set(table.column("source").to_pylist())) == len(SOURCES)
    assert len(set(table.column("image_url").to_pylist())) == 20


def test_labels_of_photographs_are_labels_of_the_model():
    assert {label for _, _, label in SOURCES.values() if label} <= set(class_labels())


def test_as_many_photographs_as_pictures_at_most_are_counted(tmp_path: Path):
    assert made("photos", PHOTOS, tmp_path / "few")["distinctSources"] == 6
    assert made("taxi", TAXI, tmp_path / "none")["distinctSources"] == 0
