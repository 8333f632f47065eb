from __future__ import annotations

import math
from pathlib import Path

import daft
import duckdb
import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import fs

from engine_comparison import workloads
from engine_comparison.errors import UserError
from engine_comparison.images import decode_batch
from engine_comparison.verify import SchemaMismatch
from engine_comparison.workloads.image_inputs import REJECTED, image_urls, read_image
from engine_comparison.workloads.image_oracle import OracleModel

REPORT = workloads.load("taxi-report")
PREDICTIONS = workloads.load("image-predictions")
EMBEDDINGS = workloads.load("image-embeddings")
BUCKETS = {"lake": "lake", "images": "bucket", "output": "output"}
OWN, PILLOW = {"decoder": "own"}, {"decoder": "pillow"}


def test_workloads_are_found_by_their_place():
    assert workloads.names() == ["image-embeddings", "image-predictions", "taxi-report"]
    for name in workloads.names():
        assert workloads.load(name).name == name
    with pytest.raises(UserError, match="no workload 'image-inputs'"):
        workloads.load("image-inputs")


def replaced(table: pa.Table, name: str, values: list | pa.Array) -> pa.Table:
    at = table.schema.get_field_index(name)
    field = table.schema.field(name).with_nullable(True)
    return table.set_column(at, field, pa.array(values, field.type))


# ---- taxi-report


@pytest.fixture(scope="module")
def report(local_store: fs.FileSystem) -> pa.Table:
    spec = {"buckets": BUCKETS, "inputs": {"fareAbove": "30"}}
    return REPORT.right_answer(spec, local_store)


def report_by_hand(store_folder) -> dict[str | None, dict]:
    """The workload's definition, row by row."""
    import csv

    with open(store_folder / "lake/taxi/taxi_zone_lookup.csv", newline="") as file:
        zones = {int(row["LocationID"]): row["Borough"] for row in csv.DictReader(file)}
    groups: dict[str | None, dict] = {}
    columns = ["PULocationID", "fare_amount", "tip_amount", "total_amount", "trip_distance"]
    for path in (store_folder / "lake/taxi").glob("*.parquet"):
        for trip in pq.read_table(path, columns=columns).to_pylist():
            if trip["fare_amount"] is None or not trip["fare_amount"] > 30:
                continue
            group = groups.setdefault(
                zones.get(trip["PULocationID"]),
                {"trips": 0, "cents": 0, "revenue": [], "tips": [], "miles": []},
            )
            group["trips"] += 1
            if trip["total_amount"] is not None:
                group["revenue"].append(trip["total_amount"])
                group["cents"] += math.floor(trip["total_amount"] * 100 + 0.5)
            group["tips"] += [trip["tip_amount"]] if trip["tip_amount"] is not None else []
            group["miles"] += [trip["trip_distance"]] if trip["trip_distance"] is not None else []
    return groups


def test_the_oracle_is_what_the_definition_says(report: pa.Table, store_folder):
    by_hand = report_by_hand(store_folder)
    assert {None, "Unknown", "N/A", "Manhattan"} <= set(by_hand)
    assert report.schema.equals(REPORT.schema())
    assert {row["borough"] for row in report.to_pylist()} == set(by_hand)
    for row in report.to_pylist():
        group = by_hand[row["borough"]]
        assert (row["trips"], row["revenue_cents"]) == (group["trips"], group["cents"])
        assert row["revenue"] == pytest.approx(math.fsum(group["revenue"]), rel=1e-12)
        assert row["avg_tip"] == pytest.approx(np.mean(group["tips"]), rel=1e-12)
        assert row["avg_distance"] == pytest.approx(np.mean(group["miles"]), rel=1e-12)


@settings(max_examples=30)
@given(st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=50))
def test_cents_are_the_same_integers_in_every_engine(totals):
    totals = [round(total, 3) for total in totals]
    expected = [math.floor(total * 100 + 0.5) for total in totals]
    table = pa.table({"total": totals})
    arrow = pc.floor(pc.add(pc.multiply(table["total"], 100.0), 0.5)).cast(pa.int64())
    polars = pl.from_arrow(table).select((pl.col("total") * 100 + 0.5).floor().cast(pl.Int64))
    with duckdb.connect() as connection:
        connection.register("trips", table)
        cents = "SELECT CAST(floor(total * 100 + 0.5) AS BIGINT) FROM trips"
        duck = connection.execute(cents).fetchall()
    eventual = daft.from_arrow(table).select((daft.col("total") * 100 + 0.5).floor())
    assert arrow.to_pylist() == expected
    assert polars["total"].to_list() == expected
    assert [row[0] for row in duck] == expected
    assert [int(value) for value in eventual.to_pydict()["total"]] == expected


