"""Memory of a whole process: what a network and its work add to the resident set of a fresh one.

Beside tensors, it holds what libraries keep for themselves (scratch memory, packed weights, threads), which a sum of tensors
does not. It takes seconds, since torch is loaded anew: for the profile of a network, not for each candidate of a search.
"""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from typing import get_args

from nas.errors import ModelError, quote
from nas.profiling.inputs import Inputs, inputs_to_data
from nas.profiling.sources import Source
from nas.profiling.working import Work


@dataclass(frozen=True, kw_only=True)
class ResidentMemory:
    """Of one process that did one kind of work, in bytes, which the system counts in pages."""

    work: Work
    batch_size: int
    threads: int
    base_bytes: int
    """Resident before the network was made, after torch was loaded and had worked a little."""
    built_bytes: int
    """Resident with the network made."""
    peak_bytes: int
    """The most that was resident while it worked."""

    @property
    def added_bytes(self) -> int:
        """The peak without what was there before the network."""
        return self.peak_bytes - self.base_bytes


def measure_resident_memory(
    source: Source, inputs: Inputs, work: Work = "inference", *, batch_size: int = 1, threads: int = 1, seconds: float = 120.0
) -> ResidentMemory | None:
    """The resident set of a fresh process that makes the network of `source` on the CPU and does `work`; None where the system
    does not tell, as only Linux does.

    `inputs` are a shape or the size of one example. The process is ended after `seconds`. It finds modules where this one does.

    Raises:
        ModelError: the network cannot be made or does not take such inputs, the process died or took too long, or `inputs`
            are tensors.
    """
    if work not in get_args(Work):
        raise ModelError(f"Work is 'inference' or 'training', got {quote(work)}.")
    asked = {"source": source, "inputs": inputs_to_data(inputs), "work": work, "batch_size": batch_size, "threads": threads}
    try:
        process = subprocess.run(
            [sys.executable, "-m", "nas.profiling.fresh_process"],
            input=json.dumps(asked),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            timeout=seconds,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": str(threads)},
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise ModelError(f"A fresh process did not measure {quote(source)} within {seconds:g} s; give it more seconds.") from None
    if process.returncode != 0:
        raise ModelError(
            f"A fresh process that ran {quote(source)} ended with {process.returncode}"
            f"{', for which the system may have had no memory left' if process.returncode == -9 else ''}."
        )
    answer = json.loads(process.stdout)
    if answer is None:
        return None
    if "error" in answer:
        raise ModelError(f"{quote(source)} failed in a fresh process: {answer['error']}")
    return ResidentMemory(work=work, batch_size=batch_size, threads=threads, **answer)
