"""The leader: a job ends when its caller does, however that came, and with all it started."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

PIPELINES = Path(__file__).parents[2] / "pipelines"

# What is promised is a second; a machine that is busy with other things gets some more here.
SOON = 5.0

Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts the leader with a job whose source is given; ends it if the test does not."""
    started: list[subprocess.Popen[str]] = []

    def launch(
        source: str, spec: Any = None, seconds: float | None = None
    ) -> subprocess.Popen[str]:
        (tmp_path / "job_under_test.py").write_text(source)
        leader = subprocess.Popen(
            [sys.executable, "-m", "engine_comparison.leader"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=PIPELINES,
            env={**os.environ, "PYTHONPATH": str(tmp_path), "OUT": str(tmp_path)},
        )
        started.append(leader)
        request = {"module": "job_under_test", "spec": spec, "seconds": seconds}
        assert leader.stdin is not None
        leader.stdin.write(json.dumps(request) + "\n")
        leader.stdin.flush()
        return leader

    yield launch
    for leader in started:
        leader.kill()
        leader.wait()
        for stream in (leader.stdin, leader.stdout, leader.stderr):
            with contextlib.suppress(OSError):
                stream.close()


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def wait_for_pids(folder: Path, count: int) -> list[int]:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        files = [file for file in folder.glob("*.pid") if file.read_text()]
        if len(files) == count:
            return [int(file.read_text()) for file in files]
        time.sleep(0.02)
    raise AssertionError("the job did not start")


def wait_until_dead(pids: list[int]) -> float:
    began = time.monotonic()
    while any(alive(pid) for pid in pids):
        assert time.monotonic() - began < SOON, "some of the job outlived its caller"
        time.sleep(0.01)
    return time.monotonic() - began


# A job with a child, a grandchild that ignores TERM, and one in a session of its own.
FAMILY = """
import os, signal, subprocess, sys, time
def note(name):
    open(os.path.join(os.environ["OUT"], name + ".pid"), "w").write(str(os.getpid()))
if len(sys.argv) > 1:
    note(sys.argv[1])
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if sys.argv[1] == "child":
        subprocess.Popen([sys.executable, __file__, "grandchild"])
        subprocess.Popen([sys.executable, __file__, "daemon"], start_new_session=True)
else:
    note("job")
    subprocess.Popen([sys.executable, __file__, "child"])
time.sleep(600)
"""


@pytest.mark.parametrize("code", [0, 1, 7])
def test_the_exit_code_of_the_job_passes(start: Start, code: int):
    leader = start(f"import sys; sys.exit({code})")
    assert leader.wait(30) == code


def test_a_job_ended_by_a_signal_gives_128_and_its_number(start: Start):
    assert start("import os; os.kill(os.getpid(), 9)").wait(30) == 137


def test_the_job_gets_its_spec_as_one_line_and_its_output_passes(start: Start):
    source = "import sys; print(sys.stdin.readline(), end=''); print('log', file=sys.stderr)"
    leader = start(source, spec={"text": "é\n", "n": [1]})
    assert leader.wait(30) == 0
    assert leader.stdout is not None
    assert json.loads(leader.stdout.read()) == {"text": "é\n", "n": [1]}
    assert leader.stderr is not None
    assert leader.stderr.read() == "log\n"


def test_further_lines_reach_the_job_and_the_job_lives_on(start: Start):
    source = """
import sys
sys.stdin.readline()
for line in sys.stdin:
    print("asked", line, end="", flush=True)
    if line == "end\\n":
        break
"""
    leader = start(source)
    assert leader.stdin is not None
    assert leader.stdout is not None
    for line in ("one\n", "two\n", "end\n"):
        leader.stdin.write(line)
        leader.stdin.flush()
        assert leader.stdout.readline() == f"asked {line}"
    assert leader.wait(30) == 0


def test_a_job_that_never_reads_its_spec_is_no_error(start: Start):
    leader = start("import sys; sys.exit(0)", spec="x" * 1_000_000)
    assert leader.wait(30) == 0


@pytest.mark.skipif(sys.platform != "linux", reason="finds descendants by /proc")
@pytest.mark.parametrize(("seconds", "code"), [(0.5, 124), (None, 130)])
def test_a_job_that_lives_on_without_reading_its_spec_is_ended_like_any_other(
    start: Start, tmp_path: Path, seconds: float | None, code: int
):
    source = "import os, time; open(os.environ['OUT'] + '/job.pid', 'w').write(str(os.getpid()));"
    leader = start(f"{source} time.sleep(600)", spec="x" * 1_000_000, seconds=seconds)
    pids = wait_for_pids(tmp_path, 1)
    if seconds is None:
        assert leader.stdin is not None
        leader.stdin.close()
    assert leader.wait(SOON) == code
    wait_until_dead(pids)


def test_lines_that_a_busy_job_does_not_read_yet_reach_it_later_in_order(start: Start):
    source = """
import sys, time
sys.stdin.readline()
time.sleep(1)
lines = [sys.stdin.readline() for _ in range(3)]
print([(line[0], len(line)) for line in lines])
"""
    leader = start(source)
    assert leader.stdin is not None
    assert leader.stdout is not None
    for letter in "abc":
        leader.stdin.write(letter * 300_000 + "\n")
        leader.stdin.flush()
    assert leader.wait(30) == 0
    assert leader.stdout.read() == "[('a', 300001), ('b', 300001), ('c', 300001)]\n"


def test_an_interpreter_that_is_gone_is_told_by_name():
    source = (
        "import sys; from engine_comparison import leader; "
        "sys.executable = '/gone/python'; sys.exit(leader.main())"
    )
    done = subprocess.run(
        [sys.executable, "-c", source],
        input='{"module": "x", "spec": {}}\n',
        cwd=PIPELINES,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 127
    assert done.stderr.startswith("leader: the job cannot be started: ")
    assert "/gone/python" in done.stderr
    assert "Traceback" not in done.stderr


def test_much_output_passes_whole(start: Start):
    leader = start("import sys; sys.stdout.write('line\\n' * 2_000_000)")
    assert leader.stdout is not None
    assert len(leader.stdout.read()) == 10_000_000
    assert leader.wait(30) == 0


@pytest.mark.skipif(sys.platform != "linux", reason="finds descendants by /proc")
def test_the_end_of_input_ends_the_job_and_all_its_descendants(start: Start, tmp_path: Path):
    leader = start(FAMILY)
    pids = wait_for_pids(tmp_path, 4)
    assert leader.stdin is not None
    leader.stdin.close()
    assert leader.wait(SOON) == 130
    wait_until_dead(pids)


@pytest.mark.skipif(sys.platform != "linux", reason="finds descendants by /proc")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_to_the_leader_ends_the_job(start: Start, tmp_path: Path, number: int):
    leader = start(FAMILY)
    pids = wait_for_pids(tmp_path, 4)
    leader.send_signal(number)
    assert leader.wait(SOON) == 130
    wait_until_dead(pids)


@pytest.mark.skipif(sys.platform != "linux", reason="PR_SET_PDEATHSIG")
def test_the_job_dies_even_if_the_leader_is_killed(start: Start, tmp_path: Path):
    leader = start(
        "import os, time; open(os.environ['OUT'] + '/job.pid', 'w').write(str(os.getpid()));"
        "time.sleep(600)"
    )
    pids = wait_for_pids(tmp_path, 1)
    leader.kill()
    wait_until_dead(pids)


@pytest.mark.skipif(sys.platform != "linux", reason="finds descendants by /proc")
def test_what_a_finished_job_leaves_behind_is_ended(start: Start, tmp_path: Path):
    source = FAMILY.replace("time.sleep(600)", "time.sleep(600 if len(sys.argv) > 1 else 2)")
    leader = start(source)
    pids = wait_for_pids(tmp_path, 4)
    assert leader.wait(30) == 0
    wait_until_dead(pids)


def test_a_job_over_its_time_limit_is_ended_with_124(start: Start):
    began = time.monotonic()
    leader = start("import time; time.sleep(600)", seconds=0.5)
    assert leader.wait(30) == 124
    assert time.monotonic() - began < 30
    assert leader.stderr is not None
    assert "longer than 0.5 s" in leader.stderr.read()


@pytest.mark.parametrize("line", ["", "nonsense\n", "[]\n", '{"module": "x"}\n'])
def test_a_wrong_request_is_refused_with_2(line: str):
    leader = subprocess.run(
        [sys.executable, "-m", "engine_comparison.leader"],
        input=line,
        cwd=PIPELINES,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert leader.returncode == 2
    assert "no request" in leader.stderr
