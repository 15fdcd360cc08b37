"""What is tried in a process of its own, since it loads torch, runs other teams' code, may crash, or may never end.

    python -m nas.doctor.probing gpu | forking | plugins FIRST

Answers are lines of JSON on standard output, each written at once, so that a crash leaves what was found before it.
"""

import json
import multiprocessing
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TextIO

from nas import registry
from nas.errors import NasError, printable

Answer = Mapping[str, Any]


def probe_gpu() -> Iterator[Answer]:
    """What torch sees, and whether it can compute there."""
    import torch

    yield {"built": torch.version.cuda or getattr(torch.version, "hip", None), "torch": torch.__version__}
    if torch.cuda.is_available():
        for number in range(torch.cuda.device_count()):
            properties = torch.cuda.get_device_properties(number)
            free, total = torch.cuda.mem_get_info(number)
            tiny = torch.ones(8, 8, device=f"cuda:{number}")
            works = float((tiny @ tiny).sum().cpu()) == 512.0
            capability = f"{properties.major}.{properties.minor}"
            yield {"name": properties.name, "capability": capability, "free": free, "total": total, "works": works}
    elif torch.backends.mps.is_available():
        tiny = torch.ones(8, 8, device="mps")
        yield {"name": "mps", "works": float((tiny @ tiny).sum().cpu()) == 512.0}


def probe_forking() -> Iterator[Answer]:
    """How long a worker's process takes to start and end: the first brings up the server that the others are forked from."""
    context = multiprocessing.get_context("forkserver")
    for _ in range(2):
        begun = time.monotonic()
        process = context.Process(target=_nothing)
        process.start()
        process.join(30)
        yield {"exit": process.exitcode, "seconds": time.monotonic() - begun}
        process.kill()
        process.join()
        process.close()


def _nothing() -> None:
    """What the process does."""


GROUPS = (registry.SEARCH_SPACES, registry.BENCHMARKS, registry.LAYERS, registry.PROTOCOLS, registry.PRETEXTS)


def plugins() -> list[tuple[str, str]]:
    """Group and name of all that is installed by entry points, in an order that is the same in every process."""
    return [(group, name) for group in GROUPS for name in registry.owners(group)]


def probe_plugins(first: str = "0") -> Iterator[Answer]:
    """Loads one after the other, from number `first` on; says which before it does."""
    for number, (group, name) in list(enumerate(plugins()))[int(first) :]:
        yield {"number": number}
        try:
            registry.load(group, name)
        except NasError as error:
            yield {"number": number, "error": printable(error)}
        except Exception as error:  # what our own package raises is not wrapped
            yield {"number": number, "error": f"{type(error).__name__}: {printable(error)[:200]}"}
        else:
            yield {"number": number, "error": ""}


PROBES: Mapping[str, Callable[..., Iterator[Answer]]] = {
    "gpu": probe_gpu,
    "forking": probe_forking,
    "plugins": probe_plugins,
}


def answer(probe: str, *given: str, to: TextIO) -> None:
    """Write what the probe finds."""
    for found in PROBES[probe](*given):
        to.write(json.dumps(found) + "\n")
        to.flush()


if __name__ == "__main__":
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what a plugin prints is no answer
    answer(*sys.argv[1:], to=answers)
    answers.close()
    os._exit(0)  # a thread of a plugin may never end
