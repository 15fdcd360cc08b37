"""What torchrun starts in test_together.py: `python search_at_work.py WHAT LEDGER`, one of two processes."""

import os
import signal
import sys
from dataclasses import replace
from typing import Any

from torch import Tensor, nn
from toys import TOY

import nas
import nas.evaluation.running as running
from nas.benchmark import Budget
from nas.profiling import latency
from nas.searching import EpochEnded, Event, resolve_benchmark

RANK = int(os.environ["RANK"])
OPTIONS: dict[str, Any] = {"on": "digits", "strategy": "random", "trials": 2, "steps": 3, "study": "s", "wait_minutes": 4}


class Breaks(nn.Module):
    def forward(self, images_NCHW: Tensor) -> Tensor:
        raise ValueError("not here")


def breaking(number: int) -> Any:
    """What builds networks, of which the one of this number breaks."""
    built, build = iter(range(100)), running.build

    def some(*given: Any, **options: Any) -> nn.Module:
        model = build(*given, **options)
        return nn.Sequential(model, Breaks()) if next(built) == number else model

    return some


def search(ledger: str) -> None:
    """Two trials, of which the first fails in the process that only helps; then finals of the other, and another protocol."""
    if RANK:
        running.build = breaking(0)
    nas.search(TOY, ledger=ledger, **OPTIONS)
    nas.finals("s", top=1, seeds=1, ledger=ledger)
    asked = OPTIONS | {"on": "unknown_digit", "study": "unusual", "trials": 1}
    nas.search("autoencoder", ledger=ledger, replicates=2, **asked)


def listener(ledger: str) -> None:
    """A search whose listener raises in the middle of a training."""

    def on_event(event: Event) -> None:
        if isinstance(event, EpochEnded):
            raise OSError("the disk is full")

    nas.search(TOY, ledger=ledger, on_event=on_event, **OPTIONS)


def killed(ledger: str) -> None:
    """A search whose helper is killed in the middle of a training."""
    if RANK:
        running.build = lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL)
    try:
        nas.search(TOY, ledger=ledger, **OPTIONS)
    except nas.NasError as error:
        sys.stdout.write(f"nas: {error}\n")


def hurry() -> None:
    """Train finals for an epoch, and time the fewest passes."""
    found = resolve_benchmark("digits")
    sys.modules["benchmarks.digits"].BENCHMARK = replace(found, final_budget=Budget(epochs=1))  # type: ignore[attr-defined]
    latency.WARMUP_SECONDS = latency.SAMPLE_SECONDS = 0.0


if __name__ == "__main__":
    hurry()
    {"search": search, "listener": listener, "killed": killed}[sys.argv[1]](sys.argv[2])
