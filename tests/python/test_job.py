"""A job: the same order for every engine, and nothing published that is not right."""

from __future__ import annotations

import io
import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import fs

from engine_comparison import publish, workloads
from engine_comparison.checks import check_memory
from engine_comparison.context import Context
from engine_comparison.describe import EngineFacts
from engine_comparison.driver import Driver
from engine_comparison.engines import Engine
from engine_comparison.errors import UserError
from engine_comparison.fork import Fork
from engine_comparison.gpu_measure import GpuUse
from engine_comparison.job import Attempt
from engine_comparison.measure import Meter, Reading
from engine_comparison.objects import list_files, list_parquet, read_json
from engine_comparison.oracle import oracle_path
from engine_comparison.profile import Stage
from engine_comparison.protocol import Channel
from engine_comparison.workloads import Workload
from engine_comparison.workloads.image_inputs import image_urls, sampled
from engine_comparison.workloads.image_oracle import OracleModel
from engine_comparison.workloads.image_workload import ImageWorkload

Answer = Callable[[int], pa.Table]


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
        pq.write_table(self.answer(len(self.asked)), f"{output}/x.parquet", filesystem=store)
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
    return {
        "engine": "scripted",
        "workload": workload,
        "key": "0123456789abcdef",
        "attempt": attempt,
        "inputs": {
            "fareAbove": "30",
            "warmup": "1",
            "repeats": "2",
            "device": "cpu",
            "decoder": "pillow",
            **inputs,
        },
        "store": {"endpoint": "http://localhost", "region": "x", "accessKey": "", "secretKey": ""},
        "buckets": {
            "lake": "lake",
            "images": "bucket",
            "warehouse": "warehouse",
            "output": "output",
        },
        "services": [],
        "limits": {"cores": 2, "memoryBytes": 8 * 2**30},
        "oracleKey": "fedcba9876543210",
    }


@pytest.fixture
def report(store: fs.FileSystem) -> pa.Table:
    """The right report, also put where the job looks for the oracle's."""
    table = workloads.load("taxi-report").right_answer(spec_of("taxi-report"), store)
    save_oracle(store, "taxi-report", table)
    return table


def ask_each(
    workload: Any, model: OracleModel, store: fs.FileSystem, most: int = sys.maxsize
) -> pa.Table:
    """The right answers about the images of a store."""
    facts = workload.input_facts(spec_of(workload.name), store)
    return workload.ask_each(model, store, image_urls(store, facts), most)


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


BASE = "warehouse/report/engine=scripted"


def test_a_right_answer_is_measured_verified_and_published(store: fs.FileSystem, report: pa.Table):
    job = Job(store, spec_of("taxi-report"), lambda _: report)
    result = job.carry_out()
    taken = ["first sample", "hot sample 1", "hot sample 2"]
    assert job.phases == ["start-up", *taken, "verify", "publish"]
    assert job.engine.asked == ["start", "run", "run", "run", "stop"]
    assert [sample["kind"] for sample in result["samples"]] == ["first", "hot", "hot"]
    assert result["verified"]
    assert result["rowsIn"] == 20000
    assert result["rows"] == report.num_rows
    assert result["outputUri"] == f"s3://{BASE}/run=0123456789abcdef/"
    assert result["configuration"]["setting"] == 1
    assert result["configuration"]["persistsBetweenSamples"] == "what a test says"
    assert result["versions"]["pyarrow"] == pa.__version__
    [published] = list_parquet(store, BASE)
    assert published.size == result["bytesOut"]
    assert read_json(store, f"{BASE}/_manifest.json")["checksum"] == result["checksum"]
    # Of the attempt only what is published is left.
    assert [info.path.removeprefix(f"{BASE}/") for info in list_files(store, BASE)] == [
        "_attempts/a1/2/x.parquet",
        "_manifest.json",
        "run=0123456789abcdef/part-00000-a1.parquet",
    ]


