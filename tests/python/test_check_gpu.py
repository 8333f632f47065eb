"""The check of a machine with a GPU: what it finds here, and what it says where something fails."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Event
from types import SimpleNamespace
from typing import Any

import pytest
from fake_nvml import FakeNvml, Row
from pyarrow import fs

import engine_comparison
from engine_comparison.check_gpu import __main__ as check
from engine_comparison.check_gpu import gpu, packages, runs
from engine_comparison.check_gpu.lines import FAILED, OK, SKIPPED, TOO_LATE
from engine_comparison.objects import delete_prefix, list_files, read_bytes
from engine_comparison.store import fetcher, open_store

PIPELINES = Path(engine_comparison.__file__).parents[1]
HERE = Path(__file__).parent
GPU = [Row(0.0)]


def test_without_a_gpu_it_checks_what_can_be_checked_and_exits_with_0(tmp_path: Path):
    file = tmp_path / "found.json"
    done = subprocess.run(
        [sys.executable, "-m", "engine_comparison.check_gpu", "--json", str(file)],
        cwd=PIPELINES,
        capture_output=True,
        text=True,
        check=False,
    )
    found = json.loads(file.read_text())
    if found["gpus"]:
        pytest.skip("this machine has a GPU")
    assert done.returncode == 0, done.stdout
    states = {line["name"]: line["state"] for line in found["lines"]}
    assert states["GPU"] == SKIPPED
    assert "no GPU" in done.stdout
    assert re.search(r"nvidia-cudnn-cu12==9\.28\.0\.42 +683\.3 MiB", done.stdout)
    for name in ("Python", "packages", "ONNX Runtime", "plain on the CPU", "daft on the CPU"):
        assert states[name] == OK, done.stdout
        assert f"ok       {name}: " in done.stdout
    assert states["ray"] == states["spark"] == SKIPPED
    assert [run["verified"] for run in found["runs"]] == [True, True, True]
    assert found["ok"]


DRIVER = """
from fake_nvml import FakeNvml, NVMLError, NVMLError_LibraryNotFound, Row
_gpu = FakeNvml([Row(0.0, busy=50, used=2**30, power=100_000)])
globals().update({name: getattr(_gpu, name) for name in dir(_gpu) if name.startswith("nvml")})
"""


@pytest.fixture
def doubles(tmp_path: Path) -> Path:
    """A folder for PYTHONPATH with doubles of CUDA and NVML, as their packages would be there."""
    folder = tmp_path / "doubles"
    shutil.copytree(HERE / "fake_cuda", folder)
    (folder / "pynvml.py").write_text(DRIVER)
    for one in packages.locked("requirements-gpu.lock").values():
        file = folder / f"{one.name.replace('-', '_')}-{one.version}.dist-info" / "METADATA"
        file.parent.mkdir()
        file.write_text(f"Metadata-Version: 2.1\nName: {one.name}\nVersion: {one.version}\n")
    return folder


@pytest.mark.long
def test_all_contenders_are_checked_on_a_gpu_and_on_the_cpu(tmp_path: Path, doubles: Path):
    jars = os.environ.get("SPARK_JARS")
    if not jars or not shutil.which("java"):
        pytest.skip("set SPARK_JARS to a folder with S3A's jars, and have Java, to test Spark")
    file, notes = tmp_path / "found.json", tmp_path / "notes"
    notes.mkdir()
    done = subprocess.run(
        [sys.executable, "-m", "engine_comparison.check_gpu", "--json", file, "--wheels", jars],
        cwd=PIPELINES,
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            "PYTHONPATH": os.pathsep.join(map(str, (doubles, PIPELINES, HERE))),
            "FAKE_CUDA": str(notes),
            "FAKE_GPUS": "1",
            # As in the environment that is made of wheels: here the doubles are it.
            check._STAGE: f"wheels {time.monotonic() + check.LIMIT_SECONDS - check.END_SECONDS}",
        },
        capture_output=True,
        text=True,
        timeout=check.LIMIT_SECONDS,  # what the command promises
        check=False,
    )
    found = json.loads(file.read_text())
    assert done.returncode == 0, done.stdout
    names = [facts.name for facts in runs.contenders()]
    checked = [f"{name} on the {device}" for device in ("GPU", "CPU") for name in names]
    first = ["Python", "driver", "packages", "ONNX Runtime", "ONNX Runtime on the GPU"]
    assert [(line["name"], line["state"]) for line in found["lines"]] == [
        (name, OK) for name in [*first, *checked]
    ]
    for line in found["lines"]:
        assert f"ok       {line['name']}: {line['said']}\n" in done.stdout
    assert f"0 of {len(found['lines'])} failed, 0 not reached" in done.stdout
    assert (found["ok"], found["gpus"], found["driver"]) == (True, ["NVIDIA Fake"], "575.57.08")
    assert found["probe"]["opened"][0] == "CUDAExecutionProvider"
    assert found["packages"]["onnxruntime-gpu==1.23.2"]["installed"] == "1.23.2"

    ran = {(run["engine"], run["device"]): run for run in found["runs"]}
    assert list(ran) == [(name, device) for device in ("cuda", "cpu") for name in names]
    for (_, device), run in ran.items():
        assert run["verified"], run
        assert run["imagesPerSecond"] > 0
        assert len(run["samples"]) == runs.SAMPLES
        assert ("gpu" in run) == ("gpus" in run["configuration"]) == (device == "cuda")
        if device == "cuda":
            [measured] = run["gpu"]["devices"]
            assert measured["uuid"] == "GPU-0"
            assert measured["busyShare"] == pytest.approx(0.5, abs=0.01)
            assert measured["joulesPerSample"] > 0
    for name in ("plain", "daft-tuned"):
        session = ran[name, "cuda"]["configuration"]["session"]
        assert session["cuda"]["cudnn_conv_algo_search"] == "HEURISTIC"
        assert session["gpu"] == {"gpu": 0, "batch": runs.BATCH, "half": False}

    lines = [line for one in notes.iterdir() for line in one.read_text().splitlines()]
    said = [json.loads(line) for line in lines]
    assert not [one for one in said if "refused" in one]
    assert {one["gpu"] for one in said if "cpu" not in one} == {0}
    assert {tuple(one["ran"]) for one in said if "ran" in one} == {(runs.BATCH, 224, 224, 3)}
    opened = {one["pid"] for one in said if "options" in one}
    assert len(opened) >= len(names) + 1  # each in processes of its own, and the probe's


class Bench:
    """In the place of the workbench: all contenders say the same."""

    model = Path("no-model")

    def __init__(self, answer: dict[str, Any]) -> None:
        self.answer, self.ran = answer, list[tuple[str, str]]()

    def __enter__(self) -> Bench:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing was started."""

    def run(self, engine: str, device: str) -> dict[str, Any]:
        self.ran.append((engine, device))
        return dict(self.answer)


