"""The oracle and the engines' session against stored answers of another runtime: see golden.py."""

from __future__ import annotations

import golden
import numpy as np
import pyarrow as pa
import pytest

from engine_comparison import workloads
from engine_comparison.images import Frame, decode, decode_batch
from engine_comparison.model.session import ModelSession
from engine_comparison.workloads.image_oracle import OracleModel, normalised, picture

PREDICTIONS = workloads.load("image-predictions")
EMBEDDINGS = workloads.load("image-embeddings")


@pytest.fixture(scope="module")
def stored() -> dict[str, np.ndarray]:
    with np.load(golden.STORED) as file:
        return dict(file)


def check(predicted: pa.Table, embedded: pa.Table, stored: dict[str, np.ndarray]) -> None:
    assert predicted.column("label").to_pylist() == stored["labels"].tolist()
    confidences = predicted.column("confidence").to_numpy()
    assert np.abs(confidences - stored["confidences"]).max() < 1e-5
    vectors = np.array(embedded.column("embedding").to_pylist())
    assert np.abs(vectors - stored["vectors"]).max() < 1e-4
    assert np.ptp(stored["vectors"], axis=0).max() > 1


def test_the_oracle_says_what_the_reference_of_onnx_says(
    oracle_model: OracleModel, stored: dict[str, np.ndarray]
):
    def asked(workload) -> pa.Table:
        files = [(name, golden.photograph(name)) for name in golden.NAMES]
        return pa.Table.from_batches(
            [workload.infer_oracle(oracle_model, name, file) for name, file in files]
        )

    check(asked(PREDICTIONS), asked(EMBEDDINGS), stored)


def test_the_engines_session_says_it_too(session: ModelSession, stored: dict[str, np.ndarray]):
    files = [golden.photograph(name) for name in golden.NAMES]

    def asked(workload) -> pa.Table:
        return pa.Table.from_batches(
            [workload.infer(session, list(golden.NAMES), decode_batch(files))]
        )

    check(asked(PREDICTIONS), asked(EMBEDDINGS), stored)


def test_red_and_blue_swapped_would_be_seen(session: ModelSession, stored: dict[str, np.ndarray]):
    pixels = np.array([decode(golden.photograph(name)) for name in golden.NAMES])
    swapped = session.embed(np.ascontiguousarray(pixels[..., ::-1]))
    assert np.abs(swapped - stored["vectors"]).max() > 0.1


@pytest.mark.parametrize("frame", [Frame(8), Frame(224), Frame(96, 0.875)])
def test_the_oracles_pixels_are_the_shared_decoders(frame: Frame):
    for name in golden.NAMES:
        file = golden.photograph(name)
        assert (picture(file, frame.size, frame.crop) == decode(file, frame)).all()


def test_the_oracle_normalises_by_mean_and_deviation():
    pixels = np.random.Generator(np.random.PCG64(1)).integers(0, 256, (4, 4, 3), np.uint8)
    mean, deviation = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    contract = {"mean": mean, "standardDeviation": deviation, "layout": "NCHW"}
    found = normalised(pixels, "tensor(float)", contract)
    assert (found.shape, found.dtype) == ((3, 4, 4), np.float32)
    for channel in range(3):
        expected = (pixels[..., channel] / 255 - mean[channel]) / deviation[channel]
        assert np.abs(found[channel] - expected).max() < 1e-6
    plain = {"mean": None, "standardDeviation": None, "layout": "NHWC"}
    assert (normalised(pixels, "tensor(uint8)", plain) == pixels).all()
