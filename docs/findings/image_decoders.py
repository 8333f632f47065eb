"""How far the answers about pictures that Daft decodes are from those about Pillow's.

Needs the package `engine_comparison` of this checkout with its locked dependencies, and the model:

    PYTHONPATH=pipelines python docs/findings/image_decoders.py <model.onnx> [pictures = 1000]

The pictures are those of the sample dataset: crops of photographs that scikit-image and
scikit-learn carry, as JPEG files. Both decoders resize to the model's square; a session in one
thread answers. The quantiles are what tolerances of contenders with another decoder come from.
"""

from __future__ import annotations

import os
import sys
from importlib import metadata
from pathlib import Path

os.environ.update(DAFT_PROGRESS_BAR="0", DO_NOT_TRACK="true")

import daft
import numpy as np
from daft import col, functions

from engine_comparison.datasets.sample import photos
from engine_comparison.engines.daft import seen
from engine_comparison.images import Frame, decode_batch
from engine_comparison.model.session import ModelSession
from engine_comparison.verify import cosines
from engine_comparison.workloads.image_predictions import NEAR

QUANTILES = (0.0, 0.001, 0.01, 0.05, 0.5)
SEED = 42
BATCH = 50


def by_daft(files: list[bytes], frame: Frame) -> np.ndarray:
    """Decode and resize by Daft; uint8 [n, size, size, 3]."""
    decoded, size = seen(functions.decode_image(col("file"), mode="RGB"), frame), frame.size
    table = daft.from_pydict({"file": files}).select(decoded.alias("pixels")).to_arrow()
    return np.array(table.column("pixels").to_pylist(), np.uint8).reshape(-1, size, size, 3)


def main(model: Path, count: int) -> None:
    """Print a table."""
    session = ModelSession(model)
    sources = [photos.read_source(name) for name in photos.SOURCES]
    files = [photos.make_picture(sources[at % len(sources)], SEED, at) for at in range(count)]
    pixels, vectors, shares = [], [], []
    for at in range(0, count, BATCH):
        batch = files[at : at + BATCH]
        sides = (decode_batch(batch, session.frame).pixels, by_daft(batch, session.frame))
        pixels.append(np.abs(sides[0].astype(int) - sides[1]).mean(axis=(1, 2, 3)))
        vectors.append(cosines(*(session.embed(side) for side in sides)))
        shares.append([session.likelihoods(side) for side in sides])
    cosine, distance = np.concatenate(vectors), np.concatenate(pixels)
    right, other = (np.concatenate([one[side] for one in shares]) for side in (0, 1))
    chosen = other.argmax(axis=1)
    same = chosen == right.argmax(axis=1)
    near = right[np.arange(count), chosen] >= NEAR
    apart = np.abs(1 / right.sum(axis=1) - 1 / other.sum(axis=1))
    versions = {name: metadata.version(name) for name in ("daft", "pillow", "onnxruntime")}
    print(f"{count} pictures, {len(sources)} photographs, {versions}, model {model.name}")
    print(f"pixels differ by {distance.mean():.2f} of 255 on average")
    print(f"labels: {same.mean():.1%} equal, {near.mean():.1%} equal or nearly as likely")
    print("| quantile | " + " | ".join(f"{one:.1%}" for one in QUANTILES) + " |")
    print("|---|" + "--:|" * len(QUANTILES))
    for name, values in (
        ("cosine of the vectors", np.quantile(cosine, QUANTILES)),
        (
            "difference of the confidences (largest first)",
            np.quantile(apart, [1 - one for one in QUANTILES]),
        ),
    ):
        print(f"| {name} | " + " | ".join(f"{value:.4f}" for value in values) + " |")
    of_what_is_wrong(session, files[: 2 * len(sources)])


def of_what_is_wrong(session: ModelSession, files: list[bytes]) -> None:
    """Print the cosines of vectors of two crops of each photograph, and of other mistakes."""
    pixels = decode_batch(files, session.frame).pixels
    vectors = session.embed(pixels)
    one, other = np.split(vectors, 2)
    crops = cosines(one, other)
    n = len(one)
    apart = np.array([cosines(one, np.roll(one, shift, axis=0)) for shift in range(1, n)])
    coloured = (pixels != pixels[..., ::-1]).any(axis=(1, 2, 3))
    swapped = cosines(vectors, session.embed(np.ascontiguousarray(pixels[..., ::-1])))[coloured]
    print(f"two photographs: at most {apart.max():.2f}")
    print(f"two crops of one photograph: {crops.min():.2f} to {crops.max():.2f}")
    print(f"red and blue swapped: {swapped.min():.2f} to {swapped.max():.2f}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 1000)
