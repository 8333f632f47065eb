"""Polars: its streaming engine in the job's process, what one would take on one machine."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar

import pyarrow as pa

from ..describe import EngineFacts, engine_facts
from ..profile import Stage
from ..workloads.taxi_inputs import trip_files, trip_schema, zone_schema, zones_path
from ..workloads.taxi_report import TaxiReport
from . import Engine
from .polars_profile import metrics_logged, stages_of

if TYPE_CHECKING:
    import polars as pl

FILE = "part-0.parquet"


class Polars(Engine):
    """See the module."""

    facts: ClassVar[EngineFacts] = engine_facts(__name__)
    means: ClassVar[str] = "the metrics of Polars' streaming engine"
    _lines: list[str]

    def start(self) -> None:
        """Import Polars, with as many threads as the other engines have."""
        os.environ["POLARS_MAX_THREADS"] = str(self.context.threads)
        import polars  # noqa: F401

    def taxi_report(self, workload: TaxiReport, output: str) -> None:
        """The report as a lazy query: columns and filter go down to the reader."""
        import polars as pl

        facts = self.context.input_facts
        zones_at = zones_path(facts)
        schema = trip_schema(facts)
        trips = pl.scan_parquet(
            [f"s3://{path}" for path in trip_files(facts)],
            schema=_polars_schema(schema),
            glob=False,
            extra_columns="ignore",
            cast_options=pl.ScanCastOptions(integer_cast="upcast", float_cast="upcast"),
            storage_options=self._storage_options(self.context.bucket("lake")),
        )
        zones = pl.scan_csv(
            f"s3://{zones_at}",
            schema=_polars_schema(zone_schema(facts)),
            storage_options=self._storage_options(zones_at.partition("/")[0]),
        )

        def amount(name: str) -> pl.Expr:
            is_double = schema.field(name).type == pa.float64()
            return pl.col(name) if is_double else pl.col(name).cast(pl.Float64)

        total = amount("total_amount")
        cents = (total * 100 + 0.5).floor().cast(pl.Int64)
        known = total.count() > 0  # Polars' sum of nulls is 0, SQL's is null
        (
            trips.filter(amount("fare_amount") > float(self.context.inputs["fareAbove"]))
            .join(zones, left_on="PULocationID", right_on="LocationID", how="left")
            .group_by(pl.col("Borough").alias("borough"))
            .agg(
                revenue=pl.when(known).then(total.sum()),
                revenue_cents=pl.when(known).then(cents.sum()),
                trips=pl.len(),
                avg_tip=amount("tip_amount").mean(),
                avg_distance=amount("trip_distance").mean(),
            )
            .sink_parquet(
                f"s3://{output}/{FILE}",
                storage_options=self._storage_options(output.partition("/")[0]),
            )
        )

    def _storage_options(self, bucket: str) -> dict[str, str]:
        """Polars' access to a bucket; how often it tries again is its own default."""
        store = self.context.store
        return {
            # With addresses by host name, an endpoint is that of the bucket (obstore#754).
            "aws_endpoint_url": store.endpoint if store.path_style else store.endpoint_of(bucket),
            "aws_region": store.region,
            "aws_access_key_id": store.access_key,
            "aws_secret_access_key": store.secret_key,
            **({"aws_session_token": store.session_token} if store.session_token else {}),
            "aws_allow_http": str(not store.encrypted).lower(),
            "aws_virtual_hosted_style_request": str(not store.path_style).lower(),
        }

    @contextmanager
    def recording(self) -> Iterator[None]:
        """See `Engine.recording`."""
        with metrics_logged() as lines:
            self._lines = lines
            yield

    def stages(self, began: float, seconds: float) -> list[Stage]:
        """See `Engine.stages`."""
        return stages_of(self._lines, self.context.threads, seconds)

    def persists(self) -> str:
        """See `Engine.persists`."""
        return "the process with its thread pool"

    def configuration(self) -> dict[str, Any]:
        """Polars' threads."""
        import polars

        return {"threads": polars.thread_pool_size()}

    def stop(self) -> None:
        """Nothing outlives the process."""


def _polars_schema(schema: pa.Schema) -> pl.Schema:
    """A pyarrow schema as Polars' readers take it."""
    import polars as pl

    return pl.DataFrame(schema.empty_table()).schema


ENGINE = Polars