def test_a_run_on_a_gpu_says_what_the_gpu_did(store: fs.FileSystem, report: pa.Table):
    spec = spec_of("taxi-report", repeats="3", device="cuda", gpus="1")
    result = Job(store, spec, lambda _: report).carry_out()
    [gpu] = result["gpu"]["devices"]
    assert gpu == {
        "uuid": "GPU-0",
        "name": "A",
        "busyShare": 0.5,
        "starvedShare": 0.25,
        "peakMemoryBytes": 9,
        "joulesPerSample": 40.0,
    }
    assert result["gpu"]["imagesPerSecondPerGpu"] == pytest.approx(result["rowsPerSecond"])
    on_cpu = Job(store, spec_of("taxi-report"), lambda _: report).carry_out()
    assert "gpu" not in on_cpu


def test_an_error_while_cleaning_up_does_not_fail_a_published_run(
    store: fs.FileSystem, report: pa.Table, monkeypatch: pytest.MonkeyPatch
):
    Job(store, spec_of("taxi-report", "a1"), lambda _: report).carry_out()
    second = Job(store, spec_of("taxi-report", "a2"), lambda _: report)
    published = publish.publish

    def refusing(*args: Any) -> None:
        published(*args)

        def delete(*_: object) -> None:
            raise OSError("not allowed")

        monkeypatch.setattr(publish, "delete_files", delete)
        monkeypatch.setattr(publish, "delete_prefix", delete)

    monkeypatch.setattr("engine_comparison.job.publish", refusing)
    assert second.carry_out()["attempt"] == "a2"
    assert read_json(store, f"{BASE}/_manifest.json")["attempt"] == "a2"


@pytest.mark.parametrize(
    ("warmup", "repeats", "kinds"),
    [
        ("0", "1", ["first"]),
        ("0", "2", ["first", "hot"]),
        ("1", "1", ["first", "hot"]),
        ("3", "1", ["first", "warm", "warm", "hot"]),
    ],
)
def test_a_fixed_number_has_a_cold_sample_warm_ones_and_hot_ones(
    store: fs.FileSystem, report: pa.Table, warmup: str, repeats: str, kinds: list[str]
):
    job = Job(store, spec_of("taxi-report", warmup=warmup, repeats=repeats), lambda _: report)
    assert [sample["kind"] for sample in job.carry_out()["samples"]] == kinds
    assert job.engine.asked.count("run") == int(warmup) + int(repeats)


def test_a_wrong_answer_is_not_published_and_the_old_one_stands(
    store: fs.FileSystem, report: pa.Table
):
    Job(store, spec_of("taxi-report", "good"), lambda _: report).carry_out()
    before = [(info.path, info.size) for info in list_files(store, BASE)]
    job = Job(store, spec_of("taxi-report", "bad"), lambda _: wrong(report))
    with pytest.raises(UserError, match="is not right") as raised:
        job.carry_out()
    assert "trips" in raised.value.what
    assert job.phases[-1] == "verify"
    assert [(info.path, info.size) for info in list_files(store, BASE)] == before


def test_the_last_sample_is_the_one_that_is_judged(store: fs.FileSystem, report: pa.Table):
    job = Job(store, spec_of("taxi-report"), lambda n: report if n < 3 else wrong(report))
    with pytest.raises(UserError, match="is not right"):
        job.carry_out()


def test_a_sample_that_wrote_less_fails_the_run_though_the_last_one_is_right(
    store: fs.FileSystem, report: pa.Table
):
    for less in (report.slice(1), wrong(report), report.drop_columns(["trips"])):
        job = Job(store, spec_of("taxi-report"), lambda n, less=less: less if n == 2 else report)
        with pytest.raises(UserError, match="Sample 2 of 3 is not right") as raised:
            job.carry_out()
        assert raised.value.outcome == "wrong"
        assert list_files(store, BASE) == []


def test_a_disturbed_sample_is_kept_and_marked_and_none_is_taken_again(
    store: fs.FileSystem, report: pa.Table
):
    # Read before and after the start-up and each of three executions.
    others = [0.0, 0.0, 0.0, 900.0, 900.0, 900.0, 900.0, 1900.0]
    job = Job(store, spec_of("taxi-report"), lambda _: report).measured_by(others, [100])
    result = job.carry_out()
    assert [one["disturbed"] for one in result["samples"]] == [True, False, True]
    assert job.engine.asked.count("run") == 3


