"""Every contender reads the same thing: of each input that is accepted, all give the one answer.

What is accepted, and how the rest is refused, is in test_inspection.py. Here each engine answers
all cases in one process, and is judged by the oracle, whose answers are compared with those that
follow from the few trips of each case.
"""

from __future__ import annotations

import io
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from clusters import Attempts, Event
from given_forms import (
    BOROUGHS,
    FORMS,
    NAMES,
    files_of_all_forms,
    half_cents,
    integers,
    other_columns,
    zones_of,
)
from given_inputs import (
    ZONE_ROWS,
    amounts_as,
    encoded,
    listed,
    parquet,
    photograph,
    picture,
    sixteen_bit,
    trips,
    with_broken_parts,
    with_long_text,
    zones_csv,
)
from given_pictures import KEYS, pictures_of_all_kinds, small, tiny_pictures
from pyarrow import fs

from engine_comparison import engines, inspection
from engine_comparison.store import open_store


def doing(workload: str) -> list[str]:
    """The contenders that have a method for a workload."""
    return [name for name in engines.names() if workload in engines.load(name).facts.workloads]


def by_time(names: list[str]) -> list[Any]:
    """The contenders, those that need minutes for all cases marked as long."""
    clusters = ("spark", "ray")
    return [
        pytest.param(name, marks=pytest.mark.long)
        if engines.load(name).facts.cluster in clusters
        else name
        for name in names
    ]


ZONES = "taxi/taxi_zone_lookup.csv"
INTEGERS = (
    *(pa.int8(), pa.int16(), pa.int32(), pa.int64()),
    *(pa.uint8(), pa.uint16(), pa.uint32()),
)
NAN = float("nan")

Answer = dict[str | None, tuple[int, int | None]]
"""Borough to trips and cents."""
BASE: Answer = {"EWR": (1, 5000), "Queens": (1, 5550), "Manhattan": (1, 4000), None: (1, 7000)}


def months(*tables: pa.Table, **options: Any) -> dict[str, bytes]:
    return {
        f"taxi/yellow_tripdata_2024-{n:02}.parquet": parquet(table, **options)
        for n, table in enumerate(tables, 1)
    }


def times(factor: int, answer: Answer = BASE) -> Answer:
    return {
        name: (factor * count, None if cents is None else factor * cents)
        for name, (count, cents) in answer.items()
    }


def four_half_cents() -> pa.Table:
    """Decimals of which every one is half a cent."""
    given = [Decimal(n) + Decimal("0.005") for n in (50, 31, 33, 1001)]
    column = pa.array([value.quantize(Decimal("0.0001")) for value in given], pa.decimal128(18, 4))
    table = amounts_as(pa.decimal128(18, 4))
    return table.set_column(table.schema.get_field_index("total_amount"), "total_amount", column)


def without_row_groups(table: pa.Table) -> bytes:
    out = io.BytesIO()
    pq.ParquetWriter(out, table.schema).close()
    return out.getvalue()


