"""Ray Data as an expert of it would run these jobs, with its own reader, expressions and shuffle.

The trips' boroughs are looked up by an expression: Ray Data has no broadcast join, and a join
would shuffle the trips. Images go to tasks, which keep the model in their worker process: a pool of
actors would be started anew for each sample. On GPUs, tasks fetch and decode, and ask an actor that
outlives the samples: a task with a GPU may get any worker process, and in it another GPU each time.
"""

from __future__ import annotations

from collections import deque
from functools import partial
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..batches import AHEAD, ModelTask, Sessions, accepted, task_count
from ..describe import EngineFacts, engine_facts
from ..model.session import Shape, read_shape
from ..placement import Holder
from ..timers import Timers
from ..workloads.image_inputs import image_urls
from ..workloads.image_workload import ImageWorkload
from ..workloads.taxi_inputs import TRIP_COLUMNS, read_zones, trip_files
from ..workloads.taxi_report import TaxiReport
from . import ray as documented


class RayTuned(documented.Ray):
    """See the module."""

    facts: ClassVar[EngineFacts] = engine_facts(__name__)

    _asked: Any = None
    """The actor with the GPUs, from the first sample on."""

    @property
    def holder(self) -> Holder:
        """See `Engine.holder`."""
        return Holder.RAY_ACTOR if self.tunable("compute") == "tasks" else super().holder

    def taxi_report(self, workload: TaxiReport, output: str) -> None:
        """The report, by the way that is set for the zones."""
        if self.tunable("zones") == "lookup":
            self._look_up_zones(output)
        else:
            super().taxi_report(workload, output)

    def _look_up_zones(self, output: str) -> None:
        """Filter, look up, group, aggregate and write: one task a CPU, and one for the report."""
        from ray.data.datatype import DataType
        from ray.data.expressions import col, udf

        store, facts = self.context.filesystem, self.context.input_facts
        blocks = self.blocks(len(trip_files(facts)))
        trips = self._expensive_trips(override_num_blocks=blocks, columns=list(TRIP_COLUMNS))
        look_up: Any = udf(DataType.from_arrow(pa.string()))(
            partial(borough_of, zones=read_zones(store, facts))
        )
        located = trips.with_column("borough", look_up(col("PULocationID")))
        report = located.groupby(
            "borough", num_partitions=int(self.tunable("groupby.num_partitions"))
        ).aggregate(*documented.aggregates())
        self._write(report, output)

    def _images(self, workload: ImageWorkload, output: str) -> None:
        """The model over the list, by the way that is set."""
        if self.tunable("compute") == "tasks":
            self._images_in_tasks(workload, output)
        else:
            super()._images(workload, output)

    def _images_in_tasks(self, workload: ImageWorkload, output: str) -> None:
        """Tasks fetch, decode and ask the model that their worker process keeps."""
        import ray.data

        urls = image_urls(self.context.filesystem, self.context.input_facts)
        listed = ray.data.from_arrow(
            pa.table({"image_url": pa.array(urls, pa.string())}),
            override_num_blocks=task_count(len(urls), self.cpus),
        )
        task, size = self.task(workload), self.context.batch_size
        if self.placement.holder:
            answer = partial(
                ask_actor,
                task=task,
                shape=read_shape(self.context.model),
                batch_size=size,
                actor=self._actor(task),
            )
        else:
            answer = partial(answer_block, task=task, batch_size=size)
        answers = listed.map_batches(answer, batch_size=None, batch_format="pyarrow")
        self._write(answers, output)

    def _actor(self, task: ModelTask) -> Any:
        """The actor with the GPUs; it ends when the driver leaves the cluster."""
        import ray

        if self._asked is None:
            self._asked = ray.remote(GpuModel).options(**task.placement.asks).remote(task)
        return self._asked

    def persists(self) -> str:
        """See `Engine.persists`."""
        if self.placement.holder is Holder.RAY_ACTOR:
            return "the cluster, its worker processes and the actor that has the model on its GPUs"
        if self.tunable("compute") == "tasks":
            return "the cluster, its worker processes and the model that tasks cached in them"
        return super().persists()


def borough_of(trip_zones: pa.Array, zones: pa.Table) -> pa.Array:
    """The boroughs of some trips; null for a zone that is null or unknown.

    Args:
        trip_zones: Numbers of zones, n.
        zones: LocationID and Borough of every zone.

    Returns:
        n strings.
    """
    numbers, boroughs = (zones.column(name).combine_chunks() for name in ("LocationID", "Borough"))
    return boroughs.take(pc.index_in(trip_zones.cast(numbers.type), numbers))


def answer_block(listed: pa.Table, task: ModelTask, batch_size: int) -> pa.Table:
    """Fetch, decode and ask for all images of a block.

    Args:
        listed: Has `image_url`.
        task: What to ask.
        batch_size: Images that the model gets at once.

    Returns:
        The workload's rows of the accepted images.
    """
    urls = listed.column("image_url").to_pylist()
    batches = (urls[at : at + batch_size] for at in range(0, len(urls), batch_size))
    return pa.Table.from_batches(task.run(batches), schema=task.schema())


class GpuModel:
    """An actor that has GPUs, with a session on each; its threads take them in turns."""

    def __init__(self, task: ModelTask) -> None:
        self.task, self.sessions = task, Sessions(task)

    def answer(self, pixels: np.ndarray) -> list[pa.Array]:
        """The workload's columns for decoded images, uint8 [n, size, size, 3]."""
        with self.sessions.one() as session:
            return self.task.image_workload().answer(session, pixels)


def ask_actor(
    listed: pa.Table, task: ModelTask, shape: Shape, batch_size: int, actor: Any
) -> pa.Table:
    """As `answer_block`, with the model of an actor, which has some batches at a time of this task.

    Args:
        listed: Has `image_url`.
        task: What to ask.
        shape: The model's.
        batch_size: Images that the model gets at once.
        actor: A `GpuModel`.

    Returns:
        The workload's rows of the accepted images.
    """
    import ray

    workload = task.image_workload()
    schema = workload.schema(shape.dimension)

    def received(names: list[str], reasons: list[str | None], columns: Any) -> pa.RecordBatch:
        return accepted(
            workload.assemble(shape.dimension, names, reasons, ray.get(columns)), schema
        )

    urls = listed.column("image_url").to_pylist()
    batches = (urls[at : at + batch_size] for at in range(0, len(urls), batch_size))
    rows, waiting, timers = [], deque[Any](), Timers()
    for names, decoded in task.decoded(batches, shape.frame, timers):
        waiting.append((names, decoded.reasons, actor.answer.remote(decoded.pixels)))
        if len(waiting) > AHEAD:
            with timers.timing("compute"):
                rows.append(received(*waiting.popleft()))
    with timers.timing("compute"):
        rows += [received(*one) for one in waiting]
    task.leave(timers)
    return pa.Table.from_batches(rows, schema)


ENGINE = RayTuned
