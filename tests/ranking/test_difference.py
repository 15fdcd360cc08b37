import random
from dataclasses import replace
from math import sqrt
from pathlib import Path
from typing import Any

import pytest
from scipy.stats import t
from toys import TOY, toy_accuracy, toy_evaluate

import nas
from nas.errors import LedgerError
from nas.ranking.changes import Side
from nas.ranking.difference import Difference, difference
from nas.records import Latency, Ledger, Record
from nas.searching import Evaluate, Study
from nas.space import Architecture


def evaluating(*, loss: float = 0.0, luck: float = 0.01, slower: float = 1.0, salt: str = "") -> Evaluate:
    """An evaluation that costs nothing: `loss` of accuracy, `slower` passes, and luck from architecture and seed."""

    def evaluate(architecture: Architecture, **rest: Any) -> Record:
        record = toy_evaluate(architecture, **rest)
        chance = random.Random(f"{salt}/{architecture.id}/{rest['seed']}/{rest['budget']}")
        accuracy = toy_accuracy(architecture) - loss + chance.gauss(0, luck)
        changed = {"validation_accuracy": accuracy, "latency_ms": 1.5 * slower * chance.uniform(0.98, 1.02)}
        return Record(**{**vars(record), "figures": {**record.figures, **changed}})

    return evaluate


class Shelf:
    """A ledger of studies."""

    def __init__(self, ledger: str) -> None:
        self.ledger = ledger

    def search(self, name: str, evaluate: Evaluate, **options: Any) -> Study:
        usual = {"strategy": "random", "trials": 15, "confirm": 0, "on": "digits", "space": TOY}
        return nas.search(evaluate=evaluate, study=name, ledger=self.ledger, **{**usual, **options})

    def diff(self, a: str, b: str, **options: Any) -> Difference:
        with Ledger(self.ledger, create=False) as book:
            sides = [Side(book.study(name), tuple(book.trials(book.study(name)))) for name in (a, b)]
        return difference(*sides, **options)


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(f"sqlite:///{tmp_path}/nas.sqlite")


def findings(found: Difference, what: str) -> dict[str, Any]:
    return {one.figure: one for one in found.findings if one.what == what}


def noisy(evaluate: Evaluate, *, every: int) -> Evaluate:
    """An evaluation whose latency is measured three times slower beside other work, for each so-manieth architecture."""

    def evaluated(architecture: Architecture, **rest: Any) -> Record:
        record = evaluate(architecture, **rest)
        slow = int(architecture.id, 16) % every == 0
        found = record.figures["latency_ms"] * (3 if slow else 1)
        usual = {"p95_ms": found, "samples": 9, "batch_size": 1, "device": "cpu", "threads": 1, "dtype": "float32"}
        latency = Latency(median_ms=found, low_ms=found, high_ms=found, disturbed="other work" if slow else None, **usual)
        return Record(**{**vars(record), "figures": {**record.figures, "latency_ms": found}, "latency": latency})

    return evaluated


def elsewhere(evaluate: Evaluate, name: str = "another") -> Evaluate:
    """An evaluation on another machine."""

    def evaluated(architecture: Architecture, **rest: Any) -> Record:
        record = evaluate(architecture, **rest)
        return replace(record, machine=replace(record.machine, processor=name))

    return evaluated


def test_latencies_of_different_machines_decide_about_no_winner_and_no_front(shelf: Shelf) -> None:
    goals = ["validation_accuracy", "latency_ms"]
    for name, objectives in (("two", goals), ("one", goals[1:])):
        shelf.search(f"a_{name}", evaluating(salt="a"), objectives=objectives)
        shelf.search(f"b_{name}", elsewhere(evaluating(slower=10, salt="b")), objectives=objectives)
    found = shelf.diff("a_two", "b_two", figures=goals)
    assert found.volumes is None
    assert "latency_ms" not in findings(found, "winner")
    assert "validation_accuracy" in findings(found, "winner")
    assert {left.what for left in found.left} == {"winners by latency_ms", "fronts by latency_ms", "latency_ms"}
    assert all("it was measured on cpu, 1 thread on machine " in left.why for left in found.left)
    found = shelf.diff("a_one", "b_one")
    assert (found.reach, findings(found, "winner"), found.worse) == (None, {}, ())
    assert "how soon the best was found" in {left.what for left in found.left}


