"""What a Spark driver is started with: its address, its environment, its file of settings."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path
from urllib.parse import urlsplit

from ..errors import UserError
from ..store import CONNECT_SECONDS


def own_address(master: str) -> str:
    """The address of this machine on the way to the master, to which its workers can connect back.

    Raises:
        UserError: The master does not answer.
    """
    parts = urlsplit(master)
    try:
        reached = socket.create_connection(
            (parts.hostname or "", parts.port or 7077), CONNECT_SECONDS
        )
        with reached:
            return str(reached.getsockname()[0])
    except OSError as error:
        raise UserError(
            f"The Spark master at {master} does not answer: {error}.",
            "Spark's driver gets its executors from it.",
            "See whether spark-master runs (npm run status) and its log (npm run logs).",
        ) from error


def set_environment(conf: Path, host: str, java_home: str | None, worker_python: str) -> None:
    """What pyspark and the JVM's launcher read from the environment. No secret is in it."""
    os.environ.update(
        SPARK_CONF_DIR=str(conf),
        SPARK_LOCAL_IP=host,
        PYSPARK_PYTHON=worker_python,
        PYSPARK_DRIVER_PYTHON=sys.executable,
        **({"JAVA_HOME": java_home} if java_home else {}),
    )
    for name in ("PYSPARK_SUBMIT_ARGS", "HADOOP_CONF_DIR", "SPARK_HOME", "SPARK_REMOTE"):
        os.environ.pop(name, None)


def as_properties(settings: dict[str, str]) -> str:
    """Settings in the format of java.util.Properties, in which a backslash has to be doubled."""
    escaped = ((name, value.replace("\\", "\\\\")) for name, value in settings.items())
    return "".join(f"{name}={value}\n" for name, value in escaped)


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read, in a folder that only its owner can enter."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