def test_a_report_in_another_order_with_other_last_digits_is_right(report: pa.Table):
    other = report.take(list(reversed(range(len(report)))))
    other = replaced(other, "revenue", pc.multiply(other["revenue"], 1 + 1e-13).to_pylist())
    verdict = REPORT.verify(other, report, {})
    assert verdict.verified, verdict.message
    assert 0 < verdict.deviations["revenue"] < 1e-12
    assert REPORT.checksum(other, {}) == REPORT.checksum(report, {})


def boroughs(change):
    def apply(table: pa.Table) -> pa.Table:
        return replaced(table, "borough", [change(b) for b in table["borough"].to_pylist()])

    return apply


def off_by(name: str, amount: float):
    def apply(table: pa.Table) -> pa.Table:
        values = table[name].to_pylist()
        return replaced(table, name, [values[0] + amount, *values[1:]])

    return apply


@pytest.mark.parametrize(
    ("mistake", "message"),
    [
        (boroughs(lambda b: None if b == "N/A" else b), "'N/A' missing; None there more than once"),
        (boroughs(lambda b: "Unknown" if b is None else b), "None missing; 'Unknown' there more"),
        (boroughs(lambda b: "N/A" if b is None else b), "None missing; 'N/A' there more than once"),
        (lambda t: pa.concat_tables([t, t]), "there more than once"),
        (lambda t: t.slice(1), "missing"),
        (lambda t: t.slice(0, 0), "missing"),
        (off_by("trips", 1), "trips of"),
        (off_by("revenue_cents", -1), "revenue_cents of"),
        (off_by("revenue", 0.01), "revenue of"),
        (off_by("avg_tip", 1e-6), "avg_tip of"),
        (off_by("avg_distance", math.nan), "avg_distance of"),
        (lambda t: replaced(t, "avg_tip", [None] * len(t)), "avg_tip of"),
        (lambda t: t.drop_columns(["trips"]), "wrong shape: column 'trips'"),
    ],
)
def test_a_wrong_report_is_caught(report: pa.Table, mistake, message):
    verdict = REPORT.verify(mistake(report), report, {})
    assert not verdict.verified
    assert message in verdict.message


def test_the_checksum_tells_na_from_null(report: pa.Table):
    merged = boroughs(lambda b: None if b == "N/A" else b)(report)
    assert REPORT.checksum(merged, {}) != REPORT.checksum(report, {})


def test_trips_are_counted_by_their_footers(local_store: fs.FileSystem):
    facts = REPORT.input_facts({"buckets": BUCKETS}, local_store)
    assert REPORT.count_inputs(facts) == 20000
    files = [Path(path) for path in facts["files"]]
    assert [file.name for file in files] == [
        f"yellow_tripdata_2024-{n:02}.parquet" for n in (1, 2, 3)
    ]


# ---- images


def images_of(local_store: fs.FileSystem) -> list[str]:
    return image_urls(local_store, PREDICTIONS.input_facts({"buckets": BUCKETS}, local_store))


@pytest.fixture(scope="module")
def predictions(local_store: fs.FileSystem, oracle_model: OracleModel) -> pa.Table:
    return PREDICTIONS.ask_each(oracle_model, local_store, images_of(local_store))


@pytest.fixture(scope="module")
def embeddings(local_store: fs.FileSystem, oracle_model: OracleModel) -> pa.Table:
    return EMBEDDINGS.ask_each(oracle_model, local_store, images_of(local_store))


def output(workload, table: pa.Table) -> pa.Table:
    return workload.split(table)[0].select(workload.schema().names)


@pytest.mark.parametrize("workload", [PREDICTIONS, EMBEDDINGS])
@pytest.mark.parametrize("inputs", [OWN, PILLOW])
def test_batches_by_the_shared_function_are_right(
    workload, inputs, predictions, embeddings, session, local_store
):
    right = predictions if workload is PREDICTIONS else embeddings
    urls = images_of(local_store)
    batch = workload.infer(
        session, urls, decode_batch([read_image(local_store, url) for url in urls])
    )
    table = output(workload, pa.Table.from_batches([batch]))
    verdict = workload.verify(table, right, inputs)
    assert verdict.verified, verdict.message
    assert workload.checksum(table, inputs) == workload.checksum(output(workload, right), inputs)
    facts = workload.input_facts({"buckets": BUCKETS}, local_store)
    assert workload.count_inputs(facts) == len(urls)


def test_the_checksum_is_the_same_whatever_the_decoder_makes_of_an_image(predictions: pa.Table):
    table = output(PREDICTIONS, predictions)
    other = replaced(table, "label", ["tench", *table["label"].to_pylist()[1:]])
    assert PREDICTIONS.checksum(other, OWN) == PREDICTIONS.checksum(table, PILLOW)


