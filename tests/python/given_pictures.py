"""Pictures of many kinds, all of them accepted, about which decoders agree."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
from given_inputs import encoded, parts, photograph, picture, turned
from PIL import ImageCms

_ORIGINS = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2))
PASSES = (*_ORIGINS, (0, 1, 1, 2))
"""Of an interlaced PNG: where each begins, and its steps, across and down."""
CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}


def segment(marker: int, data: bytes) -> bytes:
    """A part of a JPEG."""
    return bytes([0xFF, marker]) + struct.pack(">H", len(data) + 2) + data


def with_segments(jpeg: bytes, *segments: bytes) -> bytes:
    """With further segments at its start."""
    return jpeg[:2] + b"".join(segments) + jpeg[2:]


def before_scan(jpeg: bytes, *segments: bytes) -> bytes:
    at = jpeg.find(b"\xff\xda")
    return jpeg[:at] + b"".join(segments) + jpeg[at:]


def without(jpeg: bytes, marker: int) -> bytes:
    """Without the first segment of a kind."""
    at = jpeg.find(bytes([0xFF, marker]))
    return jpeg[:at] + jpeg[at + 2 + int.from_bytes(jpeg[at + 2 : at + 4], "big") :]


def adobe(jpeg: bytes, transform: int) -> bytes:
    """With Adobe's segment, by which colours are RGB or CMYK (0), YCbCr (1) or YCCK (2)."""
    return with_segments(jpeg, segment(0xEE, b"Adobe\0\x64\0\0\0\0" + bytes([transform])))


def with_names(jpeg: bytes, names: bytes) -> bytes:
    """With other names of its colours, in its frame and its scan."""
    changed = bytearray(jpeg)
    for at, name in enumerate(names):
        changed[jpeg.find(b"\xff\xc0") + 10 + 3 * at] = name
        changed[jpeg.find(b"\xff\xda") + 5 + 2 * at] = name
    return bytes(changed)


def chunk(kind: bytes, data: bytes = b"") -> bytes:
    """A part of a PNG."""
    checksum = zlib.crc32(kind + data)
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", checksum)


def with_chunks(png: bytes, *chunks: bytes) -> bytes:
    """With further chunks behind its header."""
    return png[:33] + b"".join(chunks) + png[33:]