RIGHT = {
    "imagesPerSecond": 640.0,
    "verified": True,
    "message": "",
    "deviations": {"confidence": 0.001},
    "agreement": {"labels": 1.0},
    "gpu": {
        "devices": [
            {
                "busyShare": 0.5,
                "starvedShare": 0.25,
                "peakMemoryBytes": 2**30,
                "joulesPerSample": 99.6,
            }
        ]
    },
}
PROBED = {
    "version": "1.23.2",
    "available": ["CUDAExecutionProvider", "CPUExecutionProvider"],
    "opened": ["CUDAExecutionProvider", "CPUExecutionProvider"],
    "batch": 32,
    "cudnn": "9.28.0",
    "difference": 0.001,
    "imagesPerSecond": 1280.0,
}


class Machine:
    """A machine with a GPU as the check finds it; what it has can be changed."""

    def __init__(self, patch: pytest.MonkeyPatch, folder: Path) -> None:
        self.patch, self.file = patch, folder / "found.json"
        self.nvml = FakeNvml(GPU)
        self.probed: dict[str, Any] | None = PROBED
        self.bench = Bench(RIGHT)
        self.printed = ""

    def check(self, capsys: pytest.CaptureFixture[str]) -> int:
        module: Any = self.nvml
        self.patch.setitem(sys.modules, "pynvml", module)
        self.patch.setattr(runs, "Workbench", lambda *_: self.bench)
        self.patch.setattr(runs, "lacks", lambda *_: None)
        self.patch.setattr(packages, "installed", lambda name: ("1", 1))
        if self.probed is not None:
            self.patch.setattr(gpu, "probe", lambda _: self.probed)
        self.patch.setenv("CUDA_VISIBLE_DEVICES", "0")
        code = check.main(["--json", str(self.file)])
        self.printed = capsys.readouterr().out
        return code

    def line(self, name: str) -> dict[str, str]:
        lines = json.loads(self.file.read_text())["lines"]
        [found] = [line for line in lines if line["name"] == name]
        return dict(found)


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Machine:
    return Machine(monkeypatch, tmp_path)


