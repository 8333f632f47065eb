"""What the two image workloads have in common: the images, the rejects, the batch."""

from __future__ import annotations

import hashlib
from abc import abstractmethod
from collections import Counter
from collections.abc import Sequence
from typing import ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import fs

from ..errors import one_line
from ..images import Decoded, ImageRejected, decode, decode_batch
from ..model.session import ModelSession
from ..store import list_files
from ..verify import SchemaMismatch, Verdict, compare_keys, conform
from .base import Inputs, Workload

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
SAMPLED = "sampled"
"""The column by which an oracle says whether it asked the model about an image. It says of all
images whether they are rejected."""


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


def native(inputs: Inputs) -> bool:
    """Whether answers are judged by agreement: another decoder or another device than the oracle's.

    The oracle decodes with Pillow and runs on the CPU. With `decode: shared` on the CPU every
    engine does the same arithmetic.
    """
    return inputs.get("decode", "native") != "shared" or inputs.get("device", "cpu") != "cpu"


class ImageWorkload(Workload):
    """A workload that asks the model something about each image."""

    input_purpose: ClassVar[str] = "images"
    key: ClassVar[str] = "image_url"

    @abstractmethod
    def answer(self, session: ModelSession, pixels: np.ndarray) -> list[pa.Array]:
        """Ask the model about a batch of decoded images.

        Args:
            session: The model, loaded once a worker.
            pixels: uint8 [n, session.size, session.size, 3], RGB.

        Returns:
            The columns after `image_url`, each of length n.
        """

    @abstractmethod
    def compare(self, ours: pa.Table, right: pa.Table, inputs: Inputs) -> Verdict:
        """Compare answers with the oracle's accepted: same images, same order, at least one."""

    def with_rejects(self, dimension: int | None = None) -> pa.Schema:
        """The output's schema with nullable answers and the column `rejected`.

        It is what `infer` returns; a run's output is its rows where `rejected` is null, without
        that column.
        """
        key, *answers = self.schema(dimension)
        return pa.schema(
            [key, *(column.with_nullable(True) for column in answers), (REJECTED, pa.string())]
        )

    def infer(
        self, session: ModelSession, urls: Sequence[str], files: Sequence[bytes | None]
    ) -> pa.RecordBatch:
        """Decode a batch of files by the shared function and ask the model about them.

        Args:
            session: The model.
            urls: The images' names, length n.
            files: Their contents, length n; None where there is none.

        Returns:
            n rows of the schema `with_rejects(session.dimension)`, in the order given.
        """
        return self.infer_decoded(session, urls, decode_batch(files, session.size))

    def infer_decoded(
        self, session: ModelSession, urls: Sequence[str], decoded: Decoded
    ) -> pa.RecordBatch:
        """The second half of `infer`, for engines that decode by themselves."""
        answers = self.answer(session, decoded.pixels)
        return self.assemble(session.dimension, urls, decoded.reasons, answers)

    def oracle_schema(self, dimension: int | None = None) -> pa.Schema:
        """What the oracle says of an image: `with_rejects`, and what else judging needs."""
        return self.with_rejects(dimension)

    def infer_oracle(self, session: ModelSession, url: str, file: bytes | None) -> pa.RecordBatch:
        """Do `infer` for one image; one row of `oracle_schema(session.dimension)`."""
        return self.infer(session, [url], [file])

    def assemble(
        self,
        dimension: int | None,
        urls: Sequence[str],
        reasons: Sequence[str | None],
        answers: Sequence[pa.Array],
    ) -> pa.RecordBatch:
        """Put answers for the accepted images of a batch back among the rejected ones.

        Args:
            dimension: As in `schema`.
            urls: The images' names, length n.
            reasons: Why each was rejected, or None; length n.
            answers: The columns that `answer` gave for the k images without a reason.

        Returns:
            n rows of the schema `with_rejects(dimension)`.
        """
        accepted = np.array([reason is None for reason in reasons], dtype=bool)
        rows = np.cumsum(accepted) - 1
        take = pa.array(rows, pa.int64(), mask=~accepted)
        columns = [pa.array(urls, pa.string())]
        columns += [column.take(take) for column in answers]
        columns.append(pa.array(reasons, pa.string()))
        return pa.RecordBatch.from_arrays(columns, schema=self.with_rejects(dimension))

    def split(self, table: pa.Table) -> tuple[pa.Table, dict[str, int]]:
        """Split what `infer` gave, or an oracle, into the output and the counts of rejects.

        Returns:
            The accepted rows without the column `rejected`, and reason to count.
        """
        reasons = table.column(REJECTED)
        counts = Counter(reason for reason in reasons.to_pylist() if reason is not None)
        return table.filter(reasons.is_null()).drop_columns([REJECTED]), dict(counts)

    def judged_keys(self, oracle: pa.Table) -> tuple[str, pa.Array] | None:
        """The images that the oracle asked the model about, which may be a sample of all."""
        return self.key, of_sample(oracle).column(self.key).combine_chunks()

    def count_inputs(self, filesystem: fs.FileSystem, bucket: str) -> int:
        """Count the images by the list's footer."""
        with filesystem.open_input_file(f"{bucket}/{METADATA_KEY}") as file:
            return int(pq.read_metadata(file).num_rows)

    def unreadable_input(self, filesystem: fs.FileSystem, bucket: str) -> str | None:
        """Read the list; an image that cannot be read is rejected, and fails nothing."""
        try:
            read_metadata(filesystem, bucket)
        except (pa.ArrowException, OSError, SchemaMismatch) as error:
            return f"s3://{bucket}/{METADATA_KEY} cannot be read: {one_line(error, 160)}"
        return None

    def input_bytes(self, filesystem: fs.FileSystem, bucket: str) -> int:
        """The list and the images in it."""
        urls = read_metadata(filesystem, bucket).column("image_url").to_pylist()
        listed = {url.removeprefix("s3://") for url in urls}
        folders = sorted({path.rpartition("/")[0] for path in listed})
        found = [info for folder in folders for info in list_files(filesystem, folder)]
        images = sum(info.size for info in found if info.path in listed)
        return int(images + filesystem.get_file_info(f"{bucket}/{METADATA_KEY}").size)

    def verify(self, table: pa.Table, oracle: pa.Table, inputs: Inputs) -> Verdict:
        """Compare the images that were answered, then the answers.

        Of the table and the oracle only the images in the oracle's sample are looked at.
        """
        expected, _ = self.split(of_sample(oracle))
        dimension = self.dimension_of(expected)
        try:
            table = conform(table, self.schema(dimension))
        except SchemaMismatch as error:
            return Verdict(False, message=f"The output has the wrong shape: {error}.")
        keys = compare_keys(
            table.column(self.key).to_pylist(), expected.column(self.key).to_pylist()
        )
        if keys.message:
            return Verdict(False, keys.deviations, message=f"Images differ: {keys.message}.")
        if len(expected) == 0:
            return Verdict(True, keys.deviations)
        verdict = self.compare(table.sort_by(self.key), expected.sort_by(self.key), inputs)
        return Verdict(
            verdict.verified,
            {**keys.deviations, **verdict.deviations},
            verdict.agreement,
            verdict.message,
        )

    def dimension_of(self, table: pa.Table) -> int | None:
        """The length of the embeddings in an oracle's table; None if the workload has none."""
        return None


def of_sample(oracle: pa.Table) -> pa.Table:
    """The rows of an oracle's table that are in its sample, rejected ones included."""
    return oracle.filter(oracle.column(SAMPLED))
