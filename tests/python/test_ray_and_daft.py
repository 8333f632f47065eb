"""Contenders of Ray Data and Daft without services: defaults untouched, and the same answers."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from pyarrow import csv, fs

from engine_comparison import engines, workloads
from engine_comparison.batches import ModelTask
from engine_comparison.context import Context
from engine_comparison.host import PACKAGE_PARENT
from engine_comparison.images import Frame, decode_batch
from engine_comparison.placement import Placement
from engine_comparison.workloads.image_inputs import image_urls, read_image
from engine_comparison.workloads.taxi_inputs import AMOUNTS, ZONES, ZONES_KEY, trip_schema

PROJECT = Path(__file__).parents[2]
OURS = [name for name in engines.names() if name.split("-")[0] in ("ray", "daft")]


@pytest.mark.parametrize("name", engines.names())
def test_each_tunable_departs_from_the_default_and_has_a_source(name: str):
    facts = engines.load(name).facts
    assert facts.tunables if facts.use == "tuned" else facts.use == "other" or not facts.tunables
    for one in facts.tunables:
        assert one.value != one.default
        assert one.source.startswith("https://") or (PROJECT / one.source).is_file()


@pytest.mark.parametrize(
    ("name", "changed"),
    [
        ("ray", {}),
        ("ray-tuned", {"op_resource_reservation_enabled": False, "use_datasource_v2": False}),
        ("ray-arrow", {"op_resource_reservation_enabled": False, "use_datasource_v2": False}),
    ],
)
def test_ray_data_has_its_defaults_unless_a_tunable_says_otherwise(
    local_store: fs.FileSystem,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    changed: dict[str, Any],
):
    import ray
    from ray.data import context

    from engine_comparison.engines import ray as contender

    monkeypatch.setattr(context, "_default_context", None)
    monkeypatch.setattr(contender, "connect", lambda *_: None)
    monkeypatch.setattr(ray, "cluster_resources", lambda: {"CPU": 2.0})
    monkeypatch.setattr(contender, "idle_worker_milliseconds", lambda: 600_000)
    spec = {"ray": {"cpus": 2}, "inputs": {}, "threads": 2}
    engine = engines.load(name)(Context(spec, local_store))
    engine.start()
    read_back = engine.configuration()
    assert read_back["changedFromDefault"] == changed
    assert read_back["dataContext"]["shuffle_strategy"] == "shuffle_v2"
    assert read_back["dataContext"]["use_datasource_v2"] == changed.get("use_datasource_v2", True)
    assert [row["name"] for row in engine.tunables() if row["name"] in changed] == list(changed)


READ_BACK = """
import json, sys
from engine_comparison import engines
from engine_comparison.context import Context
engine = engines.load(sys.argv[1])(Context(
    {"workload": "taxi-report", "inputs": {}, "threads": 2}, None))
engine.start()
print(json.dumps(engine.configuration()))
"""


@pytest.mark.parametrize(
    ("name", "allocator"), [("daft", "default"), ("daft-tuned", "dirty_decay_ms:-1")]
)
def test_daft_has_its_defaults_unless_a_tunable_says_otherwise(name: str, allocator: str):
    import json

    read = subprocess.run(  # Daft's settings and its allocator's are those of a process
        [sys.executable, "-c", READ_BACK, name],
        cwd=PACKAGE_PARENT,
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=True,
    )
    read_back = json.loads(read.stdout)
    assert read_back["changedFromDefault"] == {}
    assert read_back["allocator"] == allocator
    assert (read_back["runner"], read_back["threads"]) == ("native", 2)
    assert read_back["execution"]["scantask_max_parallel"] == "8"
    assert not any("key" in name for name in read_back["planning"])


@pytest.mark.parametrize("name", ["daft", "daft-tuned"])
def test_daft_reaches_the_store_by_its_defaults_but_for_address_and_keys(
    local_store: fs.FileSystem, name: str
):
    from daft.io import S3Config

    store = {
        **{"endpoint": "http://127.0.0.1:1", "region": "x", "pathStyle": False},
        **{"accessKey": "a", "secretKey": "b", "sessionToken": "c"},
    }
    engine: Any = engines.load(name)(Context({"store": store, "inputs": {}}, local_store))
    given, usual = engine._io().s3, S3Config()
    names = [name for name in dir(usual) if not name.startswith("_") and name[:5] != "from_"]
    changed = {
        name
        for name in names
        if not callable(getattr(usual, name)) and getattr(given, name) != getattr(usual, name)
    }
    assert changed == {
        *{"endpoint_url", "region_name", "use_ssl", "force_virtual_addressing"},
        *{"key_id", "access_key", "session_token"},
    }


amounts = st.one_of(st.none(), st.integers(-9_999, 999_999).map(lambda cents: cents / 100))
trips = st.fixed_dictionaries(
    {
        "PULocationID": st.one_of(st.none(), st.integers(1, 6)),
        "fare_amount": amounts,
        "tip_amount": amounts,
        "total_amount": amounts,
        "trip_distance": amounts,
    }
)
TYPES = {"PULocationID": "int64", **dict.fromkeys(AMOUNTS, "float64")}
TRIPS_READ = trip_schema({"types": TYPES})
ZONE_TABLE = pa.table(
    {
        "LocationID": [1, 2, 3, 4],
        "Borough": ["Queens", "Bronx", "N/A", "Unknown"],
        "Zone": ["a", "b", "c", "d"],
        "service_zone": ["N/A"] * 4,
    },
    schema=ZONES,
)


@settings(max_examples=40)
@given(st.lists(st.lists(trips, max_size=6), min_size=1, max_size=4))
def test_rays_sums_of_blocks_are_the_report_of_the_whole(blocks: list[list[dict[str, Any]]]):
    from engine_comparison.engines.ray_arrow import report_of, sums_by_borough

    tables = [pa.Table.from_pylist(block, schema=TRIPS_READ) for block in blocks]
    ours = report_of(
        pa.concat_tables([sums_by_borough(table, ZONE_TABLE, 30.0) for table in tables])
    )
    report = workloads.load("taxi-report")
    with tempfile.TemporaryDirectory() as folder:
        store = fs.SubTreeFileSystem(folder, fs.LocalFileSystem())
        store.create_dir("lake/taxi")
        pq.write_table(pa.concat_tables(tables), "lake/taxi/trips.parquet", filesystem=store)
        with store.open_output_stream(f"lake/{ZONES_KEY}") as file:
            csv.write_csv(ZONE_TABLE, file)
        spec = {"buckets": {"lake": "lake", "output": "out"}, "inputs": {"fareAbove": "30"}}
        right = report.right_answer(spec, store)
    verdict = report.verify(ours, right, {})
    assert verdict.verified, verdict.message


class Task(ModelTask):
    """A task whose model is the test's."""

    def session(self, worker: int = 0) -> Any:
        return self.model["session"]


