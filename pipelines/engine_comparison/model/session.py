"""Run the model: one ONNX Runtime session a worker, kept for all its batches."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple

import numpy as np

from ..errors import UserError
from ..images import SIZE

# Mean and deviation of the pixels that a model in float was trained on, of values from 0 to 1.
# ImageNet's: torchvision's reference transforms. CLIP's: openai/CLIP, clip.py, _transform.
_IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
_CLIP = ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711))

# The names under which exporters give the vector of an image, the best one first.
_VECTOR_OUTPUTS = ("image_embeds", "features", "pooler_output", "embeddings", "embedding")


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


def thread_environment(threads: int = 1) -> dict[str, str]:
    """Environment variables that keep native libraries from starting more threads than meant.

    With one worker a core, a library that starts a thread a core takes the other workers' cores.
    """
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    return {name: str(threads) for name in names}


class ModelSession:
    """An ONNX classifier or encoder of images, fed with decoded pixels.

    It takes models whose one input is an image: uint8 [n, height, width, 3] with the normalisation
    inside, as `build` makes them, or float [n, 3, height, width], which is normalised here as
    ImageNet's models expect it (as CLIP's, if there is an output `image_embeds`).

    Attributes:
        size: Side of the square that the model wants, in pixels.
        dimension: Length of the vectors of `embed`; None if the model gives none.
        labels: The classes' names; empty for an encoder.
        runtime: ONNX Runtime's session.
        providers: What ONNX Runtime runs it on, in order.
    """

    def __init__(
        self, path: str | Path, labels: str | Path | None, device: Device = CPU, threads: int = 1
    ) -> None:
        """Load a model.

        Args:
            path: The ONNX file.
            labels: A JSON list of the classes' names; None or no such file for an encoder.
            device: What it runs on. There is no silent way from a GPU to the CPU.
            threads: Threads for one batch.

        Raises:
            UserError: No such file, no CUDA, or a model of another kind.
        """
        self._path = Path(path)
        if not self._path.is_file():
            raise UserError(
                f"There is no model at {path}.",
                "The image workloads need one.",
                "Set modelPath to an ONNX file, or leave it empty for the default model.",
            )
        self.labels = _read_labels(labels)
        self.runtime = _open(self._path, device, threads)
        self._device = device
        self.providers: list[str] = self.runtime.get_providers()
        inputs = self.runtime.get_inputs()
        if len(inputs) != 1 or len(inputs[0].shape) != 4:
            shapes = ", ".join(f"{one.name} {one.shape}" for one in inputs)
            raise self._refuse(f"has the inputs {shapes}", "export only the part that takes images")
        self._input = inputs[0]
        self._outputs = {one.name: one.shape for one in self.runtime.get_outputs()}
        self._channels_last = self._input.type == "tensor(uint8)"
        if not self._channels_last and self._input.type not in ("tensor(float)", "tensor(float16)"):
            raise self._refuse(
                f"takes {self._input.type}", "export it with float32 or uint8 pixels"
            )
        self.size = _side(self._input.shape, self._channels_last)
        self._vector = _vector_output(self._outputs, bool(self.labels))
        self._logits = self._find_logits()
        self.dimension: int | None = self._dimension()

    def configuration(self) -> dict[str, Any]:
        """What ONNX Runtime runs the model with, read back from it."""
        options = self.runtime.get_session_options()
        return {
            "providers": self.runtime.get_providers(),
            **({"gpu": self._device._asdict()} if self._device.gpu is not None else {}),
            "intraOpThreads": options.intra_op_num_threads,
            "interOpThreads": options.inter_op_num_threads,
        }

    def classify(self, pixels: np.ndarray) -> tuple[list[str], np.ndarray]:
        """Choose a label for each image.

        Args:
            pixels: uint8 [n, size, size, 3], RGB; n may be 0.

        Returns:
            n labels, and float32 [n]: the softmax probability of each label.

        Raises:
            UserError: The model is no classifier, or has no list of labels.
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
            UserError: The model is no classifier, or has no list of labels.
        """
        if self._logits is None:
            raise self._refuse(
                f"has no output of {len(self.labels)} classes" if self.labels else "has no labels",
                "set modelPath to a classifier with a labels.json beside it",
            )
        return self._logits

    @property
    def vector_output(self) -> str:
        """The name of the output with a vector for each image.

        Raises:
            UserError: The model gives no vectors.
        """
        if self._vector is None:
            raise self._refuse(
                f"has only the outputs {', '.join(self._outputs)}",
                f"export it with one of the outputs {', '.join(_VECTOR_OUTPUTS)}",
            )
        return self._vector

    def _run(self, output: str, pixels: np.ndarray) -> np.ndarray:
        expected = (self.size, self.size, 3)
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
        if self._channels_last:
            return np.ascontiguousarray(pixels)
        mean, deviation = _CLIP if "image_embeds" in self._outputs else _IMAGENET
        shift, scale = np.array(mean, np.float32), np.array(deviation, np.float32)
        scaled = (pixels.astype(np.float32) / np.float32(255) - shift) / scale
        kind = np.float16 if self._input.type == "tensor(float16)" else np.float32
        return np.ascontiguousarray(scaled.transpose(0, 3, 1, 2), dtype=kind)

    def _find_logits(self) -> str | None:
        if not self.labels:
            return None
        matrices = [name for name, shape in self._outputs.items() if len(shape) == 2]
        exact = [name for name in matrices if self._outputs[name][1] == len(self.labels)]
        open_ended = [n for n in matrices if not isinstance(self._outputs[n][1], int)]
        candidates = exact or [name for name in open_ended if name != self._vector]
        return candidates[0] if candidates else None

    def _dimension(self) -> int | None:
        if self._vector is None:
            return None
        width = self._outputs[self._vector][1]
        if isinstance(width, int):
            return width
        return int(self.embed(np.zeros((1, self.size, self.size, 3), np.uint8)).shape[1])

    def _refuse(self, what: str, do: str) -> UserError:
        return UserError(
            f"The model {self._path.name} {what}.",
            "This workload cannot use it.",
            f"Please {do}.",
        )


def _side(shape: Sequence[Any], channels_last: bool) -> int:
    """The side of the square that a model of this input wants."""
    side = shape[1 if channels_last else 2]
    return side if isinstance(side, int) else SIZE


def _vector_output(outputs: Mapping[str, Sequence[Any]], has_labels: bool) -> str | None:
    """The output with an image's vector: one of the names, else any matrix of an encoder's."""
    known = [name for name in _VECTOR_OUTPUTS if len(outputs.get(name, ())) == 2]
    others = [] if has_labels else [name for name, shape in outputs.items() if len(shape) == 2]
    return next(iter(known + others), None)


class Shape(NamedTuple):
    """What a driver has to know of a model; see `ModelSession`."""

    size: int
    dimension: int | None


def read_shape(model: Mapping[str, str | None]) -> Shape:
    """What a model's file says of it: no session is opened, and so no GPU.

    Args:
        model: `{"path": ..., "labels": ...}`.

    Raises:
        UserError: As for `ModelSession`.
    """
    return _shape_of(str(model["path"]), model.get("labels"))


@lru_cache(maxsize=2)
def _shape_of(path: str, labels: str | None) -> Shape:
    return _shape_in_file(path, bool(_read_labels(labels))) or _shape_of_session(path, labels)


def _shape_in_file(path: str, has_labels: bool) -> Shape | None:
    """The shape as the file states it; None where it does not, or is no such model."""
    import onnx
    from google.protobuf.message import DecodeError

    try:
        graph = onnx.load(path, load_external_data=False).graph
    except (OSError, DecodeError):
        return None
    weights = {one.name for one in graph.initializer}
    images = [one for one in graph.input if one.name not in weights]
    outputs = {one.name: _dimensions(one) for one in graph.output}
    vector = _vector_output(outputs, has_labels)
    width = outputs[vector][1] if vector else None
    if len(images) != 1 or len(_dimensions(images[0])) != 4 or isinstance(width, str):
        return None
    channels_last = images[0].type.tensor_type.elem_type == onnx.TensorProto.UINT8
    return Shape(_side(_dimensions(images[0]), channels_last), width)


def _shape_of_session(path: str, labels: str | None) -> Shape:
    """The shape as a session on the CPU has it, which runs the model where it must."""
    session = ModelSession(path, labels)
    return Shape(session.size, session.dimension)


def _dimensions(value: Any) -> list[int | str]:
    """The shape of an input or output, as ONNX Runtime has it: numbers, and words for any size."""
    sizes = value.type.tensor_type.shape.dim
    return [one.dim_value if one.HasField("dim_value") else one.dim_param for one in sizes]


def _read_labels(path: str | Path | None) -> list[str]:
    if path is None or not Path(path).is_file():
        return []
    labels: list[str] = json.loads(Path(path).read_text(encoding="utf-8"))
    return labels


def _open(path: Path, device: Device, threads: int) -> Any:
    import onnxruntime

    if device.gpu is not None:
        if "CUDAExecutionProvider" not in onnxruntime.get_available_providers():
            raise _no_cuda("the installed ONNX Runtime has no CUDA provider")
        if hasattr(onnxruntime, "preload_dlls"):
            onnxruntime.preload_dlls()  # CUDA's libraries, where they were installed as wheels
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    # Threads that spin while they wait take the cores from the engine's own work.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    options.log_severity_level = 3
    try:
        model = _in_half(path) if device.half and device.gpu is not None else str(path)
        session = onnxruntime.InferenceSession(model, options, providers=[_provider(device)])
    except Exception as error:
        raise UserError(
            f"ONNX Runtime cannot load {path.name} on {device}: {error}",
            "The image workloads need it.",
            "Set modelPath to an ONNX file that this version of ONNX Runtime supports.",
        ) from error
    # A provider that fails to start is left out with no more than a warning.
    if device.gpu is not None and "CUDAExecutionProvider" not in session.get_providers():
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
    return "CUDAExecutionProvider", options


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
def _cached(path: str, labels: str | None, device: Device, threads: int) -> ModelSession:
    return ModelSession(path, labels, device, threads)


def open_session(
    model: Mapping[str, str | None], device: Device = CPU, threads: int = 1
) -> ModelSession:
    """The session of this process for a spec's `model` on a device: loaded once, then kept.

    For workers of engines that call a plain function for each batch.

    Args:
        model: `{"path": ..., "labels": ...}`.
        device: What it runs on.
        threads: Threads for one batch.

    Raises:
        UserError: As for `ModelSession`.
    """
    with _opening:  # threads that ask at once would each load it
        return _cached(str(model["path"]), model.get("labels"), device, threads)
