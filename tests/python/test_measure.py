"""Measuring: from outside, over all processes of a run, and bounded in what it costs."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import psutil
import pytest

from engine_comparison import sampler as sampling
from engine_comparison.host import describe_host
from engine_comparison.measure import AskingMeter, Reading, Sampler

MEGABYTE = 2**20

# Says "ready" when it holds 100 MB, which it has written to; then obeys its standard input.
HOLDER = """
import sys
block = bytearray(100 * 2**20)
for at in range(0, len(block), 4096):
    block[at] = 1
print("ready", flush=True)
sys.stdin.read()
"""
# Holds the memory in a grandchild.
FAMILY = f"""
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", '''{HOLDER}'''], stdin=0)
child.wait()
"""
BURNER = """
import sys, time
print("ready", flush=True)
sys.stdin.readline()
while time.process_time() < 0.5:
    pass
print("burnt", flush=True)
sys.stdin.read()
"""

# Holds 500 MB for 30 ms and frees it, when told to; then says so.
SPIKE = """
import mmap, sys, time
print("ready", flush=True)
sys.stdin.readline()
size = 500 * 2**20
block = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
for at in range(0, size, 4096):
    block[at] = 1
time.sleep(0.03)
block.close()
print("freed", flush=True)
sys.stdin.read()
"""

# Lets nobody read it (prctl(2), PR_SET_DUMPABLE).
UNREADABLE = HOLDER.replace("import sys", "import ctypes, sys; ctypes.CDLL(None).prctl(4, 0)")

# Prints how a user who is not root measures a zombie.
ZOMBIE = """
import os, subprocess
from engine_comparison.sampler import Watch
zombie = subprocess.Popen(["true"])
os.waitid(os.P_PID, zombie.pid, os.WEXITED | os.WNOWAIT)
if os.geteuid() == 0:
    os.seteuid(65534)
print(Watch({"job": zombie.pid}).memory)
"""

Launch = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def launch() -> Iterator[Launch]:
    started: list[subprocess.Popen[str]] = []

    def start(source: str, inside: Sequence[str] = ()) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [*inside, sys.executable, "-c", source],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        return process

    yield start
    for process in started:
        process.communicate()


def until(sampler: Sampler, enough: Callable[[Reading], bool]) -> Reading:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        reading = sampler.read()
        if enough(reading):
            return reading
        time.sleep(0.1)
    raise AssertionError(f"not seen: {reading}")


def test_the_peak_has_the_memory_of_all_descendants_of_the_job(launch: Launch):
    job = launch(FAMILY)
    with Sampler(job.pid, []) as sampler:
        reading = until(sampler, lambda seen: seen.samples >= 2)
    assert 100 * MEGABYTE < reading.peak_memory < 200 * MEGABYTE
    assert reading.idle_memory == 0


def test_the_peak_stays_when_the_memory_is_gone(launch: Launch):
    job = launch(FAMILY)
    with Sampler(job.pid, []) as sampler:
        before = until(sampler, lambda seen: seen.samples >= 1)
        job.communicate()
        after = until(sampler, lambda seen: seen.samples >= before.samples + 2)
    assert after.peak_memory >= before.peak_memory > 100 * MEGABYTE


def told(process: subprocess.Popen[str], answer: str) -> None:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("\n")
    process.stdin.flush()
    assert process.stdout.readline() == answer + "\n"


def test_a_peak_shorter_than_the_interval_is_seen_within_5_percent(launch: Launch):
    job = launch(SPIKE)
    with Sampler(job.pid, []) as sampler:
        before = sampler.begin()
        told(job, "freed")
        reading = sampler.read()
        later = sampler.begin()
    spike = reading.peak_memory - before.peak_memory
    assert reading.memory == "pss"
    assert 475 * MEGABYTE < spike < 525 * MEGABYTE
    assert later.peak_memory == reading.peak_memory


def until_it_runs(parent: int, name: str) -> int:
    """Wait for a child that executes a program; its pid."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        for child in psutil.Process(parent).children():
            if child.name() == name:
                return child.pid
        time.sleep(0.01)
    raise AssertionError(f"{name} does not run")


