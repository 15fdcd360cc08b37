"""Full training against pruners, on Fashion-MNIST: `python results/pruning/compare.py [--only LABEL …] [--check]`.

Each search is `nas.search` itself. A training's curve follows from the architecture and the seed alone, so it is kept in
curves.csv and answers every search that asks for it again; what no search has asked for yet is trained, as far as the pruner lets
it. A curve that is trained again to go further must begin as the kept one does, or the script stops. A run that was stopped goes
on.

    curves.csv      a row each (seed, architecture): costs, validation accuracy after each epoch, choices
    searches.csv    a row each trial of each search: what it took, what the search had spent by then, what came out
    summary.csv     a row each kind of search: accuracies and epochs, over the seeds
    anytime.svg     the best so far against epochs spent
    checked.csv     one of the searches with a pruner, all of it trained: what --check writes
"""

import argparse
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from curves import FIGURE, Curve, Curves
from summary import Done, best_by, draw, read_trials, summarize, write_rows, write_trials

from nas.benchmark import Budget
from nas.models import cost
from nas.records import LOOKED_UP, Epoch, Ledger, Record, Trial, this_machine, versions
from nas.records.record import Outcome
from nas.searching import SearchConfig, make_evaluator, run
from nas.space import Architecture, broken_limits

HERE = Path(__file__).parent

QUESTION: Mapping[str, Any] = {
    "space": "residual_cnn",
    "on": "fashion_mnist",
    "limits": ("flops <= 0.3e6",),
    "epochs": 16,
    "fraction": 0.05,
    "recipe": {"batch_size": 64},
}
SEEDS = range(5)
TRIALS = 32
"""Of a search with full training."""
WHOLE = TRIALS * QUESTION["epochs"]
"""Epochs that a search with full training spends."""
ALLOWED = WHOLE // 4
"""Epochs that a search with a pruner may spend."""


@dataclass(frozen=True)
class Arm:
    """One way to search, which is repeated from every seed."""

    label: str
    strategy: str
    pruner: str
    epochs: int
    """That it may spend."""


ARMS = (
    Arm("random", "random", "none", WHOLE),
    Arm("random + asha", "random", "asha", ALLOWED),
    Arm("random + hyperband", "random", "hyperband", ALLOWED),
    Arm("random + median", "random", "median", ALLOWED),
    Arm("auto + asha", "auto", "asha", ALLOWED),
)


CHECKED = ARMS[1]
"""The search that --check trains again."""


class Spent(Exception):
    """The epochs that a search may spend are used up."""


class Evaluation:
    """Evaluates the candidates of a search from the curves, trains what they lack, and ends it when its epochs are spent."""

    trains = True
    """It answers for networks, so that limits and equal networks are known as they are to a search that trains."""

    def __init__(self, config: SearchConfig, curves: Curves, trainer: Callable[..., Record], allowed: int) -> None:
        self.config = config
        self.curves = curves
        self.trainer = trainer
        self.allowed = allowed
        self.spent = 0

    def __call__(
        self, architecture: Architecture, *, budget: Budget, seed: int, report: Callable[[Epoch], bool], **_: Any
    ) -> Record:
        """The Record that a training would give, without figures that were not asked for.

        Raises:
            Spent: the epochs are used up, and the training is not at its end.
        """
        costs = cost(self.config.space, architecture, self.config.on.signature)
        figures: dict[str, float] = {"params": costs.params, "flops": costs.flops}
        if broken := broken_limits(figures, self.config.all_limits):
            return self.record("infeasible", figures, (), budget, seed, broken_limits=broken)
        if self.spent >= self.allowed:
            raise Spent
        told: list[Epoch] = []

        def tell(epoch: Epoch) -> bool:
            told.append(epoch)
            self.spent += 1
            stop = report(epoch)
            if self.spent >= self.allowed and not stop and epoch.epoch < budget.epochs:
                raise Spent
            return stop

        known = self.curves.get(seed, architecture)
        stopped = False
        for number, accuracy in enumerate(known.accuracies if known else (), 1):
            if stopped := tell(Epoch(epoch=number, train_loss=None, figures={FIGURE: accuracy}, seconds=None)):
                break
        if not stopped and len(told) < budget.epochs:
            stopped = self.train(architecture, costs.params, costs.flops, budget, seed, tell)
        pruned = stopped and len(told) < budget.epochs
        if not pruned:
            figures[FIGURE] = told[-1].figures[FIGURE]
        return self.record("pruned" if pruned else "complete", figures, tuple(told), budget, seed)

    def train(
        self, architecture: Architecture, params: int, flops: int, budget: Budget, seed: int, tell: Callable[[Epoch], bool]
    ) -> bool:
        """Train, tell what is not known yet, and keep the curve; returns whether it was stopped."""
        known = self.curves.get(seed, architecture)
        before = known.accuracies if known else ()
        accuracies: list[float] = []

        def report(epoch: Epoch) -> bool:
            accuracies.append(epoch.figures[FIGURE])
            if len(accuracies) <= len(before):
                return False
            return tell(replace(epoch, seconds=None, train_loss=None))

        begin, processor = time.monotonic(), time.process_time()
        try:
            record = self.trainer(architecture, budget=budget, seed=seed, report=report)
        finally:
            if len(accuracies) > len(before):
                self.curves.keep(Curve(seed, architecture, params, flops, tuple(accuracies)))
            said = (
                f"{len(accuracies)} epochs, {time.monotonic() - begin:.1f} s, {time.process_time() - processor:.1f} s of a core"
            )
            print(f"    seed {seed}  {architecture.id[:8]}  {said}  {accuracies[-1:]}", flush=True)
        if tuple(accuracies[: len(before)]) != before:
            raise SystemExit(
                f"The training of {architecture.id} from seed {seed} is not the one in {self.curves.path}; move it away."
            )
        if record.outcome not in {"complete", "pruned"}:
            raise SystemExit(f"The training of {architecture.id} from seed {seed} failed: {record.error}")
        return record.outcome == "pruned"

    def record(
        self, outcome: Outcome, figures: Mapping[str, float], curve: Sequence[Epoch], budget: Budget, seed: int, **more: Any
    ) -> Record:
        """A Record of figures that were looked up."""
        given = {"machine": this_machine(None), "device": LOOKED_UP, "threads": 0, "versions": versions(), **more}
        return Record(outcome=outcome, figures=figures, curve=tuple(curve), budget=budget, seed=seed, **given)


