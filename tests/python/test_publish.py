"""Publishing: whoever reads sees one whole run, however and whenever the writer died."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import fs

from engine_comparison.objects import list_files, list_parquet, read_json
from engine_comparison.publish import MANIFEST, Place, publish, recover
from engine_comparison.store import open_store

BASE = "warehouse/report/engine=spark"
OLD = Place(BASE, "0" * 16, "old")


class Crash(BaseException):
    """The process is gone: nothing catches it, and nothing can be done after it."""


class CrashingStore:
    """A store whose user dies before its n-th change. Folders are deleted object by object."""

    def __init__(self, store: fs.FileSystem, crash_before: int | None = None) -> None:
        self.store = store
        self.crash_before = crash_before
        self.changes = 0
        self.lock = threading.Lock()

    def _change(self) -> None:
        with self.lock:
            if self.crash_before is not None and self.changes >= self.crash_before:
                raise Crash
            self.changes += 1

    def get_file_info(self, what: Any) -> Any:
        return self.store.get_file_info(what)

    def open_input_file(self, path: str) -> Any:
        return self.store.open_input_file(path)

    def open_output_stream(self, path: str) -> Any:
        self._change()
        return self.store.open_output_stream(path)

    def copy_file(self, source: str, target: str) -> None:
        self._change()
        self.store.create_dir(target.rpartition("/")[0], recursive=True)
        self.store.copy_file(source, target)

    def delete_file(self, path: str) -> None:
        self._change()
        self.store.delete_file(path)

    def delete_dir(self, path: str) -> None:
        for info in self.store.get_file_info(fs.FileSelector(path, recursive=True)):
            if info.is_file:
                self.delete_file(info.path)
        self._change()
        self.store.delete_dir(path)


def open_local(folder: Path) -> fs.FileSystem:
    (folder / "warehouse").mkdir(parents=True)
    return fs.SubTreeFileSystem(str(folder), fs.LocalFileSystem())


def write_attempt(store: fs.FileSystem, place: Place, value: int, files: int = 3) -> str:
    """An attempt's output, `files` files of one row each, and things that must not be published."""
    written = f"{place.attempt_prefix}/2"
    if store.type_name != "s3":
        store.create_dir(f"{written}/_temporary", recursive=True)
    for n in range(files):
        table = pa.table({"run": [value], "row": [n]})
        pq.write_table(table, f"{written}/out-{n}.parquet", filesystem=store)
    pq.write_table(table, f"{written}/_temporary/half.parquet", filesystem=store)
    with store.open_output_stream(f"{written}/_SUCCESS"):
        pass
    return written


def publish_in(store: Any, place: Place, written: str, checksum: str = "sum") -> None:
    """What an attempt does at its end; a local folder has to be made before a copy goes there."""
    wrapped: Any = store if isinstance(store, CrashingStore) else CrashingStore(store)
    try:
        publish(wrapped, place, list_parquet(wrapped, written), checksum)
    finally:
        recover(wrapped, place.base)


def rows(store: fs.FileSystem, files: list[str]) -> list[tuple[int, int]]:
    tables = [pq.read_table(file, filesystem=store, partitioning=None) for file in files]
    return sorted((row["run"], row["row"]) for table in tables for row in table.to_pylist())


def seen_by_prefix(store: fs.FileSystem) -> list[tuple[int, int]]:
    return rows(store, [info.path for info in list_parquet(store, BASE)])


def seen_by_manifest(store: fs.FileSystem) -> list[tuple[int, int]]:
    manifest = read_json(store, f"{BASE}/{MANIFEST}")
    if manifest is None:
        return []
    for file in manifest["files"]:
        assert store.get_file_info(f"{BASE}/{file['path']}").size == file["bytes"]
    return rows(store, published(manifest))


def published(manifest: Any) -> list[str]:
    return [f"{BASE}/{file['path']}" for file in manifest["files"]]


def named(store: fs.FileSystem) -> list[str]:
    """All that may be in the store."""
    manifest = read_json(store, f"{BASE}/{MANIFEST}")
    if manifest is None:
        return []
    paths = [MANIFEST, *manifest["copies"], *manifest["previous"]]
    return [*(f"{BASE}/{path}" for path in paths), *published(manifest)]


def run_of(value: int, files: int = 3) -> list[tuple[int, int]]:
    return [(value, n) for n in range(files)]


