"""Sample pictures: crops of the real photographs that scikit-image and scikit-learn carry.

Settings: `photos` (how many pictures), `seed`, `bucket` (the name that the addresses in the
metadata begin with).

Writes images/photo-NNNNNN.jpg and image_metadata.parquet. Each picture is another crop of one of
`SOURCES` (place, scale, mirrored or not, brightness, contrast, colour, JPEG quality), close enough
to the middle that its subject stays in view. Few different photographs are behind many pictures:
enough to compare engines, not to judge a model.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from importlib import metadata
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image, ImageEnhance, ImageOps

from ...workloads.image_inputs import METADATA, METADATA_KEY
from ..files import bucket_name, cores, whole_number

WIDTH, HEIGHT = 512, 384
"""Of the pictures, in pixels."""

_SKIMAGE = ("scikit-image", "skimage/data")
_SKLEARN = ("scikit-learn", "sklearn/datasets/images")

SOURCES: dict[str, tuple[tuple[str, str], str, str | None]] = {
    "astronaut": (_SKIMAGE, "astronaut.png", None),
    "camera": (_SKIMAGE, "camera.png", None),
    "chelsea": (_SKIMAGE, "chelsea.png", "tabby"),
    "china": (_SKLEARN, "china.jpg", "palace"),
    "clock": (_SKIMAGE, "clock_motion.png", None),
    "coffee": (_SKIMAGE, "coffee.png", "espresso"),
    "coins": (_SKIMAGE, "coins.png", None),
    "flower": (_SKLEARN, "flower.jpg", None),
    "grass": (_SKIMAGE, "grass.png", None),
    "gravel": (_SKIMAGE, "gravel.png", None),
    "hubble": (_SKIMAGE, "hubble_deep_field.jpg", None),
    "ihc": (_SKIMAGE, "ihc.png", None),
    "moon": (_SKIMAGE, "moon.png", None),
    "motorcycle": (_SKIMAGE, "motorcycle_left.png", "moped"),
    "retina": (_SKIMAGE, "retina.jpg", None),
    "rocket": (_SKIMAGE, "rocket.jpg", "missile"),
    "brick": (_SKIMAGE, "brick.png", None),
}
"""Name of a photograph to its package and folder, its file, and its subject's label among the
model's classes; None where ImageNet has no class for it (such as the dahlia of `flower`)."""


def generate(folder: Path, settings: Mapping[str, str]) -> int:
    """Write the files into a folder.

    Args:
        folder: An empty folder.
        settings: `photos`, `seed`, `bucket`.

    Returns:
        How many different photographs the pictures are cut from.

    Raises:
        UserError: A setting is wrong.
    """
    count = whole_number(settings, "photos", 1, 999_999)
    seed = whole_number(settings, "seed", 0, 2**63 - 1)
    bucket = bucket_name(settings)
    (folder / "images").mkdir()
    names = list(SOURCES)[:count]
    photographs = {name: read_source(name) for name in names}

    def write(at: int) -> None:
        picture = make_picture(photographs[names[at % len(names)]], seed, at)
        (folder / _key(at)).write_bytes(picture)

    # Pillow works outside Python's lock, and a picture's random numbers are its own.
    with ThreadPoolExecutor(cores()) as pool:
        list(pool.map(write, range(count)))
    sources = [names[at % len(names)] for at in range(count)]
    table = pa.Table.from_pydict(
        {
            "image_url": [f"s3://{bucket}/{_key(at)}" for at in range(count)],
            "label": [SOURCES[name][2] for name in sources],
            "source": sources,
        },
        schema=METADATA,
    )
    pq.write_table(table, folder / METADATA_KEY, compression="zstd")
    return len(names)


def _key(at: int) -> str:
    return f"images/photo-{at:06d}.jpg"


def read_source(name: str) -> Image.Image:
    """Read one of `SOURCES` from the package that carries it, as RGB."""
    (package, place), file, _label = SOURCES[name]
    path = Path(str(metadata.distribution(package).locate_file(f"{place}/{file}")))
    with Image.open(path) as photograph:
        return photograph.convert("RGB")


def make_picture(photograph: Image.Image, seed: int, at: int) -> bytes:
    """Cut one picture from a photograph.

    Args:
        photograph: RGB.
        seed: The dataset's seed.
        at: The picture's number; with the seed it determines the crop.

    Returns:
        A JPEG of `WIDTH` x `HEIGHT` pixels.
    """
    random = np.random.Generator(np.random.PCG64([seed, at]))
    picture = photograph.resize(
        (WIDTH, HEIGHT), Image.Resampling.BICUBIC, box=_crop(random, *photograph.size)
    )
    if random.random() < 0.5:
        picture = ImageOps.mirror(picture)
    for enhance in (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color):
        picture = enhance(picture).enhance(float(random.integers(88, 113)) / 100)
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=int(random.integers(82, 96)))
    return file.getvalue()


def _crop(random: np.random.Generator, width: int, height: int) -> tuple[int, int, int, int]:
    """A box of the picture's proportions: 75 to 100 % of the largest, and near the middle."""
    largest = min(width / WIDTH, height / HEIGHT)
    scale = largest * random.uniform(0.75, 1.0)
    wide, high = int(WIDTH * scale), int(HEIGHT * scale)
    left = int((width - wide) * random.uniform(0.25, 0.75))
    top = int((height - high) * random.uniform(0.25, 0.75))
    return left, top, left + wide, top + high
