import math
from pathlib import Path

import pandas as pd
import pytest
from toys import TOY, toy_evaluate, toy_record

from nas.benchmark import Budget
from nas.records import Failure, Ledger, Record, Trial, trials_table
from nas.space import Architecture

BUDGET = Budget(epochs=2)
SHALLOW = TOY.architecture({"width": 8, "stem.kernel": 3, "block.times": 0})
DEEP = TOY.architecture(
    {"width": 16, "stem.kernel": 5, "block.times": 1, "block.0.kind": "pool", "block.0.kind.pool.kind": "max"}
)


def infeasible(architecture: Architecture) -> Record:
    record = toy_record("infeasible", {"params": 480}, (), 0, BUDGET)
    return Record(**vars(record) | {"broken_limits": ("params <= 400, got 480", "flops <= 1, got 960")})


def failed(architecture: Architecture) -> Record:
    record = toy_record("failed", {"params": 480}, (), 0, BUDGET)
    return Record(**vars(record) | {"error": Failure(kind="diverged", message="NaN"), "seconds": None})


@pytest.fixture
def trials(tmp_path: Path) -> list[Trial]:
    """One trial of each kind: complete, reused, infeasible, failed, running, and one finalist."""
    with Ledger(f"sqlite:///{tmp_path}/nas.sqlite") as ledger:
        study = ledger.begin_study("a", {"space": {"name": "toy", "version": 1}})

        def begin(number: int, architecture: Architecture, stage: str = "search") -> Trial:
            return ledger.begin_trial(study, stage, number, architecture, f"key of {architecture.id}")  # type: ignore[arg-type]

        complete = toy_evaluate(SHALLOW, budget=BUDGET, seed=5)
        first = ledger.end_trial(begin(0, SHALLOW), complete)
        ledger.end_trial(begin(1, SHALLOW), complete, reused_from=first.id)
        ledger.end_trial(begin(2, DEEP), infeasible(DEEP))
        ledger.end_trial(begin(3, DEEP), failed(DEEP))
        begin(4, DEEP)
        ledger.end_trial(begin(0, SHALLOW, "final"), toy_evaluate(SHALLOW, budget=BUDGET, seed=6, final=True))
        return [*ledger.trials(study, "search"), *ledger.trials(study, "final")]


def test_a_row_says_what_the_trial_was_and_what_came_of_it(trials: list[Trial]) -> None:
    row = trials_table(trials).iloc[0]
    record = trials[0].record
    assert record is not None
    named = {"number": 0, "stage": "search", "state": "complete", "architecture": SHALLOW.id, "reused": False}
    evaluated = {"seed": 5, "epochs": 2, "seconds": 0.3, "device": "cpu"}
    assert row[[*named, *evaluated, *record.figures]].to_dict() == {**named, **evaluated, **record.figures}
    assert pd.isna(row["error"])
    assert pd.isna(row["broken_limits"])


def test_columns_stand_in_reading_order(trials: list[Trial]) -> None:
    columns = list(trials_table(trials).columns)
    assert columns[:5] == ["number", "stage", "state", "architecture", "reused"]
    choices = [name for name in columns if name.startswith("choice:")]
    assert choices == [f"choice:{name}" for name in (*SHALLOW.choices, "block.0.kind", "block.0.kind.pool.kind")]
    assert set(columns) - set(choices) == {
        *("number", "stage", "state", "architecture", "reused", "seed", "epochs", "seconds", "device", "error", "broken_limits"),
        *("params", "flops", "latency_ms", "validation_accuracy", "test_accuracy"),
    }


def test_a_choice_that_does_not_apply_is_missing(trials: list[Trial]) -> None:
    table = trials_table(trials)
    assert table["choice:width"].tolist() == [8, 8, 16, 16, 16, 8]
    assert table["choice:block.0.kind"].notna().tolist() == [False, False, True, True, True, False]


def test_figures_that_were_not_measured_are_missing_and_never_zero(trials: list[Trial]) -> None:
    table = trials_table(trials)
    for name in ("latency_ms", "validation_accuracy"):
        assert [math.isnan(value) for value in table[name]] == [False, False, True, True, True, False]
    assert table["params"].notna().tolist() == [True, True, True, True, False, True]
    assert table["test_accuracy"].notna().tolist() == [False, False, False, False, False, True]
    assert pd.isna(table["seconds"][3])


def test_reused_records_and_failures_are_told(trials: list[Trial]) -> None:
    table = trials_table(trials)
    assert table["reused"].tolist() == [False, True, False, False, False, False]
    assert table["state"].tolist() == ["complete", "complete", "infeasible", "failed", "running", "complete"]
    assert table["error"].dropna().to_dict() == {3: "diverged"}
    assert table["broken_limits"].dropna().to_dict() == {2: "params <= 400, got 480; flops <= 1, got 960"}


def test_the_table_is_the_same_after_a_csv_file(trials: list[Trial], tmp_path: Path) -> None:
    table = trials_table(trials)
    table.to_csv(tmp_path / "trials.csv", index=False)
    again = pd.read_csv(tmp_path / "trials.csv")
    assert list(again.columns) == list(table.columns)
    for name in ("number", "reused", "params", "validation_accuracy", "choice:width"):
        assert again[name].equals(table[name])


def test_no_trials_are_an_empty_table() -> None:
    assert len(trials_table([])) == 0
