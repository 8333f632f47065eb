"""A job on a Ray cluster that is there already: submitted from here, carried out beside its head.

The driver of a Ray program has to be one of the cluster's nodes, and Ray Client is not reliable. So
the job's module sends itself to the cluster by Ray's own job submission and passes on what it says:

- the package, once for each content (Ray names what is uploaded by its hash);
- the model's folder, likewise, as the folder in which driver and workers run;
- the spec, in its own package: it has the store's keys, so it is in no argument, no
  environment and no log. Who has the cluster's token, or an account on its nodes, can read it.

On the cluster the module is started with the argument `SHIPPED`, and takes the spec from there.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from importlib import metadata
from pathlib import Path
from types import FrameType
from typing import Any

from .errors import UserError, one_line
from .protocol import Channel, Spec, run_module

POLL_SECONDS = 0.5
PACKAGES = ("ray", "daft", "numpy", "obstore", "onnx", "onnxruntime", "pandas", "pillow", "pyarrow")
"""What the cluster has to have in the versions that are here."""

SHIPPED = "--shipped"
"""The argument of a job's module that makes it take its spec from what came along with it."""

_SPEC_PACKAGE = "engine_comparison_spec"

Body = Callable[[Channel, Spec], dict[str, Any]]
"""What a job does: gets the channel and the spec, returns the fields of the result event."""


def is_elsewhere(spec: Mapping[str, Any]) -> bool:
    """Whether a spec is for a Ray cluster of which this machine is no node."""
    return bool((spec.get("ray") or {}).get("dashboard"))


def submit(channel: Channel, spec: Spec, module: str) -> dict[str, Any]:
    """Have the job carried out on the cluster; returns the fields of its result.

    Args:
        channel: For the phases that the job announces.
        spec: The job's spec.
        module: The module that carries it out, when it is started with `SHIPPED`.

    Raises:
        UserError: The cluster does not take it, or what the job itself says.
    """
    dashboard = spec["ray"]["dashboard"]
    _use_token(spec["ray"].get("tokenFile"))
    from ray.job_submission import JobSubmissionClient

    name = f"{spec['attempt']}-{spec['engine']}-{spec['workload']}"
    with _refusal_explained(dashboard):
        client = JobSubmissionClient(dashboard)
        client.submit_job(
            entrypoint=f"python -m {module} {SHIPPED}",
            submission_id=name,
            runtime_env=_shipped(spec),
        )
    before = signal.signal(signal.SIGTERM, _leave)
    try:
        return _follow(channel, client, name)
    finally:
        with suppress(Exception):  # it has ended already
            client.stop_job(name)
        signal.signal(signal.SIGTERM, before)


def _leave(_signal: int, _frame: FrameType | None) -> None:
    """End by an exception, so that the job on the cluster ends, too."""
    raise SystemExit(143)


def _use_token(file: str | None) -> None:
    """Tell Ray which token to send; without a mode it would take one from the home folder."""
    if file is None:
        os.environ["RAY_AUTH_MODE"] = "disabled"
    else:
        os.environ.update(RAY_AUTH_MODE="token", RAY_AUTH_TOKEN_PATH=file)


def _shipped(spec: Spec) -> dict[str, Any]:
    """Ray's runtime environment of the job: local folders, which Ray's client uploads."""
    scratch = Path(spec["scratch"])
    here = Path(__file__).parent
    code = scratch / "code" / here.name
    shutil.copytree(here, code, ignore=shutil.ignore_patterns("__pycache__"))
    package = scratch / "spec" / _SPEC_PACKAGE
    package.mkdir(parents=True, mode=0o700)
    expects = {"python": _python(), **{name: metadata.version(name) for name in PACKAGES}}
    there = {**spec, "ray": {**spec["ray"], "address": "auto"}, "expects": expects}
    del there["ray"]["dashboard"], there["ray"]["tokenFile"]
    (package / "spec.json").write_text(json.dumps(there), encoding="utf-8")
    return {
        "working_dir": str(Path(spec["model"]["path"]).resolve().parent),
        "py_modules": [str(code), str(package)],
    }


def _follow(channel: Channel, client: Any, name: str) -> dict[str, Any]:
    """Pass on what the job says until its last word.

    Returns:
        The fields of its result.

    Raises:
        UserError: It failed, or ended without a word.
    """
    read = 0
    while True:
        status = client.get_job_status(name)
        log = client.get_job_logs(name)
        whole = len(log) if status.is_terminal() else log.rfind("\n") + 1
        for event in _events(log[read:whole]):
            kind = event.pop("event")
            if kind == "result":
                return event
            if kind == "failure":
                raise UserError(event["reason"], "", event["advice"], event["outcome"])
            if kind == "phase":
                channel.phase(event["phase"])
        read = whole
        if status.is_terminal():
            said = client.get_job_info(name).message
            raise UserError(
                f"The Ray cluster ended the job without a result ({status}): {one_line(said, 300)}",
                "Nothing was published.",
                "See the job's log.",
            )
        time.sleep(POLL_SECONDS)


def _events(text: str) -> Iterator[dict[str, Any]]:
    """The events among the lines of a log; the other lines go to standard error."""
    for line in text.splitlines():
        with suppress(ValueError):
            event = json.loads(line)
            if isinstance(event, dict) and isinstance(event.get("event"), str):
                yield event
                continue
        print(line, file=sys.stderr)


@contextmanager
def _refusal_explained(dashboard: str) -> Iterator[None]:
    """Turn what the submission raises into a `UserError`."""
    try:
        yield
    except Exception as error:
        raise UserError(
            f"The Ray cluster at {dashboard} does not take the job: {one_line(error, 300)}",
            "The run is carried out by it.",
            "See whether rayAddress and rayToken are right, and whether it is of this version "
            f"({metadata.version('ray')}).",
        ) from error


def _python() -> str:
    """The minor version, which pickled code depends on."""
    return ".".join(map(str, sys.version_info[:2]))


def check_versions(expects: Mapping[str, str]) -> None:
    """Compare what is installed on the cluster with what the job was made for.

    Raises:
        UserError: All that is missing or of another version, with both.
    """

    def installed(name: str) -> str:
        if name == "python":
            return _python()
        try:
            return metadata.version(name)
        except metadata.PackageNotFoundError:
            return "missing"

    found = {name: installed(name) for name in expects}
    wrong = [
        f"{name} {found[name]} instead of {wanted}"
        for name, wanted in expects.items()
        if found[name] != wanted
    ]
    if wrong:
        raise UserError(
            f"The Ray cluster has {', '.join(wrong)}.",
            "Results of other versions are no results of this comparison, and pickled code of "
            "another one may not load.",
            "Set up its nodes with these versions (pipelines/requirements.lock).",
        )


def run_shipped(body: Body) -> int:
    """Carry a job out as the cluster's driver, by the spec that came along; its file is deleted.

    Returns:
        The exit code.
    """
    places = (Path(place) / _SPEC_PACKAGE / "spec.json" for place in sys.path)
    file = next(place for place in places if place.is_file())
    sys.stdin = io.StringIO(file.read_text(encoding="utf-8") + "\n")
    file.unlink()

    def carry_out(channel: Channel, spec: Spec) -> dict[str, Any]:
        check_versions(spec.pop("expects"))
        with tempfile.TemporaryDirectory() as scratch:
            return body(channel, {**spec, "scratch": scratch})

    return run_module(carry_out)
