"""Images in batches through the model, for engines that hand their work to Python functions.

Fetching waits and computing does not, so the files of the next batches are fetched by a few threads
while the model has the present one. Where that is on a GPU, other threads decode them meanwhile.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from queue import SimpleQueue
from threading import Lock
from typing import Any, ClassVar, TypeVar

import pyarrow as pa
import pyarrow.compute as pc

from .images import Decoded, Frame, decode_batch
from .model.session import Device, ModelSession, open_session
from .placement import Placement
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
        placement: Where it runs.
        workload: The workload's name.
        batch: Images of a batch.
        half: Whether a GPU computes in 16-bit floats.
        concurrency: Images that one worker fetches at a time.
        timers: Where a task leaves the sums of its timers; None where nobody asks for them.
    """

    store: Mapping[str, Any]
    model: Mapping[str, str]
    placement: Placement
    workload: str
    batch: int = 32
    half: bool = False
    concurrency: int = FETCH_CONCURRENCY
    timers: str | None = None

    @classmethod
    def of(
        cls,
        spec: Mapping[str, Any],
        workload: ImageWorkload,
        placement: Placement,
        half: bool = False,
    ) -> ModelTask:
        """The task for a job's spec and workload; its workers share the run's fetches.

        They are one a core, or one a GPU where they decode for it, too.
        """
        inputs = spec["inputs"]
        in_all = int(inputs.get("fetchConcurrency", FETCH_CONCURRENCY))
        workers = placement.workers if placement.decoders else int(spec.get("threads", 1))
        return cls(
            spec["store"],
            spec["model"],
            placement,
            workload.name,
            int(inputs.get("batchSize", cls.batch)),
            half,
            max(1, math.ceil(in_all / max(1, workers))),
            spec.get("timers"),
        )

    def __repr__(self) -> str:
        return f"ModelTask(workload={self.workload!r}, holder={self.placement.holder})"

    def image_workload(self) -> ImageWorkload:
        """The workload itself."""
        workload = load(self.workload)
        assert isinstance(workload, ImageWorkload)
        return workload

    def device(self, worker: int = 0) -> Device:
        """What a session of this process runs on; see `Placement.gpu`.

        Raises:
            UserError: No session may open in this process.
        """
        gpu = self.placement.gpu(worker)
        return Device() if gpu is None else Device(gpu, self.batch, self.half)

    def session(self, worker: int = 0) -> ModelSession:
        """The model of this process, loaded once for each device.

        Raises:
            UserError: As for `device` and `ModelSession`.
        """
        return open_session(self.model, self.device(worker))

    def fresh_session(self, worker: int = 0) -> ModelSession:
        """The model, loaded anew.

        Raises:
            UserError: As for `session`.
        """
        return ModelSession(self.model["path"], self.device(worker))

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

    def decoded(
        self, batches: Iterable[Sequence[str]], frame: Frame, timers: Timers
    ) -> Iterator[tuple[Sequence[str], Decoded]]:
        """Fetch and decode batches of addresses.

        Where the placement has threads that decode, they do it some batches ahead.

        Args:
            batches: Addresses.
            frame: What of a picture the model sees.
            timers: What measures both; with threads that decode, the wait for them is decoding.
        """
        decode = partial(decode_batch, frame=frame)
        if not self.placement.decoders:
            for urls, files in timers.each("read", self.fetched(batches)):
                timers.count(files)
                with timers.timing("decode"):
                    decoded = decode(files)
                yield urls, decoded
            return
        taken: deque[Sequence[str]] = deque()

        def single() -> Iterator[list[list[bytes | None]]]:
            for urls, files in self.fetched(batches):
                taken.append(urls)
                timers.count(files)
                yield [[file] for file in files]

        ahead = fetched_ahead(single(), decode, self.placement.decoders)
        for _, images in timers.each("decode", ahead):
            yield taken.popleft(), Decoded.joined(images, frame.size)

    def run(self, batches: Iterable[Sequence[str]], worker: int = 0) -> Iterator[pa.RecordBatch]:
        """Answer batches of addresses, with one session a device and fetching ahead.

        Args:
            batches: Addresses.
            worker: Which of the sessions of this process answers.

        Yields:
            For each batch the rows of the images that are accepted, with the workload's schema.
        """
        workload, session, timers = self.image_workload(), self.session(worker), Timers()
        schema = workload.schema(session.dimension)
        for urls, decoded in self.decoded(batches, session.frame, timers):
            with timers.timing("compute"):
                answered = workload.infer(session, urls, decoded)
            yield accepted(answered, schema)
        self.leave(timers)

    def leave(self, timers: Timers) -> None:
        """Leave the sums of a task's timers, where somebody asks for them."""
        if self.timers:
            timers.save(open_store(self.store), self.timers)


def accepted(answered: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """The rows that `infer` did not reject, with the workload's schema."""
    rows = answered.filter(pc.is_null(answered.column(REJECTED)))
    return rows.drop_columns([REJECTED]).cast(schema)


_opening = Lock()


class Sessions:
    """The sessions of a process whose threads share them.

    On the CPU there is one for all threads at once. On GPUs each has one, which one thread has at a
    time.
    """

    _latest: ClassVar[Sessions | None] = None
    """Those that a class opened last; see `of`."""

    def __init__(self, task: ModelTask, fresh: bool = False) -> None:
        """Open them; `fresh` loads the model anew.

        Raises:
            UserError: As for `ModelTask.session`.
        """
        opened = task.fresh_session if fresh else task.session
        self._all = [opened(worker) for worker in range(task.placement.shared)]
        self._idle: SimpleQueue[ModelSession] | None = None
        if task.placement.holder:
            self._idle = SimpleQueue()
            for session in self._all:
                self._idle.put(session)

    @classmethod
    def of(cls, owner: Any, task: ModelTask) -> Sessions:
        """Those of a class, opened anew for it: several threads make an instance of it at once.

        Those of the class before are closed. It is that of an earlier query, and would keep its
        part of the GPU's memory until Python happens to look for unused classes.
        """
        with _opening:
            if "opened" not in vars(owner):
                if cls._latest is not None:
                    cls._latest._close()
                cls._latest = owner.opened = cls(task, fresh=True)
            opened: Sessions = owner.opened
            return opened

    def _close(self) -> None:
        """Let go of all sessions, whoever still has this object."""
        self._all, self._idle = [], None

    @property
    def frame(self) -> Frame:
        """What of a picture the model sees."""
        return self._all[0].frame

    @contextmanager
    def one(self) -> Iterator[ModelSession]:
        """A session for as long as the block takes; waits for one."""
        if self._idle is None:
            yield self._all[0]
            return
        session = self._idle.get()
        try:
            yield session
        finally:
            self._idle.put(session)
