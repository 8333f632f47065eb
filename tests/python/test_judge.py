"""Answers about an engine's own pixels: right where the decoder is, and only there."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from given_inputs import encoded
from PIL import Image
from pyarrow import fs

from engine_comparison import engines, judge, workloads
from engine_comparison.context import Context
from engine_comparison.datasets.sample import photos
from engine_comparison.engines.daft import ENGINE as DAFT
from engine_comparison.images import Frame
from engine_comparison.model.session import ModelSession
from engine_comparison.verify import Verdict
from engine_comparison.workloads.image_oracle import Decoder, OracleModel
from engine_comparison.workloads.image_workload import ImageWorkload

Judged = Callable[[ImageWorkload, Decoder], tuple[Verdict, Verdict]]
INPUTS = {"decoder": "own"}
WORKLOADS = [workloads.load("image-predictions"), workloads.load("image-embeddings")]


@pytest.fixture(scope="module")
def files() -> dict[str, bytes]:
    """Small photographs, of which the model makes much where a decoder rounds differently."""
    found = {}
    for at, name in enumerate(tuple(photos.SOURCES)[::2]):
        data = photos.make_picture(photos.read_source(name), 1, at)
        whole = Image.open(io.BytesIO(data)).convert("RGB")
        for width in (3, 32):
            small = whole.resize((width, 3 * width // 4))
            found[f"{at}-{width}.jpg"] = encoded(small, "JPEG", subsampling=2)
            found[f"{at}-{width}.png"] = encoded(small, "PNG")
    return found


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory, files: dict[str, bytes]) -> fs.FileSystem:
    folder: Path = tmp_path_factory.mktemp("pictures")
    (folder / "images").mkdir()
    for name, data in files.items():
        (folder / "images" / name).write_bytes(data)
    return fs.SubTreeFileSystem(str(folder), fs.LocalFileSystem())


def swapped(file: bytes, frame: Frame) -> np.ndarray:
    """Daft's pixels with red and blue swapped."""
    return np.ascontiguousarray(DAFT.decoded(file, frame)[..., ::-1])


def nearest(file: bytes, frame: Frame) -> np.ndarray:
    """Pixels that are scaled without interpolation."""
    image = Image.open(io.BytesIO(file)).convert("RGB")
    return np.array(image.resize((frame.size, frame.size), Image.Resampling.NEAREST))


@pytest.fixture(scope="module")
def judged(
    model_folder: Path,
    session: ModelSession,
    oracle_model: OracleModel,
    pictures: fs.FileSystem,
    files: dict[str, bytes],
) -> Judged:
    """Says what answers about a decoder's pixels come to: by the oracle's, and by Daft's pixels."""
    urls = [f"s3://images/{name}" for name in files]
    oracles = {one.name: one.ask_each(oracle_model, pictures, urls) for one in WORKLOADS}
    model = {"path": str(model_folder / "model.onnx")}
    context = Context({"engine": "daft", "inputs": INPUTS, "model": model}, pictures)

    def judged(workload: ImageWorkload, decoder: Decoder) -> tuple[Verdict, Verdict]:
        pixels = np.stack([decoder(file, session.frame) for file in files.values()])
        columns = [pa.array(urls, pa.string()), *workload.answer(session, pixels)]
        answers = pa.Table.from_arrays(columns, schema=workload.schema(session.dimension))
        oracle = oracles[workload.name]
        verdict = workload.verify(answers, oracle, INPUTS)
        return verdict, judge.by_its_own_pixels(context, workload, answers, oracle, verdict)

    return judged


@pytest.mark.parametrize("workload", WORKLOADS)
def test_small_photographs_are_judged_by_the_engines_own_pixels(
    workload: ImageWorkload, judged: Judged
):
    first, again = judged(workload, DAFT.decoded)
    assert not first.verified
    assert again.verified, again.message
    before, after = first.agreement or {}, again.agreement or {}
    assert {name: after[name] for name in before} == before
    assert all(after[f"{name}ByOwnPixels"] > 0.999 for name in before)
    assert again.disagreements == first.disagreements


@pytest.mark.parametrize("workload", WORKLOADS)
@pytest.mark.parametrize("decoder", [swapped, nearest])
def test_answers_about_other_pixels_stay_wrong(
    workload: ImageWorkload, decoder: Decoder, judged: Judged
):
    for verdict in judged(workload, decoder):
        assert not verdict.verified


@pytest.mark.parametrize("decoder", [swapped, nearest])
def test_answers_are_not_judged_by_a_decoder_that_is_wrong(
    monkeypatch: pytest.MonkeyPatch,
    decoder: Decoder,
    session: ModelSession,
    files: dict[str, bytes],
    judged: Judged,
):
    pixels = {file: decoder(file, session.frame) for file in files.values()}
    monkeypatch.setattr(DAFT, "decoded", lambda file, frame: pixels[file])
    _, again = judged(WORKLOADS[1], DAFT.decoded)
    assert not again.verified
    assert "of 255 from Pillow's on average, and more than 6.0 in 's3://images/" in again.message


def test_what_is_wrong_before_answers_are_compared_asks_no_model(pictures: fs.FileSystem):
    without_model = Context({"engine": "daft", "inputs": INPUTS}, pictures)
    verdict = Verdict(False, message="The output has the wrong shape.")
    workload, none = WORKLOADS[0], pa.table({})
    assert judge.by_its_own_pixels(without_model, workload, none, none, verdict) == verdict


def test_contenders_with_a_decoder_of_their_own_can_be_judged_by_it():
    contenders = [engines.load(name) for name in engines.names()]
    for contender in contenders:
        has_own = contender.decoded.__func__ is not engines.Engine.decoded.__func__
        assert has_own or contender.facts.decoder != "own", contender.facts.name
    assert DAFT.facts.decoder == "own"
