"""The one shared way to decode image files, of the contenders that declare Pillow as theirs.

Which files are accepted is in `image_rule`.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from .image_rule import (
    MISSING,
    UNDECODABLE,
    pixels_only,
    reject_reason,
)

SIZE = 224
"""Side of the square that images are scaled to, in pixels, unless the model wants another."""


@dataclass(frozen=True)
class Frame:
    """What of a picture a model sees, and how large.

    Attributes:
        size: Side of the square that it is scaled to, in pixels.
        crop: The centred square that it sees, as a share of the picture's shorter side. None: the
            whole picture, whose aspect ratio is then not kept.
    """

    size: int = SIZE
    crop: float | None = None

    def of(self, picture: Image.Image) -> np.ndarray:
        """Cut and scale a picture in RGB by bilinear interpolation.

        Returns:
            uint8 array [size, size, 3].
        """
        if self.crop is not None:
            side = max(1, int(self.crop * min(picture.size)))
            left, top = (picture.width - side) // 2, (picture.height - side) // 2
            picture = picture.crop((left, top, left + side, top + side))
        return np.asarray(picture.resize((self.size, self.size), Image.Resampling.BILINEAR))


WHOLE = Frame()
"""The whole picture, scaled to `SIZE`."""


class ImageRejected(ValueError):
    """An image that is left out of the result, with one of `REASONS` as its reason."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def decode(data: bytes | None, frame: Frame = WHOLE) -> np.ndarray:
    """Decode one image with Pillow: RGB, as the model sees it.

    The EXIF orientation is not applied, as the engines' own decoders do not apply it.

    Args:
        data: The whole file, or None where there is none.
        frame: What the model sees.

    Returns:
        uint8 array [size, size, 3].

    Raises:
        ImageRejected: The file is left out; the reason is one of `REASONS`.
    """
    reason = reject_reason(data)
    if reason is not None or data is None:
        raise ImageRejected(reason or MISSING)
    try:
        with Image.open(io.BytesIO(pixels_only(data)), formats=("JPEG", "PNG")) as image:
            return frame.of(image.convert("RGB"))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise ImageRejected(UNDECODABLE) from error


@dataclass(frozen=True)
class Decoded:
    """A batch of files after decoding.

    Attributes:
        pixels: uint8 [k, size, size, 3], the accepted images in the order of the batch.
        reasons: For each file of the batch the reason of its rejection, or None.
    """

    pixels: np.ndarray
    reasons: list[str | None]

    @classmethod
    def joined(cls, parts: Sequence[Decoded], size: int) -> Decoded:
        """Parts of a batch as one, in their order, with pixels of this size."""
        pixels = [one for part in parts for one in part.pixels]
        return _decoded(pixels, [reason for part in parts for reason in part.reasons], size)

    @property
    def accepted(self) -> list[int]:
        """Positions in the batch that `pixels` belong to, ascending."""
        return [at for at, reason in enumerate(self.reasons) if reason is None]


def decode_batch(files: Sequence[bytes | None], frame: Frame = WHOLE) -> Decoded:
    """Decode a batch of files; rejected ones get their reason and no pixels.

    Args:
        files: Whole files, or None where there is none.
        frame: What the model sees.
    """
    pixels: list[np.ndarray] = []
    reasons: list[str | None] = []
    for data in files:
        try:
            pixels.append(decode(data, frame))
            reasons.append(None)
        except ImageRejected as rejected:
            reasons.append(rejected.reason)
    return _decoded(pixels, reasons, frame.size)


def _decoded(pixels: list[np.ndarray], reasons: list[str | None], size: int) -> Decoded:
    empty = np.empty((0, size, size, 3), np.uint8)
    return Decoded(np.stack(pixels) if pixels else empty, reasons)
