"""Which image files are accepted: one rule for every engine, on the bytes.

Decoders disagree about damaged and rare files: one raises, another fills the rest with grey and
says nothing. So what they disagree about is left out before any of them sees it. No pixel is
decoded for that, and damage inside the compressed data is not seen.

No library does it. Readers of headers (Pillow's `open`, imagesize, the formats of Kaitai Struct)
stop before a JPEG's scans, and Pillow's `verify` does nothing with a JPEG. Those that find damage
decode all pixels (libvips with `fail_on`), and none says what other decoders make of a file.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator

from PIL import Image

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
    UNSUPPORTED: "a PNG of 16 bits a channel, a JPEG of a rare kind, or too many pixels",
}
"""Each reason, and what it says of a file."""

HEAD_BYTES = 33
"""What `first_reason` needs of a file: a PNG's signature and its first chunk."""
_MAX_PIXELS = 2 * (Image.MAX_IMAGE_PIXELS or 0)
"""Pillow refuses larger pictures, against files that are small and fill the memory."""

_MAX_SIDE = 65500
"""Of a JPEG: libjpeg refuses longer ones (JPEG_MAX_DIMENSION), others do not."""
_MAX_BLOCKS = 10
"""Blocks of 8 x 8 that one unit of a JPEG with colours may have (D_MAX_BLOCKS_IN_MCU)."""

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
# The chunks as all decoders take them: header, palette, data in one piece, end; others around, but
# an animation's data (F) after the picture's.
_PNG_ORDER = re.compile(r"I o* (P o*)? D+ [oF]* E", re.VERBOSE)
_PNG_LETTERS = {b"IHDR": "I", b"PLTE": "P", b"IDAT": "D", b"IEND": "E", b"fdAT": "F"}
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
"""By a PNG's colour type; 3 has a palette."""
_PALETTE_BYTES = range(3, 3 * 256 + 1, 3)
# JPEG markers (ITU-T T.81, table B.1) that libjpeg takes outside scans, and others do not: TEM
# and RST0 to RST7, which stand alone, without a length, DAC and DNL.
_MISPLACED = frozenset([0x01, *range(0xD0, 0xD8), 0xCC, 0xDC])
_HUFFMAN_TABLES = 0xC4
_START_OF_SCAN = 0xDA
_END_OF_IMAGE = 0xD9
_JFIF, _ADOBE = 0xE0, 0xEE
_UNCLEAR = (
    -1
)  # of a marker of Adobe's that ends too early, or comes behind the frame of a grey JPEG
# Markers of a frame's start (the same table): SOF0 to SOF15 without DHT, JPG and DAC. Decoders
# agree about the first three: baseline, extended and progressive, by Huffman's code.
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_PROGRESSIVE = 0xC2
_COMMON_FRAMES = frozenset([0xC0, 0xC1, _PROGRESSIVE])
# Markers with a length that libjpeg knows: frames, DHT, SOS, DQT, DRI, APPn, COM.
_SEGMENTS = _FRAMES | {0xC4, 0xDA, 0xDB, 0xDD, *range(0xE0, 0xF0), 0xFE}
_KNOWN = _SEGMENTS | _MISPLACED | {_END_OF_IMAGE, 0xFF}
_RESTART_INTERVAL = 0xDD
# Within a scan 0xFF is followed by 0x00 or a restart marker; anything else ends it.
_MARKER = re.compile(rb"\xff([^\x00\xff])")
_RESTARTS = range(0xD0, 0xD8)
_COEFFICIENTS = 64
_NOT_SENT = 255


