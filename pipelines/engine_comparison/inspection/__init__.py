"""The input contract: what a dataset has to be, looked at once before any run.

    python -m engine_comparison.leader   with the module engine_comparison.inspection.step and a
                                         spec: `dataset`, `buckets`, `inputs`, `store`

`docs/datasets.md` states the contract. Each dataset has its module in this package, named after it,
with a function `inspect`. It reads names, footers and first bytes, never whole tables or pictures,
and refuses all that is wrong at once. What it returns, the facts, goes to the oracle and to every
contender in the spec of its job: they read the same objects, by the same types.
"""

from __future__ import annotations

import hashlib
import importlib
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from pyarrow import fs

from ..describe import dataset_facts
from ..errors import UserError
from ..objects import PARALLEL, in_parallel, read_bytes

Facts = Mapping[str, Any]
"""JSON. All have `rows` and `bytes`, what a run reads; the rest is in the dataset's module."""

PROGRESS_SECONDS = 1.0
SHOWN = 25
"""Problems that a refusal lists; one problem is said once for all objects that have it."""
EXAMPLES = 3
_UNSEEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060\ufeff]")
"""What a terminal does not show, or obeys."""

Item = TypeVar("Item")
Found = TypeVar("Found")


@dataclass
class Inspection:
    """One look at a dataset.

    Attributes:
        filesystem: The store.
        bucket: The bucket that the dataset lies in.
        output: The bucket for outputs, where a cleaned list or zone table goes; nothing is ever
            written beside the data.
        endpoint: URL of the store, which addresses of its objects may begin with.
        max_rejected: How many pictures may be rejected; None: any number.
        tell: Gets the progress, in words.
    """

    filesystem: fs.FileSystem
    bucket: str
    output: str
    endpoint: str = ""
    max_rejected: int | None = None
    tell: Callable[[str], None] = lambda _: None
    _problems: dict[tuple[str, str], list[str]] = field(default_factory=dict)

    def refuse(self, what: str, do: str, where: str = "") -> None:
        """Note a problem; the same one of several objects is said once.

        Args:
            what: What is wrong, such as `column fare_amount is missing`.
            do: What to do about it.
            where: The object's key, or the row, that has it.
        """
        places = self._problems.setdefault((_shown(what), do), [])
        if where:
            places.append(_shown(where))

    def refuse_unread(self, key: str, error: Exception) -> None:
        """Note an object that the store lists and does not give.

        Raises:
            Exception: The error, if it is another one.
        """
        said = re.search(r"ACCESS_DENIED|INVALID_OBJECT_STATE|does not exist", str(error))
        if said is None:
            raise error
        self.refuse(
            f"the store lists the object and does not give it: {said[0]}",
            "allow s3:GetObject for the key, restore the object from its archive, or upload it "
            "again by a plain name",
            key,
        )

    def end(self) -> None:
        """Raise what was noted, all of it.

        Raises:
            UserError: There was a problem.
        """
        if not self._problems:
            return
        texts = []
        for at, ((what, do), places) in enumerate(self._problems.items(), 1):
            where = f" ({examples(places)})" if places else ""
            texts.append(f"({at}) {what}{where}: {do}.")
        more = len(texts) - SHOWN
        shown = " ".join(texts[:SHOWN]) + (f" And {more} more problems." if more > 0 else "")
        problems = "1 problem" if len(texts) == 1 else f"{len(texts)} problems"
        raise UserError(
            f"The data in s3://{self.bucket} has {problems}. {shown}",
            "Engines would read it differently, and so no run is begun.",
            "Correct the data as said for each problem (docs/datasets.md has all rules), "
            "then run the same command again.",
        )

    def each(
        self, what: str, action: Callable[[Item], Found], items: Sequence[Item]
    ) -> list[Found]:
        """Apply an action to all items, some at a time, and tell the progress.

        Args:
            what: What is looked at, such as `footers`.
            action: Called from several threads.
            items: Any number.

        Returns:
            What the action returned, in the order of the items.
        """
        results: list[Found] = []
        printed = 0.0
        step = 16 * PARALLEL
        for at in range(0, len(items), step):
            if time.monotonic() - printed > PROGRESS_SECONDS:
                printed = time.monotonic()
                self.tell(f"{what}: {at} of {len(items)}")
            results += in_parallel(action, items[at : at + step])
        return results

    def keep(self, name: str, content: bytes) -> str:
        """Put a cleaned copy of a small object into the bucket for outputs.

        Args:
            name: Of the file, such as `zones.csv`.
            content: All of it; same content is the same object.

        Returns:
            Its path, `<bucket>/inputs/<hash>/<name>`.
        """
        digest = hashlib.sha256(content).hexdigest()[:16]
        path = f"{self.output}/inputs/{digest}/{name}"
        if read_bytes(self.filesystem, path) != content:
            if not isinstance(self.filesystem, fs.S3FileSystem):
                self.filesystem.create_dir(path.rpartition("/")[0])
            with self.filesystem.open_output_stream(path) as stream:
                stream.write(content)
        return path


def _shown(text: str) -> str:
    return _UNSEEN.sub(lambda found: ascii(found[0])[1:-1], text)


def examples(places: Sequence[str]) -> str:
    """The first few places, and how many more there are."""
    more = len(places) - EXAMPLES
    shown = ", ".join(places[:EXAMPLES])
    return f"{shown} and {more} more" if more > 0 else shown


def inspect(
    dataset: str,
    spec: Mapping[str, Any],
    filesystem: fs.FileSystem,
    tell: Callable[[str], None] = lambda _: None,
) -> Facts:
    """Look at a dataset.

    Args:
        dataset: Its name.
        spec: Of a job: `buckets`; `inputs` may have `maxRejected`.
        filesystem: The store.
        tell: Gets the progress, in words.

    Raises:
        UserError: All that is wrong.
    """
    buckets, limit = spec["buckets"], spec.get("inputs", {}).get("maxRejected")
    purpose = dataset_facts(dataset).bucket
    look = Inspection(
        filesystem,
        bucket=buckets[purpose],
        output=buckets["output"],
        endpoint=spec.get("store", {}).get("endpoint", ""),
        max_rejected=None if limit is None else int(limit),
        tell=tell,
    )
    module = importlib.import_module(f"{__name__}.{dataset.replace('-', '_')}")
    facts: Facts = module.inspect(look)
    look.end()
    return facts


def facts_of(dataset: str, spec: Mapping[str, Any], filesystem: fs.FileSystem) -> Facts:
    """The facts that a job was given; a job without them, such as a test's, looks itself.

    Raises:
        UserError: As `inspect`, without the limit on rejected pictures: the job judges that.
    """
    facts: Facts | None = spec.get("facts")
    if facts is not None:
        return facts
    return inspect(dataset, {**spec, "inputs": {}}, filesystem)
