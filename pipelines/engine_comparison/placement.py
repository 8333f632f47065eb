"""Where the model runs: what each contender asks its engine for, and where its sessions open.

`place` decides it for every contender and target; docs/gpu.md has its table. Whoever opens a
session gets its GPU from `Placement.gpu`, which raises in the driver of a cluster.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from .errors import UserError

VISIBLE = "CUDA_VISIBLE_DEVICES"
"""The variable by which CUDA shows a process some GPUs alone, as numbers 0, 1, ..."""


class Holder(Enum):
    """What holds the sessions of a contender; the value says it for people."""

    LOOP = "threads of the job's process"
    JOB = "the job's process, kept for all samples"
    FRESH = "the job's process, opened for each sample"
    RAY_POOL = "actors of Ray, started for each sample"
    DAFT_POOL = "actors of Ray that Daft starts for each sample"
    RAY_ACTOR = "one actor of Ray, kept for all samples"
    DAFT_WORKER = "Daft's worker process on Ray's node, kept for all samples"
    SPARK = "Python workers of Spark's executors, kept for all samples"


@dataclass(frozen=True)
class Placement:
    """Where a contender runs the model. It is sent to workers.

    Attributes:
        workers: Sessions that run at a time: on GPUs one each, otherwise one a core.
        holder: What holds the sessions on GPUs; None: the model runs on the CPU.
        asks: What the engine is asked for on GPUs, by the names that its calls have.
        decoders: Threads that decode the images of each session; 0: other stages decode them.
        executors: Executors of Spark on GPUs, each with the same share of them.
        visible: What `VISIBLE` says in the job.
    """

    workers: int
    holder: Holder | None = None
    asks: Mapping[str, Any] = field(default_factory=dict)
    decoders: int = 0
    executors: int = 1
    visible: str | None = None

    @property
    def gpus(self) -> int:
        """GPUs that the run takes."""
        return self.workers if self.holder else 0

    @property
    def shared(self) -> int:
        """Sessions that threads of one process share: each is on a GPU of its own."""
        one = (None, Holder.RAY_POOL, Holder.DAFT_POOL, Holder.SPARK)
        return 1 if self.holder in one else self.workers

    def fields(self) -> dict[str, Any]:
        """As a result has it; empty on the CPU."""
        if self.holder is None:
            return {}
        asked = dict(self.asks)
        return {"gpus": {"sessions": self.workers, "in": self.holder.value, "asked": asked}}

    def gpu(self, worker: int = 0) -> int | None:
        """The GPU of a session that opens in this process, as CUDA counts them here.

        Args:
            worker: Which of the sessions of this process, below `shared`.

        Returns:
            Its number; None on the CPU.

        Raises:
            UserError: No session may open in this process.
        """
        match self.holder:
            case None:
                return None
            case Holder.LOOP | Holder.JOB | Holder.FRESH:
                return worker
            case Holder.SPARK:
                return _given_by_spark()
        _check_ray(self.holder)
        if self.holder is Holder.DAFT_WORKER and self.visible is not None:
            # Daft 0.7 has set it to 0, 1, ... there (RaySwordfishActor), whatever it was.
            os.environ[VISIBLE] = self.visible
        return worker


def place(
    holder: Holder | None,
    gpus: int,
    gpu_workers: int,
    cores: int,
    shares: int = 1,
    visible: str | None = None,
) -> Placement:
    """Decide where a contender runs the model.

    Args:
        holder: What holds its sessions on GPUs; None where it runs no model.
        gpus: GPUs of the target; 0: the model runs on the CPU.
        gpu_workers: Sessions that are wanted; there is at most one a GPU.
        cores: Cores of the run.
        shares: Executors that a run of Spark takes on the CPU.
        visible: What `VISIBLE` says in the job's process; clusters have one of their own.
    """
    if holder is None or gpus == 0:
        return Placement(cores)
    if holder in (Holder.LOOP, Holder.JOB, Holder.FRESH) and visible is not None:
        gpus = min(gpus, len([one for one in visible.split(",") if one.strip()]))
    workers, executors, decoders = max(1, min(gpu_workers, gpus)), 1, 0
    asks: dict[str, Any] = {}
    match holder:
        case Holder.LOOP:
            decoders = max(1, cores // workers)
        case Holder.JOB | Holder.DAFT_WORKER:
            # Daft calls as often at a time as it has cores for: two a GPU, so that one is ready.
            asks = {"gpus": workers, "cpus": max(1, cores // (2 * workers))}
        case Holder.FRESH | Holder.DAFT_POOL:
            asks = {"gpus": 1, "max_concurrency": workers}
        case Holder.RAY_POOL:
            workers = max(1, min(workers, cores - 1))  # each takes a CPU, and reading needs one
            asks = {"num_gpus": 1, "size": workers}
        case Holder.RAY_ACTOR:
            # A call that waits for a session is a thread of the actor's.
            asks = {"num_gpus": workers, "num_cpus": 0, "max_concurrency": 2 * workers}
        case Holder.SPARK:
            executors = min(shares, workers)
            share = workers // executors
            workers, decoders = share * executors, max(1, cores // shares // share)
            asks["spark.executor.resource.gpu.amount"] = str(share)
            asks["spark.task.resource.gpu.amount"] = "1"
    return Placement(workers, holder, asks, decoders, executors, visible)


def _given_by_spark() -> int:
    """The GPU that Spark has given to the task that this process carries out."""
    from pyspark import TaskContext

    task = TaskContext.get()
    if task is None or "gpu" not in task.resources():
        raise _refusal(Holder.SPARK)
    return int(task.resources()["gpu"].addresses[0])


def _check_ray(holder: Holder) -> None:
    """See that this process is an actor that Ray, or Daft on Ray, has started where GPUs are."""
    import ray

    context = ray.get_runtime_context()
    given = holder is Holder.DAFT_WORKER or context.get_accelerator_ids().get("GPU")
    if context.get_actor_id() is None or not given:
        raise _refusal(holder)


def _refusal(holder: Holder) -> UserError:
    return UserError(
        f"The model was about to open on a GPU in a process that was given none; "
        f"it opens in {holder.value}.",
        "Two workers on one GPU, or a driver on a machine without any, measure something else.",
        "This is a fault of the contender's file: see docs/gpu.md.",
    )
