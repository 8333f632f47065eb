"""Apache Spark as somebody would run it here who knows it: see the table of its tunables.

The table is Spark SQL throughout, in the JVM. Images go through `mapInArrow`: Python workers that
live as long as their executor fetch, decode and ask the model, batch by batch. On GPUs a task has
one, and its share of the cores, whose threads decode for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, ClassVar

from ..batches import ModelTask, task_count
from ..describe import EngineFacts, engine_facts
from ..workloads import load
from ..workloads.image_inputs import image_urls
from ..workloads.image_workload import ImageWorkload
from . import spark as documented
from .spark_application import DRIVER_OPTIONS, EXECUTOR_OPTIONS

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame


class SparkTuned(documented.Spark):
    """See the module."""

    facts: ClassVar[EngineFacts] = engine_facts(__name__)

    def choices(self) -> dict[str, str]:
        """The tunables, and what follows from cores, size of the input and of a batch."""
        choices = super().choices()
        if self._is_short():
            choices[EXECUTOR_OPTIONS] = choices[DRIVER_OPTIONS]
        if self.placement.holder:
            choices["spark.task.cpus"] = str(self.placement.decoders)
        return {
            **choices,
            "spark.sql.files.minPartitionNum": str(self.tunable("tasksPerCore") * self.cores),
            "spark.sql.execution.arrow.maxRecordsPerBatch": str(self.context.batch_size),
        }

    def _is_short(self) -> bool:
        """Whether the JVMs of the executors compute for seconds. Of images they see addresses."""
        workload = load(self.context.spec["workload"])
        if isinstance(workload, ImageWorkload):
            return True
        size = workload.input_bytes(self.context.input_facts)
        return size < 2**20 * int(self.tunable("quickCompilerBelowMiB"))

    def _images(self, workload: ImageWorkload, columns: str, output: str) -> None:
        """The list, spread over the cores, and the model over it, by the way that is set."""
        if self.tunable("images") == "mapInArrow":
            self._mapped(workload, columns).write.parquet(f"s3a://{output}")
        else:
            super()._images(workload, columns, output)

    def _mapped(self, workload: ImageWorkload, columns: str) -> DataFrame:
        """Python workers fetch, decode and ask the model.

        The driver reads the list, which costs less than a stage that reads one file and shuffles
        it: docs/findings/images-fixed-cost.md.
        """
        import pyarrow as pa

        urls = image_urls(self.context.filesystem, self.context.input_facts)
        listed = self.session.createDataFrame(pa.table({"image_url": pa.array(urls, pa.string())}))
        workers = self.placement.workers if self.placement.holder else self.cores
        tasks = task_count(len(urls), workers)
        if tasks != self.session.sparkContext.defaultParallelism:
            listed = listed.repartition(tasks)
        return listed.mapInArrow(_MapInArrow(self.task(workload)), f"image_url string, {columns}")


class _MapInArrow:
    """The function for `mapInArrow`; an instance is sent to the Python workers."""

    def __init__(self, task: ModelTask) -> None:
        self.task = task

    def __call__(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for rows in self.task.run(batch.column(0).to_pylist() for batch in batches):
            yield _with_plain_lists(rows)


def _with_plain_lists(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Lists in the place of fixed-size lists, which Spark does not have."""
    import pyarrow as pa

    columns = [
        column.cast(pa.list_(column.type.value_type))
        if pa.types.is_fixed_size_list(column.type)
        else column
        for column in batch.columns
    ]
    return pa.RecordBatch.from_arrays(columns, names=batch.schema.names)


ENGINE = SparkTuned