@pytest.fixture
def container() -> Iterator[list[str]]:
    """A command before others that runs them where a process sees none but its own kind."""
    own = ["--user", "--map-root-user", "--pid", "--mount-proc", "--fork"]
    without = ["setpriv", "--inh-caps=-all", "--bounding-set=-all"]  # no capabilities, as there
    tried = ["unshare", *own, *without, "true"]
    if not shutil.which("unshare") or subprocess.run(tried, check=False).returncode:
        pytest.skip("this machine lets nobody make a namespace of processes")
    outer = subprocess.Popen(["unshare", *own, "--kill-child", *without, "sleep", "600"])
    try:
        inner = until_it_runs(outer.pid, "sleep")
        enter = ["--user", "--preserve-credentials", "--pid", "--mount"]
        yield ["nsenter", f"--target={inner}", *enter, *without]
    finally:
        outer.kill()
        outer.wait()


@contextmanager
def sampler_inside(container: list[str]) -> Iterator[Callable[[str], list[dict[str, Any]]]]:
    """What asks a sampler that was started as target `docker` starts it in a container."""
    process = subprocess.Popen(
        [*container, sys.executable, "-m", "engine_comparison.sampler"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert process.stdin is not None
    assert process.stdout is not None
    stdin, stdout = process.stdin, process.stdout
    stdin.write('{"all": true}\n')

    def ask(question: str) -> list[dict[str, Any]]:
        stdin.write(f"{question}\n")
        stdin.flush()
        return [json.loads(stdout.readline())]

    yield ask
    process.communicate()
    assert process.returncode == 0


def test_in_a_container_a_peak_shorter_than_the_interval_is_seen_within_5_percent(
    launch: Launch, container: list[str]
):
    job = launch(SPIKE, container)
    with sampler_inside(container) as ask:
        meter = AskingMeter(ask)
        before = meter.begin()
        told(job, "freed")
        reading = meter.read()
    assert reading.memory == "pss"
    assert 475 * MEGABYTE < reading.peak_memory - before.peak_memory < 525 * MEGABYTE


def test_a_process_that_enters_a_container_makes_its_memory_no_less_well_measured(
    launch: Launch, container: list[str]
):
    """Docker's checks of health do, and runc lets nobody read them before they execute."""
    launch(UNREADABLE, container)
    with sampler_inside(container) as ask:
        meter = AskingMeter(ask)
        meter.begin()
        reading = meter.read()
    assert reading.memory == "pss"
    assert reading.peak_memory < 100 * MEGABYTE


def test_a_zombie_makes_memory_no_less_well_measured():
    """Spark's start script leaves one in each of its containers."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", ZOMBIE]
    assert subprocess.check_output(command, env=environment, text=True) == "pss\n"


def test_a_process_that_grows_while_it_is_read_is_counted_once_and_whole(
    monkeypatch: pytest.MonkeyPatch,
):
    held = iter([10, 10, 10, 240, 440, 500, 10])  # between any two reads it may hold more

    peak = 0

    def sizes(_pid: int, _file: str, *names: str) -> dict[str, int]:
        nonlocal peak
        now = next(held, 10) * MEGABYTE
        peak = max(peak, now)
        return {name: peak if name == "VmHWM" else now for name in names}

    groups = {"job": [psutil.Process()], "services": [], "store": [], "own": []}
    monkeypatch.setattr(sampling, "_sizes", sizes)
    monkeypatch.setattr(sampling.Watch, "_groups", lambda _: groups)
    watch = sampling.Watch({})
    watch.sample()
    watch.sample()
    answer = watch.answer()
    largest = max(memory for _, memory in answer["seen"])
    assert largest + answer["unseen"] == 500 * MEGABYTE


def test_a_peak_of_before_the_window_is_not_in_it(launch: Launch):
    job = launch(SPIKE)
    with Sampler(job.pid, []) as sampler:
        told(job, "freed")
        sampler.begin()
        reading = sampler.read()
    assert reading.peak_memory < 100 * MEGABYTE


def test_nothing_is_read_between_two_windows(launch: Launch):
    """Others take their samples then: the samplers of a benchmark's contenders all live at once."""
    job = launch(HOLDER)
    with Sampler(job.pid, []) as sampler:
        sampler.begin()
        closed = until(sampler, lambda seen: seen.samples >= 1)
        time.sleep(4 * sampling.INTERVAL_SECONDS)
        assert sampler.begin().samples == closed.samples + 1


def test_samplers_that_see_a_part_each_are_added_up_as_if_one_saw_all():
    begun = [
        {"seen": [[0.0, 10]], "unseen": 0, "idle": 7, "memory": "pss", "cpu": 1.0, "machineCpu": 9},
        {"seen": [[0.0, 5]], "unseen": 0, "idle": 3, "memory": "pss", "cpu": 0.0, "machineCpu": 9},
        {"storeCpu": 100.0},
    ]
    ended = [
        {
            **begun[0],
            "seen": [[0.1, 50], [0.3, 10]],
            "unseen": 4,
            "cpu": 2.0,
            "ownCpu": 0.5,
            "machineCpu": 14,
        },
        {**begun[1], "seen": [[0.2, 20], [0.4, 60]], "memory": "pss-sampled", "machineCpu": 14},
        {"storeCpu": 102.0},
    ]
    answers = iter([begun, ended])
    reading = AskingMeter(lambda _: next(answers)).read()
    assert reading.peak_memory == 70 + 4  # 50 and 20 at one time, then 10 and 60
    assert (reading.idle_memory, reading.memory) == (10, "pss-sampled")
    assert (reading.cpu_seconds, reading.others_cpu_seconds) == (1.0, 1.5)


def test_services_are_idle_before_and_part_of_the_peak(launch: Launch):
    service, job = launch(HOLDER), launch(HOLDER)
    with Sampler(job.pid, [service.pid]) as sampler:
        reading = until(sampler, lambda seen: seen.samples >= 1)
    assert 100 * MEGABYTE < reading.idle_memory < 160 * MEGABYTE
    assert reading.peak_memory > 200 * MEGABYTE


def test_cpu_is_that_of_the_job_and_not_of_others_or_the_store(launch: Launch):
    burners = {role: launch(BURNER) for role in ("job", "service", "store", "other")}
    with Sampler(burners["job"].pid, [burners["service"].pid], [burners["store"].pid]) as sampler:
        for burner in burners.values():
            assert burner.stdin is not None
            burner.stdin.write("\n")
            burner.stdin.flush()
        for burner in burners.values():
            assert burner.stdout is not None
            assert burner.stdout.readline() == "burnt\n"
        reading = sampler.read()
    # Two of 0.5 s each, less what they took to start; the third and the fourth are not in it.
    assert 0.7 < reading.cpu_seconds < 1.1
    assert reading.others_cpu_seconds > 0.3


def test_cpu_of_a_process_that_is_gone_still_counts(launch: Launch):
    job = launch(BURNER)
    with Sampler(job.pid, []) as sampler:
        assert job.stdin is not None
        job.stdin.write("\n")
        job.stdin.flush()
        until(sampler, lambda seen: seen.cpu_seconds > 0.3)
        job.communicate()
        reading = until(sampler, lambda seen: seen.samples >= 2)
    assert reading.cpu_seconds > 0.3


def test_a_job_that_does_not_exist_has_nothing():
    with Sampler(2**22 + 1, [2**22 + 2]) as sampler:
        reading = until(sampler, lambda seen: seen.samples >= 1)
    assert reading.peak_memory == reading.idle_memory == 0
    assert reading.cpu_seconds == 0


def test_the_sampler_ends_with_whoever_asked():
    source = (
        "from engine_comparison.measure import Sampler; import os;"
        "sampler = Sampler(os.getpid(), []); print(sampler._process.pid, flush=True); os._exit(0)"
    )
    path = os.pathsep.join(sys.path)
    done = subprocess.run(
        [sys.executable, "-c", source],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    sampler = int(done.stdout)
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            with open(f"/proc/{sampler}/stat") as file:
                if file.read().rpartition(")")[2].split()[0] == "Z":
                    return
        except OSError:
            return
        time.sleep(0.05)
    raise AssertionError("the sampler lives on")


def test_a_sampler_that_died_is_an_error_and_not_a_number():
    sampler = Sampler(os.getpid(), [])
    sampler._process.kill()
    sampler._process.wait()
    with pytest.raises(RuntimeError, match="sampler"):
        sampler.read()


def test_the_host_is_described():
    host = describe_host()
    assert host["cores"] >= 1
    assert host["memoryBytes"] > 2**28
    assert host["cpu"]
