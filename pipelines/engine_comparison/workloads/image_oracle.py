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
import pyarrow.compute as pc
from PIL import Image
from pyarrow import fs

from ..image_rule import PNG_SIGNATURE, UNDECODABLE, pixels_only, reject_reason
from ..images import Frame, ImageRejected
from ..model.contract import contract_file
from ..model.session import ModelSession
from ..objects import in_parallel, read_bytes
from .image_inputs import REJECTED, sampled

LONG_TEXTS = "longTexts"
"""The column that says of an accepted image whether Pillow refuses it as a whole, for the length of
a PNG's texts or profile or because something besides its pixels is broken."""
SAMPLED = "sampled"
"""The column by which an oracle says whether it asked the model about an image. It says of all
images whether they are rejected."""


Decoder = Callable[[bytes, Frame], np.ndarray]
"""Makes uint8 [size, size, 3] of a file, RGB, as a model sees it."""


class OracleModel:
    """A model as the oracle asks it.

    Attributes:
        dimension: Length of a vector; None if the model gives none.
        labels: The classes' names; empty for an encoder.
        distances: How far the pixels of another decoder were from Pillow's, of each image that was
            asked about: on average, of 255.
    """

    def __init__(self, model: Mapping[str, Any], decoder: Decoder | None = None) -> None:
        """Load a model.

        Args:
            model: `{"path": ...}`.
            decoder: Whose pixels the model is asked about; default: Pillow's.

        Raises:
            UserError: As `ModelSession`.
        """
        self._decoder = decoder
        self.distances: list[float] = []
        self._session = ModelSession(model["path"])
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
        size, crop = self._contract["size"], self._contract["crop"]
        pixels = picture(file, size, crop)
        if self._decoder is not None and file is not None:
            others = self._decoder(file, Frame(size, crop))
            self.distances.append(float(np.abs(others.astype(np.int16) - pixels).mean()))
            pixels = others
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
    try:
        pixels = np.array(_opened(pixels_only(file)).convert("RGB"))
        height, width, _ = pixels.shape
        if crop is not None:
            side = max(1, int(min(height, width) * crop))
            top, left = (height - side) // 2, (width - side) // 2
            pixels = pixels[top : top + side, left : left + side]
        square = Image.fromarray(pixels).resize((size, size), resample=Image.Resampling.BILINEAR)
    except _UNREADABLE as error:
        raise ImageRejected(UNDECODABLE) from error
    return np.array(square)


def has_long_texts(file: bytes | None) -> bool:
    """Whether Pillow refuses a PNG as a whole."""
    if file is None or not file.startswith(PNG_SIGNATURE):
        return False
    try:
        _opened(file)
    except _UNREADABLE:
        return True
    return False


_UNREADABLE = (OSError, ValueError, SyntaxError, Image.DecompressionBombError)


def _opened(file: bytes) -> Image.Image:
    """A picture with its pixels."""
    image = Image.open(io.BytesIO(file), formats=["JPEG", "PNG"])
    image.load()
    return image


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
    """Ask about each image by itself, and say of all whether they are rejected or have long texts.

    Args:
        filesystem: The store.
        urls: The images, each once.
        most: How many images to ask about; of more than that a sample.
        schema: The answer's, with `image_url` and the column `rejected`.
        infer: Asks the model about an image, by its name and its content; one row of the schema.

    Returns:
        A row for each image of the list: the schema, `SAMPLED` and `LONG_TEXTS`. Images that are
        not in the sample have no answer, but a reason if they are rejected.
    """
    long_texts: set[str] = set()

    def read(url: str) -> bytes | None:
        file = read_bytes(filesystem, url.removeprefix("s3://"))
        if has_long_texts(file):
            long_texts.add(url)
        return file

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
    table = pa.concat_tables(parts, promote_options="default").combine_chunks()
    accepted = pc.is_null(table.column(REJECTED))
    long = pc.is_in(table.column("image_url"), pa.array(sorted(long_texts), pa.string()))
    return table.append_column(LONG_TEXTS, pc.and_(accepted, long))


def of_sample(oracle: pa.Table) -> pa.Table:
    """The rows of an oracle's table that are in its sample, rejected ones included."""
    return oracle.filter(oracle.column(SAMPLED))
