"""The object store: clear words for what is wrong with it, and deleting that leaves nothing."""

from __future__ import annotations

import socket
import threading
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from pyarrow import fs

from engine_comparison import objects
from engine_comparison.errors import UserError
from engine_comparison.objects import (
    _same_etag,
    copy_files,
    delete_files,
    delete_prefix,
    in_parallel,
    list_files,
    list_parquet,
    read_bytes,
    read_json,
    same_content,
    write_json,
)
from engine_comparison.store import StoreSpec, open_store
from engine_comparison.store_checks import check_store, refusals_explained

SPEC = {
    "endpoint": "https://store.example:9000",
    "region": "eu-west-1",
    "accessKey": "the-key",
    "secretKey": "the-secret",
    "pathStyle": False,
}


def write(store: fs.FileSystem, path: str, content: bytes = b"x") -> None:
    if store.type_name != "s3":
        store.create_dir(path.rpartition("/")[0], recursive=True)
    with store.open_output_stream(path) as stream:
        stream.write(content)


def paths(store: fs.FileSystem, prefix: str) -> list[str]:
    return [info.path for info in list_files(store, prefix)]


@pytest.fixture(params=["local", "minio"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> fs.FileSystem:
    """An empty store with one bucket, `bucket`: on the local disk, and in MinIO if there is one."""
    if request.param == "local":
        (tmp_path / "bucket").mkdir()
        return fs.SubTreeFileSystem(str(tmp_path), fs.LocalFileSystem())
    spec = request.getfixturevalue("minio")
    opened = open_store(spec)
    creating = request.getfixturevalue("creating")
    creating.create_dir("bucket")
    creating.delete_dir_contents("bucket")
    return opened


def test_the_spec_is_read_and_never_shows_its_secrets():
    spec = StoreSpec.parse(SPEC)
    assert spec.host_and_port == "store.example:9000"
    assert spec.encrypted
    assert not spec.path_style
    assert "the-secret" not in repr(spec)
    assert "the-key" not in repr(spec)


def test_a_store_that_is_away_is_told_at_once():
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        spec = {**SPEC, "endpoint": f"http://127.0.0.1:{port}"}
        with pytest.raises(UserError, match="does not answer"):
            check_store(spec, open_store(spec), ["bucket"])


def test_a_missing_bucket_is_told_by_name(minio: dict[str, Any]):
    with pytest.raises(UserError, match="has no bucket 'nowhere'"):
        check_store(minio, open_store(minio), ["nowhere"])


@pytest.mark.parametrize("field", ["accessKey", "secretKey"])
def test_a_refused_key_is_told_without_showing_it(minio: dict[str, Any], field: str):
    wrong = {**minio, field: "not-the-key-at-all"}
    with pytest.raises(UserError, match="refuses the access key") as raised:
        check_store(wrong, open_store(wrong), ["bucket"])
    assert "not-the-key-at-all" not in str(raised.value)


def test_other_errors_of_the_store_pass_unchanged():
    with pytest.raises(OSError, match="disk full"), refusals_explained("http://x"):
        raise OSError("disk full")


def test_deleting_a_prefix_leaves_nothing_of_it_and_spares_its_siblings(store: fs.FileSystem):
    for path in ("bucket/a/one/x/y", "bucket/a/one/z", "bucket/a/one-more/x", "bucket/b/x"):
        write(store, path)
    delete_prefix(store, "bucket/a/one")
    assert paths(store, "bucket") == ["bucket/a/one-more/x", "bucket/b/x"]
    delete_prefix(store, "bucket/a/one-more")
    left = store.get_file_info(fs.FileSelector("bucket", recursive=True))
    assert sorted(info.path for info in left) == ["bucket/b", "bucket/b/x"]


class RefusingHandler(BaseHTTPRequestHandler):
    """As much of S3 as deleting a folder takes: it lists two objects and deletes none of them.

    The answer to a bulk delete is 200 whatever became of the objects, with a list of errors.
    """

    protocol_version = "HTTP/1.1"
    LISTING = "".join(
        f"<Contents><Key>a/{n}</Key><Size>1</Size>"
        "<LastModified>2026-01-01T00:00:00.000Z</LastModified></Contents>"
        for n in "xy"
    )

    def do_HEAD(self) -> None:
        self.answer(404)

    def do_GET(self) -> None:
        head = "<KeyCount>2</KeyCount><IsTruncated>false</IsTruncated>"
        self.answer(200, f"<ListBucketResult>{head}{self.LISTING}</ListBucketResult>")

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        errors = "".join(
            f"<Error><Key>a/{n}</Key><Code>AccessDenied</Code><Message>kept</Message></Error>"
            for n in "xy"
        )
        self.answer(200, f"<DeleteResult>{errors}</DeleteResult>")

    def answer(self, code: int, text: str = "") -> None:
        self.send_response(code)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_: object) -> None:
        pass


def test_objects_that_a_bulk_delete_has_left_are_an_error():
    server = ThreadingHTTPServer(("127.0.0.1", 0), RefusingHandler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        endpoint = f"http://127.0.0.1:{server.server_address[1]}"
        refusing = open_store({**SPEC, "endpoint": endpoint, "pathStyle": True})
        with pytest.raises(OSError, match="2 errors when deleting"):
            delete_prefix(refusing, "bucket/a")
    finally:
        server.shutdown()
        server.server_close()


def test_deleting_what_is_not_there_is_no_error(store: fs.FileSystem):
    delete_prefix(store, "bucket/nothing/here")
    delete_files(store, ["bucket/nothing"])
    assert list_files(store, "bucket/nothing") == []


@pytest.fixture(params=["by the server", "through this machine"])
def limit(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """The largest object that the server copies at once."""
    size = 2**20 if request.param == "by the server" else 8
    monkeypatch.setattr(objects, "MAX_COPY_BYTES", size)
    return size


def test_copies_have_the_bytes_of_their_originals(store: fs.FileSystem, limit: int):
    names = [f"bucket/from/{n}" for n in range(40)]
    for name in names:
        write(store, name, name.encode())
    if store.type_name != "s3":
        store.create_dir("bucket/to")
    limited = LimitedStore(store, limit)
    originals = list_files(store, "bucket/from")
    copy_files(
        limited,  # type: ignore[arg-type]
        [(info, info.path.replace("from", "to")) for info in originals],
    )
    for name in names:
        assert read_bytes(store, name.replace("from", "to")) == name.encode()


class LimitedStore:
    """A store that refuses to copy large objects at once, as S3 does."""

    def __init__(self, store: fs.FileSystem, limit: int) -> None:
        self.store, self.limit = store, limit

    def __getattr__(self, name: str) -> Any:
        return getattr(self.store, name)

    def copy_file(self, source: str, target: str) -> None:
        if self.store.get_file_info(source).size > self.limit:
            raise OSError("InvalidRequest: the copy source is larger than the maximum size")
        self.store.copy_file(source, target)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (b"abc" * 9, b"abc" * 9, True),
        (b"abc" * 9, b"abd" * 9, False),
        (b"abc", b"ab", False),
        (b"", b"", True),
        (b"abc", None, False),
    ],
)
def test_contents_are_compared_by_their_bytes(
    store: fs.FileSystem, one: bytes, other: bytes | None, same: bool
):
    for name, content in (("one", one), ("other", other)):
        if content is not None:
            write(store, f"bucket/{name}", content)
    assert same_content(store, "bucket/one", "bucket/other") is same


def test_a_copy_made_by_the_server_is_known_by_its_etag(
    store: fs.FileSystem, monkeypatch: pytest.MonkeyPatch
):
    if store.type_name != "s3":
        pytest.skip("the local disk has no ETags")
    write(store, "bucket/one", b"abc")
    store.copy_file("bucket/one", "bucket/other")
    monkeypatch.setattr(objects, "CHUNK_BYTES", "none is read")
    assert same_content(store, "bucket/one", "bucket/other")


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("900150983cd24fb0d6963f7d28e17f72", "900150983cd24fb0d6963f7d28e17f72", True),
        ("900150983cd24fb0d6963f7d28e17f72", "d16fb36f0911f878998c136191af705e", False),
        ("900150983cd24fb0d6963f7d28e17f72", "6d80eb0c50b49a509b49f2424e8c805c-2", False),
        ("", "", False),
    ],
)
def test_only_equal_etags_say_that_contents_are_equal(one: str, other: str, same: bool):
    assert _same_etag(one, other) is same


