"""Takes out of a Python environment what no pipeline needs, and compiles the rest.

    python prune.py /opt/venv

The containers' file systems are read-only, so Python could not keep what it compiles at run time.
"""

from __future__ import annotations

import compileall
import platform
import re
import shutil
import sys
import zipfile
from pathlib import Path

UNUSED = ("pyspark/examples", "pyspark/data", "ray/jars", "pyarrow/include", "pyarrow/src")
UNUSED_SUFFIXES = (".a", ".pxd", ".pyi", ".pyx")

NOT_COMPILED = re.compile(
    r"/site-packages/(sympy|mpmath|networkx|scipy|sklearn|skimage|imageio|tifffile|virtualenv|pip)/"
)
"""Large packages that only make datasets, or nothing: compiled they would add 50 MB."""

NATIVE = re.compile(r"\.(so|dll|dylib|jnilib)$")
FOREIGN = {
    "x86_64": r"dll$|dylib$|jnilib$|aarch|arm|ppc|s390|riscv|loongarch|mips|linux32|/x86/|i386|"
    r"freebsd|aix|sunos|win|darwin|osx|mac",
    "aarch64": r"dll$|dylib$|jnilib$|x86|amd64|ppc|s390|riscv|loongarch|mips|linux32|linux64\.so|"
    r"linux64-musl\.so|i386|armv7|/arm/|freebsd|aix|sunos|win|darwin|osx|mac",
}
"""Words in the names of libraries that another system or processor loads."""


def main(environment: Path) -> None:
    """Prune, then compile."""
    (packages,) = environment.glob("lib/python3.*/site-packages")
    for folder in [*(packages / name for name in UNUSED), *packages.rglob("tests")]:
        shutil.rmtree(folder, ignore_errors=True)
    for file in packages.rglob("*"):
        if file.suffix in UNUSED_SUFFIXES and file.is_file():
            file.unlink()
    foreign = re.compile(FOREIGN[platform.machine()])
    for jar in (packages / "pyspark/jars").glob("*.jar"):
        without_foreign_natives(jar, foreign)
    compileall.compile_dir(packages, quiet=2, workers=0, rx=NOT_COMPILED)


def without_foreign_natives(jar: Path, foreign: re.Pattern[str]) -> None:
    """Write a jar anew without the native libraries of other systems, if it has any."""
    with zipfile.ZipFile(jar) as old:
        kept = [
            entry
            for entry in old.infolist()
            if not (NATIVE.search(entry.filename) and foreign.search(entry.filename.lower()))
        ]
        if len(kept) == len(old.infolist()):
            return
        part = jar.with_suffix(".part")
        with zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as new:
            for entry in kept:
                new.writestr(entry, old.read(entry))
    part.replace(jar)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
