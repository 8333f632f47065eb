"""What engines, workloads and datasets say of themselves, and what is refused of it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import engine_comparison
from engine_comparison import describe, engines, workloads
from engine_comparison.datasets import make
from engine_comparison.host import PACKAGE_PARENT
from engine_comparison.workloads import image_embeddings, image_predictions
from engine_comparison.workloads.image_workload import ImageWorkload

PACKAGE = Path(engine_comparison.__file__).parent


def test_the_files_of_a_folder_are_its_names():
    assert {"daft", "plain", "polars", "ray", "spark"} <= set(engines.names())
    assert workloads.names() == ["image-embeddings", "image-predictions", "taxi-report"]
    assert describe.names("engine_comparison.datasets") == ["photos", "taxi"]


def test_every_dataset_has_a_module_for_each_of_its_sources():
    for name in describe.names("engine_comparison.datasets"):
        for source in describe.dataset_facts(name).sources:
            assert (Path(make.__file__).parent / source / f"{name}.py").is_file()


def test_the_seed_is_one_workload_of_each_of_three_engines():
    facts = [engines.load(name).facts for name in engines.names()]
    seed = {one.name: one.seed for one in facts if one.seed}
    assert seed == {
        "spark": "taxi-report",
        "ray": "image-predictions",
        "daft": "image-embeddings",
    }
    assert all(one.seed in one.workloads for one in facts if one.seed)
    assert len({one.order for one in facts}) == len(facts)


def test_every_workload_has_one_reference():
    facts = [engines.load(name).facts for name in engines.names()]
    references = [workload for one in facts for workload in one.reference]
    assert sorted(references) == workloads.names()


def test_contenders_with_a_decoder_are_those_of_images():
    for facts in (engines.load(name).facts for name in engines.names()):
        asked = [isinstance(workloads.load(name), ImageWorkload) for name in facts.workloads]
        assert any(asked) == (facts.decoder is not None), facts.name


def test_two_workloads_do_not_write_to_one_place():
    facts = [workloads.load(name).facts for name in workloads.names()]
    assert len({(one.purpose, one.prefix) for one in facts}) == len(facts)


@pytest.mark.parametrize(
    ("name", "decoder", "limit"),
    [
        ("image_predictions", "own", f"{image_predictions.AGREEMENT * 100:.0f} %"),
        ("image_predictions", "own", f"{image_predictions.NEAR} times"),
        ("image_predictions", "pillow", "within 1e-4"),
        ("image_embeddings", "own", f"at least {image_embeddings.COSINE} "),
        ("image_embeddings", "own", f"of at least {image_embeddings.COSINE_FLOOR}."),
        ("image_embeddings", "own", f"{1 - image_embeddings.OUTLIERS:.0%} of".replace("%", " %")),
        ("image_embeddings", "pillow", "within 1e-4"),
        ("taxi_report", "", "within 1e-9"),
    ],
)
def test_the_report_states_the_limits_that_are_in_force(name: str, decoder: str, limit: str):
    said = json.loads((PACKAGE / "workloads" / f"{name}.json").read_text())
    assert limit in said["sentences"]["judged"]
    tolerances = workloads.load(name.replace("_", "-")).tolerances({"decoder": decoder})
    if limit.startswith("within"):
        assert float(limit.removeprefix("within ")) in tolerances.values()


@pytest.mark.parametrize("change", [{"labels": "x"}, {"label": None}])
def test_a_description_with_an_unknown_or_a_missing_key_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: dict[str, Any]
):
    said = json.loads((PACKAGE / "engines" / "spark.json").read_text()) | change
    kept = {key: value for key, value in said.items() if value is not None}
    (tmp_path / "spark.json").write_text(json.dumps(kept))
    monkeypatch.setattr(describe, "files", lambda _: tmp_path)
    with pytest.raises(TypeError, match="label"):
        describe.engine_facts("engine_comparison.engines.spark")


def test_workers_that_get_the_package_as_an_archive_find_the_files_in_it(
    tmp_path: Path, model_folder: Path
):
    archive = shutil.make_archive(
        str(tmp_path / "code"), "zip", PACKAGE_PARENT, "engine_comparison"
    )
    code = (
        f"import sys; sys.path.insert(0, {archive!r}); from engine_comparison import workloads;"
        "from engine_comparison.model.session import open_session;"
        f"open_session({{'path': {str(model_folder / 'model.onnx')!r}}});"
        "print(workloads.load('taxi-report').facts.prefix, workloads.__file__)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.stdout.startswith(f"report {archive}"), done.stderr
