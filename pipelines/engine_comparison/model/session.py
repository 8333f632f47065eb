"""Run the model: one ONNX Runtime session a worker, kept for all its batches."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple

import numpy as np

from ..errors import UserError
from ..images import Frame
from .contract import Tensor, read_contract


class Device(NamedTuple):
    """What a session runs on.

    Attributes:
        gpu: The GPU's number in this process; None: the CPU.
        batch: Images of each run on a GPU: fewer are filled up, and what comes of that is dropped,
            because cuDNN looks for its algorithms anew for each shape. A CPU would compute it.
        half: Whether a GPU computes in 16-bit floats.
    """

    gpu: int | None = None
    batch: int | None = None
    half: bool = False

    def __str__(self) -> str:
        return "the CPU" if self.gpu is None else f"GPU {self.gpu}"


CPU = Device()
_CUDA = "CUDAExecutionProvider"


ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
"""Environment variables that keep native libraries to one thread each.

With one worker a core, a library that starts a thread a core takes the other workers' cores.
"""


class ModelSession:
    """An ONNX classifier or encoder of images, fed with decoded pixels.

    It takes models whose one input is an image, and feeds them as their `contract` says.

    Attributes:
        frame: What of a picture the model sees, and how large.
        dimension: Length of the vectors of `embed`; None if the model gives none.
        labels: The classes' names; empty for an encoder.
        runtime: ONNX Runtime's session.
        providers: What ONNX Runtime runs it on, in order.
    """

    def __init__(self, path: str | Path, device: Device = CPU) -> None:
        """Load a model.

        Args:
            path: The ONNX file, with its contract beside it.
            device: What it runs on. There is no silent way from a GPU to the CPU.

        Raises:
            UserError: No such file, no CUDA, or a model of another kind than its contract says.
        """
        self._path = Path(path)
        if not self._path.is_file():
            raise UserError(
                f"There is no model at {path}.",
                "The image workloads need one.",
                "Set modelPath to an ONNX file, or leave it empty for the default model.",
            )
        self._contract = read_contract(self._path)
        self.frame, self.labels = self._contract.frame, self._contract.labels
        self.runtime = _open(self._path, device)
        self._device = device
        self.providers: list[str] = self.runtime.get_providers()
        inputs, outputs = map(_tensors, (self.runtime.get_inputs(), self.runtime.get_outputs()))
        self._contract.check(inputs, outputs)
        [self._input] = inputs
        self._outputs = {one.name: one.shape for one in outputs}
        self.dimension: int | None = self._dimension()

    def configuration(self) -> dict[str, Any]:
        """What ONNX Runtime runs the model with, read back from it."""
        options = self.runtime.get_session_options()
        return {
            "providers": self.runtime.get_providers(),
            **self._on_gpu(),
            "intraOpThreads": options.intra_op_num_threads,
            "interOpThreads": options.inter_op_num_threads,
        }

    def _on_gpu(self) -> dict[str, Any]:
        """The GPU, and all options of CUDA in effect; nothing on the CPU."""
        if self._device.gpu is None:
            return {}
        return {"gpu": self._device._asdict(), "cuda": self.runtime.get_provider_options()[_CUDA]}

    def classify(self, pixels: np.ndarray) -> tuple[list[str], np.ndarray]:
        """Choose a label for each image.

        Args:
            pixels: uint8 [n, size, size, 3], RGB; n may be 0.

        Returns:
            n labels, and float32 [n]: the softmax probability of each label.

        Raises:
            UserError: The model is no classifier.
        """
        likelihoods = self.likelihoods(pixels)
        best = likelihoods.argmax(axis=1) if len(likelihoods) else []
        confidences = (1.0 / likelihoods.sum(axis=1)).astype(np.float32)
        return [self.labels[at] for at in best], confidences

    def likelihoods(self, pixels: np.ndarray) -> np.ndarray:
        """How likely each label is, as a share of the most likely one.

        Args:
            pixels: As for `classify`.

        Returns:
            float64 [n, classes] in (0, 1]; divided by its sum, a row is the softmax.

        Raises:
            UserError: As `classify`.
        """
        logits = self._run(self.logits_output, pixels)
        if len(logits) == 0:
            return np.empty((0, len(self.labels)))
        # The largest logit is taken off first: nothing overflows, and its share is exactly 1.
        shares: np.ndarray = np.exp(logits - logits.max(axis=1, keepdims=True), dtype=np.float64)
        return shares

    def embed(self, pixels: np.ndarray) -> np.ndarray:
        """Give the vector of each image.

        Args:
            pixels: uint8 [n, size, size, 3], RGB; n may be 0.

        Returns:
            float32 [n, dimension].

        Raises:
            UserError: The model gives no vectors.
        """
        return self._run(self.vector_output, pixels)

    @property
    def logits_output(self) -> str:
        """The name of the output with a number for each class.

        Raises:
            UserError: The model is no classifier.
        """
        return self._output("logits", self._contract.logits)

    @property
    def vector_output(self) -> str:
        """The name of the output with a vector for each image.

        Raises:
            UserError: The model gives no vectors.
        """
        return self._output("vector", self._contract.vector)

    def _output(self, key: str, name: str | None) -> str:
        if name is None:
            raise UserError(
                f"The model {self._path.name} has no {key}, by {self._contract.file.name}.",
                "This workload asks for them.",
                f"Name that output of the model there (it has {', '.join(self._outputs)}), or take "
                "the workload out of `workloads`.",
            )
        return name

    def _run(self, output: str, pixels: np.ndarray) -> np.ndarray:
        expected = (self.frame.size, self.frame.size, 3)
        if pixels.dtype != np.uint8 or pixels.shape[1:] != expected:
            raise ValueError(
                f"pixels are {pixels.dtype} {pixels.shape}, not uint8 [n, *{expected}]"
            )
        fixed = self._input.shape[0]
        step = fixed if isinstance(fixed, int) else self._device.batch or max(1, len(pixels))
        parts = []
        for start in range(0, len(pixels), step):
            part = pixels[start : start + step]
            # Where the batch is fixed, the last one is filled up, and the rest of its answers cut.
            filled = np.concatenate([part, np.zeros((step - len(part), *expected), np.uint8)])
            feed = {self._input.name: self._prepare(filled if len(part) < step else part)}
            parts.append(self.runtime.run([output], feed)[0][: len(part)])
        if not parts:
            width = self._outputs[output][1]
            return np.empty((0, width if isinstance(width, int) else 0), np.float32)
        return np.concatenate(parts).astype(np.float32, copy=False)

    def _prepare(self, pixels: np.ndarray) -> np.ndarray:
        values: np.ndarray = pixels
        if self._contract.normalisation is not None:
            mean, deviation = (np.array(of, np.float32) for of in self._contract.normalisation)
            values = (pixels.astype(np.float32) / np.float32(255) - mean) / deviation
        if not self._contract.channels_last:
            values = values.transpose(0, 3, 1, 2)
        kind = {"uint8": np.uint8, "float16": np.float16}.get(self._input.type, np.float32)
        return np.ascontiguousarray(values, dtype=kind)

    def _dimension(self) -> int | None:
        if self._contract.vector is None:
            return None
        width = self._outputs[self._contract.vector][1]
        if isinstance(width, int):
            return width
        side = self.frame.size
        return int(self.embed(np.zeros((1, side, side, 3), np.uint8)).shape[1])


def _tensors(described: list[Any]) -> list[Tensor]:
    """Inputs or outputs as ONNX Runtime describes them."""
    return [
        Tensor(one.name, one.type.removeprefix("tensor(").removesuffix(")"), one.shape)
        for one in described
    ]


class Shape(NamedTuple):
    """What a driver has to know of a model; see `ModelSession`."""

    frame: Frame
    dimension: int | None


def read_shape(model: Mapping[str, str]) -> Shape:
    """What a model's files say of it: no session is opened, and so no GPU.

    Args:
        model: `{"path": ...}`.

    Raises:
        UserError: As for `ModelSession`.
    """
    return _shape_of(model["path"])


@lru_cache(maxsize=2)
def _shape_of(path: str) -> Shape:
    contract = read_contract(path)
    if contract.vector is None:
        return Shape(contract.frame, None)
    width = _width_in_file(path, contract.vector)
    return Shape(contract.frame, width or ModelSession(path).dimension)


def _width_in_file(path: str, output: str) -> int | None:
    """The width of an output as the model's file states it, or None.

    Then a session on the CPU says it, or why there is none.
    """
    import onnx
    from google.protobuf.message import DecodeError

    try:
        outputs = onnx.load(path, load_external_data=False).graph.output
    except (OSError, DecodeError):
        return None
    [*_, width] = [
        size.dim_value
        for one in outputs
        if one.name == output
        for size in one.type.tensor_type.shape.dim
    ] or [0]
    return int(width) or None


def _open(path: Path, device: Device) -> Any:
    import onnxruntime

    if device.gpu is not None:
        if _CUDA not in onnxruntime.get_available_providers():
            raise _no_cuda("the installed ONNX Runtime has no CUDA provider")
        if hasattr(onnxruntime, "preload_dlls"):
            onnxruntime.preload_dlls()  # CUDA's libraries, where they were installed as wheels
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # there is a worker a core
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    # Threads that spin while they wait take the cores from the engine's own work.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    options.log_severity_level = 3
    try:
        model = _in_half(path) if device.half and device.gpu is not None else str(path)
        # By default a session whose GPU fails, when it opens or later, goes on on the CPU.
        session = onnxruntime.InferenceSession(
            model, options, providers=[_provider(device)], enable_fallback=0
        )
    except Exception as error:
        do = "Set modelPath to an ONNX file that this version of ONNX Runtime supports."
        if device.gpu is not None:
            do = f"See that no other program holds the memory of {device} (nvidia-smi). {do}"
        raise UserError(
            f"ONNX Runtime cannot load {path.name} on {device}: {error}",
            "The image workloads need it.",
            do,
        ) from error
    # A provider that fails to start is left out with no more than a warning.
    if device.gpu is not None and _CUDA not in session.get_providers():
        raise _no_cuda("the CUDA provider did not start; the log says which library is missing")
    return session


def _provider(device: Device) -> str | tuple[str, dict[str, str]]:
    """ONNX Runtime's provider and its options, see its page on the CUDA execution provider.

    It tries all of cuDNN's algorithms by default, seconds for each shape; copies stay in the
    stream that computes, because those beside it can race (microsoft/onnxruntime#4829).
    """
    if device.gpu is None:
        return "CPUExecutionProvider"
    options = {"device_id": str(device.gpu), "cudnn_conv_algo_search": "HEURISTIC"}
    return _CUDA, options


def _in_half(path: Path) -> bytes:
    """A model that computes in 16-bit floats, with the inputs and outputs that it had."""
    import onnx
    from onnxruntime.transformers.float16 import convert_float_to_float16

    model = convert_float_to_float16(onnx.load(path), keep_io_types=True)
    converted: bytes = model.SerializeToString()
    return converted


def _no_cuda(what: str) -> UserError:
    return UserError(
        f"The device is cuda, and {what}.",
        "A run on the CPU instead would be published as one on a GPU.",
        "See that nvidia-smi lists the GPU with a driver for CUDA 12, or set gpu to off.",
    )


_opening = Lock()


@lru_cache(maxsize=16)
def _cached(path: str, device: Device) -> ModelSession:
    return ModelSession(path, device)


def open_session(model: Mapping[str, str], device: Device = CPU) -> ModelSession:
    """The session of this process for a spec's `model` on a device: loaded once, then kept.

    For workers of engines that call a plain function for each batch.

    Args:
        model: `{"path": ...}`.
        device: What it runs on.

    Raises:
        UserError: As for `ModelSession`.
    """
    with _opening:  # threads that ask at once would each load it
        return _cached(model["path"], device)
