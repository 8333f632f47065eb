"""The most that a core can do with images: the model in a bare loop, in one process a core.

Each loop fetches ahead, decodes, asks the model with one thread, and hands its rows back; nothing
is planned, scheduled or spilled. Engines are held against the ceiling of their own decoder.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from engine_comparison.batches import ModelTask, fetched_ahead
from engine_comparison.describe import EngineFacts
from engine_comparison.engines import Engine
from engine_comparison.images import Decoded, decode_batch, decode_rest
from engine_comparison.workloads import load as load_workload
from engine_comparison.workloads.image_inputs import REJECTED, image_urls
from engine_comparison.workloads.image_workload import ImageWorkload

Files = Sequence[bytes | None]
Batches = Sequence[Sequence[str]]
Decode = Callable[[Files, int], Decoded]


def decode_by_daft(files: Files, size: int) -> Decoded:
    """Decode and resize by Daft, as the engine does, and let the one rule decide about rejects."""
    import daft

    given = daft.Series.from_arrow(pa.array(files, pa.large_binary()))
    images = given.image.decode(on_error="null", mode="RGB").image.resize(size, size)
    storage = images.cast(daft.DataType.image("RGB", size, size)).to_arrow().storage
    pixels = iter(np.asarray(storage.flatten()).reshape(-1, size, size, 3))
    own = [next(pixels) if there else None for there in storage.is_valid().to_pylist()]
    return decode_rest(files, own, size)


class Loop:
    """The bare loop, as it is in each of the processes."""

    def __init__(self, task: ModelTask, decode: Decode, keeps: bool) -> None:
        """Load the model and open the store; `keeps` fetches for the first sample only."""
        self._workload, self._session = task.image_workload(), task.session()
        self._read, self._decode, self._keeps = task.reader(), decode, keeps
        self._kept: list[tuple[Sequence[str], list[bytes | None]]] = []

    def answer(self, batches: Batches) -> list[pa.RecordBatch]:
        """Answer a share of the images, the same in every sample."""
        fetched = self._kept or fetched_ahead(batches, self._read)
        if self._keeps:
            self._kept = fetched = list(fetched)
        size = self._session.size
        return [
            self._workload.infer_decoded(self._session, urls, self._decode(files, size))
            for urls, files in fetched
        ]


_loop: Loop


def _make(*given: Any) -> None:
    global _loop
    _loop = Loop(*given)


def _answer(batches: Batches) -> list[pa.RecordBatch]:
    return _loop.answer(batches)


class Ceiling(Engine):
    """Bare loops with Pillow's decoder."""

    facts: ClassVar[EngineFacts] = EngineFacts(
        "ceiling", "Ceiling", "ceiling", "other", packages=("onnxruntime", "pyarrow", "pillow")
    )

    def loop(self) -> tuple[Decode, bool]:
        """How a loop decodes, and whether it keeps what it has fetched."""
        return decode_batch, False

    def start(self) -> None:
        """One process a core, each of which loads the model and keeps to its own images."""
        workload = load_workload(self.context.spec["workload"])
        assert isinstance(workload, ImageWorkload)
        given = (ModelTask.of(self.context.spec, workload), *self.loop())
        spawning = multiprocessing.get_context("spawn")
        cores = range(self.context.threads)
        self._pools = [ProcessPoolExecutor(1, spawning, _make, given) for _ in cores]
        for started in [pool.submit(_answer, []) for pool in self._pools]:
            started.result()

    def image_predictions(self, workload: ImageWorkload, output: str) -> None:
        """Labels or vectors of all images in the list."""
        store, size = self.context.filesystem, self.context.batch_size
        urls = image_urls(store, self.context.input_facts)
        batches = [urls[at : at + size] for at in range(0, len(urls), size)]
        answers = [
            pool.submit(_answer, batches[at :: len(self._pools)])
            for at, pool in enumerate(self._pools)
        ]
        rows = pa.Table.from_batches([batch for each in answers for batch in each.result()])
        accepted = rows.filter(pc.is_null(rows.column(REJECTED))).drop_columns([REJECTED])
        with store.open_output_stream(f"{output}/part-0.parquet") as stream:
            pq.write_table(accepted, stream)

    image_embeddings = image_predictions

    def persists(self) -> str:
        """See `Engine.persists`."""
        return "a process a core with the session of the model"

    def configuration(self) -> dict[str, Any]:
        """The processes."""
        return {"processes": self.context.threads, "batchSize": self.context.batch_size}

    def stop(self) -> None:
        """End the processes."""
        for pool in getattr(self, "_pools", []):
            pool.shutdown(cancel_futures=True)


class DaftCeiling(Ceiling):
    """Bare loops with Daft's decoder."""

    facts: ClassVar[EngineFacts] = EngineFacts(
        "ceiling-daft",
        "Ceiling, Daft",
        "ceiling",
        "other",
        packages=("onnxruntime", "pyarrow", "daft"),
    )

    def loop(self) -> tuple[Decode, bool]:
        """By Daft."""
        return decode_by_daft, False


class MemoryCeiling(Ceiling):
    """Bare loops with Pillow's decoder that fetch once."""

    facts: ClassVar[EngineFacts] = replace(
        Ceiling.facts, name="ceiling-memory", label="Ceiling, memory"
    )

    def loop(self) -> tuple[Decode, bool]:
        """By Pillow, kept."""
        return decode_batch, True
