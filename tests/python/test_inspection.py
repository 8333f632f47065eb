"""What the input contract accepts, and how it refuses the rest: see docs/datasets.md."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import inspect_large
import numpy as np
import polars
import pyarrow as pa
import pytest
from given_forms import by_duckdb
from given_inputs import (
    MONTH,
    ZONE_ROWS,
    amounts_as,
    encrypted,
    in_other_files,
    listed,
    of_codec,
    of_decimals_as_bytes,
    parquet,
    picture,
    renamed,
    sixteen_bit,
    stating,
    stating_nulls,
    stating_rows,
    stating_values,
    trips,
    two_groups,
    with_arrow_schema,
    with_long_text,
    zones_csv,
)
from pyarrow import fs
from stand_in_store import stand_in

from engine_comparison import inspection, workloads
from engine_comparison.errors import UserError
from engine_comparison.images import decode
from engine_comparison.inspection.footers import zones_of_time
from engine_comparison.inspection.photos import key_of, prefixes_of
from engine_comparison.store import open_store
from engine_comparison.workloads import taxi_report_oracle
from engine_comparison.workloads.image_inputs import image_urls
from engine_comparison.workloads.taxi_inputs import doubles, read_zones, trip_files, trip_schema

BUCKETS = {"lake": "lake", "images": "pictures", "warehouse": "warehouse", "output": "output"}
ZONES = "taxi/taxi_zone_lookup.csv"
LIST = "image_metadata.parquet"
NAN = float("nan")


class Store:
    """Buckets as folders, filled with what a test gives."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.filesystem = fs.SubTreeFileSystem(str(folder), fs.LocalFileSystem())
        for bucket in BUCKETS.values():
            (folder / bucket).mkdir()

    def put(self, bucket: str, files: Mapping[str, bytes | None]) -> None:
        for key, content in files.items():
            path = self.folder / bucket / key
            path.parent.mkdir(parents=True, exist_ok=True)
            if content is None:
                path.unlink()
            else:
                path.write_bytes(content)

    def inspect(self, dataset: str, endpoint: str = "", **inputs: str) -> Any:
        spec = {"buckets": BUCKETS, "inputs": inputs, "store": {"endpoint": endpoint}}
        return inspection.inspect(dataset, spec, self.filesystem)

    def refusal(self, dataset: str, **inputs: str) -> str:
        with pytest.raises(UserError) as refused:
            self.inspect(dataset, **inputs)
        return refused.value.what


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path)


@pytest.fixture
def taxi(store: Store) -> Store:
    """Four trips and five zones, as they should be."""
    store.put("lake", {MONTH: parquet(trips()), ZONES: zones_csv()})
    return store


@pytest.fixture
def photos(store: Store) -> Store:
    """Three pictures, as they should be."""
    keys = [f"images/{n}.jpg" for n in range(3)]
    pictures = {key: picture(n) for n, key in enumerate(keys)}
    store.put("pictures", {**pictures, LIST: listed(f"s3://pictures/{key}" for key in keys)})
    return store


# ---- tables


def test_what_is_as_it_should_be_is_read_where_it_lies(taxi: Store):
    facts = taxi.inspect("taxi")
    assert trip_files(facts) == [f"lake/{MONTH}"]
    assert trip_schema(facts).types == [pa.int64(), *[pa.float64()] * 4]
    assert (facts["zones"], facts["rows"]) == (f"lake/{ZONES}", 4)
    whole = [taxi.folder / "lake" / key for key in (MONTH, ZONES)]
    assert facts["bytes"] == sum(file.stat().st_size for file in whole)
    assert not list((taxi.folder / "output").iterdir())


@pytest.mark.parametrize(
    ("months", "expected"),
    [
        ([trips(PULocationID=pa.array([1, 2, 3, 4], kind))], {"PULocationID": pa.int64()})
        for kind in (pa.int8(), pa.int16(), pa.int32(), pa.uint8(), pa.uint16(), pa.uint32())
    ]
    + [
        ([trips(PULocationID=pa.array([1.0, None, NAN, 1.5]))], {"PULocationID": pa.float64()}),
        ([amounts_as(pa.float32())], {"fare_amount": pa.float32()}),
        ([amounts_as(pa.float32()), trips()], {"fare_amount": pa.float64()}),
        ([trips(fare_amount=pa.array([1, 2, 3, 4], pa.int32()))], {"fare_amount": pa.int64()}),
        ([amounts_as(pa.decimal128(10, 2))], {"tip_amount": pa.decimal128(10, 2)}),
        ([amounts_as(pa.decimal128(18, 4))] * 2, {"tip_amount": pa.decimal128(18, 4)}),
        ([trips().slice(0, 0), trips()], {}),
        ([trips(comment=pa.array(["a"] * 4))], {}),
        ([trips().select(list(reversed(trips().column_names)))], {}),
    ],
)
def test_a_column_has_one_type_for_all(store: Store, months: list[pa.Table], expected: dict):
    files = {f"taxi/{n}.parquet": parquet(month) for n, month in enumerate(months)}
    store.put("lake", {**files, ZONES: zones_csv()})
    schema = trip_schema(store.inspect("taxi"))
    for name, kind in expected.items():
        assert schema.field(name).type == kind


