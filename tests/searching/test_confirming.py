"""The last of a search's trainings go to its best, from new seeds."""

import itertools
import random
from pathlib import Path
from typing import Any

import pytest
from toys import TOY, toy_evaluate

import nas
from nas.benchmark import Objective
from nas.errors import SearchError
from nas.records import Ledger, Record
from nas.searching import Event, Study, TrialBegun
from nas.searching.confirming import SEEDS_FROM, TOP, Confirmation
from nas.searching.retraining import finalists
from nas.space import Architecture

ACCURACY = Objective("validation_accuracy", "maximize")


def lucky(architecture: Architecture, *, seed: int, **rest: Any) -> Record:
    """The toy's figures, with luck that hangs on seed and architecture."""
    record = toy_evaluate(architecture, seed=seed, **rest)
    luck = random.Random(f"{seed}:{architecture.id}").uniform(-0.3, 0.3)
    figures = {**record.figures, "validation_accuracy": record.figures["validation_accuracy"] + luck}
    return Record(**{**vars(record), "figures": figures})


def searched(tmp_path: Path, **options: Any) -> Study:
    given = {"evaluate": lucky, "trials": 20, "confirm": 7, "strategy": "random", "study": "s"} | options
    return nas.search(TOY, on="digits", ledger=f"sqlite:///{tmp_path}/nas.sqlite", **given)


def stages(study: Study) -> dict[str, int]:
    with Ledger(study.ledger) as ledger:
        trials = ledger.trials(study.entry)
    evaluated = [trial for trial in trials if trial.state == "complete" and trial.reused_from is None]
    return {stage: sum(trial.stage == stage for trial in evaluated) for stage in ("search", "confirm", "final")}


def test_the_best_are_trained_again_in_turn_and_come_first_by_their_means(tmp_path: Path) -> None:
    study = searched(tmp_path)
    assert stages(study) == {"search": 13, "confirm": 7, "final": 0}
    confirmed, found = study.tables
    assert (confirmed.stage, found.stage) == ("confirm", "search")
    best = {row.architecture.id for row in found.rows[:TOP]}
    assert {row.architecture.id for row in confirmed.rows} == best
    assert sorted(len(row.trials) for row in confirmed.rows) == [1, 1, 1, 2, 2]  # without what the search found
    for row in confirmed.rows:
        values = [trial.record.figures["validation_accuracy"] for trial in row.trials if trial.record]
        assert row.figures["validation_accuracy"].mean == pytest.approx(sum(values) / len(values))
        assert [trial.record.seed for trial in row.trials if trial.record] == [SEEDS_FROM, SEEDS_FROM + 1][: len(values)]
    means = [row.figures["validation_accuracy"].mean for row in confirmed.rows]
    assert means == sorted(means, reverse=True)
    assert study.best == confirmed.rows[0]
    assert study.best.trials[0].stage == "confirm"


def test_with_auto_it_is_a_tenth_where_that_is_five_and_with_others_none(tmp_path: Path) -> None:
    many = searched(tmp_path, strategy="auto", confirm=None, trials=50, study="a")
    assert stages(many) == {"search": 45, "confirm": 5, "final": 0}
    assert stages(searched(tmp_path, strategy="auto", confirm=None, trials=49, study="d")) == {
        "search": 49,
        "confirm": 0,
        "final": 0,
    }
    assert stages(searched(tmp_path, confirm=None, study="b")) == {"search": 20, "confirm": 0, "final": 0}
    several = searched(tmp_path, strategy="auto", confirm=None, objectives=["validation_accuracy", "params"], study="c")
    assert stages(several) == {"search": 20, "confirm": 0, "final": 0}


def test_what_is_done_is_not_done_again_and_more_trials_go_on(tmp_path: Path) -> None:
    searched(tmp_path)
    begun: list[Event] = []
    assert stages(searched(tmp_path, on_event=begun.append)) == {"search": 13, "confirm": 7, "final": 0}
    assert not [event for event in begun if isinstance(event, TrialBegun)]
    assert stages(searched(tmp_path, trials=30, confirm=8)) == {"search": 22, "confirm": 8, "final": 0}


@pytest.mark.parametrize("at", [14, 17, 19])
def test_a_run_that_is_interrupted_goes_on_as_if_it_had_not_been(tmp_path: Path, at: int) -> None:
    begun = itertools.count()

    def interrupt(event: Event) -> None:
        if isinstance(event, TrialBegun) and next(begun) == at:
            raise KeyboardInterrupt

    (tmp_path / "whole").mkdir()
    with pytest.raises(KeyboardInterrupt):
        searched(tmp_path, on_event=interrupt)
    again, whole = searched(tmp_path), searched(tmp_path / "whole")
    assert stages(again) == stages(whole)
    for one, other in zip(again.tables, whole.tables, strict=True):
        assert [(row.architecture, row.figures["validation_accuracy"]) for row in one.rows] == [
            (row.architecture, row.figures["validation_accuracy"]) for row in other.rows
        ]


def test_finals_take_the_confirmed_first(tmp_path: Path) -> None:
    study = searched(tmp_path)
    confirmed, found = study.tables
    with Ledger(study.ledger) as ledger:
        chosen = finalists(ledger, "s", 7)
    assert chosen[:5] == [row.architecture for row in confirmed.rows]
    assert chosen[5:] == [row.architecture for row in found.rows[5:7]]


def test_one_that_fails_as_it_is_trained_again_is_not_tried_forever(tmp_path: Path) -> None:
    def failing(architecture: Architecture, *, seed: int, **rest: Any) -> Record:
        record = lucky(architecture, seed=seed, **rest)
        failed = {"outcome": "failed", "figures": {}, "curve": ()}
        return record if seed < SEEDS_FROM else Record(**{**vars(record), **failed})

    study = searched(tmp_path, evaluate=failing)
    (found,) = study.tables
    assert len(found.rows) == 13


def test_one_that_is_outside_a_limit_as_it_is_measured_again_makes_no_room_for_others(tmp_path: Path) -> None:
    def slower(architecture: Architecture, *, seed: int, **rest: Any) -> Record:
        record = lucky(architecture, seed=seed, **rest)
        outside = {"outcome": "infeasible", "figures": {}, "curve": (), "broken_limits": ("latency_ms <= 1",)}
        return record if seed < SEEDS_FROM else Record(**{**vars(record), **outside})

    assert stages(searched(tmp_path, evaluate=slower)) == {"search": 13, "confirm": 0, "final": 0}
    assert stages(searched(tmp_path, evaluate=slower)) == {"search": 13, "confirm": 0, "final": 0}


def test_no_more_trainings_are_asked_for_than_there_are(tmp_path: Path) -> None:
    class Few:
        trainings = 2

        def __call__(self, architecture: Architecture, **given: Any) -> Record:
            return lucky(architecture, **given)

    class One(Few):
        trainings = 1

    assert stages(searched(tmp_path, evaluate=Few(), study="few")) == {"search": 15, "confirm": 5, "final": 0}
    assert stages(searched(tmp_path, evaluate=One(), study="one")) == {"search": 20, "confirm": 0, "final": 0}


def test_nothing_is_next_where_nothing_is_complete() -> None:
    assert Confirmation(ACCURACY, 0).next([]) is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"confirm": 20}, r"^Some of the 20 trials must search, got confirm 20; give fewer\.$"),
        ({"objectives": ["validation_accuracy", "params"]}, r"^What is best of several objectives is no one order to confirm; "),
    ],
)
def test_what_cannot_be_confirmed_is_refused(tmp_path: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(SearchError, match=message):
        searched(tmp_path, **options)