def test_every_fork_starts_the_engine_anew_and_its_samples_say_which_it_was(
    store: fs.FileSystem, report: pa.Table
):
    spec = spec_of("taxi-report", warmup="1", repeats="1", forks="2")
    job = Job(store, spec, lambda _: report)
    result = job.carry_out()
    assert job.engine.asked == ["start", "run", "run", "stop"] * 2
    assert [(one["fork"], one["kind"]) for one in result["samples"]] == [
        (1, "first"),
        (1, "hot"),
        (2, "first"),
        (2, "hot"),
    ]
    assert job.phases[0] == "start-up, process 1 of 2"
    assert [each["state"] for each in result["forks"]] == ["fixed", "fixed"]


def test_without_a_fixed_number_samples_are_taken_until_they_have_come_to_rest(
    store: fs.FileSystem, report: pa.Table
):
    spec = spec_of("taxi-report", maxSamples="4")
    del spec["inputs"]["warmup"], spec["inputs"]["repeats"]
    result = Job(store, spec, lambda _: report).carry_out()
    assert result["samples"][0]["kind"] == "first"
    assert len(result["samples"]) == 5
    assert result["forks"][0]["state"] in ("steady", "still warming")


def test_a_profile_is_taken_in_a_process_of_its_own_after_all_others(
    store: fs.FileSystem, report: pa.Table
):
    job = Job(store, spec_of("taxi-report", profile="true"), lambda _: report)
    result = job.carry_out()
    measured, profiled = ["start", "run", "run", "run", "stop"], ["start", "run", "run", "stages"]
    assert job.engine.asked == [*measured, *profiled, "stop"]
    assert job.phases[-3:] == ["verify", "profile", "publish"]
    assert len(result["samples"]) == 3
    profile = result["profile"]
    assert profile["bottleneck"] == "compute"
    assert [stage["kind"] for stage in profile["stages"]] == ["compute", "coordination", "start-up"]
    assert job.engine.context.timers == f"{BASE}/_attempts/a1/profile/timers"
    assert all("profile" not in info.path for info in list_files(store, BASE))


def test_without_being_asked_for_there_is_no_profile(store: fs.FileSystem, report: pa.Table):
    result = Job(store, spec_of("taxi-report", profile="false"), lambda _: report).carry_out()
    assert "profile" not in result


def test_a_profile_that_fails_fails_no_run(store: fs.FileSystem, report: pa.Table):
    spec = spec_of("taxi-report", profile="true")
    result = Job(store, spec, lambda _: report, failing_in="stages").carry_out()
    assert result["profile"] == {"failed": "the engine broke in stages"}
    # The sixth thing that is asked of the engine is the sample that is profiled.
    result = Job(store, spec, lambda n: wrong(report) if n == 7 else report).carry_out()
    assert result["profile"]["failed"].startswith("The profiled sample is not right: ")
    assert result["verified"]


def test_rows_a_second_and_bytes_are_in_the_result(store: fs.FileSystem, report: pa.Table):
    result = Job(store, spec_of("taxi-report"), lambda _: report).carry_out()
    assert result["rowsPerSecond"] == pytest.approx(20000 / result["medianSeconds"], rel=1e-2)
    files = list_files(store, "lake/taxi")
    assert len(files) == 4
    assert result["bytesIn"] == sum(info.size for info in files)


@pytest.mark.parametrize("when", [0, 2, 6, 7])
def test_more_memory_than_allowed_is_a_failure_and_nothing_is_published(
    store: fs.FileSystem, report: pa.Table, when: int
):
    spec = {**spec_of("taxi-report"), "limits": {"cores": 2, "memoryBytes": 2**30}}
    peaks = [2**30] * when + [2**30 + 2**29]
    job = Job(store, spec, lambda _: report).measured_by([0.0], peaks)
    told = r"1\.50 GiB of memory \(pss\).*runMemory allows 1\.00 GiB"
    with pytest.raises(UserError, match=told) as raised:
        job.carry_out()
    assert raised.value.outcome == "out of memory"
    assert job.engine.asked[-1] == "stop"
    assert list_files(store, BASE) == []


