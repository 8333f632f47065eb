"""Apache DataFusion in the job's process: one statement over tables in the store."""

from __future__ import annotations

import os
from functools import reduce
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import quote

from ..describe import EngineFacts, engine_facts
from ..profile import Stage
from ..workloads.taxi_inputs import trip_files, trip_schema, zone_schema, zones_path
from ..workloads.taxi_report import TaxiReport
from . import Engine
from .datafusion_profile import stages_of

if TYPE_CHECKING:
    from datafusion import DataFrame, SessionContext

REPORT = """
    SELECT zones."Borough"                                       AS borough,
           sum(CAST(total_amount AS DOUBLE)) AS revenue,
           sum(CAST(floor(CAST(total_amount AS DOUBLE) * 100 + 0.5) AS BIGINT))  AS revenue_cents,
           count(*)                                              AS trips,
           avg(CAST(tip_amount AS DOUBLE)) AS avg_tip,
           avg(CAST(trip_distance AS DOUBLE)) AS avg_distance
    FROM trips LEFT JOIN zones ON trips."PULocationID" = zones."LocationID"
    WHERE CAST(fare_amount AS DOUBLE) > {fare_above}
    GROUP BY zones."Borough"
"""


class DataFusion(Engine):
    """See the module."""

    facts: ClassVar[EngineFacts] = engine_facts(__name__)
    means: ClassVar[str] = "the metrics of DataFusion's plan"
    _written: DataFrame

    def start(self) -> None:
        """Import DataFusion, with a thread a core, and see that a session opens."""
        os.environ["TOKIO_WORKER_THREADS"] = str(self.context.threads)
        # No parameter of AmazonS3, which starts from the environment.
        virtual = str(not self.context.store.path_style).lower()
        os.environ["AWS_VIRTUAL_HOSTED_STYLE_REQUEST"] = virtual
        self._open()

    def _open(self) -> SessionContext:
        """A session with a partition a core, and the buckets.

        Each sample has a new one, because an open one keeps the footers of files that it has read.
        """
        from datafusion import SessionConfig, SessionContext
        from datafusion.object_store import AmazonS3

        store = self.context.store
        config = SessionConfig().with_target_partitions(self.context.threads)
        session = SessionContext(config.with_information_schema(True))  # for configuration
        for purpose in ("lake", "warehouse", "output"):
            bucket = self.context.bucket(purpose)
            access = AmazonS3(
                bucket,
                region=store.region,
                access_key_id=store.access_key,
                secret_access_key=store.secret_key,
                session_token=store.session_token,
                # With addresses by host name, an endpoint is that of the bucket (obstore#754).
                endpoint=store.endpoint if store.path_style else store.endpoint_of(bucket),
                allow_http=not store.encrypted,
            )
            session.register_object_store("s3://", access, host=bucket)
        return session

    def taxi_report(self, workload: TaxiReport, output: str) -> None:
        """The report by one statement over two tables."""
        from datafusion import DataFrame

        facts, session = self.context.input_facts, self._open()
        schema = trip_schema(facts)
        if facts["leftOut"]:  # a table is a file or a folder, and not all of this one is read
            months = [session.read_parquet(_url(path), schema=schema) for path in trip_files(facts)]
            session.register_view("trips", reduce(DataFrame.union, months))
        else:
            folder = trip_files(facts)[0].rpartition("/")[0]
            session.register_parquet("trips", f"s3://{folder}/", schema=schema)
        session.register_csv("zones", _url(zones_path(facts)), schema=zone_schema(facts))
        report = REPORT.format(fare_above=float(self.context.inputs["fareAbove"]))
        if self.context.timers:  # the DataFrame of the statement that writes keeps its plan
            self._written = session.sql(f"COPY ({report}) TO 's3://{output}/' STORED AS PARQUET")
            self._written.collect()
        else:
            session.sql(report).write_parquet(f"s3://{output}/")

    def stages(self, began: float, seconds: float) -> list[Stage]:
        """See `Engine.stages`."""
        return stages_of(self._written.execution_plan(), self.context.threads, seconds)

    def persists(self) -> str:
        """See `Engine.persists`."""
        return "the process with its threads; each sample opens a new session"

    def configuration(self) -> dict[str, Any]:
        """All settings of a session as a sample has it, from itself."""
        rows = self._open().sql("SHOW ALL").to_pylist()
        settings = {row["name"]: row["value"] for row in rows}
        return {
            "threads": int(settings["datafusion.execution.target_partitions"]),
            "settings": settings,
        }

    def stop(self) -> None:
        """Nothing outlives a sample but the process."""


def _url(path: str) -> str:
    """The address of an object, in which DataFusion takes a percent sign for an escape."""
    return f"s3://{quote(path)}"


ENGINE = DataFusion
