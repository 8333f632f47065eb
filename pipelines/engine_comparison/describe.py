"""What an engine, a workload or a dataset says of itself: a JSON file beside its Python file.

The program that starts the jobs reads the same files, without Python, and checks them before any
job starts (results/catalog.ts). A file's name is the name of what it describes, with underscores
for dashes; the classes below say what it may have.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.resources import files
from typing import Any

_DATASETS = f"{__package__}.datasets"

Scalar = str | int | float | bool
"""The value of a tunable."""


@dataclass(frozen=True)
class Tunable:
    """One departure of a contender from what its engine does by default.

    Attributes:
        name: The engine's own name of it, where it has one.
        value: What the contender sets; `--config tunables` may override it.
        default: What the engine has without it; None where it has nothing.
        why: The reason, in one line.
        source: A link, or the page of a finding that shows it.
    """

    name: str
    value: Scalar
    default: Scalar | None
    why: str
    source: str


@dataclass(frozen=True)
class EngineFacts:
    """What a contender's file says: an engine that is used in one way.

    Attributes:
        name: That of its file.
        label: The name as people write it.
        engine: The engine, whose contenders are a family: `ray-tuned` is of `ray`. They may import
            from each other.
        use: `documented` as the engine's guide has it, `tuned`, or `other`.
        cluster: What it computes on besides the job's process: `none`, `spark` or `ray`, or the
            name of a setting with one of these as its value (and `native` for `none`). Decides
            where its jobs run, which services' memory and CPU are its, and its cores.
        settings: Names of the settings that are inputs of its runs alone.
        packages: The distributions whose versions a result states.
        workloads: Those it has a method for.
        decoder: What it decodes images with: `pillow` means that its answers are compared exactly,
            `own` within a tolerance. None without an image workload.
        unsupported: Workloads that the engine cannot do, and why, in one line.
        corrupt_images: Why it does not survive a corrupt image; None if it does.
        checksums: Why it does not write to a store that takes no checksums; None if it does.
        long_texts: Why it does not survive a PNG with texts or a profile that Pillow refuses for
            being long or broken; None if it does.
        hidden_names: Why it does not see images whose names begin with `_` or a dot; None if it
            does.
        no_rows: Why it does not survive a dataset without rows, by workload; none if it does.
        guides: The page of the engine's documentation that each workload's method follows.
        tunables: What it sets that the engine does not by default.
        seed: The one of its workloads that is computed with `matrix: seed`.
        order: Where it is listed; without one, behind those that have one, by name.
        reference: The workloads in which the others are compared with it.
    """

    name: str
    label: str
    engine: str
    use: str
    cluster: str = "none"
    settings: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()
    workloads: tuple[str, ...] = ()
    decoder: str | None = None
    unsupported: Mapping[str, str] = field(default_factory=dict)
    corrupt_images: str | None = None
    checksums: str | None = None
    long_texts: str | None = None
    hidden_names: str | None = None
    no_rows: Mapping[str, str] = field(default_factory=dict)
    guides: Mapping[str, str] = field(default_factory=dict)
    tunables: tuple[Tunable, ...] = ()
    seed: str | None = None
    order: int | None = None
    reference: tuple[str, ...] = ()


@dataclass(frozen=True)
class WorkloadFacts:
    """What a workload's file says. Its `unit`, `sentences` and `usualSeconds` are not for jobs.

    Attributes:
        name: As in `image-predictions`.
        title: As people write it.
        dataset: The name of what it reads.
        purpose: What the bucket of the output is for, `lake`, `images`, `warehouse` or `output`.
        prefix: Of the output in that bucket, without slashes at the ends.
        question: Names of the settings that decide what the right answer is, and `model` if the
            model's file does.
        manner: Names of the settings that only decide how a run gets there.
        order: Where it is listed; without one, behind those that have one, by name.
    """

    name: str
    title: str
    dataset: str
    purpose: str
    prefix: str
    question: tuple[str, ...] = ()
    manner: tuple[str, ...] = ()
    order: int | None = None


@dataclass(frozen=True)
class DatasetFacts:
    """What a dataset's file says.

    Attributes:
        name: That of the module in each source's folder.
        title: As people write it.
        bucket: What its bucket is for, `lake`, `images`, `warehouse` or `output`.
        owns: The prefixes there that belong to it alone.
        sources: Where it can be had from. What its settings are with each, and where their values
            come from, is for the program that starts the jobs.
    """

    name: str
    title: str
    bucket: str
    owns: tuple[str, ...]
    sources: tuple[str, ...]


def engine_facts(module: str) -> EngineFacts:
    """What is beside an engine's module; give it `__name__`.

    Raises:
        OSError: There is no such file.
        TypeError: It lacks a key, or has an unknown one.
    """
    fields = _read(module)
    tunables = tuple(Tunable(**one) for one in fields.pop("tunables", ()))
    return EngineFacts(**fields, tunables=tunables)


def workload_facts(module: str) -> WorkloadFacts:
    """What is beside a workload's module; give it `__name__`.

    Raises:
        OSError: There is no such file.
        TypeError: It lacks a key, or has an unknown one.
    """
    fields = _read(module)
    for key in ("unit", "sentences", "usual_seconds"):  # for the report
        del fields[key]
    return WorkloadFacts(**fields)


@lru_cache
def dataset_facts(name: str) -> DatasetFacts:
    """What the file of a dataset says.

    Raises:
        OSError: There is no such file.
        TypeError: It lacks a key, or has an unknown one.
    """
    fields = _read(f"{_DATASETS}.{name.replace('-', '_')}")
    sources = tuple(fields.pop("settings"))
    return DatasetFacts(**fields, sources=sources)


def names(package: str) -> list[str]:
    """The names of all that is described in a package, sorted."""
    found = (entry.name for entry in files(package).iterdir())
    return sorted(
        name.removesuffix(".json").replace("_", "-") for name in found if name.endswith(".json")
    )


def _read(module: str) -> dict[str, Any]:
    """The file beside a module and its name; keys in snake case, lists as tuples."""
    package, _, name = module.rpartition(".")
    described = json.loads(files(package).joinpath(f"{name}.json").read_text(encoding="utf-8"))
    return {
        "name": name.replace("_", "-"),
        **{
            re.sub("[A-Z]", lambda upper: f"_{upper.group().lower()}", key): (
                tuple(value) if isinstance(value, list) else value
            )
            for key, value in described.items()
        },
    }
