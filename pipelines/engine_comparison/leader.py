"""Runs one Python module as a job that cannot outlive whoever asked for it.

    python -m engine_comparison.leader

The first line of standard input is one JSON object::

    {"module": "engine_comparison.job", "spec": {...}, "seconds": 600}

The leader starts the module in its own process session, hands it the spec as one JSON line
on its standard input, and passes further lines, its output and its exit code through. The caller
holds the leader's standard input open: the end of it, however the caller came to its end, means
that nobody waits for the job any more. The kernel closes that pipe even after `kill -9`, which no
signal handler survives; that is why the life of the job hangs on it (a cancelled `pulumi up` kills
only the shell of a command).

Standard library only and no import of the package, so that it starts in some 50 ms.

The leader never waits for the job to read: what it has not read yet is kept, so that the end of the
caller and the time limit are seen whatever the job does.

Exit codes: the job's own; 128 + n when signal n ended the job; 130 when the caller went away or
the leader was asked to stop; 124 when the job ran longer than `seconds`; 127 when it could not be
started; 2 for a request that is not as above.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import math
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

GRACE_SECONDS = 0.5
"""What a job gets between TERM and KILL; the whole end stays below a second."""

EXIT_CALLER_GONE = 130
EXIT_TIME_LIMIT = 124
EXIT_NOT_STARTED = 127
EXIT_WRONG_REQUEST = 2

_TICK_SECONDS = 0.05
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36


def main() -> int:
    """Reads the request, runs the job and returns the exit code."""
    try:
        line, further = _first_line(0)
        request = json.loads(line)
        module, spec, seconds = request["module"], request["spec"], request.get("seconds")
    except (ValueError, KeyError, TypeError) as error:
        print(f"leader: the first line of standard input is no request: {error}", file=sys.stderr)
        return EXIT_WRONG_REQUEST

    _prctl(_PR_SET_CHILD_SUBREAPER)  # orphans of the job become ours, so that none is lost
    stop_asked = _note_signals()
    deadline = math.inf if seconds is None else time.monotonic() + float(seconds)
    try:
        job = _start(module)
    except OSError as error:
        print(f"leader: the job cannot be started: {error}", file=sys.stderr)
        return EXIT_NOT_STARTED
    try:
        feed = _Feed(job, json.dumps(spec).encode() + b"\n" + further)
        code = _wait(job, feed, deadline, stop_asked)
        expired = time.monotonic() > deadline and not stop_asked
    finally:
        end_descendants(job.pid)
    if code is not None:
        return code if code >= 0 else 128 - code
    if not expired:
        print("leader: the caller is gone; the job was ended", file=sys.stderr)
        return EXIT_CALLER_GONE
    print(f"leader: the job ran longer than {seconds} s and was ended", file=sys.stderr)
    return EXIT_TIME_LIMIT


def _first_line(descriptor: int) -> tuple[bytes, bytes]:
    """Reads up to the first newline, unbuffered: the end of the input is waited for next.

    Returns:
        The line, and what came behind it already.
    """
    read = bytearray()
    while b"\n" not in read:
        chunk = os.read(descriptor, 65536)
        if not chunk:
            raise ValueError("standard input ended before a whole line")
        read += chunk
    line, _, further = bytes(read).partition(b"\n")
    return line, further


def _note_signals() -> list[int]:
    """Collects the signals that ask the leader to stop; the wait looks at the list."""
    asked: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda n, _frame: asked.append(n))
    return asked


def _start(module: str) -> subprocess.Popen[bytes]:
    """Starts the module in a new process session; the kernel kills it if the leader is killed."""
    return subprocess.Popen(
        [sys.executable, "-m", module],
        stdin=subprocess.PIPE,
        start_new_session=True,
        preexec_fn=lambda: _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL),
    )


class _Feed:
    """The job's standard input. Its writes never block."""

    def __init__(self, job: subprocess.Popen[bytes], first: bytes) -> None:
        assert job.stdin is not None
        self.descriptor = job.stdin.fileno()
        os.set_blocking(self.descriptor, False)
        self.unread = bytearray(first)

    def write(self) -> None:
        """Write what the job has room for. One that does not read any more ends by itself."""
        try:
            del self.unread[: os.write(self.descriptor, self.unread)]
        except BlockingIOError:
            pass
        except OSError:
            self.unread.clear()


def _wait(
    job: subprocess.Popen[bytes], feed: _Feed, deadline: float, stop_asked: list[int]
) -> int | None:
    """Returns the job's exit code, or None when it has to be ended before its own end."""
    while True:
        code = job.poll()
        if code is not None:
            return code
        waiting = [feed.descriptor] if feed.unread else []
        readable, writable, _ = select.select([0], waiting, [], _TICK_SECONDS)
        if readable:
            received = _read()
            if not received:
                return None
            feed.unread += received
        if writable:
            feed.write()
        if stop_asked or time.monotonic() > deadline:
            return None


def _read() -> bytes:
    """What arrived on standard input; empty at its end."""
    try:
        return os.read(0, 65536)
    except OSError:
        return b""


def end_descendants(job: int) -> None:
    """Ends whatever is left of the job: TERM to all, half a second, KILL until none is left."""
    for first, then in ((signal.SIGTERM, 0), (signal.SIGKILL, signal.SIGKILL)):
        deadline = time.monotonic() + GRACE_SECONDS
        some_left = _signal_all(job, first)
        while some_left and time.monotonic() < deadline:
            time.sleep(0.02)
            some_left = _signal_all(job, then)
        if not some_left:
            return


def _signal_all(job: int, number: int) -> bool:
    """Sends a signal (0: none) to every living descendant; false when there is none."""
    _reap()
    pids = list(_descendants(job))
    for pid in pids:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)
    return bool(pids)


def _reap() -> None:
    """Collects the exits of adopted orphans, which would stay as zombies."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _descendants(job: int) -> Iterator[int]:
    """The living processes below the leader and those of the job's session.

    Below the leader finds a grandchild that opened its own session, too.
    """
    table = dict(_process_table())
    ours = {os.getpid()}
    grown = True
    while grown:
        found = {p for p, (parent, _) in table.items() if parent in ours} - ours
        ours |= found
        grown = bool(found)
    ours |= {pid for pid, (_, session) in table.items() if session == job}
    yield from ours - {os.getpid()}


def _process_table() -> Iterator[tuple[int, tuple[int, int]]]:
    """Every process that is no zombie: pid, (parent, session). Fields as in proc(5), stat."""
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/stat", encoding="latin-1") as file:
                fields = file.read().rpartition(")")[2].split()
        except OSError:
            continue
        if fields[0] != "Z":
            yield int(name), (int(fields[1]), int(fields[3]))


def _prctl(option: int, value: int = 1) -> None:
    """Calls Linux's prctl(2)."""
    ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0)


if __name__ == "__main__":
    sys.exit(main())
