import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from toys import TOY, toy_accuracy, toy_evaluate

import nas
from nas.benchmark import Budget
from nas.errors import BenchmarkError, LedgerError, SearchError
from nas.ranking import Audit, audit_of
from nas.records import Epoch, Ledger, Record, Trial
from nas.reports.command import commands
from nas.searching import Event, RunEnded, Study, TrialBegun, audit
from nas.searching.auditing import choose
from nas.space import Architecture

TABLE = Path(__file__).parents[2] / "results" / "tables" / "digits-three_families.csv.gz"


def evaluate(architecture: Architecture, *, budget: Budget, seed: int, **rest: Any) -> Record:
    """A score with luck from the seed: much of it after few epochs, a little after many."""
    record = toy_evaluate(architecture, budget=budget, seed=seed, **rest)
    luck = random.Random(f"{architecture.id}/{seed}/{budget.epochs}").gauss(0, 0.3 / budget.epochs)
    worth = toy_accuracy(architecture) + luck
    curve = tuple(
        Epoch(epoch=point.epoch, train_loss=None, figures={"validation_accuracy": worth * point.epoch}, seconds=None)
        for point in record.curve
    )
    return Record(**{**vars(record), "figures": {**record.figures, "validation_accuracy": worth}, "curve": curve})


@pytest.fixture
def study(tmp_path: Path) -> Study:
    ledger = f"sqlite:///{tmp_path}/nas.sqlite"
    options: dict[str, Any] = {"strategy": "random", "trials": 40, "confirm": 0, "epochs": 2, "study": "s"}
    return nas.search(TOY, on="digits", evaluate=evaluate, ledger=ledger, **options)


def run_audit(study: Study, **options: Any) -> Audit | None:
    return audit(study.name, ledger=study.ledger, **{"evaluate": evaluate} | options)


def audited(study: Study) -> list[Trial]:
    with Ledger(study.ledger) as ledger:
        return ledger.trials(ledger.study(study.name), "audit")


def test_a_sample_of_all_ranks_is_trained_in_full_with_new_seeds_and_no_test_data(study: Study) -> None:
    found = run_audit(study)
    assert found is not None
    trials = audited(study)
    assert len(trials) == len(found.rows) == 12
    with Ledger(study.ledger) as ledger:
        full = Budget(**ledger.study("s").definition["benchmark"]["final_budget"])
    for trial in trials:
        assert trial.record is not None
        assert (trial.record.budget, trial.record.seed) == (full, 1_441_442)
        assert "test_accuracy" not in trial.record.figures
    ranks = [row.cheap_rank for row in found.rows if row.cheap_rank]
    assert ranks[:3] == [1, 2, 3]
    assert max(ranks) > 26
    assert sum(row.weight for row in found.rows) == pytest.approx(found.architectures)
    assert found.tau is not None
    assert found.low is not None
    assert found.high is not None
    assert found.low <= found.tau <= found.high
    assert found.tau > 0.5
    assert found.sentence.startswith("The search's order agrees with full training")
    assert found.regret is not None
    assert found.regret >= 0
    assert [one.epochs for one in found.readings] == [1, 2, 4, 8, 16, 32, 60]
    assert found.readings[-1].tau == pytest.approx(1)
    assert found.enough == 1


def test_audited_rows_stand_in_a_table_of_their_own_and_change_no_other(study: Study) -> None:
    before = study.tables
    run_audit(study)
    search, audits = study.tables
    assert before == (search,)
    assert (audits.stage, len(audits.rows)) == ("audit", 12)
    assert study.best == before[0].rows[0]


def test_finals_count_and_are_not_trained_again(study: Study) -> None:
    nas.finals("s", ledger=study.ledger, top=5, seeds=2, evaluate=evaluate)
    found = run_audit(study, seeds=2)
    assert found is not None
    finalists = [row for row in found.rows if row.cheap_rank and row.cheap_rank <= 5]
    assert [(row.weight, row.seeds) for row in finalists] == [(1, 2)] * 5
    assert not {row.architecture.id for row in finalists} & {trial.architecture.id for trial in audited(study)}
    assert len(audited(study)) == 2 * 9
    assert found.noise is not None
    assert found.noise == pytest.approx(0.005, rel=0.5)
    assert found.margin is not None
    assert found.margin > 2.5 * found.noise, "the best of fourteen is further above the first by luck than another one is"
    assert found.ceiling is not None
    assert 0.9 < found.ceiling <= 1


