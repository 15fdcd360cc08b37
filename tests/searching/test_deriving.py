"""Trials that are made of finalists, of real trainings on some digits."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
from toys import TOY

import nas
from benchmarks import digits
from nas.errors import NasError, SearchError
from nas.records import Ledger, Trial
from nas.searching import RunBegun, RunEnded, Study, TrialBegun, derive, weights_of
from nas.training import digest_tensors

MIXED: dict[str, Any] = {"changes": {"mixup": 0.2}}


@pytest.fixture(autouse=True)
def brief_finals(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(digits, "BENCHMARK", brief())


def brief() -> Any:
    """The digits, with finals of one epoch on a tenth."""
    budget = replace(digits.BENCHMARK.final_budget, epochs=1, fraction=0.1)
    return replace(digits.BENCHMARK, final_budget=budget)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a ledger: a search, and finals of its best with two seeds."""
    folder = tmp_path_factory.mktemp("finished")
    ledger = f"sqlite:///{folder}/nas.sqlite"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(digits, "BENCHMARK", brief())
        nas.search(TOY, on="digits", trials=2, study="s", ledger=ledger, epochs=1, fraction=0.1)
        nas.finals("s", top=1, seeds=2, ledger=ledger)
    return folder


@pytest.fixture
def study(finished: Path, tmp_path: Path) -> Study:
    shutil.copytree(finished, tmp_path / "copy")
    return Study("s", f"sqlite:///{tmp_path}/copy/nas.sqlite")


def trials_of(study: Study, stage: Any) -> list[Trial]:
    with Ledger(study.ledger) as ledger:
        return ledger.trials(ledger.study(study.name), stage)


def make(study: Study, how: str = "retrain", options: dict[str, Any] = MIXED, **more: Any) -> tuple[list[Trial], list[str]]:
    """The derived trials, and the labels of those that were begun now."""
    labels: list[str] = []

    def listen(event: Any) -> None:
        if isinstance(event, TrialBegun):
            labels.append(event.label)

    derive(study.name, how, options=options, ledger=study.ledger, on_event=listen, **more)
    return trials_of(study, "derived"), labels


@pytest.mark.parametrize("places", [{}, {"workers": 1}], ids=["here", "in a process"])
def test_each_training_of_a_finalist_has_a_child_of_its_seed(study: Study, places: dict[str, Any]) -> None:
    children, labels = make(study, **places)
    parents = trials_of(study, "final")
    assert labels == [f"retrain mixup 0.2, seed {trial.record.seed}" for trial in parents if trial.record]
    for child, parent in zip(children, parents, strict=True):
        assert child.record is not None
        assert parent.record is not None
        told = child.record.derived
        assert told is not None
        assert (child.architecture, child.record.seed) == (parent.architecture, parent.record.seed)
        assert child.record.figures.keys() >= parent.record.figures.keys()
        assert (told.method, told.options, told.parent) == ("retrain", MIXED, parent.evaluation)
        assert told.file_bytes == told.parent_file_bytes
        assert child.record.weights_sha256 != parent.record.weights_sha256
        kept = weights_of(study.ledger, child)
        assert kept is not None
        assert digest_tensors(safetensors.torch.load_file(kept)) == child.record.weights_sha256


def test_equal_work_is_done_once_and_other_options_are_other_work(study: Study) -> None:
    first, _ = make(study)
    again, labels = make(study)
    assert (again, labels) == (first, [])
    more, labels = make(study, options={"changes": {"mixup": 0.4}}, seeds=1)
    assert labels == ["retrain mixup 0.4, seed 1"]
    assert len({trial.evaluation for trial in more}) == 3


def test_the_same_call_goes_on_after_ctrl_c(study: Study) -> None:
    def interrupt(event: Any) -> None:
        if isinstance(event, TrialBegun) and event.number == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        derive("s", "retrain", options=MIXED, ledger=study.ledger, on_event=interrupt)
    children, labels = make(study)
    assert labels == ["retrain mixup 0.2, seed 2"]
    assert [(trial.number, trial.state) for trial in children] == [(0, "complete"), (1, "complete")]


