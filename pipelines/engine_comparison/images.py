"""Which image files are accepted, and the one shared way to decode them.

Two things must not depend on the engine. First, which files are rejected: decoders disagree about
truncated files (Pillow raises, Daft's decoder fills the rest with grey and says nothing), so the
decision is made on the bytes, by `reject_reason`, before any decoder sees them. Second, the pixels
of all contenders that declare Pillow as their decoder: they call `decode`.
"""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

SIZE = 224
"""Side of the square that images are scaled to, in pixels, unless the model wants another."""

MISSING = "missing"
"""The metadata names the image, the store does not have it."""
EMPTY = "empty"
"""The file has no bytes."""
NOT_AN_IMAGE = "not-an-image"
"""The file is neither JPEG nor PNG."""
TRUNCATED = "truncated"
"""The file starts as an image and ends before its end marker."""
UNDECODABLE = "undecodable"
"""The file begins as an image, but its structure is broken, or the shared decoder refuses it."""
UNSUPPORTED = "unsupported"
"""Decoders make different pictures of the file, or some make none: see `docs/datasets.md`."""

REASONS = {
    MISSING: "listed, and not in the store",
    EMPTY: "no bytes",
    NOT_AN_IMAGE: "neither JPEG nor PNG, whatever the name says",
    TRUNCATED: "ends before its end marker",
    UNDECODABLE: "broken",
    UNSUPPORTED: "a PNG of 16 bits a channel, or more than 178 million pixels",
}
"""Each reason, and what it says of a file."""

HEAD_BYTES = 33
"""What `first_reason` needs of a file: a PNG's signature and its first chunk."""
_MAX_PIXELS = 2 * (Image.MAX_IMAGE_PIXELS or 0)
"""Pillow refuses larger pictures, against files that are small and fill the memory."""

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
# JPEG markers (ITU-T T.81, table B.1) that stand alone, without a length: TEM and RST0 to RST7.
_STANDALONE = frozenset([0x01, *range(0xD0, 0xD8)])
_START_OF_SCAN = 0xDA
_END_OF_IMAGE = 0xD9
# Markers of a frame's start (the same table): SOF0 to SOF15 without DHT, JPG and DAC.
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
# Markers with a length that libjpeg knows: frames, DHT, DAC, SOS, DQT, DNL, DRI, APPn, COM.
_SEGMENTS = _FRAMES | {0xC4, 0xCC, 0xDA, 0xDB, 0xDC, 0xDD, *range(0xE0, 0xF0), 0xFE}
_KNOWN = _SEGMENTS | _STANDALONE | {_END_OF_IMAGE, 0xFF}
# Within a scan 0xFF is followed by 0x00 or a restart marker; anything else ends it.
_AFTER_SCAN = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")


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


def reject_reason(data: bytes | None) -> str | None:
    """Decide by structure whether an image file is left out. Every engine uses this rule.

    No pixel is decoded: a JPEG's segments and scans are walked to the end marker (an embedded
    thumbnail has its own end marker, so the last bytes of the file or any marker would not
    do); a PNG's chunks are walked to IEND. It takes microseconds.

    Args:
        data: The whole file, or None where there is none.

    Returns:
        One of `REASONS`; None if the image is accepted, unless the shared decoder refuses it.
    """
    if data is None:
        return MISSING
    if len(data) == 0:
        return EMPTY
    reason = first_reason(data)
    if reason is not None:
        return reason
    return _png_reason(data) if data[:8] == PNG_SIGNATURE else _jpeg_reason(data)


def first_reason(head: bytes) -> str | None:
    """As much of `reject_reason` as the first `HEAD_BYTES` of a file that is not empty tell."""
    if head[:3] == b"\xff\xd8\xff":
        return None
    if head[:8] != PNG_SIGNATURE:
        return NOT_AN_IMAGE
    if len(head) >= HEAD_BYTES and (head[24] == 16 or _too_large(head[16:20], head[20:24])):
        return UNSUPPORTED
    return None


