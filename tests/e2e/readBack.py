"""Reads the published outputs of the three seed runs by other code than the engines'.

Takes one JSON object on stdin: store (endpoint, accessKey, secretKey), fareAbove, photos. Prints
one JSON object: what was found wrong, as a list of sentences.
"""

import json
import sys

import polars as pl
import pyarrow.dataset as ds
from pyarrow.fs import S3FileSystem

spec = json.load(sys.stdin)
store = spec["store"]
s3 = S3FileSystem(
    access_key=store["accessKey"],
    secret_key=store["secretKey"],
    endpoint_override=store["endpoint"],
    region="us-east-1",
)
wrong: list[str] = []


def published(prefix: str, engine: str) -> pl.DataFrame:
    """The rows that the manifest under `prefix` names, and nothing else that lies there."""
    root = f"{prefix}/engine={engine}"
    with s3.open_input_file(f"{root}/_manifest.json") as file:
        run = json.loads(file.read())["run"]
    runs = [info.base_name for info in s3.get_file_info(__import__("pyarrow").fs.FileSelector(root))]
    if sorted(name for name in runs if name.startswith("run=")) != [f"run={run}"]:
        wrong.append(f"{root} holds {runs}, not just run={run}")
    return pl.from_arrow(ds.dataset(f"{root}/run={run}", filesystem=s3, format="parquet").to_table())


trips = pl.concat(
    pl.from_arrow(
        ds.dataset(info.path, filesystem=s3, format="parquet").to_table(
            columns=["PULocationID", "fare_amount", "total_amount"]
        )
    ).cast({"PULocationID": pl.Int64, "fare_amount": pl.Float64, "total_amount": pl.Float64})
    for info in s3.get_file_info(__import__("pyarrow").fs.FileSelector("lake/taxi"))
    if info.path.endswith(".parquet")
)
with s3.open_input_file("lake/taxi/taxi_zone_lookup.csv") as file:
    zones = pl.read_csv(file.read()).select(pl.col("LocationID").cast(pl.Int64), "Borough")
expected = (
    trips.filter(pl.col("fare_amount") > spec["fareAbove"])
    .join(zones, left_on="PULocationID", right_on="LocationID", how="left")
    .group_by("Borough")
    .agg(pl.len().alias("trips"), pl.col("total_amount").sum().alias("revenue"))
)
report = published("warehouse/report", "spark")
want = {row["Borough"]: row for row in expected.to_dicts()}
got = {row["borough"]: row for row in report.to_dicts()}
if set(want) != set(got):
    wrong.append(f"boroughs {sorted(map(str, got))} are not {sorted(map(str, want))}")
if not {None, "Unknown", "N/A"} <= set(got):
    wrong.append("the three special boroughs are not three groups")
for borough in set(want) & set(got):
    if want[borough]["trips"] != got[borough]["trips"]:
        wrong.append(f"{borough}: {got[borough]['trips']} trips, not {want[borough]['trips']}")
    if abs(want[borough]["revenue"] - got[borough]["revenue"]) > 0.01 * want[borough]["trips"]:
        wrong.append(f"{borough}: revenue {got[borough]['revenue']}, not {want[borough]['revenue']}")

predictions = published("bucket/predictions", "ray")
embeddings = published("bucket/embeddings", "daft")
for name, frame in (("predictions", predictions), ("embeddings", embeddings)):
    if frame.height != spec["photos"] or frame["image_url"].n_unique() != spec["photos"]:
        wrong.append(f"{name}: {frame.height} rows for {spec['photos']} photos")
if predictions["label"].n_unique() < 2:
    wrong.append("all predictions have one label")
if any(sum(abs(x) for x in vector) == 0 for vector in embeddings["embedding"].to_list()):
    wrong.append("an embedding is all zero")
print(json.dumps({"wrong": wrong, "labels": predictions["label"].n_unique()}))
