"""What computes: one file a contender, found by its place. The verbs are the same for all.

A contender is an engine that is used in one way. `ray-tuned` is two files in this folder:
`ray_tuned.json` says what it is (see `describe`), and `ray_tuned.py` has a class `ENGINE`. It may
import from the other files of its engine, which are named `ray` or begin with `ray_`. Nothing else
needs to know of it. Importing this package imports no engine.
"""

from __future__ import annotations

import importlib
import json
import os
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict
from importlib import metadata
from typing import Any, ClassVar

import numpy as np

from ..batches import ModelTask
from ..context import Context
from ..describe import EngineFacts
from ..describe import names as described
from ..errors import UserError
from ..images import Frame
from ..objects import delete_prefix
from ..placement import VISIBLE, Holder, Placement, place
from ..profile import Node, Profile, Stage
from ..timers import read_timers
from ..workloads import Workload
from ..workloads import load as load_workload
from ..workloads.image_workload import ImageWorkload

HALF = "fp16"
"""The tunable by which a contender's GPUs compute in 16-bit floats."""


class Engine(ABC):
    """One engine in one job: started once, then asked for samples, the first of them cold.

    Attributes:
        facts: What it says of itself.
        means: By what it profiles a sample, in words.
    """

    facts: ClassVar[EngineFacts]
    means: ClassVar[str] = ""

    def __init__(self, context: Context) -> None:
        """Keep the context. Nothing is started and nothing heavy imported here."""
        self.context = context

    @property
    def name(self) -> str:
        """The engine's name, that of its file."""
        return self.facts.name

    def tunables(self) -> list[dict[str, Any]]:
        """The table of its tunables, with the values in effect: those of the run's inputs."""
        given = json.loads(self.context.inputs.get("tunables", "{}"))
        declared = map(asdict, self.facts.tunables)
        return [{**one, "value": given.get(one["name"], one["value"])} for one in declared]

    def tunable(self, name: str) -> Any:
        """The value in effect of one of its tunables, of the type that its file has.

        Raises:
            KeyError: Its file has no tunable of that name.
        """
        return {one["name"]: one["value"] for one in self.tunables()}[name]

    @property
    def holder(self) -> Holder | None:
        """What holds its sessions of the model on GPUs; None where it runs no model."""
        return None

    @property
    def shares(self) -> int:
        """Processes that its GPUs would be shared out to: executors of Spark."""
        return 1

    @property
    def placement(self) -> Placement:
        """Where it runs the model."""
        context, gpus = self.context, self.context.gpus
        return place(
            self.holder,
            gpus,
            int(context.inputs.get("gpuWorkers", "1")),
            context.limits["cores"] if gpus else context.threads,
            self.shares,
            os.environ.get(VISIBLE),
        )

    def task(self, workload: ImageWorkload) -> ModelTask:
        """What its workers are to do for an image workload."""
        half = any(one["name"] == HALF and one["value"] for one in self.tunables())
        return ModelTask.of(self.context.spec, workload, self.placement, half)

    def session_configuration(self) -> dict[str, Any]:
        """What this process runs the model with; empty where it has no session of it."""
        workload = load_workload(self.context.spec["workload"])
        if not isinstance(workload, ImageWorkload):
            return {}
        if self.placement.holder not in (None, Holder.LOOP, Holder.JOB):
            return {}
        return {"session": self.task(workload).session().configuration()}

    @abstractmethod
    def start(self) -> None:
        """Get ready to compute: import, connect, wait for workers. Timed as start-up.

        Raises:
            UserError: What the engine needs is not there; it never waits for ever.
        """

    def run(self, workload: Workload, output: str) -> None:
        """Carry out one sample: read the inputs from the store, compute, write Parquet there.

        Rejected images are left out of the output by the rule of `images.reject_reason`; the job
        finds out by itself which those were. Without a method named after the workload, the engine
        cannot do it.

        Args:
            workload: What to compute.
            output: Where to, `<bucket>/<prefix>` without a slash at the end; nothing is there yet.

        Raises:
            UserError: The engine has no way to compute this workload.
        """
        method = getattr(self, workload.name.replace("-", "_"), None)
        if method is None:
            raise UserError(
                f"The engine {self.name!r} cannot compute {workload.name!r}.",
                "Its file has no method for that workload.",
                "Take the pair out of `engines` and `workloads`, or write the method.",
            )
        method(workload, output)

    def profile(self, workload: Workload, output: str) -> Profile:
        """Carry out a sample as `run` does, and say where its time went.

        It is the last sample of a process that was started for it: `Context.timers` is set.

        Raises:
            UserError: As `run`.
        """
        if self.context.timers:
            delete_prefix(self.context.filesystem, self.context.timers)
        began = time.time()
        with self.recording():
            seconds = timed(lambda: self.run(workload, output))
        stages = self.stages(began, seconds)
        return Profile(self.means, seconds, stages, self.nodes())

    def recording(self) -> AbstractContextManager[object]:
        """What has to be around a sample that is profiled."""
        return nullcontext()

    def stages(self, began: float, seconds: float) -> list[Stage]:
        """What the engine recorded of the last sample, by its own means.

        Args:
            began: When the sample began, in seconds since 1970.
            seconds: How long it took.
        """
        raise UserError(
            f"The engine {self.name!r} has no profile.",
            "Its file has no method that says where the time went.",
            "Write the method `stages`, or set profile to false.",
        )

    def nodes(self) -> list[Node]:
        """What the nodes of a cluster used in the last sample; asked after `stages`."""
        return []

    def inner_stages(self, workers: int) -> list[Stage]:
        """What the timers of our own functions recorded of the last sample; see `timers`."""
        place = self.context.timers
        return read_timers(self.context.filesystem, place, workers) if place else []

    @classmethod
    def decoded(cls, file: bytes, frame: Frame) -> np.ndarray:
        """One image as its own decoder gives it to a model, asked for outside of a job.

        Only where its `decoder` is `own`: the job judges its answers by that.

        Args:
            file: The whole file, which is accepted.
            frame: What of it the model sees.

        Returns:
            uint8 array [size, size, 3], RGB.
        """
        raise NotImplementedError(f"{cls.facts.name} has no decoder of its own")

    @abstractmethod
    def persists(self) -> str:
        """What outlives a sample and so makes the next one hot, in words for the report."""

    @abstractmethod
    def configuration(self) -> dict[str, Any]:
        """The configuration in effect, read back from the engine where it can be. No secrets."""

    def versions(self) -> dict[str, str]:
        """The versions of the packages it is made of, as installed."""
        return dict(map(_installed, self.facts.packages))

    @abstractmethod
    def stop(self) -> None:
        """Let go of everything. It is called after failures too, also of `start`."""


def _installed(package: str) -> tuple[str, str]:
    """A package and its version; ONNX Runtime with CUDA is another package in its place."""
    try:
        return package, metadata.version(package)
    except metadata.PackageNotFoundError:
        return (with_cuda := f"{package}-gpu"), metadata.version(with_cuda)


def timed(work: Callable[[], object]) -> float:
    """The seconds that `work` takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def names() -> list[str]:
    """The names of all engines, sorted: those that are described in this folder."""
    return described(__name__)


def load(name: str) -> type[Engine]:
    """Find an engine by its name.

    Raises:
        UserError: There is no such engine.
    """
    if name not in names():
        raise UserError(
            f"There is no engine {name!r}.",
            "A run is carried out by one of the engines in engine_comparison/engines/.",
            f"Use one of: {', '.join(names())}.",
        )
    engine: type[Engine] = importlib.import_module(f"{__name__}.{name.replace('-', '_')}").ENGINE
    return engine
