"""Trials as folders, of real trainings on the digits."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from toys import TOY

import nas
from nas.errors import ExportError, LedgerError, PathError, SearchError
from nas.exporting import load_source
from nas.models import build
from nas.records import Ledger
from nas.searching import EpochEnded, Study, export, resolve_benchmark, weights_of
from nas.training import digest_tensors, read_weights, write_weights

BRIEF: dict[str, Any] = {"epochs": 1, "fraction": 0.1}
SOURCE = {"formats": ["source"]}


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """Two trials, and finals of one epoch."""
    from benchmarks import digits

    folder = tmp_path_factory.mktemp("study")
    with pytest.MonkeyPatch.context() as patch:
        budget = replace(digits.BENCHMARK.final_budget, epochs=1)
        patch.setattr(digits, "BENCHMARK", replace(digits.BENCHMARK, final_budget=budget))
        study = nas.search(TOY, on="digits", trials=2, study="s", ledger=f"sqlite:///{folder}/nas.sqlite", **BRIEF)
        return nas.finals("s", top=1, seeds=2, ledger=study.ledger)


def test_the_winners_folder_holds_the_weights_that_finals_kept(study: Study, tmp_path: Path) -> None:
    done = study.export(tmp_path / "home", **SOURCE)
    trial = study.best.trials[0]
    assert done.origin.trial == trial
    assert "kept beside the ledger: bit for bit those that the record tells of." in done.origin.weights
    names = {"README.md", "model.py", "weights.safetensors", "figures.json", "requirements.txt"}
    assert {path.name for path in (tmp_path / "home").iterdir()} == names == set(done.files)
    network = build(TOY, trial.architecture, resolve_benchmark("digits").signature)
    kept = weights_of(study.ledger, trial)
    assert kept is not None
    read_weights(network, kept)
    inputs = torch.rand(5, 1, 8, 8)
    with torch.no_grad():
        torch.testing.assert_close(load_source(tmp_path / "home")(inputs), network.eval()(inputs))


def test_the_card_tells_figures_intervals_seeds_data_licence_and_commands(study: Study, tmp_path: Path) -> None:
    study.export(tmp_path / "home", **SOURCE)
    card = (tmp_path / "home" / "README.md").read_text()
    record = study.best.trials[0].record
    assert record is not None
    assert f"Of 2 trainings from seeds {record.seed}, {record.seed + 1}: means and their 95 % intervals" in card
    assert f"The weights here are those of seed {record.seed}." in card
    assert "| test accuracy | " in card
    assert "Licence of the data: CC BY 4.0." in card
    assert "$ nas search toy.yaml --on digits" in card
    assert "$ nas export s --to home --formats source" in card
    assert "is not there" not in card
    assert "privacy" not in card  # options of what this recipe does not do
    assert str(tmp_path) not in card
    data = json.loads((tmp_path / "home" / "figures.json").read_text())
    figure = data["figures"]["validation_loss"]
    assert figure["low"] < figure["mean"] < figure["high"]
    assert data["record"]["seed"] == record.seed
    certainty = study.best.certainty
    assert certainty is not None
    told, known = data["figures"]["validation_accuracy"], certainty.intervals["validation_accuracy"]
    assert (told["low"], told["high"]) == (known.low, known.high)
    assert "that of validation accuracy as on the leaderboard" in card
    assert "The outputs stand for, in order:\n\n```\n 0 0\n 1 1\n" in card
    assert data["classes"] == list("0123456789")
    assert 'CLASSES = ("0", "1", "2", ' in (tmp_path / "home" / "model.py").read_text()


def test_a_trial_whose_weights_are_not_kept_is_trained_again_and_compared(study: Study, tmp_path: Path) -> None:
    epochs: list[EpochEnded] = []
    done = export(
        "s:1",
        tmp_path / "home",
        ledger=study.ledger,
        on_event=lambda event: epochs.append(event) if isinstance(event, EpochEnded) else None,
        **SOURCE,
    )
    assert [(event.number, event.stage, event.epoch.epoch) for event in epochs] == [(1, "search", 1)]
    assert (done.origin.trial.stage, done.origin.trial.number) == ("search", 1)
    assert done.origin.weights == ("The weights were trained again for this folder: bit for bit those that the record tells of.")


def test_what_comes_out_otherwise_is_told(study: Study, tmp_path: Path) -> None:
    with Ledger(study.ledger) as ledger:
        trial = ledger.trials(ledger.study("s"), "search")[0]
    assert trial.record is not None
    figures = {**trial.record.figures, "validation_accuracy": 0.5}
    older = replace(trial, record=replace(trial.record, weights_sha256=None, figures=figures, versions={"torch": "2.0"}))
    done = study.export(tmp_path / "home", older, **SOURCE)
    assert "their validation figures differ from those on record, validation accuracy by " in done.origin.weights
    assert f"(torch 2.0 there and {torch.__version__.partition('+')[0]}" in done.origin.weights


def test_weights_of_ones_own_are_taken(study: Study, tmp_path: Path) -> None:
    trial = study.best.trials[0]
    network = build(TOY, trial.architecture, resolve_benchmark("digits").signature, seed=5)
    write_weights(network, tmp_path / "own.safetensors")
    done = study.export(tmp_path / "home", weights=tmp_path / "own.safetensors", **SOURCE)
    assert done.origin.weights.startswith(
        "The weights are from the file 'own.safetensors': their validation figures differ from those on record, "
    )
    other = build(
        TOY,
        TOY.architecture({**trial.architecture.choices, "width": 24 - trial.architecture.choices["width"]}),
        resolve_benchmark("digits").signature,
    )
    write_weights(other, tmp_path / "other.safetensors")
    with pytest.raises(ExportError, match="holds the weights of another network"):
        study.export(tmp_path / "home2", weights=tmp_path / "other.safetensors", **SOURCE)
    with pytest.raises(ExportError, match=r"none\.safetensors cannot be read: No such file"):
        study.export(tmp_path / "home2", weights=tmp_path / "none.safetensors", **SOURCE)
    assert not (tmp_path / "home2").exists()


def test_untrained_weights_are_said_to_be_so(study: Study, tmp_path: Path) -> None:
    done = export("s", tmp_path / "home", ledger=study.ledger, untrained=True, **SOURCE)
    assert "They are of networks that were trained; the weights here were not." in (tmp_path / "home" / "README.md").read_text()
    assert "before any training" in done.origin.weights
    assert "answers nothing before it is trained" in (tmp_path / "home" / "README.md").read_text()
    with pytest.raises(SearchError, match="Untrained weights are drawn, got a file of weights too"):
        export("s", tmp_path / "home2", ledger=study.ledger, untrained=True, weights=tmp_path / "x")


@pytest.mark.parametrize("torn", [False, True])
def test_where_kept_weights_are_not_those_on_record_it_is_trained_again(study: Study, tmp_path: Path, torn: bool) -> None:
    trial = study.best.trials[0]
    kept = weights_of(study.ledger, trial)
    assert kept is not None
    before = kept.read_bytes()
    events: list[Any] = []
    try:
        if torn:
            kept.write_bytes(before[:100])
        else:
            write_weights(build(TOY, trial.architecture, resolve_benchmark("digits").signature, seed=9), kept)
        done = study.export(tmp_path / "home", on_event=events.append, **SOURCE)
    finally:
        kept.write_bytes(before)
    doubt = f"the weights that are kept ({kept.name}) are not those that the record tells of"
    assert done.origin.weights == (
        f"The weights were trained again for this folder, since {doubt}: bit for bit those that the record tells of."
    )
    assert done.origin.weights in (tmp_path / "home" / "README.md").read_text()
    assert events[0].headline.startswith(f"{doubt}: training final trial ")
    own = safetensors.torch.load_file(tmp_path / "home" / "weights.safetensors")
    assert digest_tensors(own) == trial.record.weights_sha256  # type: ignore[union-attr]


def test_a_folder_that_holds_something_stays_as_it_is(study: Study, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    with pytest.raises(PathError, match=r"There is something at .* already"):
        study.export(tmp_path, **SOURCE)
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_a_place_that_is_taken_is_refused_before_anything_is_trained(study: Study, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    events: list[Any] = []
    with pytest.raises(PathError, match=r"There is something at .* already"):
        export("s:1", tmp_path, ledger=study.ledger, on_event=events.append, **SOURCE)
    assert events == []


def test_the_empty_folder_one_stands_in_is_written(study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    study.export(Path(), **SOURCE)
    assert f"$ nas export s --to {tmp_path.name} --formats source" in (tmp_path / "README.md").read_text()


@pytest.mark.parametrize(
    ("named", "message"),
    [
        ("s:99", "No search trial of s is '99'. There are search 0 to "),
        ("s:0123456789abcdef", "No trial of s is '0123456789abcdef'."),
        ("s:id:99", "No trial of s is 'id:99'."),
        ("s:winner", "A trial is its number, id:N, or the beginning of its architecture's id, got 'winner'."),
        ("s:", "A trial is its number, id:N, or the beginning of its architecture's id, got ''."),
    ],
)
def test_a_trial_that_is_not_there_is_refused(study: Study, tmp_path: Path, named: str, message: str) -> None:
    with pytest.raises(LedgerError) as caught:
        export(named, tmp_path / "home", ledger=study.ledger)
    assert message in str(caught.value)


@pytest.mark.parametrize("length", [6, 16])
def test_an_architecture_is_exported_by_its_longest_training(study: Study, tmp_path: Path, length: int) -> None:
    named = f"s:{study.best.architecture.id[:length]}"
    done = export(named, tmp_path / "home", ledger=study.ledger, untrained=True, **SOURCE)
    assert done.origin.trial.stage == "final"
