"""The right answers about images, found by the plainest way there is.

One image after the other, Pillow's decoder, a batch of one, one thread of ONNX Runtime. Where there
are more images than `oracleImages`, the model is asked about a sample of them; the rule about
rejected images is applied to all.
"""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa
from pyarrow import fs

from ..store import in_parallel
from .image_inputs import REJECTED, read_image, read_metadata, rejection, sampled

SAMPLED = "sampled"
"""The column by which an oracle says whether it asked the model about an image. It says of all
images whether they are rejected."""


def image_oracle(
    filesystem: fs.FileSystem,
    bucket: str,
    most: int,
    schema: pa.Schema,
    infer: Callable[[str, bytes | None], pa.RecordBatch],
) -> pa.Table:
    """Ask about each image by itself, and of all images say whether they are rejected.

    Args:
        filesystem: The store.
        bucket: Name of the bucket `images`.
        most: How many images to ask about; of more than that a sample.
        schema: The answer's, with `image_url` and the column `rejected`.
        infer: Asks the model about an image, by its name and its content; one row of the schema.

    Returns:
        A row for each image of the list: the schema, and whether it is in the sample. The others
        have no answer, but a reason if they are rejected.
    """
    urls = read_metadata(filesystem, bucket).column("image_url").to_pylist()
    chosen = sampled(urls, most)
    rows = [infer(url, read_image(filesystem, url)) for url in chosen]
    answered = pa.Table.from_batches(rows, schema)
    rest = sorted(set(urls) - set(chosen))
    reasons = in_parallel(lambda url: rejection(filesystem, url), rest)
    others = pa.table({"image_url": rest, REJECTED: pa.array(reasons, pa.string())})
    parts = [
        part.append_column(SAMPLED, pa.array([asked] * len(part), pa.bool_()))
        for part, asked in ((answered, True), (others, False))
    ]
    return pa.concat_tables(parts, promote_options="default").combine_chunks()


def of_sample(oracle: pa.Table) -> pa.Table:
    """The rows of an oracle's table that are in its sample, rejected ones included."""
    return oracle.filter(oracle.column(SAMPLED))
