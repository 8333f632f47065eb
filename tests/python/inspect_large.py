"""How long the inspection takes of inputs that are many, against a store in another process.

    PYTHONPATH=pipelines python tests/python/inspect_large.py [IMAGES [FOOTERS [DELAY]]]

Prints the progress as a job would tell it, the seconds, and the requests. DELAY is what each
request takes besides, in seconds. By default: 100000, 500, 0.005.
"""

from __future__ import annotations

import json
import multiprocessing
import sys
import time
from multiprocessing.connection import Connection
from typing import Any

from given_inputs import listed, parquet, picture, trips, zones_csv
from stand_in_store import stand_in

from engine_comparison import inspection
from engine_comparison.store import open_store

BUCKETS = {"lake": "lake", "images": "images", "output": "output"}


def objects(images: int, footers: int) -> dict[str, bytes]:
    """A dataset of each kind."""
    photo, month = picture(1), parquet(trips())
    keys = [f"images/{n // 1000:03}/photo {n:06}.jpg" for n in range(images)]
    return {
        "images/image_metadata.parquet": listed(f"s3://images/{key}" for key in keys),
        **{f"images/{key}": photo for key in keys},
        "lake/taxi/taxi_zone_lookup.csv": zones_csv(),
        **{f"lake/taxi/month-{n:04}.parquet": month for n in range(footers)},
    }


def serve(images: int, footers: int, delay: float, end: Connection) -> None:
    """The store's process."""
    with stand_in(objects(images, footers), delay) as store:
        end.send(store.spec)
        while end.recv():
            end.send(dict(store.requests))


def main(images: str = "100000", footers: str = "500", delay: str = "0.005") -> None:
    here, there = multiprocessing.Pipe()
    given = (int(images), int(footers), float(delay), there)
    process = multiprocessing.Process(target=serve, args=given, daemon=True)
    process.start()
    access: Any = here.recv()
    spec = {"buckets": BUCKETS, "store": access, "inputs": {"maxRejected": "0"}}
    for dataset in ("taxi", "photos"):
        began = time.monotonic()
        facts = inspection.inspect(dataset, spec, open_store(access), print)
        seconds = time.monotonic() - began
        here.send(True)
        print(f"{dataset}: {facts['rows']} rows, {seconds:.1f} s, {json.dumps(here.recv())}")
    here.send(False)
    process.join()


if __name__ == "__main__":
    main(*sys.argv[1:])
