"""The oracle and the engines' session against stored answers of another runtime: see golden.py."""

from __future__ import annotations

import golden
import numpy as np
import pyarrow as pa
import pytest

from engine_comparison import workloads
from engine_comparison.images import decode_batch
from engine_comparison.model.session import ModelSession
from engine_comparison.workloads.image_oracle import OracleModel

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
    from engine_comparison.images import decode

    pixels = np.array([decode(golden.photograph(name)) for name in golden.NAMES])
    swapped = session.embed(np.ascontiguousarray(pixels[..., ::-1]))
    assert np.abs(swapped - stored["vectors"]).max() > 0.1


@pytest.mark.parametrize("size", [8, 224])
def test_the_oracles_pixels_are_the_shared_decoders(size: int):
    from engine_comparison.images import decode
    from engine_comparison.workloads.image_oracle import picture

    for name in golden.NAMES:
        file = golden.photograph(name)
        assert (picture(file, size) == decode(file, size)).all()


def test_the_oracle_normalises_floats_by_the_means_that_models_were_trained_with():
    from engine_comparison.workloads.image_oracle import normalised

    class Outputs:
        """Of a runtime: only the names of its outputs."""

        def __init__(self, *names: str) -> None:
            self.names = names

        def get_outputs(self) -> list[Outputs]:
            return [Outputs(name) for name in self.names]

        @property
        def name(self) -> str:
            return self.names[0]

    pixels = np.random.Generator(np.random.PCG64(1)).integers(0, 256, (4, 4, 3), np.uint8)
    for outputs, mean, deviation in (
        (("logits",), (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
        (
            ("image_embeds",),
            (0.48145466, 0.4578275, 0.40821073),
            (0.26862954, 0.26130258, 0.27577711),
        ),
    ):
        found = normalised(pixels, "tensor(float)", Outputs(*outputs))
        assert (found.shape, found.dtype) == ((3, 4, 4), np.float32)
        for channel in range(3):
            expected = (pixels[..., channel] / 255 - mean[channel]) / deviation[channel]
            assert np.abs(found[channel] - expected).max() < 1e-6
