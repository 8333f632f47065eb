"""Makes the output of one attempt the published result, and cleans up after attempts that died.

Below `<bucket>/<prefix>/engine=<engine>/`:

    _attempts/<attempt>/...    what an attempt writes; readers skip names that begin with `_`
    run=<key>/*.parquet        the published run
    _manifest.json             which files those are: written last, one object, so it is the switch

Object stores cannot rename a folder, so publishing has steps, and a job can be killed between any
two of them. Whoever follows the manifest sees one whole run at all times. Whoever just reads the
prefix does so again after `recover`, with which the next attempt begins: it removes all that the
manifest does not name, and thereby undoes a publish that stopped before the manifest and finishes
one that stopped after it. Attempts of one engine and workload must not overlap; the caller's lock
sees to that.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timezone

from pyarrow import fs

from .errors import UserError
from .store import (
    copy_files,
    delete_files,
    delete_prefix,
    list_files,
    list_parquet,
    read_json,
    write_json,
)

MANIFEST = "_manifest.json"
ATTEMPTS = "_attempts"


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
        """Where the run is published."""
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
    live = {f"{base}/{file['path']}" for file in manifest["files"]} if manifest else set()
    stray = []
    for child in store.get_file_info(fs.FileSelector(base, allow_not_found=True)):
        if child.type != fs.FileType.Directory:
            stray += [child.path] if child.base_name != MANIFEST else []
        elif any(path.startswith(f"{child.path}/") for path in live):
            stray += [f.path for f in list_files(store, child.path) if f.path not in live]
        else:
            delete_prefix(store, child.path)
    delete_files(store, stray)


def publish(store: fs.FileSystem, place: Place, written: str, checksum: str) -> int:
    """Publish the Parquet files under `written` as the run of `place`.

    If it raises, the run that was published before still stands; what was copied is removed here
    or, should that fail too, by the next attempt.

    Args:
        store: The object store.
        place: Where to.
        written: A prefix below `place.attempt_prefix`.
        checksum: The checksum of the content, for the manifest.

    Returns:
        The bytes published.

    Raises:
        UserError: There is no Parquet file under `written`.
    """
    sources = list_parquet(store, written)
    if not sources:
        raise UserError(
            f"The attempt left no Parquet file in s3://{written}/.",
            "There is nothing to publish, and the result published before still stands.",
            "See the attempt's log for what the engine did.",
        )
    # Names carry the attempt, so a rerun of the same key never overwrites a live file.
    names = [f"part-{n:05d}-{place.attempt}.parquet" for n in range(len(sources))]
    targets = [f"{place.run_prefix}/{name}" for name in names]
    try:
        copy_files(store, [(s.path, t) for s, t in zip(sources, targets, strict=True)])
        _check_copies(store, place, {t: s.size for s, t in zip(sources, targets, strict=True)})
        write_json(
            store,
            place.manifest,
            {
                "run": place.key,
                "attempt": place.attempt,
                "files": [
                    {"path": f"run={place.key}/{name}", "bytes": source.size}
                    for name, source in zip(names, sources, strict=True)
                ],
                "checksum": checksum,
                "at": datetime.now(timezone.utc).isoformat(timespec="seconds"),
            },
        )
    finally:
        recover(store, place.base)
    return sum(source.size for source in sources)


def _check_copies(store: fs.FileSystem, place: Place, expected: dict[str, int]) -> None:
    """Compare the copies' sizes with those of the originals.

    Raises:
        RuntimeError: A copy is missing or has another size.
    """
    found = {info.path: info.size for info in list_files(store, place.run_prefix)}
    wrong = [path for path, size in expected.items() if found.get(path) != size]
    if wrong:
        raise RuntimeError(f"{len(wrong)} of {len(expected)} copies differ, first {wrong[0]}")