def test_a_peak_within_the_limit_is_stated_beside_it(store: fs.FileSystem, report: pa.Table):
    spec = {**spec_of("taxi-report"), "limits": {"cores": 2, "memoryBytes": 2**30}}
    result = Job(store, spec, lambda _: report).measured_by([0.0], [2**30]).carry_out()
    assert result["limits"] == {"cores": 2, "memoryBytes": 2**30}
    assert (result["peakMemoryBytes"], result["idleMemoryBytes"]) == (2**30, 7)


def test_figures_without_those_of_the_nodes_say_that_they_are_the_drivers(
    store: fs.FileSystem, report: pa.Table
):
    spec = {**spec_of("taxi-report"), "unmeasuredNodes": True}
    result = Job(store, spec, lambda _: report).carry_out()
    assert result["configuration"]["memoryMeasure"] == "driver"


@pytest.mark.parametrize("verb", ["start", "run"])
def test_a_failing_engine_is_stopped_and_leaves_nothing(
    store: fs.FileSystem, report: pa.Table, verb: str
):
    job = Job(store, spec_of("taxi-report"), lambda _: report, failing_in=verb)
    with pytest.raises(RuntimeError, match="the engine broke"):
        job.carry_out()
    assert job.engine.asked[-1] == "stop"
    assert list_files(store, BASE) == []


