"""The right answers, found by other code than any engine's.

    python -m engine_comparison.leader   with the module engine_comparison.oracle and a run's spec

The table's is found by DuckDB. The images' by the plainest way there is: one image after the other,
Pillow's decoder, a batch of one, one thread of ONNX Runtime. An oracle is stored at
s3://<output>/oracles/<workload>/<oracleKey>.parquet; those of images keep the rejected ones, with
the reason in the column `rejected`. Where there are more images than `oracleImages`, the model is
asked about a sample of them (column `sampled`), and the rule about rejects is applied to all.

The result event has `workload`, `oracleKey`, `uri`, `rows`, `rejected`, `checksum` and `seconds`.
"""

from __future__ import annotations

import sys
import time
import traceback
from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
from pyarrow import fs

from . import workloads
from .errors import UserError
from .model.session import ModelSession
from .protocol import Channel, Spec, run_module
from .store import in_parallel, open_store
from .workloads.base import Workload
from .workloads.image_inputs import (
    REJECTED,
    SAMPLED,
    ImageWorkload,
    of_sample,
    read_image,
    read_metadata,
    rejection,
    sampled,
)
from .workloads.taxi_report import (
    TRIPS_PREFIX,
    TRIPS_READ,
    TaxiReport,
    read_zones,
    trip_files,
)

REPORT_SQL = """
    SELECT zones.Borough AS borough,
           sum(total_amount) AS revenue,
           CAST(sum(CAST(floor(total_amount * 100 + 0.5) AS BIGINT)) AS BIGINT) AS revenue_cents,
           count(*) AS trips,
           avg(tip_amount) AS avg_tip,
           avg(trip_distance) AS avg_distance
    FROM trips LEFT JOIN zones ON trips.PULocationID = zones.LocationID
    WHERE fare_amount > $fare_above
    GROUP BY zones.Borough
"""


def taxi_oracle(filesystem: fs.FileSystem, lake: str, fare_above: float) -> pa.Table:
    """Compute the report by DuckDB over a pyarrow dataset (DuckDB's own S3 access is a download).

    Args:
        filesystem: The store.
        lake: Name of the bucket `lake`.
        fare_above: Fares above it count, in dollars.

    Returns:
        The workload's schema.
    """
    import duckdb

    files = trip_files(filesystem, lake)
    if not files:
        raise UserError(
            f"There are no trips in s3://{lake}/{TRIPS_PREFIX}/.",
            "The report is made from the parquet files there.",
            "Upload the dataset first.",
        )
    trips = ds.dataset(files, schema=TRIPS_READ, format="parquet", filesystem=filesystem)
    with duckdb.connect() as connection:
        connection.register("trips", trips)
        connection.register("zones", read_zones(filesystem, lake))
        answer = connection.execute(REPORT_SQL, {"fare_above": fare_above})
        return answer.to_arrow_table().cast(TaxiReport().schema())


def image_oracle(
    workload: ImageWorkload,
    filesystem: fs.FileSystem,
    bucket: str,
    session: ModelSession,
    most: int = sys.maxsize,
) -> pa.Table:
    """Ask the model about each image by itself, and of all images say whether they are rejected.

    Args:
        workload: One of the image workloads.
        filesystem: The store.
        bucket: Name of the bucket `images`.
        session: The model, on one thread of the CPU.
        most: How many images to answer; of more than that a sample.

    Returns:
        A row for each image of the metadata: `workload.oracle_schema(session.dimension)`, and
        whether it is in the sample. The others have no answer, but a reason if they are rejected.
    """
    urls = read_metadata(filesystem, bucket).column("image_url").to_pylist()
    chosen = sampled(urls, most)
    rows = [workload.infer_oracle(session, url, read_image(filesystem, url)) for url in chosen]
    answered = pa.Table.from_batches(rows, workload.oracle_schema(session.dimension))
    rest = sorted(set(urls) - set(chosen))
    reasons = in_parallel(lambda url: rejection(filesystem, url), rest)
    others = pa.table({workload.key: rest, REJECTED: pa.array(reasons, pa.string())})
    parts = [
        part.append_column(SAMPLED, pa.array([asked] * len(part), pa.bool_()))
        for part, asked in ((answered, True), (others, False))
    ]
    return pa.concat_tables(parts, promote_options="default").combine_chunks()


def answer(spec: Mapping[str, Any], filesystem: fs.FileSystem) -> pa.Table:
    """Compute the oracle that a spec asks for.

    Raises:
        UserError: There is no such oracle, or an input file cannot be read.
    """
    workload = workloads.load(spec["workload"])
    bucket = spec["buckets"][workload.input_purpose]
    try:
        return _answer(spec, workload, filesystem, bucket)
    except UserError:
        raise
    except Exception as error:
        unreadable = workload.unreadable_input(filesystem, bucket)
        if unreadable is None:
            raise
        traceback.print_exception(error)
        raise UserError(
            unreadable,
            "There is no right answer without it, and so no run is begun.",
            "If the store answers (`npm run status`), its objects are not what was uploaded: "
            "`npm run destroy` and `npm start` upload them again.",
        ) from error


def _answer(
    spec: Mapping[str, Any], workload: Workload, filesystem: fs.FileSystem, bucket: str
) -> pa.Table:
    if isinstance(workload, TaxiReport):
        return taxi_oracle(filesystem, bucket, float(spec["inputs"]["fareAbove"]))
    if isinstance(workload, ImageWorkload):
        model = spec["model"]
        session = ModelSession(model["path"], model.get("labels"), device="cpu", threads=1)
        most = int(spec["inputs"]["oracleImages"])
        return image_oracle(workload, filesystem, bucket, session, most)
    raise UserError(
        f"There is no oracle for {workload.name}.",
        "Without one no result of this workload can be verified.",
        "Add one to engine_comparison/oracle.py.",
    )


def oracle_path(spec: Mapping[str, Any]) -> str:
    """Where the oracle of a spec is: `<bucket>/oracles/<workload>/<oracleKey>.parquet`."""
    return f"{spec['buckets']['output']}/oracles/{spec['workload']}/{spec['oracleKey']}.parquet"


def main(channel: Channel, spec: Spec) -> dict[str, Any]:
    """Compute and store an oracle; returns the fields of the result event."""
    began = time.monotonic()
    filesystem = open_store(spec["store"])
    channel.phase("compute")
    table = answer(spec, filesystem)
    channel.phase("publish")
    path = oracle_path(spec)
    with filesystem.open_output_stream(path) as stream:
        pq.write_table(table, stream, compression="zstd")
    accepted, rejected = table, 0
    if REJECTED in table.column_names:
        rejected = len(table) - table.column(REJECTED).null_count
        answered = of_sample(table)
        accepted = answered.filter(answered.column(REJECTED).is_null())
    return {
        "workload": spec["workload"],
        "oracleKey": spec["oracleKey"],
        "uri": f"s3://{path}",
        "rows": len(accepted),
        "rejected": rejected,
        "checksum": workloads.load(spec["workload"]).checksum(accepted, spec["inputs"]),
        "seconds": round(time.monotonic() - began, 3),
    }


if __name__ == "__main__":
    sys.exit(run_module(main))
