"""What `nas.profiling.resident` runs in a process of its own: a question comes as JSON, an answer goes as JSON.

Nothing but the answer reaches standard output, whatever the network prints.
"""

import json
import os
import sys
from typing import Any

import torch
from torch import Tensor, nn

from nas.device import forget_resident_peak, resident_bytes
from nas.errors import NasError, printable
from nas.profiling.inputs import batch_of, inputs_from_data
from nas.profiling.sources import factory
from nas.profiling.working import WORK, Work


def measure(asked: dict[str, Any]) -> dict[str, Any] | None:
    """Resident bytes before the network of `asked["source"]` is made, after, and at most while it works; None where the system
    does not tell.
    """
    torch.set_num_threads(asked["threads"])
    make, inputs = factory(asked["source"]), inputs_from_data(asked["inputs"])
    _work("training", nn.Sequential(nn.Conv2d(1, 8, 3), nn.Flatten(), nn.Linear(288, 2)), (torch.zeros(1, 1, 8, 8),))
    base = resident_bytes()
    network = make()
    built = resident_bytes()
    if not forget_resident_peak() or base is None or built is None:
        return None
    _work(asked["work"], network, batch_of(inputs, "cpu", asked["batch_size"]))
    return {"base_bytes": base, "built_bytes": built, "peak_bytes": resident_bytes(peak=True)}


def _work(work: Work, network: nn.Module, batch: tuple[Tensor, ...]) -> None:
    step = WORK[work](network, batch)
    for _ in range(2):  # an optimiser's moments exist from the second on
        step()


def main() -> None:
    """Read the question, measure, answer."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    asked = json.load(sys.stdin)
    answer: dict[str, Any] | None
    try:
        answer = measure(asked)
    except NasError as error:
        answer = {"error": printable(error)}
    except Exception as error:  # somebody's network may raise anything; who asked is told
        answer = {"error": f"{type(error).__name__}: {printable(error)[:300]}"}
    with answers:
        json.dump(answer, answers)


if __name__ == "__main__":
    main()