def test_finals_after_an_audit_move_into_the_stratum_that_is_known_whole(study: Study) -> None:
    before = run_audit(study)
    nas.finals("s", ledger=study.ledger, top=6, seeds=1, evaluate=evaluate)
    with Ledger(study.ledger) as ledger:
        after = audit_of(ledger, "s")
    assert before is not None
    assert after is not None
    assert [row.weight for row in after.rows[:6]] == [1] * 6
    assert sum(row.weight for row in after.rows) == pytest.approx(after.architectures)
    assert {row.architecture.id for row in before.rows} <= {row.architecture.id for row in after.rows}


def test_finals_in_another_setting_do_not_count(study: Study) -> None:
    nas.finals("s", ledger=study.ledger, top=5, seeds=1, evaluate=evaluate)
    with Ledger(study.ledger) as ledger:
        entry = ledger.study("s")
        record = ledger.trials(entry, "final")[0].record
        assert record is not None
        size = {"sample": 12, "pruned": 0, "seeds": 1}
        same, other = (
            choose(ledger, entry, record.budget, setting, **size)
            for setting in (record.setting, replace(record.setting, threads=7))
        )
    assert (len(same.done), len(other.done)) == (5, 0)
    assert (len([*same.trainings(1)]), len([*other.trainings(1)])) == (9, 12)


def test_an_audit_goes_on_after_ctrl_c(study: Study) -> None:
    def interrupt(event: Event) -> None:
        if isinstance(event, TrialBegun) and event.number == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_audit(study, on_event=interrupt)
    with Ledger(study.ledger) as ledger:
        so_far = audit_of(ledger, "s")
    assert so_far is not None
    assert (len(so_far.rows), so_far.wanted) == (4, 12)
    assert so_far.sentence.startswith("Too few to say whether this search may be believed: 4 of")
    run_audit(study)
    assert [(trial.number, trial.state) for trial in audited(study)] == [(n, "complete") for n in range(12)]


def test_a_larger_sample_trains_what_the_smaller_one_has_not(study: Study) -> None:
    events: list[Event] = []
    run_audit(study)
    found = run_audit(study, sample=20, on_event=events.append)
    assert found is not None
    assert (len(found.rows), len(audited(study))) == (20, 20)
    assert sum(isinstance(event, TrialBegun) for event in events) == 8
    ended = events[-1]
    assert isinstance(ended, RunEnded)
    assert ended.reason == "20 of 20 trainings of the audit are complete."


def test_an_audit_tells_its_own_sample_where_all_of_it_is_trained_already(study: Study) -> None:
    run_audit(study)
    smaller = run_audit(study, sample=8)
    assert smaller is not None
    assert (len(smaller.rows), smaller.wanted, len(audited(study))) == (8, 8, 12)


def test_an_audit_of_what_finals_have_trained_alone_is_told(study: Study) -> None:
    nas.finals("s", ledger=study.ledger, top=4, seeds=2, evaluate=evaluate)
    with Ledger(study.ledger) as ledger:
        found = {trial.architecture.id for trial in ledger.trials(ledger.study("s"), "search")}
    nas.finals("s", ledger=study.ledger, top=len(found), seeds=1, evaluate=evaluate)
    told = run_audit(study)
    assert told is not None
    assert (len(told.rows), audited(study)) == (len(found), [])


def test_what_the_search_finds_later_is_not_part_of_an_audit(study: Study, tmp_path: Path) -> None:
    before = run_audit(study)
    options: dict[str, Any] = {"strategy": "random", "trials": 45, "confirm": 0, "epochs": 2, "study": "s"}
    nas.search(TOY, on="digits", evaluate=evaluate, ledger=study.ledger, **options)
    with Ledger(study.ledger) as ledger:
        assert audit_of(ledger, "s") == before


