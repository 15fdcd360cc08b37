"""Keeps a Ray node of one's own for as long as who started it lives: `python -m nas.execution.ray_keeper FOLDER CPUS GPUS`.

It prints the node's address, and once its standard input ends, which it does however its driver ends, it kills all that belongs
to the node and deletes the folder. Ray by itself leaves some of its processes behind for half a minute.
"""

import logging
import os
import shutil
import signal
import sys
from pathlib import Path

from nas.execution.lineage import adopt_orphans, end_descendants

OBJECT_STORE_BYTES = 100 * 2**20
"""A plan and what candidates tell are small; the least that Ray takes is 75 MiB."""


def keep(folder: Path, cpus: int, gpus: int | None) -> None:
    """Start a node, tell its address, and end it with the standard input; without `gpus` Ray counts them."""
    adopt_orphans()
    try:
        sys.stdout.write(f"{_start(folder, cpus, gpus)}\n")
        sys.stdout.flush()
        sys.stdin.read()
    finally:
        end_descendants()
        shutil.rmtree(folder, ignore_errors=True)
        os._exit(0)  # what Ray would tidy up is gone


def _start(folder: Path, cpus: int, gpus: int | None) -> str:
    """The node's address, or why there is none."""
    import ray

    try:
        ray.init(
            address="local",
            num_cpus=cpus,
            num_gpus=gpus,
            include_dashboard=False,
            log_to_driver=False,
            logging_level=logging.ERROR,
            object_store_memory=OBJECT_STORE_BYTES,
            _temp_dir=str(folder / "r"),  # which Ray opens for all
        )
        return str(ray.get_runtime_context().gcs_address)
    except Exception as error:  # Ray raises what its parts raise
        return " ".join(f"{type(error).__name__}: {error}".split())


if __name__ == "__main__":
    folder, cpus, gpus = sys.argv[1:]
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    keep(Path(folder), int(cpus), int(gpus) if gpus else None)
