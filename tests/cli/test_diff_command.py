import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from toys import TOY, toy_evaluate

import nas
from nas.cli import main
from nas.records import Record
from nas.space import Architecture


def worse(architecture: Architecture, **rest: Any) -> Record:
    record = toy_evaluate(architecture, **rest)
    figures = {name: value * 0.9 if name == "validation_accuracy" else value for name, value in record.figures.items()}
    return Record(**{**vars(record), "figures": figures})


@pytest.fixture
def ledger(tmp_path: Path) -> str:
    found = f"sqlite:///{tmp_path}/nas.sqlite"
    options: dict[str, Any] = {"on": "digits", "strategy": "random", "trials": 10, "confirm": 0, "ledger": found}
    nas.search(TOY, study="before", evaluate=toy_evaluate, **options)
    nas.search(TOY, study="after", evaluate=worse, **options)
    return found


def diff(*words: str) -> Result:
    return CliRunner().invoke(main, ["diff", *words])


def test_worse_is_status_1_and_said_at_the_end(ledger: str) -> None:
    result = diff("before", "after", "--ledger", ledger)
    assert result.exit_code == 1
    lines = result.output.splitlines()
    assert lines[:4] == ["before → after", "", "What differs", "  nothing"]
    assert "10 architectures in both, each trained anew" in lines
    assert lines[-1] == "Worse with 95% confidence: validation accuracy of the same architectures (+10.00%)."


def test_better_is_status_0(ledger: str) -> None:
    result = diff("after", "before", "--ledger", ledger)
    assert result.exit_code == 0
    assert result.output.splitlines()[-1] == "Nothing is worse with 95% confidence."


def test_a_tolerance_lets_a_loss_pass(ledger: str) -> None:
    assert diff("before", "after", "--tolerance", "0.2", "--ledger", ledger).exit_code == 0
    within = diff("before", "after", "--tolerance", "0.02", "--ledger", ledger)
    assert within.exit_code == 1
    assert within.output.splitlines()[-1].startswith("Worse by more than 0.02 of the first with 95% confidence:")


def test_other_figures_do_not_count_where_one_is_asked_for(ledger: str) -> None:
    result = diff("before", "after", "--figure", "latency_ms", "--ledger", ledger)
    assert result.exit_code == 0
    assert "validation accuracy   " not in result.output


def test_what_is_printed_is_told_as_json_too(ledger: str) -> None:
    result = diff("before", "after", "--json", "--ledger", ledger)
    told = json.loads(result.output)
    assert result.exit_code == 1
    assert told["verdict"].startswith("Worse with 95% confidence")
    assert [one["figure"] for one in told["worse"]] == ["validation_accuracy"]
    assert told["reach"]["b_reaches_a"] is None
    assert {one["figure"]: one["verdict"] for one in told["findings"] if one["what"] == "pairs"}["params"] == "equal"


def test_studies_of_two_ledgers_are_compared(ledger: str, tmp_path: Path) -> None:
    other = f"sqlite:///{tmp_path}/other.sqlite"
    nas.search(TOY, on="digits", strategy="random", trials=10, confirm=0, ledger=other, study="before", evaluate=toy_evaluate)
    result = diff("before", "before", "--ledger", ledger, "--ledger-b", other)
    assert result.exit_code == 0


def test_what_cannot_be_compared_is_one_line_and_status_2(ledger: str) -> None:
    nas.search(TOY, on="fashion_mnist", trials=2, ledger=ledger, study="other", evaluate=toy_evaluate)
    result = diff("before", "other", "--ledger", ledger)
    assert result.exit_code == 2
    rule = "nas: before and other cannot be compared (figures: the benchmarks are digits v1 and fashion_mnist v1).\n"
    assert result.stderr == rule
    assert result.output.count("the benchmarks are digits v1 and fashion_mnist v1") == 1
    unknown = diff("before", "never", "--ledger", ledger)
    assert unknown.exit_code == 2
    assert unknown.stderr.startswith("nas: No study in")


def test_a_study_is_not_held_against_itself(ledger: str) -> None:
    result = diff("before", "before", "--ledger", ledger)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == "nas: before and before are the same study; a difference needs two.\n"
