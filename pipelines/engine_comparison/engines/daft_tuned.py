"""Daft as an expert of it would run these jobs.

Trips are filtered after they were read (see docs/findings/daft-selectivity.md), and added up by
zone before the zones are joined. Daft fetches the images. A function decodes them by Pillow, which
takes less than Daft's decoder (docs/findings/images-fixed-cost.md). The process keeps the model.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pyarrow as pa

from ..batches import ModelTask, Sessions
from ..describe import EngineFacts, engine_facts
from ..images import Decoded, Frame, decode_batch
from ..model.session import read_shape
from ..placement import Holder
from ..workloads.image_inputs import REJECTED
from ..workloads.image_workload import ImageWorkload
from ..workloads.taxi_report import TaxiReport
from . import daft as documented

if TYPE_CHECKING:
    import daft


class DaftTuned(documented.Daft):
    """See the module."""

    facts: ClassVar[EngineFacts] = engine_facts(__name__)

    @property
    def holder(self) -> Holder:
        """See `Engine.holder`."""
        return Holder.DAFT_WORKER if self.runner == "ray" else Holder.JOB

    def start(self) -> None:
        """Configure the allocator before Daft brings it, and start."""
        os.environ.setdefault(documented.ALLOCATOR, str(self.tunable("jemalloc")))
        super().start()

    def taxi_report(self, workload: TaxiReport, output: str) -> None:
        """The report, by the order of join and aggregation that is set."""
        if self.tunable("aggregation") == "before the join":
            self._join_sums(output)
        else:
            super().taxi_report(workload, output)

    def _join_sums(self, output: str) -> None:
        """Sums and counts by zone, which then get their borough, and its sums and means."""
        from daft import col

        by_zone = (
            self._expensive_trips()
            .groupby("PULocationID")
            .agg(
                col("total_amount").sum().alias("revenue"),
                documented.cents().sum().alias("revenue_cents"),
                col("PULocationID").count(mode="all").alias("trips"),
                col("tip_amount").sum().alias("tips"),
                col("tip_amount").count().alias("tipped"),
                col("trip_distance").sum().alias("distance"),
                col("trip_distance").count().alias("measured"),
            )
        )
        sums = ("revenue", "revenue_cents", "trips", "tips", "tipped", "distance", "measured")
        report = (
            by_zone.join(self._zones(), left_on="PULocationID", right_on="LocationID", how="left")
            .groupby(col("Borough").alias("borough"))
            .agg(*(col(name).sum() for name in sums))
            .select(
                *("borough", "revenue", "revenue_cents", "trips"),
                (col("tips") / col("tipped")).alias("avg_tip"),
                (col("distance") / col("measured")).alias("avg_distance"),
            )
        )
        self._write(report, output)

    def _expensive_trips(self) -> daft.DataFrame:
        """The trips above the limit; Daft pushes no filter on a computed column into the scan."""
        from daft import col, lit

        if self.tunable("filter") != "after the scan":
            return super()._expensive_trips()
        expensive = col("fare_amount") > lit(float(self.context.inputs["fareAbove"]))
        return self._trips().with_column("expensive", expensive).where(col("expensive"))

    def _images(self, workload: ImageWorkload, output: str) -> None:
        """Fetch, decode, ask the model."""
        from daft import col, functions

        io, (frame, dimension) = self._io(), read_shape(self.context.model)
        task = self.task(workload)
        listed = self._listed()
        if (nodes := self._nodes()) > 1:
            # The list is one file, and a file would be one node's: which computes on all its cores.
            listed = listed.into_partitions(nodes)
        files = listed.select(
            "image_url",
            functions.download(
                col("image_url"),
                max_connections=task.concurrency,
                on_error="null",
                io_config=io,
            ).alias("file"),
        )
        apart = bool(self.tunable("use_process"))
        decoder, model = _decoder(frame, task.batch, apart), _model(task, dimension, apart)
        decoded = files.select("image_url", decoder.decode(col("file")))
        answered = decoded.select("image_url", model.answer(col("pixels"), col("reason")))
        accepted = answered.where(col(REJECTED).is_null()).exclude(REJECTED)
        self._write(accepted, output)

    def _nodes(self) -> int:
        """How many machines compute: with the runner on Ray, the cluster's that offer CPUs."""
        if self.runner != "ray":
            return 1
        import ray

        return sum(node["Alive"] and node["Resources"].get("CPU", 0) > 0 for node in ray.nodes())

    def persists(self) -> str:
        """See `Engine.persists`."""
        if self.runner == "ray":
            return "the cluster, its worker processes and the sessions of the model in them"
        return "the process with its thread pool, and the session of the model"


def _decoder(frame: Frame, batch: int, use_process: bool) -> Any:
    """The shared decoder as a Daft class of its own: on GPUs, calls of the model's are few."""
    import daft
    from daft import DataType, Series

    length = 3 * frame.size**2
    square = DataType.fixed_size_list(DataType.uint8(), length)

    @daft.cls(use_process=use_process)
    class Decoder:
        @daft.method.batch(
            return_dtype=DataType.struct({"pixels": square, "reason": DataType.string()}),
            unnest=True,
            batch_size=batch,
        )
        def decode(self, files: Series) -> pa.Array:
            """Pixels of the images that are accepted, and why the others are not."""
            decoded = decode_batch(files.to_pylist(), frame)
            rows = pa.FixedSizeListArray.from_arrays(decoded.pixels.reshape(-1), length)
            row = iter(range(len(rows)))
            places = [next(row) if reason is None else None for reason in decoded.reasons]
            pixels = rows.take(pa.array(places, pa.int64()))
            reasons = pa.array(decoded.reasons, pa.string())
            return pa.StructArray.from_arrays([pixels, reasons], ["pixels", "reason"])

    return Decoder()


def _model(task: ModelTask, dimension: int | None, use_process: bool) -> Any:
    """The model as an instance of a Daft class, which takes the one that its process keeps."""
    import daft
    import onnxruntime
    from daft import DataType, Series

    _, *answers, rejected = task.image_workload().with_rejects(dimension)

    # Daft's own threads call the one instance at once: a session allows it and lets go of the GIL.
    # `max_concurrency` would make it a pool of processes, whatever `use_process` says, each of
    # which loads the model anew in every query (UdfOperator::make_state in Daft 0.7's
    # daft-local-execution): 6 s of CPU instead of 3 for 200 images. `cpus` bounds the calls, too.
    @daft.cls(**task.placement.asks, use_process=use_process)
    class Model:
        runtime = onnxruntime  # as in `daft`

        def __init__(self, task: ModelTask) -> None:
            self.sessions = Sessions(task)
            self.workload = task.image_workload()

        @daft.method.batch(
            return_dtype=DataType.struct(documented.daft_schema(pa.schema([*answers, rejected]))),
            unnest=True,
            batch_size=task.batch,
        )
        def answer(self, pixels: Series, reasons: Series) -> pa.Array:
            """Ask about the images that were accepted."""
            size = self.sessions.frame.size
            accepted = np.asarray(pixels.to_arrow().flatten()).reshape(-1, size, size, 3)
            decoded = Decoded(accepted, reasons.to_pylist())
            names = [""] * len(decoded.reasons)
            with self.sessions.one() as session:
                answered = self.workload.infer(session, names, decoded)
            return answered.select(answered.schema.names[1:]).to_struct_array()

    return Model(task)


ENGINE = DaftTuned
