"""A search or finals that were stopped within a candidate go on within it."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from toys import TOY, toy_evaluate

import nas
from nas.cli import main
from nas.errors import SearchError
from nas.records import Epoch, Ledger, Record, Trial
from nas.searching import EpochEnded, Event, SearchConfig, TrialBegun
from nas.space import Architecture

TIMED = {"latency_ms", "train_seconds"}


class Writing:
    """A toy that evaluates at once, and leaves a file where its checkpoints would lie."""

    key = "writing"

    def __init__(self) -> None:
        self.asked: list[tuple[Path, float]] = []

    def __call__(self, architecture: Architecture, **given: Any) -> Record:
        return toy_evaluate(architecture, **given)

    def resuming(self, folder: Path | None, every_seconds: float, stopping: Callable[[], bool]) -> Callable[..., Record]:
        if folder is None:
            return self
        self.asked.append((folder, every_seconds))
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "000001.json").write_text("{}")
        return partial(self)


def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/nas.sqlite"


def search(tmp_path: Path, evaluate: Any, **given: Any) -> nas.Study:
    given = {"strategy": "random", "trials": 3, "study": "s"} | given
    return nas.search(TOY, on="digits", evaluate=evaluate, ledger=url(tmp_path), **given)


def trials(tmp_path: Path) -> list[Trial]:
    with Ledger(url(tmp_path), create=False) as ledger:
        return ledger.trials(ledger.study("s"))


def stop(number: int) -> Callable[[Event], None]:
    """A listener that breaks off in the training that is the `number`-th of its run, after two epochs, as Ctrl-C does."""
    begun: list[TrialBegun] = []

    def listen(event: Event) -> None:
        if isinstance(event, TrialBegun):
            begun.append(event)
        if isinstance(event, EpochEnded) and event.epoch.epoch == 2 and len(begun) == number:
            raise KeyboardInterrupt

    return listen


def test_checkpoints_lie_beside_the_ledger_by_study_and_work_and_go_when_the_trial_ends(tmp_path: Path) -> None:
    evaluate = Writing()
    search(tmp_path, evaluate, checkpoint=5)
    evaluated = [trial.evaluation for trial in trials(tmp_path) if trial.reused_from is None]
    assert evaluate.asked == [(tmp_path / "nas.sqlite.checkpoints" / "s" / name, 5.0) for name in evaluated]
    assert not (tmp_path / "nas.sqlite.checkpoints").exists()


def test_one_is_written_every_minute_unless_something_else_is_asked_for(tmp_path: Path) -> None:
    evaluate = Writing()
    search(tmp_path, evaluate)
    assert {seconds for _, seconds in evaluate.asked} == {60.0}


def test_nothing_is_written_for_a_checkpoint_of_0(tmp_path: Path) -> None:
    evaluate = Writing()
    search(tmp_path, evaluate, checkpoint=0)
    nas.finals("s", ledger=url(tmp_path), evaluate=evaluate, checkpoint=0)
    assert evaluate.asked == []


def test_a_function_of_ones_own_need_not_know_checkpoints(tmp_path: Path) -> None:
    assert len(search(tmp_path, toy_evaluate, checkpoint=1e-9).trials) >= 3
    assert not (tmp_path / "nas.sqlite.checkpoints").exists()


def test_what_was_stopped_keeps_its_checkpoints_and_what_has_ended_does_not(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        search(tmp_path, Writing(), on_event=stop(2))
    folder = tmp_path / "nas.sqlite.checkpoints" / "s"
    running = [trial.evaluation for trial in trials(tmp_path) if trial.state == "running"]
    assert [path.name for path in folder.iterdir()] == running
    (folder / "0123456789abcdef").mkdir()  # as a kill leaves it between a trial's end and here
    (folder.parent / "another").mkdir()
    evaluate = Writing()
    with pytest.raises(KeyboardInterrupt):
        search(tmp_path, evaluate, on_event=stop(1))
    assert [path.name for path in folder.iterdir()] == running
    search(tmp_path, evaluate)
    assert evaluate.asked[0][0] == evaluate.asked[1][0] == folder / running[0]
    assert [path.name for path in folder.parent.iterdir()] == ["another"]


def test_finals_keep_checkpoints_too(tmp_path: Path) -> None:
    evaluate = Writing()
    search(tmp_path, evaluate)
    evaluate.asked.clear()
    nas.finals("s", ledger=url(tmp_path), evaluate=evaluate, top=2, seeds=1, checkpoint=7)
    finals = [trial.evaluation for trial in trials(tmp_path) if trial.stage == "final"]
    assert evaluate.asked == [(tmp_path / "nas.sqlite.checkpoints" / "s" / name, 7.0) for name in finals]
    assert not (tmp_path / "nas.sqlite.checkpoints").exists()


def test_finals_leave_the_checkpoints_of_a_search_that_was_stopped(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        search(tmp_path, Writing(), on_event=stop(2))
    nas.finals("s", ledger=url(tmp_path), evaluate=Writing(), top=1, seeds=1)
    running = [trial.evaluation for trial in trials(tmp_path) if trial.state == "running"]
    assert [path.name for path in (tmp_path / "nas.sqlite.checkpoints" / "s").iterdir()] == running


def test_how_often_is_no_part_of_what_a_study_means() -> None:
    one, other = (SearchConfig.make(space=TOY, on="digits", checkpoint=seconds) for seconds in (0, 5.5))
    assert one.definition() == other.definition()
    assert one.study_name == other.study_name


@pytest.mark.parametrize("seconds", [-1, float("nan"), float("inf")])
def test_seconds_are_checked(seconds: float, tmp_path: Path) -> None:
    with pytest.raises(SearchError, match=r"^checkpoint: .*, got (-1|nan|inf)\.$"):
        search(tmp_path, toy_evaluate, checkpoint=seconds)
    search(tmp_path, toy_evaluate)
    with pytest.raises(
        SearchError, match=r"^Seconds between two checkpoints are at least 0, and 0 for none, got (-1|nan|inf)\.$"
    ):
        nas.finals("s", ledger=url(tmp_path), evaluate=toy_evaluate, checkpoint=seconds)


@pytest.mark.parametrize("words", [["search", "residual_cnn", "--on", "digits"], ["finals", "s"]])
def test_the_option_of_the_command_line_is_the_same(words: list[str], tmp_path: Path) -> None:
    search(tmp_path, toy_evaluate)
    result = CliRunner().invoke(main, [*words, "--ledger", url(tmp_path), "--checkpoint", "-1"])
    assert result.exit_code == 2
    assert result.stderr.endswith(", got -1.0.\n")


def test_a_training_that_was_stopped_goes_on_and_gives_the_record_of_one_that_was_not(tmp_path: Path) -> None:
    """Real training of networks of the toy space."""
    for name in ("whole", "stopped"):
        (tmp_path / name).mkdir()
    given = {"epochs": 3, "fraction": 0.2, "trials": 2}
    search(tmp_path / "whole", None, **given)
    with pytest.raises(KeyboardInterrupt):
        search(tmp_path / "stopped", None, checkpoint=1e-9, on_event=stop(2), **given)
    again: list[Event] = []
    search(tmp_path / "stopped", None, checkpoint=1e-9, on_event=again.append, **given)
    whole, stopped = (trials(tmp_path / name) for name in ("whole", "stopped"))
    assert [shape(trial) for trial in stopped] == [shape(trial) for trial in whole]
    record = stopped[-1].record
    assert record is not None
    assert any(note.startswith("Went on from a checkpoint after step ") for note in record.notes)
    assert record.seconds is not None
    assert record.seconds > record.figures["train_seconds"]
    assert [event.label for event in again if isinstance(event, TrialBegun)] == ["again, after an interruption"]
    told = [event.epoch.epoch for event in again if isinstance(event, EpochEnded)]
    assert told == [1, 2, 3]
    assert sorted(path.name for path in (tmp_path / "stopped").iterdir() if path.is_dir()) == []


def shape(trial: Trial) -> tuple[str, str, list[Epoch], dict[str, float]]:
    """All that does not depend on the clock."""
    record = trial.record
    assert record is not None
    curve = [replace(point, seconds=0) for point in record.curve]
    figures = {name: value for name, value in record.figures.items() if name not in TIMED}
    return trial.architecture.id, record.outcome, curve, figures