CASES: dict[str, tuple[dict[str, bytes], Answer]] = {
    "plain": (months(trips()), BASE),
    "float32": (months(amounts_as(pa.float32())), BASE),
    "float32-and-64": (months(amounts_as(pa.float32()), trips()), times(2)),
    "decimals": (months(amounts_as(pa.decimal128(10, 2))), BASE),
    "half-cents": (
        months(four_half_cents()),
        {"EWR": (1, 5001), "Queens": (1, 3101), "Manhattan": (1, 3301), None: (1, 100101)},
    ),
    "integer-fare": (months(trips(fare_amount=pa.array([45, 50, 31, 60], pa.int64()))), BASE),
    "integers-of-both-widths": (
        months(
            trips(fare_amount=pa.array([45, 50, 31, 60], pa.int32())),
            trips(fare_amount=pa.array([45, 50, 31, 60], pa.int64())),
        ),
        times(2),
    ),
    "wide-and-narrow-zones": (
        months(
            trips(),
            *(
                trips(PULocationID=pa.array([1, 132, 4, 999], kind))
                for kind in (pa.int64(), pa.int16(), pa.uint32())
            ),
        ),
        times(4),
    ),
    "zones-as-floats": (
        months(trips(PULocationID=pa.array([1.0, 132.0, None, 999.0]))),
        {"EWR": (1, 5000), "Queens": (1, 5550), None: (2, 11000)},
    ),
    "zones-as-odd-floats": (
        months(trips(PULocationID=pa.array([1.5, NAN, 4.0, float("inf")]))),
        {"Manhattan": (1, 4000), None: (3, 17550)},
    ),
    "other-columns": (
        months(
            trips(comment=pa.array(["a", None, "b", "c"])).select(
                ["comment", *reversed(trips().column_names)]
            ),
            trips(airport=pa.array([[1], [], None, [2]])),
        ),
        times(2),
    ),
    "empty-month": (months(trips().slice(0, 0), trips()), BASE),
    "small-row-groups": (months(trips(), row_group_size=1, data_page_version="2.0"), BASE),
    "gzip": (months(trips(), compression="gzip"), BASE),
    "lz4": (months(trips(), compression="lz4"), BASE),
    "deltas": (
        months(
            trips(),
            use_dictionary=False,
            column_encoding={"PULocationID": "DELTA_BINARY_PACKED"},
        ),
        BASE,
    ),
    "decimals-as-integers": (
        months(amounts_as(pa.decimal128(9, 2)), store_decimal_as_integer=True),
        BASE,
    ),
    "ties": (
        months(trips(total_amount=pa.array([2.675, -2.675, 0.125, -0.125]))),
        {"EWR": (1, 268), "Queens": (1, -267), "Manhattan": (1, 13), None: (1, -12)},
    ),
    "no-row-groups": (
        {**months(trips()), "taxi/yellow_tripdata_2024-02.parquet": without_row_groups(trips())},
        BASE,
    ),
    "first-version": (
        months(trips(), version="1.0", store_schema=False, write_statistics=False),
        BASE,
    ),
    "columns-of-odd-types": (
        months(
            trips(
                when=pa.nulls(4, pa.timestamp("ns", tz="America/New_York")),
                time=pa.nulls(4, pa.time64("ns")),
                lasted=pa.nulls(4, pa.duration("us")),
                half=pa.nulls(4, pa.float16()),
                map=pa.nulls(4, pa.map_(pa.int8(), pa.string())),
                fixed=pa.nulls(4, pa.binary(16)),
                nothing=pa.nulls(4),
                names=pa.array(["a"] * 4).dictionary_encode(),
                large=pa.nulls(4, pa.large_list(pa.large_string())),
                __index_level_0__=pa.array([1, 2, 3, 4]),
                **{"fare_amount.x": pa.array([1.0] * 4), "a b`c": pa.array([1] * 4)},
            )
        ),
        BASE,
    ),
    "names-like-partitions": (
        {
            f"taxi/{name}.parquet": parquet(trips())
            for name in ("fare_amount=1", "PULocationID=4", "a,b;c", "a|<>^`~!@$&", "a..b", "%2F")
        },
        times(6),
    ),
    "green-fhv-and-hidden-beside": (
        {
            **months(trips()),
            "taxi/green_tripdata_2024-01.parquet": parquet(trips()),
            "taxi/fhv_tripdata_2024-01.parquet": parquet(pa.table({"PUlocationID": [1.0]})),
            "taxi/_backup.parquet": parquet(trips()),
            "taxi/_SUCCESS": b"",
        },
        BASE,
    ),
    "odd-names": (
        {
            f"taxi/a {mark} b.parquet": parquet(trips())
            for mark in ("é日", "%20", "+&=", "#'(1)", ":")
        },
        times(5),
    ),
    "zones-with-an-index": (
        {
            **months(trips()),
            ZONES: b'"",' + b"\n7,".join(zones_csv().splitlines()) + b"\n",
        },
        BASE,
    ),
    "zones-in-another-order": (
        {
            **months(trips()),
            ZONES: "".join(
                f"{borough},{zone},{service},{number}\r\n"
                for number, borough, zone, service in [
                    ("LocationID", "Borough", "Zone", "service_zone"),
                    *ZONE_ROWS,
                ]
            ).encode("utf-8-sig"),
        },
        BASE,
    ),
    "zone-twice": (
        {**months(trips()), ZONES: zones_csv([*ZONE_ROWS, (132, "Queens", "JFK", "Airports")])},
        BASE,
    ),
    "zones-that-look-like-nothing": (
        {
            **months(trips()),
            ZONES: zones_csv(
                [
                    (1, "NaN", "", ""),
                    (132, "null", "NULL", "x"),
                    (4, "N/A", "", " "),
                    (999, "0", "", ""),
                ]
            ),
        },
        {"NaN": (1, 5000), "null": (1, 5550), "N/A": (1, 4000), "0": (1, 7000)},
    ),
    "zones-that-look-like-numbers": (
        {
            **months(trips()),
            ZONES: zones_csv(
                [(1, "007", "", ""), (4, "1e5", "", ""), (132, "true", "", ""), (999, "+1", "", "")]
            ),
        },
        {"007": (1, 5000), "1e5": (1, 4000), "true": (1, 5550), "+1": (1, 7000)},
    ),
    "zones-that-differ-by-blanks-and-marks": (
        {
            **months(trips()),
            ZONES: zones_csv(
                [
                    (1, " A", "", ""),
                    (4, "A ", "", ""),
                    (132, "\ufeffA", "", ""),
                    (999, "#A, x", "", ""),
                ]
            ),
        },
        {" A": (1, 5000), "A ": (1, 4000), "\ufeffA": (1, 5550), "#A, x": (1, 7000)},
    ),
    "fares-at-the-limit": (
        months(
            *(
                trips(fare_amount=pa.array([30, 31, 29, 60], kind))
                for kind in (pa.uint8(), pa.int64())
            )
        ),
        {"Queens": (2, 11100), None: (2, 14000)},
    ),
    "fares-at-the-limit-in-float32": (
        months(
            trips(fare_amount=pa.array([30.0, 30.000002, 29.999998, 60.0], pa.float32())),
            row_group_size=1,
        ),
        {"Queens": (1, 5550), None: (1, 7000)},
    ),
    "ties-in-float32": (
        months(trips(total_amount=pa.array([2.675, -2.675, 0.125, 1.005], pa.float32()))),
        {"EWR": (1, 267), "Queens": (1, -267), "Manhattan": (1, 13), None: (1, 100)},
    ),
    "columns-named-as-the-zones": (
        months(
            trips(
                **{name: pa.array(["a"] * 4) for name in ("Borough", "Zone", "borough", "revenue")},
                LocationID=pa.array([4] * 4),
            )
        ),
        BASE,
    ),
    "zones-above-int32": (
        {
            **months(trips(PULocationID=pa.array([2**32 - 1, 2**31, 4, None], pa.uint32()))),
            ZONES: zones_csv([(2**32 - 1, "Max", "", ""), (-1, "Minus", "", ""), (4, "A", "", "")]),
        },
        {"Max": (1, 5000), "A": (1, 4000), None: (2, 12550)},
    ),
    "zones-in-two-normal-forms": (
        {
            **months(trips()),
            ZONES: zones_csv([(1, "\u00e9", "", ""), (4, "e\u0301", "", ""), (132, "E", "", "")]),
        },
        {"\u00e9": (1, 5000), "e\u0301": (1, 4000), "E": (1, 5550), None: (1, 7000)},
    ),
    "zones-of-all-names": zones_of(BOROUGHS),
    "names-of-all-kinds": (
        {f"taxi/{name}.parquet": parquet(trips()) for name in NAMES},
        times(len(NAMES)),
    ),
    "files-of-all-forms": (files_of_all_forms(), times(len(FORMS))),
    "other-columns-of-all-types": (months(*other_columns()), times(len(other_columns()))),
    "integers-of-all-widths": (
        months(*(integers(kind) for kind in INTEGERS)),
        times(len(INTEGERS), {"EWR": (2, 9000), "Manhattan": (2, 12500)}),
    ),
    "zones-as-floats-of-both-widths": (
        months(
            trips(PULocationID=pa.array([1.0, 132.0, NAN, 999.5], pa.float32())),
            trips(PULocationID=pa.array([float("-inf"), -1.0, 1e300, -NAN])),
        ),
        {"EWR": (1, 5000), "Queens": (1, 5550), None: (6, 32550)},
    ),
    "columns-of-nulls": (
        months(
            trips(tip_amount=pa.nulls(4, pa.float64()), trip_distance=pa.nulls(4, pa.float64())),
            trips(PULocationID=pa.nulls(4, pa.int32())),
            trips(fare_amount=pa.nulls(4, pa.float64())),
        ),
        {**BASE, None: (5, 28550)},
    ),
    **{
        f"half-cents-of-{kind.precision}-digits": (
            months(table, table, store_decimal_as_integer=kind.precision == 9),
            {"EWR": (2 * len(table), 2 * cents)},
        )
        for kind in (pa.decimal128(9, 3), pa.decimal128(18, 4))
        for table, cents in [half_cents(kind, 1000)]
    },
    "nulls": (
        months(
            trips(
                fare_amount=pa.array([45.0, None, 31.0, 60.0]),
                total_amount=pa.array([50.0, 1.0, None, 70.0]),
            )
        ),
        {"EWR": (1, 5000), "Manhattan": (1, None), None: (1, 7000)},
    ),
    "nothing-above-the-limit": (months(trips(fare_amount=pa.array([1.0, 2.0, 3.0, 30.0]))), {}),
    "no-trips-at-all": (months(trips().slice(0, 0)), {}),
}


