"""All contenders of images on GPUs that a double stands for, from end to end; see `fake_cuda`."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from clusters import Attempts, with_double
from jobs import put_folder
from pyarrow import fs

from engine_comparison import engines
from engine_comparison.datasets.sample import photos

PLACE = "on-gpus"
BATCH = 8
SAMPLES = 2


@pytest.fixture(scope="module")
def oracle(
    creating: fs.FileSystem, attempt: Attempts, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Twenty photographs, which are two whole batches and a half, and the right answers."""
    folder = tmp_path_factory.mktemp("photos")
    photos.generate(folder, {"photos": "20", "seed": "1", "bucket": PLACE})
    creating.create_dir(PLACE)
    put_folder(creating, folder, PLACE)
    said = attempt("oracle", "image-embeddings", [PLACE])
    assert said[PLACE]["event"] == "result", said


CONTENDERS = [
    ("plain", "native", 1),
    ("daft", "native", SAMPLES),
    ("daft-tuned", "native", 1),
    ("daft", "ray", SAMPLES),
    ("daft-tuned", "ray", 1),
    ("ray", "ray", SAMPLES),
    ("ray-tuned", "ray", 1),
    ("spark", "native", 1),
    ("spark-tuned", "native", 1),
]
"""Contender, Daft's runner, and how often it opens a session a GPU."""
SHORT = {
    ("plain", "native"),
    ("daft-tuned", "native"),
    ("ray-tuned", "ray"),
    ("spark-tuned", "native"),
}


def cases() -> list[Any]:
    """One contender of each family on two GPUs, and the others as long tests."""
    found = []
    for gpus in (1, 2):
        for engine, runner, samples in CONTENDERS:
            short = gpus == 2 and (engine, runner) in SHORT
            marks = () if short else pytest.mark.long
            name = f"{engine}-{runner}-{gpus}"
            found.append(pytest.param(engine, runner, samples, gpus, False, marks=marks, id=name))
    for engine, runner, samples in CONTENDERS:
        if "fp16" in {one.name for one in engines.load(engine).facts.tunables}:
            marks = () if engine == "plain" else pytest.mark.long
            name = f"{engine}-{runner}-fp16"
            found.append(pytest.param(engine, runner, samples, 1, True, marks=marks, id=name))
    return found


@pytest.mark.usefixtures("oracle")
@pytest.mark.parametrize(("engine", "runner", "samples", "gpus", "half"), cases())
def test_sessions_open_where_the_placement_says(
    attempt: Attempts, tmp_path: Path, engine: str, runner: str, samples: int, gpus: int, half: bool
):
    cluster = runner == "ray" or engine.startswith("spark")
    done = attempt(
        engine,
        "image-embeddings",
        [PLACE],
        module="on_gpus",
        variables=with_double(tmp_path, gpus) | ({"FAKE_DRIVER": "1"} if cluster else {}),
        device="cuda",
        gpus=str(gpus),
        gpuWorkers=str(gpus),
        batchSize=str(BATCH),
        repeats=str(SAMPLES),
        daftRunner=runner,
        **({"tunables": '{"fp16": true}'} if half else {}),
    )
    lines = [line for file in tmp_path.iterdir() for line in file.read_text().splitlines()]
    notes = [json.loads(line) for line in lines]
    assert done[PLACE]["event"] == "result", done
    assert not [note for note in notes if "refused" in note]
    opened = [note for note in notes if "options" in note]

    if engine == "ray":  # on two cores its pool has one actor, so that something reads
        assert len(opened) == samples
    elif engine.startswith("spark"):  # a worker's next task may be given another GPU
        assert set(Counter((note["pid"], note["gpu"]) for note in opened).values()) == {1}
        assert {note["gpu"] for note in opened} == set(range(gpus))
        assert len({note["pid"] for note in opened}) <= gpus
    else:
        assert Counter(note["gpu"] for note in opened) == dict.fromkeys(range(gpus), samples)
    assert {note["half"] for note in opened} == {half}
    assert {note["options"]["cudnn_conv_algo_search"] for note in opened} == {"HEURISTIC"}
    assert {tuple(note["ran"]) for note in notes if "ran" in note} == {(BATCH, 224, 224, 3)}
