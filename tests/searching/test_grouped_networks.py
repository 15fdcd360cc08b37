"""Networks with group normalisation in the place of the space's own, through all that comes after a search."""

from dataclasses import replace
from pathlib import Path

import pytest
from toys import TOY

import nas
from benchmarks import digits
from nas.records import Ledger, Trial
from nas.searching import Study, ask, derive
from nas.searching.handing_over import export
from nas.searching.membership import guess_members
from nas.training import is_grouped


@pytest.fixture(autouse=True)
def brief_finals(monkeypatch: pytest.MonkeyPatch) -> None:
    budget = replace(digits.BENCHMARK.final_budget, epochs=1, fraction=0.1)
    monkeypatch.setattr(digits, "BENCHMARK", replace(digits.BENCHMARK, final_budget=budget))


def trials_of(url: str, stage: str) -> list[Trial]:
    with Ledger(url) as ledger:
        return ledger.trials(ledger.study("s"), stage)  # type: ignore[arg-type]


def test_what_is_made_of_such_a_network_is_such_a_network(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/nas.sqlite"
    nas.search(TOY, on="digits", trials=1, study="s", ledger=url, epochs=1, fraction=0.05)
    nas.finals("s", top=1, seeds=1, ledger=url)
    derive("s", "retrain", options={"changes": {"batch_norm": "group"}}, ledger=url)
    (grouped,) = trials_of(url, "derived")
    derive(f"s:id:{grouped.id}", ["int8-weights", "magnitude"], options={}, ledger=url)
    made = trials_of(url, "derived")
    assert [one.state for one in made] == ["complete"] * 3, [one.record.error for one in made if one.record]
    answers = ask("s", ["pgd-linf-1/255"], ledger=url)
    assert answers.without == ()
    assert len(answers.answers) == 4  # of each its kept weights were read, and are those of its record
    for one in answers.answers:
        record = one.trial.record
        assert record is not None
        assert one.figures["test_accuracy"] == record.figures["test_accuracy"]
    assert [row.words for row in guess_members("s", ledger=url, examples=20)] == [
        "finalist",
        "retrain batch_norm group",
        *(f"retrain batch_norm group → {method}" for method in ("int8-weights", "magnitude")),
    ]
    home = export(f"s:id:{grouped.id}", tmp_path / "home", ledger=url, formats=["source", "program"])
    assert {one.form for one in home.forms.written} == {"source", "program"}
    assert "bit for bit those that the record tells of" in (home.folder / "README.md").read_text(encoding="utf-8")


def test_a_whole_study_may_be_of_such_networks(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/nas.sqlite"
    nas.search(TOY, on="digits", trials=1, study="s", ledger=url, epochs=1, fraction=0.05, recipe={"batch_norm": "group"})
    nas.finals("s", top=1, seeds=1, ledger=url)
    assert ask("s", ["pgd-linf-1/255"], ledger=url).without == ()
    assert is_grouped(Study("s", url).build(seed=0))
    home = export("s", tmp_path / "home", ledger=url, formats=["program"], untrained=True)
    assert [one.form for one in home.forms.written] == ["program"]
