from dataclasses import replace
from io import StringIO
from threading import Event

import pytest
from rich.console import Console
from toys import TOY, toy_record

from nas.benchmark import Budget
from nas.cli.progress import Watcher, display, keep_heard
from nas.records import Epoch, Record, Replicate, Stage, Trial
from nas.searching import EpochEnded, Progress, TrialBegun, TrialEnded

POINT = Epoch(epoch=3, train_loss=1.0, figures={"validation_accuracy": 0.5}, seconds=1.0)
STOPPED = toy_record("pruned", {"validation_accuracy": 0.5}, (POINT,), 0, Budget(epochs=9))


@pytest.mark.parametrize(
    ("record", "words"),
    [
        (STOPPED, "pruned after 3 epochs  validation_accuracy 0.5000"),
        (replace(STOPPED, curve=(), figures={"params": 1200}), "pruned before training  1,200 params"),
        (
            replace(STOPPED, replicates=tuple(Replicate(seed=n, figures=POINT.figures, curve=(POINT,)) for n in range(4))),
            "pruned after 4 replicates  validation_accuracy 0.5000",
        ),
        (replace(STOPPED, outcome="complete"), "validation_accuracy 0.5000"),
        (replace(STOPPED, outcome="complete", figures={"perplexity": -1.2346e30}), "perplexity -1.235e+30"),
    ],
)
def test_a_line_says_when_a_candidate_was_stopped(record: Record, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    trial = ended(record, "search")
    assert said(trial, capsys) == f"   1/5  {trial.architecture.id}  {words}\n"


def test_a_line_says_that_the_best_is_trained_again(capsys: pytest.CaptureFixture[str]) -> None:
    trial = ended(replace(STOPPED, outcome="complete"), "confirm")
    assert said(trial, capsys) == f"   1/5  {trial.architecture.id}  again: validation_accuracy 0.5000\n"


@pytest.mark.parametrize(("quiet", "words"), [(-1.0, "0/5 evaluated · 7 infeasible\n"), (3600.0, "")])
def test_off_a_terminal_a_search_that_only_meets_its_limits_is_not_silent_for_long(
    quiet: float, words: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nas.cli.progress.QUIET_SECONDS", quiet)
    with display() as on_event:
        on_event(TrialEnded(ended(replace(STOPPED, outcome="infeasible"), "search"), Progress(target=5, infeasible=7), None))
    assert capsys.readouterr().out == words


def test_off_a_terminal_a_candidate_that_tells_nothing_yet_is_told_of_all_the_same(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nas.cli.progress.QUIET_SECONDS", -1.0)
    monkeypatch.setattr("nas.cli.progress.LISTEN_SECONDS", 0.001)
    said = ""
    with display() as on_event:
        on_event(TrialBegun(3, "abcd", Progress(target=5)))
        while "\n" not in said:  # however long the thread has to wait for a core
            said += capsys.readouterr().out
    assert said.startswith("0/5 evaluated · trial 3 abcd\n")


class Clock:
    """A time that stands still until it is told otherwise."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("nas.cli.progress.time", clock)
    return clock


def test_how_long_a_run_has_taken_and_will_is_told_on_a_terminal_and_off_it(clock: Clock) -> None:
    for live in (True, False):
        watcher = Watcher(Console(file=StringIO()), live=live, begun_at=clock.now - 40)
        trial = ended(replace(STOPPED, outcome="complete"), "search")
        watcher(TrialEnded(trial, Progress(evaluated=1, target=4, seconds_left=120.0), None))
        assert watcher.status() == "1/4 evaluated · 0:40 min so far, about 2:00 min left"
        clock.now += 30
        assert watcher.status() == "1/4 evaluated · 1:10 min so far, about 1:30 min left"
        watcher(TrialBegun(1, "abcd", Progress(evaluated=1, target=4, infeasible=2, seconds_left=120.0)))
        assert watcher.status().endswith("trial 1 abcd · 1:10 min so far, about 1:30 min left"), "nothing has ended since"
        clock.now += 100
        assert watcher.status().endswith("trial 1 abcd · 2:50 min so far"), "it is late, by how much nobody knows"


def test_before_a_first_trial_has_ended_epochs_tell_how_long_is_left(clock: Clock) -> None:
    """Two at once take 60 s each, 10 of them before the first of 5 epochs: of six, three rounds, the first of them 20 s old."""
    watcher = Watcher(Console(file=StringIO()), begun_at=clock.now)
    for number in (0, 1):
        watcher(TrialBegun(number, "abcd", Progress(target=6)))
    clock.now += 20
    assert watcher.status() == "0/6 evaluated · trial 0 abcd · trial 1 abcd · 0:20 min so far"
    for number in (0, 1):
        watcher(EpochEnded(number, replace(POINT, epoch=1, seconds=10.0), 5))
    assert watcher.status().endswith("0:20 min so far, about 2:40 min left")
    clock.now += 10
    assert watcher.status().endswith("0:30 min so far, about 2:30 min left")


def test_of_anothers_run_only_what_it_reckons_itself_is_told(clock: Clock) -> None:
    watcher = Watcher(Console(file=StringIO()))
    watcher(TrialBegun(0, "abcd", Progress(target=6)))
    clock.now += 20
    watcher(EpochEnded(0, replace(POINT, epoch=1), 5))
    assert watcher.status() == "0/6 evaluated · trial 0, epoch 1 of 5"
    watcher(TrialBegun(1, "abcd", Progress(target=6, evaluated=1, seconds_left=60.0)))
    assert watcher.status().endswith("about 1:00 min left")


def test_a_full_disk_is_left_to_the_run_s_own_next_line(monkeypatch: pytest.MonkeyPatch) -> None:
    class Full(StringIO):
        def write(self, _: str) -> int:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr("nas.cli.progress.QUIET_SECONDS", -1.0)
    monkeypatch.setattr("nas.cli.progress.LISTEN_SECONDS", 0.001)
    watcher = Watcher(Console(file=Full()))
    watcher(TrialBegun(3, "abcd", Progress(target=5)))
    keep_heard(watcher, Event())  # returns
    with pytest.raises(OSError, match="No space left"):
        watcher.say("next")


def ended(record: Record, stage: Stage) -> Trial:
    return Trial(
        id=1,
        study="a",
        stage=stage,
        number=0,
        state=record.outcome,
        architecture=TOY.architecture({"width": 8, "stem.kernel": 3, "block.times": 0}),
        evaluation="a",
        reused_from=None,
        begun_at="2026-01-01",
        ended_at="2026-01-02",
        proposal={},
        record=record,
    )


def said(trial: Trial, capsys: pytest.CaptureFixture[str]) -> str:
    with display() as on_event:
        on_event(TrialEnded(trial, Progress(evaluated=1, target=5), None))
    return capsys.readouterr().out
