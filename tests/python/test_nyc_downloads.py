"""Downloads over a connection that fails in every way: a right file or one clear error."""

from __future__ import annotations

import email.utils
import hashlib
import json
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from faulty_server import (
    Fault,
    FaultyServer,
    drips,
    drops_after,
    other,
    serving,
    stalls_after,
    status,
    without_range,
)

import engine_comparison
from engine_comparison.datasets.nyc.downloads import Downloads, Remote
from engine_comparison.datasets.nyc.transfer import Patience
from engine_comparison.errors import UserError

CONTENT = random.Random(1).randbytes(300_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()
PATH = "/data/trips.parquet"
QUICK = Patience(connect=5, read=0.5, window=1, attempts=4, progress=1000, backoff=0.01, longest=5)


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """The servers here are on loopback, whatever this machine's environment says."""
    monkeypatch.setenv("NO_PROXY", "*")


@pytest.fixture
def server() -> Iterator[FaultyServer]:
    with serving() as state:
        state.files[PATH] = CONTENT
        yield state


def anything(path: Path) -> None:
    pass


def only_the_content(path: Path) -> None:
    if path.read_bytes() != CONTENT:
        raise ValueError("it is another file")


def remote(server: FaultyServer, check=only_the_content) -> Remote:
    return Remote(f"{server.url}{PATH}", check, "Ask for another one.")


def fetch(server: FaultyServer, folder: Path, check=only_the_content) -> Path:
    said: list[str] = []
    (path,) = Downloads(folder, said.append, QUICK).fetch([remote(server, check)])
    return path


def assert_right(server: FaultyServer, folder: Path, path: Path) -> None:
    assert path == folder / f"127.0.0.1:{server.port}" / "data" / "trips.parquet"
    assert path.read_bytes() == CONTENT
    record = json.loads(path.with_name("trips.parquet.json").read_text())
    assert (record["bytes"], record["sha256"]) == (len(CONTENT), SHA256)
    assert record["url"] == f"{server.url}{PATH}"
    assert sorted(p.name for p in path.parent.iterdir()) == ["trips.parquet", "trips.parquet.json"]


def test_a_file_is_downloaded_once_and_then_taken_from_the_folder(server, tmp_path):
    assert_right(server, tmp_path, fetch(server, tmp_path))
    assert_right(server, tmp_path, fetch(server, tmp_path))
    assert server.asked == [(PATH, "")]


@pytest.mark.parametrize(
    "faults",
    [
        [drops_after(0.5)],
        [drops_after(0.0)],
        [drops_after(0.3)] * 8,  # more often than it may fail in a row: each gets further
        [stalls_after(0.5)],
        [stalls_after(0.0), stalls_after(0.0)],
        [drips],
        [status(500), status(502), status(503)],
        [status(429, Retry_After="1")],
        [status(429, Retry_After="0"), drops_after(0.9), status(500)],
        [status(503, Retry_After="nonsense")],
        [without_range],
        [drops_after(0.5), without_range],
        [drops_after(0.5), drops_after(0.7, without_range), without_range],
        [drops_after(0.5), other(CONTENT[::-1], whole=False)],  # a rest of another version
        [other(CONTENT[:-1])],  # a truncated file that says it is whole
        [drops_after(0.5, other(CONTENT[::-1]))],  # a part of another version
        [other(b"<html>Log in to the network</html>")],
    ],
    ids=lambda faults: str(len(faults)),
)
def test_what_goes_wrong_for_a_while_ends_in_the_right_file(
    server: FaultyServer, tmp_path: Path, faults: list[Fault]
):
    server.faults[PATH] = list(faults)
    assert_right(server, tmp_path, fetch(server, tmp_path))
    assert server.faults[PATH] == []
    assert len(server.asked) == len(faults) + (faults[-1] is not without_range)


def test_a_broken_download_goes_on_where_it_was(server, tmp_path):
    server.faults[PATH] = [drops_after(0.5), drops_after(0.5)]
    assert_right(server, tmp_path, fetch(server, tmp_path))
    assert server.asked == [(PATH, ""), (PATH, "bytes=150000-"), (PATH, "bytes=225000-")]


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (drops_after(0.0), "4 times in a row"),
        (drops_after(0.5, without_range), "4 times in a row"),
        (stalls_after(0.0), "timed out, 4 times in a row"),
        (drips, "bytes came in 1 s, 4 times in a row"),
        (status(500), "the server answers 500 Internal Server Error, 4 times in a row"),
        (status(429, Retry_After="3600"), "429 Too Many Requests, and asks to wait 3600 s"),
        (status(403), "the server answers 403 Forbidden"),
        (status(404), "the server answers 404 Not Found"),
        (other(CONTENT[:-1]), "it is another file"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_stays_wrong_ends_in_one_error_and_no_file(
    server: FaultyServer, tmp_path: Path, fault: Fault, words: str
):
    server.faults[PATH] = [fault] * 50
    with pytest.raises(UserError) as raised:
        fetch(server, tmp_path)
    path = tmp_path / f"127.0.0.1:{server.port}/data/trips.parquet"
    assert words in raised.value.what
    assert f"{server.url}{PATH}" in raised.value.what
    assert "datasetSource nyc" in raised.value.why
    assert f"put the file at {path} by hand" in raised.value.do
    assert "datasetSource to sample" in raised.value.do
    assert not path.exists()
    assert not path.with_name("trips.parquet.json").exists()
    assert len(server.asked) <= 12


def test_where_a_file_is_absent_the_advice_says_what_else_to_ask_for(server, tmp_path):
    server.faults[PATH] = [status(403)]
    with pytest.raises(UserError) as raised:
        fetch(server, tmp_path)
    assert raised.value.do.startswith("Ask for another one. ")
    assert len(server.asked) == 1


def test_a_403_of_a_server_that_was_asked_too_often_is_tried_again_after_longer_waits(
    server, tmp_path, monkeypatch
):
    slept: list[float] = []
    monkeypatch.setattr(time, "sleep", slept.append)
    server.files["/known"] = b"x"
    watched = Remote(f"{server.url}{PATH}", only_the_content, "Ask.", witness=f"{server.url}/known")
    server.faults[PATH] = [status(403)] * 3
    server.faults["/known"] = [status(403)] * 3
    (path,) = Downloads(tmp_path, lambda _: None, replace(QUICK, limited=2)).fetch([watched])
    assert_right(server, tmp_path, path)
    assert slept == [2, 4, 5]  # no longer than `longest`


def test_a_403_that_stays_is_told_as_too_many_requests(server, tmp_path, monkeypatch):
    monkeypatch.setattr(time, "sleep", lambda _: None)
    watched = Remote(f"{server.url}{PATH}", anything, "Ask.", witness=f"{server.url}{PATH}")
    server.faults[PATH] = [status(403)] * 50
    with pytest.raises(UserError) as raised:
        Downloads(tmp_path, lambda _: None, QUICK).fetch([watched])
    assert "403 Forbidden, as it does when it was asked too often, 4 times" in raised.value.what
    assert raised.value.do.startswith("Try again in an hour.")
    assert "Ask." not in raised.value.do


def test_a_403_of_a_server_that_gives_other_files_means_that_there_is_no_such_file(
    server, tmp_path
):
    server.files["/known"] = b"x"
    watched = Remote(f"{server.url}{PATH}", anything, "Ask.", witness=f"{server.url}/known")
    server.faults[PATH] = [status(403)]
    with pytest.raises(UserError) as raised:
        Downloads(tmp_path, lambda _: None, QUICK).fetch([watched])
    assert raised.value.do.startswith("Ask. ")
    assert [path for path, _ in server.asked] == [PATH, "/known"]


def test_the_wait_that_a_server_asks_for_is_kept(server, tmp_path, monkeypatch):
    slept: list[float] = []
    monkeypatch.setattr(time, "sleep", slept.append)
    later = email.utils.formatdate(time.time() + 4, usegmt=True)
    server.faults[PATH] = [status(429, Retry_After="3"), status(503, Retry_After=later)]
    assert_right(server, tmp_path, fetch(server, tmp_path))
    assert slept[0] == 3
    assert 0 < slept[1] <= 4


def test_the_hash_that_a_server_tells_is_checked(server, tmp_path):
    server.told[PATH] = {"X-Linked-Etag": f'"{SHA256}"'}
    wrong = bytes([CONTENT[0] ^ 1]) + CONTENT[1:]
    server.faults[PATH] = [other(wrong)]
    assert_right(server, tmp_path / "once", fetch(server, tmp_path / "once", anything))
    server.faults[PATH] = [other(wrong)] * 50
    with pytest.raises(UserError, match=f"and not {SHA256}"):
        fetch(server, tmp_path / "ever", anything)
    assert server.asked.count((PATH, "")) == 4
    assert [p for p in (tmp_path / "ever").rglob("*") if p.is_file()] == []


def test_without_a_network_the_error_says_what_why_and_what_to_do(tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/x"
    with pytest.raises(UserError) as raised:
        Downloads(tmp_path, lambda _: None, QUICK).fetch([Remote(url, anything, "")])
    assert raised.value.what == (f"{url} cannot be had: Connection refused, 4 times in a row.")
    assert raised.value.do.startswith("Connect this machine to the internet")


def test_a_damaged_file_of_the_folder_is_downloaded_again(server, tmp_path):
    path = fetch(server, tmp_path)
    path.write_bytes(CONTENT[:-1] + b"!")
    assert_right(server, tmp_path, fetch(server, tmp_path))
    path.write_bytes(CONTENT[:-1])
    assert_right(server, tmp_path, fetch(server, tmp_path))
    assert len(server.asked) == 3


def test_a_file_put_there_by_hand_is_checked_and_taken(server, tmp_path):
    path = tmp_path / f"127.0.0.1:{server.port}/data/trips.parquet"
    path.parent.mkdir(parents=True)
    path.write_bytes(CONTENT)
    assert fetch(server, tmp_path).read_bytes() == CONTENT
    assert json.loads(path.with_name("trips.parquet.json").read_text())["url"] is None
    path.with_name("trips.parquet.json").unlink()
    path.write_bytes(b"not that one")
    with pytest.raises(UserError, match="is not what it should be: it is another file"):
        fetch(server, tmp_path)
    assert path.read_bytes() == b"not that one"
    assert server.asked == []


def test_a_part_of_which_nothing_is_known_is_not_used(server, tmp_path):
    part = tmp_path / f"127.0.0.1:{server.port}/data/trips.parquet.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(b"half of something")
    assert_right(server, tmp_path, fetch(server, tmp_path))
    assert server.asked == [(PATH, "")]


def test_a_part_that_is_whole_already_needs_no_more_bytes(server, tmp_path):
    server.faults[PATH] = [drops_after(0.5), status(404)]
    with pytest.raises(UserError):
        fetch(server, tmp_path)
    part = tmp_path / f"127.0.0.1:{server.port}/data/trips.parquet.part"
    part.write_bytes(CONTENT)
    assert_right(server, tmp_path, fetch(server, tmp_path))
    assert server.asked[-1] == (PATH, "bytes=300000-")


def test_a_disk_without_room_is_told_before(server, tmp_path):
    def huge(handler, _content):
        handler.head(200, 10**18, ETag='"huge"')
        handler.close_connection = True

    server.faults[PATH] = [huge]
    with pytest.raises(UserError, match=r"MB are free in .* takes 1000000000000 MB more"):
        fetch(server, tmp_path)


def test_progress_tells_how_much_how_fast_and_how_long_yet(server, tmp_path, monkeypatch):
    clock = iter(range(10_000))
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    said: list[str] = []
    Downloads(tmp_path, said.append).fetch([remote(server)])
    progress = [line for line in said if "left" in line]
    assert progress
    assert all(line.startswith("file 1 of 1, trips.parquet: 0 of 0 MB, 0.") for line in progress)
    assert "MB/s, 0:" in progress[0]


SCRIPT = """
import sys
from pathlib import Path
from engine_comparison.datasets.nyc.downloads import Downloads, Remote
Downloads(Path(sys.argv[1]), print).fetch([Remote(sys.argv[2], lambda path: None, "")])
"""


def start(folder: Path, url: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(folder), url],
        cwd=Path(engine_comparison.__file__).parents[1],
        stdout=subprocess.DEVNULL,
    )


def test_a_killed_download_is_resumed(server, tmp_path):
    server.faults[PATH] = [stalls_after(0.5)]
    process = start(tmp_path, f"{server.url}{PATH}")
    part = tmp_path / f"127.0.0.1:{server.port}/data/trips.parquet.part"
    for _ in range(600):
        if part.exists() and part.stat().st_size >= 100_000:
            break
        time.sleep(0.1)
    process.send_signal(signal.SIGKILL)
    process.wait()
    have = part.stat().st_size
    assert 100_000 <= have <= 150_000
    assert not part.with_name("trips.parquet").exists()
    assert_right(server, tmp_path, fetch(server, tmp_path))
    assert server.asked == [(PATH, ""), (PATH, f"bytes={have}-")]


def test_two_processes_download_a_file_once(server, tmp_path):
    both = [start(tmp_path, f"{server.url}{PATH}") for _ in range(2)]
    assert [process.wait() for process in both] == [0, 0]
    assert_right(server, tmp_path, fetch(server, tmp_path))
    assert server.asked == [(PATH, "")]
