from __future__ import annotations

import io
import json
import math
import subprocess
import sys
from pathlib import Path

import pytest

from engine_comparison import errors, protocol
from engine_comparison.errors import UserError, one_line
from engine_comparison.protocol import Channel, read_spec

PACKAGE_PARENT = Path(errors.__file__).parents[1]


def run(body: str, spec: str = '{"n": 2}') -> subprocess.CompletedProcess[str]:
    """Run a module with this body in a process of its own."""
    lines = "\n".join(f"    {line}" for line in body.splitlines())
    program = (
        "import os, subprocess, sys\n"
        "from engine_comparison.errors import UserError\n"
        "from engine_comparison.protocol import run_module\n"
        f"def body(channel, spec):\n{lines}\n"
        "sys.exit(run_module(body))\n"
    )
    return subprocess.run(
        [sys.executable, "-c", program],
        input=spec + "\n",
        capture_output=True,
        text=True,
        cwd=PACKAGE_PARENT,
        check=False,
    )


def events(process: subprocess.CompletedProcess[str]) -> list[dict]:
    return [json.loads(line) for line in process.stdout.splitlines()]


def test_only_events_come_out_of_descriptor_1():
    process = run(
        "print('chatter')\n"
        "os.write(1, b'native chatter\\n')\n"
        "subprocess.run(['echo', 'chatter of a child'])\n"
        "channel.phase('warm-up')\n"
        "return {'rows': spec['n']}"
    )
    assert process.returncode == 0
    assert events(process) == [
        {"event": "phase", "phase": "warm-up"},
        {"event": "result", "rows": 2},
    ]
    for chatter in ("chatter\n", "native chatter\n", "chatter of a child\n"):
        assert chatter in process.stderr


def test_a_users_error_is_one_failure_with_its_advice():
    process = run(
        "channel.phase('start-up')\nraise UserError('No file\\n x.', 'It is read.', 'Add it.')"
    )
    assert process.returncode == 1
    assert events(process)[1:] == [
        {
            "event": "failure",
            "reason": "No file x. It is read.",
            "advice": "Add it.",
            "phase": "start-up",
            "kind": "user",
            "outcome": "failed",
        }
    ]
    assert "Traceback" not in process.stderr


def test_any_other_error_is_one_failure_and_a_traceback_in_the_log():
    process = run("return 1 / 0")
    assert process.returncode == 1
    (failure,) = events(process)
    assert failure["reason"] == "ZeroDivisionError: division by zero"
    assert (failure["phase"], failure["outcome"]) == ("start", "failed")
    assert "Traceback" in process.stderr


def test_a_users_error_says_what_the_run_comes_to():
    (failure,) = events(run("raise UserError('No.', 'It is wrong.', 'Look.', 'wrong')"))
    assert failure["outcome"] == "wrong"


@pytest.mark.parametrize(
    "error",
    [
        "MemoryError()",
        "RuntimeError('java.lang.OutOfMemoryError: Java heap space')",
        "RuntimeError('ray.exceptions.OutOfMemoryError: Task was killed')",
        "RuntimeError('std::bad_alloc')",
    ],
)
def test_an_error_of_missing_memory_is_out_of_memory(error: str):
    (failure,) = events(run(f"raise {error}"))
    assert failure["outcome"] == "out of memory"


@pytest.mark.parametrize(
    "error",
    [
        "OSError(errno.ENOSPC, 'x')",
        "RuntimeError('Py4J: java.io.IOException: No space left on device')",
        "OSError('AWS Error UNKNOWN (HTTP status 507): XMinioStorageFull')",
    ],
    ids=["of this process", "of an engine", "of the store"],
)
def test_a_full_disk_is_told_as_one(error: str):
    (failure,) = events(run(f"import errno\nraise {error}"))
    assert failure["reason"].startswith("No space is left on the disk")
    assert failure["advice"].startswith("Make room")


def test_a_result_that_is_no_json_is_a_failure():
    (failure,) = events(run("return {'x': float('nan')}"))
    assert failure["event"] == "failure"
    assert "not JSON compliant" in failure["reason"]


def test_a_question_gets_the_next_line_as_its_answer():
    process = run("return {'seen': channel.ask('measure')}", '{}\n{"cpuSeconds": 1.5}')
    assert events(process) == [
        {"event": "measure"},
        {"event": "result", "seen": {"cpuSeconds": 1.5}},
    ]


def test_a_question_that_nobody_answers_is_a_failure_and_no_wait():
    _, failure = events(run("channel.ask('measure'); channel.ask('measure')", "{}"))
    assert failure["reason"] == "RuntimeError: nobody is left to answer 'measure'"


@pytest.mark.parametrize("line", ["", "nonsense", "[1]"])
def test_a_spec_that_is_no_object_is_a_users_error(line):
    (failure,) = events(run("return {}", line))
    assert failure["reason"].startswith("The first line of standard input is no JSON object")
    with pytest.raises(UserError):
        read_spec(io.StringIO(line))


def test_there_is_one_last_event():
    stream = io.StringIO()
    channel = Channel(stream)
    with pytest.raises(ValueError, match="JSON"):
        channel.result({"x": math.inf})
    channel.failure("two\nlines", "")
    with pytest.raises(RuntimeError, match="already"):
        channel.result({})
    assert len(stream.getvalue().splitlines()) == 1
    assert protocol.Channel(io.StringIO()).current == "start"


def test_long_texts_are_cut_to_one_line():
    assert one_line("a\n\t b") == "a b"
    assert len(one_line("x" * 1000)) == 500
    assert str(UserError("What.", "Why.", "Do.")) == "What.\nWhy.\nDo."