def test_some_of_those_that_the_search_pruned_are_audited_besides(tmp_path: Path) -> None:
    def pruned_now_and_then(architecture: Architecture, **rest: Any) -> Record:
        record = toy_evaluate(architecture, **rest)
        poor = toy_accuracy(architecture) < 0.5 and rest["budget"].epochs == 2
        return Record(**{**vars(record), "outcome": "pruned"}) if poor else record

    ledger = f"sqlite:///{tmp_path}/nas.sqlite"
    nas.search(TOY, on="digits", evaluate=pruned_now_and_then, ledger=ledger, trials=30, confirm=0, epochs=2, study="s")
    found = audit("s", ledger=ledger, evaluate=pruned_now_and_then, sample=8, pruned=3)
    assert found is not None
    assert (len(found.rows), len(found.pruned)) == (8, 3)
    assert [row.cheap_rank for row in found.pruned] == [None] * 3
    assert (found.tau, found.regret) == (1, 0)


def test_a_failed_training_is_counted_and_left_out(study: Study) -> None:
    def failing(architecture: Architecture, **rest: Any) -> Record:
        record = evaluate(architecture, **rest)
        return Record(**{**vars(record), "outcome": "failed"}) if int(architecture.id, 16) % 4 == 0 else record

    found = run_audit(study, evaluate=failing)
    assert found is not None
    assert found.failed == 12 - len(found.rows) > 0


def test_another_budget_is_asked_for(study: Study) -> None:
    found = run_audit(study, budget={"epochs": 7})
    assert found is not None
    assert found.real_budget == "7 epochs"
    with Ledger(study.ledger) as ledger:
        *_, command = commands(ledger.study("s"), ledger.trials(ledger.study("s")))
    assert command == "nas audit s --sample 12 --pruned 2 --seeds 1 --epochs 7"
    with pytest.raises(BenchmarkError, match="A budget has epochs, fraction, seconds, steps, flops, got 'eras'"):
        run_audit(study, budget={"eras": 7})


def test_nothing_is_told_of_a_study_that_is_not_audited(study: Study) -> None:
    with Ledger(study.ledger) as ledger:
        assert audit_of(ledger, "s") is None


@pytest.mark.parametrize(("option", "least"), [("sample", 4), ("pruned", 0), ("seeds", 1)])
def test_too_small_a_number_is_refused(study: Study, option: str, least: int) -> None:
    with pytest.raises(SearchError, match=rf"An audit needs {option} of at least {least}, got {least - 1}\."):
        run_audit(study, **{option: least - 1})


def test_a_study_that_steers_by_nothing_that_training_changes_is_refused(tmp_path: Path) -> None:
    ledger = f"sqlite:///{tmp_path}/nas.sqlite"
    nas.search(TOY, on="digits", evaluate=evaluate, ledger=ledger, trials=8, objectives=["params"], study="s")
    with pytest.raises(LedgerError, match=r"which changes nothing of params, by which s was searched\."):
        audit("s", ledger=ledger, evaluate=evaluate)


def test_a_study_without_a_complete_trial_is_refused(tmp_path: Path) -> None:
    ledger = f"sqlite:///{tmp_path}/nas.sqlite"

    def failing(architecture: Architecture, **rest: Any) -> Record:
        return Record(**{**vars(evaluate(architecture, **rest)), "outcome": "failed"})

    nas.search(TOY, on="digits", evaluate=failing, ledger=ledger, trials=3, study="s")
    with pytest.raises(SearchError, match="The study 's' has no complete trial to audit; run the search first"):
        audit("s", ledger=ledger, evaluate=failing)


def test_a_search_on_a_table_is_audited_by_trainings_that_it_has_not_read(tmp_path: Path) -> None:
    ledger = f"sqlite:///{tmp_path}/nas.sqlite"
    nas.search(on=TABLE, epochs=4, strategy="random", trials=60, confirm=0, ledger=ledger, study="t")
    found = audit("t", sample=40, seeds=2, ledger=ledger, data=TABLE.parent)
    assert found is not None
    assert found.tau is not None
    assert (len(found.rows), {row.seeds for row in found.rows}) == (40, {2})
    assert found.readings[-1].tau == pytest.approx(1)
    with Ledger(ledger) as book:
        seeds = {trial.record.seed for trial in book.trials(book.study("t"), "audit") if trial.record}
    assert seeds == {1, 2}
    rule = r"has 3 trainings of each architecture, of which the search has read 1, got 3 seeds: an audit needs further ones"
    with pytest.raises(SearchError, match=rule):
        audit("t", seeds=3, ledger=ledger, data=TABLE.parent)
    with pytest.raises(SearchError, match=r"On a table nothing is trained, got workers; leave them out\."):
        audit("t", workers=2, ledger=ledger, data=TABLE.parent)
