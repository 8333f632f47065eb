"""Damaged files, by seeds: no engine crashes, and none gives another answer than the others.

`MUTATIONS` is how many times as many files there are as by default, `MUTATIONS_SEED` the first
seed; `npm run test:long` sets both.
"""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import Any

import mutations
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from clusters import Attempts, Event
from pyarrow import fs

from engine_comparison.datasets.sample import taxi
from engine_comparison.images import ImageRejected, decode
from engine_comparison.store import open_store
from engine_comparison.workloads.image_inputs import METADATA, METADATA_KEY

TIMES = int(os.environ.get("MUTATIONS", "1"))
SEED = int(os.environ.get("MUTATIONS_SEED", "0"))
ENGINES = ("daft", "daft-tuned", "ray-tuned", "spark")
DAMAGED = "yellow_tripdata_2024-02.parquet"


@pytest.fixture(scope="module")
def store(minio: dict[str, Any], creating: fs.FileSystem) -> fs.FileSystem:
    creating.create_dir("mutants")
    return open_store(minio)


@pytest.fixture(scope="module")
def pictures(store_folder: Path) -> list[bytes]:
    """Whole image files, of all kinds that are taken."""
    photos = sorted((store_folder / "bucket" / "images").iterdir())[:4]
    whole = [photo.read_bytes() for photo in photos]
    return [*whole, *(small for photo in whole for small in mutations.encodings(photo))]


@pytest.fixture(scope="module")
def lakes(store: fs.FileSystem, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Small datasets of trips, one month of each damaged but for the first dataset's."""
    folder = tmp_path_factory.mktemp("trips")
    taxi.generate(folder, {"rows": "12000", "months": "2", "seed": "1"})
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    places = [f"mutants/lake-{SEED + at:09}" for at in range(1 + 16 * TIMES)]
    for at, place in enumerate(places):
        for file in files:
            data = file.read_bytes()
            if at and file.name == DAMAGED:
                data = mutations.mutated([data], mutations.PARQUET, SEED + at)
            put(store, f"{place}/{file.relative_to(folder)}", data)
    return places


@pytest.fixture(scope="module")
def album(store: fs.FileSystem, creating: fs.FileSystem, pictures: list[bytes]) -> str:
    """One dataset of images, all of them damaged, in a bucket of its own."""
    place = "mutants-album"
    creating.create_dir(place)
    names = [f"photo-{at:06}.jpg" for at in range(40 * TIMES)]
    for at, name in enumerate(names):
        data = mutations.mutated(pictures, mutations.IMAGES, SEED + at)
        put(store, f"{place}/images/{name}", data)
    urls = [f"s3://{place}/images/{name}" for name in names]
    rows = [{"image_url": url, "label": None, "source": "mutation"} for url in urls]
    listed = pa.Table.from_pylist(rows, schema=METADATA)
    pq.write_table(listed, f"{place}/{METADATA_KEY}", filesystem=store)
    return place


def put(store: fs.FileSystem, path: str, data: bytes) -> None:
    with store.open_output_stream(path) as stream:
        stream.write(data)


@pytest.fixture(scope="module")
def reports(lakes: list[str], attempt: Attempts) -> dict[str, Event]:
    """What the oracle says of each lake."""
    return attempt("oracle", "taxi-report", lakes)


def test_a_damaged_parquet_file_without_a_right_answer_is_named(
    lakes: list[str], reports: dict[str, Event]
):
    assert reports[lakes[0]]["event"] == "result", "the one that is not damaged"
    refused = [report for report in reports.values() if report["event"] == "failure"]
    assert refused
    for report in refused:
        assert report["kind"] == "UserError", report
        assert DAMAGED in report["reason"], report


@pytest.mark.parametrize("engine", [*ENGINES, "polars"])
def test_a_damaged_parquet_file_gives_the_oracles_answer_or_a_clear_failure(
    lakes: list[str], reports: dict[str, Event], attempt: Attempts, engine: str
):
    places = [place for place in lakes if reports[place]["event"] == "result"]
    for place, answer in attempt(engine, "taxi-report", places).items():
        if answer["event"] == "result":
            assert answer["checksum"] == reports[place]["checksum"], place
        else:
            # What one reader takes, another may refuse.
            assert DAMAGED in answer["reason"] or "The output is not right" in answer["reason"]


@pytest.fixture(scope="module")
def looked_at(album: str, attempt: Attempts) -> Event:
    """What the oracle says of the album."""
    return attempt("oracle", "image-embeddings", [album])[album]


@pytest.mark.parametrize("engine", ["plain", "ray-tuned", "spark-tuned", "daft-tuned"])
def test_all_engines_reject_the_same_damaged_images(
    store: fs.FileSystem, album: str, looked_at: Event, attempt: Attempts, engine: str
):
    answer = attempt(engine, "image-embeddings", [album], decoder="pillow")[album]
    assert answer["event"] == "result", answer
    assert answer["checksum"] == looked_at["checksum"]
    reasons = Counter(
        reason_of(store, f"{album}/images/photo-{at:06}.jpg") for at in range(40 * TIMES)
    )
    del reasons[None]
    assert answer["rejects"] == [{"reason": r, "count": n} for r, n in sorted(reasons.items())]
    assert len(answer["rejects"]) > 2


def reason_of(store: fs.FileSystem, path: str) -> str | None:
    with store.open_input_file(path) as file:
        try:
            decode(file.read())
        except ImageRejected as rejected:
            return rejected.reason
    return None


@pytest.mark.parametrize("frames", [(0xC0, 0xC0), (0xC0, 0xCD), (0xC2, 0xC0)])
def test_a_second_frame_is_refused_before_any_decoder_sees_it(
    pictures: list[bytes], frames: tuple[int, int]
):
    start, *middle, scan = mutations.segments(pictures[0])
    [frame] = [segment for segment in middle if segment[1] == 0xC0]
    others = [segment for segment in middle if segment is not frame]
    twice = [frame[:1] + bytes([marker]) + frame[2:] for marker in frames]
    with pytest.raises(ImageRejected, match="undecodable"):
        decode(b"".join([start, *others, *twice, scan]))
