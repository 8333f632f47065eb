"""A job over images: which were answered, which rejected, and a sample of the answers."""

from __future__ import annotations

import pyarrow as pa
import pytest
from pyarrow import fs
from scripted import (
    Job,
    answers_of,
    image_oracle,
    overwrite,
    spec_of,
)

from engine_comparison import workloads
from engine_comparison.errors import UserError
from engine_comparison.objects import list_files, read_bytes
from engine_comparison.workloads.image_inputs import sampled
from engine_comparison.workloads.image_oracle import OracleModel


@pytest.fixture(params=["image-predictions", "image-embeddings"])
def dirty(
    request: pytest.FixtureRequest, store: fs.FileSystem, oracle_model: OracleModel
) -> tuple[str, pa.Table]:
    """A workload and its answers where two images are damaged; its oracle has the reasons."""
    images = [info.path for info in list_files(store, "bucket/images")]
    overwrite(store, images[1], b"")
    store.delete_file(images[4])
    return request.param, answers_of(
        request.param, image_oracle(request.param, oracle_model, store)
    )


def test_rejected_images_are_counted_by_reason(store: fs.FileSystem, dirty: tuple[str, pa.Table]):
    workload, answers = dirty
    spec = spec_of(workload, maxRejected="2")
    result = Job(store, spec, answers).carry_out()
    assert result["rejected"] == 2
    assert result["rejects"] == [
        {"reason": "empty", "count": 1},
        {"reason": "missing", "count": 1},
    ]
    assert (result["rowsIn"], result["rows"]) == (20, 18)


def test_more_rejected_images_than_allowed_are_a_failure(
    store: fs.FileSystem, dirty: tuple[str, pa.Table]
):
    workload, answers = dirty
    spec = spec_of(workload, maxRejected="1")
    with pytest.raises(UserError, match=r"2 images were rejected \(1 empty, 1 missing\)"):
        Job(store, spec, answers).carry_out()


@pytest.fixture(params=["image-predictions", "image-embeddings"])
def sample(
    request: pytest.FixtureRequest, store: fs.FileSystem, oracle_model: OracleModel
) -> tuple[str, pa.Table, list[str]]:
    """A workload, its answers, one image of them damaged, and the images that the oracle has."""
    overwrite(store, list_files(store, "bucket/images")[3].path, b"")
    whole, some = (image_oracle(request.param, oracle_model, store, most) for most in (99, 6))
    judged = some.filter(some["sampled"])["image_url"].to_pylist()
    return request.param, answers_of(request.param, whole), judged


def test_more_images_than_the_oracle_answers_are_judged_by_a_sample(
    store: fs.FileSystem, sample: tuple[str, pa.Table, list[str]]
):
    workload, answers, _ = sample
    result = Job(store, spec_of(workload, maxRejected="1"), answers).carry_out()
    assert (result["sampled"], result["rowsIn"], result["rows"]) == (6, 20, 19)
    assert result["rejects"] == [{"reason": "empty", "count": 1}]
    assert result["checksum"] == workloads.load(workload).checksum(answers, {})


@pytest.mark.parametrize("in_sample", [True, False])
def test_an_image_that_is_missing_is_told_in_the_sample_and_out_of_it(
    store: fs.FileSystem, sample: tuple[str, pa.Table, list[str]], in_sample: bool
):
    workload, answers, judged = sample
    urls = answers["image_url"].to_pylist()
    at = next(n for n, url in enumerate(urls) if (url in judged) == in_sample)
    fewer = pa.concat_tables([answers.slice(0, at), answers.slice(at + 1)])
    twice = pa.concat_tables([answers, answers.slice(at, 1)])
    for table, told in ((fewer, "missing"), (twice, "there more than once")):
        job = Job(store, spec_of(workload, maxRejected="1"), table)
        with pytest.raises(UserError, match=rf"Images differ: '{urls[at]}' {told}"):
            job.carry_out()


@pytest.mark.parametrize("in_sample", [True, False])
@pytest.mark.parametrize("name", ["image-predictions", "image-embeddings"])
def test_an_answer_to_a_rejected_image_is_told_in_the_sample_and_out_of_it(
    store: fs.FileSystem, oracle_model: OracleModel, name: str, in_sample: bool
):
    answers = answers_of(name, image_oracle(name, oracle_model, store))
    urls = answers["image_url"].to_pylist()
    damaged = next(url for url in urls if (url in sampled(urls, 6)) == in_sample)
    path = damaged.removeprefix("s3://")
    overwrite(store, path, (read_bytes(store, path) or b"")[:-2])  # which some decoders take
    image_oracle(name, oracle_model, store, 6)
    job = Job(store, spec_of(name, maxRejected="20"), answers)
    with pytest.raises(UserError, match=f"Images differ: '{damaged}' unexpected"):
        job.carry_out()


def test_a_wrong_answer_in_the_sample_is_told(
    store: fs.FileSystem, sample: tuple[str, pa.Table, list[str]]
):
    workload, answers, _ = sample
    others = pa.concat_tables([answers.slice(1), answers.slice(0, 1)])
    mixed = answers.select([0])
    for name in answers.column_names[1:]:
        mixed = mixed.append_column(answers.schema.field(name), others.column(name))
    with pytest.raises(UserError, match="The output is not right") as raised:
        Job(store, spec_of(workload, maxRejected="1"), mixed).carry_out()
    assert raised.value.outcome == "wrong"


def test_an_image_left_out_without_a_reason_is_a_wrong_answer(
    store: fs.FileSystem, dirty: tuple[str, pa.Table]
):
    workload, answers = dirty
    spec = spec_of(workload, maxRejected="20")
    with pytest.raises(UserError, match="missing"):
        Job(store, spec, answers.slice(1)).carry_out()


def test_an_image_that_was_damaged_after_the_oracle_is_told_as_rejected(
    store: fs.FileSystem, oracle_model: OracleModel
):
    name = "image-predictions"
    answers = answers_of(name, image_oracle(name, oracle_model, store))
    overwrite(store, list_files(store, "bucket/images")[0].path, b"")
    job = Job(store, spec_of(name), answers.slice(1))
    with pytest.raises(UserError, match=r"Images differ: .* 1 rejected as empty, not 0"):
        job.carry_out()
