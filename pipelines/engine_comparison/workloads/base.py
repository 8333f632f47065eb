"""What every workload has, and how answers that are tables are judged."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

import pyarrow as pa
from pyarrow import fs

from ..describe import WorkloadFacts, dataset_facts
from ..inspection import Facts, facts_of
from ..verify import (
    SchemaMismatch,
    Verdict,
    compare_keys,
    conform,
    examples,
    multiset_checksum,
    relative_deviations,
    worst,
)

Inputs = Mapping[str, str]
"""The inputs of a run (those that its key hashes); every value is a string."""


class Workload(ABC):
    """A question, the form of its answer, and how an answer is judged. It knows no engine.

    Attributes:
        facts: What it says of itself.
        key: The column that names a row.
    """

    facts: ClassVar[WorkloadFacts]
    key: ClassVar[str]

    @property
    def name(self) -> str:
        """As in `image-predictions`."""
        return self.facts.name

    @property
    def input_purpose(self) -> str:
        """What the bucket of the input is for: that of the dataset."""
        return dataset_facts(self.facts.dataset).bucket

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

    def input_facts(self, spec: Mapping[str, Any], filesystem: fs.FileSystem) -> Facts:
        """What the inspection found of the dataset that this reads, see `inspection.facts_of`."""
        return facts_of(self.facts.dataset, spec, filesystem)

    def count_inputs(self, facts: Facts) -> int:
        """The rows or images that a run reads, by the facts of the inspection."""
        return int(facts["rows"])

    def input_bytes(self, facts: Facts) -> int:
        """The sizes of the files that a run reads, each counted once; 0 for one that is missing."""
        return int(facts["bytes"])

    @abstractmethod
    def unreadable_input(self, filesystem: fs.FileSystem, facts: Facts) -> str | None:
        """Find an input file that no engine could read; looked for after a failure only.

        Args:
            filesystem: The store.
            facts: Those of the inspection.

        Returns:
            Which and why, in one line; None if all can be read.
        """

    def nothing_to_report(self, inputs: Inputs) -> str:
        """Why a right answer may have no rows, in one sentence."""
        return f"The input holds nothing to report: no {self.facts.dataset} pass."

    @abstractmethod
    def right_answer(self, spec: Mapping[str, Any], filesystem: fs.FileSystem) -> pa.Table:
        """Find the right answer, which `verify` compares with, by other code than any engine's.

        Args:
            spec: That of the oracle's job: `inputs`, `buckets`, and `model` where it is asked.
            filesystem: The store.
        """

    def verify(self, table: pa.Table, oracle: pa.Table, inputs: Inputs) -> Verdict:
        """Judge a result by the oracle's, row by row.

        The exact columns, which besides the key hold numbers, have to be equal, the others within
        their tolerances.

        Args:
            table: The result as read from its files.
            oracle: The oracle's table as read from its file.
            inputs: The inputs of the run.

        Returns:
            A verdict; a table of the wrong shape is a verdict too, not an exception.
        """
        try:
            table = conform(table, self.schema())
        except SchemaMismatch as error:
            return Verdict(False, message=f"The output has the wrong shape: {error}.")
        oracle = conform(oracle, self.schema())
        keys = compare_keys(table.column(self.key).to_pylist(), oracle.column(self.key).to_pylist())
        if keys.message:
            return Verdict(False, keys.deviations, message=f"Rows differ: {keys.message}.")
        # The key sets are equal, nothing is repeated: sorting aligns the rows, null last in both.
        ours, right = table.sort_by(self.key), oracle.sort_by(self.key)
        rows = right.column(self.key).to_pylist()
        deviations, wrong = keys.deviations, []
        exact = dict.fromkeys(self.exact_columns(inputs), 0.0)
        del exact[self.key]
        for name, limit in {**exact, **self.tolerances(inputs)}.items():
            off = relative_deviations(_column(ours, name), _column(right, name))
            deviations[name] = worst(off)
            beyond = [row for row, value in zip(rows, off, strict=True) if value > limit]
            if beyond:
                wrong.append(f"{name} of {examples(beyond)}")
        message = f"Not as the oracle has it: {'; '.join(wrong)}." if wrong else ""
        return Verdict(not wrong, deviations, message=message)

    def answered(self, oracle: pa.Table) -> pa.Table:
        """The rows of an oracle's table that an output has, too."""
        return oracle

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


def _column(table: pa.Table, name: str) -> pa.Array:
    return table.column(name).combine_chunks()
