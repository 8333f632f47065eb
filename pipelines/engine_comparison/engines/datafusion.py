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
    _session: SessionContext | None = None

    @property
    def session(self) -> SessionContext:
        """The session, after `start`."""
        assert self._session is not None, "start() comes first"
        return self._session

    def start(self) -> None:
        """Open a session with a thread and a partition a core, and register the buckets.

        Raises:
            UserError: The store wants the bucket in its host name.
        """
        store = self.context.store
        if not store.path_style:
            raise UserError(
                "DataFusion does not address buckets by host name.",
                "Its Python package has no option for it, and s3PathStyle is false.",
                "Take the contender datafusion out of `engines` for this store.",
            )
        os.environ["TOKIO_WORKER_THREADS"] = str(self.context.threads)
        from datafusion import SessionConfig, SessionContext
        from datafusion.object_store import AmazonS3

        config = SessionConfig().with_target_partitions(self.context.threads)
        self._session = SessionContext(config.with_information_schema(True))  # for configuration
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
            self._session.register_object_store("s3://", access, host=bucket)

    def taxi_report(self, workload: TaxiReport, output: str) -> None:
        """The report by one statement; the tables are registered anew, as a fresh script does."""
        lake = f"s3://{self.context.bucket('lake')}"
        for table in ("trips", "zones"):
            self.session.deregister_table(table)
        self.session.register_parquet("trips", f"{lake}/{TRIPS_PREFIX}/", schema=TRIPS_READ)
        self.session.register_csv("zones", f"{lake}/{ZONES_KEY}", schema=ZONES)
        report = REPORT.format(fare_above=float(self.context.inputs["fareAbove"]))
        self.session.sql(report).write_parquet(f"s3://{output}/")

    def persists(self) -> str:
        """See `Engine.persists`."""
        return "the process with its threads and the session"

    def configuration(self) -> dict[str, Any]:
        """All settings of the session, from itself."""
        rows = self.session.sql("SHOW ALL").to_pylist()
        return {"settings": {row["name"]: row["value"] for row in rows}}

    def stop(self) -> None:
        """Nothing outlives the process."""
        self._session = None


ENGINE = DataFusion