def every(name: str, value):
    return lambda table: replaced(table, name, [value] * len(table))


def first(name: str, value):
    return lambda table: replaced(table, name, [value, *table[name].to_pylist()[1:]])


@pytest.mark.parametrize(
    ("mistake", "message"),
    [
        (every("label", "espresso"), "of the labels agree, not 98%"),
        (every("confidence", 0.0), "mean difference of the confidences"),
        (every("confidence", math.nan), "mean difference of the confidences"),
        (every("image_url", ""), "there more than once"),
        (every("image_url", None), "wrong shape: column 'image_url' has 20 nulls"),
        (first("label", None), "wrong shape: column 'label' has 1 nulls"),
        (first("image_url", "s3://bucket/images/other.jpg"), "missing"),
        (lambda t: pa.concat_tables([t, t]), "there more than once"),
        (lambda t: t.drop_columns(["image_url"]), "wrong shape: column 'image_url' is there 0"),
        (lambda t: t.slice(2), "missing"),
    ],
)
def test_wrong_predictions_are_caught(predictions: pa.Table, mistake, message):
    verdict = PREDICTIONS.verify(mistake(output(PREDICTIONS, predictions)), predictions, OWN)
    assert not verdict.verified
    assert message in verdict.message


def test_a_near_label_agrees_only_where_the_decoder_may_differ(predictions: pa.Table):
    near = [["corn"], *predictions["near"].to_pylist()[1:]]
    right = replaced(predictions, "near", near)
    table = first("label", "corn")(output(PREDICTIONS, predictions))
    native = PREDICTIONS.verify(table, right, OWN)
    assert native.verified, native.message
    assert native.agreement == {"labels": 0.95, "labelsOrNear": 1.0}
    wanted = right["label"][0].as_py()
    assert native.disagreements == {right["image_url"][0].as_py(): f"corn, not {wanted}"}
    assert not PREDICTIONS.verify(table, right, PILLOW).verified
    assert PREDICTIONS.verify(table, right, {**PILLOW, "device": "cuda"}).verified


def vectors(change):
    def apply(table: pa.Table) -> pa.Table:
        values = np.stack(table["embedding"].to_numpy(zero_copy_only=False))
        return replaced(table, "embedding", list(change(values.copy())))

    return apply


def zero_one(values: np.ndarray) -> np.ndarray:
    values[3] = 0
    return values


def turned(values: np.ndarray, count: int) -> np.ndarray:
    """Some of the vectors with a cosine of 0.97 with what they were."""
    for at in range(count):
        value = values[at]
        aside = np.random.default_rng(at).normal(size=len(value))
        aside -= value * (aside @ value) / (value @ value)
        aside *= np.linalg.norm(value) / np.linalg.norm(aside)
        values[at] = 0.97 * value + np.sqrt(1 - 0.97**2) * aside
    return values


def nudge(values: np.ndarray) -> np.ndarray:
    values[3, 7] += 2e-4
    return values


@pytest.mark.parametrize(
    ("mistake", "message"),
    [
        (vectors(np.zeros_like), "20 embeddings have a cosine below 0.995"),
        (vectors(zero_one), "1 embeddings have a cosine below 0.95"),
        (vectors(lambda v: turned(v, 2)), "2 embeddings have a cosine below 0.995"),
        (vectors(lambda v: v * np.nan), "20 embeddings have"),
        (vectors(lambda v: np.roll(v, 1, axis=0)), "embeddings have a cosine below"),
        (lambda t: pa.concat_tables([t, t]), "there more than once"),
        (lambda t: t.slice(0, 19), "missing"),
        (every("embedding", None), "wrong shape: column 'embedding' has 20 nulls"),
    ],
)
def test_wrong_embeddings_are_caught(embeddings: pa.Table, mistake, message):
    verdict = EMBEDDINGS.verify(mistake(output(EMBEDDINGS, embeddings)), embeddings, OWN)
    assert not verdict.verified
    assert message in verdict.message


def test_one_odd_vector_is_told_and_does_not_refuse_a_right_run(embeddings: pa.Table):
    table = vectors(lambda values: turned(values, 1))(output(EMBEDDINGS, embeddings))
    verdict = EMBEDDINGS.verify(table, embeddings, OWN)
    assert verdict.verified, verdict.message
    name = embeddings["image_url"][0].as_py()
    assert verdict.disagreements[name] == "cosine 0.97000"


