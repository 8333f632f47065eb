"""The same four trips in files of many forms and of many writers, all of them accepted."""

from __future__ import annotations

import io
import json
import math
import random
from collections.abc import Callable, Sequence
from decimal import Decimal
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
from given_inputs import parquet, parts, trips, zones_csv

GEOMETRY = {
    "version": "1.1.0",
    "primary_column": "shape",
    "columns": {"shape": {"encoding": "WKB", "geometry_types": ["Point"]}},
}
OF_DUCKDB = (
    "uuid()",
    "'a'::ENUM('a', 'b')",
    "'{}'::JSON",
    "TIME '12:00:00'",
    "'12:00:00+02'::TIMETZ",
    "TIMESTAMPTZ '2024-01-01 12:00:00+02'",
    "'2024-01-01'::TIMESTAMP_NS",
    "1::HUGEINT",
    "MAP {1: 'a'}",
    "{'x': 1, 'y': [1, 2]}",
    "1.5::DECIMAL(38, 10)",
    "18446744073709551615::UBIGINT",
)
"""Columns beside those that are read."""


def by_duckdb(*columns: str) -> bytes:
    more = "".join(f", {column} AS c{at}" for at, column in enumerate(columns))
    with duckdb.connect() as database, TemporaryDirectory() as folder:
        database.register("trips", trips())
        database.execute(f"COPY (SELECT *{more} FROM trips) TO '{folder}/x.parquet'")
        return Path(folder, "x.parquet").read_bytes()


def by_polars() -> bytes:
    import polars as pl

    with TemporaryDirectory() as folder:
        path = Path(folder, "x.parquet")
        pl.DataFrame(trips()).with_columns(
            kind=pl.Series(list("abcd"), dtype=pl.Categorical),
            lasted=pl.lit(1).cast(pl.Duration),
            pair=pl.Series([[1, 2]] * 4, dtype=pl.Array(pl.Int64, 2)),
        ).write_parquet(path, statistics="full")
        return path.read_bytes()


def by_datafusion() -> bytes:
    import datafusion

    with TemporaryDirectory() as folder:
        datafusion.SessionContext().from_arrow(trips()).write_parquet(f"{folder}/x.parquet")
        [file] = [path for path in Path(folder).rglob("*.parquet") if path.is_file()]
        return file.read_bytes()


def by_pandas() -> bytes:
    import pandas as pd

    frame = trips().to_pandas()
    frame["at"] = pd.to_datetime(["2024-01-01"] * 4).tz_localize("Europe/Berlin")
    frame["kind"] = pd.Categorical(["a", "b", "a", None])
    frame.index = pd.Index([3, 1, 2, 9], name="key")
    return parquet(pa.Table.from_pandas(frame))


def with_fields(change: Callable[[int, pa.Field], pa.Field]) -> bytes:
    """Trips whose fields are changed, which does not change their values."""
    fields = [change(at, field) for at, field in enumerate(trips().schema)]
    return parquet(trips().cast(pa.schema(fields)))


def with_field_id(ids: str, at: int, field: pa.Field) -> pa.Field:
    return field.with_metadata({"PARQUET:field_id": ids[at]})


def required(_: int, field: pa.Field) -> pa.Field:
    return field.with_nullable(field.name == "tip_amount")


def with_metadata(**texts: str) -> bytes:
    return parquet(trips().replace_schema_metadata(texts))


def with_columns(*names: str) -> bytes:
    table = trips()
    for name in names:
        table = table.append_column(name, pa.array([1] * 4))
    return parquet(table)


def with_extension(name: str, kind: pa.DataType, value: Any) -> bytes:
    field = pa.field("more", kind, metadata={"ARROW:extension:name": name})
    return parquet(trips().append_column(field, pa.array([value] * 4, kind)))


def with_struct(*names: str) -> bytes:
    values = [pa.array([1] * 4), pa.array(["a"] * 4)]
    return parquet(trips(more=pa.StructArray.from_arrays(values, names=names)))


def of_codecs() -> bytes:
    codecs = dict(zip(trips().column_names, ("lz4", "gzip", "zstd", "none", "snappy"), strict=True))
    return parquet(trips(more=pa.array(list("abcd"))), compression={**codecs, "more": "brotli"})


