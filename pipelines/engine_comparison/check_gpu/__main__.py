"""Check a machine with a GPU: `npm run check:gpu`, or `python3 -m engine_comparison.check_gpu`.

It needs an NVIDIA driver, Python and the packages that it names; no Docker, Pulumi, service or
network. It looks at the packages, the driver and ONNX Runtime, and has every image contender that
it finds answer generated photographs on one GPU and on the CPU. Without a GPU it checks what can be
checked without. It prints a line for each check and writes all into a JSON file; its exit code is 1
where something failed, or was not reached within ten minutes.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import gpu, packages
from .lines import FAILED, OK, SKIPPED, TOO_LATE, Findings, Line

if TYPE_CHECKING:
    from ..describe import EngineFacts
    from .runs import Workbench

LIMIT_SECONDS = 600
"""How long all takes at most."""
END_SECONDS = 80
"""Of these, what is kept for ending: a contender's process gets 60 s before it is killed."""
MAX_IMAGES, MAX_CORES = 1024, 32
"""A machine with a GPU may have far more cores: the check is to be short."""
_RUN_SECONDS = 120
_STAGE = "ENGINE_COMPARISON_CHECK_GPU"
"""Set in the process that another one has started: `python`, or `wheels` in their environment; and
the moment at which work ends, seconds of the monotonic clock, which processes have in common."""


def main(arguments: Sequence[str]) -> int:
    """Check; returns the exit code."""
    asked = _arguments(arguments)
    stage, _, end = os.environ.get(_STAGE, "").partition(" ")
    time_left = TimeLeft(float(end or time.monotonic() + LIMIT_SECONDS - END_SECONDS))
    found = Findings()
    if asked.python and not stage:
        return _in_another(asked.python, arguments, found, time_left)
    version = ".".join(map(str, sys.version_info[:3]))
    if not found.add(_python_line(version)):
        return 1
    if asked.wheels and stage != "wheels":
        return _with_wheels(asked.wheels, arguments, found, time_left)
    machine = gpu.look()
    found.facts = {"python": version, "driver": machine.driver, "gpus": machine.gpus}
    found.add(gpu.driver_line(machine))
    print("\n".join(packages.wheels_of_a_gpu()), flush=True)
    lines, facts = packages.look(bool(machine.gpus))
    found.facts |= facts
    for line in lines:
        found.add(line)
    if not any(line.state == FAILED for line in lines):
        os.environ.setdefault("CUDA_VISIBLE_DEVICES", "0")
        with _log(asked.json.with_suffix(".log")):
            _work(found, bool(machine.gpus), asked, time_left)
    found.write(asked.json)
    states = [line.state for line in found.lines]
    said = f"{states.count(FAILED)} of {len(states)} failed, {states.count(TOO_LATE)} not reached"
    print(f"{said}; all figures: {asked.json}")
    return int(not found.ok)


def _arguments(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="npm run check:gpu --", description="Check a machine with a GPU, without a network."
    )
    parser.add_argument("--wheels", type=Path, help="a folder to take Python's packages from")
    parser.add_argument("--python", help="a Python that has the packages (default: this one)")
    parser.add_argument(
        "--json",
        type=Path,
        default=Path("check-gpu.json"),
        help="where all figures go (default: %(default)s)",
    )
    return parser.parse_args(arguments)


def _python_line(version: str) -> Line:
    if (3, 10) <= sys.version_info[:2] <= (3, 13):
        return Line("Python", OK, f"{version} at {sys.executable}")
    do = "install Python 3.10 to 3.13, and name it with --python"
    return Line("Python", FAILED, f"{version}; the locks are for 3.10 to 3.13", do)


class TooLate(TimeoutError):
    """No time is left."""


class TimeLeft:
    """How long may be worked."""

    def __init__(self, end: float) -> None:
        """Until a moment of the monotonic clock, seconds."""
        self.end = end

    @contextmanager
    def limit(self, seconds: float = LIMIT_SECONDS) -> Iterator[None]:
        """Raise in what takes longer than that, or than what is left.

        Raises:
            TooLate: Nothing is left.
            TimeoutError: The block was ended.
        """
        left = min(seconds, self.end - time.monotonic())
        if left <= 0:
            raise TooLate(f"{LIMIT_SECONDS // 60} minutes are over")

        def end(*_: object) -> None:
            raise TimeoutError(f"it did not end within {left:.0f} s")

        before = signal.signal(signal.SIGALRM, end)
        signal.setitimer(signal.ITIMER_REAL, left)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)


def _again(python: str, arguments: Sequence[str], stage: str, time_left: TimeLeft) -> int:
    """Do it all in another Python; returns its exit code."""
    command = [python, "-m", "engine_comparison.check_gpu", *arguments]
    variables = {"PYTHONPATH": str(packages.PIPELINES), _STAGE: f"{stage} {time_left.end}"}
    return subprocess.call(command, env={**os.environ, **variables})


def _in_another(python: str, arguments: Sequence[str], found: Findings, time_left: TimeLeft) -> int:
    """Do it all in the Python that is named."""
    try:
        return _again(python, arguments, "python", time_left)
    except OSError as error:
        do = "name a program of Python 3.10 to 3.13 with --python"
        found.add(Line("Python", FAILED, f"{python}: {error.strerror}", do))
        return 1