def test_with_a_gpu_every_contender_runs_on_it_and_on_the_cpu(machine: Machine, capsys: Any):
    assert machine.check(capsys) == 0
    names = [facts.name for facts in runs.contenders()]
    assert machine.bench.ran == [(name, on) for on in ("cuda", "cpu") for name in names]
    assert {"plain", "daft", "ray", "ray-tuned", "spark", "spark-tuned"} <= set(names)
    line = machine.line("ray-tuned on the GPU")
    assert line["said"] == (
        "640.0 images/s; 100.0% of the labels are the oracle's, confidences differ by at most "
        "0.001; busy 50%, waiting for images 25%, 1.0 GiB, 100 J a sample; 50% of the bare loop"
    )
    assert machine.line("driver")["said"] == "575.57.08, NVIDIA Fake"
    assert "cuDNN 9.28.0" in machine.line("ONNX Runtime on the GPU")["said"]


def test_a_driver_that_hangs_is_a_failure(
    machine: Machine, capsys: Any, monkeypatch: pytest.MonkeyPatch
):
    asked = Event()
    monkeypatch.setattr(machine.nvml, "nvmlInit", asked.wait)
    monkeypatch.setattr(gpu, "_LOOK_SECONDS", 0.1)
    assert machine.check(capsys) == 1
    asked.set()
    assert machine.line("driver")["said"] == "it does not work: no answer within 0.1 s"


def test_what_is_not_reached_is_said_and_is_no_success(
    machine: Machine, capsys: Any, monkeypatch: pytest.MonkeyPatch
):
    run, now = machine.bench.run, [0.0]
    monkeypatch.setattr(check.time, "monotonic", lambda: now[0])

    def takes_a_minute(engine: str, device: str) -> dict[str, Any]:
        now[0] += 60
        return run(engine, device)

    monkeypatch.setattr(machine.bench, "run", takes_a_minute)
    assert machine.check(capsys) == 1
    names = [facts.name for facts in runs.contenders()]
    assert len(names) < 9 <= len(machine.bench.ran) < 2 * len(names)
    lines = json.loads(machine.file.read_text())["lines"]
    late = [line["name"] for line in lines if line["state"] == TOO_LATE]
    assert late == [f"{name} on the CPU" for name in names[9 - 2 * len(names) :]]
    assert f"too late {late[0]}: not reached: 10 minutes are over" in machine.printed
    assert f"0 of {len(lines)} failed, {len(late)} not reached" in machine.printed


