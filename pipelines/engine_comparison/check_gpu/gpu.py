"""The driver, the GPUs, and whether ONNX Runtime computes on one. Standard library at import."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import Any

from .lines import FAILED, OK, SKIPPED, Line

OLDEST_DRIVER = (525, 60, 13)
"""The oldest driver that CUDA 12 runs with: https://docs.nvidia.com/deploy/cuda-compatibility/."""

TOLERANCE = 1e-2
"""How far logits of the default model on a GPU may be from those on the CPU. TF32's 10 bits give
1e-3 of values of about 10."""

_NO_DEVICE = 6
"""The exit code of `nvidia-smi` where there is no GPU."""

_LOOK_SECONDS, _PROBE_SECONDS = 60, 180


@dataclass(frozen=True)
class Machine:
    """What the driver says.

    Attributes:
        driver: Its version.
        gpus: Names of the GPUs.
        why: Why nothing was found, where that is so.
        broken: Whether that is a failure: there is a driver, which does not work.
    """

    driver: str = ""
    gpus: tuple[str, ...] = ()
    why: str = ""
    broken: bool = False


def look() -> Machine:
    """Ask NVML, or where its Python package is missing, `nvidia-smi`."""
    found: list[Machine] = []
    asking = Thread(target=lambda: found.append(_ask()), daemon=True)  # a driver may hang for ever
    asking.start()
    asking.join(_LOOK_SECONDS)
    return found[0] if found else Machine(why=f"no answer within {_LOOK_SECONDS} s", broken=True)


def _ask() -> Machine:
    try:
        import pynvml
    except ImportError:
        return _ask_smi()
    try:
        pynvml.nvmlInit()
        handles = map(pynvml.nvmlDeviceGetHandleByIndex, range(pynvml.nvmlDeviceGetCount()))
        names = tuple(str(pynvml.nvmlDeviceGetName(one)) for one in handles)
        return Machine(str(pynvml.nvmlSystemGetDriverVersion()), names, "the driver knows no GPU")
    except pynvml.NVMLError as error:
        missing = isinstance(error, pynvml.NVMLError_LibraryNotFound)
        return Machine(why=f"NVML: {error}", broken=not missing)


def _ask_smi() -> Machine:
    if not shutil.which("nvidia-smi"):
        return Machine(why="nvidia-smi is not there")
    query = ["--query-gpu=driver_version,name", "--format=csv,noheader"]
    done = subprocess.run(["nvidia-smi", *query], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        said = (done.stdout + done.stderr).strip()[:200]
        return Machine(why=f"nvidia-smi: {said}", broken=done.returncode != _NO_DEVICE)
    rows = [line.split(", ", 1) for line in done.stdout.splitlines() if ", " in line]
    if not rows:
        return Machine(why="nvidia-smi lists no GPU")
    return Machine(rows[0][0], tuple(name for _, name in rows))


def driver_line(machine: Machine) -> Line:
    """Whether there is a driver with a GPU, and it is new enough."""
    if machine.broken:
        return Line(
            "driver",
            FAILED,
            f"it does not work: {machine.why}",
            "restart the machine; if that does not help, install NVIDIA's driver again",
        )
    if not machine.gpus:
        return Line("GPU", SKIPPED, f"no GPU: {machine.why}")
    said = f"{machine.driver}, {', '.join(machine.gpus)}"
    numbers = tuple(int(part) for part in machine.driver.split(".") if part.isdigit())
    if numbers >= OLDEST_DRIVER:
        return Line("driver", OK, said)
    oldest = ".".join(map(str, OLDEST_DRIVER))
    return Line(
        "driver",
        FAILED,
        f"{said}: older than {oldest}, which CUDA 12 needs",
        "install a newer driver from NVIDIA or the distribution, and restart the machine",
    )


def probe(model: Path) -> dict[str, Any]:
    """Open a session on GPU 0 in a separate process, and compare it with one on the CPU.

    Returns:
        See `main`; `failed` with its last words where the process did not get that far.
    """
    command = [sys.executable, "-m", __name__, str(model)]
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=_PROBE_SECONDS,
            check=False,
            cwd=Path(__file__).parents[2],
        )
    except subprocess.TimeoutExpired:
        return {"failed": f"no end within {_PROBE_SECONDS} s"}
    try:
        said: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    except (IndexError, ValueError):
        return {"failed": f"exit code {done.returncode}: {done.stderr.strip()[-400:]}"}
    return {**said, "log": done.stderr.strip()[-2000:]}


