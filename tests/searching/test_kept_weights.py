"""Weights of finalists beside the ledger, of real trainings on the digits."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
from toys import TOY, toy_evaluate

import nas
from nas.models import build
from nas.records import Ledger, Trial
from nas.searching import RunEnded, Study, weights_of
from nas.training import digest_tensors, load_task, read_weights
from nas.training import evaluate as evaluate_on

BRIEF: dict[str, Any] = {"epochs": 1, "fraction": 0.1}


@pytest.fixture
def final_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    """Finals of one epoch."""
    from benchmarks import digits

    brief = replace(digits.BENCHMARK, final_budget=replace(digits.BENCHMARK.final_budget, epochs=1))
    monkeypatch.setattr(digits, "BENCHMARK", brief)


@pytest.fixture
def study(tmp_path: Path, final_budget: None) -> Study:
    return nas.search(TOY, on="digits", trials=2, study="s", ledger=f"sqlite:///{tmp_path}/nas.sqlite", **BRIEF)


def trials_of(study: Study) -> list[Trial]:
    with Ledger(study.ledger) as ledger:
        return ledger.trials(ledger.study(study.name))


def run_finals(study: Study, **options: Any) -> list[Trial]:
    nas.finals(study.name, top=1, seeds=1, ledger=study.ledger, **options)
    return [trial for trial in trials_of(study) if trial.stage == "final"]


@pytest.mark.parametrize("places", [{}, {"workers": 1}], ids=["here", "in a process"])
def test_a_finalist_keeps_the_weights_that_its_test_figure_is_of(study: Study, places: dict[str, Any]) -> None:
    reasons: list[str] = []
    (final,) = run_finals(study, on_event=lambda e: reasons.append(e.reason) if isinstance(e, RunEnded) else None, **places)
    record, path = final.record, weights_of(study.ledger, final)
    assert record is not None
    assert path is not None
    assert digest_tensors(safetensors.torch.load_file(path)) == record.weights_sha256
    signature = nas.searching.resolve_benchmark("digits").signature
    network = build(TOY, final.architecture, signature)
    read_weights(network, path)
    task = load_task(nas.searching.resolve_benchmark("digits"), None)
    found = evaluate_on(network, task, task.examples("test"), "test")
    assert found["test_accuracy"] == record.figures["test_accuracy"]
    assert "The weights of 1 training are in" in reasons[-1]
    assert [file.name for file in path.parent.iterdir()] == [f"{final.evaluation}.safetensors"]


def test_trials_of_a_search_keep_none(study: Study) -> None:
    assert [weights_of(study.ledger, trial) for trial in trials_of(study)] == [None, None]
    assert not Path(f"{study.ledger.removeprefix('sqlite:///')}.weights").exists()


def test_another_study_with_the_same_finalist_finds_its_weights(study: Study) -> None:
    (first,) = run_finals(study)
    other = nas.search(TOY, on="digits", trials=2, study="t", ledger=study.ledger, **BRIEF)
    (second,) = run_finals(other)
    assert second.reused_from == first.id
    assert weights_of(study.ledger, second) == weights_of(study.ledger, first)


def test_where_they_cannot_be_written_a_note_says_so(study: Study) -> None:
    Path(f"{study.ledger.removeprefix('sqlite:///')}.weights").write_text("no folder")
    (final,) = run_finals(study)
    assert final.record is not None
    assert final.record.outcome == "complete"
    assert "The weights are not kept: their folder is not on the machine that trained." in final.record.notes
    assert weights_of(study.ledger, final) is None


def test_a_function_of_ones_own_trains_nothing_to_keep(tmp_path: Path) -> None:
    ledger = f"sqlite:///{tmp_path}/nas.sqlite"
    study = nas.search(TOY, on="digits", evaluate=toy_evaluate, trials=2, study="s", ledger=ledger)
    (final,) = run_finals(study, evaluate=toy_evaluate)
    assert weights_of(ledger, final) is None
    assert not (tmp_path / "nas.sqlite.weights").exists()
