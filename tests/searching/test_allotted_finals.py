"""Finals whose seeds go where they tell most: the same trainings, whoever does them, however often they are stopped."""

import signal
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from toys import TOY, toy_evaluate

import nas
from nas.errors import SearchError
from nas.records import Ledger, Record
from nas.searching import Event, RunBegun, RunEnded, Study, TrialBegun
from nas.searching.retraining import Finals
from nas.space import Architecture


def noisy(architecture: Architecture, *, seed: int, **rest: Any) -> Record:
    """The toy's record, of a final with noise that hangs on seed and architecture alone."""
    record = toy_evaluate(architecture, seed=seed, **rest)
    if not rest.get("final"):
        return record
    luck = int(architecture.id[(seed % 8) : (seed % 8) + 4], 16) / 16**4 - 0.5
    figures = {**record.figures, "validation_accuracy": 0.5 + record.figures["validation_accuracy"] / 10 + luck / 10}
    return replace(record, figures={**figures, "test_accuracy": luck})


noisy.key = "noisy"  # type: ignore[attr-defined]  # as toys.toy_evaluate


def begin(folder: Path, name: str = "s") -> Study:
    ledger = f"sqlite:///{folder}/nas.sqlite"
    return nas.search(TOY, on="digits", evaluate=noisy, trials=12, confirm=0, study=name, ledger=ledger)


@pytest.fixture
def study(tmp_path: Path) -> Study:
    return begin(tmp_path)


def run_finals(study: Study, **options: Any) -> list[Event]:
    events: list[Event] = []
    how = {"evaluate": noisy, "ledger": study.ledger, "top": 4, "on_event": events.append}
    nas.finals(study.name, **how | ({} if "trainings" in options else {"seeds": 5}) | options)
    return events


def trained(study: Study) -> list[tuple[str, int]]:
    """Architecture and seed of each training of a finalist."""
    with Ledger(study.ledger) as ledger:
        trials = ledger.trials(ledger.study(study.name), "final")
    return sorted((trial.architecture.id, trial.record.seed) for trial in trials if trial.record)


def seeds(study: Study) -> list[int]:
    return sorted(Counter(architecture for architecture, _ in trained(study)).values())


@pytest.fixture
def whole(tmp_path: Path) -> list[tuple[str, int]]:
    """What is trained where nothing interrupts."""
    (tmp_path / "whole").mkdir()
    study = begin(tmp_path / "whole")
    run_finals(study)
    return trained(study)


def test_seeds_beyond_two_go_to_near_ties_and_their_number_is_kept(study: Study) -> None:
    events = run_finals(study)
    begun, ended = events[0], events[-1]
    assert isinstance(begun, RunBegun)
    assert isinstance(ended, RunEnded)
    assert begun.target == ended.progress.evaluated == 20
    assert sum(seeds(study)) == 20
    assert seeds(study)[0] == 2 < seeds(study)[-1]
    assert ended.reason.startswith("20 of 20 trainings of finalists are complete. Seeds of each, in the order of the search: ")


def test_even_and_a_number_of_trainings_are_as_asked(study: Study) -> None:
    run_finals(study, even=True, seeds=3)
    assert seeds(study) == [3, 3, 3, 3]
    run_finals(study, trainings=14)
    assert sum(seeds(study)) >= 14


def test_test_figures_steer_no_seed(tmp_path: Path, whole: list[tuple[str, int]]) -> None:
    def other(architecture: Architecture, **rest: Any) -> Record:
        record = noisy(architecture, **rest)
        return replace(record, figures={**record.figures, **({"test_accuracy": 0.5} if rest.get("final") else {})})

    study = begin(tmp_path)
    run_finals(study, evaluate=other)
    assert trained(study) == whole


