from __future__ import annotations

import json
import pickle
import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import golden
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from engine_comparison.datasets.sample.photos import read_source
from engine_comparison.errors import UserError
from engine_comparison.images import Frame, decode_batch
from engine_comparison.model import build as build_module
from engine_comparison.model import session as session_module
from engine_comparison.model.build import build, class_labels, main
from engine_comparison.model.contract import read_contract
from engine_comparison.model.session import Device, ModelSession, open_session, read_shape
from engine_comparison.model.weights import read_weights
from engine_comparison.workloads.image_oracle import OracleModel


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
    names = ["labels.json", "model.json", "model.onnx"]
    assert sorted(path.name for path in tmp_path.iterdir()) == names
    for name in names:
        assert (tmp_path / name).read_bytes() == (model_folder / name).read_bytes()


def test_the_image_copies_all_files_that_the_build_imports(tmp_path: Path):
    checkout = Path(__file__).parents[2]
    dockerfile = (checkout / "images/engine/Dockerfile").read_text().replace("\\\n", " ")
    (stage,) = re.findall(r"^FROM environment AS model$(.*?)^FROM ", dockerfile, re.S | re.M)
    for copied in re.findall(r"^COPY (.*)", stage, re.M):
        *sources, target = copied.split()
        into = tmp_path / target.lstrip("/")
        for source in sources:
            if (checkout / source).is_dir():
                shutil.copytree(checkout / source, into)
            else:
                into.mkdir(parents=True, exist_ok=True)
                shutil.copy(checkout / source, into)
    command = [sys.executable, "-m", "engine_comparison.model.build", "--help"]
    folder, alone = tmp_path / "build/package", {"PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(command, cwd=folder, env=alone, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


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


def test_answers_do_not_depend_on_the_batch(session: ModelSession):
    pixels = np.stack([centre(name) for name in KNOWN])
    vectors, (_, confidences) = session.embed(pixels), session.classify(pixels)
    assert (vectors.shape, vectors.dtype) == ((len(KNOWN), 1280), np.float32)
    for at in range(len(pixels)):
        one = pixels[at : at + 1]
        assert (session.embed(one)[0] == vectors[at]).all()
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
    model = {"path": str(model_folder / "model.onnx")}
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


MEAN, DEVIATION = [0.5, 0.25, 0.125], [0.5, 0.25, 0.5]


def write_contract(model: Path, names: list[str] | None = None, **changes: Any) -> None:
    """What stands beside a `float_model`: by default its output `last` is the vector."""
    contract = {
        "layout": "NCHW",
        "size": 32,
        "resize": "bilinear",
        "crop": None,
        "mean": MEAN,
        "standardDeviation": DEVIATION,
        "outputs": {"logits": None, "vector": "last"},
        "labels": names and "names.json",
        "licence": "MIT",
        **changes,
    }
    given = {name: value for name, value in contract.items() if value is not ...}
    model.with_suffix(".json").write_text(json.dumps(given))
    model.with_name("names.json").write_text(json.dumps(names))


def test_a_float_classifier_gets_what_its_contract_says(tmp_path: Path):
    file = tmp_path / "own.onnx"
    float_model(file, {"output": 3})
    write_contract(
        file, ["red", "green", "blue"], outputs={"logits": "output", "vector": None}, crop=0.5
    )
    session = ModelSession(file)
    assert session.frame == Frame(32, 0.5)
    pixels = np.zeros((4, 32, 32, 3), np.uint8)
    pixels[np.arange(3), :, :, np.arange(3)] = 255
    assert session.classify(pixels[:3])[0] == ["red", "green", "blue"]
    with pytest.raises(UserError, match=r"own\.onnx has no vector, by own\.json"):
        session.embed(pixels)


@pytest.mark.parametrize("contracted", [True, False])
def test_an_encoder_gives_the_vector_that_its_contract_names(tmp_path: Path, contracted: bool):
    file = tmp_path / "model.onnx"
    float_model(file, {"other": 4, "last": 5}, batch=2)
    normalised = {} if contracted else {"mean": None, "standardDeviation": None}
    write_contract(file, **normalised)
    session = ModelSession(file)
    assert session.dimension == 5
    vectors = session.embed(np.full((3, 32, 32, 3), 51, np.uint8))
    expected = [-0.6, -0.2, 0.15, 0, 0] if contracted else [51, 51, 51, 0, 0]
    assert vectors == pytest.approx(np.array([expected] * 3), abs=1e-6)
    with pytest.raises(UserError, match="has no logits"):
        session.classify(np.zeros((1, 32, 32, 3), np.uint8))


@pytest.mark.parametrize("crop", [None, 0.5])
def test_the_oracle_reads_the_same_contract_by_its_own_code(tmp_path: Path, crop: float | None):
    file = tmp_path / "model.onnx"
    float_model(file, {"last": 3})
    write_contract(file, crop=crop)
    names = ("rocket.jpg", "coffee.png")
    for photo in map(golden.photograph, names):
        session = ModelSession(file)
        [ours] = session.embed(decode_batch([photo], session.frame).pixels)
        assert ours == pytest.approx(OracleModel({"path": str(file)}).vector(photo), abs=1e-5)


def test_a_crop_is_the_centre_of_a_picture(tmp_path: Path):
    picture = Image.new("RGB", (100, 61))
    picture.paste((255, 255, 255), (35, 15, 65, 45))  # what half of the shorter side leaves
    assert (Frame(16, 0.5).of(picture) == 255).all()
    assert not (Frame(16, 0.6).of(picture) == 255).all()
    assert not (Frame(16).of(picture) == 255).all()


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"layout": "HWC", "size": "32"}, ["layout", "size"]),
        ({"mean": [0.5], "crop": 1.5, "licence": ...}, ["mean", "crop", "'licence' is a required"]),
        ({"outputs": {"logits": "a"}, "sizes": 1}, ["outputs", "'vector' is a required", "sizes"]),
        ({"labels": "../names.json"}, ["labels"]),
        (
            {"mean": None, "outputs": {"logits": None, "vector": None}},
            ["both be lists", "must nam"],
        ),
        ({"labels": "none.json"}, ["without", "No such file"]),
        ({"labels": "own.json"}, ["not a list of names"]),
    ],
)
def test_all_that_is_wrong_in_a_contract_is_named(
    tmp_path: Path, changes: dict[str, Any], named: list[str]
):
    write_contract(tmp_path / "own.onnx", **changes)
    with pytest.raises(UserError) as refused:
        read_contract(tmp_path / "own.onnx")
    assert refused.value.what.startswith("own.json does not say")
    for words in named:
        assert words in refused.value.what


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"layout": "NHWC"}, ['"layout" NHWC and "size" 32 make [n, 32, 32, 3]']),
        (
            {"size": 64, "outputs": {"logits": "last", "vector": "features"}},
            ['"size" 64', "the model has last, deep", '"labels" has 2 classes, and "last" has 3'],
        ),
        ({"outputs": {"logits": "last", "vector": "deep"}}, ["no matrix", "2 classes"]),
    ],
)
def test_all_that_does_not_fit_the_model_is_named(
    tmp_path: Path, changes: dict[str, Any], named: list[str]
):
    file = tmp_path / "model.onnx"
    float_model(file, {"last": 3})
    model = onnx.load(file)
    model.graph.output.append(helper.make_tensor_value_info("deep", TensorProto.FLOAT, None))
    model.graph.output[1].CopyFrom(
        helper.make_tensor_value_info("pooled", TensorProto.FLOAT, ["n", 3, 1, 1])
    )
    model.graph.output[1].name = "deep"
    model.graph.node[0].output[0] = model.graph.node[1].input[0] = "deep"
    onnx.save(model, file)
    write_contract(file, ["a", "b"], **{"outputs": {"logits": "last", "vector": None}, **changes})
    with pytest.raises(UserError) as refused:
        ModelSession(file)
    for words in named:
        assert words in refused.value.what


