"""Images in batches through the model, for engines that hand their work to Python functions.

Fetching waits and computing does not, so the files of the next batches are fetched by a few threads
while the model has the present one.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.compute as pc

from .model.session import ModelSession, open_session
from .store import fetcher, open_store
from .timers import Timers
from .workloads import load
from .workloads.image_inputs import REJECTED
from .workloads.image_workload import ImageWorkload

FETCH_CONCURRENCY = 16
"""Images that a run fetches at a time, unless its input `fetchConcurrency` says otherwise."""
AHEAD = 2
"""Batches that are fetched before they are needed."""

IMAGES_PER_TASK = 2000
"""Most images of one task: what a failure costs, and how unevenly the last tasks may end."""

Item = TypeVar("Item")
Fetched = TypeVar("Fetched")


def fetched_ahead(
    batches: Iterable[Sequence[Item]],
    fetch: Callable[[Item], Fetched],
    concurrency: int = FETCH_CONCURRENCY,
) -> Iterator[tuple[Sequence[Item], list[Fetched]]]:
    """Fetch all items of each batch, some batches ahead of the consumer, in order.

    Args:
        batches: Batches of items, such as addresses.
        fetch: Gets one item; called from several threads; its errors reach the consumer.
        concurrency: Items that are fetched at a time.

    Yields:
        Each batch with what was fetched for its items.
    """
    with ThreadPoolExecutor(concurrency) as pool:
        waiting: deque[tuple[Sequence[Item], list[Future[Fetched]]]] = deque()
        for batch in batches:
            waiting.append((batch, [pool.submit(fetch, item) for item in batch]))
            if len(waiting) > AHEAD:
                items, futures = waiting.popleft()
                yield items, [future.result() for future in futures]
        while waiting:
            items, futures = waiting.popleft()
            yield items, [future.result() for future in futures]


def task_count(images: int, workers: int) -> int:
    """Tasks to cut a list of images into: a multiple of the workers, and as few as is sensible.

    A task costs Spark 0.4 s of CPU and Ray a little less, whatever is in it.
    """
    return workers * max(1, math.ceil(images / (workers * IMAGES_PER_TASK)))


@dataclass(frozen=True)
class ModelTask:
    """Addresses of images in, rows of an image workload out. Small, and can be sent to a worker.

    Attributes:
        store: The `store` object of the job's spec.
        model: Where the model is.
        device: `cpu` or `cuda`.
        workload: The workload's name.
        concurrency: Images that one worker fetches at a time.
        timers: Where a task leaves the sums of its timers; None where nobody asks for them.
    """

    store: Mapping[str, Any]
    model: Mapping[str, str]
    device: str
    workload: str
    concurrency: int = FETCH_CONCURRENCY
    timers: str | None = None

    @classmethod
    def of(cls, spec: Mapping[str, Any], workload: ImageWorkload) -> ModelTask:
        """The task for a job's spec and workload: a worker a core shares the run's fetches."""
        inputs = spec["inputs"]
        in_all = int(inputs.get("fetchConcurrency", FETCH_CONCURRENCY))
        return cls(
            spec["store"],
            spec["model"],
            inputs.get("device", "cpu"),
            workload.name,
            max(1, math.ceil(in_all / max(1, int(spec.get("threads", 1))))),
            spec.get("timers"),
        )

    def __repr__(self) -> str:
        return f"ModelTask(workload={self.workload!r}, device={self.device!r})"

    def image_workload(self) -> ImageWorkload:
        """The workload itself."""
        workload = load(self.workload)
        assert isinstance(workload, ImageWorkload)
        return workload

    def session(self) -> ModelSession:
        """The model of this process, loaded once."""
        return open_session(self.model, self.device)

    def schema(self) -> pa.Schema:
        """What `run` yields."""
        return self.image_workload().schema(self.session().dimension)

    def reader(self) -> Callable[[str], bytes | None]:
        """A function that fetches a file by its address; it can be called from several threads."""
        return fetcher(self.store)

    def fetched(
        self, batches: Iterable[Sequence[str]]
    ) -> Iterator[tuple[Sequence[str], list[bytes | None]]]:
        """Fetch batches of addresses ahead; see `fetched_ahead`."""
        return fetched_ahead(batches, self.reader(), self.concurrency)

    def run(self, batches: Iterable[Sequence[str]]) -> Iterator[pa.RecordBatch]:
        """Answer batches of addresses, with one session a process and fetching ahead.

        Yields:
            For each batch the rows of the images that are accepted, with the workload's schema.
        """
        workload, session, timers = self.image_workload(), self.session(), Timers()
        for urls, files in timers.each("read", self.fetched(batches)):
            timers.count(files)
            answered = workload.infer(session, urls, files, timers)
            accepted = answered.filter(pc.is_null(answered.column(REJECTED)))
            yield accepted.drop_columns([REJECTED]).cast(self.schema())
        self.leave(timers)

    def leave(self, timers: Timers) -> None:
        """Leave the sums of a task's timers, where somebody asks for them."""
        if self.timers:
            timers.save(open_store(self.store), self.timers)