def test_a_contender_that_hangs_is_ended(
    machine: Machine, capsys: Any, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(check, "_RUN_SECONDS", 0.1)
    monkeypatch.setattr(machine.bench, "run", lambda *_: Event().wait())
    assert machine.check(capsys) == 1
    assert machine.line("plain on the GPU")["said"] == "it did not end within 0 s"


def test_another_python_is_asked_in_the_place_of_this_one_and_has_the_same_end(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    called: list[Any] = []
    monkeypatch.setattr(subprocess, "call", lambda command, env: called.append((command, env)) or 7)
    monkeypatch.setattr(check.time, "monotonic", lambda: 1000.0)
    arguments = ["--python", "/other/python", "--json", "x"]
    assert check.main(arguments) == 7
    [(command, environment)] = called
    assert command == ["/other/python", "-m", "engine_comparison.check_gpu", *arguments]
    assert environment["PYTHONPATH"] == str(PIPELINES)
    end = 1000.0 + check.LIMIT_SECONDS - check.END_SECONDS
    assert environment[check._STAGE] == f"python {end}"
    with pytest.raises(check.TooLate), check.TimeLeft(900.0).limit():
        pytest.fail("the end was before")
    monkeypatch.undo()
    assert check.main(["--python", "/no/python"]) == 1
    assert "FAILED   Python: /no/python: No such file" in capsys.readouterr().out


def test_an_onnx_runtime_without_cuda_is_a_failure(machine: Machine, capsys: Any):
    import onnxruntime

    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("this ONNX Runtime has CUDA")
    machine.probed = None  # the one that is installed here is asked
    assert machine.check(capsys) == 1
    line = machine.line("ONNX Runtime on the GPU")
    assert f"ONNX Runtime {onnxruntime.__version__} has no CUDA provider" in line["said"]
    assert "requirements-gpu.lock" in line["do"]
    assert {device for _, device in machine.bench.ran} == {"cpu"}


RUNTIME = "ONNX Runtime on the GPU"
NOT_STARTED = {"opened": ["CPUExecutionProvider"], "log": "a\n[E:onnxruntime] Error: libcudnn.so.9"}
WRONG = {**RIGHT, "verified": False, "message": "75.0% of the labels agree"}


@pytest.mark.parametrize(
    ("what", "found", "name", "said", "do"),
    [
        ("nvml", FakeNvml(GPU, driver="470.256.02"), "driver", "older than 525.60.13", "newer"),
        ("nvml", FakeNvml(), "driver", "not work: NVML: Driver Not Loaded", "restart the machine"),
        ("probed", NOT_STARTED, RUNTIME, "did not start: [E:onnxruntime] Error", "cuda.lock"),
        ("probed", {"difference": 3.5}, RUNTIME, "from the CPU's by 3.5", "errors of its memory"),
        ("probed", {"difference": float("nan")}, RUNTIME, "differ", "errors of its memory"),
        ("probed", {"failed": "exit code -11: "}, RUNTIME, "exit code -11", "nvidia-smi"),
        ("bench", Bench(WRONG), "plain on the GPU", "wrong answers: 75.0% of the", "report it"),
    ],
)
def test_what_does_not_work_is_a_failure_with_what_to_do(
    machine: Machine, capsys: Any, what: str, found: Any, name: str, said: str, do: str
):
    setattr(machine, what, {**PROBED, **found} if what == "probed" else found)
    assert machine.check(capsys) == 1
    line = machine.line(name)
    assert (line["state"], said in line["said"], do in line["do"]) == (FAILED, True, True)
    assert f"\n{'':8} do: {line['do']}\n" in machine.printed


def test_no_driver_is_no_failure(machine: Machine, capsys: Any):
    machine.nvml.missing = True
    assert machine.check(capsys) == 0
    assert machine.line("GPU")["said"] == "no GPU: NVML: Library Not Found"


def test_a_contender_that_fails_keeps_no_other_from_running(
    machine: Machine, capsys: Any, monkeypatch: pytest.MonkeyPatch
):
    def run(engine: str, device: str) -> dict[str, Any]:
        if engine == "ray":
            raise RuntimeError("the raylet\nhas ended")
        return RIGHT

    monkeypatch.setattr(machine.bench, "run", run)
    assert machine.check(capsys) == 1
    assert machine.line("ray on the GPU")["said"] == "the raylet has ended"
    assert machine.line("spark on the GPU")["state"] == OK


def test_answers_are_judged_as_in_a_run(oracle_model: Any, local_store: fs.FileSystem):
    workload = runs.workloads.load(runs.WORKLOAD)
    urls = [f"s3://bucket/images/photo-{at:06d}.jpg" for at in range(5)]
    oracle = workload.ask_each(oracle_model, local_store, urls)
    bench: Any = SimpleNamespace(workload=workload, oracle=oracle)
    inputs = {"decoder": "pillow", "device": "cuda"}
    answers = workload.answered(oracle).select(["image_url", "label", "confidence"])
    assert runs.Workbench.judge(bench, answers, inputs)["verified"]
    other = answers.column("label").combine_chunks().take([1, 0, 3, 4, 2])
    wrong = answers.set_column(1, "label", other)
    judged = runs.Workbench.judge(bench, wrong, inputs)
    assert (judged["verified"], "of the labels agree" in judged["message"]) == (False, True)


def test_the_sizes_are_those_of_the_locked_wheels():
    locks = [packages.locked(lock) for lock in packages.LOCKS]
    wanted = [f"{one.name}=={one.version}" for lock in locks[1:] for one in lock.values()]
    assert sorted(packages.WHEEL_BYTES) == sorted(wanted)
    assert set(packages.CORE) <= set(locks[0])


def test_missing_packages_are_named_with_their_sizes(monkeypatch: pytest.MonkeyPatch):
    there = {"onnxruntime-gpu": ("1.23.2", 1)}
    monkeypatch.setattr(packages, "installed", there.get)
    base, runtime = packages.look(on_gpu=True)[0]
    assert base.state == runtime.state == FAILED
    assert "numpy==" in base.said
    assert runtime.said == "missing: nvidia-ml-py==13.615.71 (0.1 MiB)"  # CUDA may be the system's
    assert "--wheels" in runtime.do


def test_a_wheel_that_is_not_the_locked_one_is_refused(tmp_path: Path):
    version = packages.locked(packages.LOCKS[0])["numpy"].version
    here = f"cp{sys.version_info.major}{sys.version_info.minor}"
    wheel = tmp_path / f"numpy-{version}-{here}-{here}-manylinux_2_28_x86_64.whl"
    wheel.write_bytes(b"something else")
    with pytest.raises(RuntimeError, match="not the files that the locks name: numpy-"):
        packages.install(tmp_path, tmp_path / "environment")


def test_modules_that_a_bare_machine_executes_first_need_no_package():
    program = "import engine_comparison.check_gpu.__main__"  # -S: without installed packages
    subprocess.run([sys.executable, "-S", "-c", program], cwd=PIPELINES, check=True)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[dict[str, Any]]:
    (tmp_path / "b").mkdir()
    with runs._store(tmp_path, 4) as section:
        yield section


def test_a_folder_is_a_store_for_the_clients_that_runs_use(store: dict[str, Any], tmp_path: Path):
    opened = open_store(store)
    contents = {"b/x/small": b"hello", "b/x/y/empty": b"", "b/large": bytes(range(256)) * 2**16}
    for path, content in contents.items():
        with opened.open_output_stream(path) as stream:
            stream.write(content)
    for path, content in contents.items():
        assert read_bytes(opened, path) == content
        assert fetcher(store)(f"s3://{path}") == content
        assert (tmp_path / path).read_bytes() == content
    with opened.open_input_file("b/large") as file:
        file.seek(300)
        assert file.read(3) == bytes([44, 45, 46])
    assert read_bytes(opened, "b/none") is None
    assert fetcher(store)("s3://b/x") is None
    assert [info.path for info in list_files(opened, "b/x")] == ["b/x/small", "b/x/y/empty"]
    opened.copy_file("b/x/small", "b/copy ü+&.txt")
    assert read_bytes(opened, "b/copy ü+&.txt") == b"hello"
    delete_prefix(opened, "b/x")
    assert {info.path for info in list_files(opened, "b")} == {"b/copy ü+&.txt", "b/large"}
    assert opened.get_file_info("b/x").type == fs.FileType.NotFound


def test_no_object_is_outside_the_folder(store: dict[str, Any], tmp_path: Path):
    import http.client

    (tmp_path.parent / "secret").write_text("secret")
    host = store["endpoint"].removeprefix("http://")
    connection = http.client.HTTPConnection(host)
    connection.request("GET", "/b/../../secret")
    assert connection.getresponse().status == http.client.NOT_FOUND
