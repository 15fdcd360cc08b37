"""A study of toys in which trials end in every way."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from toys import TOY, toy_accuracy, toy_evaluate, toy_record

import nas
from nas.benchmark import Budget
from nas.records import Failure, Ledger, Record, Trial
from nas.space import Architecture


def evaluate(architecture: Architecture, *, budget: Budget, seed: int, final: bool = False, **rest: Any) -> Record:
    """Narrow ones with a large kernel lie outside the limit, others fail or are pruned by their score."""
    if architecture.choices["width"] == 16 and architecture.choices["block.times"] == 2 and not final:
        return replace(toy_record("infeasible", {"params": 800.0}, (), seed, budget), broken_limits=("params <= 700, got 800",))
    whole = toy_evaluate(architecture, budget=budget, seed=seed, final=final)
    if final or toy_accuracy(architecture) > 0.6:
        return whole
    if toy_accuracy(architecture) > 0.3:
        stopped = whole.curve[:2]
        return replace(toy_record("pruned", {"params": 20.0, **stopped[-1].figures}, stopped, seed, budget))
    return replace(
        toy_record("failed", {"params": 20.0}, (), seed, budget), error=Failure(kind="raised", message="no <b>way</b>")
    )


evaluate.key = "tracked"  # type: ignore[attr-defined]


def searched(folder: Path, trials: int = 12, **options: Any) -> str:
    """The URL of a ledger with the study `toy`."""
    url = f"sqlite:///{folder}/nas.sqlite"
    given: dict[str, Any] = {"strategy": "random", "limits": ["params <= 700"], "epochs": 3, "seed": 3, **options}
    nas.search(TOY, on="digits", trials=trials, evaluate=evaluate, study="toy", ledger=url, **given)
    return url


def trials_of(url: str, stage: str | None = None) -> list[Trial]:
    with Ledger(url) as book:
        return [trial for trial in book.trials(book.study("toy")) if stage in (None, trial.stage)]


def begin_another(url: str) -> Trial:
    """A trial that somebody has under way."""
    with Ledger(url) as book:
        entry = book.study("toy")
        number = 1 + max(trial.number for trial in book.trials(entry, "search"))
        return book.begin_trial(entry, "search", number, TOY.architecture(trials_of(url)[0].architecture.choices), "another")
