"""Packs what the Python workers of another machine import, for those that have only Python.

    python -m engine_comparison.pack --out packages.tgz

The archive has the packages of this environment as they lie in its site-packages, without
programs: unpacked anywhere and put on PYTHONPATH, it serves a Python of the same minor version on
the same kind of machine. The project's own code is not in it: it is small and changes often.
"""

from __future__ import annotations

import argparse
import re
import tarfile
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path

ROOTS = ("numpy", "obstore", "onnxruntime", "pandas", "pillow", "pyarrow")
"""What workers import themselves. pyspark is the cluster's own."""


def with_requirements(roots: Iterable[str]) -> list[str]:
    """The names of distributions and of all that they require here, sorted."""
    found: set[str] = set()
    waiting = list(roots)
    while waiting:
        name = re.sub(r"[-_.]+", "-", waiting.pop()).lower()
        if name in found:
            continue
        try:
            distribution = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue  # for another system, or an extra that is not installed
        found.add(name)
        for requirement in distribution.requires or ():
            if "extra ==" not in requirement:
                waiting.append(re.split(r"[^\w.-]", requirement, maxsplit=1)[0])
    return sorted(found)


def pack(out: Path) -> int:
    """Write the archive.

    Args:
        out: Where to; the folder exists.

    Returns:
        The number of files in it.
    """
    count = 0
    with tarfile.open(out, "w:gz", compresslevel=1) as archive:
        for name in with_requirements(ROOTS):
            for file in sorted(metadata.distribution(name).files or (), key=str):
                source = Path(str(file.locate()))
                if ".." in file.parts or file.suffix == ".pyc" or not source.is_file():
                    continue
                archive.add(source, arcname=str(file), recursive=False)
                count += 1
    return count


def main() -> None:
    """Pack, as the module's documentation says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    print(f"{pack(parser.parse_args().out)} files")


if __name__ == "__main__":
    main()