OTHERS = {
    "taxi/green_tripdata_2024-01.parquet": parquet(trips()),
    "taxi/fhvhv_tripdata_2024-01.parquet": parquet(pa.table({"PUlocationID": [1.0]})),
    "taxi/_backup.parquet": parquet(trips()),
    "taxi/.hidden.parquet": b"",
    "taxi/_old/00.parquet": b"?",
}


def test_other_services_and_hidden_files_are_named_and_not_read(taxi: Store):
    more = {"taxi/_SUCCESS": b"", "taxi/readme.md": b"#", "elsewhere/x.parquet": b""}
    taxi.put("lake", {**OTHERS, **more})
    facts = taxi.inspect("taxi")
    assert trip_files(facts) == [f"lake/{MONTH}"]
    assert sorted(facts["leftOut"]) == sorted(OTHERS)


def test_every_zone_of_time_that_is_accepted_is_one_of_polars():
    """It ends the process at others, wherever they are in a file."""
    for zone in zones_of_time():
        assert polars.Series([0]).cast(polars.Datetime("us", zone)).dtype.time_zone == zone
    assert not zones_of_time() & {"Factory", "localtime", "posixrules"}


def file(table: pa.Table, name: str = MONTH, **options: Any) -> dict[str, bytes | None]:
    return {name: parquet(table, **options)}


def as_arrow(**types: pa.DataType) -> bytes:
    """Arrow's schema of trips of which some columns have other types, or which has more columns."""
    fields = {field.name: field.type for field in trips().schema}
    return pa.schema(fields | types).serialize().to_pybytes()


OTHER = "taxi/yellow_tripdata_2024-02.parquet"


