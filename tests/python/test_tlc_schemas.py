"""TLC's trips of each year since 2009, by the recorded names and types of their columns."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from jobs import BUCKETS
from pyarrow import fs

from engine_comparison import inspection
from engine_comparison.datasets.nyc import taxi
from engine_comparison.datasets.sample.zones import zones_csv
from engine_comparison.errors import UserError
from engine_comparison.workloads.taxi_inputs import AMOUNTS

RECORDED = Path(__file__).with_name("tlc_schemas.json")
TYPES = {
    "DOUBLE": pa.float64(),
    "INT64": pa.int64(),
    "INT32": pa.int32(),
    "BYTE_ARRAY": pa.string(),
}
YEARS = range(2009, 2026)


def schemas() -> dict[str, pa.Schema]:
    """The schema of each month, by `YYYY-MM`, to the end of 2025."""
    changes = {one["from"]: one for one in json.loads(RECORDED.read_text())["schemas"]}
    columns: dict[str, str | None] = {}
    found = {}
    for month in (f"{year}-{at:02d}" for year in YEARS for at in range(1, 13)):
        change = changes.get(month, {})
        columns = {**change.get("columns", columns), **change.get("changes", {})}
        columns = {name: kind for name, kind in columns.items() if kind is not None}
        found[month] = pa.schema([(name, type_of(name, kind)) for name, kind in columns.items()])
    return found


def type_of(name: str, kind: str | None) -> pa.DataType:
    if kind == "INT32" and name.endswith(("fee", "surcharge")):
        return pa.null()
    if kind == "INT64" and name.startswith("tpep"):
        return pa.timestamp("us")
    return TYPES[str(kind)]


def distinct(year: int) -> Iterator[tuple[str, pa.Schema]]:
    """The months of a year whose schema is not that of the one before."""
    before = None
    for month, schema in SCHEMAS.items():
        if month.startswith(str(year)) and schema != before:
            yield month, schema
            before = schema


SCHEMAS = schemas()


def write_month(folder: Path, month: str, schema: pa.Schema) -> Path:
    """A file of that name with one row, of zone 4."""
    path = folder / f"yellow_tripdata_{month}.parquet"
    values = {pa.string(): "1", pa.null(): None}
    row = {field.name: [values.get(field.type, 4)] for field in schema}
    pq.write_table(pa.table(row, schema), path)
    return path


def test_the_recorded_schemas_are_those_that_are_known():
    assert len(SCHEMAS) == 12 * len(YEARS)
    assert [len(SCHEMAS[month]) for month in ("2009-01", "2010-01", "2011-01")] == [18, 18, 19]
    zones = [SCHEMAS[month].field("PULocationID").type for month in ("2023-01", "2023-02")]
    assert zones == [pa.int64(), pa.int32()]
    assert SCHEMAS["2019-12"].field("airport_fee").type == pa.null()


@pytest.mark.parametrize("year", range(taxi.FIRST_YEAR, 2026))
def test_all_months_of_a_year_are_read_by_one_type(tmp_path: Path, year: int):
    for bucket in BUCKETS.values():
        (tmp_path / bucket).mkdir()
    folder = tmp_path / "lake" / "taxi"
    folder.mkdir()
    (folder / "taxi_zone_lookup.csv").write_bytes(zones_csv())
    months = [write_month(folder, month, schema) for month, schema in distinct(year)]
    for path in months:
        taxi.check_trips(path)
    store = fs.SubTreeFileSystem(str(tmp_path), fs.LocalFileSystem())
    spec = {"buckets": BUCKETS, "inputs": {}, "store": {"endpoint": "http://127.0.0.1"}}
    facts = inspection.inspect("taxi", spec, store)
    assert facts["rows"] == len(months)
    assert facts["types"] == {**dict.fromkeys(AMOUNTS, "float64"), "PULocationID": "int64"}


@pytest.mark.parametrize("year", [2009, 2010])
def test_years_without_zones_are_refused_by_the_setting_and_by_their_columns(
    tmp_path: Path, year: int
):
    with pytest.raises(UserError, match=f"year of the dataset is '{year}'"):
        taxi.remotes({"year": str(year), "months": "1", "from": "http://x"})
    for month, schema in distinct(year):
        with pytest.raises(ValueError, match=r"it has no column .*PULocationID"):
            taxi.check_trips(write_month(tmp_path, month, schema))
