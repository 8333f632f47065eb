"""DuckDB as one would use it without any engine around: the oracle's statement, a thread a core.

Its own reader of S3 is an extension that would have to be downloaded, so pyarrow reads: columns and
filter go down to it.
"""

from __future__ import annotations

from typing import Any, ClassVar

import pyarrow as pa
import pyarrow.parquet as pq

from engine_comparison.describe import EngineFacts
from engine_comparison.engines import Engine
from engine_comparison.workloads.taxi_inputs import read_zones, trip_files, trip_schema
from engine_comparison.workloads.taxi_report import TaxiReport

REPORT_SQL = """
    SELECT zones.Borough AS borough,
           sum(CAST(total_amount AS DOUBLE)) AS revenue,
           CAST(sum(CAST(floor(CAST(total_amount AS DOUBLE) * 100 + 0.5) AS BIGINT)) AS BIGINT)
               AS revenue_cents,
           count(*) AS trips,
           avg(CAST(tip_amount AS DOUBLE)) AS avg_tip,
           avg(CAST(trip_distance AS DOUBLE)) AS avg_distance
    FROM trips LEFT JOIN zones ON trips.PULocationID = zones.LocationID
    WHERE CAST(fare_amount AS DOUBLE) > $fare_above
    GROUP BY zones.Borough
"""


class DuckDb(Engine):
    """See the module."""

    facts: ClassVar[EngineFacts] = EngineFacts(
        "duckdb", "DuckDB", "duckdb", "other", packages=("duckdb", "pyarrow")
    )

    def start(self) -> None:
        """Import it, with as many threads as the engines have."""
        import duckdb
        import pyarrow.dataset  # noqa: F401

        pa.set_cpu_count(self.context.threads)
        self._connection = duckdb.connect(config={"threads": self.context.threads})

    def taxi_report(self, workload: TaxiReport, output: str) -> None:
        """The report by one statement."""
        import pyarrow.dataset as ds

        store, facts = self.context.filesystem, self.context.input_facts
        trips = ds.dataset(trip_files(facts), trip_schema(facts), "parquet", filesystem=store)
        with self._connection.cursor() as cursor:
            cursor.register("trips", trips)
            cursor.register("zones", read_zones(store, facts))
            given = {"fare_above": float(self.context.inputs["fareAbove"])}
            report = cursor.execute(REPORT_SQL, given).to_arrow_table()
        with store.open_output_stream(f"{output}/part-0.parquet") as stream:
            pq.write_table(report.cast(workload.schema()), stream)

    def persists(self) -> str:
        """See `Engine.persists`."""
        return "the process with its thread pools"

    def configuration(self) -> dict[str, Any]:
        """The threads."""
        return {"threads": self.context.threads}

    def stop(self) -> None:
        """Nothing outlives the process."""
