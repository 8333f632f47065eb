from __future__ import annotations

import json
import pickle
from collections import Counter
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from engine_comparison.datasets.sample.photos import read_source
from engine_comparison.errors import UserError
from engine_comparison.model import build as build_module
from engine_comparison.model import session as session_module
from engine_comparison.model.build import build, class_labels, main
from engine_comparison.model.session import Device, ModelSession, open_session, read_shape
from engine_comparison.model.weights import read_weights


def centre(name: str) -> np.ndarray:
    photograph = read_source(name)
    width, height = photograph.size
    side = min(width, height)
    left, top = (width - side) // 2, (height - side) // 2
    square = photograph.resize(
        (224, 224), Image.Resampling.BILINEAR, box=(left, top, left + side, top + side)
    )
    return np.asarray(square)


# The first rows are right; a motorcycle and a dahlia have no class, and get the nearest one.
KNOWN = {
    "coffee": "espresso",
    "rocket": "missile",
    "china": "palace",
    "chelsea": "Egyptian cat",
    "motorcycle": "moped",
    "flower": "daisy",
}


def test_two_builds_are_equal_byte_for_byte(tmp_path: Path, model_folder: Path):
    build(tmp_path)
    for name in ("model.onnx", "labels.json"):
        assert (tmp_path / name).read_bytes() == (model_folder / name).read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["labels.json", "model.onnx"]


def test_a_model_with_another_hash_is_not_written(tmp_path: Path, monkeypatch, capsys):
    monkeypatch.setitem(build_module.PINS, "model.onnx", "0" * 64)
    assert main(["--out", str(tmp_path)]) == 1
    assert "not comparable" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_the_labels_are_a_thousand_different_names():
    labels = class_labels()
    assert len(labels) == 1000
    assert Counter(labels).most_common(1)[0][1] == 1
    assert (labels[0], labels[134], labels[517]) == ("tench", "crane (134)", "crane (517)")


def test_known_photographs_get_their_labels(session: ModelSession):
    labels, confidences = session.classify(np.stack([centre(name) for name in KNOWN]))
    assert dict(zip(KNOWN, labels, strict=True)) == KNOWN
    assert confidences[0] == pytest.approx(0.95, abs=0.02)


def test_answers_do_not_depend_on_the_batch_or_the_threads(
    session: ModelSession, model_folder: Path
):
    pixels = np.stack([centre(name) for name in KNOWN])
    vectors, (_, confidences) = session.embed(pixels), session.classify(pixels)
    assert (vectors.shape, vectors.dtype) == ((len(KNOWN), 1280), np.float32)
    two = ModelSession(model_folder / "model.onnx", model_folder / "labels.json", threads=2)
    for at in range(len(pixels)):
        one = pixels[at : at + 1]
        assert (session.embed(one)[0] == vectors[at]).all()
        assert (two.embed(one)[0] == vectors[at]).all()
        assert session.classify(one)[1][0] == confidences[at]


def test_confidence_is_the_softmax_of_the_chosen_label(session: ModelSession):
    pixels = centre("coffee")[None]
    likelihoods = session.likelihoods(pixels)[0]
    softmax = likelihoods / likelihoods.sum()
    assert session.classify(pixels)[1][0] == pytest.approx(softmax.max(), rel=1e-6)


def test_an_empty_batch_has_empty_answers(session: ModelSession):
    nothing = np.empty((0, 224, 224, 3), np.uint8)
    labels, confidences = session.classify(nothing)
    assert (labels, confidences.shape, session.embed(nothing).shape) == ([], (0,), (0, 1280))


def test_pixels_of_another_shape_are_refused(session: ModelSession):
    with pytest.raises(ValueError, match="uint8"):
        session.embed(np.zeros((1, 224, 224, 3), np.float32))
    with pytest.raises(ValueError, match="uint8"):
        session.embed(np.zeros((1, 3, 224, 224), np.uint8))


def test_a_process_has_one_session_for_a_model(model_folder: Path):
    model = {"path": str(model_folder / "model.onnx"), "labels": str(model_folder / "labels.json")}
    assert open_session(model) is open_session(dict(model))


def float_model(path: Path, outputs: dict[str, int], batch: int | str = "n", size: int = 32):
    """A model in the layout of PyTorch's exports: the mean of each plane, and a few products."""
    info = helper.make_tensor_value_info
    nodes = [
        helper.make_node("GlobalAveragePool", ["x"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["means"]),
    ]
    constants = []
    for name, width in outputs.items():
        weights = np.eye(3, width, dtype=np.float32)
        constants.append(numpy_helper.from_array(weights, f"{name}.weight"))
        nodes.append(helper.make_node("MatMul", ["means", f"{name}.weight"], [name]))
    graph = helper.make_graph(
        nodes,
        "test",
        [info("x", TensorProto.FLOAT, [batch, 3, size, size])],
        [info(name, TensorProto.FLOAT, [batch, width]) for name, width in outputs.items()],
        constants,
    )
    opset = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=8), path)