def test_with_shared_pixels_every_number_counts(embeddings: pa.Table):
    table = vectors(nudge)(output(EMBEDDINGS, embeddings))
    assert EMBEDDINGS.verify(table, embeddings, OWN).verified
    verdict = EMBEDDINGS.verify(table, embeddings, PILLOW)
    assert not verdict.verified
    assert "1 embeddings have a number more than 0.0001" in verdict.message


def test_vectors_of_another_length_are_caught(embeddings: pa.Table):
    short = vectors(lambda v: v)(output(EMBEDDINGS, embeddings))
    lists = pa.array([row[:-1] for row in short["embedding"].to_pylist()], pa.list_(pa.float32()))
    verdict = EMBEDDINGS.verify(short.set_column(1, "embedding", lists), embeddings, OWN)
    assert "wrong shape" in verdict.message


def test_plain_lists_are_the_same_answer(embeddings: pa.Table):
    table = output(EMBEDDINGS, embeddings)
    plain = table.cast(pa.schema([table.schema.field(0), ("embedding", pa.list_(pa.float32()))]))
    assert EMBEDDINGS.verify(plain, embeddings, PILLOW).verified


# ---- rejects


@pytest.fixture(scope="module")
def dirty_store(tmp_path_factory, store_folder) -> fs.FileSystem:
    """The sample pictures with five that cannot be answered."""
    folder = tmp_path_factory.mktemp("dirty")
    images = folder / "bucket/images"
    images.mkdir(parents=True)
    table = pq.read_table(store_folder / "bucket/image_metadata.parquet")
    pq.write_table(table, folder / "bucket/image_metadata.parquet")
    sound = [(store_folder / url[5:]).read_bytes() for url in table["image_url"].to_pylist()]
    for at, data in enumerate([b"", b"garbage", sound[2][:9000], sound[3][:-2], *sound[4:-1]]):
        (images / f"photo-{at:06d}.jpg").write_bytes(data)
    return fs.SubTreeFileSystem(str(folder), fs.LocalFileSystem())


@pytest.mark.parametrize("workload", [PREDICTIONS, EMBEDDINGS])
def test_bad_files_are_counted_by_reason_and_left_out(workload, dirty_store, oracle_model):
    right = workload.ask_each(oracle_model, dirty_store, images_of(dirty_store))
    reasons = {"empty": 1, "not-an-image": 1, "truncated": 2, "missing": 1}
    accepted, counts = workload.split(right)
    assert (len(accepted), counts) == (15, reasons)
    table = output(workload, right)
    assert workload.verify(table, right, PILLOW).verified


@pytest.mark.parametrize("workload", [PREDICTIONS, EMBEDDINGS])
def test_the_oracle_says_of_all_images_whether_they_are_rejected(
    workload, dirty_store, oracle_model
):
    whole = workload.ask_each(oracle_model, dirty_store, images_of(dirty_store))
    some = workload.ask_each(oracle_model, dirty_store, images_of(dirty_store), 5)
    assert sum(some["sampled"].to_pylist()) == 5
    assert workload.split(some)[1] == workload.split(whole)[1]
    by_name = [table.sort_by("image_url")["rejected"].to_pylist() for table in (some, whole)]
    assert by_name[0] == by_name[1]
    assert workload.verify(output(workload, some.filter(some["sampled"])), some, PILLOW).verified


@pytest.mark.parametrize("workload", [PREDICTIONS, EMBEDDINGS])
def test_an_answer_to_a_rejected_image_is_caught(
    workload, dirty_store, oracle_model, local_store, predictions, embeddings
):
    right = workload.ask_each(oracle_model, dirty_store, images_of(dirty_store))
    sound = predictions if workload is PREDICTIONS else embeddings
    verdict = workload.verify(output(workload, sound), right, OWN)
    assert "and 2 more unexpected" in verdict.message


@pytest.mark.parametrize("workload", [PREDICTIONS, EMBEDDINGS])
def test_a_batch_of_only_bad_files_has_only_reasons(workload, session):
    batch = workload.infer(session, ["s3://b/1", "s3://b/2"], decode_batch([None, b""]))
    assert batch.schema.equals(workload.with_rejects(session.dimension))
    assert batch.column(REJECTED).to_pylist() == ["missing", "empty"]
    assert batch.column(1).null_count == 2
    nothing = workload.infer(session, [], decode_batch([]))
    assert nothing.num_rows == 0


def test_no_images_at_all_are_a_right_answer_to_none(predictions: pa.Table):
    nothing = predictions.slice(0, 0)
    assert PREDICTIONS.verify(output(PREDICTIONS, nothing), nothing, OWN).verified


def test_a_checksum_of_a_table_without_its_columns_is_refused():
    with pytest.raises(SchemaMismatch):
        PREDICTIONS.checksum(pa.table({"label": ["a"]}), OWN)
