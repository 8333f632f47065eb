from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from engine_comparison.images import (
    EMPTY,
    MISSING,
    NOT_AN_IMAGE,
    TRUNCATED,
    UNDECODABLE,
    ImageRejected,
    decode,
    decode_batch,
    reject_reason,
)


def encoded(kind: str = "JPEG", mode: str = "RGB", **options: object) -> bytes:
    """A small picture with some detail."""
    values = np.random.Generator(np.random.PCG64(3)).integers(0, 255, (40, 60, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(values).convert(mode).save(file, kind, **options)
    return file.getvalue()


JPEG, PNG = encoded(), encoded("PNG")


@pytest.mark.parametrize(
    "data",
    [
        JPEG,
        PNG,
        encoded(progressive=True),
        encoded(mode="L"),
        encoded(mode="CMYK"),
        encoded("PNG", "RGBA"),
        encoded("PNG", "P"),
        encoded(comment=b"\xff\xd9 no end"),
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
    at = PNG.index(b"IDAT")
    damaged = PNG[: at + 8] + bytes(200) + PNG[at + 208 :]
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
