from __future__ import annotations

import copy
import json
from pathlib import Path

import jsonschema
import pytest

import engine_comparison
from engine_comparison import image_rule
from engine_comparison.profile import KINDS

SCHEMA = json.loads((Path(engine_comparison.__file__).parent / "result.schema.json").read_text())


def sample(kind, seconds):
    return {
        "kind": kind,
        "fork": 1,
        "totalSeconds": seconds,
        "cpuSeconds": 2.0,
        "othersCpuSeconds": 0.1,
        "disturbed": False,
    }


FORK = {"startUpSeconds": 4.5, "state": "steady", "slope": -0.01, "peakMemoryBytes": 10**9}
RESULT = {
    "event": "result",
    "schema": 2,
    "engine": "spark",
    "workload": "taxi-report",
    "key": "0123456789abcdef",
    "attempt": "a1",
    "device": "cpu",
    "startedAt": "2026-01-01T00:00:00+00:00",
    "oneShotSeconds": 7.7,
    "medianSeconds": 1.1,
    "startUpSeconds": 4.5,
    "forks": [FORK],
    "samples": [sample("first", 3.2), sample("warm", 1.4), sample("hot", 1.1)],
    "limits": {"cores": 2, "memoryBytes": 6 * 2**30},
    "rowsIn": 1200000,
    "bytesIn": 25000000,
    "rowsPerSecond": 1090909.1,
    "rows": 9,
    "rejected": 1,
    "rejects": [{"reason": "truncated", "count": 1}],
    "bytesOut": 1234,
    "peakMemoryBytes": 10**9,
    "idleMemoryBytes": None,
    "cpuSeconds": 12.5,
    "othersCpuSeconds": 0.5,
    "checksum": "ab" * 32,
    "verified": True,
    "deviations": {"revenue": 1e-16, "avg_tip": None},
    "agreement": None,
    "disagreements": {},
    "tunables": [],
    "configuration": {"persistsBetweenSamples": "the process"},
    "versions": {"pyspark": "4.1.1"},
    "host": {"cores": 2},
    "outputUri": "s3://warehouse/report/engine=spark/run=0123456789abcdef/",
    "commit": "added by whoever writes the history",
}


def test_the_schema_is_one_and_a_whole_result_fits_it():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    jsonschema.validate(RESULT, SCHEMA)
    assert set(SCHEMA["required"]) == set(RESULT) - {"commit"}
    optional = {"note", "sampled", "requests", "profile", "gpu"}
    assert set(SCHEMA["properties"]) == set(SCHEMA["required"]) | optional


@pytest.mark.parametrize("name", SCHEMA["required"])
def test_every_field_is_required(name):
    result = {key: value for key, value in RESULT.items() if key != name}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(result, SCHEMA)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("verified", False),
        ("key", "xyz"),
        ("device", "gpu"),
        ("samples", []),
        ("schema", 1),
        ("forks", []),
        ("forks", [{**FORK, "state": "warm"}]),
        ("samples", [{**sample("hot", 1.0), "fork": 0}]),
        ("samples", [{**sample("hot", 1.0), "tries": []}]),
        ("limits", {"cores": 2}),
        ("rows", 1.5),
        ("rejects", [{"reason": "ugly", "count": 1}]),
        ("deviations", {"revenue": "small"}),
        ("outputUri", "http://127.0.0.1/warehouse/"),
    ],
)
def test_wrong_values_are_refused(name, value):
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**copy.deepcopy(RESULT), name: value}, SCHEMA)


STAGE = {
    "name": "scan",
    "kind": "read",
    "seconds": 0.5,
    "rows": 5,
    "bytes": None,
    "spilledBytes": None,
}
PROFILE = {
    "means": "Spark's event log",
    "seconds": 1.0,
    "stages": [STAGE],
    "nodes": [{"name": "a", "peakMemoryBytes": 1, "cpuSeconds": None, "measure": "RSS"}],
    "bottleneck": "read",
    "oneShotBottleneck": "start-up",
}


@pytest.mark.parametrize("profile", [PROFILE, {"failed": "why"}])
def test_a_result_may_have_a_profile(profile):
    jsonschema.validate({**RESULT, "profile": profile}, SCHEMA)


@pytest.mark.parametrize(
    "profile",
    [
        {},
        {"failed": ""},
        {**PROFILE, "failed": "why"},
        {**PROFILE, "bottleneck": "the disk"},
        {**PROFILE, "stages": []},
        {**PROFILE, "stages": [{**STAGE, "kind": "think"}]},
        {**PROFILE, "stages": [{**STAGE, "rows": 0.5}]},
    ],
)
def test_a_wrong_profile_is_refused(profile):
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**RESULT, "profile": profile}, SCHEMA)


def test_the_kinds_of_stages_are_those_of_the_rule():
    assert SCHEMA["$defs"]["stageKind"]["enum"] == list(KINDS)


def test_the_reasons_are_those_of_the_rule():
    reasons = SCHEMA["properties"]["rejects"]["items"]["properties"]["reason"]["enum"]
    assert set(reasons) == set(image_rule.REASONS)
