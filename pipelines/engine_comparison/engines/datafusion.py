"""Apache DataFusion in the job's process: one statement over tables in the store."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, ClassVar

from ..describe import EngineFacts, engine_facts
from ..errors import UserError
from ..workloads.taxi_inputs import TRIPS_PREFIX, TRIPS_READ, ZONES, ZONES_KEY
from ..workloads.taxi_report import TaxiReport
from . import Engine

if TYPE_CHECKING:
    from datafusion import SessionContext

REPORT = """
    SELECT zones."Borough"                                       AS borough,
           sum(total_amount)                                     AS revenue,
           sum(CAST(floor(total_amount * 100 + 0.5) AS BIGINT))  AS revenue_cents,
           count(*)                                              AS trips,
           avg(tip_amount)                                       AS avg_tip,
           avg(trip_distance)                                    AS avg_distance
    FROM trips LEFT JOIN zones ON trips."PULocationID" = zones."LocationID"
    WHERE fare_amount > {fare_above}
    GROUP BY zones."Borough"
"""


class DataFusion(Engine):
    """See the module."""

    facts: ClassVar[EngineFacts] = engine_facts(__name__)

    def start(self) -> None:
        """Import DataFusion, with a thread a core, and see that a session opens.

        Raises:
            UserError: The store wants the bucket in its host name.
        """
        if not self.context.store.path_style:
            raise UserError(
                "DataFusion does not address buckets by host name.",
                "Its Python package has no option for it, and s3PathStyle is false.",
                "Take the contender datafusion out of `engines` for this store.",
            )
        os.environ["TOKIO_WORKER_THREADS"] = str(self.context.threads)
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
        for purpose in ("lake", "warehouse"):
            bucket = self.context.bucket(purpose)
            access = AmazonS3(
                bucket,
                region=store.region,
                access_key_id=store.access_key,
                secret_access_key=store.secret_key,
                session_token=store.session_token,
                endpoint=store.endpoint,
                allow_http=not store.encrypted,
            )
            session.register_object_store("s3://", access, host=bucket)
        return session

    def taxi_report(self, workload: TaxiReport, output: str) -> None:
        """The report by one statement over two tables."""
        lake = f"s3://{self.context.bucket('lake')}"
        session = self._open()
        session.register_parquet("trips", f"{lake}/{TRIPS_PREFIX}/", schema=TRIPS_READ)
        session.register_csv("zones", f"{lake}/{ZONES_KEY}", schema=ZONES)
        report = REPORT.format(fare_above=float(self.context.inputs["fareAbove"]))
        session.sql(report).write_parquet(f"s3://{output}/")

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


ENGINE = DataFusion
