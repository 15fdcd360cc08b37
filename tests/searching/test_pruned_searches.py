"""Searches with the pruners that want to be told more than epochs: pareto and wilcoxon."""

import random
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from typing import Any

import pytest
from toys import TOY, toy_accuracy, toy_evaluate, toy_params, toy_record

import nas
from nas.benchmark import Budget
from nas.errors import SearchError
from nas.records import Epoch, Record, Replicate
from nas.searching import Study
from nas.space import Architecture


@pytest.fixture
def ledger(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/nas.sqlite"


def search(ledger: str, evaluate: Callable[..., Record], **options: Any) -> Study:
    given: dict[str, Any] = {"on": "digits", "strategy": "random", "epochs": 6, "study": "s"}
    return nas.search(TOY, **given | {"ledger": ledger, "evaluate": evaluate} | options)


def outcomes(study: Study) -> list[tuple[Any, ...]]:
    columns = ["number", "state", "architecture", "validation_accuracy"]
    return [tuple(row) for row in study.trials[columns].fillna(-1).itertuples(index=False)]


class Interrupting:
    """Evaluates so many candidates, and is then interrupted amid one."""

    def __init__(self, evaluate: Callable[..., Record], count: int) -> None:
        self.evaluate = evaluate
        self.left = count

    def __call__(self, architecture: Architecture, **given: Any) -> Record:
        if not self.left:
            raise KeyboardInterrupt
        self.left -= 1
        return self.evaluate(architecture, **given)


# Several objectives.

SEVERAL = {"objectives": ["validation_accuracy", "params"], "pruner": "pareto", "trials": 40}


def curved(
    architecture: Architecture,
    *,
    budget: Budget,
    seed: int,
    report: Callable[[Epoch], bool],
    on_known: Callable[[Mapping[str, float]], bool] = lambda _: False,
    **rest: Any,
) -> Record:
    """Accuracy that is nearly there after two epochs."""
    figures = {"params": toy_params(architecture), "latency_ms": 1.5}
    if on_known(figures):
        return toy_record("pruned", figures, (), seed, budget)
    curve: list[Epoch] = []
    for number in range(1, budget.epochs + 1):
        accuracy = toy_accuracy(architecture) * (1 - 0.2**number)
        curve.append(Epoch(epoch=number, train_loss=None, figures={"validation_accuracy": accuracy}, seconds=None))
        if report(curve[-1]) and number < budget.epochs:
            return toy_record("pruned", {**figures, **curve[-1].figures}, tuple(curve), seed, budget)
    return toy_record("complete", {**figures, **curve[-1].figures}, tuple(curve), seed, budget)


def test_candidates_that_cannot_reach_the_front_are_stopped_and_the_front_stays(ledger: str) -> None:
    whole = search(ledger, curved, **SEVERAL | {"pruner": "none"}, strategy="random")
    pruned = search(ledger, curved, **SEVERAL, study="pruned")
    assert set(pruned.trials.state) == {"complete", "pruned"}

    def front(study: Study) -> set[str]:
        (table,) = study.tables
        best: set[str] = set()
        for row in table.rows:
            accuracy, params = (row.figures[name].mean for name in ("validation_accuracy", "params"))
            others = [[other.figures[name].mean for name in ("validation_accuracy", "params")] for other in table.rows]
            if not any(a >= accuracy and p <= params and (a, p) != (accuracy, params) for a, p in others):
                best.add(row.architecture.id)
        return best

    assert front(pruned) == front(whole)


def test_a_search_with_the_pareto_pruner_goes_on_as_if_it_had_not_been_interrupted(ledger: str, tmp_path: Path) -> None:
    whole = search(ledger, curved, **SEVERAL)
    other = f"sqlite:///{tmp_path}/other.sqlite"
    with pytest.raises(KeyboardInterrupt):
        search(other, Interrupting(curved, 17), **SEVERAL)
    assert outcomes(search(other, curved, **SEVERAL)) == outcomes(whole)


def test_where_all_objectives_are_known_the_dominated_are_not_trained(ledger: str, tmp_path: Path) -> None:
    """The toys' latency is one for all, so that only the smallest are on the front."""
    study = search(ledger, curved, **SEVERAL | {"objectives": ["params", "latency_ms"]})
    untrained = study.trials[study.trials.state == "pruned"].drop_duplicates("architecture")
    assert len(untrained) > 20
    assert untrained.validation_accuracy.isna().all()
    assert study.best.figures["params"].mean == study.trials.params.min()
    assert f"Pruned: {len(untrained)} before training" in study.report(tmp_path / "page.html").read_text()


def test_an_evaluation_that_tells_nothing_before_training_is_refused(ledger: str) -> None:
    with pytest.raises(
        SearchError, match=r"^The pruner 'pareto' needs an evaluation that takes 'on_known', got one that does not;"
    ):
        search(ledger, toy_evaluate, **SEVERAL)


# Replicates.

NOISE = 0.02
REPLICATES = {"replicates": 8, "pruner": "wilcoxon", "trials": 20}


class Replicated:
    """Trains from so many seeds: the score, with noise of the seed's own."""

    replicates = 8
    key = "replicated"

    def __init__(self) -> None:
        self.trained: dict[str, int] = {}

    def __call__(
        self,
        architecture: Architecture,
        *,
        budget: Budget,
        seed: int,
        report: Callable[[Epoch], bool],
        on_replicate: Callable[[int, Mapping[str, float]], bool] = lambda _, __: False,
        **rest: Any,
    ) -> Record:
        found = []
        for number in range(self.replicates):
            noise = random.Random(f"{architecture.id}:{seed + number}").gauss(0, NOISE)
            figures = {"validation_accuracy": toy_accuracy(architecture) + noise}
            found.append(Replicate(seed=seed + number, figures=figures, curve=()))
            self.trained[architecture.id] = number + 1
            if on_replicate(number, figures):
                break
        mean = fmean(one.figures["validation_accuracy"] for one in found)
        outcome = "complete" if len(found) == self.replicates else "pruned"
        record = toy_record(outcome, {"params": toy_params(architecture), "validation_accuracy": mean}, (), seed, budget)
        return replace(record, replicates=tuple(found))


def test_candidates_that_are_surely_worse_have_no_further_replicates(ledger: str) -> None:
    evaluate = Replicated()
    study = search(ledger, evaluate, **REPLICATES)
    states = study.trials.set_index("architecture").state
    assert {*states} == {"complete", "pruned"}
    assert {evaluate.trained[name] for name in states.index[states == "complete"]} == {8}
    assert {evaluate.trained[name] for name in states.index[states == "pruned"]} <= {4, 5, 6, 7}
    best = max((toy_accuracy(architecture), architecture.id) for architecture in architectures(study))
    assert abs(toy_accuracy(study.best.architecture) - best[0]) < 2 * NOISE
    assert sum(evaluate.trained.values()) < 0.8 * 8 * len(states)


def architectures(study: Study) -> list[Architecture]:
    from nas.records import Ledger

    with Ledger(study.ledger, create=False) as book:
        return [trial.architecture for trial in book.trials(study.entry)]


@pytest.mark.parametrize("strategy", ["random", "tpe", "auto"])
def test_a_search_with_the_wilcoxon_pruner_goes_on_as_if_it_had_not_been_interrupted(
    ledger: str, tmp_path: Path, strategy: str
) -> None:
    whole = search(ledger, Replicated(), **REPLICATES, strategy=strategy)
    other = f"sqlite:///{tmp_path}/other.sqlite"
    with pytest.raises(KeyboardInterrupt):
        search(other, Interrupting(Replicated(), 11), **REPLICATES, strategy=strategy)
    assert outcomes(search(other, Replicated(), **REPLICATES, strategy=strategy)) == outcomes(whole)


def test_replicates_of_another_study_are_compared_with_too(ledger: str) -> None:
    first, second = Replicated(), Replicated()
    search(ledger, first, **REPLICATES | {"pruner": "none", "trials": 12}, study="first")
    study = search(ledger, second, **REPLICATES)
    assert not first.trained.keys() & second.trained.keys()
    assert sum(study.trials.reused) >= 12
    assert min(second.trained.values()) < 8


def test_an_evaluation_that_tells_no_replicate_is_refused(ledger: str) -> None:
    with pytest.raises(
        SearchError, match=r"^The pruner 'wilcoxon' needs an evaluation that takes 'on_replicate', got one that does"
    ):
        search(ledger, toy_evaluate, **REPLICATES)
