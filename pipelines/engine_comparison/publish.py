"""Makes the output of one attempt the published result, and cleans up after attempts that died.

Below `<bucket>/<prefix>/engine=<engine>/`:

    _attempts/<attempt>/...    what an attempt writes, and what the manifest names
    run=<key>/*.parquet        a copy of the published run, for those who read the prefix: readers
                               of a prefix skip names that begin with `_`
    _manifest.json             which files are published: one object, so writing it is the switch

The manifest has:

    run, attempt, checksum, at
    files       the published files: `[{"path": ..., "bytes": ...}]`, paths below the prefix
    copies      the paths of their copies below `run=<key>/`
    previous    the paths of the files that were published before

Whoever follows `files` of the manifest sees one whole run at all times. The files published before
stay until the next publish, and `GRACE_SECONDS` at least, so that who has just read the manifest
can still read them. Whoever reads the prefix sees one whole run after `recover`, which removes all
that the manifest does not name: it undoes a publish that stopped before the switch and finishes one
that stopped after it. It runs when an attempt begins and when it ends; while a publish goes on, the
prefix may have files of two runs, and the old copies go at once. Attempts of one engine and
workload must not overlap; the caller's lock sees to that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from pyarrow import fs

from .objects import copy_files, delete_files, delete_prefix, read_json, write_json

MANIFEST = "_manifest.json"
ATTEMPTS = "_attempts"
GRACE_SECONDS = 600
"""How long a reader may take with the files that a manifest named when it was read."""


@dataclass(frozen=True)
class Place:
    """Where one engine's output of one workload lives.

    Attributes:
        base: `<bucket>/<prefix>/engine=<engine>`.
        key: The run key.
        attempt: The attempt's id.
    """

    base: str
    key: str
    attempt: str

    @property
    def attempt_prefix(self) -> str:
        """Where the attempt writes."""
        return f"{self.base}/{ATTEMPTS}/{self.attempt}"

    @property
    def run_prefix(self) -> str:
        """Where a copy of the published run is, for those who read the prefix."""
        return f"{self.base}/run={self.key}"

    @property
    def manifest(self) -> str:
        """The object that names the live run."""
        return f"{self.base}/{MANIFEST}"

    @property
    def uri(self) -> str:
        """The published run as a URI."""
        return f"s3://{self.run_prefix}/"


def recover(store: fs.FileSystem, base: str) -> None:
    """Remove all that the manifest does not name: remains of attempts and of partial publishes.

    Args:
        store: The object store.
        base: `<bucket>/<prefix>/engine=<engine>`.
    """
    manifest = read_json(store, f"{base}/{MANIFEST}")
    named = [] if manifest is None else [MANIFEST, *_files(manifest), *manifest["copies"]]
    previous = [] if manifest is None else manifest["previous"]
    _remove_others(store, base, {f"{base}/{path}" for path in [*named, *previous]})


def _remove_others(store: fs.FileSystem, folder: str, kept: set[str]) -> None:
    """Remove all files of a folder but the kept ones, whole folders at once where it can be."""
    stray = []
    for child in store.get_file_info(fs.FileSelector(folder, allow_not_found=True)):
        if child.type != fs.FileType.Directory:
            stray += [child.path] if child.path not in kept else []
        elif any(path.startswith(f"{child.path}/") for path in kept):
            _remove_others(store, child.path, kept)
        else:
            delete_prefix(store, child.path)
    delete_files(store, stray)


def publish(
    store: fs.FileSystem, place: Place, written: Sequence[fs.FileInfo], checksum: str
) -> None:
    """Publish files of an attempt as the run of `place`. The switch is the last thing it does.

    If it raises, the run that was published before is still the published one; where the store
    fails in the switch itself, the manifest that it has afterwards decides. Either way `recover`
    has to follow, which removes what is left over.

    Args:
        store: The object store.
        place: Where to.
        written: Parquet files below `place.attempt_prefix`, as listed.
        checksum: The checksum of the content, for the manifest.

    Raises:
        RuntimeError: A copy differs from its original.
    """
    before = read_json(store, place.manifest)
    # Names carry the attempt, so a rerun of the same key never overwrites a live file.
    copies = [f"run={place.key}/part-{n:05d}-{place.attempt}.parquet" for n in range(len(written))]
    targets = [f"{place.base}/{copy}" for copy in copies]
    copy_files(store, list(zip(written, targets, strict=True)))
    now = datetime.now(timezone.utc)
    manifest = {
        "run": place.key,
        "attempt": place.attempt,
        "files": [
            {"path": file.path.removeprefix(f"{place.base}/"), "bytes": file.size}
            for file in written
        ],
        "copies": copies,
        "previous": [] if before is None else _to_keep(before, now),
        "checksum": checksum,
        "at": now.isoformat(timespec="seconds"),
    }
    try:
        write_json(store, place.manifest, manifest)
    except OSError:
        if read_json(store, place.manifest) != manifest:
            raise  # else it was written, and only the answer was lost


def _to_keep(before: Mapping[str, Any], now: datetime) -> list[str]:
    """The files of the manifest before, and those before it while somebody may read them."""
    age = (now - datetime.fromisoformat(before["at"])).total_seconds()
    return [*_files(before), *(before["previous"] if age < GRACE_SECONDS else [])]


def _files(manifest: Mapping[str, Any]) -> list[str]:
    """The paths of the published files, below the prefix."""
    return [file["path"] for file in manifest["files"]]