def runtime_line(found: Mapping[str, Any]) -> Line:
    """What came of `probe`."""

    def failed(said: str, do: str) -> Line:
        return Line("ONNX Runtime on the GPU", FAILED, said, do)

    if "failed" in found:
        return failed(
            str(found["failed"]),
            "see that nvidia-smi answers, and that no other program holds the GPU's memory",
        )
    version = f"ONNX Runtime {found['version']}"
    if "CUDAExecutionProvider" not in found["available"]:
        return failed(
            f"{version} has no CUDA provider, but {', '.join(found['available'])}",
            "python3 -m pip uninstall onnxruntime, then install onnxruntime-gpu of "
            "pipelines/requirements-gpu.lock: the two have files of the same names",
        )
    if "CUDAExecutionProvider" not in found["opened"]:
        lines = [line for line in str(found.get("log", "")).splitlines() if "rror" in line]
        return failed(
            f"{version}: its CUDA provider did not start: {(lines or ['no reason given'])[-1]}",
            "install the libraries of pipelines/requirements-cuda.lock (CUDA 12 and cuDNN 9) into "
            "this Python, or put those of the machine on LD_LIBRARY_PATH",
        )
    if not found["difference"] <= TOLERANCE:
        return failed(
            f"{version}: logits differ from the CPU's by {found['difference']:.3g}, above "
            f"{TOLERANCE}",
            "the GPU computes something else: look for errors of its memory (nvidia-smi -q -d "
            "ECC), and try another driver",
        )
    return Line(
        "ONNX Runtime on the GPU",
        OK,
        f"{version}, cuDNN {found['cudnn']}; logits within {found['difference']:.2g} of the "
        f"CPU's; a bare loop answers {found['imagesPerSecond']:.0f} decoded images/s at batches "
        f"of {found['batch']}",
    )


def main(model: str, batch: int = 32) -> dict[str, Any]:
    """Compute on GPU 0 and on the CPU.

    Returns:
        `version` and `available` providers of ONNX Runtime; `opened`, the session's; `cudnn`;
        `difference`, the largest of the logits'; `imagesPerSecond` of a loop that does nothing but
        answer a batch again and again, copies to and from the GPU included.
    """
    import time

    import numpy as np
    import onnxruntime

    said: dict[str, Any] = {
        "version": onnxruntime.__version__,
        "available": onnxruntime.get_available_providers(),
        "opened": [],
        "batch": batch,
    }
    if "CUDAExecutionProvider" not in said["available"]:
        return said
    if hasattr(onnxruntime, "preload_dlls"):
        onnxruntime.preload_dlls()
    options = {"device_id": "0", "cudnn_conv_algo_search": "HEURISTIC"}
    on_gpu = onnxruntime.InferenceSession(
        model, providers=[("CUDAExecutionProvider", options)], enable_fallback=0
    )
    said["opened"] = on_gpu.get_providers()
    if "CUDAExecutionProvider" not in said["opened"]:
        return said
    on_cpu = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    pixels = np.random.default_rng(1).integers(0, 256, (batch, 224, 224, 3), np.uint8)
    [name] = [one.name for one in on_cpu.get_inputs()]
    answers = [session.run(["logits"], {name: pixels})[0] for session in (on_gpu, on_cpu)]
    said["difference"] = float(np.abs(answers[0] - answers[1]).max())
    said["cudnn"] = _cudnn()
    rounds, began = 0, time.perf_counter()
    while time.perf_counter() - began < 2:
        on_gpu.run(["logits"], {name: pixels})
        rounds += 1
    said["imagesPerSecond"] = rounds * batch / (time.perf_counter() - began)
    return said


def _cudnn() -> str:
    """The version of the cuDNN that this process has loaded, such as 9.28.0."""
    import ctypes

    with suppress(OSError, AttributeError):
        number = ctypes.CDLL("libcudnn.so.9").cudnnGetVersion()
        return f"{number // 10000}.{number // 100 % 100}.{number % 100}"
    return "of unknown version"


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1])))