def make_config(arm: Arm, seed: int, ledger: Path) -> SearchConfig:
    """The search from a seed, in a ledger of its own."""
    trials = TRIALS if arm.pruner == "none" else arm.epochs  # the epochs end it first: each trial spends at least one
    return SearchConfig.make(
        **QUESTION,
        strategy=arm.strategy,
        pruner=arm.pruner,
        trials=trials,
        seed=seed,
        study="study",
        ledger=f"sqlite:///{ledger}",
    )


def one_search(arm: Arm, seed: int, curves: Curves, trainer: Callable[..., Record]) -> list[Done]:
    """One search from one seed, to the end of its trials or its epochs."""
    with tempfile.TemporaryDirectory() as folder:
        config = make_config(arm, seed, Path(folder) / "ledger.sqlite")
        evaluation = Evaluation(config, curves, trainer, arm.epochs)
        with suppress(Spent):
            run(config, evaluate=evaluation)
        with Ledger(config.ledger, create=False) as ledger:
            return list(trials_done(arm.label, seed, ledger.trials(ledger.study("study"))))


def trials_done(label: str, seed: int, trials: Iterable[Trial]) -> Iterator[Done]:
    """What the finished trials came to, in order; of those that spent something."""
    spent = 0
    for trial in trials:
        if trial.record is None or trial.reused_from is not None or not trial.record.curve:
            continue
        epochs = len(trial.record.curve)
        spent += epochs
        accuracy = trial.record.figures.get(FIGURE) if trial.state == "complete" else None
        yield Done(label, seed, trial.number, trial.architecture.id, trial.state, epochs, spent, accuracy)


def check(arm: Arm, seed: int, trials: int) -> list[Done]:
    """The same search with nothing looked up: every candidate is trained, by `nas.search` as anybody calls it."""
    with tempfile.TemporaryDirectory() as folder:
        config = make_config(arm, seed, Path(folder) / "ledger.sqlite").model_copy(update={"trials": trials})
        run(config)
        with Ledger(config.ledger, create=False) as ledger:
            return list(trials_done(arm.label, seed, ledger.trials(ledger.study("study"))))


def main() -> None:
    """Run what is asked for, and write all files anew from the trials that there are."""
    labels = [arm.label for arm in ARMS]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=labels, default=labels, metavar="LABEL", help=", ".join(labels))
    parser.add_argument("--check", action="store_true", help="train one search with a pruner again from nothing, and compare")
    given = parser.parse_args()
    trials = read_trials(HERE / "searches.csv")
    if given.check:
        wanted = [one for one in trials if (one.search, one.seed) == (CHECKED.label, SEEDS[0])]
        real = check(CHECKED, SEEDS[0], len(wanted))
        write_trials(HERE / "checked.csv", real)
        print(f"{len(real)} trials of a search that trained: {'as looked up' if real == wanted else 'NOT as looked up'}.")
        return
    config = SearchConfig.make(**QUESTION)
    curves = Curves(HERE / "curves.csv", config)
    trainer = make_evaluator(config.space, config.on, config.all_limits, data=config.data, **config.means)
    todo = [(arm, seed) for arm in ARMS if arm.label in given.only for seed in SEEDS]
    begin = time.monotonic()
    for number, (arm, seed) in enumerate(todo, 1):
        done = one_search(arm, seed, curves, trainer)
        trials = [one for one in trials if (one.search, one.seed) != (arm.label, seed)] + done
        trials.sort(key=lambda one: (labels.index(one.search), one.seed, one.number))
        write_trials(HERE / "searches.csv", trials)
        passed = (time.monotonic() - begin) / 60
        print(
            f"{number} of {len(todo)} · {arm.label}, seed {seed}: {len(done)} candidates, {done[-1].spent} epochs, "
            f"best {best_by(done, arm.epochs)} · {passed:.1f} min, about {passed / number * (len(todo) - number):.0f} more",
            flush=True,
        )
    allowed = {arm.label: arm.epochs for arm in ARMS}
    write_rows(HERE / "summary.csv", summarize(trials, allowed, ARMS[0].label))
    (HERE / "anytime.svg").write_bytes(draw(trials, allowed, ARMS[0].label) + b"\n")


if __name__ == "__main__":
    main()