@pytest.mark.parametrize("new_key", ["1" * 16, OLD.key], ids=["new key", "rerun of the same key"])
@pytest.mark.parametrize("published_before", [True, False])
def test_after_a_crash_anywhere_readers_see_one_whole_run(
    tmp_path: Path, published_before: bool, new_key: str
):
    new = Place(BASE, new_key, "new")
    before = run_of(1) if published_before else []
    crashes = 0
    outcomes = set()
    while True:
        store = open_local(tmp_path / str(crashes))
        if published_before:
            publish_in(store, OLD, write_attempt(store, OLD, 1))
        written = write_attempt(store, new, 2)
        dying = CrashingStore(store, crash_before=crashes)
        try:
            publish_in(dying, new, written)
            finished = True
        except Crash:
            finished = False
        # Who follows the manifest sees a whole run even before anything is mended.
        assert seen_by_manifest(store) in (before, run_of(2))
        recover(store, BASE)
        assert seen_by_prefix(store) == seen_by_manifest(store)
        assert seen_by_prefix(store) in (before, run_of(2))
        assert sorted(info.path for info in list_files(store, BASE)) == sorted(named(store))
        outcomes.add(tuple(seen_by_prefix(store)))
        # And the next attempt publishes as if nothing had been.
        third = Place(BASE, "2" * 16, "third")
        publish_in(store, third, write_attempt(store, third, 3, files=1))
        assert seen_by_prefix(store) == seen_by_manifest(store) == run_of(3, files=1)
        if finished:
            break
        crashes += 1
    assert crashes > 6
    assert outcomes == {tuple(before), tuple(run_of(2))}


def test_a_crash_while_mending_is_mended(tmp_path: Path):
    new = Place(BASE, "1" * 16, "new")
    for crash in range(100):
        store = open_local(tmp_path / str(crash))
        publish_in(store, OLD, write_attempt(store, OLD, 1))
        with pytest.raises(Crash):
            publish_in(CrashingStore(store, 2), new, write_attempt(store, new, 2))
        dying = CrashingStore(store, crash)
        try:
            recover(dying, BASE)  # type: ignore[arg-type]
        except Crash:
            assert seen_by_manifest(store) == run_of(1)
            recover(store, BASE)
            assert seen_by_prefix(store) == run_of(1)
            continue
        assert seen_by_prefix(store) == run_of(1)
        break
    assert crash > 3


class RefusingStore(CrashingStore):
    """A store that refuses copies after the first: the process lives on."""

    def copy_file(self, source: str, target: str) -> None:
        if source.endswith("out-1.parquet"):
            raise OSError("slow down")
        super().copy_file(source, target)


def test_an_error_while_copying_leaves_the_old_run_and_nothing_else(tmp_path: Path):
    store = open_local(tmp_path / "store")
    publish_in(store, OLD, write_attempt(store, OLD, 1))
    new = Place(BASE, "1" * 16, "new")
    with pytest.raises(OSError, match="slow down"):
        publish_in(RefusingStore(store), new, write_attempt(store, new, 2))
    assert seen_by_prefix(store) == seen_by_manifest(store) == run_of(1)


class SpoilingStore(CrashingStore):
    """A store that copies wrongly."""

    def __init__(self, store: fs.FileSystem, spoil: Callable[[bytes], bytes]) -> None:
        super().__init__(store)
        self.spoil = spoil

    def copy_file(self, source: str, target: str) -> None:
        super().copy_file(source, target)
        with self.store.open_input_stream(source) as stream:
            whole = stream.read()
        with self.store.open_output_stream(target) as stream:
            stream.write(self.spoil(whole))


@pytest.mark.parametrize(
    "spoil",
    [lambda whole: whole[:-1], lambda whole: whole[:99] + b"?" + whole[100:]],
    ids=["of another size", "of the same size"],
)
def test_a_copy_that_differs_is_not_published(tmp_path: Path, spoil: Callable[[bytes], bytes]):
    store = open_local(tmp_path / "store")
    publish_in(store, OLD, write_attempt(store, OLD, 1))
    new = Place(BASE, "1" * 16, "new")
    with pytest.raises(RuntimeError, match="3 of 3 copies differ"):
        publish_in(SpoilingStore(store, spoil), new, write_attempt(store, new, 2))
    assert seen_by_prefix(store) == run_of(1)


