"""The images that both image workloads read, and which of them are rejected."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import fs

from ..images import ImageRejected, decode

METADATA_KEY = "image_metadata.parquet"
"""The list of images in the bucket `images`, as its owner wrote it. Engines read `list_path`."""

METADATA = pa.schema(
    [
        pa.field("image_url", pa.string(), nullable=False),
        pa.field("label", pa.string(), nullable=True),
        pa.field("source", pa.string(), nullable=False),
    ]
)
"""Columns of the lists that this project makes: `s3://<bucket>/images/<name>.jpg`, what the picture
shows as one of the model's labels where that is known, and where it comes from. Runs read only the
first, and a list of others' may have no more."""

REJECTED = "rejected"
"""The column by which an attempt or an oracle says why an image has no answer, or null."""


def list_path(facts: Mapping[str, Any]) -> str:
    """The Parquet file with the images to answer, `<bucket>/<key>`, for engines.

    Its column `image_url` has `s3://<bucket>/<key>`, the key literally, each image once.
    """
    return str(facts["list"])


def image_urls(filesystem: fs.FileSystem, facts: Mapping[str, Any]) -> list[str]:
    """Read that list's addresses, in its order."""
    with filesystem.open_input_file(list_path(facts)) as file:
        urls: list[str] = pq.read_table(file, columns=["image_url"]).column(0).to_pylist()
        return urls


def read_image(filesystem: fs.FileSystem, url: str) -> bytes | None:
    """Read one image file by its `s3://` address; None if there is no such object."""
    try:
        with filesystem.open_input_file(url.removeprefix("s3://")) as file:
            return file.read()
    except FileNotFoundError:
        return None


def rejection(filesystem: fs.FileSystem, url: str) -> str | None:
    """Why an image has no answer, by the one rule, whatever the engine; None if it is accepted."""
    try:
        decode(read_image(filesystem, url))
    except ImageRejected as rejected:
        return rejected.reason
    return None


def sampled(urls: Sequence[str], most: int) -> list[str]:
    """The images that stand for all where there are too many for the oracle.

    Those whose names have the least SHA-256: the same whoever asks, and in no order that a dataset
    may have been made in.

    Args:
        urls: The images' names.
        most: How many the oracle answers.

    Returns:
        All names in the order given, or `most` of them.
    """
    if len(urls) <= most:
        return list(urls)
    return sorted(urls, key=lambda url: hashlib.sha256(url.encode()).digest())[:most]
