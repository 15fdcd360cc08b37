import os
from pathlib import Path
from typing import Any

import pytest
from toys import TOY, toy_evaluate, toy_record

import nas
import nas.searching.tensorboard as board
from nas.errors import SearchError
from nas.records import Ledger, Trial
from nas.searching import to_tensorboard, train_one
from nas.searching.tensorboard import study_to_tensorboard
from nas.trackers import Told

pytest.importorskip("tensorboard")


def read(folder: Path) -> Any:
    """What TensorBoard itself reads of one trial."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    found = EventAccumulator(str(folder))
    found.Reload()
    return found


def search(folder: Path, ledger: Path, **options: Any) -> list[Trial]:
    url = f"sqlite:///{ledger}/nas.sqlite"
    with to_tensorboard(folder) as on_event:
        options = {"trials": 4, "evaluate": toy_evaluate, "epochs": 3, "study": "toy", **options}
        nas.search(TOY, on="digits", ledger=url, on_event=on_event, **options)
    with Ledger(url) as book:
        return book.trials(book.study("toy"))


def test_every_trial_has_its_curve_by_epoch_and_its_figures(tmp_path: Path) -> None:
    for trial in search(tmp_path / "board", tmp_path):
        assert trial.record is not None
        found = read(tmp_path / "board" / "toy" / f"{trial.number:05}")
        for name in ("validation_accuracy",):
            points = [(point.step, pytest.approx(point.value)) for point in found.Scalars(f"curve/{name}")]
            assert points == [(epoch.epoch, epoch.figures[name]) for epoch in trial.record.curve]
        assert len(found.Scalars("curve/train_loss")) == 3
        (params,) = found.Scalars("figures/params")
        assert params.value == trial.record.figures["params"]


def test_choices_are_hyperparameters_of_the_figures(tmp_path: Path) -> None:
    from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

    trial = search(tmp_path / "board", tmp_path)[0]
    told = read(tmp_path / "board" / "toy" / "00000").summary_metadata
    start = HParamsPluginData.FromString(told["_hparams_/session_start_info"].plugin_data.content)
    choices = start.session_start_info.hparams
    assert set(choices) == set(trial.architecture.choices)
    assert choices["width"].number_value == trial.architecture.choices["width"]


def test_the_best_trained_again_leave_what_the_search_wrote_as_it_was(tmp_path: Path) -> None:
    trials = search(tmp_path / "board", tmp_path, trials=6, confirm=2, strategy="random")
    again = [trial for trial in trials if trial.stage == "confirm"]
    assert [trial.number for trial in again] == [0, 1]
    for trial in trials:
        name = f"{trial.number:05}" if trial.stage == "search" else f"confirm-{trial.number:05}"
        (params,) = read(tmp_path / "board" / "toy" / name).Scalars("figures/params")
        assert trial.record is not None
        assert params.value == trial.record.figures["params"]


def test_networks_that_were_never_trained_are_left_out(tmp_path: Path) -> None:
    def evaluate(architecture: Any, *, budget: Any, seed: int, **_: Any) -> Any:
        if architecture.choices["width"] == 8:
            return toy_record("infeasible", {"params": 1.0}, (), seed, budget)
        return toy_evaluate(architecture, budget=budget, seed=seed)

    trials = search(tmp_path / "board", tmp_path, evaluate=evaluate)
    written = {int(path.name) for path in (tmp_path / "board" / "toy").iterdir()}
    assert written == {trial.number for trial in trials if trial.state == "complete"}
    assert len(written) < len(trials)


def test_one_training_is_written_as_it_goes(tmp_path: Path) -> None:
    with to_tensorboard(tmp_path / "board") as on_event:
        one = train_one(TOY, on="digits", epochs=2, fraction=0.1, seed=7, on_event=on_event)
    assert one is not None
    (folder,) = (tmp_path / "board").glob("*/00007")
    assert folder.parent.name == f"toy-digits-{one.architecture.id}"
    assert [point.step for point in read(folder).Scalars("curve/validation_loss")] == [1, 2]


def test_without_the_package_a_line_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(board, "find_spec", lambda _: None)
    with pytest.raises(SearchError, match=r"needs the package tensorboard: pip install 'nas-harness\[tensorboard\]'"):
        to_tensorboard(tmp_path).__enter__()


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SearchError, match="file/board cannot be written to: Not a directory"):
        to_tensorboard(tmp_path / "file" / "board").__enter__()


def told(ledger: Path, folder: Path) -> Told:
    with Ledger(f"sqlite:///{ledger}/nas.sqlite") as book:
        return study_to_tensorboard(book, "toy", folder)


def test_a_study_that_is_over_is_written_as_a_running_one_would_have_been(tmp_path: Path) -> None:
    trials = search(tmp_path / "live", tmp_path, trials=5, confirm=1, strategy="random")
    assert told(tmp_path, tmp_path / "after") == Told(added=len(trials), known=0, waiting=0)
    names = {path.name for path in (tmp_path / "live" / "toy").iterdir()}
    assert names == {path.name for path in (tmp_path / "after" / "toy").iterdir()}
    for name in names:
        live, after = (read(tmp_path / folder / "toy" / name) for folder in ("live", "after"))
        assert live.Tags()["scalars"] == after.Tags()["scalars"]
        for tag in live.Tags()["scalars"]:
            assert [(p.step, p.value) for p in live.Scalars(tag)] == [(p.step, p.value) for p in after.Scalars(tag)]
        assert "_hparams_/session_start_info" in after.summary_metadata


def test_what_is_there_whole_is_not_written_again(tmp_path: Path) -> None:
    trials = search(tmp_path / "board", tmp_path)
    files = sorted((tmp_path / "board").rglob("events*"))
    assert told(tmp_path, tmp_path / "board") == Told(added=0, known=len(trials), waiting=0)
    assert sorted((tmp_path / "board").rglob("events*")) == files


def test_what_was_cut_off_is_written_again_and_hides_what_was_there(tmp_path: Path) -> None:
    trials = search(tmp_path / "board", tmp_path)
    (file,) = (tmp_path / "board" / "toy" / "00001").glob("events*")
    os.utime(file, (1, 1))  # before the trial had ended
    assert told(tmp_path, tmp_path / "board") == Told(added=1, known=len(trials) - 1, waiting=0)
    assert [point.step for point in read(tmp_path / "board" / "toy" / "00001").Scalars("curve/train_loss")] == [1, 2, 3]
