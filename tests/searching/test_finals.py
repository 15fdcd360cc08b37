from pathlib import Path
from typing import Any

import pytest
from toys import TOY, toy_evaluate

import nas
from nas.errors import LedgerError, SearchError
from nas.records import Ledger, Record
from nas.searching import Event, RunEnded, Study, TrialBegun
from nas.space import Architecture


@pytest.fixture
def study(tmp_path: Path) -> Study:
    ledger = f"sqlite:///{tmp_path}/nas.sqlite"
    return nas.search(TOY, on="digits", evaluate=toy_evaluate, trials=12, confirm=0, study="s", ledger=ledger)


def run_finals(study: Study, **options: Any) -> Study:
    return nas.finals(study.name, ledger=study.ledger, **{"evaluate": toy_evaluate} | options)


def test_the_best_of_the_search_are_trained_with_seeds_it_did_not_use(study: Study) -> None:
    best = [row.architecture.id for row in study.tables[0].rows[:3]]
    final, search = run_finals(study, top=3, seeds=2).tables
    assert (final.stage, search.stage) == ("final", "search")
    assert {row.architecture.id for row in final.rows} == set(best)
    for row in final.rows:
        assert [trial.record.seed for trial in row.trials if trial.record] == [1, 2]
        assert row.figures["test_accuracy"].count == 2
        assert row.figures["test_accuracy"].deviation is not None


def test_seeds_of_replicates_are_those_that_the_search_used(tmp_path: Path) -> None:
    ledger = f"sqlite:///{tmp_path}/nas.sqlite"
    study = nas.search(TOY, on="digits", evaluate=toy_evaluate, trials=2, seed=5, replicates=3, study="s", ledger=ledger)
    final, _ = run_finals(study, top=1, seeds=2).tables
    assert [trial.record.seed for trial in final.rows[0].trials if trial.record] == [8, 9]


def test_finalists_are_ordered_by_validation_and_never_by_test_figures(study: Study) -> None:
    def evaluate(architecture: Architecture, **rest: Any) -> Record:
        record = toy_evaluate(architecture, **rest)
        contrary = {**record.figures, "test_accuracy": 1 - record.figures["validation_accuracy"]}
        return Record(**{**vars(record), "figures": contrary})

    (final, _) = run_finals(study, evaluate=evaluate).tables
    means = [row.figures["validation_accuracy"].mean for row in final.rows]
    assert means == sorted(means, reverse=True)
    tests = [row.figures["test_accuracy"].mean for row in final.rows]
    assert tests == sorted(tests)


def test_test_figures_stand_in_no_search_row(study: Study) -> None:
    _, search = run_finals(study).tables
    assert not any(name.startswith("test_") for row in search.rows for name in row.figures)


def test_what_is_trained_is_not_trained_again(study: Study) -> None:
    run_finals(study, top=2, seeds=2)
    begun: list[TrialBegun] = []
    events: list[Event] = []

    def listen(event: Event) -> None:
        events.append(event)
        if isinstance(event, TrialBegun):
            begun.append(event)

    run_finals(study, top=3, seeds=2, on_event=listen)
    assert [event.label for event in begun] == ["final, seed 1", "final, seed 2"]
    ended = events[-1]
    assert isinstance(ended, RunEnded)
    assert ended.reason == "6 of 6 trainings of finalists are complete."


def test_finals_go_on_after_ctrl_c(study: Study) -> None:
    def interrupt(event: Event) -> None:
        if isinstance(event, TrialBegun) and event.number == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_finals(study, on_event=interrupt)
    run_finals(study)
    with Ledger(study.ledger) as ledger:
        trials = ledger.trials(ledger.study("s"), "final")
    assert [(trial.number, trial.state) for trial in trials] == [(n, "complete") for n in range(6)]


def test_the_winner_is_the_best_finalist(study: Study) -> None:
    done = run_finals(study)
    assert done.best.trials[0].stage == "final"


def test_finals_of_a_study_without_results_are_refused(tmp_path: Path) -> None:
    ledger = f"sqlite:///{tmp_path}/nas.sqlite"

    def interrupt(event: Event) -> None:
        if isinstance(event, TrialBegun):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        nas.search(TOY, on="digits", evaluate=toy_evaluate, study="s", ledger=ledger, on_event=interrupt)
    with pytest.raises(SearchError, match="has no complete trial to choose finalists from; run the search first"):
        nas.finals("s", ledger=ledger)


def test_an_unknown_study_is_refused(study: Study) -> None:
    with pytest.raises(LedgerError, match=r"is called 't'\. Known: s\."):
        nas.finals("t", ledger=study.ledger)


@pytest.mark.parametrize("options", [{"top": 0}, {"seeds": 0}, {"threads": 0}, {"top": "3"}, {"top": 2.5}, {"seeds": True}])
def test_finals_need_whole_numbers_of_at_least_one(study: Study, options: dict[str, Any]) -> None:
    with pytest.raises(SearchError, match=r"^Finals need \w+ of at least 1, got "):
        run_finals(study, **options)


def test_an_option_that_finals_do_not_have_is_refused_before_anything_is_trained(study: Study) -> None:
    with pytest.raises(SearchError, match=r"^Training again has no option 'precison'\. Did you mean 'precision'\?"):
        run_finals(study, precison="bfloat16")
    assert not study.trials["stage"].eq("final").any()


def test_a_benchmark_of_another_version_is_refused(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    from dataclasses import replace

    import benchmarks.digits as digits

    monkeypatch.setattr(digits, "BENCHMARK", replace(digits.BENCHMARK, version=2))
    with pytest.raises(SearchError, match="of digits version 1, installed is version 2"):
        run_finals(study)


def test_a_finalist_is_not_dropped_by_a_limit_that_the_search_checked(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[object] = []

    def make(_: object, __: object, limits: object, **___: object) -> object:
        seen.append(limits)
        return toy_evaluate

    monkeypatch.setattr("nas.searching.evaluating.make_evaluator", make)
    assert run_finals(study, evaluate=None).tables[0].stage == "final"
    assert seen == [()]


def test_a_study_that_was_looked_at_before_shows_its_finals(study: Study) -> None:
    assert len(study.tables) == 1
    before = len(study.trials)
    run_finals(study, top=1, seeds=2)
    assert study.best.trials[0].stage == "final"
    assert len(study.trials) == before + 2
