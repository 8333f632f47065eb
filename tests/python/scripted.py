"""Attempts of an engine that writes what a test tells it to, at stores on the local disk."""

from __future__ import annotations

import io
import json
import shutil
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar

import jobs
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from jobs import NO_STORE
from pyarrow import fs

from engine_comparison import publish, workloads
from engine_comparison.checks import check_memory
from engine_comparison.context import Context
from engine_comparison.describe import EngineFacts
from engine_comparison.driver import Driver
from engine_comparison.engines import Engine
from engine_comparison.fork import Fork
from engine_comparison.gpu_measure import GpuUse
from engine_comparison.job import Attempt
from engine_comparison.measure import Meter, Reading
from engine_comparison.oracle import oracle_path
from engine_comparison.profile import Stage
from engine_comparison.protocol import Channel
from engine_comparison.workloads import Workload
from engine_comparison.workloads.image_inputs import image_urls
from engine_comparison.workloads.image_oracle import OracleModel

Answer = pa.Table | Callable[[int], pa.Table]
"""What an engine writes: always the same, or by how many things it was asked for before."""


class Scripted(Engine):
    """An engine that writes what a test tells it to, and notes what is asked of it."""

    facts: ClassVar[EngineFacts] = EngineFacts(
        "scripted", "Scripted", "scripted", "other", packages=("pyarrow",)
    )

    means: ClassVar[str] = "what a test says"

    def __init__(self, context: Context, answer: Answer, failing_in: str = "") -> None:
        super().__init__(context)
        self.answer = answer
        self.failing_in = failing_in
        self.asked: list[str] = []

    def _note(self, verb: str) -> None:
        self.asked.append(verb)
        if verb == self.failing_in:
            raise RuntimeError(f"the engine broke in {verb}")

    def start(self) -> None:
        self._note("start")

    def run(self, workload: Workload, output: str) -> None:
        store = self.context.filesystem
        store.create_dir(output, recursive=True)
        table = self.answer(len(self.asked)) if callable(self.answer) else self.answer
        pq.write_table(table, f"{output}/x.parquet", filesystem=store)
        self._note("run")

    def stages(self, began: float, seconds: float) -> list[Stage]:
        self._note("stages")
        return [Stage("all of it", "compute", seconds, 20000)]

    def persists(self) -> str:
        return "what a test says"

    def configuration(self) -> dict[str, Any]:
        return {"setting": 1}

    def stop(self) -> None:
        self._note("stop")


@pytest.fixture
def store(store_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> fs.FileSystem:
    """A store of the test's own on the local disk, where a copy needs its folder."""
    shutil.copytree(store_folder, tmp_path / "store")
    local = fs.SubTreeFileSystem(str(tmp_path / "store"), fs.LocalFileSystem())
    copy_files = publish.copy_files

    def copy(to: fs.FileSystem, copies: list[tuple[fs.FileInfo, str]]) -> None:
        to.create_dir(copies[0][1].rpartition("/")[0], recursive=True)
        copy_files(to, copies)

    monkeypatch.setattr(publish, "copy_files", copy)
    return local


def spec_of(workload: str, attempt: str = "a1", **inputs: str) -> dict[str, Any]:
    inputs = {"warmup": "1", "maxRejected": "0", "decoder": "pillow", **inputs}
    spec = jobs.spec_of(NO_STORE, Path("no-model"), workload, **inputs)
    return {**spec, "engine": "scripted", "attempt": attempt}


@pytest.fixture
def report(store: fs.FileSystem) -> pa.Table:
    """The right report, also put where the job looks for the oracle's."""
    table = workloads.load("taxi-report").right_answer(spec_of("taxi-report"), store)
    save_oracle(store, "taxi-report", table)
    return table


def image_oracle(
    name: str, model: OracleModel, store: fs.FileSystem, most: int = sys.maxsize
) -> pa.Table:
    """The right answers about the images of a store, also put where the job looks for them."""
    workload: Any = workloads.load(name)
    facts = workload.input_facts(spec_of(name), store)
    oracle = workload.ask_each(model, store, image_urls(store, facts), most)
    save_oracle(store, name, oracle)
    return oracle


def answers_of(name: str, oracle: pa.Table) -> pa.Table:
    """What an engine writes that is right."""
    workload: Any = workloads.load(name)
    return workload.split(oracle)[0].select(workload.schema().names)


def overwrite(store: fs.FileSystem, path: str, content: bytes) -> None:
    with store.open_output_stream(path) as stream:
        stream.write(content)


def save_oracle(store: fs.FileSystem, workload: str, table: pa.Table) -> None:
    path = oracle_path(spec_of(workload))
    store.create_dir(path.rpartition("/")[0], recursive=True)
    pq.write_table(table, path, filesystem=store)


class Readings(Meter):
    """A meter that reads what a test tells it to, one reading more each time it is asked."""

    def __init__(self, others: list[float], peaks: list[int]) -> None:
        self.others, self.peaks, self.asked = others, peaks, 0

    def begin(self) -> Reading:
        return self.read()

    def read(self) -> Reading:
        at, self.asked = self.asked, self.asked + 1
        spent = self.others[min(at, len(self.others) - 1)]
        peak = self.peaks[min(at, len(self.peaks) - 1)]
        return Reading(peak, 7, 0.0, spent, "pss", at, self.gpus(at))

    def gpus(self, at: int) -> dict[str, GpuUse]:
        """Half busy, a quarter waiting, 10 W."""
        return {"GPU-0": GpuUse("A", 4.0 * at, 2.0 * at, 1.0 * at, 40.0 * at, 9)}


class Job:
    """An attempt with a scripted engine, and what it said."""

    def __init__(
        self, store: fs.FileSystem, spec: dict[str, Any], answer: Answer, failing_in: str = ""
    ) -> None:
        context = Context(spec, store)
        self.said = io.StringIO()
        self.engine = Scripted(context, answer, failing_in)
        workload = workloads.load(spec["workload"])
        self.others, self.peaks = [0.0], [100]

        def fork(**more: str) -> Fork:
            self.engine.context = Context({**spec, **more}, store)
            return Fork(
                Driver(self.engine, workload),
                lambda _: Readings(self.others, self.peaks),
                lambda seen: check_memory(context, seen),
            )

        self.attempt = Attempt(Channel(self.said), context, workload, fork)

    def measured_by(self, others: list[float], peaks: list[int]) -> Job:
        self.others, self.peaks = others, peaks
        return self

    def carry_out(self) -> dict[str, Any]:
        return self.attempt.carry_out()

    @property
    def phases(self) -> list[str]:
        return [json.loads(line)["phase"] for line in self.said.getvalue().splitlines()]


def wrong(report: pa.Table) -> pa.Table:
    trips = pa.array([n + 1 for n in report.column("trips").to_pylist()], pa.int64())
    return report.set_column(report.schema.get_field_index("trips"), "trips", trips)


Taxi = Callable[..., Job]


@pytest.fixture
def taxi(store: fs.FileSystem, report: pa.Table) -> Taxi:
    """Makes attempts at taxi-report; the engine writes the right report if nothing else is said."""

    def make(
        answer: Answer = report,
        attempt: str = "a1",
        failing_in: str = "",
        more: Mapping[str, Any] = MappingProxyType({}),
        **inputs: str,
    ) -> Job:
        spec = {**spec_of("taxi-report", attempt, **inputs), **more}
        return Job(store, spec, answer, failing_in)

    return make


BASE = "warehouse/report/engine=scripted"
