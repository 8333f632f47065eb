"""Apache Spark as its guides write these jobs, with the settings that Spark has by default.

Images are read by the data source `binaryFile` and go through the function that
`predict_batch_udf` makes of a model.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, ClassVar

import numpy as np

from ..batches import ModelTask
from ..describe import EngineFacts, engine_facts
from ..images import decode
from ..timers import Timers
from ..workloads.image_inputs import image_urls
from ..workloads.image_workload import ImageWorkload
from ..workloads.taxi_report import TaxiReport
from .spark_application import SparkEngine


class Spark(SparkEngine):
    """See the module."""

    facts: ClassVar[EngineFacts] = engine_facts(__name__)

    def taxi_report(self, workload: TaxiReport, output: str) -> None:
        """The report: filter, join, group, write."""
        self.report().write.parquet(f"s3a://{output}")

    def image_predictions(self, workload: ImageWorkload, output: str) -> None:
        """Labels of all images in the list."""
        self._images(workload, "label string, confidence float", output)

    def image_embeddings(self, workload: ImageWorkload, output: str) -> None:
        """Vectors of all images in the list."""
        self._images(workload, "embedding array<float>", output)

    def _images(self, workload: ImageWorkload, columns: str, output: str) -> None:
        """Read the files that the list names, and ask the model about their contents."""
        from pyspark.sql import functions as sql

        urls = image_urls(self.context.filesystem, self.context.input_facts)
        files = ["s3a" + url[2:] for url in urls]
        images = self.session.read.format("binaryFile").load(files)
        answered = images.select(
            sql.regexp_replace("path", "^s3a:", "s3:").alias("image_url"),
            self._model(workload, columns)(sql.col("content")).alias("answer"),
        )
        answered.select("image_url", "answer.*").write.parquet(f"s3a://{output}")

    @cache  # noqa: B019  a job has one engine; a function that is made anew loads the model anew
    def _model(self, workload: ImageWorkload, columns: str) -> Callable[..., Any]:
        """The model as a function of columns, which each Python worker loads once."""
        from pyspark.ml.functions import predict_batch_udf
        from pyspark.sql.types import StructType

        predict = _Predict(self.task(workload))
        return predict_batch_udf(
            predict, return_type=StructType.fromDDL(columns), batch_size=self.context.batch_size
        )


class _Predict:
    """Makes the function that gets the contents of a batch of files; sent to the workers."""

    def __init__(self, task: ModelTask) -> None:
        self.task = task

    def __call__(self) -> Callable[[np.ndarray], dict[str, Any]]:
        workload, names = self.task.image_workload(), self.task.schema().names[1:]

        def predict(contents: np.ndarray) -> dict[str, Any]:
            session = self.task.session()  # a worker's next task may be given another GPU
            timers = Timers()
            timers.count(contents)
            with timers.timing("decode"):
                pixels = np.stack([decode(content, session.frame) for content in contents])
            with timers.timing("compute"):
                answers = workload.answer(session, pixels)
            self.task.leave(timers)
            return {
                name: np.array(column.to_pylist())
                for name, column in zip(names, answers, strict=True)
            }

        return predict


ENGINE = Spark
