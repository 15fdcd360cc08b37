"""Zero-cost scores in a search: as figures, limits and objectives, made once, and kept with the Record."""

import math
from pathlib import Path
from typing import Any

import pytest
from toys import TOY, toy_evaluate

from benchmarks.digits import BENCHMARK as DIGITS
from nas.errors import SearchError
from nas.evaluation import Evaluator
from nas.proxies import PROXIES, score
from nas.records import Ledger, Record
from nas.searching import SearchConfig, Study, finals, search, train_one
from nas.searching.evaluating import EvaluationKey
from nas.space import Limit

QUICK: dict[str, Any] = {"on": "digits", "epochs": 1, "fraction": 0.05, "device": "cpu", "strategy": "random"}


def records(study: Study) -> list[Record]:
    with Ledger(study.ledger) as ledger:
        return [trial.record for trial in ledger.trials(ledger.study(study.name)) if trial.record is not None]


@pytest.fixture
def ledger(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/nas.sqlite"


def test_scores_that_are_asked_for_are_figures_of_every_candidate(ledger: str) -> None:
    study = search(TOY, trials=2, proxies=["zen", "naswot"], ledger=ledger, **QUICK)
    table = study.tables[0]
    for row in table.rows:
        scores = score(TOY, row.architecture, DIGITS, ["naswot", "zen"], seed=0)
        assert {name: row.figures[name].mean for name in scores} == scores
        assert "snip" not in row.figures


def test_a_limit_on_a_score_asks_for_it_and_is_checked_before_anything_is_measured(ledger: str) -> None:
    study = search(TOY, trials=1, proposals=3, limits=["synflow >= 1e6"], ledger=ledger, **QUICK)
    found = records(study)
    assert [record.outcome for record in found] == ["infeasible"] * 3
    assert all("synflow" in record.figures and "latency_ms" not in record.figures for record in found)
    assert found[0].broken_limits == (f"synflow >= 1000000, got {found[0].figures['synflow']:,.10g}",)


def test_a_study_can_be_steered_by_a_score_and_larger_is_better(ledger: str) -> None:
    study = search(TOY, trials=3, objectives=["synflow"], ledger=ledger, **QUICK)
    values = [row.figures["synflow"].mean for row in study.tables[0].rows]
    assert values == sorted(values, reverse=True)
    ended = finals(study.name, top=1, seeds=1, ledger=ledger, device="cpu", evaluate=None)
    final = next(table for table in ended.tables if table.stage == "final")
    assert "synflow" in final.rows[0].figures


def test_a_single_training_makes_the_scores_that_a_script_asks_for() -> None:
    options = {name: value for name, value in QUICK.items() if name != "strategy"}
    trained = train_one(TOY, random_seed=1, proxies=["zen"], **options)
    assert trained is not None
    assert trained.record.figures["zen"] == score(TOY, trained.architecture, DIGITS, ["zen"])["zen"]


@pytest.mark.parametrize(
    ("options", "scores"),
    [
        ({}, ()),
        ({"proxies": ["zen", "synflow"]}, ("synflow", "zen")),
        ({"proxies": "zen", "limits": "snip >= 1"}, ("snip", "zen")),
        ({"objectives": ["validation_accuracy", "naswot"]}, ("naswot",)),
    ],
)
def test_a_search_makes_the_scores_that_it_names_limits_or_steers_by(options: dict[str, Any], scores: tuple[str, ...]) -> None:
    assert SearchConfig.make(space=TOY, **QUICK, **options).scores == scores


def test_a_study_s_definition_names_the_scores_that_were_asked_for_and_no_others() -> None:
    def definition(**options: Any) -> dict[str, Any]:
        return SearchConfig.make(space=TOY, **QUICK, **options).definition()

    assert "proxies" not in definition()
    assert definition(proxies=["zen", "naswot"]) == definition(proxies=["naswot", "zen"])
    assert definition(proxies=["zen"])["proxies"] == ["zen"]


def test_an_unknown_score_is_refused() -> None:
    with pytest.raises(SearchError, match=r"No zero-cost score is called 'naswat'. Did you mean 'naswot'\?"):
        SearchConfig.make(space=TOY, proxies=["naswat"], **QUICK)


def test_a_figure_that_every_candidate_has_is_no_proxy_to_ask_for() -> None:
    with pytest.raises(SearchError, match="'flops' is a figure of every candidate; leave it out"):
        SearchConfig.make(space=TOY, proxies=["flops"], **QUICK)


def test_scores_that_an_evaluation_of_one_s_own_would_not_make_are_refused(ledger: str) -> None:
    with pytest.raises(SearchError, match="no 'zen' among its `proxies`; leave proxies out"):
        search(TOY, trials=1, proxies=["zen"], ledger=ledger, evaluate=toy_evaluate, **QUICK)


def test_a_record_without_the_scores_does_not_serve_a_study_that_asks_for_them() -> None:
    def key(**options: Any) -> str:
        evaluate = Evaluator(TOY, DIGITS, device="cpu", **options)
        named = EvaluationKey(TOY, DIGITS, "search", evaluate, "study")
        return named(TOY.architecture({"width": 8, "stem.kernel": 3, "block.times": 0}), DIGITS.budget, 0)

    assert key() == key(proxies=())
    assert len({key(), key(proxies=["zen"]), key(proxies=["zen", "snip"])}) == 3
    assert key(proxies=["snip", "zen"]) == key(proxies=["zen", "snip"])


@pytest.mark.parametrize(("value", "outcome"), [(-math.inf, "infeasible"), (None, "complete")])
def test_a_score_of_minus_infinity_breaks_a_limit_and_one_that_is_not_defined_does_not(
    value: float | None, outcome: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(PROXIES, "naswot", lambda *_: value)  # type: ignore[arg-type]
    evaluate = Evaluator(TOY, DIGITS, limits=[Limit.parse("naswot >= 20")], proxies=["naswot"], device="cpu")
    architecture = TOY.architecture({"width": 8, "stem.kernel": 3, "block.times": 0})
    config = SearchConfig.make(space=TOY, **QUICK)
    record = evaluate(architecture, budget=config.budget, seed=0)
    assert record.outcome == outcome
    assert "naswot" not in record.figures
    assert any("naswot is" in note for note in record.notes)


def test_scoring_leaves_a_training_as_it_would_have_been() -> None:
    architecture = TOY.architecture({"width": 8, "stem.kernel": 3, "block.times": 0})
    budget = SearchConfig.make(space=TOY, **QUICK).budget
    plain = Evaluator(TOY, DIGITS, device="cpu")(architecture, budget=budget, seed=0)
    scored = Evaluator(TOY, DIGITS, device="cpu", proxies=PROXIES)(architecture, budget=budget, seed=0)
    assert [point.figures for point in plain.curve] == [point.figures for point in scored.curve]
    assert [point.train_loss for point in plain.curve] == [point.train_loss for point in scored.curve]