def of_encodings() -> bytes:
    """With encodings, in columns that are not read, which are refused in those that are."""
    table = trips(a=pa.array(list("abcd")), b=pa.array([1.0] * 4), c=pa.array([b"a"] * 4))
    used = ("DELTA_BYTE_ARRAY", "BYTE_STREAM_SPLIT", "DELTA_LENGTH_BYTE_ARRAY")
    encodings = dict(zip("abc", used, strict=True))
    return parquet(table, use_dictionary=False, column_encoding=encodings)


def in_groups(*tables: pa.Table) -> bytes:
    out = io.BytesIO()
    with pq.ParquetWriter(out, tables[0].schema) as writer:
        for table in tables:
            writer.write_table(table)
    return out.getvalue()


def sorted_by_fare() -> bytes:
    at = trips().schema.get_field_index("fare_amount")
    return parquet(trips().sort_by("fare_amount"), sorting_columns=[pq.SortingColumn(at)])


def of_dictionaries() -> bytes:
    """With dictionaries of numbers, as Arrow has them, in the columns that are read."""
    return parquet(
        pa.table({name: trips().column(name).dictionary_encode() for name in trips().column_names})
    )


def nested(depth: int) -> pa.DataType:
    kind: pa.DataType = pa.int8()
    for at in range(depth):
        struct = pa.struct([("fare_amount", pa.float64()), ("more", kind)])
        kind = pa.list_(kind) if at % 2 else struct
    return kind


SMALL_PAGES = {"data_page_size": 1, "write_batch_size": 1}
EMPTY = trips().slice(0, 0)

FORMS: dict[str, Callable[[], bytes]] = {
    "duckdb": by_duckdb,
    **{f"duckdb-{at}": partial(by_duckdb, column) for at, column in enumerate(OF_DUCKDB)},
    "polars": by_polars,
    "datafusion": by_datafusion,
    "pandas": by_pandas,
    "page-index": lambda: parquet(trips(), write_page_index=True, write_page_checksum=True),
    "bloom": lambda: parquet(trips(), bloom_filter_options={"PULocationID": True}),
    "int96": lambda: parquet(
        trips(at=pa.nulls(4, pa.timestamp("ns"))), use_deprecated_int96_timestamps=True
    ),
    "required": lambda: with_fields(required),
    "field-ids": lambda: with_fields(partial(with_field_id, "12345")),
    "other-field-ids": lambda: with_fields(partial(with_field_id, "54321")),
    "small-pages": lambda: parquet(
        trips(), **SMALL_PAGES, use_dictionary=False, data_page_version="2.0"
    ),
    "full-dictionary": lambda: parquet(trips(), **SMALL_PAGES, dictionary_pagesize_limit=1),
    "codecs": of_codecs,
    "encodings": of_encodings,
    "empty-groups": lambda: in_groups(EMPTY, trips(), EMPTY),
    "sorted": sorted_by_fare,
    "dictionaries": of_dictionaries,
    "geo": lambda: with_metadata(geo=json.dumps(GEOMETRY)),
    "broken-metadata": lambda: with_metadata(geo="{", pandas="{", huggingface="{"),
    "long-metadata": lambda: with_metadata(a="x" * 1_000_000),
    "uuid": lambda: with_extension("arrow.uuid", pa.binary(16), b"0" * 16),
    "json": lambda: with_extension("arrow.json", pa.string(), "{}"),
    "own-type": lambda: with_extension("my.money", pa.int32(), 1),
    "struct-twice": lambda: with_struct("x", "x"),
    "struct-case": lambda: with_struct("x", "X"),
    "case": lambda: with_columns("VendorID", "vendorid", "VENDORID"),
    "odd-names": lambda: with_columns(
        *("*", "a/b", '"', "'", "a,b;{}()=", "é日", ".", "..", "`", "fare_amount ", "x" * 5000)
    ),
    "control-names": lambda: with_columns("a\nb", "a\tb"),
    "wide": lambda: with_columns(*(f"c{at}" for at in range(500))),
    "deep": lambda: parquet(trips(more=pa.nulls(4, nested(20)))),
    "old-lists": lambda: parquet(
        trips(more=pa.array([[1], [], None, [2]])), use_compliant_nested_type=False
    ),
}


