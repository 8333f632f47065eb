"""Photographs of Food-101, spread evenly over its 101 classes of dishes.

Settings: `photos` (how many), `bucket` (the name that the addresses in the metadata begin with),
`from` (the folder of the three files: Hugging Face's, at a pinned revision, or a mirror's).

Writes images/photo-NNNNNN.jpg, the photographs as they are, and image_metadata.parquet. They are
taken from the 250 of each class that its makers reviewed by hand (Bossard et al., Food-101: mining
discriminative components with random forests, ECCV 2014), which lie class after class in three
Parquet files of 1.3 GB in all: whatever the number, all three are needed to have every class.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ...errors import UserError
from ...workloads.image_inputs import METADATA, METADATA_KEY
from ..files import bucket_name, whole_number
from .downloads import Remote

FILES = tuple(f"validation-{at:05d}-of-00003.parquet" for at in range(3))
CLASSES = 101
EACH = 250
"""Photographs of each class."""

LABELS = {
    "breakfast_burrito": "burrito",
    "guacamole": "guacamole",
    "hot_dog": "hotdog",
    "ice_cream": "ice cream",
    "pizza": "pizza",
    "spaghetti_carbonara": "carbonara",
}
"""The dishes for which ImageNet has a class, with its label. Near ones are left out: a hamburger
need not be a "cheeseburger", and waffles are no "waffle iron"."""

_ABSENT = "A mirror must have the three files in food-101/."


def remotes(settings: Mapping[str, str]) -> list[Remote]:
    """What to download.

    Raises:
        UserError: A setting is wrong.
    """
    _read(settings)
    folder = settings["from"].rstrip("/")
    return [Remote(f"{folder}/{name}", check_photos, _ABSENT) for name in FILES]


def generate(folder: Path, settings: Mapping[str, str], files: Sequence[Path]) -> int:
    """Write the files into a folder.

    Args:
        folder: An empty folder.
        settings: As for `remotes`.
        files: What was downloaded, in the order of `remotes`.

    Returns:
        How many photographs there are, all of them different.

    Raises:
        UserError: The files have not enough photographs of a class.
    """
    count, bucket = _read(settings)
    (folder / "images").mkdir()
    names = class_names(files[0])
    chosen = spread(count)
    sources = [""] * count
    for file, rows in zip(files, places(files, chosen), strict=True):
        for at, picture, name in read_photos(file, rows):
            (folder / _key(at)).write_bytes(picture)
            sources[at] = f"food-101/{names[chosen[at][0]]}/{name}"
    table = pa.Table.from_pydict(
        {
            "image_url": [f"s3://{bucket}/{_key(at)}" for at in range(count)],
            "label": [LABELS.get(names[dish]) for dish, _ in chosen],
            "source": sources,
        },
        schema=METADATA,
    )
    pq.write_table(table, folder / METADATA_KEY, compression="zstd")
    return count


def _read(settings: Mapping[str, str]) -> tuple[int, str]:
    return whole_number(settings, "photos", 1, CLASSES * EACH), bucket_name(settings)


def _key(at: int) -> str:
    return f"images/photo-{at:06d}.jpg"


def spread(count: int) -> list[tuple[int, int]]:
    """Choose photographs so that no class has two more than another.

    Returns:
        Class (0 to 100) and number within the class (from 0) of each; a rest that is smaller than
        the number of classes is spread over them.
    """
    rounds, rest = divmod(count, CLASSES)
    whole = [(dish, number) for number in range(rounds) for dish in range(CLASSES)]
    return whole + [(at * CLASSES // rest, rounds) for at in range(rest)]


def places(files: Sequence[Path], chosen: Sequence[tuple[int, int]]) -> list[dict[int, int]]:
    """Find the chosen photographs.

    Args:
        files: Parquet files with the column `label`.
        chosen: Class and number within the class, counted through all files.

    Returns:
        For each file, row to place in `chosen`.

    Raises:
        UserError: A class has fewer photographs than that.
    """
    labels = [pq.read_table(file, columns=["label"]).column("label").to_numpy() for file in files]
    file_of = np.repeat(np.arange(len(files)), [len(column) for column in labels])
    row_of = np.concatenate([np.arange(len(column)) for column in labels])
    everywhere = np.concatenate(labels)
    of_class = [np.flatnonzero(everywhere == dish) for dish in range(CLASSES)]
    found: list[dict[int, int]] = [{} for _ in files]
    for at, (dish, number) in enumerate(chosen):
        if number >= len(of_class[dish]):
            raise UserError(
                f"The files have {len(of_class[dish])} photographs of class {dish} only.",
                f"Food-101 has {EACH} of each in these files, and {number + 1} are asked for.",
                "Set photos lower, or take the files from where nycMirror has all of them.",
            )
        position = of_class[dish][number]
        found[file_of[position]][int(row_of[position])] = at
    return found


def read_photos(file: Path, rows: Mapping[int, int]) -> Iterator[tuple[int, bytes, str]]:
    """Read some rows of a Parquet file of photographs, and no group of rows without one of them.

    Args:
        file: Has the column `image`, a struct of `bytes` and `path`.
        rows: Row to whatever names it.

    Yields:
        That, the JPEG, and its name, for each row.
    """
    first = 0
    with pq.ParquetFile(file) as parquet:
        for group in range(parquet.num_row_groups):
            after = first + parquet.metadata.row_group(group).num_rows
            wanted = [row for row in range(first, after) if row in rows]
            if wanted:
                images = parquet.read_row_group(group, columns=["image"]).column("image")
                for row in wanted:
                    image = images[row - first].as_py()
                    yield rows[row], image["bytes"], str(image["path"])
            first = after


def class_names(file: Path) -> list[str]:
    """The names of the classes by their numbers, from the metadata that Hugging Face writes.

    Raises:
        ValueError: They are not there.
    """
    try:
        described = json.loads((pq.read_schema(file).metadata or {})[b"huggingface"])
        names = list(described["info"]["features"]["label"]["names"])
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError("it does not name its classes") from error
    if len(names) != CLASSES:
        raise ValueError(f"it has {len(names)} classes, and not {CLASSES}")
    return names


def check_photos(path: Path) -> None:
    """See that a file is one of Food-101's.

    Raises:
        ValueError: It is not.
        OSError, pyarrow.ArrowException: It is no Parquet file, or damaged.
    """
    class_names(path)
    schema = pq.read_schema(path)
    if not {"image", "label"} <= set(schema.names) or not pa.types.is_struct(
        schema.field("image").type
    ):
        raise ValueError(f"it has the columns {', '.join(schema.names)}")
    with pq.ParquetFile(path) as file:
        for _ in file.iter_batches(256):  # decodes, and so sees damage within
            pass