@pytest.mark.parametrize(
    ("files", "said"),
    [
        (
            file(trips().drop_columns(["PULocationID"]).rename_columns(list("abcd"))),
            ["column PULocationID is missing", MONTH, "before 2011"],
        ),
        (
            file(trips().rename_columns([name.lower() for name in trips().column_names])),
            ["column PULocationID is missing (there is pulocationid)", "rename it"],
        ),
        (file(trips(Fare_Amount=pa.array([1.0] * 4))), ["fare_amount, Fare_Amount", "keep one"]),
        (file(trips(PULocationID=pa.array([1] * 4, pa.uint64()))), ["type uint64"]),
        (file(trips(PULocationID=pa.array(list("1234")))), ["PULocationID has the type string"]),
        (file(amounts_as(pa.float16())), ["type halffloat", "float32"]),
        (file(amounts_as(pa.decimal128(38, 18))), ["decimal128(38, 18)", "at most 18 digits"]),
        (file(trips(fare_amount=pa.array([[1.0]] * 4))), ["fare_amount has the type list"]),
        (file(trips(), OTHER, compression="brotli"), ["compression BROTLI", OTHER]),
        (
            file(
                trips(),
                use_dictionary=False,
                column_encoding={"fare_amount": "BYTE_STREAM_SPLIT"},
            ),
            ["encoding BYTE_STREAM_SPLIT", MONTH],
        ),
        (
            file(
                amounts_as(pa.decimal128(9, 2)),
                use_dictionary=False,
                column_encoding={"fare_amount": "DELTA_BYTE_ARRAY"},
            ),
            ["encoding DELTA_BYTE_ARRAY", MONTH],
        ),
        (file(amounts_as(pa.decimal256(18, 4))), ["fare_amount has the type decimal256(18, 4)"]),
        (
            file(trips(comment=pa.array(["a"] * 4, pa.string_view()))),
            ["column comment has the type string_view", "leave it out"],
        ),
        (
            file(trips(more=pa.nulls(4, pa.struct([("x", pa.decimal64(9, 2))])))),
            ["column more has the type struct<x: decimal64(9, 2)>"],
        ),
        (file(trips(at=pa.nulls(4, pa.time32("s")))), ["column at has the type time32"]),
        (
            file(trips(at=pa.nulls(4, pa.list_(pa.timestamp("us", "+05:30"))))),
            ["column at has the time zone +05:30"],
        ),
        (file(renamed(renamed(trips(), "x"), "x")), ["column x is there 2 times"]),
        (file(trips().replace_schema_metadata({b"a": b"\xff"})), ["metadata is not UTF-8", MONTH]),
        ({OTHER: by_duckdb("INTERVAL 1 DAY")}, ["column c0 has the type INTERVAL", OTHER]),
        ({OTHER: by_duckdb("42::VARIANT")}, ["column c0 has the type VARIANT", OTHER]),
        ({OTHER: parquet(renamed(trips(), ""))}, ["a column has no name", OTHER]),
        *(
            (
                {OTHER: encrypted(trips(a=pa.array([1] * 4)), column, readable_footer=readable)},
                ["the file or a column of it is encrypted", OTHER],
            )
            for column in ("fare_amount", "a")
            for readable in (True, False)
        ),
        ({OTHER: of_codec(3)}, ["compression LZO", OTHER]),
        ({OTHER: of_codec(5)}, ["compression UNKNOWN", OTHER]),
        (
            {OTHER: two_groups((trips(), {}), (trips(), {"compression": "brotli"}))},
            ["compression BROTLI", OTHER],
        ),
        (
            {
                OTHER: two_groups(
                    (trips().slice(0, 0), {}),
                    (
                        trips(),
                        {
                            "use_dictionary": False,
                            "column_encoding": {"fare_amount": "BYTE_STREAM_SPLIT"},
                        },
                    ),
                )
            },
            ["encoding BYTE_STREAM_SPLIT", OTHER],
        ),
        (
            file(trips(PULocationID=pa.array([1.0] * 4)), OTHER),
            [f"PULocationID is int32 in {MONTH} and double in {OTHER}", "one kind of number"],
        ),
        (
            file(amounts_as(pa.decimal128(10, 2)), OTHER),
            [f"tip_amount is double in {MONTH} and decimal128(10, 2) in {OTHER}"],
        ),
        *(
            ({OTHER: with_arrow_schema(schema)}, ["a schema of Arrow's (ARROW:schema)", OTHER])
            for schema in (
                as_arrow(PULocationID=pa.int64()),
                as_arrow(fare_amount=pa.string()),
                as_arrow(more=pa.int8()),
                pa.schema(list(reversed(trips().schema))).serialize().to_pybytes(),
                as_arrow().replace(b"tip_amount", b"tip_am\xffunt"),
            )
        ),
        ({OTHER: stating_rows(5)}, ["another number of rows than its row groups", OTHER]),
        *(
            (
                {OTHER: stating_values("fare_amount", count)},
                ["column fare_amount has another number of values", OTHER],
            )
            for count in (3, 5)
        ),
        ({OTHER: in_other_files()}, ["its columns are in other files", OTHER]),
        *(
            (
                {OTHER: stating(trips(), "<d", bound, NAN)},
                ["column fare_amount has a minimum or maximum of NaN", OTHER],
            )
            for bound in (31.0, 60.0)
        ),
        ({OTHER: of_decimals_as_bytes()}, ["fare_amount has decimals of different lengths", OTHER]),
        ({OTHER: b""}, ["cannot be read as Parquet", OTHER]),
        ({OTHER: b"PAR1 no PAR1"}, ["cannot be read as Parquet", OTHER]),
        ({"taxi/a.PARQUET": b""}, ["does not end in .parquet", "taxi/a.PARQUET"]),
        ({"taxi/a.parquet.gz": b""}, ["does not end in .parquet", "taxi/a.parquet.gz"]),
        ({"taxi/year=2024/a.parquet": b""}, ["in folders below taxi/", "taxi/year=2024/a"]),
        ({"taxi/_delta_log/0.json": b"{}"}, ["taxi/ is a table of Delta", "plain Parquet"]),
        ({"taxi/.hoodie/hoodie.properties": b""}, ["taxi/ is a table of Hudi"]),
        ({"taxi/a[1].parquet": b""}, ["pattern"]),
        ({"taxi/a\x85.parquet": b""}, ["control character"]),
        ({"taxi/a\u2028.parquet": b""}, ["control character"]),
        (
            file(
                trips().cast(
                    pa.schema(
                        [
                            field.with_metadata({"ARROW:extension:name": "money"})
                            for field in trips().schema
                        ]
                    )
                )
            ),
            ["column fare_amount has Arrow's extension type money", MONTH],
        ),
        ({MONTH: None}, ["There are no trips in s3://lake/taxi/"]),
        ({MONTH: None, **OTHERS}, ["There are no trips", "not read: taxi/"]),
        ({ZONES: None}, ["the zone table is missing", ZONES]),
        ({ZONES: b""}, ["not CSV", "it is empty"]),
        ({ZONES: b"\xef\xbb\xbf\n"}, ["not CSV", "it is empty"]),
        (
            {ZONES: b"\x1b[2J\xef\xbb\xbfBorough\n"},
            ["header is \\x1b[2J\\ufeffBorough: LocationID"],
        ),
        ({ZONES: zones_csv().decode().encode("utf-16")}, ["not CSV in UTF-8"]),
        ({ZONES: zones_csv().replace(b",", b";")}, ["not CSV in UTF-8"]),
        ({ZONES: zones_csv([(1, "", "x", "y")])}, ["an empty Borough", "line 2"]),
        ({ZONES: zones_csv([("x", "A", "x", "y")])}, ["not a whole number", "line 2"]),
        ({ZONES: zones_csv([(2**53 + 1, "A", "x", "y")])}, ["of up to 15 digits", "line 2"]),
        ({ZONES: zones_csv([(1, 'Q"s', "x", "y")])}, ["a quotation mark", "line 2"]),
        ({ZONES: zones_csv() + b'7,"A"\n'}, ["another number of fields", "line 7"]),
        ({ZONES: zones_csv([])}, ["it has no zones"]),
        (
            {ZONES: zones_csv([*ZONE_ROWS, (132, "Bronx", "x", "y")])},
            ["LocationID 132 is in Queens (line 4) and in Bronx", "line 7"],
        ),
    ],
)
def test_what_would_be_read_differently_is_refused(taxi: Store, files: dict, said: list[str]):
    taxi.put("lake", files)
    refusal = taxi.refusal("taxi")
    for words in said:
        assert words in refusal


