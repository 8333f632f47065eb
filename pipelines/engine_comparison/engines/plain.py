"""A plain loop over the images in one process: threads around the model, and no engine.

On GPUs one thread each asks the model, and the cores' threads decode for it.

It is the measure of what the engines cost on one machine. It is no oracle: that is other code.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any, ClassVar

import pyarrow as pa
import pyarrow.parquet as pq

from ..describe import EngineFacts, engine_facts
from ..placement import Holder
from ..profile import Stage
from ..workloads.image_inputs import image_urls
from ..workloads.image_workload import ImageWorkload
from . import Engine, timed

FILE = "part-0.parquet"


class Plain(Engine):
    """See the module."""

    facts: ClassVar[EngineFacts] = engine_facts(__name__)
    means: ClassVar[str] = "timers around fetching, decoding, the model and writing"
    _written: Stage

    @property
    def holder(self) -> Holder:
        """See `Engine.holder`."""
        return Holder.LOOP

    def start(self) -> None:
        """Import what computes."""
        import onnxruntime  # noqa: F401

    def image_predictions(self, workload: ImageWorkload, output: str) -> None:
        """Labels, or vectors, of all images in the list.

        Every thread takes its share of the batches; on the CPU they have one session.
        """
        store, size = self.context.filesystem, self.context.batch_size
        urls = image_urls(store, self.context.input_facts)
        batches = [urls[at : at + size] for at in range(0, len(urls), size)]
        task, workers = self.task(workload), self.placement.workers

        def answer(worker: int) -> list[pa.RecordBatch]:
            return list(task.run(batches[worker::workers], worker))

        schema = task.schema()
        with ThreadPoolExecutor(workers) as pool:
            shares = pool.map(answer, range(workers))
            rows = [batch for share in shares for batch in share]
        table = pa.Table.from_batches(rows, schema)

        def write() -> None:
            with store.open_output_stream(f"{output}/{FILE}") as stream:
                pq.write_table(table, stream)

        self._written = Stage("write", "write", timed(write), table.num_rows, table.nbytes)

    image_embeddings = image_predictions

    def stages(self, began: float, seconds: float) -> list[Stage]:
        """See `Engine.stages`."""
        return [*self.inner_stages(self.placement.workers), self._written]

    def persists(self) -> str:
        """See `Engine.persists`."""
        return "the process with the session of the model"

    def configuration(self) -> dict[str, Any]:
        """What runs the model."""
        return {
            "modelWorkers": self.placement.workers,
            "batchSize": self.context.batch_size,
            **self.session_configuration(),
        }

    def stop(self) -> None:
        """Nothing outlives the process."""


ENGINE = Plain
