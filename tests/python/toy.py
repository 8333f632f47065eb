"""Tables in plain pyarrow: an engine for tests, to be put among the others with its toy.json."""

from __future__ import annotations

from typing import Any, ClassVar

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from ..describe import EngineFacts, engine_facts
from ..workloads import Workload
from ..workloads.taxi_inputs import AMOUNTS, doubles, read_zones, trip_files, trip_schema
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
        store, facts = self.context.filesystem, self.context.input_facts
        files = ds.dataset(trip_files(facts), trip_schema(facts), "parquet", filesystem=store)
        trips = files.to_table()
        for name in AMOUNTS:
            at = trips.schema.get_field_index(name)
            trips = trips.set_column(at, name, doubles(trips.column(name)))
        trips = trips.filter(pc.field("fare_amount") > float(self.context.inputs["fareAbove"]))
        zones = read_zones(store, facts).select(["LocationID", "Borough"])
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
        store = self.context.filesystem
        boroughs = (
            read_zones(store, self.context.input_facts)
            .select(["Borough"])
            .rename_columns(["borough"])
        )
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
