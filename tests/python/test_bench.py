"""The benchmark's conductor: equal turns, every program's work checked, failures told by name."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from bench.harness import rounds, run_benchmark
from engine_comparison.errors import ProcessError, UserError
from engine_comparison.host import PACKAGE_PARENT
from engine_comparison.protocol import Channel


@pytest.fixture(autouse=True)
def _as_a_job(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", f"{PACKAGE_PARENT}:{Path(__file__).parents[2]}")


def measured(*contenders: dict[str, Any], **plan: str) -> tuple[dict[str, Any], list[str]]:
    told = io.StringIO()
    spec = {"plan": {"repeats": "2", **plan}, "contenders": list(contenders)}
    found = run_benchmark(Channel(told), spec)
    return found, [json.loads(line)["phase"] for line in told.getvalue().splitlines()]


def command(name: str, code: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "argv": [sys.executable, "-c", code], **more}


def test_contenders_take_blocks_in_turn_of_which_the_first_is_not_timed(tmp_path: Path) -> None:
    log = tmp_path / "log"
    write = f"import os; open({str(log)!r}, 'a').write(os.environ['WHO'])"
    found, phases = measured(
        command("a", write, environment={"WHO": "a"}),
        command("b", write, environment={"WHO": "b"}),
        repeats="4",
        forks="2",
    )
    cold = ["start-up", "first sample"]
    first = ["not timed", "hot sample 1", "hot sample 2", "hot sample 3"]
    second = ["not timed", "hot sample 4"]
    fork = [f"{name}: {phase}" for part in (cold, first, second) for name in "ab" for phase in part]
    assert phases == [*fork, *fork, "a: verify", "b: verify"]
    assert log.read_text() == ("ab" + "aaaabbbb" + "aabb") * 2
    for one in found["contenders"]:
        kinds = [(sample["fork"], sample["kind"]) for sample in one["samples"]]
        assert kinds == [(fork, kind) for fork in (1, 2) for kind in ["first"] + ["hot"] * 4]
        assert one["peakMemoryBytes"] > 0
        assert one["rounds"] == [0, 0]
        assert one["forks"][0]["state"] == "fixed"


def test_contenders_of_one_cluster_are_not_alive_together() -> None:
    def on(name: str, *pids: int) -> dict[str, Any]:
        services = [{"name": "one", "pid": pid} for pid in pids]
        return {"name": name, "spec": {"services": services}, "against": "polars"}

    spark, ray = (11, 12), (21,)
    contenders = [
        *(on(name, *spark) for name in ("spark", "spark-tuned", "spark-comet")),
        *(on(name, *ray) for name in ("ray", "ray-tuned")),
        *(on(name) for name in ("daft", "polars")),
        command("program", ""),
    ]
    assert rounds(contenders) == [
        ["spark", "ray", "daft", "polars", "program"],
        ["spark-tuned", "ray-tuned", "polars"],
        ["spark-comet", "polars"],
    ]


def test_what_a_contender_takes_is_what_is_measured() -> None:
    found, _ = measured(command("slow", "import time; time.sleep(0.3)"))
    assert min(one["totalSeconds"] for one in found["contenders"][0]["samples"]) >= 0.3


def test_a_contender_that_fails_fails_the_benchmark() -> None:
    with pytest.raises(UserError, match=r"bad: .*ended with 3"):
        measured(command("good", ""), command("bad", "raise SystemExit(3)"))


def test_a_contender_whose_process_dies_fails_the_benchmark() -> None:
    kill = "import os; os.kill(os.getppid(), 9)"
    with pytest.raises(ProcessError, match=r"dead: .* ended by signal 9"):
        measured(command("dead", kill))
