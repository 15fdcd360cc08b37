"""A search by so many workers, and how many candidates it trains a second."""

import time

import nas
from nas.searching import Event, TrialBegun, TrialEnded

CANDIDATES = 24


def candidates_a_second(workers: int, ledger: str) -> float:
    """From the first candidate that is begun to the end of the last: small real trainings of `residual_cnn` on the digits.

    What is made once, before the first, is not counted.
    """
    begun, ended = [], []

    def listen(event: Event) -> None:
        if isinstance(event, TrialBegun):
            begun.append(time.perf_counter())
        elif isinstance(event, TrialEnded) and event.trial.state == "complete":
            ended.append(time.perf_counter())

    nas.search(
        "residual_cnn",
        on="digits",
        strategy="random",
        trials=CANDIDATES,
        limits=["params <= 50e3"],
        epochs=2,
        seed=0,
        workers=workers,
        ledger=ledger,
        on_event=listen,
    )
    assert len(ended) == CANDIDATES
    return CANDIDATES / (ended[-1] - begun[0])
