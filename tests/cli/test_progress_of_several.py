import io
from dataclasses import replace
from types import SimpleNamespace

import pytest
from rich.console import Console
from toys import TOY, toy_record

from nas.benchmark import Budget
from nas.cli.progress import Watcher, display, result_line
from nas.records import Epoch, Failure, Record, Stage, Trial
from nas.searching import EpochEnded, Progress, RunEnded, TrialBegun, TrialEnded


@pytest.fixture
def watcher(monkeypatch: pytest.MonkeyPatch) -> Watcher:
    monkeypatch.setattr("nas.cli.progress.time", SimpleNamespace(monotonic=lambda: 7.0))  # no time passes
    console = Console(file=io.StringIO(), width=100, color_system=None)
    return Watcher(console, live=True)


def begin(watcher: Watcher, *numbers: int, stage: Stage = "search") -> None:
    for number in numbers:
        watcher(TrialBegun(number, f"{number:016x}", Progress(evaluated=1, target=20), "", stage))


def epoch(watcher: Watcher, number: int, reached: int, stage: Stage = "search") -> None:
    watcher(EpochEnded(number, Epoch(epoch=reached, train_loss=None, figures={}, seconds=None), 9, stage))


def ended(number: int, record: Record) -> Trial:
    return Trial(
        id=number,
        study="a",
        stage="search",
        number=number,
        state=record.outcome,
        architecture=TOY.architecture({"width": 8, "stem.kernel": 3, "block.times": 0}),
        evaluation="a",
        reused_from=None,
        begun_at="2026-01-01",
        ended_at="2026-01-02",
        proposal={},
        record=record,
    )


def end(watcher: Watcher, number: int) -> None:
    trial = ended(number, toy_record("complete", {"validation_f1": 0.4, "validation_accuracy": 0.5}, (), 0, Budget(epochs=9)))
    watcher(TrialEnded(trial, Progress(evaluated=2, target=20), trial, "validation_accuracy"))


def drawn(watcher: Watcher) -> list[str]:
    console = Console(file=io.StringIO(), width=100, color_system=None)
    with console.capture() as shown:
        console.print(watcher.picture())
    return [line.rstrip() for line in shown.get().splitlines()]


def test_one_candidate_is_one_line(watcher: Watcher) -> None:
    begin(watcher, 3)
    assert drawn(watcher) == ["1/20 evaluated · trial 3 0000000000000003"]
    epoch(watcher, 3, 2)
    assert drawn(watcher) == ["1/20 evaluated · trial 3, epoch 2 of 9"]


def test_each_of_several_has_a_line_and_its_own_epoch(watcher: Watcher) -> None:
    begin(watcher, 3, 4)
    begin(watcher, 3, stage="confirm")
    epoch(watcher, 4, 2)
    epoch(watcher, 3, 5)
    epoch(watcher, 3, 7, "confirm")
    assert [" ".join(line.split()) for line in drawn(watcher)] == [
        "1/20 evaluated · 3 under way",
        "search 3 0000000000000003 epoch 5/9 0:00 min",
        "search 4 0000000000000004 epoch 2/9 0:00 min",
        "confirm 3 0000000000000003 epoch 7/9 0:00 min",
    ]
    end(watcher, 3)
    assert [line.split()[:2] for line in drawn(watcher)[1:]] == [["search", "4"], ["confirm", "3"]]
    assert "best validation_accuracy 0.5000" in drawn(watcher)[0]
    watcher(RunEnded("a", "Done.", False, Progress(evaluated=2, target=20)))
    assert len(drawn(watcher)) == 1


def test_of_many_the_first_are_shown(watcher: Watcher) -> None:
    begin(watcher, *range(12))
    lines = drawn(watcher)
    assert len(lines) == 1 + 8 + 1
    assert lines[-1] == "  and 4 more"


def test_a_message_steers_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    record = toy_record("failed", {}, (), 0, Budget(epochs=9))
    record = replace(record, error=Failure(kind="raised", message="\x1b[2J[red]gone\nfor good"))
    trial = ended(0, record)
    with display() as on_event:
        on_event(TrialEnded(trial, Progress(evaluated=1, target=5), None))
    assert capsys.readouterr().out.endswith("failed: raised: \\x1b[2J[red]gone for good\n")
    assert result_line(trial) == (f"search 0  {trial.architecture.id}  failed: raised: \\x1b[2J[red]gone for good", "red")