def test_figures_that_no_machine_changes_are_compared_across_machines(shelf: Shelf) -> None:
    goals = ["validation_accuracy", "params"]
    shelf.search("a", evaluating(salt="a"), objectives=goals)
    shelf.search("b", elsewhere(evaluating(salt="b")), objectives=goals)
    found = shelf.diff("a", "b", figures=goals)
    assert found.volumes is not None
    assert set(findings(found, "winner")) == set(goals)


def test_a_latency_that_was_measured_beside_other_work_fails_no_gate(shelf: Shelf) -> None:
    shelf.search("a", evaluating(salt="a"))
    shelf.search("b", noisy(evaluating(salt="b"), every=2))
    found = shelf.diff("a", "b")
    assert findings(found, "pairs")["latency_ms"].verdict in {"equal", "not told apart"}
    assert any(one.what.startswith("latency_ms of ") and "other work went on" in one.why for one in found.left)
    shelf.search("c", noisy(evaluating(salt="c"), every=1))
    found = shelf.diff("a", "c")
    assert "latency_ms" not in findings(found, "pairs")
    assert found.worse == ()


def test_training_that_got_worse_is_seen_in_the_same_architectures(shelf: Shelf) -> None:
    shelf.search("a", evaluating(salt="a"))
    shelf.search("b", evaluating(loss=0.05, salt="b"))
    found = shelf.diff("a", "b")
    pair = findings(found, "pairs")["validation_accuracy"]
    assert pair.verdict == "worse"
    assert pair.low < 0.05 / pair.a < pair.high
    assert pair.evidence == "15 architectures in both, each trained anew"
    assert found.worse == (pair,)
    assert findings(found, "pairs")["params"].verdict == "equal"
    assert shelf.diff("b", "a").worse == ()
    assert findings(shelf.diff("b", "a"), "pairs")["validation_accuracy"].verdict == "better"


def test_a_loss_within_the_tolerance_is_let_pass(shelf: Shelf) -> None:
    shelf.search("a", evaluating(salt="a"))
    shelf.search("b", evaluating(loss=0.05, salt="b"))
    found = shelf.diff("a", "b", tolerance=0.5)
    assert (found.worse, findings(found, "pairs")["validation_accuracy"].verdict) == ((), "worse within the tolerance")


def test_the_interval_of_one_figure_is_that_of_students_t(shelf: Shelf) -> None:
    shelf.search("a", evaluating(salt="a"))
    shelf.search("b", evaluating(loss=0.02, salt="b"))
    (pair,) = (one for one in shelf.diff("a", "b", figures=["validation_accuracy"]).findings if one.what == "pairs")
    with Ledger(shelf.ledger) as book:
        told = [
            {
                trial.architecture.id: trial.record.figures["validation_accuracy"]
                for trial in book.trials(book.study(name))
                if trial.record
            }
            for name in ("a", "b")
        ]
    losses = [told[0][one] - told[1][one] for one in told[0]]
    mean = sum(losses) / 15
    error = sqrt(sum((loss - mean) ** 2 for loss in losses) / 14 / 15)
    level = 0.975
    assert pair.loss == pytest.approx(mean / pair.a)
    assert pair.high - pair.loss == pytest.approx(t.ppf(level, 14) * error / pair.a)


def test_slower_passes_are_told_as_a_ratio(shelf: Shelf) -> None:
    shelf.search("a", evaluating(salt="a"))
    shelf.search("b", evaluating(slower=1.2, salt="a"))
    found = shelf.diff("a", "b")
    assert [one.figure for one in found.worse] == ["latency_ms"]
    assert found.worse[0].loss == pytest.approx(0.2, abs=0.01)
    assert findings(found, "pairs")["validation_accuracy"].verdict == "equal"


def test_equal_training_is_called_worse_no_oftener_than_the_confidence_says(shelf: Shelf) -> None:
    for name in (names := [f"s{n}" for n in range(12)]):
        shelf.search(name, evaluating(salt=name), trials=8)
    pairs = [(one, other) for one in names for other in names if one != other]
    worse = sum(bool(shelf.diff(one, other).worse) for one, other in pairs)
    assert worse <= 0.05 * len(pairs)


