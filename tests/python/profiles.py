"""What the tests expect of every contender's profile."""

from __future__ import annotations

from typing import Any

from engine_comparison.profile import KINDS

TELLS_FILTERED = ("polars", "duckdb", "daft", "ray", "ray-tuned", "ray-arrow")
"""Contenders that say of reading trips only how many passed the filter that is part of it."""


def assert_profile(profile: dict[str, Any], engine: str, workload: str, rows_in: int) -> None:
    """See that a profile has stages, rows, bytes and a bottleneck.

    Args:
        profile: As a result has it.
        engine: The contender.
        workload: The workload.
        rows_in: Rows or images of the input.
    """
    assert "failed" not in profile, profile
    assert profile["means"]
    assert profile["bottleneck"] in KINDS[:-1]
    assert profile["oneShotBottleneck"] in KINDS
    stages = profile["stages"]
    assert {stage["kind"] for stage in stages} <= set(KINDS)
    assert [stage["kind"] for stage in stages[-2:]] == ["coordination", "start-up"]
    assert sum(stage["seconds"] for stage in stages[:-2]) > 0
    assert stages[-2]["seconds"] <= profile["seconds"]
    read = [stage for stage in stages if stage["kind"] in ("read", "decode")]
    assert sum(stage["seconds"] for stage in read) > 0
    # Ray has the bytes of fused operators at the last of them.
    assert max(stage["bytes"] or 0 for stage in (stages if engine.startswith("ray") else read)) > 0
    rows = max(stage["rows"] or 0 for stage in stages)
    if workload == "taxi-report" and engine in TELLS_FILTERED:
        assert 0 < rows < rows_in  # how many passed the filter in the scan
    else:
        assert rows == rows_in
    if workload != "taxi-report" and engine not in ("ray", "spark"):
        decoding = [stage for stage in stages if stage["kind"] == "decode"]
        assert sum(stage["seconds"] for stage in decoding) > 0
    assert not any("\n" in stage["name"] or "127.0.0.1" in stage["name"] for stage in stages)