def test_what_was_not_to_be_had_is_tried_again(study: Study) -> None:
    for _ in range(2):
        children, labels = make(study, how="int4-weights", options={}, seeds=1)
        assert labels == ["int4-weights, seed 1"]
    assert [trial.record.error.kind for trial in children if trial.record and trial.record.error] == ["unsupported"] * 2


def test_the_end_is_told_in_a_sentence(study: Study) -> None:
    reasons: list[str] = []
    listen = lambda event: reasons.append(event.reason) if isinstance(event, RunEnded) else None  # noqa: E731
    derive("s", "retrain", options=MIXED, seeds=1, ledger=study.ledger, on_event=listen)
    assert reasons[0].startswith("1 of 1 derived trials are complete. The weights of 3 trainings are in ")


def test_derived_trials_stand_in_no_leaderboard(study: Study) -> None:
    before = study.tables
    make(study, seeds=1)
    assert [len(table.rows) for table in study.tables] == [len(table.rows) for table in before]


@pytest.mark.parametrize(
    ("named", "how", "options", "words"),
    [
        ("s:77", "retrain", MIXED, r"^s:77 is no finalist\. Finalists of s are [0-9a-f]{16}; `nas finals` trains others\.$"),
        ("s:?", "retrain", MIXED, r"^A finalist is STUDY, STUDY:NUMBER or STUDY:ID with an architecture's id, got 's:\?'\.$"),
        ("s:id:1", "retrain", MIXED, "^id:1 is no finalist's training of s, and nothing that was made of one"),
        ("s", "retran", MIXED, r"^No derivation is called 'retran'\. Did you mean 'retrain'\?"),
        ("s", "retrain", {}, r"^retrain needs changes; give --recipe OPTION=VALUE\.$"),
        ("s", "retrain", {"change": 1}, r"^retrain has no option 'change'\. Did you mean 'changes'\?"),
        ("s", "retrain", {"changes": {"mixip": 1}}, r"^A recipe has no option 'mixip'\. Did you mean 'mixup'\?"),
        ("s", "retrain", {"changes": {"mixup": -1}}, "^A recipe's mixup is at least 0, got -1"),
    ],
)
def test_what_cannot_be_made_is_refused_before_anything_is_begun(
    study: Study, named: str, how: str, options: dict[str, Any], words: str
) -> None:
    with pytest.raises(NasError, match=words):
        derive(named, how, options=options, ledger=study.ledger)
    assert trials_of(study, "derived") == []


def test_what_one_method_cannot_do_does_not_keep_others_from_it(study: Study) -> None:
    remarks: list[str] = []
    listen = lambda event: remarks.append(event.note) if isinstance(event, RunBegun) else None  # noqa: E731
    methods = ["magnitude", "structured"]
    derive("s", methods, options={"share": 0.0001, "epochs": 1}, seeds=1, ledger=study.ledger, on_event=listen)
    assert remarks[0].startswith("structured: ")
    assert "and cannot be made as small as" in remarks[0]
    assert [trial.record.derived.method for trial in trials_of(study, "derived") if trial.record and trial.record.derived] == [
        "magnitude"
    ]
    with pytest.raises(SearchError, match=r"^structured: .* and cannot be made as small as"):
        derive("s", "structured", options={"share": 0.0001}, ledger=study.ledger)


def test_teachers_of_what_learns_from_none_are_refused(study: Study) -> None:
    with pytest.raises(SearchError, match=r"^retrain learns from no teachers, got 's'; name them for distil alone\.$"):
        derive("s", "retrain", options=MIXED, teachers=["s"], ledger=study.ledger)


def test_two_studies_at_once_are_refused(study: Study) -> None:
    with pytest.raises(SearchError, match=r"^What is made at once is of one study, got 't' beside 's'\.$"):
        derive(["s", "t"], "retrain", options=MIXED, ledger=study.ledger)


def test_a_study_without_finalists_is_refused(tmp_path: Path) -> None:
    ledger = f"sqlite:///{tmp_path}/nas.sqlite"
    nas.search(TOY, on="digits", trials=1, study="s", ledger=ledger, epochs=1, fraction=0.1)
    with pytest.raises(SearchError, match="has no finalists; `nas finals s` trains them and keeps their weights"):
        derive("s", "retrain", options=MIXED, ledger=ledger)