def test_finals_decide_by_all_trainings_of_finalists(shelf: Shelf) -> None:
    for name, loss in (("a", 0.0), ("b", 0.1)):
        evaluate = evaluating(loss=loss, salt=name)
        shelf.search(name, evaluate)
        nas.finals(name, top=3, seeds=3, ledger=shelf.ledger, evaluate=evaluate)
    winner = findings(shelf.diff("a", "b"), "winner")["validation_accuracy"]
    assert winner.evidence.startswith("finals, 3 and 3 trainings")
    assert winner.verdict == "worse"
    assert winner.low < winner.loss < winner.high


def test_of_what_a_search_found_once_the_luck_is_not_known(shelf: Shelf) -> None:
    shelf.search("a", evaluating(salt="a"))
    shelf.search("b", evaluating(salt="b"), seed=1)
    found = shelf.diff("a", "b")
    winner = findings(found, "winner")["validation_accuracy"]
    assert (winner.low, winner.verdict) == (None, "luck not known")
    assert next((change.name, change.a, change.b) for change in found.changes if change.kind == "search") == ("seed", "0", "1")


def test_results_that_one_took_over_from_the_other_tell_nothing(shelf: Shelf) -> None:
    shelf.search("a", toy_evaluate)
    shelf.search("b", toy_evaluate)
    found = shelf.diff("a", "b")
    assert not findings(found, "pairs")
    assert found.left[-1].what == "15 of 15 architectures in both"
    assert findings(found, "winner")["validation_accuracy"].verdict == "equal"


def test_searches_at_other_budgets_are_compared_by_finals_alone(shelf: Shelf) -> None:
    for name, epochs in (("a", 2), ("b", 3)):
        shelf.search(name, evaluating(salt=name), epochs=epochs)
    found = shelf.diff("a", "b")
    assert (found.findings, found.comparable, found.reach) == ((), False, None)
    assert [left.what for left in found.left] == [
        "what the searches found",
        "how soon the best was found",
        "the same architectures",
    ]
    for name in ("a", "b"):
        nas.finals(name, top=2, seeds=2, ledger=shelf.ledger, evaluate=evaluating(salt=name))
    assert next(one.what for one in shelf.diff("a", "b").findings if one.figure == "validation_accuracy") == "winner"


def test_another_benchmark_is_not_compared(shelf: Shelf) -> None:
    shelf.search("a", evaluating())
    shelf.search("b", evaluating(), on="fashion_mnist")
    found = shelf.diff("a", "b")
    assert not found.comparable
    assert found.left[0].why == "the benchmarks are digits v1 and fashion_mnist v1"


def test_how_soon_each_found_what_the_other_ended_with_is_counted(shelf: Shelf) -> None:
    shelf.search("a", toy_evaluate)
    shelf.search("b", evaluating(loss=0.5, luck=0.0))
    reach = shelf.diff("a", "b").reach
    assert reach is not None
    assert reach.b_reaches_a is None
    with Ledger(shelf.ledger) as book:
        course = [trial.record.figures["validation_accuracy"] for trial in book.trials(book.study("a")) if trial.record]
    assert reach.a_reaches_b == next(n for n, value in enumerate(course, start=1) if value >= reach.b)
    assert (reach.a, reach.a_evaluations) == (max(course), 15)


def test_fronts_are_measured_up_to_one_point(shelf: Shelf) -> None:
    goals = ["validation_accuracy", "params"]
    shelf.search("a", evaluating(luck=0.0), objectives=goals)
    shelf.search("b", evaluating(loss=0.1, luck=0.0), objectives=goals)
    found = shelf.diff("a", "b")
    assert found.volumes is not None
    first, second = found.volumes
    assert first.reference == second.reference
    assert first.value > second.value > 0
    assert found.reach is None


@pytest.mark.parametrize(
    ("options", "rule"),
    [
        ({"confidence": 1.0}, r"A confidence lies between 0 and 1, got 1; 0\.95 is usual\."),
        ({"tolerance": -0.1}, r"A tolerance is a share of at least 0, got -0\.1; 0\.01 lets 1 % pass\."),
        ({"figures": ["latency"]}, r"Neither study has a figure 'latency'\. Did you mean 'latency_ms'\?"),
    ],
)
def test_what_cannot_be_meant_is_refused(shelf: Shelf, options: dict[str, Any], rule: str) -> None:
    shelf.search("a", evaluating(), trials=2)
    with pytest.raises(LedgerError, match=rule):
        shelf.diff("a", "a", **options)
