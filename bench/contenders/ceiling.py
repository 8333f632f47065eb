"""The most that a core can do with images: the model in a bare loop, in one process a core.

Each loop fetches ahead, decodes, asks the model with one thread, and hands its rows back; nothing
is planned, scheduled or spilled. Engines are held against the ceiling of their own decoder.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from engine_comparison.batches import ModelTask, fetched_ahead
from engine_comparison.engines import Context, Engine
from engine_comparison.images import Decoded, decode_batch, decode_rest
from engine_comparison.workloads import load as load_workload
from engine_comparison.workloads.image_inputs import REJECTED, ImageWorkload, read_metadata

Files = Sequence[bytes | None]


class Loop:
    """The bare loop, as it is in each of the processes."""

    def __init__(self, task: ModelTask) -> None:
        """Load the model and open the store."""
        self.workload, self.session = task.image_workload(), task.session()
        self.read = task.reader()

    def fetch(self, batches: Sequence[Sequence[str]]) -> Iterator[tuple[Sequence[str], Files]]:
        """Fetch the batches' files, some ahead."""
        return fetched_ahead(batches, self.read)

    def decode(self, files: Files) -> Decoded:
        """Decode by Pillow."""
        return decode_batch(files, self.session.size)

    def answer(self, batches: Sequence[Sequence[str]]) -> list[pa.RecordBatch]:
        """Answer a share of the images."""
        return [
            self.workload.infer_decoded(self.session, urls, self.decode(files))
            for urls, files in self.fetch(batches)
        ]


class DaftLoop(Loop):
    """The same with Daft's own decoder."""

    def decode(self, files: Files) -> Decoded:
        """Decode and resize by Daft, and let the one rule decide about rejects."""
        import daft

        size = self.session.size
        decoded = daft.Series.from_arrow(pa.array(files, pa.large_binary())).image.decode(
            on_error="null", mode="RGB"
        )
        images = decoded.image.resize(size, size).cast(daft.DataType.image("RGB", size, size))
        storage = images.to_arrow().storage
        pixels = iter(np.asarray(storage.flatten()).reshape(-1, size, size, 3))
        own = [next(pixels) if there else None for there in storage.is_valid().to_pylist()]
        return decode_rest(files, own, size)


class MemoryLoop(Loop):
    """The same with files that were fetched once: what fetching and the store cost is the rest."""

    def __init__(self, task: ModelTask) -> None:
        """Start with no files."""
        super().__init__(task)
        self._kept: dict[str, bytes | None] = {}

    def fetch(self, batches: Sequence[Sequence[str]]) -> Iterator[tuple[Sequence[str], Files]]:
        """Hand out what is there; the first sample fetches."""
        for urls in batches:
            missing = [url for url in urls if url not in self._kept]
            for some, files in fetched_ahead([missing], self.read):
                self._kept.update(zip(some, files, strict=True))
            yield urls, [self._kept[url] for url in urls]


_loop: Loop


def _make(loop: type[Loop], task: ModelTask) -> None:
    global _loop
    _loop = loop(task)


def _answer(batches: Sequence[Sequence[str]]) -> list[pa.RecordBatch]:
    return _loop.answer(batches)


class Ceiling(Engine):
    """See the module."""

    name: ClassVar[str] = "ceiling"
    label: ClassVar[str] = "Bare loop"
    packages: ClassVar[tuple[str, ...]] = ("onnxruntime", "pyarrow", "pillow")
    loop: ClassVar[type[Loop]] = Loop

    def __init__(self, context: Context) -> None:
        """Nothing is started yet."""
        super().__init__(context)
        self._pools: list[ProcessPoolExecutor] = []

    def start(self) -> None:
        """One process a core, each of which loads the model and keeps to its own images."""
        context = multiprocessing.get_context("spawn")
        workload = load_workload(self.context.spec["workload"])
        assert isinstance(workload, ImageWorkload)
        task = ModelTask.of(self.context.spec, workload)
        self._pools = [
            ProcessPoolExecutor(1, context, _make, (self.loop, task))
            for _ in range(self.context.threads)
        ]
        for started in [pool.submit(_answer, []) for pool in self._pools]:
            started.result()

    def image_predictions(self, workload: ImageWorkload, output: str) -> None:
        """Labels of all images in the list."""
        self._images(workload, output)

    def image_embeddings(self, workload: ImageWorkload, output: str) -> None:
        """Vectors of all images in the list."""
        self._images(workload, output)

    def _images(self, workload: ImageWorkload, output: str) -> None:
        store, size = self.context.filesystem, self.context.batch_size
        urls = read_metadata(store, self.context.bucket("images")).column("image_url").to_pylist()
        batches = [urls[at : at + size] for at in range(0, len(urls), size)]
        answers = [
            pool.submit(_answer, batches[at :: len(self._pools)])
            for at, pool in enumerate(self._pools)
        ]
        rows = pa.Table.from_batches([batch for each in answers for batch in each.result()])
        accepted = rows.filter(pc.is_null(rows.column(REJECTED))).drop_columns([REJECTED])
        with store.open_output_stream(f"{output}/part-0.parquet") as stream:
            pq.write_table(accepted, stream)

    def persists(self) -> str:
        """See `Engine.persists`."""
        return "a process a core with the session of the model"

    def configuration(self) -> dict[str, Any]:
        """The processes."""
        return {"processes": self.context.threads, "batchSize": self.context.batch_size}

    def stop(self) -> None:
        """End the processes."""
        for pool in self._pools:
            pool.shutdown(cancel_futures=True)


class DaftCeiling(Ceiling):
    """The bare loop with Daft's decoder."""

    name: ClassVar[str] = "ceiling-daft"
    packages: ClassVar[tuple[str, ...]] = ("onnxruntime", "pyarrow", "daft")
    loop: ClassVar[type[Loop]] = DaftLoop


class MemoryCeiling(Ceiling):
    """The bare loop without fetching."""

    name: ClassVar[str] = "ceiling-memory"
    loop: ClassVar[type[Loop]] = MemoryLoop