def palette(count: int) -> bytes:
    levels = (255 * at // max(1, count - 1) for at in range(count))
    return chunk(b"PLTE", b"".join(bytes([level, 60, 255 - level]) for level in levels))


def made_png(
    depth: int,
    colours: int,
    *chunks: bytes,
    size: tuple[int, int] = (321, 239),
    interlaced: bool = False,
    level: int = 6,
    piece: int = 2**31,
) -> bytes:
    """A smooth PNG of a depth and colour type; its data in pieces of some bytes."""
    y, x = np.mgrid[0 : size[1], 0 : size[0]]
    waves = [np.sin((x * (c + 8) + y * (c + 1)) / 90.0) for c in range(CHANNELS[colours])]
    values = np.round((0.5 + 0.5 * np.stack(waves, -1)) * (2**depth - 1)).astype(np.uint8)
    passes = [values[y::down, x::across] for x, y, across, down in PASSES]
    rows = [row for one in (passes if interlaced else [values]) for row in one if row.size]
    bits = [np.unpackbits(row.reshape(-1, 1), axis=1)[:, 8 - depth :] for row in rows]
    data = zlib.compress(b"".join(b"\0" + np.packbits(row).tobytes() for row in bits), level)
    header = struct.pack(">IIBBBBB", *size, depth, colours, 0, 0, interlaced)
    pieces = [chunk(b"IDAT", data[at : at + piece]) for at in range(0, len(data), piece)]
    return b"".join(
        (b"\x89PNG\r\n\x1a\n", chunk(b"IHDR", header), *chunks, *pieces, chunk(b"IEND"))
    )


def sampled(jpeg: bytes, factors: int) -> bytes:
    """A grey JPEG whose one colour says that it has other factors of sampling."""
    changed = bytearray(jpeg)
    changed[jpeg.find(b"\xff\xc0") + 11] = factors
    return bytes(changed)


def of_many(kind: str, **options: object) -> bytes:
    """A file with two pictures."""
    out = io.BytesIO()
    photograph(24).save(out, kind, save_all=True, append_images=[photograph(25)], **options)
    return out.getvalue()


def pictures_of_all_kinds() -> dict[str, bytes]:
    """Name to content; see the module."""
    jpeg, png = picture(20), picture(21, "PNG")
    grey = encoded(photograph(22).convert("L"), "JPEG")
    four = photograph(23).convert("CMYK")
    cmyk, mpo = encoded(four, "JPEG"), of_many("MPO")
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    thumbnail = b"Exif\0\0" + encoded(photograph(1).resize((60, 40)), "JPEG")

    return {
        **{f"subsampling-{n}": picture(30 + n, subsampling=n) for n in range(3)},
        **{f"turned-{n}": picture(40 + n, exif=turned(n)) for n in range(2, 9)},
        "rgb": encoded(photograph(27), "JPEG", keep_rgb=True),
        "adobe": adobe(jpeg, 1),
        "restarts": picture(28, restart_marker_blocks=3),
        "progressive": picture(29, progressive=True, restart_marker_blocks=5),
        "progressive-grey": encoded(photograph(33).convert("L"), "JPEG", progressive=True),
        "progressive-cmyk": encoded(four, "JPEG", progressive=True),
        "grey-2x2": sampled(grey, 0x22),
        "ycck": adobe(without(cmyk, 0xEE), 2),
        "thumbnail": with_segments(jpeg, segment(0xE1, thumbnail)),
        "long-exif": with_segments(jpeg, *[segment(0xE1, b"Exif\0\0" + bytes(60000))] * 3),
        "broken-exif": with_segments(jpeg, segment(0xE1, b"Exif\0\0MM\0\x2a\xff\xff\xff\xff")),
        "profile": picture(34, icc_profile=profile),
        "long-profile": picture(35, icc_profile=b"x" * 200_000),
        "broken-profile": with_segments(jpeg, segment(0xE2, b"ICC_PROFILE\0\x09\x03zz")),
        "photoshop": with_segments(jpeg, segment(0xED, b"Photoshop 3.0\x008BIM\x03\xed\0")),
        "mpo": mpo,
        "broken-mpo": mpo[: mpo.find(b"MPF\0") + 4] + b"xx" + mpo[mpo.find(b"MPF\0") + 6 :],
        "behind": jpeg + b"what a camera leaves" * 100,
        "two": jpeg + picture(36),
        "fill-bytes": jpeg[:2] + b"\xff\xff\xff" + jpeg[2:],
        "no-jfif": without(jpeg, 0xE0),
        "comment": picture(37, comment=b"\xff\xd9\xff\xd8"),
        "worst": picture(38, quality=1),
        "best": picture(39, quality=100),
        **{f"grey-{n}": made_png(n, 0) for n in (1, 2, 4, 8)},
        **{f"palette-{n}": made_png(n, 3, palette(2**n)) for n in (1, 2, 4, 8)},
        **{f"alpha-{colours}": made_png(8, colours) for colours in (4, 6)},
        **{
            f"interlaced-{colours}": made_png(8, colours, palette(256), interlaced=True)
            for colours in (2, 3, 6)
        },
        "interlaced-bits": made_png(2, 0, interlaced=True),
        "transparent-palette": made_png(4, 3, palette(16), chunk(b"tRNS", bytes(range(16)))),
        "transparent-grey": made_png(8, 0, chunk(b"tRNS", b"\0\x80")),
        "transparent-rgb": made_png(8, 2, chunk(b"tRNS", b"\0\x80\0\x80\0\x80")),
        "gamma": with_chunks(png, chunk(b"gAMA", struct.pack(">I", 300_000))),
        "gamma-twice": with_chunks(png, *[chunk(b"gAMA", struct.pack(">I", 45_455))] * 2),
        "background": with_chunks(png, chunk(b"bKGD", b"\0\1\0\1\0\1")),
        "png-profile": picture(46, "PNG", icc_profile=profile),
        "png-turned": picture(47, "PNG", exif=turned(6)),
        "animated": of_many("PNG"),
        "animated-beside": of_many("PNG", default_image=True),
        "in-pieces": made_png(8, 2, piece=100),
        "stored": made_png(8, 2, level=0),
        "suggested-palette": made_png(8, 2, palette(7)),
        "png-behind": png + b"\0",
    }


def tiny_pictures() -> dict[str, bytes]:
    """Pictures of so few pixels that decoders' rounding is much of them; name to content."""
    sizes = ((1, 1), (1, 300), (300, 1), (9, 7), (2000, 3), *((n, n) for n in range(2, 7)), (3, 90))
    pictures = {f"{w}x{h}": encoded(photograph(26).resize((w, h)), "JPEG") for w, h in sizes}
    for colours in (2, 3, 6):
        for size in ((1, 1), (3, 5)):
            png = made_png(8, colours, palette(256), size=size, interlaced=True)
            pictures[f"interlaced-{colours}-{size[0]}"] = png
    return pictures


def small(seed: int) -> bytes:
    """A small picture, unlike those of other seeds."""
    return encoded(photograph(seed).resize((64, 48)), "JPEG")


KEYS = [
    *parts('q"uote¦less<more>¦pipe|¦car^et¦tick`¦%¦%zz¦%25¦%2F¦a%2Fb¦co:lon¦:¦a:b:c¦;.jpg¦a;b¦a,'),
    *parts("\U0001f600¦\u00e9¦e\u0301¦A¦a¦a..jpg¦a .¦year=2024/a.jpg¦year=2025/month=1/a.jpg"),
    *parts(
        "content=1/a¦path=x/a.jpg¦length=x/b.jpg¦x.jpg/y.png¦nbsp\u00a0x¦\u202ertl¦zwj\u200d.jpg"
    ),
    *parts("(1)¦$HOME¦-rf¦~¦+¦a+b¦ lead¦a  b¦a b¦&¦=¦@¦#¦a#b#c¦s3¦http¦x.parquet¦x.gz/y.jpg¦x.tar"),
    *parts("\u0130¦ß¦\ufb01¦x_¦\u3000x¦0"),
    "n" * 251 + ".jpg",
    80 * "日",
]
"""Names of images, below a folder."""