def test_json_comes_back_and_absence_is_none(store: fs.FileSystem):
    name = f"bucket/{uuid.uuid4().hex}"
    assert read_json(store, name) is None
    assert read_bytes(store, name) is None
    write_json(store, name, {"a": ["é", None]})
    assert read_json(store, name) == {"a": ["é", None]}


def test_readers_see_only_parquet_files_outside_hidden_folders(store: fs.FileSystem):
    for path in ("x/part.parquet", "x/_SUCCESS", "x/_attempts/1/part.parquet", "x/.tmp/p.parquet"):
        write(store, f"bucket/{path}")
    assert [info.path for info in list_parquet(store, "bucket/x")] == ["bucket/x/part.parquet"]
    # Below a hidden folder they are seen by whoever asks for it.
    assert len(list_parquet(store, "bucket/x/_attempts/1")) == 1


def test_the_first_error_of_many_is_raised_after_all_have_ended():
    done = []

    def act(n: int) -> int:
        if n == 3:
            raise ValueError("third")
        done.append(n)
        return n

    with pytest.raises(ValueError, match="third"):
        in_parallel(act, range(20))
    assert len(done) == 19
    assert in_parallel(act, [0, 1, 2]) == [0, 1, 2]


def test_results_of_many_slices_are_in_the_order_of_their_items(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(objects, "_SLICE", 7)
    assert in_parallel(str, range(20)) == [str(n) for n in range(20)]
    assert in_parallel(str, []) == []
