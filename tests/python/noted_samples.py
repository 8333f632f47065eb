"""`on_gpus`, which also notes when each sample began and ended.

python -m noted_samples      as `on_gpus`; the notes are in `samples.jsonl` in the folder FAKE_CUDA
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import on_gpus

from engine_comparison.driver import Driver

obey = Driver.obey


def noted(driver: Driver, order: dict[str, Any]) -> dict[str, Any]:
    began = time.time()
    answer = obey(driver, order)
    if order["do"] == "execute":
        with Path(os.environ["FAKE_CUDA"], "samples.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps({"began": began, "ended": time.time()}) + "\n")
    return answer


if __name__ == "__main__":
    Driver.obey = noted  # type: ignore[method-assign]
    on_gpus.main()
