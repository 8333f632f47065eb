"""Sessions of the model on GPUs: what ONNX Runtime is asked, and how threads share them."""

from __future__ import annotations

import weakref
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from test_model import float_model, write_contract

from engine_comparison.batches import ModelTask, Sessions
from engine_comparison.errors import UserError
from engine_comparison.model import session as sessions
from engine_comparison.model.session import CPU, Device, ModelSession
from engine_comparison.placement import Holder, Placement


class Runtime:
    """As much of ONNX Runtime as opening a session touches; keeps what it is asked for."""

    def __init__(self) -> None:
        self.asked: list[Any] = []

    def session(self, model: Any, options: Any, providers: list[Any], **more: Any) -> Any:
        assert more == {"enable_fallback": 0}
        self.asked.append((model, providers))
        return self

    def get_providers(self) -> list[str]:
        return ["CUDAExecutionProvider", "CPUExecutionProvider"]


@pytest.fixture
def runtime(monkeypatch: pytest.MonkeyPatch) -> Runtime:
    import onnxruntime

    double = Runtime()
    monkeypatch.setattr(onnxruntime, "get_available_providers", double.get_providers)
    monkeypatch.setattr(onnxruntime, "preload_dlls", lambda: None, raising=False)
    monkeypatch.setattr(onnxruntime, "InferenceSession", double.session)
    return double


def test_a_session_on_a_gpu_searches_no_algorithm_exhaustively(runtime: Runtime, tmp_path: Path):
    sessions._open(tmp_path / "m", Device(1, 32))
    sessions._open(tmp_path / "m", CPU)
    (_, [(provider, options)]), (_, on_cpu) = runtime.asked
    assert provider == "CUDAExecutionProvider"
    assert options == {"device_id": "1", "cudnn_conv_algo_search": "HEURISTIC"}
    assert on_cpu == ["CPUExecutionProvider"]


def test_a_gpu_that_fails_is_not_replaced_by_the_cpu(model_folder: Path):
    from onnxruntime.capi.onnxruntime_pybind11_state import EPFail

    class Failing:
        def run(self, *_: Any) -> None:
            raise EPFail("CUDA failure 2: out of memory")

    session = ModelSession(model_folder / "model.onnx")
    session.runtime._sess = Failing()
    with pytest.raises(EPFail, match="out of memory"):
        session.embed(np.zeros((1, 224, 224, 3), np.uint8))


def test_a_gpu_without_memory_for_the_model_is_named(
    runtime: Runtime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    import onnxruntime

    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError("CUDA failure 2: out of memory")

    monkeypatch.setattr(onnxruntime, "InferenceSession", fail)
    with pytest.raises(UserError, match=r"on GPU 1: CUDA failure 2: out of memory") as refused:
        sessions._open(tmp_path / "m", Device(1, 32))
    assert "no other program holds the memory of GPU 1" in refused.value.do


def test_the_configuration_has_what_cuda_was_given(
    model_folder: Path, monkeypatch: pytest.MonkeyPatch
):
    on_cpu = ModelSession(model_folder / "model.onnx")
    assert "cuda" not in on_cpu.configuration()
    given = {"CUDAExecutionProvider": {"cudnn_conv_algo_search": "HEURISTIC"}}
    monkeypatch.setattr(on_cpu.runtime, "get_provider_options", lambda: given)
    monkeypatch.setattr(sessions, "_open", lambda *_: on_cpu.runtime)
    configuration = ModelSession(model_folder / "model.onnx", Device(1, 4, True)).configuration()
    assert configuration["gpu"] == {"gpu": 1, "batch": 4, "half": True}
    assert configuration["cuda"] == {"cudnn_conv_algo_search": "HEURISTIC"}


def test_half_precision_is_for_gpus_and_keeps_the_models_inputs_and_outputs(
    runtime: Runtime, model_folder: Path
):
    import onnx

    path = model_folder / "model.onnx"
    sessions._open(path, Device(0, 32, half=True))
    sessions._open(path, Device(None, None, half=True))
    (halved, _), (whole, _) = runtime.asked
    assert whole == str(path)
    before, after = onnx.load(path).graph, onnx.load_from_string(halved).graph
    assert [*after.input, *after.output] == [*before.input, *before.output]
    kinds = {one.data_type for one in after.initializer}
    assert onnx.TensorProto.FLOAT16 in kinds
    assert onnx.TensorProto.FLOAT not in kinds
    assert len(halved) < 0.6 * path.stat().st_size


@pytest.mark.parametrize("floats", [False, True])
def test_a_gpu_gets_batches_of_one_shape_and_a_cpu_those_that_there_are(
    model_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, floats: bool
):
    path = model_folder / "model.onnx"
    if floats:
        path = tmp_path / "model.onnx"
        float_model(path, {"last": 3}, batch="n")
        write_contract(path)
    runtime, ran = ModelSession(path).runtime, list[tuple[int, ...]]()

    class Noting:
        def __getattr__(self, name: str) -> Any:
            return getattr(runtime, name)

        def run(self, outputs: list[str], feed: dict[str, np.ndarray]) -> Any:
            ran.extend(array.shape for array in feed.values())
            return runtime.run(outputs, feed)

    monkeypatch.setattr(sessions, "_open", lambda *_: Noting())
    on_cpu, on_gpu = ModelSession(path), ModelSession(path, Device(0, 4))
    side = on_cpu.frame.size
    pixels = np.random.default_rng(1).integers(0, 255, (6, side, side, 3), np.uint8)
    np.testing.assert_allclose(on_gpu.embed(pixels), on_cpu.embed(pixels), atol=1e-5)
    image = (3, side, side) if floats else (side, side, 3)
    assert ran == [(4, *image), (4, *image), (6, *image)]


class Task(ModelTask):
    """A task whose sessions are names."""

    def session(self, worker: int = 0) -> Any:
        return f"session {worker}"


def test_threads_of_a_process_have_a_gpus_session_one_at_a_time_and_share_a_cpus():
    on_gpus = Sessions(Task({}, {}, Placement(2, Holder.JOB), ""))
    with on_gpus.one() as first, on_gpus.one() as second:
        assert {first, second} == {"session 0", "session 1"}
    with on_gpus.one() as again:
        assert again == second  # the one that was given back first
    on_cpu = Sessions(Task({}, {}, Placement(2), ""))
    with on_cpu.one() as first, on_cpu.one() as second:
        assert (first, second) == ("session 0", "session 0")


def test_sessions_that_a_query_opened_are_closed_when_the_next_one_opens_its_own():
    class Opened:
        """In the place of a session."""

    class Fresh(ModelTask):
        def fresh_session(self, worker: int = 0) -> Any:
            return Opened()

    task = Fresh({}, {}, Placement(2, Holder.FRESH), "")
    queries = [type("Model", (), {}) for _ in range(2)]
    first = Sessions.of(queries[0], task)
    opened = [weakref.ref(one) for one in first._all]
    assert Sessions.of(queries[0], task) is first
    assert [one() is None for one in opened] == [False, False]
    second = Sessions.of(queries[1], task)
    assert [one() is None for one in opened] == [True, True]
    with second.one() as session:
        assert isinstance(session, Opened)
