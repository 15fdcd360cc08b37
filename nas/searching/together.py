"""Several processes that torchrun starts with one command: rank 0 does what the command says, the others help it to train.

torchrun tells each its place in environment variables. Nothing here loads torch where there is one process.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nas.evaluation import Evaluator
    from nas.training import Ranks

WAIT_MINUTES = 10.0
"""How long one process waits for another, if nothing else is asked for."""


def several() -> bool:
    """Whether torchrun has started this process as one of several."""
    return {"RANK", "MASTER_ADDR"} <= os.environ.keys() and int(os.environ.get("WORLD_SIZE", "1")) > 1


def following() -> bool:
    """Whether this process is to help another, and to print and keep nothing of its own."""
    return several() and os.environ["RANK"] != "0"


@contextmanager
def together(wait_minutes: float = WAIT_MINUTES) -> "Iterator[Ranks | None]":
    """This process among those that torchrun started; None where it is alone. The others may go when rank 0 leaves."""
    if not several():
        yield None
        return
    from nas.training import joined

    with joined(wait_minutes) as ranks:
        yield ranks


def follow(ranks: "Ranks", make: Callable[[], "Evaluator"]) -> None:
    """Train with rank 0 whatever it wants, until it wants nothing more; what evaluates is made with the first candidate."""
    evaluator: Evaluator | None = None
    for wanted in ranks.orders():
        evaluator = evaluator or make()
        try:
            evaluator.follow(wanted)
        except (Exception, KeyboardInterrupt):  # noqa: S112 - told to rank 0, which records it, or ends
            continue
