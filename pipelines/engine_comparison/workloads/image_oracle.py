"""The right answers about images, found by the plainest way there is.

One image after the other, a batch of one, one thread of ONNX Runtime. It cuts, scales, normalises
and chooses labels by its own code, from the model's contract. It shares with the engines only the
list, the rule by which files are rejected, and the session. Where there are more images than
`oracleImages`, the model is asked about a sample of them; the rule is applied to all.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from PIL import Image, PngImagePlugin
from pyarrow import fs

from ..images import UNDECODABLE, ImageRejected, reject_reason
from ..model.contract import contract_file
from ..model.session import ModelSession
from ..store import in_parallel, read_bytes
from .image_inputs import REJECTED, sampled

SAMPLED = "sampled"
"""The column by which an oracle says whether it asked the model about an image. It says of all
images whether they are rejected."""

_LONGEST_TEXT = 2**31


class OracleModel:
    """A model as the oracle asks it.

    Attributes:
        dimension: Length of a vector; None if the model gives none.
        labels: The classes' names; empty for an encoder.
    """

    def __init__(self, model: Mapping[str, Any]) -> None:
        """Load a model; `{"path": ...}`.

        Raises:
            UserError: As `ModelSession`.
        """
        self._session = ModelSession(model["path"], device="cpu", threads=1)
        self._contract = json.loads(contract_file(model["path"]).read_text(encoding="utf-8"))
        self.dimension = self._session.dimension
        self.labels = self._session.labels

    def logits(self, file: bytes | None) -> np.ndarray:
        """The classes' logits of one image, float64 [classes].

        Raises:
            ImageRejected: The image has no answer.
            UserError: The model is no classifier.
        """
        return self._ask(self._session.logits_output, file)

    def vector(self, file: bytes | None) -> np.ndarray:
        """The vector of one image, float64 [dimension].

        Raises:
            ImageRejected: The image has no answer.
            UserError: The model gives no vectors.
        """
        return self._ask(self._session.vector_output, file)

    def _ask(self, output: str, file: bytes | None) -> np.ndarray:
        runtime = self._session.runtime
        [expected] = runtime.get_inputs()
        pixels = picture(file, self._contract["size"], self._contract["crop"])
        one = normalised(pixels, expected.type, self._contract)
        count = expected.shape[0] if isinstance(expected.shape[0], int) else 1
        rows = runtime.run([output], {expected.name: np.repeat(one[None], count, axis=0)})[0]
        return np.asarray(rows[0], np.float64)


def picture(file: bytes | None, size: int, crop: float | None = None) -> np.ndarray:
    """Decode one file.

    Args:
        file: The whole file, or None where there is none.
        size: Side of the square, in pixels.
        crop: The centred square that is cut out first, as a share of the shorter side.

    Returns:
        RGB, uint8 [size, size, 3].

    Raises:
        ImageRejected: By the rule, or because it cannot be decoded.
    """
    reason = reject_reason(file)
    if reason is not None or file is None:
        raise ImageRejected(str(reason))
    # Pillow refuses a PNG for the length of its texts, which say nothing of its pixels.
    PngImagePlugin.MAX_TEXT_CHUNK = PngImagePlugin.MAX_TEXT_MEMORY = _LONGEST_TEXT
    try:
        image = Image.open(io.BytesIO(file), formats=["JPEG", "PNG"])
        pixels = np.array(image.convert("RGB"))
        height, width, _ = pixels.shape
        if crop is not None:
            side = max(1, int(min(height, width) * crop))
            top, left = (height - side) // 2, (width - side) // 2
            pixels = pixels[top : top + side, left : left + side]
        square = Image.fromarray(pixels).resize((size, size), resample=Image.Resampling.BILINEAR)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise ImageRejected(UNDECODABLE) from error
    return np.array(square)


def normalised(pixels: np.ndarray, kind: str, contract: Mapping[str, Any]) -> np.ndarray:
    """One picture as a model takes it.

    Args:
        pixels: uint8 [size, size, 3].
        kind: The type of the model's input, in ONNX Runtime's words.
        contract: Has `mean`, `standardDeviation` and `layout`.

    Returns:
        [size, size, 3] or [3, size, size], of the model's type.
    """
    values = pixels.astype(np.float64)
    if contract["mean"] is not None:
        values = (values / 255.0 - contract["mean"]) / contract["standardDeviation"]
    if contract["layout"] == "NCHW":
        values = np.moveaxis(values, 2, 0)
    types = {"tensor(uint8)": np.uint8, "tensor(float16)": np.float16}
    return values.astype(types.get(kind, np.float32))


def image_oracle(
    filesystem: fs.FileSystem,
    urls: Sequence[str],
    most: int,
    schema: pa.Schema,
    infer: Callable[[str, bytes | None], pa.RecordBatch],
) -> pa.Table:
    """Ask about each image by itself, and of all images say whether they are rejected.

    Args:
        filesystem: The store.
        urls: The images, each once.
        most: How many images to ask about; of more than that a sample.
        schema: The answer's, with `image_url` and the column `rejected`.
        infer: Asks the model about an image, by its name and its content; one row of the schema.

    Returns:
        A row for each image of the list: the schema, and whether it is in the sample. The others
        have no answer, but a reason if they are rejected.
    """

    def read(url: str) -> bytes | None:
        return read_bytes(filesystem, url.removeprefix("s3://"))

    def reason(url: str) -> str | None:
        try:
            picture(read(url), 8)
        except ImageRejected as rejected:
            return rejected.reason
        return None

    chosen = sampled(urls, most)
    answered = pa.Table.from_batches([infer(url, read(url)) for url in chosen], schema)
    rest = sorted(set(urls) - set(chosen))
    reasons = pa.array(in_parallel(reason, rest), pa.string())
    others = pa.table({"image_url": pa.array(rest, pa.string()), REJECTED: reasons})
    parts = [
        part.append_column(SAMPLED, pa.array([asked] * len(part), pa.bool_()))
        for part, asked in ((answered, True), (others, False))
    ]
    return pa.concat_tables(parts, promote_options="default").combine_chunks()


def of_sample(oracle: pa.Table) -> pa.Table:
    """The rows of an oracle's table that are in its sample, rejected ones included."""
    return oracle.filter(oracle.column(SAMPLED))
