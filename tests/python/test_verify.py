from __future__ import annotations

import math
import random

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine_comparison.verify import (
    SchemaMismatch,
    compare_keys,
    compare_rejects,
    conform,
    cosines,
    multiset_checksum,
    relative_deviations,
    worst,
)

ROWS = st.lists(
    st.tuples(
        st.one_of(st.none(), st.sampled_from(["N/A", "null", "", "Queens", 'a"b', "a\nb"])),
        st.integers(-(2**63), 2**63 - 1),
    ),
    max_size=12,
)
SCHEMA = pa.schema([("name", pa.string()), ("count", pa.int64())])


def table_of(rows: list[tuple[str | None, int]]) -> pa.Table:
    names, counts = [row[0] for row in rows], [row[1] for row in rows]
    return pa.table({"name": names, "count": counts}, SCHEMA)


def checksum(rows: list[tuple[str | None, int]]) -> str:
    return multiset_checksum(table_of(rows), ["name", "count"])


@given(ROWS, st.randoms(use_true_random=False))
def test_checksum_is_the_same_in_any_order(rows, order: random.Random):
    shuffled = list(rows)
    order.shuffle(shuffled)
    assert checksum(shuffled) == checksum(rows)


@given(ROWS, ROWS)
def test_checksums_are_equal_only_for_equal_multisets(one, other):
    equal = sorted(map(repr, one)) == sorted(map(repr, other))
    assert (checksum(one) == checksum(other)) == equal


@given(ROWS.filter(bool))
def test_checksum_counts_a_doubled_row(rows):
    assert checksum([*rows, rows[0]]) != checksum(rows)


@given(ROWS)
def test_checksum_does_not_depend_on_chunks_or_string_types(rows):
    table = table_of(rows)
    chunked = pa.concat_tables([table.slice(at, 1) for at in range(len(table))] or [table])
    large = chunked.cast(pa.schema([("name", pa.large_string()), ("count", pa.int64())]))
    assert multiset_checksum(large, ["name", "count"]) == checksum(rows)


def test_checksum_tells_null_from_its_spellings():
    assert len({checksum([(name, 1)]) for name in (None, "null", "None", "", "N/A")}) == 5


def test_checksum_refuses_floats():
    with pytest.raises(ValueError, match="not exact"):
        multiset_checksum(pa.table({"mean": [0.1]}), ["mean"])


def test_conform_accepts_other_representations_of_the_same_values():
    table = pa.table(
        {
            "extra": [1],
            "count": pa.array([3], pa.int32()),
            "name": pa.array(["a"], pa.large_string()).dictionary_encode(),
        }
    )
    assert conform(table, SCHEMA).equals(table_of([("a", 3)]))


def test_conform_makes_lists_fixed():
    vector = pa.list_(pa.field("item", pa.float32(), nullable=False), 2)
    schema = pa.schema([pa.field("vector", vector, nullable=False)])
    ragged = pa.table({"vector": [[1.0, 2.0], [3.0]]})
    even = pa.table({"vector": pa.array([[1.0, 2.0], [3.0, 4.0]], pa.list_(pa.float64()))})
    assert conform(even, schema).schema.field("vector").type.list_size == 2
    with pytest.raises(SchemaMismatch):
        conform(ragged, schema)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"name": ["a"]}, "'count' is there 0 times"),
        ({"name": ["a"], "count": [1.0]}, "is double, not int64"),
        ({"name": [1], "count": [1]}, "is int64, not string"),
        ({"name": ["a"], "count": pa.array([2**63], pa.uint64())}, "not in range"),
    ],
)
def test_conform_refuses_what_is_something_else(table, message):
    with pytest.raises(SchemaMismatch, match=message):
        conform(pa.table(table), SCHEMA)


def test_conform_refuses_a_null_where_there_is_none():
    schema = pa.schema([pa.field("name", pa.string(), nullable=False)])
    with pytest.raises(SchemaMismatch, match="1 nulls"):
        conform(pa.table({"name": ["a", None]}), schema)


def test_keys_that_are_missing_unexpected_or_repeated_are_named():
    difference = compare_keys(["a", "a", None], ["a", "b", "c", "d", "e"])
    assert (difference.missing, difference.unexpected) == (["b", "c", "d", "e"], [None])
    assert difference.repeated == ["a"]
    assert difference.message == (
        "'b', 'c', 'd' and 1 more missing; None unexpected; 'a' there more than once"
    )
    assert compare_keys(["b", "a"], ["a", "b"]).message == ""


FLOATS = st.one_of(st.none(), st.floats(-1e12, 1e12))


@given(st.lists(st.tuples(FLOATS, FLOATS), min_size=1, max_size=8))
def test_deviation_is_nought_only_for_equal_values_and_infinite_for_a_lost_null(pairs):
    actual, expected = (pa.array([p[at] for p in pairs], pa.float64()) for at in (0, 1))
    for (a, e), deviation in zip(pairs, relative_deviations(actual, expected), strict=True):
        if (a is None) != (e is None):
            assert deviation == math.inf
        elif a is None or a == e:
            assert deviation == 0
        else:
            assert 0 <= deviation <= 2


def test_deviation_of_nan_and_infinity_is_infinite():
    off = relative_deviations(pa.array([math.nan, math.inf]), pa.array([1.0, 1.0]))
    assert off.tolist() == [math.inf, math.inf]
    assert worst(off) is None
    assert worst(np.array([])) == 0


def test_cosine_of_a_vector_that_points_nowhere_is_nought():
    actual = np.array([[0, 0], [np.nan, 1], [2, 0], [0, 3]], np.float32)
    expected = np.array([[1, 0], [1, 0], [1, 0], [1, 0]], np.float32)
    assert cosines(actual, expected).tolist() == [0, 0, 1, 0]


def test_rejects_are_compared_by_reason():
    rejects = [{"reason": "truncated", "count": 2}, {"reason": "empty", "count": 1}]
    assert compare_rejects(rejects, {"truncated": 2, "empty": 1}) == ""
    assert compare_rejects(rejects, {"truncated": 3}) == (
        "1 rejected as empty, not 0; 2 rejected as truncated, not 3"
    )
