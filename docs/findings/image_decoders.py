"""How far the answers about pictures that Daft decodes are from those about Pillow's.

Needs the package `engine_comparison` of this checkout with its locked dependencies, and the model:

    PYTHONPATH=pipelines python docs/findings/image_decoders.py <model.onnx> [pictures = 1000]

The pictures are those of the sample dataset: crops of photographs that scikit-image and
scikit-learn carry, as JPEG files. Both decoders resize to the model's square; a session in one
thread answers. The quantiles are what tolerances of contenders with another decoder come from.
"""

from __future__ import annotations

import io
import os
import sys
from importlib import metadata
from pathlib import Path

os.environ.update(DAFT_PROGRESS_BAR="0", DO_NOT_TRACK="true")

import numpy as np
from PIL import Image

from engine_comparison.datasets.sample import photos
from engine_comparison.engines.daft import Daft
from engine_comparison.images import Frame, decode_batch
from engine_comparison.model.session import ModelSession
from engine_comparison.verify import cosines
from engine_comparison.workloads.image_predictions import NEAR

QUANTILES = (0.0, 0.001, 0.01, 0.05, 0.5)
WIDTHS = (3, 8, 16, 32, 64, 96, 128, 160, 200, 300)
SEED = 42
BATCH = 50


def by_daft(files: list[bytes], frame: Frame) -> np.ndarray:
    """Decode and resize by Daft; uint8 [n, size, size, 3]."""
    return np.stack([Daft.decoded(file, frame) for file in files])


def main(model: Path, count: int) -> None:
    """Print a table."""
    session = ModelSession(model)
    sources = [photos.read_source(name) for name in photos.SOURCES]
    files = [photos.make_picture(sources[at % len(sources)], SEED, at) for at in range(count)]
    pixels, vectors, shares = [], [], []
    for at in range(0, count, BATCH):
        batch = files[at : at + BATCH]
        sides = (decode_batch(batch, session.frame).pixels, by_daft(batch, session.frame))
        pixels.append(distances(*sides))
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
    of_widths(session, files[: 4 * len(sources)])


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


def of_widths(session: ModelSession, files: list[bytes]) -> None:
    """Print how far pixels and answers are apart for pictures of some widths, and for mistakes."""
    frame = session.frame
    print("| pixels wide | distance, mean | most | least cosine | below 0.995 | labels near |")
    print("|--:|--:|--:|--:|--:|--:|")
    for width in WIDTHS:
        small = [one for file in files for one in scaled(file, width)]
        right, other = decode_batch(small, frame).pixels, by_daft(small, frame)
        apart = distances(right, other)
        cosine = cosines(session.embed(right), session.embed(other))
        shares = session.likelihoods(right)
        chosen = session.likelihoods(other).argmax(axis=1)
        near = shares[np.arange(len(small)), chosen] >= NEAR
        print(
            f"| {width} | {apart.mean():.2f} | {apart.max():.2f} | {cosine.min():.4f} "
            f"| {(cosine < 0.995).mean():.0%} | {near.mean():.1%} |"
        )
    pixels = decode_batch(files, frame).pixels
    nearest = np.stack([unsmoothed(file, frame.size) for file in files])
    print(f"nearest neighbours: {distances(pixels, nearest).mean():.1f} of 255")
    print(f"red and blue swapped: {distances(pixels, pixels[..., ::-1]).mean():.1f} of 255")


def distances(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """How far the pixels of pictures are apart on average, of 255; float64 [n]."""
    apart: np.ndarray = np.abs(one.astype(np.int16) - other).mean(axis=(1, 2, 3))
    return apart


def scaled(file: bytes, width: int) -> list[bytes]:
    """A picture scaled to a width: as PNG, and as JPEG with colours of half and of full width."""
    whole = Image.open(io.BytesIO(file)).convert("RGB")
    picture = whole.resize((width, max(1, width * whole.height // whole.width)))
    files = []
    for kind, options in (("PNG", {}), ("JPEG", {"subsampling": 2}), ("JPEG", {"subsampling": 0})):
        out = io.BytesIO()
        picture.save(out, kind, **options)
        files.append(out.getvalue())
    return files


def unsmoothed(file: bytes, size: int) -> np.ndarray:
    """A picture scaled without interpolation; uint8 [size, size, 3]."""
    whole = Image.open(io.BytesIO(file)).convert("RGB")
    return np.array(whole.resize((size, size), Image.Resampling.NEAREST))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 1000)