def put(store: fs.FileSystem, place: str, files: dict[str, bytes]) -> None:
    for key, content in files.items():
        with store.open_output_stream(f"{place}/{key}", compression=None) as stream:
            stream.write(content)


@pytest.fixture(scope="module")
def store(minio: dict[str, Any], creating: fs.FileSystem) -> fs.FileSystem:
    for place in (*(f"given-{name}" for name in CASES), *ALBUMS):
        creating.create_dir(place)
    return open_store(minio)


@pytest.fixture(scope="module")
def reports(store: fs.FileSystem, attempt: Attempts) -> dict[str, Event]:
    """What the oracle says of each case."""
    for name, (files, _) in CASES.items():
        put(store, f"given-{name}", {ZONES: zones_csv(), **files})
    return attempt("oracle", "taxi-report", [f"given-{name}" for name in CASES])


@pytest.mark.parametrize("name", CASES)
def test_the_oracle_has_the_answer_that_follows_from_the_trips(
    store: fs.FileSystem, reports: dict[str, Event], name: str
):
    assert reports[f"given-{name}"]["event"] == "result", reports[f"given-{name}"]
    report = pq.read_table(f"given-{name}/oracles/taxi-report/oracle.parquet", filesystem=store)
    found = {row["borough"]: (row["trips"], row["revenue_cents"]) for row in report.to_pylist()}
    assert found == CASES[name][1]


