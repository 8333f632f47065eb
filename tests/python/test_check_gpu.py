"""The check of a machine with a GPU: what it finds here, and what it says where something fails."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from fake_nvml import FakeNvml, Row
from pyarrow import fs

import engine_comparison
from engine_comparison.check_gpu import __main__ as check
from engine_comparison.check_gpu import gpu, packages, runs
from engine_comparison.check_gpu.lines import FAILED, OK, SKIPPED
from engine_comparison.objects import delete_prefix, list_files, read_bytes
from engine_comparison.store import fetcher, open_store

PIPELINES = Path(engine_comparison.__file__).parents[1]
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


def test_another_python_is_asked_in_the_place_of_this_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    called: list[tuple[list[str], str]] = []

    def call(command: list[str], env: dict[str, str]) -> int:
        called.append((command, env["PYTHONPATH"]))
        return 7

    monkeypatch.setattr(subprocess, "call", call)
    arguments = ["--python", "/other/python", "--json", "x"]
    assert check.main(arguments) == 7
    command = ["/other/python", "-m", "engine_comparison.check_gpu", *arguments]
    assert called == [(command, str(PIPELINES))]
    monkeypatch.undo()
    assert check.main(["--python", "/no/python"]) == 1
    assert "FAILED   Python: /no/python: No such file" in capsys.readouterr().out


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
    assert machine.bench.ran == [(name, on) for name in names for on in ("cpu", "cuda")]
    assert {"plain", "daft", "ray", "ray-tuned", "spark", "spark-tuned"} <= set(names)
    line = machine.line("ray-tuned on the GPU")
    assert line["said"] == (
        "640.0 images/s; 100.0% of the labels are the oracle's, confidences differ by at most "
        "0.001; busy 50%, waiting for images 25%, 1.0 GiB, 100 J a sample; 50% of the bare loop"
    )
    assert machine.line("driver")["said"] == "575.57.08, NVIDIA Fake"
    assert "cuDNN 9.28.0" in machine.line("ONNX Runtime on the GPU")["said"]


def test_a_driver_that_is_too_old_is_a_failure(machine: Machine, capsys: Any):
    machine.nvml = FakeNvml(GPU, driver="470.256.02")
    assert machine.check(capsys) == 1
    line = machine.line("driver")
    assert line["state"] == FAILED
    assert "older than 525.60.13, which CUDA 12 needs" in line["said"]
    assert "do: install a newer driver" in machine.printed


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


@pytest.mark.parametrize(
    ("changed", "said", "do"),
    [
        (
            {"opened": ["CPUExecutionProvider"], "log": "a\n[E:onnxruntime] Error: libcudnn.so.9"},
            "did not start: [E:onnxruntime] Error: libcudnn.so.9",
            "requirements-cuda.lock",
        ),
        ({"difference": 3.5}, "logits differ from the CPU's by 3.5", "errors of its memory"),
        ({"difference": float("nan")}, "logits differ", "errors of its memory"),
        ({"failed": "exit code -11: "}, "exit code -11", "nvidia-smi"),
    ],
)
def test_what_onnx_runtime_lacks_is_said(
    machine: Machine, capsys: Any, changed: dict[str, Any], said: str, do: str
):
    machine.probed = {**PROBED, **changed}
    assert machine.check(capsys) == 1
    line = machine.line("ONNX Runtime on the GPU")
    assert (line["state"], said in line["said"], do in line["do"]) == (FAILED, True, True)


def test_a_wrong_answer_is_a_failure(machine: Machine, capsys: Any):
    machine.bench = Bench({**RIGHT, "verified": False, "message": "75.0% of the labels agree"})
    assert machine.check(capsys) == 1
    line = machine.line("plain on the GPU")
    assert line["state"] == FAILED
    assert "wrong answers: 75.0% of the labels agree" in line["said"]
    assert "report it with the JSON file" in line["do"]


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