def test_a_float_classifier_gets_planes_normalised_as_for_imagenet(tmp_path: Path):
    float_model(tmp_path / "model.onnx", {"output": 3})
    (tmp_path / "labels.json").write_text(json.dumps(["red", "green", "blue"]))
    session = ModelSession(tmp_path / "model.onnx", tmp_path / "labels.json")
    assert session.size == 32
    pixels = np.zeros((4, 32, 32, 3), np.uint8)
    pixels[np.arange(3), :, :, np.arange(3)] = 255
    assert session.classify(pixels[:3])[0] == ["red", "green", "blue"]
    with pytest.raises(UserError, match="only the outputs output"):
        session.embed(pixels)


def test_an_encoder_like_clip_gives_its_image_vector(tmp_path: Path):
    float_model(tmp_path / "model.onnx", {"image_embeds": 3, "last": 5}, batch=2)
    session = ModelSession(tmp_path / "model.onnx", None)
    assert session.dimension == 3
    black = session.embed(np.zeros((3, 32, 32, 3), np.uint8))
    assert black.shape == (3, 3)
    assert black[2] == pytest.approx([-0.48145466 / 0.26862954, -1.7521, -1.4802], abs=1e-3)
    with pytest.raises(UserError, match="has no labels"):
        session.classify(np.zeros((1, 32, 32, 3), np.uint8))


@pytest.mark.parametrize("labels", [None, ["a", "b", "c"]])
@pytest.mark.parametrize(
    "outputs", [{"output": 3}, {"image_embeds": 3, "last": 5}, {"last": 3, "features": 4}]
)
def test_a_models_file_says_what_its_session_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, outputs: dict[str, int], labels: list[str]
):
    file = tmp_path / "model.onnx"
    float_model(file, outputs)
    (tmp_path / "labels.json").write_text(json.dumps(labels or []))
    right = ModelSession(file, tmp_path / "labels.json")
    monkeypatch.setattr(session_module, "_open", lambda *_: pytest.fail("opened a session"))
    shape = read_shape({"path": str(file), "labels": str(tmp_path / "labels.json")})
    assert shape == (right.size, right.dimension)


def test_the_default_models_file_says_its_shape(model_folder: Path):
    assert read_shape({"path": str(model_folder / "model.onnx"), "labels": None}) == (224, 1280)


def test_a_width_that_no_file_says_is_asked_of_a_session(tmp_path: Path):
    file = tmp_path / "model.onnx"
    float_model(file, {"image_embeds": 3})
    model = onnx.load(file)
    model.graph.output[0].type.tensor_type.shape.dim[1].dim_param = "width"
    onnx.save(model, file)
    assert read_shape({"path": str(file)}) == (32, 3)


def test_what_is_no_model_has_no_shape(tmp_path: Path):
    with pytest.raises(UserError, match="There is no model"):
        read_shape({"path": str(tmp_path / "none.onnx")})
    (tmp_path / "model.onnx").write_text("<html>")
    with pytest.raises(UserError, match="cannot load"):
        read_shape({"path": str(tmp_path / "model.onnx")})


def test_what_is_no_model_is_a_users_error(tmp_path: Path):
    with pytest.raises(UserError, match="no model"):
        ModelSession(tmp_path / "model.onnx", None)
    (tmp_path / "model.onnx").write_text("<html>")
    with pytest.raises(UserError, match="cannot load"):
        ModelSession(tmp_path / "model.onnx", None)


def test_without_cuda_a_run_on_cuda_fails_instead_of_using_the_cpu(model_folder: Path):
    import onnxruntime

    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("this ONNX Runtime has CUDA")
    with pytest.raises(UserError, match="no CUDA provider"):
        ModelSession(model_folder / "model.onnx", None, Device(0))


class Evil:
    def __reduce__(self):
        return print, ("called",)


def test_a_weights_file_cannot_call_anything(tmp_path: Path, capsys):
    path = tmp_path / "weights.pth"
    head = pickle.dumps(0x1950A86A20F9469CFC6C) + pickle.dumps(1001) + pickle.dumps({})
    path.write_bytes(head + pickle.dumps(Evil()))
    with pytest.raises(pickle.UnpicklingError, match="no place in a weights file"):
        read_weights(path)
    assert capsys.readouterr().out == ""
    path.write_bytes(pickle.dumps("something else"))
    with pytest.raises(pickle.UnpicklingError, match="legacy format"):
        read_weights(path)