def task_with(session: Any) -> Task:
    return Task({}, {"session": session}, Placement(1), "image-embeddings")


@pytest.fixture
def looked_at(local_store: fs.FileSystem, session: Any) -> tuple[list[str], list[Any], pa.Array]:
    """Three images: their names, their files, and their right vectors."""
    workload: Any = workloads.load("image-embeddings")
    buckets = {"images": "bucket", "output": "output"}
    urls = image_urls(local_store, workload.input_facts({"buckets": buckets}, local_store))[:3]
    files = [read_image(local_store, url) for url in urls]
    return (
        urls,
        files,
        workload.infer(session, urls, decode_batch(files)).column("embedding").flatten(),
    )


def test_images_that_ray_data_decoded_get_the_right_vectors(looked_at: Any, session: Any):
    from engine_comparison.engines.ray import ImageModel

    urls, files, right = looked_at
    images = [np.asarray(Image.open(io.BytesIO(file)).convert("RGB")) for file in files]
    batch = np.empty(len(images), object)  # as Ray Data has images of several sizes
    batch[:] = images
    paths = np.array([url.removeprefix("s3://") for url in urls])
    answered = ImageModel(task_with(session))({"image": batch, "path": paths})
    assert answered.column("image_url").to_pylist() == urls
    np.testing.assert_array_equal(answered.column("embedding").combine_chunks().flatten(), right)


@pytest.mark.parametrize(("width", "height"), [(101, 60), (61, 90)])
@pytest.mark.parametrize("share", [0.5, 0.37, 1.0])
def test_daft_cuts_out_what_the_shared_decoder_cuts_out(width: int, height: int, share: float):
    import daft
    from daft import col, functions

    from engine_comparison.engines.daft import seen

    side = int(share * min(width, height))
    left, top = (width - side) // 2, (height - side) // 2
    picture = np.zeros((height, width, 3), np.uint8)
    picture[top : top + side, left : left + side] = 255
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "PNG")
    files = daft.from_pydict({"file": [file.getvalue(), b"none"]})
    decoded = functions.decode_image(col("file"), on_error="null", mode="RGB")

    def by_daft(frame: Frame) -> list[np.ndarray | None]:
        found: list[np.ndarray | None] = files.select(seen(decoded, frame)).to_pydict()["file"]
        return found

    for size in (side, 16):
        pixels, none = by_daft(Frame(size, share))
        assert none is None
        assert pixels is not None
        assert pixels.shape == (size, size, 3)
        assert (pixels == 255).all()
        assert (Frame(size, share).of(Image.fromarray(picture)) == 255).all()
    whole, _ = by_daft(Frame(16))
    assert not (np.array(whole) == 255).all()


def test_a_zone_that_is_not_in_the_table_has_no_borough():
    from engine_comparison.engines.ray_tuned import borough_of

    zones = pa.array([4, None, 1, 99, 3], pa.int32())
    assert borough_of(zones, ZONE_TABLE).to_pylist() == ["Unknown", None, "Queens", None, "N/A"]
