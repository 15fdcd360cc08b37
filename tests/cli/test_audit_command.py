import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

import nas
from nas.cli import main
from nas.ranking import audit_of
from nas.records import Ledger
from nas.reports.audit import notes
from nas.searching import Study

TABLE = Path(__file__).parents[2] / "results" / "tables" / "digits-three_families.csv.gz"


@pytest.fixture
def study(tmp_path: Path) -> Study:
    ledger = f"sqlite:///{tmp_path}/nas.sqlite"
    return nas.search(on=TABLE, epochs=4, strategy="random", trials=40, confirm=0, ledger=ledger, study="t")


def run(study: Study, *words: str) -> Result:
    return CliRunner().invoke(main, ["audit", study.name, "--ledger", study.ledger, "--data", str(TABLE.parent), *words])


def test_the_sentence_comes_first_and_what_it_rests_on_after_it(study: Study) -> None:
    result = run(study)
    assert result.exit_code == 0
    text = result.output[result.output.index("Audit of t") :]
    lines = text.splitlines()
    assert lines[0] == "Audit of t: validation_accuracy after 16 epochs beside that after 4 epochs in the search."
    assert lines[2].startswith("The search's order agrees with full training")
    assert "12 of 40 architectures" in lines[2]
    assert lines[4].split()[:5] == ["rank", "trial", "architecture", "in", "search"]
    assert "nothing was trained twice; --seeds 2 tells." in text
    assert "τ of the order after so many epochs of full training with that at its end: 1:" in text


def test_what_is_printed_is_told_as_json_too(study: Study) -> None:
    result = run(study, "--seeds", "2", "--json")
    *events, told = map(json.loads, result.output.splitlines())
    assert events[-1]["reason"] == "24 of 24 trainings of the audit are complete."
    assert (told["event"], told["study"], told["architectures"], len(told["rows"])) == ("audit", "t", 40, 12)
    assert told["low"] <= told["tau"] <= told["high"]
    assert told["noise"] > 0
    assert told["sentence"].startswith("The search's order agrees with full training")
    assert {"cheap_rank", "real", "weight", "choices"} <= set(told["rows"][0])


def test_a_report_trains_nothing(study: Study) -> None:
    nothing = run(study, "--report")
    assert (nothing.exit_code, nothing.output) == (
        1,
        f"Nothing of t is audited; `nas audit t --ledger {study.ledger}` does it.\n",
    )
    done = run(study)
    again = run(study, "--report")
    assert again.exit_code == 0
    assert done.output.endswith(again.output)


def test_a_bad_sample_is_one_line_and_status_2(study: Study) -> None:
    result = run(study, "--sample", "3")
    assert (result.exit_code, result.stderr) == (2, "nas: An audit needs sample of at least 4, got 3.\n")


def test_what_an_audit_trained_is_listed_and_ranked_apart(study: Study) -> None:
    run(study)
    runner = CliRunner()
    listed = runner.invoke(main, ["trials", "t", "--stage", "audit", "--json", "--ledger", study.ledger])
    assert len(json.loads(listed.output)) == 12
    ranked = runner.invoke(main, ["rank", "t", "--ledger", study.ledger])
    assert ranked.output.index("search") < ranked.output.index("a sample, trained again by an audit")


def test_of_too_few_no_budget_is_advised(study: Study) -> None:
    result = run(study, "--sample", "4")
    assert "Too few to say whether this search may be believed: 4 of 40 architectures were trained in full; take a larger" in (
        " ".join(result.output.split())
    )
    assert "at its end: 1:" in result.output
    assert "may do with" not in result.output
    assert "no cheaper budget" not in result.output
    assert "at least 4" in " ".join(run(study, "--help").output.split())


def test_where_all_that_was_found_is_audited_no_larger_sample_is_advised(tmp_path: Path) -> None:
    options: dict[str, Any] = {
        "on": TABLE,
        "epochs": 4,
        "strategy": "random",
        "confirm": 0,
        "ledger": f"sqlite:///{tmp_path}/nas.sqlite",
    }
    result = run(nas.search(trials=4, study="few", **options), "--sample", "4")
    assert "4 of 4 architectures were trained in full; search longer for more." in " ".join(result.output.split())


def test_one_epoch_is_no_plural(study: Study) -> None:
    run(study)
    with Ledger(study.ledger) as book:
        found = audit_of(book, study.name)
    assert found is not None
    assert any(line.startswith("From 1 epoch on it agrees") for line in notes(replace(found, enough=1)))
