"""toy-zones: how many zones a borough has. A workload for tests, to be put among the others."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Mapping
from typing import Any, ClassVar

import pyarrow as pa
from pyarrow import fs

from ..describe import WorkloadFacts, workload_facts
from ..inspection import Facts
from .base import Inputs, Workload
from .taxi_inputs import ZONES_KEY


class ToyZones(Workload):
    """See the module."""

    facts: ClassVar[WorkloadFacts] = workload_facts(__name__)
    key: ClassVar[str] = "borough"

    def schema(self, dimension: int | None = None) -> pa.Schema:
        """Borough and count."""
        return pa.schema([("borough", pa.string()), ("zones", pa.int64())])

    def exact_columns(self, inputs: Inputs) -> tuple[str, ...]:
        """Both."""
        return ("borough", "zones")

    def tolerances(self, inputs: Inputs) -> dict[str, float]:
        """None."""
        return {}

    def unreadable_input(self, filesystem: fs.FileSystem, facts: Facts) -> str | None:
        """A file of text can always be read."""
        return None

    def right_answer(self, spec: Mapping[str, Any], filesystem: fs.FileSystem) -> pa.Table:
        """By Python's own reader of CSV."""
        counts = self._count(filesystem, spec["buckets"][self.input_purpose])
        return pa.table([list(counts), list(counts.values())], schema=self.schema())

    def _count(self, filesystem: fs.FileSystem, bucket: str) -> Counter[str]:
        with filesystem.open_input_stream(f"{bucket}/{ZONES_KEY}") as stream:
            rows = csv.DictReader(io.StringIO(stream.read().decode()))
            return Counter(row["Borough"] for row in rows)


WORKLOAD = ToyZones()