def _with_wheels(
    wheels: Path, arguments: Sequence[str], found: Findings, time_left: TimeLeft
) -> int:
    """Do it all in an environment that is made of a folder's wheels, and removed after that."""
    if not wheels.is_dir():
        do = "name the folder that the wheels are in"
        found.add(Line("wheels", FAILED, f"{wheels} is no folder", do))
        return 1
    folder = Path(tempfile.mkdtemp(prefix=".check-gpu-", dir=wheels))
    try:
        with time_left.limit():
            python = packages.install(wheels, folder)
        return _again(str(python), arguments, "wheels", time_left)
    except (OSError, RuntimeError, subprocess.SubprocessError) as error:
        do = "fetch the folder again; on Debian, venv needs the package python3-venv"
        found.add(Line("wheels", FAILED, str(error), do))
        return 1
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _work(found: Findings, on_gpu: bool, asked: argparse.Namespace, time_left: TimeLeft) -> None:
    """Open a session on the GPU, and have the contenders run."""
    from ..errors import UserError
    from ..host import cores, describe_host
    from . import runs

    found.facts["host"] = describe_host()
    used = min(MAX_CORES, cores())
    size = runs.Size(min(MAX_IMAGES, runs.BATCH * used) if on_gpu else 24, used)
    jars, log = _jars(asked.wheels), asked.json.with_suffix(".log")
    found.facts["images"], found.facts["runs"] = size.images, []
    folder = Path(tempfile.mkdtemp(prefix="ec", dir="/tmp"))  # Ray's sockets need a short path
    try:
        with ExitStack() as stack:
            with time_left.limit():
                bench = stack.enter_context(runs.Workbench(folder, size, jars))
                if on_gpu:
                    found.facts["probe"] = gpu.probe(bench.model)
                    on_gpu = found.add(gpu.runtime_line(found.facts["probe"]))
            for facts, device in _runs(found, on_gpu, jars):
                found.add(_run(found, bench, facts.name, device, time_left, log))
    except TimeoutError as error:
        found.add(Line("photographs and model", FAILED, str(error), "free this machine's CPUs"))
    except UserError as error:  # of the model's builder, whose packages are others than the locked
        found.add(Line("photographs and model", FAILED, error.what, error.do))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _runs(found: Findings, on_gpu: bool, jars: Path | None) -> list[tuple[EngineFacts, str]]:
    """Contenders that can run, each with a device: the GPU first, in case time runs out."""
    from . import runs

    can = []
    for facts in runs.contenders():
        lacking = runs.lacks(facts, jars)
        if lacking:
            found.add(Line(facts.name, SKIPPED, f"missing: {lacking}"))
        elif facts.cluster in ("ray", "spark") and not on_gpu:
            found.add(Line(facts.name, SKIPPED, "needs a cluster, and there is no GPU"))
        else:
            can.append(facts)
    devices = ("cuda", "cpu") if on_gpu else ("cpu",)
    return [(facts, device) for device in devices for facts in can]


def _run(
    found: Findings, bench: Workbench, engine: str, device: str, time_left: TimeLeft, log: Path
) -> Line:
    """Have a contender run on a device."""
    name = f"{engine} on the {'CPU' if device == 'cpu' else 'GPU'}"
    try:
        with time_left.limit(_RUN_SECONDS):
            done = bench.run(engine, device)
    except TooLate as error:
        return Line(name, TOO_LATE, f"not reached: {error}", "free this machine's CPUs")
    except Exception as error:  # what one contender does must not keep the others from running
        found.facts["runs"].append({"engine": engine, "device": device, "failed": str(error)})
        do = f"see {log} for what the engine said, and docs/troubleshooting.md for what it means"
        return Line(name, FAILED, " ".join(str(error).split())[:400], do)
    found.facts["runs"].append({"engine": engine, "device": device, **done})
    return run_line(name, done, found.facts.get("probe", {}).get("imagesPerSecond"))


def run_line(name: str, done: dict[str, Any], bare: float | None = None) -> Line:
    """What came of a contender's run.

    Args:
        name: The contender and its device.
        done: See `Workbench.run`.
        bare: Images per second of a bare loop on the GPU.
    """
    rate = f"{done['imagesPerSecond']:.1f} images/s"
    if not done["verified"]:
        return Line(
            name,
            FAILED,
            f"wrong answers: {done['message']}",
            "compare the contender's versions with pipelines/requirements.lock; if they are "
            "those, report it with the JSON file",
        )
    labels = done["agreement"].get("labels", 1.0)
    said = (
        f"{rate}; {labels:.1%} of the labels are the oracle's, confidences differ by at most "
        f"{done['deviations'].get('confidence', 0.0):.2g}"
    )
    if "gpu" in done:
        said += f"; {_gpu_words(done['gpu'])}"
        if bare:
            said += f"; {done['imagesPerSecond'] / bare:.0%} of the bare loop"
    return Line(name, OK, said)


def _gpu_words(measured: dict[str, Any] | None) -> str:
    if not measured:
        return "the GPU was not measured"
    if not measured["devices"]:
        return "the GPU was too shortly at work to be seen"
    [one, *_] = measured["devices"]
    joules = one["joulesPerSample"]
    energy = "unknown energy" if joules is None else f"{joules:.0f} J a sample"
    return (
        f"busy {one['busyShare']:.0%}, waiting for images {one['starvedShare']:.0%}, "
        f"{one['peakMemoryBytes'] / 2**30:.1f} GiB, {energy}"
    )


def _jars(wheels: Path | None) -> Path | None:
    """The folder with Spark's jars, if they lie among the wheels."""
    return wheels if wheels and any(wheels.glob("hadoop-aws-*.jar")) else None


@contextmanager
def _log(file: Path) -> Iterator[None]:
    """Send what engines write to standard error into a file: the lines here are the check's."""
    sys.stderr.flush()
    before = os.dup(2)
    with file.open("w", encoding="utf-8") as log:
        os.dup2(log.fileno(), 2)
    try:
        yield
    finally:
        sys.stderr.flush()
        os.dup2(before, 2)
        os.close(before)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