def test_what_is_trained_is_not_trained_again_and_more_go_on_from_it(study: Study) -> None:
    run_finals(study, seeds=3)
    first = trained(study)
    again = run_finals(study, seeds=3)
    assert not any(isinstance(event, TrialBegun) for event in again)
    assert isinstance(again[0], RunBegun)
    assert again[0].found == 12
    run_finals(study)
    assert set(first) < set(trained(study))
    assert len(trained(study)) == 20


@pytest.mark.parametrize("number", [0, 7, 9, 15])
def test_finals_that_were_stopped_anywhere_go_on_to_the_same_trainings(
    number: int, study: Study, whole: list[tuple[str, int]]
) -> None:
    def interrupt(event: Event) -> None:
        if isinstance(event, TrialBegun) and event.number == number:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_finals(study, on_event=interrupt)
    run_finals(study)
    assert trained(study) == whole


SCRIPT = """
import os, signal, sys, time
sys.path[:0] = {paths!r}
import nas
import test_allotted_finals as own

left = int(sys.argv[1])

def evaluate(architecture, **rest):
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep({pause})
    return own.noisy(architecture, **rest)

evaluate.key = "noisy"
nas.finals("s", ledger={ledger!r}, top=4, seeds=5, evaluate=evaluate)
"""


def start(study: Study, left: int, pause: float = 0.0) -> "subprocess.Popen[bytes]":
    """Finals in a process of their own, which is killed as its training number `left` begins."""
    paths = [str(Path(__file__).parent), str(Path(__file__).parents[1])]
    script = SCRIPT.format(paths=paths, ledger=study.ledger, pause=pause)
    return subprocess.Popen([sys.executable, "-c", script, str(left)])


def test_a_killed_driver_is_followed_by_the_same_trainings(study: Study, whole: list[tuple[str, int]]) -> None:
    killed = start(study, left=11)
    assert killed.wait(240) == -signal.SIGKILL
    assert len(trained(study)) == 10
    run_finals(study)
    assert trained(study) == whole


def test_drivers_that_share_finals_decide_alike(study: Study, whole: list[tuple[str, int]]) -> None:
    drivers = [start(study, left=1000, pause=0.05) for _ in range(2)]
    assert [driver.wait(240) for driver in drivers] == [0, 0]
    assert sorted(set(trained(study))) == whole  # one that both wanted at once may stand there twice, trained once


def test_enough_confidence_ends_finals_and_says_so(study: Study) -> None:
    run_finals(study, confident=0.5, seeds=20)
    last = run_finals(study, confident=0.5, seeds=20)[-1]
    assert isinstance(last, RunEnded)
    assert len(trained(study)) < 80
    assert last.progress.target == last.progress.evaluated == len(trained(study))
    assert "The first is the first with a probability of 0." in last.reason


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"trainings": 0}, "^Finals need trainings of at least 1, got 0"),
        ({"trainings": 3}, "^Each of 4 finalists is trained at least once, got trainings 3; give more"),
        ({"seeds": 2, "trainings": 9}, "^Finals have seeds for each or trainings in all, got seeds 2 and trainings 9"),
        ({"even": True, "confident": 0.9}, "^With even all seeds are trained"),
    ],
)
def test_what_does_not_go_together_is_refused_before_anything_is_trained(
    study: Study, options: dict[str, Any], words: str
) -> None:
    with pytest.raises(SearchError, match=words):
        run_finals(study, **options)
    assert trained(study) == []


def test_a_look_at_the_ledger_that_tells_nothing_new_decides_nothing(study: Study) -> None:
    run_finals(study)
    decided = []

    class Counting(Finals):
        def __init__(self) -> None:
            self.stage, self.number, self.seen, self.wanted, self.elsewhere, self.expected = "final", 0, {}, [], {}, {}

        def decide(self) -> None:
            decided.append(len(self.seen))

    with Ledger(study.ledger) as ledger:
        trials = ledger.trials(ledger.study(study.name), "final")
    source = Counting()
    source.learn([])
    source.learn([replace(trials[0], state="running", record=None)])
    source.learn(trials)
    source.learn(trials)
    assert decided == [1, 20]
