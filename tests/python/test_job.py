"""A job: the same order for every engine, and nothing published that is not right."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from jobs import NO_STORE
from pyarrow import fs
from scripted import (
    BASE,
    Job,
    Taxi,
    overwrite,
    save_oracle,
    spec_of,
    wrong,
)

from engine_comparison import publish, workloads
from engine_comparison.errors import UserError
from engine_comparison.objects import list_files, list_parquet, read_bytes, read_json


def test_a_right_answer_is_measured_verified_and_published(
    taxi: Taxi, store: fs.FileSystem, report: pa.Table
):
    job = taxi()
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


def test_a_run_on_a_gpu_says_what_the_gpu_did(taxi: Taxi):
    result = taxi(repeats="3", device="cuda", gpus="1").carry_out()
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
    assert "gpu" not in taxi().carry_out()


def test_an_error_while_cleaning_up_does_not_fail_a_published_run(
    taxi: Taxi, store: fs.FileSystem, monkeypatch: pytest.MonkeyPatch
):
    taxi().carry_out()
    second = taxi(attempt="a2")
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
    taxi: Taxi, warmup: str, repeats: str, kinds: list[str]
):
    job = taxi(warmup=warmup, repeats=repeats)
    assert [sample["kind"] for sample in job.carry_out()["samples"]] == kinds
    assert job.engine.asked.count("run") == int(warmup) + int(repeats)


def test_a_wrong_answer_is_not_published_and_the_old_one_stands(
    taxi: Taxi, store: fs.FileSystem, report: pa.Table
):
    taxi(attempt="good").carry_out()
    before = [(info.path, info.size) for info in list_files(store, BASE)]
    job = taxi(wrong(report), attempt="bad")
    with pytest.raises(UserError, match="is not right") as raised:
        job.carry_out()
    assert "trips" in raised.value.what
    assert job.phases[-1] == "verify"
    assert [(info.path, info.size) for info in list_files(store, BASE)] == before


def test_the_last_sample_is_the_one_that_is_judged(taxi: Taxi, report: pa.Table):
    job = taxi(lambda n: report if n < 3 else wrong(report))
    with pytest.raises(UserError, match="is not right"):
        job.carry_out()


def test_a_sample_that_wrote_less_fails_the_run_though_the_last_one_is_right(
    taxi: Taxi, store: fs.FileSystem, report: pa.Table
):
    for less in (report.slice(1), wrong(report), report.drop_columns(["trips"])):
        job = taxi(lambda n, less=less: less if n == 2 else report)
        with pytest.raises(UserError, match="Sample 2 of 3 is not right") as raised:
            job.carry_out()
        assert raised.value.outcome == "wrong"
        assert list_files(store, BASE) == []


def test_a_disturbed_sample_is_kept_and_marked_and_none_is_taken_again(taxi: Taxi):
    # Read before and after the start-up and each of three executions.
    others = [0.0, 0.0, 0.0, 900.0, 900.0, 900.0, 900.0, 1900.0]
    job = taxi().measured_by(others, [100])
    result = job.carry_out()
    assert [one["disturbed"] for one in result["samples"]] == [True, False, True]
    assert job.engine.asked.count("run") == 3


def test_every_fork_starts_the_engine_anew_and_its_samples_say_which_it_was(taxi: Taxi):
    job = taxi(warmup="1", repeats="1", forks="2")
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


def test_without_a_fixed_number_samples_are_taken_until_they_have_come_to_rest(taxi: Taxi):
    inputs = spec_of("taxi-report", maxSamples="4")["inputs"]
    del inputs["warmup"], inputs["repeats"]
    result = taxi(more={"inputs": inputs}).carry_out()
    assert result["samples"][0]["kind"] == "first"
    assert len(result["samples"]) == 5
    assert result["forks"][0]["state"] in ("steady", "still warming")


def test_a_profile_is_taken_in_a_process_of_its_own_after_all_others(
    taxi: Taxi, store: fs.FileSystem
):
    job = taxi(profile="true")
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


def test_without_being_asked_for_there_is_no_profile(taxi: Taxi):
    result = taxi(profile="false").carry_out()
    assert "profile" not in result


def test_a_profile_that_fails_fails_no_run(taxi: Taxi, report: pa.Table):
    result = taxi(failing_in="stages", profile="true").carry_out()
    assert result["profile"] == {"failed": "the engine broke in stages"}
    # The sixth thing that is asked of the engine is the sample that is profiled.
    result = taxi(lambda n: wrong(report) if n == 7 else report, profile="true").carry_out()
    assert result["profile"]["failed"].startswith("The profiled sample is not right: ")
    assert result["verified"]


def test_rows_a_second_and_bytes_are_in_the_result(taxi: Taxi, store: fs.FileSystem):
    result = taxi().carry_out()
    assert result["rowsPerSecond"] == pytest.approx(20000 / result["medianSeconds"], rel=1e-2)
    files = list_files(store, "lake/taxi")
    assert len(files) == 4
    assert result["bytesIn"] == sum(info.size for info in files)


LIMITED = {"limits": {"cores": 2, "memoryBytes": 2**30}}


@pytest.mark.parametrize("when", [0, 2, 6, 7])
def test_more_memory_than_allowed_is_a_failure_and_nothing_is_published(
    taxi: Taxi, store: fs.FileSystem, when: int
):
    job = taxi(more=LIMITED).measured_by([0.0], [2**30] * when + [2**30 + 2**29])
    told = r"1\.50 GiB of memory \(pss\).*runMemory allows 1\.00 GiB"
    with pytest.raises(UserError, match=told) as raised:
        job.carry_out()
    assert raised.value.outcome == "out of memory"
    assert job.engine.asked[-1] == "stop"
    assert list_files(store, BASE) == []


def test_a_peak_within_the_limit_is_stated_beside_it(taxi: Taxi):
    result = taxi(more=LIMITED).measured_by([0.0], [2**30]).carry_out()
    assert result["limits"] == LIMITED["limits"]
    assert (result["peakMemoryBytes"], result["idleMemoryBytes"]) == (2**30, 7)


def test_figures_without_those_of_the_nodes_say_that_they_are_the_drivers(taxi: Taxi):
    result = taxi(more={"unmeasuredNodes": True}).carry_out()
    assert result["configuration"]["memoryMeasure"] == "driver"


@pytest.mark.parametrize("verb", ["start", "run"])
def test_a_failing_engine_is_stopped_and_leaves_nothing(
    taxi: Taxi, store: fs.FileSystem, verb: str
):
    job = taxi(failing_in=verb)
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
    whole = read_bytes(store, path) or b""
    overwrite(store, path, whole[: len(whole) // 2])
    job = Job(store, {**spec_of(workload), "facts": facts}, pa.table({}), failing_in="run")
    with pytest.raises(UserError, match=f"s3://{path} cannot be read"):
        job.carry_out()


def test_a_store_that_is_lost_in_mid_run_is_named_in_place_of_an_input(
    taxi: Taxi, store: fs.FileSystem
):
    class Lost:
        def get_file_info(self, path: str) -> fs.FileInfo:
            raise OSError(f"When getting information for {path}: AWS Error NETWORK_CONNECTION")

    def lose(_: int) -> pa.Table:
        job.attempt.store = Lost()
        raise RuntimeError("the engine has waited in vain")

    job = taxi(lose)
    with pytest.raises(
        UserError, match=rf"store at {NO_STORE['endpoint']} does not answer: .*lake"
    ):
        job.carry_out()


def test_an_engine_that_writes_nothing_is_told(taxi: Taxi):
    job = taxi()
    job.engine.run = lambda workload, output: None  # type: ignore[method-assign]
    with pytest.raises(UserError, match="no Parquet file"):
        job.carry_out()


@pytest.mark.parametrize("writes", [True, False])
def test_an_empty_answer_is_verified_with_the_reason_why(store: fs.FileSystem, writes: bool):
    spec = spec_of("taxi-report", fareAbove="1000000")
    empty = workloads.load("taxi-report").right_answer(spec, store)
    assert len(empty) == 0
    save_oracle(store, "taxi-report", empty)
    job = Job(store, spec, empty)
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
        Job(store, spec_of("taxi-report"), table).carry_out()
    assert list_files(store, BASE) == []


def test_a_partial_publish_of_an_attempt_before_is_undone_first(
    taxi: Taxi, store: fs.FileSystem, report: pa.Table, monkeypatch: pytest.MonkeyPatch
):
    store.create_dir(f"{BASE}/run=aaaa/")
    store.create_dir(f"{BASE}/_attempts/dead/0")
    for path in ("run=aaaa/half.parquet", "_attempts/dead/0/x.parquet"):
        pq.write_table(report, f"{BASE}/{path}", filesystem=store)
    job, seen = taxi(), list[Any]()
    monkeypatch.setattr(job.engine, "start", lambda: seen.append(list_files(store, BASE)))
    assert job.carry_out()["verified"]
    assert seen == [[]]