@pytest.mark.parametrize(
    ("schema", "columns"),
    [
        (as_arrow(), {}),
        (as_arrow(PULocationID=pa.dictionary(pa.int8(), pa.int32())), {}),
        (
            as_arrow(PULocationID=pa.uint32()),
            {"PULocationID": pa.array([1, 132, 4, 999], pa.int64())},
        ),
        (as_arrow(at=pa.timestamp("us", "UTC")), {"at": pa.nulls(4, pa.timestamp("us"))}),
        (as_arrow(more=pa.binary()), {"more": pa.array(["a"] * 4)}),
    ],
)
def test_a_schema_of_arrows_that_says_the_same_is_accepted(
    taxi: Store, schema: bytes, columns: dict[str, pa.Array]
):
    taxi.put("lake", {OTHER: with_arrow_schema(schema, **columns)})
    assert taxi.inspect("taxi")["rows"] == 8


def test_all_problems_are_said_at_once_and_each_once(taxi: Store):
    bad = parquet(trips().drop_columns(["tip_amount"]))
    taxi.put("lake", {f"taxi/{n}.parquet": bad for n in range(9)})
    taxi.put("lake", {"taxi/broken.parquet": b"", ZONES: None})
    refusal = taxi.refusal("taxi")
    assert "has 3 problems. (1)" in refusal
    assert refusal.count("column tip_amount is missing") == 1
    assert "and 6 more" in refusal
    assert "broken.parquet" in refusal
    assert "the zone table is missing" in refusal


def test_a_refused_name_is_written_plainly_and_is_the_only_problem(taxi: Store):
    taxi.put("lake", {MONTH: None, "taxi/a\n\x1b.parquet": b""})
    refusal = taxi.refusal("taxi")
    assert "has 1 problem" in refusal
    assert "(taxi/a\\n\\x1b.parquet)" in refusal


def test_objects_that_the_store_lists_and_does_not_give_are_named():
    objects = {f"lake/{MONTH}": parquet(trips()), f"lake/{ZONES}": zones_csv()}
    pictures = {f"pictures/images/{n}.jpg": picture(n) for n in range(2)}
    names = [f"s3://{key}" for key in pictures]
    with stand_in({**objects, **pictures, f"pictures/{LIST}": listed(names)}) as store:
        store.withheld = {f"lake/{MONTH}", "pictures/images/1.jpg"}
        spec = {"buckets": BUCKETS, "store": store.spec}
        for dataset, key in (("taxi", MONTH), ("photos", "images/1.jpg")):
            with pytest.raises(UserError) as refused:
                inspection.inspect(dataset, spec, open_store(store.spec))
            assert f"does not give it: ACCESS_DENIED ({key}): allow" in refused.value.what


TABLES = [
    b"\xef\xbb\xbf" + zones_csv().replace(b"\n", b"\r\n"),
    zones_csv() + b"\n\n",
    zones_csv([*ZONE_ROWS, (132, "Queens", "JFK", "Airports")]),
    b"Borough,x,LocationID\n"
    + b"".join(f"{row[1]},{n},{row[0]}\n".encode() for n, row in enumerate(ZONE_ROWS)),
    b'"",' + b"\n7,".join(zones_csv().splitlines()) + b"\n",
    zones_csv().replace(b"\n", b"\r"),
    b"LocationID,Zone,Zone,Borough\n"
    + b"".join(f" 0{row[0]} ,a,b,{row[1]}\n".encode() for row in ZONE_ROWS),
]


