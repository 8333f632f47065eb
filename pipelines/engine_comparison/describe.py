"""What an engine, a workload or a dataset says of itself: a JSON file beside its Python file.

The program that starts the jobs runs no Python and reads the same files. A file's name is the name
of what it describes, with underscores for dashes; what it may hold is in the classes below. A key
that is not there, unknown, or of another type is refused, here and there.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from functools import lru_cache
from importlib.resources import files
from typing import Any, NoReturn

from .errors import UserError

PURPOSES = ("lake", "images", "warehouse", "output")
"""What buckets are for."""
USES = ("documented", "tuned", "other")
"""How a contender uses its engine."""
DECODERS = ("pillow", "own")
"""What a contender decodes images with."""
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
        purpose: What the bucket of the output is for, one of `PURPOSES`.
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
        bucket: What its bucket is for, one of `PURPOSES`.
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
        UserError: There is no such file, or it has not what it should have.
    """
    with _described(module) as about:
        return EngineFacts(
            name=about.name,
            label=about.text("label"),
            engine=about.text("engine"),
            use=about.one_of("use", USES),
            cluster=about.text("cluster"),
            settings=about.texts("settings"),
            packages=about.texts("packages"),
            workloads=about.texts("workloads"),
            decoder=about.one_of("decoder", DECODERS) if "decoder" in about.fields else None,
            unsupported=about.texts_by_name("unsupported"),
            corrupt_images=about.optional_text("corruptImages"),
            checksums=about.optional_text("checksums"),
            long_texts=about.optional_text("longTexts"),
            hidden_names=about.optional_text("hiddenNames"),
            no_rows=about.texts_by_name("noRows"),
            guides=about.texts_by_name("guides"),
            tunables=tuple(map(about.tunable, about.take("tunables", list, "a list", []))),
            seed=about.optional_text("seed"),
            order=about.order(),
            reference=about.texts("reference", []),
        )


def workload_facts(module: str) -> WorkloadFacts:
    """What is beside a workload's module; give it `__name__`.

    Raises:
        UserError: There is no such file, or it has not what it should have.
    """
    with _described(module) as about:
        for key in ("unit", "sentences"):
            about.take(key, dict, "an object")
        about.take("usualSeconds", int, "a whole number")
        return WorkloadFacts(
            name=about.name,
            title=about.text("title"),
            dataset=about.one_of("dataset", names(_DATASETS)),
            purpose=about.one_of("purpose", PURPOSES),
            prefix=about.text("prefix"),
            question=about.texts("question"),
            manner=about.texts("manner"),
            order=about.order(),
        )


@lru_cache
def dataset_facts(name: str) -> DatasetFacts:
    """What the file of a dataset says.

    Raises:
        UserError: There is no such file, or it has not what it should have.
    """
    with _described(f"{_DATASETS}.{name.replace('-', '_')}") as about:
        return DatasetFacts(
            name=about.name,
            title=about.text("title"),
            bucket=about.one_of("bucket", PURPOSES),
            owns=about.texts("owns"),
            sources=tuple(about.take("settings", dict, "an object")),
        )


def names(package: str) -> list[str]:
    """The names of all that is described in a package, sorted."""
    found = (entry.name for entry in files(package).iterdir())
    return sorted(
        name.removesuffix(".json").replace("_", "-") for name in found if name.endswith(".json")
    )


@contextmanager
def _described(module: str) -> Iterator[_Description]:
    """The file beside a module. At the end of the block, what was not asked for is refused."""
    package, _, name = module.rpartition(".")
    about = _Description(f"{package.rpartition('.')[2]}/{name}.json", name.replace("_", "-"))
    try:
        text = files(package).joinpath(f"{name}.json").read_text(encoding="utf-8")
    except OSError:
        about.refuse("is missing")
    try:
        fields = json.loads(text)
    except ValueError as error:
        about.refuse(f"is not valid JSON: {error}")
    if not isinstance(fields, dict):
        about.refuse("is not a JSON object")
    about.fields = fields
    yield about
    about.end()


class _Description:
    """What is in a file, taken key by key."""

    def __init__(self, file: str, name: str) -> None:
        self.file, self.name = file, name
        self.fields: dict[str, Any] = {}
        self._taken: set[str] = set()

    def take(self, key: str, kind: type, words: str, default: Any = None) -> Any:
        """The value of a key, which has to be of a type."""
        self._taken.add(key)
        value = self.fields.get(key, default)
        if value is None:
            self.refuse(f'has no "{key}"')
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            self.refuse(f'has {json.dumps(value)} as "{key}", not {words}')
        return value

    def text(self, key: str) -> str:
        """A string that is not empty."""
        value: str = self.take(key, str, "a string")
        if not value:
            self.refuse(f'has an empty "{key}"')
        return value

    def one_of(self, key: str, known: Sequence[str]) -> str:
        """One of the known strings."""
        value = self.text(key)
        if value not in known:
            self.refuse(f'has "{value}" as "{key}", not one of {", ".join(known)}')
        return value

    def optional_text(self, key: str) -> str | None:
        """A string that is not empty, if it is there."""
        return self.text(key) if key in self.fields else None

    def texts_by_name(self, key: str) -> dict[str, str]:
        """An object whose values are strings; empty if it is not there."""
        values: dict[str, str] = self.take(key, dict, "an object of strings", {})
        if not all(isinstance(value, str) and value for value in values.values()):
            self.refuse(f'has {json.dumps(values)} as "{key}", not an object of strings')
        return values

    def tunable(self, said: Any) -> Tunable:
        """One of the `tunables`."""
        names = [one.name for one in fields(Tunable)]
        fits = isinstance(said, dict) and sorted(said) == sorted(names)
        if fits:
            *words, value, default = (
                said[name] for name in ("name", "why", "source", "value", "default")
            )
            fits = all(isinstance(word, str) and word for word in words)
            fits = fits and isinstance(value, Scalar)
            fits = fits and (default is None or isinstance(default, Scalar))
        if not fits:
            self.refuse(
                f'has {json.dumps(said)} in "tunables", not an object of {", ".join(names)}'
            )
        return Tunable(**said)

    def texts(self, key: str, default: list[str] | None = None) -> tuple[str, ...]:
        """A list of strings."""
        values = self.take(key, list, "a list of strings", default)
        if not all(isinstance(value, str) and value for value in values):
            self.refuse(f'has {json.dumps(values)} as "{key}", not a list of strings')
        return tuple(values)

    def order(self) -> int | None:
        """The whole number `order`, if it is there."""
        order: int | None = None
        if "order" in self.fields:
            order = self.take("order", int, "a whole number")
        return order

    def end(self) -> None:
        """Refuse what nobody asked for."""
        for key in self.fields:
            if key not in self._taken:
                self.refuse(f'has an unknown "{key}"')

    def refuse(self, what: str) -> NoReturn:
        """Raise a complaint about the file."""
        raise UserError(
            f"engine_comparison/{self.file} {what}.",
            "Jobs and the program that starts them read from it what the file beside it is.",
            "Correct the file: engine_comparison/describe.py says what it may hold.",
        )