def _too_large(width: bytes, height: bytes) -> bool:
    return int.from_bytes(width, "big") * int.from_bytes(height, "big") > _MAX_PIXELS


def _jpeg_reason(data: bytes) -> str | None:
    """Walk the segments and scans to the end marker."""
    at, framed, scanned = 2, False, False
    while at + 2 <= len(data):
        marker = data[at + 1]
        if data[at] != 0xFF or marker not in _KNOWN:
            return UNDECODABLE if scanned else NOT_AN_IMAGE
        if marker == _END_OF_IMAGE:
            return None if scanned else UNDECODABLE
        if marker == 0xFF:  # fill byte
            at += 1
        elif marker in _STANDALONE:
            at += 2
        else:
            if marker in _FRAMES:
                if framed:  # one picture has one frame; decoders disagree about a second one
                    return UNDECODABLE
                framed = True
                if _too_large(data[at + 5 : at + 7], data[at + 7 : at + 9]):
                    return UNSUPPORTED
            at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
            if marker == _START_OF_SCAN:
                behind = _AFTER_SCAN.search(data, at)
                if behind is None or not framed:
                    return UNDECODABLE if behind else TRUNCATED
                at, scanned = behind.start(), True
    return TRUNCATED


def _is_progressive(data: bytes) -> bool:
    """Whether an accepted JPEG has its coefficients in several scans (SOF2 and its kin)."""
    at = 2
    while data[at + 1] not in _FRAMES:
        bare = data[at + 1] in _STANDALONE or data[at + 1] == 0xFF
        at += (
            1 + (data[at + 1] != 0xFF) if bare else 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        )
    return data[at + 1] not in (0xC0, 0xC1)


def _png_reason(data: bytes) -> str | None:
    at = len(PNG_SIGNATURE)
    while at + 12 <= len(data):
        if data[at + 4 : at + 8] == b"IEND":
            return None
        at += 12 + int.from_bytes(data[at : at + 4], "big")
    return TRUNCATED


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
        with Image.open(io.BytesIO(_pixels_only(data)), formats=("JPEG", "PNG")) as image:
            return frame.of(image.convert("RGB"))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise ImageRejected(UNDECODABLE) from error


def _pixels_only(data: bytes) -> bytes:
    """An accepted file without what a PNG has besides its pixels.

    Pillow refuses a PNG for its long texts or profile, which no decoder needs.
    """
    if data[:8] != PNG_SIGNATURE:
        return data
    parts, at = [data[:8]], 8
    while at + 12 <= len(data):
        kind, end = data[at + 4 : at + 8], at + 12 + int.from_bytes(data[at : at + 4], "big")
        if kind[:1].isupper() or kind == b"tRNS":
            parts.append(data[at:end])
        at = end
    return b"".join(parts)


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


def decode_rest(
    files: Sequence[bytes | None], pixels: Sequence[np.ndarray | None], frame: Frame = WHOLE
) -> Decoded:
    """Complete a batch that an engine's own decoder has decoded, so that rejects are the same.

    Where that decoder refused a file, the shared one decides. It decides about progressive JPEGs
    too: of damaged ones, decoders accept different ones. Of damaged sequential JPEGs and PNGs,
    those that pass `reject_reason` and Pillow refuses were refused by Daft's decoder as well.

    Args:
        files: Whole files, or None where there is none.
        pixels: What the engine's decoder made of each, uint8 [size, size, 3], or None.
        frame: What the model sees.
    """
    done: list[np.ndarray] = []
    reasons: list[str | None] = []
    for data, own in zip(files, pixels, strict=True):
        reason = reject_reason(data)
        if reason is None and data is not None:
            if own is not None and not (data[:2] == b"\xff\xd8" and _is_progressive(data)):
                done.append(own)
            else:
                try:
                    done.append(decode(data, frame))
                except ImageRejected as rejected:
                    reason = rejected.reason
        reasons.append(reason)
    return _decoded(done, reasons, frame.size)


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
