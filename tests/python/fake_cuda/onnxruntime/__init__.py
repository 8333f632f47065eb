"""ONNX Runtime as it is installed, with a CUDA provider that computes on the CPU. For tests alone.

It takes the place of the real package where this folder's parent comes first on PYTHONPATH. A
session on CUDA opens only on one of `FAKE_GPUS` GPUs, as CUDA_VISIBLE_DEVICES shows them, and not
in a process with `FAKE_DRIVER`, which stands for the driver of a cluster. Each session, also one on
the CPU, and each run on a GPU is a line in a file of the process in the folder `FAKE_CUDA`.
"""

import json
import os
import sys
import time
from importlib.machinery import PathFinder
from pathlib import Path

_here = Path(__file__).resolve().parents[1]
_spec = PathFinder.find_spec(
    "onnxruntime", [place for place in sys.path if Path(place or ".").resolve() != _here]
)
__path__ = _spec.submodule_search_locations
__file__ = _spec.origin
exec(compile(Path(__file__).read_text(encoding="utf-8"), __file__, "exec"))

_CUDA = "CUDAExecutionProvider"
_CpuSession = InferenceSession  # noqa: F821  the real package has it
_real_providers = get_available_providers  # noqa: F821


def get_available_providers():
    """What is installed, and CUDA."""
    return [_CUDA, *_real_providers()]


def preload_dlls(*_, **__):
    """Nothing is to be loaded."""


def _visible() -> list[str]:
    everything = [str(gpu) for gpu in range(int(os.environ["FAKE_GPUS"]))]
    shown = os.environ.get("CUDA_VISIBLE_DEVICES")
    return everything if shown is None else [one for one in shown.split(",") if one in everything]


def _note(**event):
    where = Path(os.environ["FAKE_CUDA"], f"{os.getpid()}.jsonl")
    with where.open("a", encoding="utf-8") as file:
        file.write(json.dumps({"pid": os.getpid(), **event}) + "\n")


class InferenceSession(_CpuSession):
    """A session that says it runs on CUDA, if it was asked to."""

    def __init__(self, model, options=None, providers=None, **more):
        first = (providers or ["CPUExecutionProvider"])[0]
        self._gpu = None
        if isinstance(first, tuple) and first[0] == _CUDA:
            if "FAKE_DRIVER" in os.environ:
                _note(refused="in a driver")
                raise RuntimeError("CUDA was opened in the driver of a cluster")
            visible, number = _visible(), int(first[1]["device_id"])
            if number >= len(visible):
                _note(refused=f"GPU {number} of {visible}")
                raise RuntimeError(f"CUDA error 101: invalid device ordinal {number} of {visible}")
            self._gpu, self._options = int(visible[number]), first[1]
            # A model in 16-bit floats comes as bytes, see `_in_half` of the package.
            _note(gpu=self._gpu, options=first[1], half=isinstance(model, bytes))
            providers = ["CPUExecutionProvider"]
        else:
            _note(cpu=time.time())
        super().__init__(model, options, providers=providers, **more)

    def get_providers(self):
        """CUDA, where it was asked for."""
        return super().get_providers() if self._gpu is None else [_CUDA, "CPUExecutionProvider"]

    def get_provider_options(self):
        """Those that CUDA was asked for."""
        return super().get_provider_options() if self._gpu is None else {_CUDA: self._options}

    def run(self, outputs, feed, *more):
        """Run on the CPU, and note the shape."""
        if self._gpu is not None:
            [pixels] = feed.values()
            _note(gpu=self._gpu, ran=list(pixels.shape))
        return super().run(outputs, feed, *more)
