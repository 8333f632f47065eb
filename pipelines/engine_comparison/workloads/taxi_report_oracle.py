"""The right report, found by DuckDB."""

from __future__ import annotations

import pyarrow as pa
from pyarrow import fs

from ..errors import UserError
from .taxi_inputs import TRIPS_PREFIX, TRIPS_READ, read_zones, trip_files

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
        The columns of the workload's schema.
    """
    import duckdb  # engines import this module, too, and don't need these
    import pyarrow.dataset as ds

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
        return answer.to_arrow_table()
