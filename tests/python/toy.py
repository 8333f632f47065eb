"""Tables in plain pyarrow: an engine for tests, to be put among the others with its toy.json."""

from __future__ import annotations

from typing import Any, ClassVar

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from ..describe import EngineFacts, engine_facts
from ..workloads import Workload
from ..workloads.taxi_inputs import TRIPS_READ, read_zones, trip_files
from ..workloads.taxi_report import TaxiReport
from . import Engine


class Toy(Engine):
    """See the module."""

    facts: ClassVar[EngineFacts] = engine_facts(__name__)

    def start(self) -> None:
        """Take as many threads as the other engines."""
        pa.set_cpu_count(self.context.threads)

    def taxi_report(self, workload: TaxiReport, output: str) -> None:
        """Read, join, group, write; in memory."""
        store, lake = self.context.filesystem, self.context.bucket("lake")
        files = ds.dataset(trip_files(store, lake), TRIPS_READ, "parquet", filesystem=store)
        fare_above = float(self.context.inputs["fareAbove"])
        trips = files.to_table(filter=pc.field("fare_amount") > fare_above)
        zones = read_zones(store, lake).select(["LocationID", "Borough"])
        joined = trips.join(zones, "PULocationID", "LocationID", "left outer")
        total = joined.column("total_amount")
        cents = pc.floor(pc.add(pc.multiply(total, 100.0), 0.5)).cast(pa.int64())
        report = (
            joined.append_column("cents", cents)
            .group_by("Borough")
            .aggregate(
                [
                    ("total_amount", "sum"),
                    ("cents", "sum"),
                    ([], "count_all"),
                    ("tip_amount", "mean"),
                    ("trip_distance", "mean"),
                ]
            )
        )
        pq.write_table(
            report.rename_columns(workload.schema().names),
            f"{output}/part-0.parquet",
            filesystem=store,
        )

    def toy_zones(self, workload: Workload, output: str) -> None:
        """Count the zones; this workload is there in tests only."""
        store, lake = self.context.filesystem, self.context.bucket("lake")
        boroughs = read_zones(store, lake).select(["Borough"]).rename_columns(["borough"])
        counted = boroughs.group_by("borough").aggregate([([], "count_all")])
        pq.write_table(
            counted.rename_columns(workload.schema().names),
            f"{output}/part-0.parquet",
            filesystem=store,
        )

    def persists(self) -> str:
        """See `Engine.persists`."""
        return "the process"

    def configuration(self) -> dict[str, Any]:
        """The threads, as pyarrow has them."""
        return {"threads": pa.cpu_count()}

    def stop(self) -> None:
        """Nothing outlives the process."""


ENGINE = Toy
