"""The judging of results: pure functions over tables, with no engine and no store in sight.

What differs between workloads (columns, keys, tolerances) is in `workloads/`; how tables are
compared is here.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

Deviations = dict[str, float | int | None]
SHOWN = 5
"""How many disagreements a verdict lists."""


@dataclass(frozen=True)
class Verdict:
    """What the comparison of a result with the oracle came to.

    Attributes:
        verified: Whether the result is right within the stated tolerances.
        deviations: Name of a measure to its value, all JSON numbers; None means "not finite"
            (a null or NaN where a number belongs).
        agreement: How far labels or embeddings agree with the oracle's; None for tables.
        message: What is wrong, in one line; empty if verified.
        disagreements: The first few images whose answer is not the oracle's, and how it differs;
            within the tolerances, too.
    """

    verified: bool
    deviations: Deviations = field(default_factory=dict)
    agreement: dict[str, float] | None = None
    message: str = ""
    disagreements: dict[str, str] = field(default_factory=dict)


class SchemaMismatch(ValueError):
    """A result that does not have the columns or types its workload states."""


def conform(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """Bring a table to a workload's schema where that changes only the representation.

    Engines write the same thing differently: `string` or `large_string`, `int32` or `int64`, a list
    or a fixed-size list of floats. Another kind of type (a float where an integer belongs), a
    missing column, a number out of range, or a null where the schema has none are refused.

    Args:
        table: A result as read from its files; columns in any order, more than needed allowed.
        schema: The workload's schema.

    Returns:
        The table with exactly the schema's columns, in its order, in one chunk a column.

    Raises:
        SchemaMismatch: The table does not fit.
    """
    columns = []
    for wanted in schema:
        positions = table.schema.get_all_field_indices(wanted.name)
        if len(positions) != 1:
            raise SchemaMismatch(
                f"column {wanted.name!r} is there {len(positions)} times, not once; "
                f"the columns are {table.column_names}"
            )
        column = table.column(positions[0])
        if column.null_count and not wanted.nullable:
            raise SchemaMismatch(f"column {wanted.name!r} has {column.null_count} nulls")
        if _kind(column.type) != _kind(wanted.type):
            raise SchemaMismatch(f"column {wanted.name!r} is {column.type}, not {wanted.type}")
        try:
            columns.append(column.cast(wanted.type).combine_chunks())
        except pa.ArrowInvalid as error:
            raise SchemaMismatch(f"column {wanted.name!r}: {error}") from error
    return pa.Table.from_arrays(columns, schema=schema)


def _kind(kind: pa.DataType) -> str:
    if pa.types.is_dictionary(kind):
        return _kind(kind.value_type)
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        return f"list of {_kind(kind.value_type)}"
    if (
        pa.types.is_string(kind)
        or pa.types.is_large_string(kind)
        or pa.types.is_string_view(kind)
        or pa.types.is_null(kind)
    ):
        return "string"
    if pa.types.is_integer(kind):
        return "integer"
    if pa.types.is_floating(kind):
        return "float"
    return str(kind)


def multiset_checksum(table: pa.Table, columns: Sequence[str]) -> str:
    """Checksum some columns of a table, independently of the order of its rows.

    Each row is written as a JSON array (so null, "null" and "N/A" differ), the rows are sorted as
    text and hashed with the column names before them. A row that is there twice counts twice.

    Args:
        table: Has `columns`, none of them floating point: their text would depend on rounding.
        columns: The columns that are to be equal everywhere.

    Returns:
        64 hex digits (SHA-256).

    Raises:
        ValueError: One of `columns` is of floating point.
    """
    for name in columns:
        if _kind(table.schema.field(name).type) not in ("string", "integer"):
            raise ValueError(f"column {name!r} is not exact: {table.schema.field(name).type}")
    values = [table.column(name).to_pylist() for name in columns]
    rows = sorted(json.dumps(row, ensure_ascii=True) for row in zip(*values, strict=True))
    digest = hashlib.sha256(json.dumps(list(columns)).encode())
    for row in rows:
        digest.update(b"\n")
        digest.update(row.encode())
    return digest.hexdigest()


@dataclass(frozen=True)
class KeyDifference:
    """How the keys of a result differ from the right ones. Each list is sorted."""

    missing: list[Any]
    unexpected: list[Any]
    repeated: list[Any]

    @property
    def message(self) -> str:
        """What differs, in one line with at most three examples each; empty if nothing does."""
        parts = [("missing", self.missing), ("unexpected", self.unexpected)]
        parts.append(("there more than once", self.repeated))
        return "; ".join(f"{examples(keys)} {word}" for word, keys in parts if keys)

    @property
    def deviations(self) -> Deviations:
        """The counts, under the names that results use."""
        return {
            "missingRows": len(self.missing),
            "unexpectedRows": len(self.unexpected),
            "repeatedRows": len(self.repeated),
        }


def compare_keys(actual: Iterable[Hashable], expected: Iterable[Hashable]) -> KeyDifference:
    """Compare the keys of a result with the right ones, of which each is there once."""
    counts = Counter(actual)
    wanted = set(expected)
    return KeyDifference(
        missing=_sorted(wanted - counts.keys()),
        unexpected=_sorted(counts.keys() - wanted),
        repeated=_sorted(key for key, count in counts.items() if count > 1),
    )


def _sorted(keys: Iterable[Any]) -> list[Any]:
    return sorted(keys, key=lambda key: (key is not None, str(key)))


def examples(keys: Sequence[Any], limit: int = 3) -> str:
    """The first few of some keys as text: `'a', 'b', 'c' and 4 more`."""
    shown = ", ".join(repr(key) for key in keys[:limit])
    return shown if len(keys) <= limit else f"{shown} and {len(keys) - limit} more"


def relative_deviations(actual: pa.Array, expected: pa.Array) -> np.ndarray:
    """Relative deviation of each value: |a - e| / max(1, |a|, |e|).

    The 1 in the denominator makes it an absolute deviation for values that are nearly nought.

    Args:
        actual: Floats, with nulls where there is no value.
        expected: Floats of the same length.

    Returns:
        float64 of the same length: 0 where both are null, infinity where only one is, or where the
        actual value is not finite.
    """
    a, e = _floats(actual), _floats(expected)
    absent_a, absent_e = _absent(actual), _absent(expected)
    with np.errstate(invalid="ignore"):
        deviations = np.abs(a - e) / np.maximum(1.0, np.maximum(np.abs(a), np.abs(e)))
    deviations[~np.isfinite(deviations)] = math.inf
    deviations[absent_a & absent_e] = 0.0
    deviations[absent_a != absent_e] = math.inf
    return deviations


def _floats(values: pa.Array) -> np.ndarray:
    filled = pc.fill_null(values.cast(pa.float64(), safe=False), 0.0)
    return np.array(filled.to_numpy(zero_copy_only=False), dtype=np.float64)


def _absent(values: pa.Array) -> np.ndarray:
    return np.asarray(values.is_null().to_numpy(zero_copy_only=False), dtype=bool)


def worst(values: np.ndarray) -> float | None:
    """The largest of some deviations as a JSON number: None if it is not finite, 0 if none."""
    if len(values) == 0:
        return 0.0
    largest = float(np.max(values))
    return largest if math.isfinite(largest) else None


def cosines(actual: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """Cosine similarity of each pair of rows.

    Args:
        actual: [n, d].
        expected: [n, d].

    Returns:
        float64 [n]; 0 where a vector is all zero or not finite: it points nowhere.
    """
    a, e = actual.astype(np.float64), expected.astype(np.float64)
    norms = np.linalg.norm(a, axis=1) * np.linalg.norm(e, axis=1)
    usable = np.isfinite(norms) & (norms > 0)
    result = np.zeros(len(a))
    result[usable] = np.einsum("nd,nd->n", a[usable], e[usable]) / norms[usable]
    return result


def compare_rejects(rejects: Sequence[Mapping[str, Any]], expected: Mapping[str, int]) -> str:
    """Compare the counts of rejected inputs with the oracle's.

    Args:
        rejects: As in a result: `[{"reason": "truncated", "count": 2}]`.
        expected: Reason to count.

    Returns:
        What differs in one line; empty if nothing does.
    """
    counts: Counter[str] = Counter()
    for reject in rejects:
        counts[str(reject["reason"])] += int(reject["count"])
    differences = [
        f"{counts[reason]} rejected as {reason}, not {expected.get(reason, 0)}"
        for reason in sorted(counts.keys() | expected.keys())
        if counts[reason] != expected.get(reason, 0)
    ]
    return "; ".join(differences)
