"""What engines, workloads and datasets say of themselves, and what is refused of it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import engine_comparison
from engine_comparison import describe, engines, workloads
from engine_comparison.datasets import make
from engine_comparison.engines import PACKAGE_PARENT
from engine_comparison.errors import UserError
from engine_comparison.workloads import image_embeddings, image_predictions
from engine_comparison.workloads.image_workload import ImageWorkload

PACKAGE = Path(engine_comparison.__file__).parent
TUNABLE = {"name": "a", "value": 1, "default": None, "why": "because", "source": "finding"}
Change = Callable[[dict[str, Any]], Any]


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


def without(key: str) -> Change:
    return lambda said: said.pop(key)


def having(key: str, value: object) -> Change:
    return lambda said: said.update({key: value})


@pytest.fixture
def changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, Change | str], None]:
    """A package of the test's own with one file changed, and the reader pointed to it."""

    def write(file: str, change: Change | str) -> None:
        shutil.copytree(PACKAGE / Path(file).parent, tmp_path / Path(file).parent)
        path = tmp_path / file
        if isinstance(change, str):
            path.write_text(change)
        else:
            said = json.loads(path.read_text())
            change(said)
            path.write_text(json.dumps(said))

        def files(package: str) -> Path:
            return tmp_path.joinpath(*package.split(".")[1:])

        monkeypatch.setattr(describe, "files", files)

    return write


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (without("label"), 'has no "label"'),
        (having("label", 3), 'has 3 as "label", not a string'),
        (having("label", ""), 'has an empty "label"'),
        (having("labels", "x"), 'has an unknown "labels"'),
        (having("name", "spark"), 'has an unknown "name"'),
        (having("settings", "a"), 'has "a" as "settings", not a list of strings'),
        (having("packages", [1]), 'has [1] as "packages", not a list of strings'),
        (having("order", "1"), 'has "1" as "order", not a whole number'),
        (having("order", True), 'has true as "order", not a whole number'),
        (without("engine"), 'has no "engine"'),
        (having("use", "best"), 'has "best" as "use", not one of documented, tuned, other'),
        (having("decoder", "x"), 'has "x" as "decoder", not one of pillow, own'),
        (having("reference", True), 'has true as "reference", not a list of strings'),
        (having("unsupported", {"a": 1}), 'has {"a": 1} as "unsupported", not an object of'),
        (having("corruptImages", True), 'has true as "corruptImages", not a string'),
        (having("noRows", "x"), 'has "x" as "noRows", not an object of strings'),
        (having("guides", []), 'has [] as "guides", not an object of strings'),
        (having("tunables", {}), 'has {} as "tunables", not a list'),
        (having("tunables", [{"name": "a"}]), 'has {"name": "a"} in "tunables", not an object of'),
        (having("tunables", [{**TUNABLE, "value": None}]), 'has {"name": "a", "value": null'),
        (having("tunables", [{**TUNABLE, "why": ""}]), 'has {"name": "a", "value": 1'),
        ("[]", "is not a JSON object"),
        ("{", "is not valid JSON: "),
    ],
)
def test_a_wrong_engine_is_told_by_file_and_key(
    changed: Callable[..., None], change: Change | str, told: str
):
    changed("engines/spark.json", change)
    with pytest.raises(UserError) as raised:
        describe.engine_facts("engine_comparison.engines.spark")
    assert raised.value.what.startswith(f"engine_comparison/engines/spark.json {told}")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (having("purpose", "attic"), 'has "attic" as "purpose", not one of lake, images,'),
        (having("dataset", "trips"), 'has "trips" as "dataset", not one of photos, taxi'),
        (having("unit", "trip"), 'has "trip" as "unit", not an object'),
        (without("sentences"), 'has no "sentences"'),
    ],
)
def test_a_wrong_workload_is_told_by_file_and_key(
    changed: Callable[..., None], change: Change, told: str
):
    changed("workloads/taxi_report.json", change)
    shutil.copytree(PACKAGE / "datasets", describe.files("engine_comparison.datasets"))
    with pytest.raises(UserError) as raised:
        describe.workload_facts("engine_comparison.workloads.taxi_report")
    assert "engine_comparison/workloads/taxi_report.json" in raised.value.what
    assert told in raised.value.what


def test_a_wrong_dataset_is_told_by_file_and_key(changed: Callable[..., None]):
    changed("datasets/taxi.json", having("settings", ["rows"]))
    describe.dataset_facts.cache_clear()
    with pytest.raises(UserError, match=r'datasets/taxi.json has \["rows"\] as "settings"'):
        describe.dataset_facts("taxi")


def test_a_file_that_is_missing_is_told():
    with pytest.raises(UserError, match=r"engines/flink\.json is missing"):
        describe.engine_facts("engine_comparison.engines.flink")


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