@pytest.mark.parametrize("content", TABLES)
def test_engines_read_one_form_of_the_zone_table(taxi: Store, content: bytes):
    taxi.put("lake", {ZONES: content})
    facts = taxi.inspect("taxi")
    assert facts["zones"].startswith("output/inputs/")
    zones = read_zones(taxi.filesystem, facts)
    boroughs = zip(*(zones.column(at).to_pylist() for at in (0, 1)), strict=True)
    assert list(boroughs) == [row[:2] for row in ZONE_ROWS]
    assert (taxi.folder / "lake" / ZONES).read_bytes() == content
    assert taxi.inspect("taxi") == facts


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("fare_amount", [45.0, NAN, 10.0, 60.0]),
        ("total_amount", [50.0, NAN, 40.0, 70.0]),
        ("total_amount", [1e9, 1.0, 1.0, 1.0]),
        ("fare_amount", [-1e9, 45.0, 45.0, 45.0]),
        ("trip_distance", [1.7e308, 1.0, 1.0, 1.0]),
        ("PULocationID", [-0.0, 0.0, 4.0, 1.0]),
        ("tip_amount", [float("inf"), None, 1.0, 1.0]),
        ("trip_distance", [float("-inf"), 1.0, 1.0, 1.0]),
    ],
)
def test_the_oracle_refuses_amounts_that_engines_order_and_round_differently(
    taxi: Store, name: str, values: list[float]
):
    taxi.put("lake", file(trips(**{name: pa.array(values, pa.float64())})))
    spec = {"buckets": BUCKETS, "inputs": {"fareAbove": "30"}}
    with pytest.raises(UserError) as refused:
        workloads.load("taxi-report").right_answer(spec, taxi.filesystem)
    assert f"1 in {name} of s3://lake/{MONTH}" in refused.value.what
    assert "Write null" in refused.value.do


@pytest.mark.parametrize(
    ("name", "kind", "stated"),
    [
        ("fare_amount", pa.float64(), ("<d", 60.0, 55.0)),
        ("fare_amount", pa.float32(), ("<f", 31.0, 40.0)),
        ("fare_amount", pa.int64(), ("<q", 60, 55)),
        ("PULocationID", pa.int32(), ("<i", 999, 500)),
    ],
)
def test_the_oracle_refuses_footers_that_contradict_the_values(
    taxi: Store, name: str, kind: pa.DataType, stated: tuple[str, float, float]
):
    """By them, some engines skip what they would find."""
    table = trips(**{name: trips().column(name).cast(kind)})
    spec = {"buckets": BUCKETS, "inputs": {"fareAbove": "30"}}
    taxi.put("lake", file(table))
    assert len(workloads.load("taxi-report").right_answer(spec, taxi.filesystem)) == 4
    taxi.put("lake", {MONTH: stating(table, *stated)})
    with pytest.raises(UserError, match="the footer of their file states") as refused:
        workloads.load("taxi-report").right_answer(spec, taxi.filesystem)
    assert f"1 in {name} of s3://lake/{MONTH}" in refused.value.what


@pytest.mark.parametrize("nulls", [0, 4])
def test_the_oracle_refuses_footers_with_another_number_of_nulls(
    taxi: Store, monkeypatch: pytest.MonkeyPatch, nulls: int
):
    monkeypatch.setattr(taxi_report_oracle, "BATCH", 3)
    spec = {"buckets": BUCKETS, "inputs": {"fareAbove": "30"}}
    assert len(workloads.load("taxi-report").right_answer(spec, taxi.filesystem)) == 4
    taxi.put("lake", {MONTH: stating_nulls(nulls)})
    with pytest.raises(UserError, match="nulls are not as many") as refused:
        workloads.load("taxi-report").right_answer(spec, taxi.filesystem)
    assert f"1 in tip_amount of s3://lake/{MONTH}" in refused.value.what


@pytest.mark.parametrize("name", ["total_amount", "tip_amount", "trip_distance"])
def test_the_oracle_refuses_amounts_that_cancel_out(taxi: Store, name: str):
    cancelled = pa.array([9e8, 0.01, -9e8, 0.03])
    taxi.put("lake", file(trips(**{name: cancelled, "PULocationID": pa.array([1] * 4)})))
    spec = {"buckets": BUCKETS, "inputs": {"fareAbove": "30"}}
    with pytest.raises(UserError, match=f"cancel out: {name} of EWR"):
        workloads.load("taxi-report").right_answer(spec, taxi.filesystem)
    refunds = pa.concat_tables([trips(total_amount=pa.array([50.0, -50.0, 1.0, -1.0]))] * 1000)
    taxi.put("lake", file(refunds))
    assert len(workloads.load("taxi-report").right_answer(spec, taxi.filesystem)) == 4


