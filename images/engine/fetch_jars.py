"""Fetches the jars of a lock with the Apache Ivy that pyspark carries.

    python fetch_jars.py jars.lock FOLDER

A line of the lock is `group:artifact:version sha256`, or with a folder after that, in which the jar
is put. What a jar depends on is not fetched: the lock names every jar. Repositories are Ivy's own
default.
"""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from tempfile import TemporaryDirectory


def main(lock: Path, folder: Path) -> int:
    """Fetch and verify; returns the exit code."""
    lines = lock.read_text().splitlines()
    fields = [line.split() for line in lines if line and not line.startswith("#")]
    wanted = {coordinates: sha256 for coordinates, sha256, *_ in fields}
    places = {coordinates: place for coordinates, _, place in (f for f in fields if len(f) > 2)}
    with TemporaryDirectory() as work:
        module = Path(work, "ivy.xml")
        module.write_text(ivy_xml(wanted))
        retrieve = f"{folder}/[artifact]-[revision].[ext]"
        command = ["java", "-jar", str(ivy()), "-ivy", str(module), "-types", "jar", "bundle"]
        subprocess.run([*command, "-retrieve", retrieve], check=True)
    wrong = 0
    for coordinates, sha256 in wanted.items():
        _, artifact, version = coordinates.split(":")
        jar = folder / f"{artifact}-{version}.jar"
        found = hashlib.sha256(jar.read_bytes()).hexdigest() if jar.exists() else "nothing"
        if found != sha256:
            print(f"{jar.name}: the lock has SHA-256 {sha256}, found {found}", file=sys.stderr)
            wrong += 1
        elif coordinates in places:
            (folder / places[coordinates]).mkdir(exist_ok=True)
            jar.rename(folder / places[coordinates] / jar.name)
    return 1 if wrong else 0


def ivy_xml(wanted: dict[str, str]) -> str:
    """An Ivy module that wants exactly these jars."""
    dependencies = [
        '<dependency org="{}" name="{}" rev="{}" conf="default->master" transitive="false" '
        'force="true"/>'.format(*coordinates.split(":"))
        for coordinates in wanted
    ]
    return "\n".join(
        [
            '<ivy-module version="2.0">',
            '<info organisation="engine-comparison" module="jars"/>',
            '<configurations><conf name="default"/></configurations>',
            "<dependencies>",
            *dependencies,
            "</dependencies>",
            "</ivy-module>",
        ]
    )


def ivy() -> Path:
    """The jar of Ivy among pyspark's."""
    jars = Path(str(metadata.distribution("pyspark").locate_file("pyspark/jars")))
    return next(jar for jar in jars.iterdir() if re.fullmatch(r"ivy-[\d.]+\.jar", jar.name))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
