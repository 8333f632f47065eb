"""What every workload states about itself."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar

import pyarrow as pa
from pyarrow import fs

from ..verify import Verdict, conform, multiset_checksum

Inputs = Mapping[str, str]
"""The inputs of a run (those that its key hashes); every value is a string."""


class Workload(ABC):
    """A question, the form of its answer, and how an answer is judged. It knows no engine.

    Attributes:
        name: As in `image-predictions`.
        dataset: What it reads, `taxi` or `photos`.
        question: Names of the settings that decide what the right answer is, and `model` if the
            model's file does.
        manner: Names of the settings that only decide how a run gets there.
        purpose: What the bucket of the output is for, a key of the spec's `buckets`.
        prefix: Of the output in that bucket, without slashes at the ends.
        input_purpose: What the bucket of the input is for.
        key: The column that names a row.
    """

    name: ClassVar[str]
    dataset: ClassVar[str]
    question: ClassVar[tuple[str, ...]] = ()
    manner: ClassVar[tuple[str, ...]] = ()
    purpose: ClassVar[str]
    prefix: ClassVar[str]
    input_purpose: ClassVar[str]
    key: ClassVar[str]

    @abstractmethod
    def schema(self, dimension: int | None = None) -> pa.Schema:
        """The schema of the output.

        Args:
            dimension: Length of an embedding, where the workload has one; default: that of the
                default model.
        """

    @abstractmethod
    def exact_columns(self, inputs: Inputs) -> tuple[str, ...]:
        """The columns that must be equal everywhere, which the checksum covers."""

    @abstractmethod
    def tolerances(self, inputs: Inputs) -> dict[str, float]:
        """How far the other columns may be from the oracle's: name of a measure to its limit."""

    @abstractmethod
    def count_inputs(self, filesystem: fs.FileSystem, bucket: str) -> int:
        """Count the rows or images that a run reads, from the files' footers.

        Args:
            filesystem: The store.
            bucket: Name of the bucket for `input_purpose`.
        """

    @abstractmethod
    def unreadable_input(self, filesystem: fs.FileSystem, bucket: str) -> str | None:
        """Find an input file that no engine could read; looked for after a failure only.

        Args:
            filesystem: The store.
            bucket: Name of the bucket for `input_purpose`.

        Returns:
            Which and why, in one line; None if all can be read.
        """

    @abstractmethod
    def input_bytes(self, filesystem: fs.FileSystem, bucket: str) -> int:
        """Sum up the sizes of the files that a run reads; of a file that is missing, 0.

        Args:
            filesystem: The store.
            bucket: Name of the bucket for `input_purpose`.
        """

    @abstractmethod
    def verify(self, table: pa.Table, oracle: pa.Table, inputs: Inputs) -> Verdict:
        """Judge a result by the oracle's.

        Args:
            table: The result as read from its files.
            oracle: The oracle's table as read from its file.
            inputs: The inputs of the run.

        Returns:
            A verdict; a table of the wrong shape is a verdict too, not an exception.
        """

    def judged_keys(self, oracle: pa.Table) -> tuple[str, pa.Array] | None:
        """Which rows of an output the oracle judges: a column and its values; None: all of them."""
        return None

    def exact(self, table: pa.Table, inputs: Inputs) -> pa.Table:
        """The exact columns of a table, in their schema.

        Raises:
            SchemaMismatch: The table does not have those columns.
        """
        columns = [self.schema().field(name) for name in self.exact_columns(inputs)]
        return conform(table, pa.schema(columns))

    def checksum(self, table: pa.Table, inputs: Inputs) -> str:
        """Checksum the exact columns, independently of the order of the rows.

        Returns:
            64 hex digits; equal for equal answers, whichever engine wrote them.

        Raises:
            SchemaMismatch: The table does not have those columns.
        """
        return multiset_checksum(self.exact(table, inputs), self.exact_columns(inputs))