def reject_reason(data: bytes | None) -> str | None:
    """Decide by structure whether an image file is left out. Every engine uses this rule.

    A JPEG's segments and scans are walked to the end marker (an embedded thumbnail has its own end
    marker, so the last bytes of the file or any marker would not do); of a PNG the checksums are
    compared. It takes microseconds.

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
    if len(head) >= HEAD_BYTES:
        if head[8:16] != b"\0\0\0\x0dIHDR":
            return UNDECODABLE
        if head[24] == 16 or _too_large(head[16:20], head[20:24]):
            return UNSUPPORTED
    return None


def _too_large(width: bytes, height: bytes) -> bool:
    return int.from_bytes(width, "big") * int.from_bytes(height, "big") > _MAX_PIXELS


def _jpeg_reason(data: bytes) -> str | None:
    """Walk the segments and scans to the end marker."""
    at, frame, scanned = 2, 0, False
    names, said = b"", b""
    interval = 0
    sent: dict[int, bytearray] = {}
    transform: int | None = None
    tables: set[int] = set()
    jfif = False
    while at + 2 <= len(data):
        marker = data[at + 1]
        if data[at] != 0xFF or marker not in _KNOWN:
            return UNDECODABLE if scanned else NOT_AN_IMAGE
        if marker == _END_OF_IMAGE:
            if any(any(bits) for bits in sent.values()):
                return UNSUPPORTED
            return None if scanned else UNDECODABLE
        if marker == 0xFF:  # fill byte
            at += 1
            continue
        if marker in _MISPLACED:
            return UNSUPPORTED
        end = at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        if end > len(data):
            return TRUNCATED
        segment, at = data[at + 4 : end], end
        if marker in _FRAMES:
            if frame:  # one picture has one frame; decoders disagree about a second one
                return UNDECODABLE
            frame, names, said = marker, segment[6::3], segment
            if frame == _PROGRESSIVE:
                sent = {name: bytearray([_NOT_SENT] * _COEFFICIENTS) for name in names}
            if marker not in _COMMON_FRAMES or _is_rare(segment):
                return UNSUPPORTED
        elif marker == _HUFFMAN_TABLES:
            found = _tables(segment)
            if found is None:
                return UNDECODABLE
            tables |= found
        elif marker == _RESTART_INTERVAL:
            interval = int.from_bytes(segment, "big")
        elif marker == _JFIF:
            jfif = jfif or segment[:5] == b"JFIF\0"
        elif marker == _ADOBE and segment[:5] == b"Adobe":
            late = frame and len(names) == 1
            transform = segment[11] if len(segment) > 11 and not late else _UNCLEAR
        elif marker == _START_OF_SCAN:
            behind, restarts = _scan_end(data, at)
            if behind is None or not frame:
                return TRUNCATED if behind is None else UNDECODABLE
            common = _adds(segment, sent) if sent else _is_common(segment, names, tables)
            if not common or not _is_clear(names, transform, jfif):
                return UNSUPPORTED
            if restarts != _restarts(segment, said, interval):
                return UNSUPPORTED
            at, scanned = behind, True
    return TRUNCATED


def _scan_end(data: bytes, at: int) -> tuple[int | None, bytes]:
    """Where a scan ends, and the numbers of the restart markers in it."""
    restarts = bytearray()
    for found in _MARKER.finditer(data, at):
        if found[1][0] not in _RESTARTS:
            return found.start(), bytes(restarts)
        restarts.append(found[1][0] - _RESTARTS[0])
    return None, bytes(restarts)


def _restarts(scan: bytes, frame: bytes, interval: int) -> bytes:
    """The numbers of the restart markers that a scan has, if it is whole."""
    height, width = int.from_bytes(frame[1:3], "big"), int.from_bytes(frame[3:5], "big")
    sampling = zip(frame[6::3], frame[7::3], strict=True)
    factors = {name: (both >> 4, both & 15) for name, both in sampling}
    largest = tuple(map(max, zip(*factors.values(), strict=True)))
    names = _names(scan)
    # A scan of one colour has its blocks, others have units of blocks of all their colours.
    across, down = factors[names[0]] if len(names) == 1 else (1, 1)
    if len(names) == 1:
        width, height = -(-width * across // largest[0]), -(-height * down // largest[1])
        largest = 1, 1
    units = -(-width // (8 * largest[0])) * -(-height // (8 * largest[1]))
    return bytes(at % 8 for at in range((units - 1) // interval)) if interval else b""


def _names(scan: bytes) -> bytes:
    """The colours of a scan."""
    return scan[1 : 1 + 2 * scan[0] : 2] if scan else b""


def _adds(scan: bytes, sent: dict[int, bytearray]) -> bool:
    """Whether a scan of a progressive JPEG goes on where others of its colours ended.

    Args:
        scan: Its header.
        sent: Of each colour and coefficient how many bits are missing, which is brought up to date.
    """
    names = _names(scan)
    if len(scan) < 4 + 2 * len(names) or not names or names != bytes(n for n in sent if n in names):
        return False
    first, last, bits = scan[-3:]
    if not first <= last < _COEFFICIENTS:
        return False
    for name in names:
        for at in range(first, last + 1):
            if sent[name][at] != (bits >> 4 or _NOT_SENT):
                return False
            sent[name][at] = bits & 15
    return True


def _is_rare(frame: bytes) -> bool:
    """Whether a JPEG's frame has what not all decoders take.

    That is 12 bits, other than 1, 3 or 4 colours, two colours of one name, too large a side, and
    sampling by thirds, by half and a quarter of the lines, or of which the first colour has not
    the most.
    """
    names = frame[6::3]
    factors = [(sampling >> 4, sampling & 15) for sampling in frame[7::3]]
    sides = frame[1:3], frame[3:5]
    return (
        frame[:1] != b"\x08"
        or (frame[5:6], len(frame)) not in ((b"\1", 9), (b"\3", 15), (b"\4", 18))
        or len(set(names)) < len(names)
        or max(int.from_bytes(side, "big") for side in sides) > _MAX_SIDE
        or any(factor not in (1, 2, 4) for both in factors for factor in both)
        or factors[0] != tuple(map(max, zip(*factors, strict=True)))
        or {2, 4} <= {down for _, down in factors}
        or (len(factors) > 1 and sum(across * down for across, down in factors) > _MAX_BLOCKS)
        or _too_large(*sides)
    )


def _is_clear(names: bytes, transform: int | None, jfif: bool) -> bool:
    """Whether all that is said of a JPEG's colours means one thing.

    Adobe's transform is 0 for RGB and CMYK, 1 for YCbCr and 2 for YCCK. JFIF says YCbCr, and the
    names R, G and B say RGB, by which some decoders go, whatever the markers say.
    """
    if names == b"RGB":
        return not jfif and transform in (None, 0)
    meant = {1: (0, 1, 2), 4: (0, 2)}.get(len(names), (1,) if jfif else (0, 1))
    return transform is None or transform in meant


def _tables(segment: bytes) -> set[int] | None:
    """The Huffman tables that a segment defines; None if one is no table.

    Each is 16 times its class, 0 or 1, and its number.
    """
    found = set()
    at = 0
    while at < len(segment):
        counts = segment[at + 1 : at + 17]
        end = at + 17 + sum(counts)
        codes = sum(count << (16 - length) for length, count in enumerate(counts, 1))
        if len(counts) < 16 or end > len(segment) or codes > 2**16 or segment[at] & 0xEC:
            return None
        found.add(segment[at])
        at = end
    return found


def _is_common(scan: bytes, names: bytes, tables: set[int]) -> bool:
    """Whether a sequential scan is one that all decoders take.

    That is one with all colours in the order of the frame and all coefficients, whose tables are in
    the file: some decoders know the usual tables.
    """
    used = scan[2 : 1 + 2 * scan[0] : 2] if scan else b""
    needed = {both >> 4 for both in used} | {16 + (both & 15) for both in used}
    return _names(scan) == names and scan[-3:] == b"\0\x3f\0" and needed <= tables


def _png_reason(data: bytes) -> str | None:
    """Check the header, and the checksums and the order of the chunks up to the end."""
    order, end = "", len(PNG_SIGNATURE)
    for kind, start, end in _chunks(data):
        if end > len(data):
            return TRUNCATED
        if zlib.crc32(data[start - 4 : end - 4]) != int.from_bytes(data[end - 4 : end], "big"):
            return UNDECODABLE
        content = data[start : end - 4]
        if (
            (kind == b"PLTE" and len(content) not in _PALETTE_BYTES)
            or (kind == b"bKGD" and data[25] == 3 and "P" not in order)
            or (kind == b"fcTL" and "D" not in order and not _is_first_frame(content, data))
        ):
            return UNDECODABLE
        order += _PNG_LETTERS.get(kind, "?" if kind[:1].isupper() else "o")
    if not order.endswith("E"):
        return TRUNCATED
    colours, methods = data[25], data[26:29]
    wrong = colours not in _CHANNELS or methods[:2] != b"\0\0" or methods[2] > 1
    without_palette = colours == 3 and "P" not in order
    if wrong or without_palette or not _PNG_ORDER.fullmatch(order):
        return UNDECODABLE
    return None


def _is_first_frame(control: bytes, png: bytes) -> bool:
    """Whether an animation's first frame, by its fcTL, is the whole picture of a PNG."""
    whole = bytes(4) + png[16:24] + bytes(8)
    return len(control) == 26 and control[:20] == whole and control[24] < 3 and control[25] < 2


def pixels_only(data: bytes) -> bytes:
    """An accepted file without what a PNG has besides its pixels, such as long or broken texts."""
    if data[:8] != PNG_SIGNATURE:
        return data
    kept = (data[start - 8 : end] for kind, start, end in _chunks(data) if kind[:1].isupper())
    return PNG_SIGNATURE + b"".join(kept)


def _chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Of each chunk of a PNG up to the last one its kind, where its data begins, and its end."""
    at, kind = len(PNG_SIGNATURE), b""
    while at + 12 <= len(data) and kind != b"IEND":
        kind, start = data[at + 4 : at + 8], at + 8
        at = start + 4 + int.from_bytes(data[at : at + 4], "big")
        yield kind, start, at
