"""Damage to files, by a seed: what disks, networks and hostile hands do to them."""

from __future__ import annotations

import io
import random
from collections.abc import Callable, Sequence

from PIL import Image

Mutation = Callable[[bytes, random.Random], bytes]
HEAD = 700
"""Bytes at the start of a JPEG in which its tables and sizes are."""


def flip_bits(data: bytes, rng: random.Random, first: int = 0, behind: int | None = None) -> bytes:
    """One to eight bits, anywhere between two places."""
    changed = bytearray(data)
    for _ in range(rng.randint(1, 8)):
        changed[rng.randrange(first, min(len(data), behind or len(data)))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def flip_head(data: bytes, rng: random.Random) -> bytes:
    """Bits of the head, where one of them decides about all that follows."""
    return flip_bits(data, rng, 0, HEAD)


def flip_tail(data: bytes, rng: random.Random) -> bytes:
    """Bits of the last part, where a Parquet file has its footer."""
    return flip_bits(data, rng, max(0, len(data) - 3 * HEAD))


def truncate(data: bytes, rng: random.Random) -> bytes:
    """The end is missing."""
    return data[: rng.randrange(len(data))]


def cut_out(data: bytes, rng: random.Random) -> bytes:
    """A range in the middle is missing, and what follows has moved up."""
    at = rng.randrange(len(data))
    return data[:at] + data[at + rng.randint(1, 4096) :]


def zero(data: bytes, rng: random.Random) -> bytes:
    """A range is zeros, as in a block that was never written."""
    at = rng.randrange(len(data))
    length = min(rng.choice((1, 16, 512, 4096)), len(data) - at)
    return data[:at] + bytes(length) + data[at + length :]


def insert(data: bytes, rng: random.Random) -> bytes:
    """Bytes too many."""
    at = rng.randrange(len(data))
    return data[:at] + rng.randbytes(rng.randint(1, 64)) + data[at:]


def swap(data: bytes, rng: random.Random) -> bytes:
    """Two ranges have changed places."""
    a, b, c = sorted(rng.randrange(len(data)) for _ in range(3))
    return data[:a] + data[b:c] + data[a:b] + data[c:]


def segments(jpeg: bytes) -> list[bytes]:
    """A JPEG's segments before its first scan, and all that follows as the last."""
    parts, at = [jpeg[:2]], 2
    while jpeg[at + 1] != 0xDA:
        end = at + 2 + int.from_bytes(jpeg[at + 2 : at + 4], "big")
        parts.append(jpeg[at:end])
        at = end
    return [*parts, jpeg[at:]]


def rearrange(jpeg: bytes, rng: random.Random) -> bytes:
    """A segment of a JPEG before its scan is lost, doubled, or elsewhere."""
    if jpeg[:2] != b"\xff\xd8":
        return flip_head(jpeg, rng)
    start, *middle, scan = segments(jpeg)
    at = rng.randrange(len(middle))
    match rng.randrange(3):
        case 0:
            del middle[at]
        case 1:
            middle.insert(at, middle[at])
        case _:
            middle.insert(rng.randrange(len(middle)), middle.pop(at))
    return b"".join([start, *middle, scan])


IMAGES: tuple[Mutation, ...] = (
    flip_bits,
    flip_head,
    truncate,
    cut_out,
    zero,
    insert,
    swap,
    rearrange,
)
PARQUET: tuple[Mutation, ...] = (flip_bits, flip_tail, truncate, cut_out, zero, insert, swap)


def mutated(originals: Sequence[bytes], kinds: Sequence[Mutation], seed: int) -> bytes:
    """The file of a seed: one of the originals, damaged in one way."""
    rng = random.Random(seed)
    return rng.choice(kinds)(rng.choice(originals), rng)


def encodings(picture: bytes) -> list[bytes]:
    """A picture as the kinds of files that are taken, each small."""

    def encoded(kind: str, mode: str = "RGB", **options: object) -> bytes:
        file = io.BytesIO()
        whole = Image.open(io.BytesIO(picture)).convert(mode)
        whole.resize((96, 72)).save(file, kind, **options)
        return file.getvalue()

    return [
        encoded("JPEG"),
        encoded("JPEG", progressive=True),
        encoded("JPEG", "L"),
        encoded("JPEG", "CMYK"),
        encoded("JPEG", restart_marker_blocks=4),
        encoded("PNG"),
        encoded("PNG", "P"),
    ]