@pytest.mark.parametrize(
    ("workload", "damaged"),
    [("taxi-report", "lake/taxi"), ("image-predictions", "bucket/image_metadata.parquet")],
)
def test_a_truncated_input_is_named_as_the_reason_of_a_failure(
    store: fs.FileSystem, workload: str, damaged: str
):
    path = damaged if damaged.endswith(".parquet") else list_parquet(store, damaged)[1].path
    facts = workloads.load(workload).input_facts(spec_of(workload), store)
    with store.open_input_stream(path) as stream:
        whole = stream.read()
    with store.open_output_stream(path) as stream:
        stream.write(whole[: len(whole) // 2])
    job = Job(
        store, {**spec_of(workload), "facts": facts}, lambda _: pa.table({}), failing_in="run"
    )
    with pytest.raises(UserError, match=f"s3://{path} cannot be read"):
        job.carry_out()


def test_a_store_that_is_lost_in_mid_run_is_named_in_place_of_an_input(store: fs.FileSystem):
    class Lost:
        def get_file_info(self, path: str) -> fs.FileInfo:
            raise OSError(f"When getting information for {path}: AWS Error NETWORK_CONNECTION")

    def lose(_: int) -> pa.Table:
        job.attempt.store = Lost()
        raise RuntimeError("the engine has waited in vain")

    job = Job(store, spec_of("taxi-report"), lose)
    with pytest.raises(UserError, match=r"store at http://localhost does not answer: .*lake"):
        job.carry_out()


def test_an_image_that_was_damaged_after_the_oracle_is_told_as_rejected(
    store: fs.FileSystem, oracle_model: OracleModel
):
    workload = workloads.load("image-predictions")
    assert isinstance(workload, ImageWorkload)
    oracle = ask_each(workload, oracle_model, store)
    save_oracle(store, workload.name, oracle)
    answers = workload.split(oracle)[0].select(workload.schema().names)
    with store.open_output_stream(list_files(store, "bucket/images")[0].path) as stream:
        stream.write(b"")
    job = Job(store, spec_of(workload.name), lambda _: answers.slice(1))
    with pytest.raises(UserError, match=r"Images differ: .* 1 rejected as empty, not 0"):
        job.carry_out()


def test_an_engine_that_writes_nothing_is_told(store: fs.FileSystem, report: pa.Table):
    job = Job(store, spec_of("taxi-report"), lambda _: report)
    job.engine.run = lambda workload, output: None  # type: ignore[method-assign]
    with pytest.raises(UserError, match="no Parquet file"):
        job.carry_out()


@pytest.mark.parametrize("writes", [True, False])
def test_an_empty_answer_is_verified_with_the_reason_why(store: fs.FileSystem, writes: bool):
    spec = spec_of("taxi-report", fareAbove="1000000")
    empty = workloads.load("taxi-report").right_answer(spec, store)
    assert len(empty) == 0
    save_oracle(store, "taxi-report", empty)
    job = Job(store, spec, lambda _: empty)
    if not writes:  # some engines write no file then
        job.engine.run = lambda workload, output: store.create_dir(output)  # type: ignore[method-assign]
    result = job.carry_out()
    assert (result["verified"], result["rows"]) == (True, 0)
    assert result["note"] == (
        "The input holds nothing to report: no trip has a fare above 1000000."
    )
    published = list_parquet(store, result["outputUri"].removeprefix("s3://").strip("/"))
    assert [pq.read_table(one.path, filesystem=store).num_rows for one in published] == [0]


def test_without_an_oracle_nothing_is_published(store: fs.FileSystem):
    table = workloads.load("taxi-report").right_answer(spec_of("taxi-report"), store)
    with pytest.raises(UserError, match="no oracle"):
        Job(store, spec_of("taxi-report"), lambda _: table).carry_out()
    assert list_files(store, BASE) == []


def test_a_partial_publish_of_an_attempt_before_is_undone_first(
    store: fs.FileSystem, report: pa.Table
):
    store.create_dir(f"{BASE}/run=aaaa/")
    store.create_dir(f"{BASE}/_attempts/dead/0")
    for path in ("run=aaaa/half.parquet", "_attempts/dead/0/x.parquet"):
        pq.write_table(report, f"{BASE}/{path}", filesystem=store)
    job = Job(store, spec_of("taxi-report"), lambda _: report, failing_in="start")
    with pytest.raises(RuntimeError):
        job.carry_out()
    assert list_files(store, BASE) == []


@pytest.fixture(params=["image-predictions", "image-embeddings"])
def dirty(
    request: pytest.FixtureRequest, store: fs.FileSystem, oracle_model: OracleModel
) -> tuple[str, pa.Table]:
    """A workload and its answers where two images are damaged; its oracle has the reasons."""
    images = [info.path for info in list_files(store, "bucket/images")]
    with store.open_output_stream(images[1]) as stream:
        stream.write(b"")
    store.delete_file(images[4])
    workload = workloads.load(request.param)
    assert isinstance(workload, ImageWorkload)
    oracle = ask_each(workload, oracle_model, store)
    save_oracle(store, request.param, oracle)
    accepted, _ = workload.split(oracle)
    return request.param, accepted.select(workload.schema().names)


def test_rejected_images_are_counted_by_reason(store: fs.FileSystem, dirty: tuple[str, pa.Table]):
    workload, answers = dirty
    spec = spec_of(workload, maxRejected="2")
    result = Job(store, spec, lambda _: answers).carry_out()
    assert result["rejected"] == 2
    assert result["rejects"] == [
        {"reason": "empty", "count": 1},
        {"reason": "missing", "count": 1},
    ]
    assert (result["rowsIn"], result["rows"]) == (20, 18)


def test_more_rejected_images_than_allowed_are_a_failure(
    store: fs.FileSystem, dirty: tuple[str, pa.Table]
):
    workload, answers = dirty
    spec = spec_of(workload, maxRejected="1")
    with pytest.raises(UserError, match=r"2 images were rejected \(1 empty, 1 missing\)"):
        Job(store, spec, lambda _: answers).carry_out()


@pytest.fixture(params=["image-predictions", "image-embeddings"])
def sample(
    request: pytest.FixtureRequest, store: fs.FileSystem, oracle_model: OracleModel
) -> tuple[str, pa.Table, list[str]]:
    """A workload, its answers, one image of them damaged, and the images that the oracle has."""
    with store.open_output_stream(list_files(store, "bucket/images")[3].path) as stream:
        stream.write(b"")
    workload = workloads.load(request.param)
    assert isinstance(workload, ImageWorkload)
    whole = ask_each(workload, oracle_model, store)
    some = ask_each(workload, oracle_model, store, 6)
    save_oracle(store, request.param, some)
    answers, _ = workload.split(whole)
    judged = some.filter(some["sampled"])["image_url"].to_pylist()
    return request.param, answers.select(workload.schema().names), judged


def test_more_images_than_the_oracle_answers_are_judged_by_a_sample(
    store: fs.FileSystem, sample: tuple[str, pa.Table, list[str]]
):
    workload, answers, _ = sample
    result = Job(store, spec_of(workload, maxRejected="1"), lambda _: answers).carry_out()
    assert (result["sampled"], result["rowsIn"], result["rows"]) == (6, 20, 19)
    assert result["rejects"] == [{"reason": "empty", "count": 1}]
    assert result["checksum"] == workloads.load(workload).checksum(answers, {})


@pytest.mark.parametrize("in_sample", [True, False])
def test_an_image_that_is_missing_is_told_in_the_sample_and_out_of_it(
    store: fs.FileSystem, sample: tuple[str, pa.Table, list[str]], in_sample: bool
):
    workload, answers, judged = sample
    urls = answers["image_url"].to_pylist()
    at = next(n for n, url in enumerate(urls) if (url in judged) == in_sample)
    fewer = pa.concat_tables([answers.slice(0, at), answers.slice(at + 1)])
    twice = pa.concat_tables([answers, answers.slice(at, 1)])
    for table, told in ((fewer, "missing"), (twice, "there more than once")):
        job = Job(store, spec_of(workload, maxRejected="1"), lambda _, table=table: table)
        with pytest.raises(UserError, match=rf"Images differ: '{urls[at]}' {told}"):
            job.carry_out()


@pytest.mark.parametrize("in_sample", [True, False])
@pytest.mark.parametrize("name", ["image-predictions", "image-embeddings"])
def test_an_answer_to_a_rejected_image_is_told_in_the_sample_and_out_of_it(
    store: fs.FileSystem, oracle_model: OracleModel, name: str, in_sample: bool
):
    workload = workloads.load(name)
    assert isinstance(workload, ImageWorkload)
    sound = ask_each(workload, oracle_model, store)
    answers = workload.split(sound)[0].select(workload.schema().names)
    urls = answers["image_url"].to_pylist()
    damaged = next(url for url in urls if (url in sampled(urls, 6)) == in_sample)
    with store.open_input_stream(damaged.removeprefix("s3://")) as stream:
        whole = stream.read()
    with store.open_output_stream(damaged.removeprefix("s3://")) as stream:
        stream.write(whole[:-2])  # which some decoders take
    save_oracle(store, name, ask_each(workload, oracle_model, store, 6))
    job = Job(store, spec_of(name, maxRejected="20"), lambda _: answers)
    with pytest.raises(UserError, match=f"Images differ: '{damaged}' unexpected"):
        job.carry_out()


def test_a_wrong_answer_in_the_sample_is_told(
    store: fs.FileSystem, sample: tuple[str, pa.Table, list[str]]
):
    workload, answers, _ = sample
    others = pa.concat_tables([answers.slice(1), answers.slice(0, 1)])
    mixed = answers.select([0])
    for name in answers.column_names[1:]:
        mixed = mixed.append_column(answers.schema.field(name), others.column(name))
    with pytest.raises(UserError, match="The output is not right") as raised:
        Job(store, spec_of(workload, maxRejected="1"), lambda _: mixed).carry_out()
    assert raised.value.outcome == "wrong"


def test_an_image_left_out_without_a_reason_is_a_wrong_answer(
    store: fs.FileSystem, dirty: tuple[str, pa.Table]
):
    workload, answers = dirty
    spec = spec_of(workload, maxRejected="20")
    with pytest.raises(UserError, match="missing"):
        Job(store, spec, lambda _: answers.slice(1)).carry_out()