@pytest.mark.parametrize("engine", by_time(doing("taxi-report")))
def test_an_engine_has_the_oracles_answer_to_every_case(
    reports: dict[str, Event], attempt: Attempts, engine: str
):
    without_rows = {"given-no-trips-at-all"}
    unsupported = without_rows if "taxi-report" in engines.load(engine).facts.no_rows else set()
    places = [place for place in reports if place not in unsupported]
    answers = attempt(engine, "taxi-report", places)
    wrong = {place: one for place, one in answers.items() if one["event"] != "result"}
    assert wrong == {}
    for place, answer in answers.items():
        assert answer["checksum"] == reports[place]["checksum"], place
        empty = CASES[place.removeprefix("given-")][1] == {}
        assert ("holds nothing to report" in answer["note"]) == empty


WHOLE = {
    "images/plain.jpg": picture(0),
    "images/a b+c=d,e;f&g'h(i)!~@$é日.jpg": picture(1),
    "images/per%20cent#1.jpg": picture(2),
    "more/deep/er.png": picture(3, "PNG"),
    "root.jpg": picture(4),
    "images/no-ending": picture(9),
    "images/JPEG.WEBP": picture(10),
    "images/grey.jpg": encoded(photograph(11).convert("L"), "JPEG"),
    "images/cmyk.jpg": encoded(photograph(12).convert("CMYK"), "JPEG"),
    "images/palette.jpg": encoded(photograph(13).quantize(64), "PNG", transparency=3),
    "images/alpha.png": encoded(photograph(14).convert("LA"), "PNG"),
}
KINDS = {
    **{f"images/of-all-kinds/{name}": data for name, data in pictures_of_all_kinds().items()},
    **{f"images/{name}": small(at) for at, name in enumerate(KEYS)},
}
"""Pictures of all kinds, and keys of all kinds."""
HIDDEN = {"images/_DSC0001.jpg": picture(16), "images/.a.jpg": picture(17)}
LONG = {
    "images/text.png": with_long_text(5),
    "images/broken.png": with_broken_parts(18),
    "images/profile.png": picture(6, "PNG", icc_profile=b"x" * 3_000_000),
}
BAD = {
    "images/sixteen.png": sixteen_bit(),
    "images/webp.jpg": picture(7, "WEBP"),
    "images/empty.jpg": b"",
}
TINY = {f"images/tiny/{name}": data for name, data in tiny_pictures().items()}
"""Pictures about which decoders that round differently give other answers."""
ALBUMS = {
    "given-album": WHOLE | KINDS | TINY,
    "given-hidden": WHOLE | HIDDEN,
    "given-long": WHOLE | LONG,
    "given-worse": WHOLE | LONG | BAD,
    "given-none": {},
}
UNLISTED = {"images/unlisted.jpg": picture(8)}
REJECTS = [
    {"reason": "empty", "count": 1},
    {"reason": "missing", "count": 1},
    {"reason": "not-an-image", "count": 1},
    {"reason": "unsupported", "count": 1},
]


