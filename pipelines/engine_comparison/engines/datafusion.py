"""Apache DataFusion in the job's process: one statement over tables in the store."""

from __future__ import annotations

import os
from functools import reduce
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import quote

from ..describe import EngineFacts, engine_facts
from ..errors import UserError
from ..workloads.taxi_inputs import trip_files, trip_schema, zone_schema, zones_path
from ..workloads.taxi_report import TaxiReport
from . import Engine

if TYPE_CHECKING:
    from datafusion import SessionContext

REPORT = """
    SELECT zones."Borough"                                                         AS borough,
           sum(CAST(total_amount AS DOUBLE))                                       AS revenue,
           sum(CAST(floor(CAST(total_amount AS DOUBLE) * 100 + 0.5) AS BIGINT))    AS revenue_cents,
           count(*)                                                                AS trips,
           avg(CAST(tip_amount AS DOUBLE))                                         AS avg_tip,
           avg(CAST(trip_distance AS DOUBLE))                                      AS avg_distance
    FROM trips LEFT JOIN zones ON trips."PULocationID" = zones."LocationID"
    WHERE CAST(fare_amount AS DOUBLE) > {fare_above}
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
        for purpose in ("lake", "warehouse", "output"):
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
        from datafusion import DataFrame

        facts = self.context.input_facts
        for table in ("trips", "zones"):
            self.session.deregister_table(table)
        schema = trip_schema(facts)
        if facts["leftOut"]:  # a table is a file or a folder, and not all of this one is read
            months = [
                self.session.read_parquet(_url(path), schema=schema) for path in trip_files(facts)
            ]
            self.session.register_view("trips", reduce(DataFrame.union, months))
        else:
            folder = trip_files(facts)[0].rpartition("/")[0]
            self.session.register_parquet("trips", f"s3://{folder}/", schema=schema)
        self.session.register_csv("zones", _url(zones_path(facts)), schema=zone_schema(facts))
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


def _url(path: str) -> str:
    """The address of an object, in which DataFusion takes a percent sign for an escape."""
    return f"s3://{quote(path)}"


ENGINE = DataFusion