@pytest.mark.parametrize("key", ["1" * 16, OLD.key], ids=["another key", "the same key"])
def test_who_has_read_a_manifest_can_read_its_files_for_a_while_after_the_next_publish(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str
):
    store = open_local(tmp_path / "store")
    publish_in(store, OLD, write_attempt(store, OLD, 1))
    read_before = published(read_json(store, OLD.manifest))
    new = Place(BASE, key, "new")
    publish_in(store, new, write_attempt(store, new, 2))
    recover(store, BASE)  # as the next attempt does at its start
    assert rows(store, read_before) == run_of(1)
    assert seen_by_prefix(store) == seen_by_manifest(store) == run_of(2)
    third = Place(BASE, "2" * 16, "third")
    publish_in(store, third, write_attempt(store, third, 3))
    assert rows(store, read_before) == run_of(1)
    monkeypatch.setattr("engine_comparison.publish.GRACE_SECONDS", 0)
    fourth = Place(BASE, "3" * 16, "fourth")
    publish_in(store, fourth, write_attempt(store, fourth, 4))
    assert not [path for path in read_before if store.get_file_info(path).is_file]


class DeafStore(CrashingStore):
    """A store whose answer to the writing of a manifest is lost."""

    def open_output_stream(self, path: str) -> Any:
        stream = super().open_output_stream(path)
        return Unanswered(stream) if path.endswith(MANIFEST) else stream


class Unanswered:
    def __init__(self, stream: Any) -> None:
        self.stream = stream

    def __enter__(self) -> Any:
        return self.stream.__enter__()

    def __exit__(self, *error: object) -> None:
        self.stream.__exit__(*error)
        raise OSError("timed out")


def test_a_switch_whose_answer_was_lost_is_a_switch(tmp_path: Path):
    store = open_local(tmp_path / "store")
    publish_in(store, OLD, write_attempt(store, OLD, 1))
    new = Place(BASE, "1" * 16, "new")
    publish_in(DeafStore(store), new, write_attempt(store, new, 2))
    assert seen_by_manifest(store) == run_of(2)


def test_the_manifest_says_what_is_published(tmp_path: Path):
    store = open_local(tmp_path / "store")
    publish_in(store, OLD, write_attempt(store, OLD, 1), "the-checksum")
    manifest = read_json(store, OLD.manifest)
    assert manifest["run"] == OLD.key
    assert manifest["attempt"] == "old"
    assert manifest["checksum"] == "the-checksum"
    assert [file["path"] for file in manifest["files"]] == [
        f"_attempts/old/2/out-{n}.parquet" for n in range(3)
    ]
    assert manifest["copies"] == [f"run={OLD.key}/part-0000{n}-old.parquet" for n in range(3)]
    assert manifest["previous"] == []
    assert OLD.uri == f"s3://{BASE}/run={OLD.key}/"


def test_other_engines_are_left_alone(tmp_path: Path):
    store = open_local(tmp_path / "store")
    other = Place("warehouse/report/engine=spark-connect", "3" * 16, "x")
    publish_in(store, other, write_attempt(store, other, 9))
    publish_in(store, OLD, write_attempt(store, OLD, 1))
    assert len(list_parquet(store, other.base)) == 3


def test_in_a_real_store_a_rerun_and_a_new_run_leave_one_run_and_no_more(
    minio: dict[str, Any], creating: fs.FileSystem
):
    store = open_store(minio)
    creating.create_dir("warehouse")
    for value, place in enumerate(
        (OLD, Place(BASE, OLD.key, "again"), Place(BASE, "1" * 16, "new"))
    ):
        written = list_parquet(store, write_attempt(store, place, value))
        publish(store, place, written, "sum")
        recover(store, BASE)
        assert seen_by_prefix(store) == seen_by_manifest(store) == run_of(value)
        left = store.get_file_info(fs.FileSelector(BASE))
        folders = ["_attempts", MANIFEST, f"run={place.key}"]
        assert sorted(info.base_name for info in left) == folders
        assert sorted(info.path for info in list_files(store, BASE)) == sorted(named(store))
        attempts = store.get_file_info(fs.FileSelector(f"{BASE}/_attempts"))
        assert len(attempts) == value + 1