@pytest.fixture(scope="module")
def albums(store: fs.FileSystem, minio: dict[str, Any]) -> dict[str, int]:
    """Pictures listed by addresses of all forms, some of them twice: place to how many they are.

    One place also has names of hidden files, one PNGs with long texts or broken parts, one those
    and pictures that are rejected. One has an empty list.
    """
    places = ALBUMS
    for place, pictures in places.items():
        addresses = [
            f"s3://{place}/images/plain.jpg",
            f"s3a://{place}/images/plain.jpg",
            "images/plain.jpg",
            *(key for key in pictures if key.startswith("images/")),
            f"{minio['endpoint']}/{place}/more/deep/er.png",
            f"S3://{place}/root.jpg",
        ]
        if place == "given-worse":
            addresses.append(f"s3n://{place}/images/not%20there.jpg")
        given = listed(addresses if pictures else [])
        put(store, place, {**pictures, **UNLISTED, "image_metadata.parquet": given})
    missing = {"given-worse": 1}
    return {place: len(pictures) + missing.get(place, 0) for place, pictures in places.items()}


@pytest.fixture(
    scope="module",
    params=["image-embeddings", pytest.param("image-predictions", marks=pytest.mark.long)],
)
def workload(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture(scope="module")
def looked_at(albums: dict[str, int], attempt: Attempts, workload: str) -> dict[str, Event]:
    """What the oracle says of the albums."""
    return attempt("oracle", workload, list(albums))


def test_the_oracle_counts_the_pictures_that_documented_contenders_may_not_survive(
    looked_at: dict[str, Event],
):
    found = {place: (one["rejected"], one["longTexts"]) for place, one in looked_at.items()}
    assert found == {
        "given-album": (0, 0),
        "given-hidden": (0, 0),
        "given-long": (0, 3),
        "given-worse": (4, 3),
        "given-none": (0, 0),
    }


@pytest.mark.parametrize("engine", by_time(doing("image-embeddings")))
def test_an_engine_answers_each_picture_once_however_it_is_listed(
    looked_at: dict[str, Event], attempt: Attempts, workload: str, engine: str
):
    facts = engines.load(engine).facts
    unsupported = {
        *({"given-worse"} if facts.corrupt_images else ()),
        *({"given-long", "given-worse"} if facts.long_texts else ()),
        *({"given-hidden"} if facts.hidden_names else ()),
        *({"given-none"} if workload in facts.no_rows else ()),
    }
    places = [place for place in looked_at if place not in unsupported]
    for place, answer in attempt(engine, workload, places).items():
        assert answer["event"] == "result", answer
        assert answer["checksum"] == looked_at[place]["checksum"]
        assert answer["rejects"] == (REJECTS if place == "given-worse" else [])
        assert ("holds nothing to report" in answer["note"]) == (place == "given-none")


def test_bytes_and_pictures_are_counted_once(
    store: fs.FileSystem, minio: dict[str, Any], albums: dict[str, int]
):
    for place, count in albums.items():
        spec = {"buckets": {"images": place, "output": place}, "store": minio}
        facts = inspection.inspect("photos", spec, store)
        assert (facts["rows"], facts["repeated"]) == (count, 3 if count else 0)
        pictures = ALBUMS[place]
        size = store.get_file_info(facts["list"]).size
        assert facts["bytes"] == sum(map(len, pictures.values())) + size
