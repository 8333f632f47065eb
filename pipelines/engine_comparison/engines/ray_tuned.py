"""Ray Data as an expert of it would run these jobs, with its own reader, expressions and shuffle.

The trips' boroughs are looked up by an expression: Ray Data has no broadcast join, and a join
would shuffle the trips. Images go to tasks, which keep the model in their worker process: a pool of
actors would be started anew for each sample. With a GPU, tasks without one fetch and decode.
"""

from __future__ import annotations

from functools import partial
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..batches import ModelTask, fetched_ahead, task_count
from ..describe import EngineFacts, engine_facts
from ..images import Frame, decode_batch
from ..model.session import read_shape
from ..workloads.image_inputs import list_path
from ..workloads.image_workload import ImageWorkload
from ..workloads.taxi_inputs import TRIP_COLUMNS, read_zones, trip_files
from ..workloads.taxi_report import TaxiReport
from . import ray as documented


class RayTuned(documented.Ray):
    """See the module."""

    facts: ClassVar[EngineFacts] = engine_facts(__name__)

    def start(self) -> None:
        """Connect, and choose the reader."""
        super().start()
        from ray.data import DataContext

        DataContext.get_current().use_datasource_v2 = bool(self.tunable("use_datasource_v2"))

    def taxi_report(self, workload: TaxiReport, output: str) -> None:
        """The report, by the way that is set for the zones."""
        if self.tunable("zones") == "lookup":
            self._look_up_zones(output)
        else:
            super().taxi_report(workload, output)

    def _look_up_zones(self, output: str) -> None:
        """Filter, look up, group, aggregate and write: one task a file, and one for the report."""
        from ray.data.datatype import DataType
        from ray.data.expressions import col, udf

        store, facts = self.context.filesystem, self.context.input_facts
        blocks = int(self.tunable("override_num_blocks")) or len(trip_files(facts))
        trips = self._expensive_trips(override_num_blocks=blocks, columns=list(TRIP_COLUMNS))
        look_up: Any = udf(DataType.from_arrow(pa.string()))(
            partial(borough_of, zones=read_zones(store, facts))
        )
        located = trips.with_column("borough", look_up(col("PULocationID")))
        report = located.groupby(
            "borough", num_partitions=int(self.tunable("groupby.num_partitions"))
        ).aggregate(*documented.aggregates())
        report.write_parquet(output, filesystem=store)

    def _images(self, workload: ImageWorkload, output: str) -> None:
        """The list, spread over the cluster, and the model over it, by the way that is set."""
        if self.tunable("compute") == "tasks":
            self._images_in_tasks(workload, output)
        else:
            super()._images(workload, output)

    def _images_in_tasks(self, workload: ImageWorkload, output: str) -> None:
        """Tasks fetch, decode and ask the model that their worker process keeps."""
        import ray.data

        store, facts = self.context.filesystem, self.context.input_facts
        listed = ray.data.read_parquet(
            list_path(facts),
            filesystem=store,
            override_num_blocks=task_count(workload.count_inputs(facts), self.cpus),
        ).select_columns(["image_url"])
        task, size = ModelTask.of(self.context.spec, workload), self.context.batch_size
        if self.context.device == "cuda":
            decode = partial(decode_block, task=task, frame=read_shape(self.context.model).frame)
            answers = listed.map_batches(
                decode, batch_size=size, batch_format="pyarrow"
            ).map_batches(
                partial(answer_decoded, task=task),
                batch_size=size,
                batch_format="pyarrow",
                num_gpus=1,
                compute=ray.data.TaskPoolStrategy(size=self.context.gpu_workers),
                max_calls=0,  # else Ray ends a worker that had a GPU after one task
            )
        else:
            answers = listed.map_batches(
                partial(answer_block, task=task, batch_size=size),
                batch_size=None,
                batch_format="pyarrow",
            )
        answers.write_parquet(output, filesystem=store)

    def persists(self) -> str:
        """See `Engine.persists`."""
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


def decode_block(listed: pa.Table, task: ModelTask, frame: Frame) -> pa.Table:
    """Fetch and decode the images of a batch.

    Returns:
        The accepted ones: `image_url`, and `pixels`, a binary value of `size` x `size` x 3 bytes.
    """
    urls = listed.column("image_url").to_pylist()
    [(_, files)] = fetched_ahead([urls], task.reader())
    decoded, size = decode_batch(files, frame), frame.size
    pixels = pa.FixedSizeBinaryArray.from_buffers(
        pa.binary(3 * size * size), len(decoded.pixels), [None, pa.py_buffer(decoded.pixels)]
    )
    return pa.table({"image_url": [urls[at] for at in decoded.accepted], "pixels": pixels})


def answer_decoded(decoded: pa.Table, task: ModelTask) -> pa.Table:
    """Ask about a batch of `decode_block`, by the model that this worker process keeps.

    Returns:
        The workload's rows.
    """
    session = task.session()
    images = [np.frombuffer(image, np.uint8) for image in decoded.column("pixels").to_pylist()]
    pixels = np.array(images, np.uint8).reshape(-1, session.frame.size, session.frame.size, 3)
    answers = task.image_workload().answer(session, pixels)
    urls = decoded.column("image_url").cast(pa.string()).combine_chunks()
    return pa.Table.from_arrays([urls, *answers], schema=task.schema())


ENGINE = RayTuned