def test_decimals_become_the_nearest_doubles_in_arrow_too():
    values = [Decimal(cents).scaleb(-2) for cents in range(-5000, 5000)]
    column = pa.chunked_array([pa.array([*values, None], pa.decimal128(10, 2))])
    assert doubles(column).to_pylist() == [*map(float, values), None]


# ---- images


def test_a_list_as_it_should_be_is_read_where_it_lies(photos: Store):
    facts = photos.inspect("photos", maxRejected="0")
    assert (facts["list"], facts["rows"], facts["repeated"]) == (f"pictures/{LIST}", 3, 0)
    whole = (photos.folder / "pictures").rglob("*.*")
    assert facts["bytes"] == sum(path.stat().st_size for path in whole)
    assert facts["prefixes"] == ["images/"]


AT = "https://store.example:9000"


@pytest.mark.parametrize(
    ("address", "key"),
    [
        ("s3://pictures/images/0.jpg", "images/0.jpg"),
        ("S3://pictures/images/0.jpg", "images/0.jpg"),
        ("s3a://pictures/images/0.jpg", "images/0.jpg"),
        ("s3n://pictures/0.jpg", "0.jpg"),
        ("images/0.jpg", "images/0.jpg"),
        ("images/a b+c=d,e;f&g'h(i)!~@$:é日.jpg", "images/a b+c=d,e;f&g'h(i)!~@$:é日.jpg"),
        ("s3://pictures/a%20b#c.jpg", "a%20b#c.jpg"),
        (f"{AT}/pictures/images/0.jpg", "images/0.jpg"),
        ("HTTPS://STORE.example:9000/pictures/a%20b%C3%A9.jpg", "a bé.jpg"),
        ("https://pictures.store.example:9000/a.jpg", "a.jpg"),
    ],
)
def test_an_address_in_any_form_names_one_key(address: str, key: str):
    assert key_of(address, "pictures", AT)[0] == key


@pytest.mark.parametrize(
    "address",
    [
        "https://s3.eu-west-1.amazonaws.com/pictures/a.jpg",
        "https://pictures.s3.amazonaws.com/a.jpg",
        "https://pictures.s3.eu-west-1.amazonaws.com/a.jpg",
    ],
)
def test_the_addresses_of_amazons_store_are_known(address: str):
    endpoint = "https://s3.eu-west-1.amazonaws.com"
    assert key_of(address, "pictures", endpoint)[0] == "a.jpg"


@pytest.mark.parametrize(
    ("address", "said"),
    [
        (None, "null or empty"),
        ("", "null or empty"),
        ("s3://other/images/0.jpg", "is in bucket other, not pictures"),
        ("https://elsewhere.example/pictures/0.jpg", "is at elsewhere.example, not at the store"),
        ("gs://pictures/0.jpg", "has the scheme gs:"),
        ("file:///pictures/0.jpg", "has the scheme file:"),
        ("s3://pictures/", "an empty part"),
        ("/images/0.jpg", "an empty part"),
        ("s3://pictures/a//b.jpg", "an empty part"),
        ("../images/0.jpg", "one of dots"),
        ("s3://pictures/*.jpg", "pattern"),
        ("s3://pictures/images/0.jpg?versionId=1", "a query such as ?versionId= is not read"),
        ("s3:/pictures/images/0.jpg", "has a scheme without //"),
        ("s3:///images/0.jpg", "names no bucket, or no image in it"),
        (f"{AT}/pictures", "names no bucket, or no image in it"),
        ("https://[::1/pictures/0.jpg", "is not an address"),
        ("images/" + 6 * (170 * "x" + "/") + ".jpg", "of more than 1024 bytes"),
        ("images/" + 90 * "日" + ".jpg", "or of 255 between slashes"),
        ("images/0.jpg;", "a key that ends in ;"),
        ("images/0.jpg.GZ", "as those of compressed files do"),
        ("file:/images/0.jpg", "has a scheme without //"),
        ("data:image/jpeg;base64,/9j/4AAQ", "has a scheme without //"),
        ("images\\0.jpg", "pattern"),
        ("images/0.jpg\n", "control character"),
        (" images/0.jpg", "a blank or byte order mark at an end"),
        ("\ufeffimages/0.jpg", "a blank or byte order mark at an end"),
        ("images/a\x85.jpg", "control character"),
        ("s3n://KEY:SECRET@pictures/images/0.jpg", "has a key before its bucket"),
    ],
)
def test_an_address_of_no_image_is_refused_with_its_row(
    photos: Store, address: str | None, said: str
):
    photos.put("pictures", {LIST: listed(["images/0.jpg", address])})
    spec = {"buckets": BUCKETS, "store": {"endpoint": AT}}
    with pytest.raises(UserError) as refused:
        inspection.inspect("photos", spec, photos.filesystem)
    assert said in refused.value.what
    assert "row 2" in refused.value.what


