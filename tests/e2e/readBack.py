"""Reads the published outputs of runs by other code than the engines'.

Takes one JSON object on stdin: store (endpoint, accessKey, secretKey), fareAbove, photos, and runs,
a map from `<engine>/<workload>` to the key that the stack says is published. Prints one JSON object:
what was found wrong, as a list of sentences.
"""

import json
import sys

import polars as pl
import pyarrow.dataset as ds
from pyarrow.fs import FileSelector, FileType, S3FileSystem

spec = json.load(sys.stdin)
store = spec["store"]
s3 = S3FileSystem(
    access_key=store["accessKey"],
    secret_key=store["secretKey"],
    endpoint_override=store["endpoint"],
    region="us-east-1",
)
wrong: list[str] = []
PREFIXES = {
    "taxi-report": "warehouse/report",
    "image-predictions": "bucket/predictions",
    "image-embeddings": "bucket/embeddings",
}


def published(engine: str, workload: str, key: str) -> pl.DataFrame:
    """The rows that the manifest names. All else that lies beside them is wrong."""
    root = f"{PREFIXES[workload]}/engine={engine}"
    with s3.open_input_file(f"{root}/_manifest.json") as file:
        manifest = json.loads(file.read())
    if manifest["run"] != key:
        wrong.append(f"{root} has published {manifest['run']}, and the stack says {key}")
    found = {
        info.path.removeprefix(f"{root}/"): info.size
        for info in s3.get_file_info(FileSelector(root, recursive=True))
        if info.type == FileType.File
    }
    found.pop("_manifest.json")
    named = {file["path"]: file["bytes"] for file in manifest["files"]}
    expected = {*named, *manifest["copies"], *manifest["previous"]}
    if set(found) != expected or any(found[name] != size for name, size in named.items()):
        wrong.append(f"{root} holds {found}, and its manifest names {manifest}")
    files = [f"{root}/{name}" for name in named]
    return pl.from_arrow(ds.dataset(files, filesystem=s3, format="parquet").to_table())


def expected_report() -> dict[str | None, dict]:
    """The report by Polars, as rows by borough."""
    trips = pl.concat(
        pl.from_arrow(
            ds.dataset(info.path, filesystem=s3, format="parquet").to_table(
                columns=["PULocationID", "fare_amount", "total_amount"]
            )
        ).cast({"PULocationID": pl.Int64, "fare_amount": pl.Float64, "total_amount": pl.Float64})
        for info in s3.get_file_info(FileSelector("lake/taxi"))
        if info.path.endswith(".parquet")
    )
    with s3.open_input_file("lake/taxi/taxi_zone_lookup.csv") as file:
        zones = pl.read_csv(file.read()).select(pl.col("LocationID").cast(pl.Int64), "Borough")
    report = (
        trips.filter(pl.col("fare_amount") > spec["fareAbove"])
        .join(zones, left_on="PULocationID", right_on="LocationID", how="left")
        .group_by("Borough")
        .agg(pl.len().alias("trips"), pl.col("total_amount").sum().alias("revenue"))
    )
    return {row["Borough"]: row for row in report.to_dicts()}


def judge_report(run: str, report: pl.DataFrame, want: dict[str | None, dict]) -> None:
    got = {row["borough"]: row for row in report.to_dicts()}
    if report.height != len(got) or set(want) != set(got):
        wrong.append(f"{run}: {report.height} rows, boroughs {sorted(map(str, got))}")
    if not {None, "Unknown", "N/A"} <= set(got):
        wrong.append(f"{run}: the three special boroughs are not three groups")
    for borough in set(want) & set(got):
        trips, revenue = want[borough]["trips"], want[borough]["revenue"]
        if trips != got[borough]["trips"]:
            wrong.append(f"{run}: {borough}: {got[borough]['trips']} trips, not {trips}")
        if abs(revenue - got[borough]["revenue"]) > 0.01 * trips:
            wrong.append(f"{run}: {borough}: revenue {got[borough]['revenue']}, not {revenue}")


def judge_images(run: str, answers: pl.DataFrame) -> None:
    if answers.height != spec["photos"] or answers["image_url"].n_unique() != spec["photos"]:
        wrong.append(f"{run}: {answers.height} rows for {spec['photos']} photos")
    if "label" in answers.columns and answers["label"].n_unique() < 2:
        wrong.append(f"{run}: all predictions have one label")
    if "embedding" in answers.columns:
        vectors = answers["embedding"].to_list()
        if any(sum(abs(x) for x in vector) == 0 for vector in vectors):
            wrong.append(f"{run}: an embedding is all zero")


report = None
for name, key in spec["runs"].items():
    engine, workload = name.split("/")
    rows = published(engine, workload, key)
    if workload == "taxi-report":
        report = report or expected_report()
        judge_report(name, rows, report)
    else:
        judge_images(name, rows)
print(json.dumps({"wrong": wrong}))
