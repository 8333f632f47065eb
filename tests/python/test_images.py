from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from given_pictures import (
    adobe,
    before_scan,
    chunk,
    segment,
    with_chunks,
    with_names,
    with_segments,
    without,
)
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from engine_comparison.image_rule import (
    EMPTY,
    MISSING,
    NOT_AN_IMAGE,
    TRUNCATED,
    UNDECODABLE,
    UNSUPPORTED,
    reject_reason,
)
from engine_comparison.images import ImageRejected, decode, decode_batch


def encoded(kind: str = "JPEG", mode: str = "RGB", **options: object) -> bytes:
    """A small picture with some detail."""
    values = np.random.Generator(np.random.PCG64(3)).integers(0, 255, (40, 60, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(values).convert(mode).save(file, kind, **options)
    return file.getvalue()


JPEG, PNG, PROGRESSIVE = encoded(), encoded("PNG"), encoded(progressive=True)
RESTARTED = encoded(restart_marker_blocks=1)


def marked(jpeg: bytes) -> bytes:
    """With a marker in the middle of its scan, as a flipped bit makes one."""
    at = jpeg.find(b"\xff\x00", len(jpeg) // 2)
    return jpeg[: at + 1] + b"\x37" + jpeg[at + 2 :]


def frame(jpeg: bytes, **fields: bytes) -> bytes:
    """With other values in its frame: `marker`, `depth`, `width` or `sampling`, of all colours."""
    at = next(jpeg.find(marker) for marker in (b"\xff\xc0", b"\xff\xc2") if marker in jpeg)
    changed = bytearray(jpeg)
    for name, value in fields.items():
        for place in {"marker": [0], "depth": [4], "width": [7], "sampling": [11, 14, 17]}[name]:
            changed[at + place : at + place + len(value)] = value
    return bytes(changed)


def sampled_by(factors: bytes) -> bytes:
    """A JPEG with other factors of sampling, a byte a colour."""
    changed = bytearray(JPEG)
    for at, both in enumerate(factors):
        changed[JPEG.find(b"\xff\xc0") + 11 + 3 * at] = both
    return bytes(changed)


def in_two_scans(jpeg: bytes) -> bytes:
    """With its first scan's colours said to be one, and the scan once more."""
    at = jpeg.find(b"\xff\xda")
    length = int.from_bytes(jpeg[at + 2 : at + 4], "big")
    body = jpeg[at + 2 + length : -2]
    head = b"\xff\xda\0\x08\x01" + jpeg[at + 5 : at + 7] + jpeg[at + 11 : at + 14]
    return jpeg[:at] + (head + body) * 2 + jpeg[-2:]


def of_scans(jpeg: bytes, count: int) -> bytes:
    """With its first scans alone, as of a download that was broken off, and an end."""
    return b"\xff\xda".join(jpeg.split(b"\xff\xda")[: count + 1]) + b"\xff\xd9"


def in_another_order(jpeg: bytes) -> bytes:
    """With the first two colours of its scan exchanged."""
    at = jpeg.find(b"\xff\xda") + 5
    return jpeg[:at] + jpeg[at + 2 : at + 4] + jpeg[at : at + 2] + jpeg[at + 4 :]


def first_frame(side: int, number: int = 0) -> bytes:
    """What says of an animation's frame how large it is and where."""
    return chunk(b"fcTL", struct.pack(">5I2H2B", number, side, 40, 0, 0, 1, 1, 0, 0))


ROWS = b"".join(b"\0" + bytes(range(100)) for _ in range(30))


def png(
    *chunks: bytes,
    colours: int = 0,
    rows: bytes | None = None,
    interlaced: int = 0,
    method: int = 0,
) -> bytes:
    """A grey PNG of 100 x 30 with chunks before its data, or other compressed data."""
    header = struct.pack(">IIBBBBB", 100, 30, 8, colours, method, method, interlaced)
    data = chunk(b"IDAT", zlib.compress(ROWS) if rows is None else rows)
    return b"".join(
        (PNG[:8], chunk(b"IHDR", header), *chunks, data if rows != b"" else b"", chunk(b"IEND"))
    )


def spoilt(file: bytes, kind: bytes) -> bytes:
    """With a bit of the checksum of a chunk flipped."""
    at = file.index(kind)
    end = at + 4 + int.from_bytes(file[at - 4 : at], "big")
    return file[:end] + bytes([file[end] ^ 1]) + file[end + 1 :]


def interlaced() -> bytes:
    """As `png`, in seven passes."""
    picture = np.frombuffer(ROWS, np.uint8).reshape(30, 101)[:, 1:]
    starts = (0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4)
    starts += (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)
    rows = [row for x, y, across, down in starts for row in picture[y::down, x::across]]
    return png(rows=zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows)), interlaced=1)


@pytest.mark.parametrize(
    "data",
    [
        JPEG,
        PNG,
        adobe(JPEG, 1),
        adobe(without(JPEG, 0xE0), 0),
        encoded(keep_rgb=True),
        with_names(without(JPEG, 0xE0), b"RGB"),
        with_names(adobe(without(JPEG, 0xE0), 0), b"RGB"),
        adobe(encoded(mode="L"), 2),
        encoded(subsampling=0),
        *(encoded(restart_marker_blocks=count) for count in (1, 2, 100)),
        *(encoded(mode=mode, restart_marker_blocks=3) for mode in ("L", "CMYK")),
        *(
            encoded(mode=mode, progressive=True, restart_marker_blocks=1, subsampling=sampling)
            for mode, sampling in (("L", -1), ("RGB", 0), ("RGB", 1), ("RGB", 2), ("CMYK", -1))
        ),
        frame(JPEG, marker=b"\xff\xc1"),
        png(),
        png(chunk(b"abCd", b"x"), chunk(b"tEXt", b"a\0b")),
        png(chunk(b"PLTE", bytes(300)), colours=3),
        interlaced(),
        encoded(progressive=True),
        encoded(mode="L"),
        encoded(mode="CMYK"),
        encoded("PNG", "RGBA"),
        encoded("PNG", "P"),
        encoded(comment=b"\xff\xd9 no end"),
        with_chunks(
            PNG, chunk(b"gAMA"), chunk(b"cHRM", b"x"), chunk(b"acTL"), chunk(b"tRNS", b"\0")
        ),
        with_chunks(PNG, chunk(b"acTL", bytes(8)), first_frame(60)),
        JPEG + b"trailing bytes of a camera",
        PNG + b"\x00",
    ],
)
def test_pictures_are_accepted_and_decoded_to_rgb(data):
    assert reject_reason(data) is None
    pixels = decode(data)
    assert (pixels.shape, pixels.dtype) == ((224, 224, 3), np.uint8)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (None, MISSING),
        (b"", EMPTY),
        (b"<html>not found</html>", NOT_AN_IMAGE),
        (b"\x00" * 100, NOT_AN_IMAGE),
        (encoded("GIF"), NOT_AN_IMAGE),
        (b"\xff\xd8\xff", TRUNCATED),
        (b"\xff\xd8\xff\xe0\x00\x04abcdefgh", NOT_AN_IMAGE),
        (JPEG[: len(JPEG) // 2], TRUNCATED),
        (JPEG[:-2], TRUNCATED),
        (JPEG[:-1], TRUNCATED),
        (JPEG[:30], TRUNCATED),
        (marked(JPEG), UNDECODABLE),
        (JPEG[:2] + JPEG[-2:], UNDECODABLE),
        (without(JPEG, 0xC0), UNDECODABLE),
        *(
            (frame(JPEG, marker=bytes([0xFF, marker])), UNSUPPORTED)
            for marker in (0xC3, 0xC5, 0xC9, 0xCA)
        ),
        (frame(JPEG, depth=b"\x0c"), UNSUPPORTED),
        (frame(JPEG, width=b"\xff\xff"), UNSUPPORTED),
        (frame(JPEG, sampling=b"\x31"), UNSUPPORTED),
        (frame(JPEG, sampling=b"\x44"), UNSUPPORTED),
        (adobe(JPEG, 0), UNSUPPORTED),
        (adobe(JPEG, 2), UNSUPPORTED),
        (in_two_scans(JPEG), UNSUPPORTED),
        (JPEG.replace(b"\0\x3f\0", b"\0\x05\0", 1), UNSUPPORTED),
        (in_another_order(JPEG), UNSUPPORTED),
        *((of_scans(PROGRESSIVE, count), UNSUPPORTED) for count in (1, 5, 9)),
        (without(RESTARTED, 0xDD), UNSUPPORTED),
        (RESTARTED.replace(b"\xff\xd3", b"", 1), UNSUPPORTED),
        (RESTARTED.replace(b"\xff\xd3", b"\xff\xd5", 1), UNSUPPORTED),
        (before_scan(JPEG, segment(0xDD, b"\0\2")), UNSUPPORTED),
        (before_scan(JPEG, segment(0xC4, b"\3\3" + bytes(15) + b"\0\1\2")), UNDECODABLE),
        (before_scan(JPEG, segment(0xC4, b"\x09" + bytes(16))), UNDECODABLE),
        (before_scan(JPEG, segment(0xC4, b"\0")), UNDECODABLE),
        (sampled_by(b"\x14\x12\x11"), UNSUPPORTED),
        (without(JPEG, 0xC4), UNSUPPORTED),
        (with_names(JPEG, b"\1\1\1"), UNSUPPORTED),
        (with_names(JPEG, b"RGB"), UNSUPPORTED),
        (with_names(adobe(without(JPEG, 0xE0), 1), b"RGB"), UNSUPPORTED),
        (with_segments(JPEG, segment(0xEE, b"Adobe\0\x64")), UNSUPPORTED),
        (adobe(encoded(mode="L"), 3), UNSUPPORTED),
        *(
            (before_scan(encoded(mode=mode), marker), UNSUPPORTED)
            for mode, marker in (
                ("L", adobe(b"", 1)),
                ("RGB", segment(0xCC, b"\0\x10")),
                ("RGB", segment(0xDC, b"\0\x28")),
                ("RGB", b"\xff\xd0"),
                ("RGB", b"\xff\x01"),
            )
        ),
        (spoilt(PNG, b"IHDR"), UNDECODABLE),
        (spoilt(PNG, b"IDAT"), UNDECODABLE),
        (spoilt(PNG, b"IEND"), UNDECODABLE),
        (spoilt(png(chunk(b"tEXt", b"a\0b")), b"tEXt"), UNDECODABLE),
        (png(chunk(b"ABCD", b"x")), UNDECODABLE),
        (png(colours=3), UNDECODABLE),
        *(
            (png(chunk(b"PLTE", bytes(size)), colours=colours), UNDECODABLE)
            for size in (0, 47, 771)
            for colours in (2, 3)
        ),
        (png(chunk(b"bKGD", b"\0"), chunk(b"PLTE", bytes(300)), colours=3), UNDECODABLE),
        (with_chunks(PNG, first_frame(10)), UNDECODABLE),
        (with_chunks(PNG, first_frame(60, 1)), UNDECODABLE),
        (with_chunks(PNG, chunk(b"fdAT", bytes(8))), UNDECODABLE),
        (png(chunk(b"IDAT"), chunk(b"tEXt", b"a\0b")), UNDECODABLE),
        (PNG[:8] + chunk(b"CgBI", bytes(4)) + PNG[8:], UNDECODABLE),
        (png(rows=b""), UNDECODABLE),
        (png(interlaced=2), UNDECODABLE),
        (png(method=1), UNDECODABLE),
        (PNG[:-12], TRUNCATED),
        (PNG[: len(PNG) // 2], TRUNCATED),
    ],
)
def test_other_files_are_rejected_with_their_reason(data, reason):
    assert reject_reason(data) == reason
    with pytest.raises(ImageRejected) as rejected:
        decode(data)
    assert rejected.value.reason == reason


def test_a_truncated_photo_with_a_whole_thumbnail_is_rejected():
    exif = b"Exif\x00\x00" + JPEG
    segment = b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif
    whole = JPEG[:2] + segment + JPEG[2:]
    assert reject_reason(whole) is None
    assert reject_reason(whole[:-2]) == TRUNCATED


def test_what_only_the_decoder_finds_has_a_reason_of_its_own():
    damaged = png(rows=zlib.compress(b"\x09" + ROWS[1:]))  # there is no such filter of rows
    assert reject_reason(damaged) is None
    with pytest.raises(ImageRejected, match=UNDECODABLE):
        decode(damaged)


@given(st.integers(0, len(JPEG) - 1))
def test_no_jpeg_that_lacks_its_end_is_accepted(length):
    assert reject_reason(JPEG[:length]) is not None


@given(st.integers(0, len(PNG) - 13))
def test_no_png_that_lacks_its_end_is_accepted(length):
    assert reject_reason(PNG[:length]) is not None


@given(st.one_of(st.binary(max_size=64), st.binary(max_size=64).map(lambda b: JPEG[:9] + b)))
def test_any_bytes_are_judged_without_an_exception_of_another_kind(data):
    reason = reject_reason(data)
    (found,) = decode_batch([data]).reasons
    assert found == reason or (reason is None and found == UNDECODABLE)


def test_a_batch_keeps_the_places_of_its_rejected_files():
    decoded = decode_batch([JPEG, None, PNG, b"", JPEG[:-2]])
    assert decoded.reasons == [None, MISSING, None, EMPTY, TRUNCATED]
    assert decoded.accepted == [0, 2]
    assert (decoded.pixels[1] == decode(PNG)).all()
    assert decode_batch([b""]).pixels.shape == (0, 224, 224, 3)


flips = st.tuples(st.integers(2, 10**6), st.integers(0, 255))


@given(st.sampled_from([JPEG, PROGRESSIVE, PNG]), st.lists(flips, min_size=1, max_size=8))
def test_damage_of_any_kind_is_rejected_or_decoded_and_nothing_else(data, damage):
    spoilt = bytearray(data)
    for at, value in damage:
        spoilt[at % len(data)] = value
    file = bytes(spoilt)
    reason = reject_reason(file)
    assert reason in (None, NOT_AN_IMAGE, TRUNCATED, UNDECODABLE, UNSUPPORTED)
    (found,) = decode_batch([file]).reasons
    assert found == reason or (reason is None and found == UNDECODABLE)