def urls_of(store: Store, *addresses: str, **columns: Any) -> list[str]:
    store.put("pictures", {LIST: listed(addresses, **columns)})
    return image_urls(store.filesystem, store.inspect("photos"))


def test_engines_read_one_form_of_the_list(photos: Store):
    first, second = (f"s3://pictures/images/{n}.jpg" for n in range(2))
    assert urls_of(photos, "s3a://pictures/images/0.jpg", "images/1.jpg") == [first, second]
    assert urls_of(photos, first, second, first, "images/1.jpg") == [first, second]
    assert urls_of(photos, first, kind=pa.large_string()) == [first]
    assert urls_of(photos, first, kind=pa.binary()) == [first]
    assert urls_of(photos, first, kind=pa.dictionary(pa.int32(), pa.string())) == [first]
    assert urls_of(photos) == []
    facts = photos.inspect("photos")
    assert (facts["rows"], facts["list"]) == (0, f"pictures/{LIST}")


@pytest.mark.parametrize(
    ("column", "options"),
    [
        (None, {"compression": "brotli"}),
        (pa.field("IMAGE_URL", pa.string()), {}),
        (pa.field("text", pa.string_view()), {}),
        (pa.field("price", pa.decimal256(50, 2)), {}),
        (pa.field("taken", pa.timestamp("ns", "+05:30")), {}),
    ],
)
def test_a_list_that_engines_would_read_differently_is_written_anew(
    photos: Store, column: pa.Field | None, options: dict[str, Any]
):
    table = pa.table({"image_url": ["s3://pictures/images/0.jpg"]})
    if column is not None:
        table = table.append_column(column, pa.nulls(1, column.type))
    photos.put("pictures", {LIST: parquet(table, **options)})
    facts = photos.inspect("photos")
    assert facts["list"].startswith("output/inputs/")
    assert image_urls(photos.filesystem, facts) == ["s3://pictures/images/0.jpg"]


def test_a_list_whose_addresses_are_of_an_extension_type_is_written_anew(photos: Store):
    url = "s3://pictures/images/0.jpg"
    field = pa.field("image_url", pa.string(), metadata={"ARROW:extension:name": "my.address"})
    photos.put("pictures", {LIST: parquet(pa.table([[url]], schema=pa.schema([field])))})
    facts = photos.inspect("photos")
    assert facts["list"].startswith("output/inputs/")
    assert image_urls(photos.filesystem, facts) == [url]


def test_names_that_spark_takes_for_hidden_ones_are_counted(photos: Store):
    hidden = ["images/_DSC0001.jpg", "images/.a.jpg", "_b.jpg", "c.jpg._COPYING_"]
    seen = ["images/_more/x.jpg", "images/.more/y.jpg", "z_.jpg"]
    photos.put("pictures", {LIST: listed([*hidden, *seen])})
    assert photos.inspect("photos")["hidden"] == len(hidden)


def test_no_key_in_an_address_is_repeated(photos: Store):
    photos.put("pictures", {LIST: listed(["s3n://KEY:SECRET@pictures/images/0.jpg"])})
    refusal = photos.refusal("photos")
    assert "row 1: s3n://pictures/images/0.jpg" in refusal
    assert "SECRET" not in refusal
    photos.put("pictures", {LIST: listed(["https://a.example/b.jpg?Signature=SECRET"])})
    refusal = photos.refusal("photos")
    assert "row 1: https://a.example/b.jpg?..." in refusal
    assert "SECRET" not in refusal


def test_a_percent_sign_is_taken_as_the_store_has_it(photos: Store):
    names = ["a b.jpg", "c%20d.jpg", "e f.jpg", "e%20f.jpg"]
    photos.put("pictures", {f"images/{name}": picture(1) for name in names})
    urls = urls_of(photos, "images/a%20b.jpg", "images/c%20d.jpg", "images/e%20f.jpg")
    assert urls == [
        f"s3://pictures/images/{name}" for name in ("a b.jpg", "c%20d.jpg", "e%20f.jpg")
    ]


@pytest.mark.parametrize("folder", ["a%00b", "%2E%2E", "%2Fa", "a%2F%2Fb", "a%0Ab", "a%E2%80%A8b"])
def test_a_percent_sign_that_stands_for_no_key_is_taken_as_it_is(photos: Store, folder: str):
    url = f"s3://pictures/{folder}/0.jpg"
    assert urls_of(photos, url) == [url]
    assert photos.inspect("photos")["prefixes"] == [f"{folder}/"]


