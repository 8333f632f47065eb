"""What the two image workloads have in common: the batch, the rejects, the comparison."""

from __future__ import annotations

import sys
from abc import abstractmethod
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
from pyarrow import fs

from ..errors import one_line
from ..images import Decoded, ImageRejected
from ..inspection import Facts
from ..model.session import ModelSession
from ..verify import SchemaMismatch, Verdict, compare_keys, conform
from .base import Inputs, Workload
from .image_inputs import REJECTED, image_urls, list_path
from .image_oracle import OracleModel, image_oracle, of_sample


def is_exact(inputs: Inputs) -> bool:
    """Whether a contender's answers have to be the oracle's: it does the same arithmetic.

    The oracle decodes with Pillow and runs on the CPU. Other answers are judged by agreement.
    """
    return inputs["decoder"] == "pillow" and inputs.get("device", "cpu") == "cpu"


class ImageWorkload(Workload):
    """A workload that asks the model something about each image."""

    key: ClassVar[str] = "image_url"

    @abstractmethod
    def answer(self, session: ModelSession, pixels: np.ndarray) -> list[pa.Array]:
        """Ask the model about a batch of decoded images.

        Args:
            session: The model, loaded once a worker.
            pixels: uint8 [n, size, size, 3], RGB, as its frame has them.

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

    def infer(self, session: ModelSession, urls: Sequence[str], decoded: Decoded) -> pa.RecordBatch:
        """Ask the model about the accepted images of a batch.

        Args:
            session: The model.
            urls: The images' names, length n.
            decoded: What was made of their files.

        Returns:
            n rows of the schema `with_rejects(session.dimension)`, in the order given.
        """
        answers = self.answer(session, decoded.pixels)
        return self.assemble(session.dimension, urls, decoded.reasons, answers)

    def oracle_schema(self, dimension: int | None = None) -> pa.Schema:
        """What the oracle says of an image: `with_rejects`, and what else judging needs."""
        return self.with_rejects(dimension)

    @abstractmethod
    def oracle_answer(self, model: OracleModel, file: bytes | None) -> dict[str, Any]:
        """The oracle's answer about one image, as columns of `oracle_schema` after `image_url`.

        Raises:
            ImageRejected: The image has none.
        """

    def infer_oracle(self, model: OracleModel, url: str, file: bytes | None) -> pa.RecordBatch:
        """One row of `oracle_schema(model.dimension)`."""
        row: dict[str, Any] = {"image_url": url}
        try:
            row |= self.oracle_answer(model, file)
        except ImageRejected as rejected:
            row[REJECTED] = rejected.reason
        return pa.RecordBatch.from_pylist([row], self.oracle_schema(model.dimension))

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

    def right_answer(self, spec: Mapping[str, Any], filesystem: fs.FileSystem) -> pa.Table:
        """By the model on one thread of the CPU, an image at a time."""
        model, most = OracleModel(spec["model"]), int(spec["inputs"]["oracleImages"])
        urls = image_urls(filesystem, self.input_facts(spec, filesystem))
        return self.ask_each(model, filesystem, urls, most)

    def ask_each(
        self,
        model: OracleModel,
        filesystem: fs.FileSystem,
        urls: Sequence[str],
        most: int = sys.maxsize,
    ) -> pa.Table:
        """The second half of `right_answer`, see `image_oracle`."""
        schema = self.oracle_schema(model.dimension)
        return image_oracle(filesystem, urls, most, schema, partial(self.infer_oracle, model))

    def answered(self, oracle: pa.Table) -> pa.Table:
        """The images that are not rejected."""
        return self.split(oracle)[0]

    def judged_keys(self, oracle: pa.Table) -> tuple[str, pa.Array] | None:
        """The images that the oracle asked the model about, which may be a sample of all."""
        return self.key, of_sample(oracle).column(self.key).combine_chunks()

    def unreadable_input(self, filesystem: fs.FileSystem, facts: Facts) -> str | None:
        """Read the list; an image that cannot be read is rejected, and fails nothing."""
        try:
            image_urls(filesystem, facts)
        except (pa.ArrowException, OSError, ValueError) as error:
            return f"s3://{list_path(facts)} cannot be read: {one_line(error, 160)}"
        return None

    def nothing_to_report(self, inputs: Inputs) -> str:
        """No image is accepted."""
        return "The input holds nothing to report: no image is listed and accepted."

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
        return replace(verdict, deviations={**keys.deviations, **verdict.deviations})

    def dimension_of(self, table: pa.Table) -> int | None:
        """The length of the embeddings in an oracle's table; None if the workload has none."""
        return None
