from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from bench.harness import run_benchmark
from bench.rounds import take_rounds
from engine_comparison.engines import PACKAGE_PARENT
from engine_comparison.errors import UserError
from engine_comparison.protocol import Channel
from engine_comparison.samples import Try

QUIET = Try(total_seconds=1.0, cpu_seconds=1.0, others_cpu_seconds=0.0)
DISTURBED = Try(total_seconds=1.0, cpu_seconds=1.0, others_cpu_seconds=1.0)


def test_contenders_take_their_samples_in_turn_the_first_ones_cold() -> None:
    taken: list[tuple[str, str]] = []

    def take(name: str, sample: str) -> Try:
        taken.append((name, sample))
        return QUIET

    samples = take_rounds(["a", "b"], 2, take, cores=2)
    assert [f"{name} {sample}" for name, sample in taken] == [
        "a first sample",
        "b first sample",
        "a sample 1/2",
        "b sample 1/2",
        "a sample 2/2",
        "b sample 2/2",
    ]
    assert [sample["kind"] for sample in samples["a"]] == ["first", "hot", "hot"]


def test_a_disturbed_hot_sample_is_taken_again_at_most_twice_and_marked() -> None:
    tries = {"calm": [QUIET, QUIET], "once": [QUIET, DISTURBED, QUIET], "ever": [DISTURBED] * 4}
    left = {name: iter(given) for name, given in tries.items()}
    samples = take_rounds(list(tries), 1, lambda name, _: next(left[name]), cores=2)
    assert [len(sample.get("tries", [0])) for sample in samples["once"]] == [1, 2]
    assert [sample["disturbed"] for sample in samples["once"]] == [False, False]
    assert [len(sample.get("tries", [0])) for sample in samples["ever"]] == [1, 3]
    assert samples["ever"][1]["disturbed"]
    assert all(next(rest, None) is None for rest in left.values())


@pytest.fixture(autouse=True)
def _as_a_job(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(PACKAGE_PARENT))


def measured(*contenders: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    told = io.StringIO()
    found = run_benchmark(Channel(told), {"rounds": 1, "contenders": list(contenders)})
    return found, [json.loads(line)["phase"] for line in told.getvalue().splitlines()]


def command(name: str, code: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "kind": "command", "argv": [sys.executable, "-c", code], **more}


def test_every_contender_works_once_a_sample_and_is_timed(tmp_path: Path) -> None:
    log = tmp_path / "log"
    write = f"import os; open({str(log)!r}, 'a').write(os.environ['WHO'])"
    sleep = "; import time; time.sleep(0.3)"
    found, phases = measured(
        command("quick", write, environment={"WHO": "a"}),
        command("slow", write + sleep, environment={"WHO": "b"}),
    )
    taken = {one["name"]: one for one in found["contenders"]}
    tries = [sample.get("tries", [sample]) for sample in taken["slow"]["samples"]]
    assert log.read_text().count("b") == sum(map(len, tries))
    assert min(one["totalSeconds"] for some in tries for one in some) >= 0.3
    assert taken["quick"]["peakMemoryBytes"] > 0
    assert phases[0] == "quick: start-up"
    assert phases[-1] == "slow: verify"


def test_a_contender_that_fails_fails_the_benchmark() -> None:
    with pytest.raises(UserError, match=r"bad: .*ended with 3"):
        measured(command("good", ""), command("bad", "raise SystemExit(3)"))


def test_a_contender_whose_process_dies_fails_the_benchmark() -> None:
    kill = "import os; os.kill(os.getppid(), 9)"
    with pytest.raises(UserError, match="dead: its process ended"):
        measured(command("dead", kill))