def test_images_anywhere_in_the_bucket_are_counted_once(photos: Store):
    keys = ["images/0.jpg", "images/more/x.jpg", "other/deep/y.jpg", "z.jpg"]
    photos.put("pictures", {key: picture(n) for n, key in enumerate(keys)})
    photos.put("pictures", {LIST: listed(keys)})
    facts = photos.inspect("photos", maxRejected="0")
    sizes = [(photos.folder / "pictures" / key).stat().st_size for key in keys]
    assert facts["bytes"] == sum(sizes) + (photos.folder / facts["list"]).stat().st_size
    assert facts["prefixes"] == [""]
    assert prefixes_of(keys[:3]) == ["images/", "other/deep/"]
    many = [f"top/{n}/x.jpg" for n in range(100)]
    assert prefixes_of([*many, "images/0.jpg"]) == ["images/", "top/"]


def not_utf8() -> pa.Array:
    """A string that is none."""
    offsets = pa.py_buffer(np.array([0, 1], np.int32))
    return pa.Array.from_buffers(pa.string(), 1, [None, offsets, pa.py_buffer(b"\xff")])


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "it is missing"),
        (b"no table", "cannot be read as Parquet"),
        (parquet(pa.table({"url": ["a"]})), "column image_url is missing"),
        (parquet(pa.table({"Image_URL": ["a"]})), "is missing (Image_URL are there)"),
        (
            parquet(pa.table([["a"], ["b"]], names=["image_url"] * 2)),
            "column image_url is there 2 times",
        ),
        (parquet(pa.table({"image_url": [1]})), "has the type int64"),
        (parquet(pa.table({"image_url": pa.array([b"\xff"])})), "cannot be read"),
        (parquet(pa.table({"image_url": not_utf8()})), "cannot be read"),
        *(
            (
                encrypted(pa.table({"image_url": ["a"], "x": [1]}), "x", readable_footer=readable),
                "is encrypted",
            )
            for readable in (True, False)
        ),
    ],
)
def test_a_list_that_cannot_be_read_is_refused(photos: Store, content: bytes | None, said: str):
    photos.put("pictures", {LIST: content})
    assert said in photos.refusal("photos")


def test_pictures_that_no_engine_answers_are_named_before_any_run(photos: Store):
    bad = {
        "a.jpg": picture(5, "WEBP"),
        "b.png": sixteen_bit(),
        "c.jpg": b"",
        "e.jpg": b"\xff\xd8\xff",
    }
    photos.put("pictures", {f"images/{name}": data for name, data in bad.items()})
    keys = ["images/0.jpg", *(f"images/{name}" for name in bad), "images/d.jpg"]
    photos.put("pictures", {LIST: listed(keys)})
    refusal = photos.refusal("photos", maxRejected="3")
    for words in (
        "1 of 6 images are not-an-image (neither JPEG nor PNG, whatever the name says)",
        "(images/a.jpg)",
        "unsupported (a PNG of 16 bits a channel",
        "(images/b.png)",
        "empty (no bytes)",
        "missing (listed, and not in the store)",
        "(images/d.jpg)",
    ):
        assert words in refusal
    # What is truncated, only the run can see.
    assert photos.inspect("photos", maxRejected="4")["rows"] == 6


def test_texts_and_profiles_of_a_png_do_not_matter():
    pixels = decode(picture(4, "PNG"))
    assert (decode(with_long_text(4)) == pixels).all()
    profiled = picture(4, "PNG", icc_profile=b"x" * 3_000_000)
    assert (decode(profiled) == pixels).all()
    assert np.ptp(pixels) > 100


def test_progress_is_told_of_a_long_list(photos: Store, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(inspection, "PROGRESS_SECONDS", -1.0)
    told: list[str] = []
    inspection.inspect("photos", {"buckets": BUCKETS}, photos.filesystem, told.append)
    assert told == ["listing pictures/images/", "first bytes: 0 of 3"]


def test_requests_are_few_and_progress_is_told_of_many_inputs(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(inspection, "PROGRESS_SECONDS", 0.0)
    told: list[str] = []
    with stand_in(inspect_large.objects(images=2500, footers=600)) as store:
        spec = {"buckets": inspect_large.BUCKETS, "store": store.spec}
        opened = open_store(store.spec)
        assert inspection.inspect("taxi", spec, opened, told.append)["rows"] == 600 * 4
        assert store.requests["GET"] <= 600 + 5
        assert store.requests["HEAD"] <= 600 + 5
        store.requests.clear()
        facts = inspection.inspect("photos", {**spec, "inputs": {"maxRejected": "0"}}, opened)
        assert (facts["rows"], facts["repeated"]) == (2500, 0)
        assert store.requests["GET"] <= 1000 + 5
        assert store.requests["LIST"] <= 3 + 5
    assert told == ["footers: 0 of 600", "footers: 256 of 600", "footers: 512 of 600"]
