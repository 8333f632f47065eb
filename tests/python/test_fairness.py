"""Rules that hold for all contenders alike, as the engines that run keep them."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from clusters import Attempts, Event, with_double
from counting_proxy import counting_proxy
from jobs import put_folder
from pyarrow import fs

from engine_comparison import engines
from engine_comparison.datasets.sample import photos
from engine_comparison.host import PACKAGE_PARENT
from engine_comparison.store import open_store

PLACE = "fetched"
AT_A_TIME = 6
CORES = 2
SAMPLES = 3


def not_as_documented() -> list[Any]:
    """The contenders with images that are not held to their engine's defaults."""
    found = []
    for name in engines.names():
        facts = engines.load(name).facts
        if facts.decoder is not None and facts.use != "documented":
            slow = facts.cluster in ("spark", "ray")
            found.append(pytest.param(name, marks=pytest.mark.long) if slow else name)
    return found


@pytest.fixture(scope="module")
def answer(
    minio: dict[str, Any], creating: fs.FileSystem, attempt: Attempts, tmp_path_factory: Any
) -> Event:
    """What the oracle says of some pictures."""
    folder = tmp_path_factory.mktemp("album")
    photos.generate(folder, {"photos": "20", "seed": "1", "bucket": PLACE})
    creating.create_dir(PLACE)
    put_folder(open_store(minio), folder, PLACE)
    return attempt("oracle", "image-embeddings", [PLACE])[PLACE]


@pytest.mark.parametrize("engine", not_as_documented())
def test_contenders_fetch_as_many_images_at_a_time_as_is_set(
    answer: Event, minio: dict[str, Any], attempt: Attempts, engine: str
):
    limit = {"fetchConcurrency": str(AT_A_TIME)}
    with counting_proxy(minio["endpoint"]) as (url, seen):
        store = {**minio, "endpoint": url}
        found = attempt(engine, "image-embeddings", [PLACE], store=store, **limit)[PLACE]
    assert found["event"] == "result", found
    assert found["checksum"] == answer["checksum"]
    assert AT_A_TIME / 2 <= seen.most <= AT_A_TIME


def with_a_model() -> list[Any]:
    """The contenders with images, and Daft's with each runner that it has."""
    found = []
    for name in engines.names():
        facts = engines.load(name).facts
        if facts.decoder is None:
            continue
        for runner in ("native", "ray") if facts.cluster == "daftRunner" else ("native",):
            marks = pytest.mark.long if name == "spark" else ()  # spark-tuned has its half minute
            found.append(pytest.param(name, runner, marks=marks, id=f"{name}-{runner}"))
    return found


def opened_in_samples(folder: Path) -> list[Counter[int]]:
    """How many sessions each process opened, by sample; see `noted_samples`."""
    notes = {file.name: file.read_text().splitlines() for file in folder.iterdir()}
    samples = [json.loads(line) for line in notes.pop("samples.jsonl")]
    opened = [json.loads(line) for lines in notes.values() for line in lines]
    return [
        Counter(one["pid"] for one in opened if each["began"] <= one["cpu"] <= each["ended"])
        for each in samples
    ]


@pytest.mark.parametrize(("engine", "runner"), with_a_model())
def test_a_model_persists_between_samples_as_the_contender_says(
    answer: Event, attempt: Attempts, tmp_path: Path, engine: str, runner: str
):
    found = attempt(
        engine,
        "image-embeddings",
        [PLACE],
        module="noted_samples",
        variables=with_double(tmp_path, 0),
        repeats=str(SAMPLES),
        daftRunner=runner,
    )[PLACE]
    assert found["event"] == "result", found
    assert found["checksum"] == answer["checksum"]
    opened = opened_in_samples(tmp_path)
    assert len(opened) == SAMPLES
    said = found["configuration"]["persistsBetweenSamples"]
    if "for each sample" in said:
        # None but a contender that does as its engine's guide does.
        assert engines.load(engine).facts.use == "documented"
        assert all(opened)
    else:
        assert opened[0]
        # A worker may get its first task in a later sample; pools would be more than the cores.
        assert set(sum(opened, Counter()).values()) == {1}
        assert len(sum(opened, Counter())) <= CORES < SAMPLES


START = """
import json, sys
from engine_comparison import engines
from engine_comparison.context import Context
spec = json.load(sys.stdin)
engine = engines.load(spec["engine"])(Context(spec, None))
engine.start()
"""


@pytest.mark.parametrize(
    ("engine", "dirty_decay_ms"), [("daft", 1_000), ("daft-tuned", -1), ("polars", 500)]
)
def test_an_allocator_has_the_engines_default_unless_a_tunable_says_otherwise(
    engine: str, dirty_decay_ms: int
):
    """At its end jemalloc itself prints what it was set to."""
    printed, given = "stats_print:true", {}
    environment = {"PATH": os.environ["PATH"], "_RJEM_MALLOC_CONF": printed}
    set_by_us = [one for one in engines.load(engine).facts.tunables if one.name == "jemalloc"]
    for one in set_by_us:
        del environment["_RJEM_MALLOC_CONF"]
        given = {"jemalloc": f"{one.value},{printed}"}
    spec = {
        "engine": engine,
        "workload": "taxi-report",
        "threads": 2,
        "inputs": {"tunables": json.dumps(given)},
        "store": {"endpoint": "http://127.0.0.1:1", "region": "x", "pathStyle": True},
        "limits": {"memoryBytes": 2**30},
    }
    done = subprocess.run(
        [sys.executable, "-c", START],
        input=json.dumps(spec),
        cwd=PACKAGE_PARENT,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    found = re.findall(r"opt\.dirty_decay_ms: (-?\d+)", done.stderr)
    assert found == [str(dirty_decay_ms)], done.stderr[-500:]
