"""Makes golden_vectors.npz: what the default model says of ten photographs, by another runtime.

    python golden.py MODEL.onnx LABELS.json

The runtime is the reference of ONNX itself: numpy, an operator after the other. It takes about a
minute a photograph, so its answers are stored. They change only with the model or the photographs.
"""

from __future__ import annotations

import json
import sys
from importlib import metadata
from pathlib import Path

import numpy as np

NAMES = (
    "astronaut.png",
    "camera.png",
    "chelsea.png",
    "coffee.png",
    "coins.png",
    "hubble_deep_field.jpg",
    "motorcycle_left.png",
    "retina.jpg",
    "rocket.jpg",
    "brick.png",
)
"""Photographs that scikit-image carries."""
STORED = Path(__file__).with_name("golden_vectors.npz")


def photograph(name: str) -> bytes:
    """The file of one of `NAMES`."""
    path = metadata.distribution("scikit-image").locate_file(f"skimage/data/{name}")
    return Path(str(path)).read_bytes()


def main(model: str, labels: str) -> None:
    """Compute and store: vectors float32 [10, 1280], labels, and their probabilities."""
    import io

    from onnx.reference import ReferenceEvaluator
    from PIL import Image

    classes = json.loads(Path(labels).read_text(encoding="utf-8"))
    runtime = ReferenceEvaluator(model)
    outputs = ["features", "logits"]
    vectors, chosen, confidences = [], [], []
    for name in NAMES:
        picture = Image.open(io.BytesIO(photograph(name))).convert("RGB")
        pixels = np.asarray(picture.resize((224, 224), Image.Resampling.BILINEAR))
        [vector], [logits] = runtime.run(outputs, {runtime.input_names[0]: pixels[None]})
        shares = np.exp(logits.astype(np.float64) - logits.max())
        vectors.append(vector)
        chosen.append(classes[int(shares.argmax())])
        confidences.append(1 / shares.sum())
        print(name, chosen[-1], confidences[-1], flush=True)
    np.savez_compressed(
        STORED, vectors=np.float32(vectors), labels=chosen, confidences=np.float64(confidences)
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
