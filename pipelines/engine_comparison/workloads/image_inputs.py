"""The images that both image workloads read, and which of them are rejected."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import fs

from ..images import ImageRejected, decode
from ..verify import conform

METADATA_KEY = "image_metadata.parquet"
"""The list of images in the bucket `images`."""

METADATA = pa.schema(
    [
        pa.field("image_url", pa.string(), nullable=False),
        pa.field("label", pa.string(), nullable=True),
        pa.field("source", pa.string(), nullable=False),
    ]
)
"""Columns of the list: `s3://<bucket>/images/<name>.jpg`, what the picture shows as one of the
model's labels where that is known, and where it comes from."""

REJECTED = "rejected"
"""The column by which an attempt or an oracle says why an image has no answer, or null."""


def read_metadata(filesystem: fs.FileSystem, bucket: str) -> pa.Table:
    """Read the list of images, a table with the schema `METADATA`."""
    with filesystem.open_input_file(f"{bucket}/{METADATA_KEY}") as file:
        return conform(pq.read_table(file), METADATA)


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