def files_of_all_forms() -> dict[str, bytes]:
    return {f"taxi/{name}.parquet": make() for name, make in FORMS.items()}


NAMES = [
    *parts(
        ' a¦a ¦a"b¦a\u00a0b¦\u200ba¦\ufeffa¦\u202ea¦a\u3000b¦\u00e9¦e\u0301¦\U0001f600¦%¦%zz¦%25'
    ),
    *parts("%2e%2e¦%00¦s3:¦C:¦http:¦~¦-¦--x¦a..¦a;¦;¦,¦a&b=c¦$HOME¦`id`¦'¦#¦+¦a+b c%20d¦year=2024"),
    *parts("A¦a¦a.parquet¦@¦!¦(1)¦a=b=c¦^¦<>|¦a:b:c¦a._COPYING_"),
    "n" * 240,
    80 * "日",
]
"""Of trips' files, before their ending."""
BOROUGHS = [
    *parts(
        " ¦NULL¦nan¦NA¦-¦None¦#N/A¦1¦1.0¦2024-01-01¦0x1F¦true¦inf¦queens¦Queens¦QUEENS¦'¦it's¦a;b"
    ),
    *parts(
        "a|b¦# a¦\u00a0¦A\u00a0¦\u200b¦日本¦\U0001f600¦\u0301¦a,b,c¦=1+1¦${x}¦%s¦&amp;¦-0¦1e400"
    ),
    *parts("`¦N/A ¦A=B¦\u202e¦\u0130¦ß¦SS¦\t¦a\tb¦\x0b¦\x85¦\u2028"),
    "x" * 3000,
]


def zones_of(boroughs: Sequence[str]) -> tuple[dict[str, bytes], dict[str | None, Any]]:
    """A trip from each of some boroughs, of as many dollars as its place; and the answer."""
    count = len(boroughs)
    table = pa.table(
        {
            "PULocationID": pa.array(range(count), pa.int64()),
            "fare_amount": [31.0] * count,
            "tip_amount": [1.0] * count,
            "total_amount": [float(at) for at in range(count)],
            "trip_distance": [1.0] * count,
        }
    )
    zones = zones_csv([(at, name, "", "") for at, name in enumerate(boroughs)])
    files = {"taxi/a.parquet": parquet(table), "taxi/taxi_zone_lookup.csv": zones}
    return files, {name: (1, 100 * at) for at, name in enumerate(boroughs)}


def half_cents(kind: pa.DataType, count: int) -> tuple[pa.Table, int]:
    """Trips from EWR whose totals are half cents, in decimals; and the sum of their cents."""
    rng = random.Random(count)
    totals = [Decimal(rng.randrange(9_000_000) * 10 + 5).scaleb(-3) for _ in range(count)]
    table = pa.table(
        {
            "PULocationID": pa.array([1] * count, pa.int32()),
            "fare_amount": pa.array([Decimal(31)] * count, pa.decimal128(5, 0)),
            "tip_amount": pa.array([Decimal("0.5")] * count, pa.decimal128(1, 1)),
            "total_amount": pa.array(totals, pa.decimal128(12, kind.scale)).cast(kind),
            "trip_distance": pa.array([Decimal(7)] * count, pa.decimal128(18, 0)),
        }
    )
    return table, sum(math.floor(float(total) * 100 + 0.5) for total in totals)


def integers(kind: pa.DataType) -> pa.Table:
    """Trips of integers of one width, from EWR and Manhattan."""
    columns = {
        "PULocationID": [1, 4, 1, 4],
        "fare_amount": [45, 50, 31, 60],
        "tip_amount": [1, 2, 3, None],
        "total_amount": [50, 55, 40, 70],
        "trip_distance": [1, 2, 3, 4],
    }
    return pa.table({name: pa.array(values, kind) for name, values in columns.items()})


def other_columns() -> list[pa.Table]:
    """Trips beside which one column has another type in each file."""
    kinds = [1, "a", {"x": 1}, [1], None, 1.5, True, b"a"]
    return [trips(more=pa.array([value] * 4)) for value in kinds]
