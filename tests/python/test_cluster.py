"""What is shipped to clusters that are there already, and what they are asked before."""

from __future__ import annotations

import subprocess
import sys
import tarfile
from importlib import metadata
from pathlib import Path

import pytest

from engine_comparison.errors import UserError
from engine_comparison.host import PACKAGE_PARENT
from engine_comparison.pack import ROOTS, pack, with_requirements
from engine_comparison.ray_job import PACKAGES, _events, check_versions, is_elsewhere


def test_requirements_come_along_and_extras_do_not():
    names = with_requirements(["pandas"])
    assert {"pandas", "numpy", "python-dateutil", "six"} <= set(names)
    assert "pytest" not in names
    assert with_requirements(["no-such-package"]) == []


def test_packed_packages_serve_a_python_that_has_none(tmp_path: Path):
    archive = tmp_path / "packages.tgz"
    assert pack(archive) > 1000
    with tarfile.open(archive) as packed:
        packed.extractall(tmp_path / "packages")
    # -S: without the site-packages of the Python that runs it.
    done = subprocess.run(
        [sys.executable, "-S", "-c", "import engine_comparison.batches, PIL, pandas; print('ok')"],
        env={"PYTHONPATH": f"{tmp_path / 'packages'}:{PACKAGE_PARENT}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "ok\n", done.stderr
    assert set(ROOTS) <= set(with_requirements(ROOTS))


def test_the_same_versions_are_taken():
    check_versions({name: metadata.version(name) for name in PACKAGES})


def test_all_other_and_missing_versions_are_named_with_both():
    numpy = metadata.version("numpy")
    with pytest.raises(UserError) as raised:
        check_versions({"numpy": "0.1", "no-such-package": "2", "python": "2.7"})
    assert f"numpy {numpy} instead of 0.1" in raised.value.what
    assert "no-such-package missing instead of 2" in raised.value.what
    assert "instead of 2.7" in raised.value.what


def test_events_are_told_from_the_rest_of_a_log(capsys: pytest.CaptureFixture[str]):
    log = 'chatter\n{"event": "phase", "phase": "x"}\n{"no": 1}\n[1]\n'
    assert list(_events(log)) == [{"event": "phase", "phase": "x"}]
    assert capsys.readouterr().err == 'chatter\n{"no": 1}\n[1]\n'


def test_only_a_dashboard_sends_a_job_elsewhere():
    assert is_elsewhere({"ray": {"dashboard": "http://head:8265"}})
    assert not is_elsewhere({"ray": {"address": "127.0.0.1:6379"}})
    assert not is_elsewhere({"ray": None})
    assert not is_elsewhere({})
