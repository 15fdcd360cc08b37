import json
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from click.testing import CliRunner, Result
from toys import TOY

import nas
from nas.cli import main
from nas.records import Ledger

Nas = Callable[..., Result]


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A study of two trials, and others in which figures of the first are not what they were."""
    ledger = f"sqlite:///{tmp_path_factory.mktemp('ledger')}/nas.sqlite"
    nas.search(TOY, on="digits", trials=2, study="s", ledger=ledger, epochs=1, fraction=0.1)
    with Ledger(ledger) as book:
        entry = book.study("s")
        trial = book.trials(entry)[0]
        record = trial.record
        assert record is not None
        for study, changed in (("near", {"validation_loss": 1 + 1e-9}), ("far", {"validation_loss": 1.5})):
            figures = {name: value * changed.get(name, 1) for name, value in record.figures.items()}
            begun = book.begin_trial(book.begin_study(study, entry.definition), "search", 0, trial.architecture, study * 4)
            book.end_trial(begun, replace(record, figures=figures))
    return ledger


@pytest.fixture
def run(url: str) -> Nas:
    return lambda *words: CliRunner().invoke(main, ["reproduce", *words, "--ledger", url])


def test_one_trial_is_a_table_of_checks_and_a_sentence(run: Nas) -> None:
    done = run("s:0")
    assert done.exit_code == 0, done.output
    lines = [line.rstrip() for line in done.stdout.splitlines()]
    assert lines[0].startswith("search trial 0 of s, architecture ")
    assert lines[1].split() == ["check", "then", "now", "verdict"]
    assert re.fullmatch(r"weights +[0-9a-f]{12} +[0-9a-f]{12} +equal", next(line for line in lines if line.startswith("weights")))
    assert lines[-1] == "Bit-equal: all 12 checks are equal to the last bit."
    assert max(map(len, lines)) <= 120


def test_of_several_each_is_a_line_and_their_verdicts_are_counted(run: Nas) -> None:
    done = run("s", "--sample", "20")
    assert done.exit_code == 0, done.output
    first, second, total = done.stdout.splitlines()
    assert re.fullmatch(r"1/2  search 0  [0-9a-f]{16}  bit-equal", first)
    assert re.fullmatch(r"2/2  search 1  [0-9a-f]{16}  bit-equal", second)
    assert total == "2 of 2 bit-equal."


def test_all_that_is_printed_is_there_as_json(run: Nas) -> None:
    done = run("s:0", "s:1", "--json")
    assert done.exit_code == 0, done.output
    data = json.loads(done.stdout)
    assert data["verdicts"] == {"bit-equal": 2, "within tolerance": 0, "different": 0}
    first = data["trials"][0]
    assert (first["study"], first["stage"], first["number"], first["verdict"]) == ("s", "search", 0, "bit-equal")
    assert {check["what"] for check in first["checks"]} >= {"weights", "learning curve", "validation_accuracy", "latency_ms"}
    assert first["record"]["weights_sha256"] == next(one["now"] for one in first["checks"] if one["what"] == "weights")


def test_what_is_within_tolerance_passes_unless_it_is_to_be_strict(run: Nas) -> None:
    done = run("near:0")
    assert done.exit_code == 0, done.output
    assert "Within tolerance: validation_loss " in done.stdout
    assert run("near:0", "--strict").exit_code == 1


def test_what_is_different_does_not_pass_and_is_told_among_several(run: Nas) -> None:
    done = run("s:0", "far:0")
    assert done.exit_code == 1
    assert re.search(r"2/2  search 0  [0-9a-f]{16}  different\n +Different: validation_loss ", done.stdout)
    assert done.stdout.endswith("1 of 2 bit-equal, 1 different.\n")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["s"], "nas: A trial is STUDY:NUMBER, or STUDY:ID with an architecture's id, got 's'"),
        (["s:7"], "nas: No search trial of s is '7'."),
        (["t:0"], "nas: No study in "),
        ([], "nas: Missing argument"),
        (["s:0", "--tolerance", "nan"], "nas: A tolerance is a share of at least 0, got nan."),
    ],
)
def test_bad_input_is_one_line_and_status_2(run: Nas, words: list[str], said: str) -> None:
    done: Any = run(*words)
    assert done.exit_code == 2
    assert done.stderr.startswith(said)
    assert done.stderr.count("\n") == 1
