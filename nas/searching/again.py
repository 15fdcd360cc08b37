"""One training beside the search's own: of a finalist, or of one of the best from a new seed."""

from typing import Any

from nas.benchmark import Budget
from nas.execution import Evaluate
from nas.records import Epoch, Ledger, Trial
from nas.searching.events import EpochEnded, OnEvent, Tally, TrialBegun, TrialEnded
from nas.searching.resuming import Unfinished


def train_again(
    trial: Trial,
    evaluate: Evaluate,
    *,
    budget: Budget,
    seed: int,
    label: str,
    ledger: Ledger,
    unfinished: Unfinished,
    tally: Tally,
    on_event: OnEvent,
    **options: Any,
) -> Trial:
    """`trial` as it ended: with the Record that the ledger has of the same work, or else trained to its end, pruned by nobody."""
    number, key = trial.number, trial.evaluation
    on_event(TrialBegun(number, trial.architecture.id, tally.progress(), f"{label}, seed {seed}", trial.stage))

    def report(epoch: Epoch) -> bool:
        on_event(EpochEnded(number, epoch, budget.epochs, trial.stage))
        return False

    found = ledger.find(key)
    if found is None:
        resumed = unfinished.going_on(evaluate, key)
        ended = ledger.end_trial(trial, resumed(trial.architecture, budget=budget, seed=seed, report=report, **options))
    else:
        ended = ledger.end_trial(trial, found[1], reused_from=found[0])
    unfinished.done(key)
    tally.add(ended, repeated=False, fresh=found is None)
    on_event(TrialEnded(ended, tally.progress(), tally.best))
    return ended