def test_a_model_with_uint8_normalises_by_itself(tmp_path: Path, model_folder: Path):
    contract = json.loads((model_folder / "model.json").read_text())
    for name in ("model.onnx", "labels.json"):
        (tmp_path / name).symlink_to(model_folder / name)
    (tmp_path / "model.json").write_text(
        json.dumps({**contract, "mean": MEAN, "standardDeviation": DEVIATION})
    )
    with pytest.raises(UserError, match="must be null, since the model takes uint8"):
        ModelSession(tmp_path / "model.onnx")


def test_a_models_files_say_what_its_session_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model_folder: Path
):
    file = tmp_path / "model.onnx"
    float_model(file, {"output": 3, "last": 5})
    write_contract(file, crop=0.9)
    right = ModelSession(file)
    monkeypatch.setattr(session_module, "_open", lambda *_: pytest.fail("opened a session"))
    assert read_shape({"path": str(file)}) == (right.frame, right.dimension) == (Frame(32, 0.9), 5)
    default = read_shape({"path": str(model_folder / "model.onnx")})
    assert default == (Frame(224), 1280)


def test_a_width_that_no_file_says_is_asked_of_a_session(tmp_path: Path):
    file = tmp_path / "model.onnx"
    float_model(file, {"last": 3})
    write_contract(file)
    model = onnx.load(file)
    model.graph.output[0].type.tensor_type.shape.dim[1].dim_param = "width"
    onnx.save(model, file)
    assert read_shape({"path": str(file)}).dimension == 3


def test_what_is_no_model_is_a_users_error(tmp_path: Path):
    file = tmp_path / "model.onnx"
    with pytest.raises(UserError, match="no model"):
        ModelSession(file)
    file.write_text("<html>")
    with pytest.raises(UserError, match=r"model.json does not say .*No such file"):
        ModelSession(file)
    write_contract(file)
    with pytest.raises(UserError, match="cannot load"):
        ModelSession(file)
    with pytest.raises(UserError, match="cannot load"):
        read_shape({"path": str(file)})


def test_without_cuda_a_run_on_cuda_fails_instead_of_using_the_cpu(model_folder: Path):
    import onnxruntime

    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("this ONNX Runtime has CUDA")
    with pytest.raises(UserError, match="no CUDA provider"):
        ModelSession(model_folder / "model.onnx", Device(0))


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
