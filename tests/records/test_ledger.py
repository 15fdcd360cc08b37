"""Studies and trials, in a SQLite file and in PostgreSQL."""

import pickle
import re
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest
from toys import TOY, toy_evaluate, toy_record

from nas.benchmark import Budget
from nas.errors import LedgerError, NumberTaken
from nas.records import Failure, Ledger, Record, Replicate, StudyEntry, Trial
from nas.space import Architecture

BUDGET = Budget(epochs=2)
SHALLOW = TOY.architecture({"width": 8, "stem.kernel": 3, "block.times": 0})
DEEP = TOY.architecture({"width": 16, "stem.kernel": 5, "block.times": 1, "block.0.kind": "conv"})
DEFINITION: dict[str, Any] = {
    "space": {"name": "toy", "version": 1, "digest": "0123456789abcdef"},
    "benchmark": {"name": "digits", "version": 1, "objectives": [{"figure": "validation_accuracy", "direction": "maximize"}]},
    "strategy": "tpe",
    "pruner": "none",
    "objectives": [{"figure": "validation_accuracy", "direction": "maximize"}],
    "limits": ["params <= 50000"],
    "budget": {"epochs": 10, "fraction": 1.0, "seconds": None},
    "seed": 0,
}


@pytest.fixture
def ledger(url: str) -> Iterator[Ledger]:
    with Ledger(url) as opened:
        yield opened


@pytest.fixture
def study(ledger: Ledger) -> StudyEntry:
    return ledger.begin_study("a", DEFINITION)


def complete(architecture: Architecture, seed: int = 0) -> Record:
    return toy_evaluate(architecture, budget=BUDGET, seed=seed)


def changed(**changes: Any) -> dict[str, Any]:
    """The definition with changes at the names given, `space__version=2` for one within."""
    definition = deepcopy(DEFINITION)
    for name, value in changes.items():
        outer, _, inner = name.partition("__")
        if inner:
            definition[outer][inner] = value
        else:
            definition[outer] = value
    return definition


# Opening.


def test_a_ledger_is_made_where_there_is_none_and_opened_again_with_what_it_holds(url: str) -> None:
    with Ledger(url) as ledger:
        entry = ledger.begin_study("a", DEFINITION)
        trial = ledger.begin_trial(entry, "search", 0, SHALLOW, "key")
        ended = ledger.end_trial(trial, complete(SHALLOW))
    with Ledger(url, create=False) as ledger:
        assert ledger.studies() == [entry]
        assert ledger.trials(entry) == [ended]


# Studies.


def test_the_same_definition_is_the_same_study(ledger: Ledger) -> None:
    entry = ledger.begin_study("a", DEFINITION)
    assert entry.definition == DEFINITION
    assert ledger.begin_study("a", deepcopy(DEFINITION)) == entry
    assert ledger.studies() == [entry]


def test_tuples_and_lists_are_the_same_definition(ledger: Ledger) -> None:
    entry = ledger.begin_study("a", changed(limits=("params <= 50000",)))
    assert ledger.begin_study("a", DEFINITION) == entry


@pytest.mark.parametrize(
    ("changes", "difference"),
    [
        ({"strategy": "random"}, "with strategy tpe, now it is random"),
        ({"pruner": "median"}, "with pruner none, now it is median"),
        ({"seed": 1}, "with seed 0, now it is 1"),
        ({"limits": []}, "with limits params <= 50000, now it is none"),
        ({"limits": ["params <= 50000", "flops <= 9"]}, "with limits params <= 50000, now it is params <= 50000, flops <= 9"),
        ({"space__version": 2}, "with the space toy version 1, now it is toy version 2"),
        ({"space__name": "mixer"}, "with the space toy version 1, now it is mixer version 1"),
        ({"space__digest": "fedcba9876543210"}, "with another declaration of the space toy version 1"),
        ({"benchmark__version": 2}, "with the benchmark digits version 1, now it is digits version 2"),
        ({"benchmark__objectives": []}, "with another declaration of the benchmark digits version 1"),
        (
            {"budget": {"epochs": 5, "fraction": 1.0, "seconds": 60.0}},
            "with budget epochs 10, fraction 1.0, now it is epochs 5, fraction 1.0, seconds 60.0",
        ),
        (
            {"objectives": [{"figure": "params", "direction": "minimize"}]},
            "with objectives figure validation_accuracy, direction maximize, now it is figure params, direction minimize",
        ),
        ({"teacher": "none of before"}, "with teacher none, now it is none of before"),
    ],
    ids=str,
)
def test_another_definition_is_refused_and_the_message_says_what_differs(
    ledger: Ledger, study: StudyEntry, changes: dict[str, Any], difference: str
) -> None:
    with pytest.raises(LedgerError) as caught:
        ledger.begin_study("a", changed(**changes))
    assert str(caught.value) == f"The study 'a' was begun {difference}; name another --study."
    assert ledger.studies() == [study]


def test_studies_come_oldest_first_and_are_found_by_name(ledger: Ledger) -> None:
    entries = [ledger.begin_study(name, DEFINITION) for name in ("b", "c", "a")]
    assert ledger.studies() == entries
    assert ledger.study("c") == entries[1]


def test_an_unknown_study_is_met_with_the_nearest_one(ledger: Ledger) -> None:
    for name in ("digits", "fashion"):
        ledger.begin_study(name, DEFINITION)
    with pytest.raises(
        LedgerError, match=r"^No study in .* is called 'digit'\. Did you mean 'digits'\? Known: digits, fashion\.$"
    ):
        ledger.study("digit")


def test_in_an_empty_ledger_no_study_is_known(ledger: Ledger) -> None:
    with pytest.raises(LedgerError, match=r"is called 'a'\. Known: none\.$"):
        ledger.study("a")


@pytest.mark.parametrize("name", ["", "a/b", "..", ".hidden", "-a", "a b", "a\n", "é", "a" * 81, "a'; DROP TABLE studies; --"])
def test_a_name_that_is_no_slug_is_refused(ledger: Ledger, name: str) -> None:
    rule = r"^A study's name is letters of a to z, digits, '\.', '_' and '-', at most 80, no sign first; got .*\.$"
    with pytest.raises(LedgerError, match=rule):
        ledger.begin_study(name, DEFINITION)
    assert ledger.studies() == []


@pytest.mark.parametrize("name", ["a", "A.b_c-1", "0", "a" * 80])
def test_a_slug_is_a_name(ledger: Ledger, name: str) -> None:
    assert ledger.begin_study(name, DEFINITION).name == name


# Trials.


def test_a_trial_runs_until_its_record_is_kept(ledger: Ledger, study: StudyEntry) -> None:
    begun = ledger.begin_trial(study, "search", 0, SHALLOW, "key")
    assert (begun.state, begun.ended_at, begun.record, begun.proposal, begun.reused_from) == ("running", None, None, {}, None)
    assert (begun.study, begun.stage, begun.number, begun.evaluation) == ("a", "search", 0, "key")
    assert ledger.trials(study) == [begun]

    noted = {"sampler": {"generation": 1, "parents": [1, 2], "constraints:params <= 5": -0.25}}
    ended = ledger.end_trial(begun, complete(SHALLOW), proposal=noted)
    assert (ended.state, ended.proposal) == ("complete", noted)
    assert ended.ended_at is not None
    assert ended.begun_at <= ended.ended_at
    assert ledger.trials(study) == [ended]
    assert ended == replace(
        begun, state="complete", ended_at=ended.ended_at, proposal=noted, record=complete(SHALLOW), lease_until=None
    )


def test_the_architecture_comes_back_with_its_answers_and_its_id(ledger: Ledger, study: StudyEntry) -> None:
    odd = Architecture("toy", 1, {"a": None, "b": True, "c": 1, "d": 0.1 + 0.2, "e": "ü\n"})
    ledger.begin_trial(study, "search", 0, odd, "key")
    (trial,) = ledger.trials(study)
    assert (trial.architecture, trial.architecture.id) == (odd, odd.id)
    assert [(name, type(value)) for name, value in trial.architecture.choices.items()] == [
        (name, type(value)) for name, value in odd.choices.items()
    ]


@pytest.mark.parametrize("outcome", ["complete", "pruned", "infeasible", "failed"])
def test_the_state_of_an_ended_trial_is_the_outcome_of_its_record(ledger: Ledger, study: StudyEntry, outcome: str) -> None:
    ledger.end_trial(ledger.begin_trial(study, "search", 0, SHALLOW, "key"), toy_record(outcome, {}, (), 0, BUDGET))
    (trial,) = ledger.trials(study)
    assert trial.state == outcome


def test_an_error_of_any_text_can_be_kept(ledger: Ledger, study: StudyEntry) -> None:
    error = Failure(
        kind="raised", message="FileNotFoundError: '\udcff' \x00 ☃"
    )  # a name that is no UTF-8, as os.listdir gives it
    record = replace(toy_record("failed", {}, (), 0, BUDGET), error=error)
    ledger.end_trial(ledger.begin_trial(study, "search", 0, SHALLOW, "key"), record)
    assert ledger.trials(study)[0].record == record


def test_trials_come_in_the_order_of_their_numbers(ledger: Ledger, study: StudyEntry) -> None:
    for number in (2, 0, 10, 1):
        ledger.begin_trial(study, "search", number, SHALLOW, "key")
    for number in (1, 0):
        ledger.begin_trial(study, "final", number, SHALLOW, "key")
    assert [trial.number for trial in ledger.trials(study, "search")] == [0, 1, 2, 10]
    assert [trial.number for trial in ledger.trials(study, "final")] == [0, 1]
    assert len(ledger.trials(study)) == 6


def test_a_number_is_given_once_in_a_study_and_stage(ledger: Ledger, study: StudyEntry) -> None:
    ledger.begin_trial(study, "search", 0, SHALLOW, "key")
    with pytest.raises(NumberTaken, match=r"^The study 'a' has a search trial 0 already; take the next number\.$"):
        ledger.begin_trial(study, "search", 0, DEEP, "key")
    ledger.begin_trial(study, "final", 0, DEEP, "key")
    ledger.begin_trial(ledger.begin_study("b", DEFINITION), "search", 0, DEEP, "key")
    assert [trial.architecture for trial in ledger.trials(study, "search")] == [SHALLOW]


def test_studies_keep_their_trials_apart(ledger: Ledger, study: StudyEntry) -> None:
    other = ledger.begin_study("b", DEFINITION)
    ledger.begin_trial(study, "search", 0, SHALLOW, "key")
    ledger.begin_trial(other, "search", 0, DEEP, "key")
    assert [trial.architecture for trial in ledger.trials(study)] == [SHALLOW]
    assert [(trial.study, trial.architecture) for trial in ledger.trials(other)] == [("b", DEEP)]


# Work that was done before.


def end(ledger: Ledger, study: StudyEntry, number: int, key: str, record: Record, reused_from: int | None = None) -> Trial:
    return ledger.end_trial(ledger.begin_trial(study, "search", number, SHALLOW, key), record, reused_from=reused_from)


def test_finished_work_of_any_study_is_found_by_its_key(ledger: Ledger, study: StudyEntry) -> None:
    done = end(ledger, ledger.begin_study("b", DEFINITION), 0, "key", complete(SHALLOW))
    end(ledger, study, 0, "another key", complete(SHALLOW, seed=1))
    assert ledger.find("key") == (done.id, complete(SHALLOW))
    assert ledger.find("no such key") is None


def test_work_that_did_not_come_to_its_end_is_not_found(ledger: Ledger, study: StudyEntry) -> None:
    for number, outcome in enumerate(["pruned", "infeasible", "failed"]):
        end(ledger, study, number, "key", toy_record(outcome, {}, (), 0, BUDGET))
    ledger.begin_trial(study, "search", 3, SHALLOW, "key")
    assert ledger.find("key") is None


def test_the_trial_that_did_the_work_is_found_and_none_that_reused_it(ledger: Ledger, study: StudyEntry) -> None:
    first = end(ledger, study, 0, "key", complete(SHALLOW))
    end(ledger, study, 1, "key", complete(SHALLOW), reused_from=first.id)
    again = end(ledger, study, 2, "key", complete(SHALLOW, seed=1))
    assert ledger.find("key") == (first.id, complete(SHALLOW))
    assert [trial.reused_from for trial in ledger.trials(study)] == [None, first.id, None]
    assert again.id != first.id


def test_a_record_is_reused_only_from_a_trial_that_exists(ledger: Ledger, study: StudyEntry) -> None:
    with pytest.raises(LedgerError, match=r"(FOREIGN KEY|foreign key) constraint"):
        end(ledger, study, 0, "key", complete(SHALLOW), reused_from=12345)
    assert ledger.trials(study)[0].state == "running"


# Several at once, in one process.


def test_a_damaged_row_is_told_in_one_line(url: str) -> None:
    with Ledger(url) as ledger:
        ledger.begin_study("a", DEFINITION)
        with ledger.engine.begin() as connection:
            connection.exec_driver_sql("UPDATE studies SET definition = '{'")
        with pytest.raises(
            LedgerError, match=r"^The ledger is damaged: study 'a' is not as it was written; restore it from a copy\.$"
        ):
            ledger.studies()


# What a record holds.


def test_a_record_comes_back_with_its_curve_whatever_its_words_look_like(ledger: Ledger, study: StudyEntry) -> None:
    like_json = '"curve":[{"epoch":1}],"replicates":[{"epoch":'
    plain = complete(SHALLOW)
    replicate = Replicate(seed=1, figures={"validation_accuracy": 0.5}, curve=plain.curve)
    records = [
        replace(plain, notes=(like_json,), uncounted={like_json: 1}, figures={**plain.figures, like_json: 1.0}),
        replace(plain, replicates=(replicate, replicate)),
        replace(plain, replicates=(replicate,), curve=()),
        replace(plain, curve=()),
        toy_record("failed", {}, (), 0, BUDGET),
    ]
    for number, record in enumerate(records):
        ledger.end_trial(ledger.begin_trial(study, "search", number, SHALLOW, f"key {number}"), record)
    found = [trial.record for trial in ledger.trials(study)]
    assert [record and record.curve for record in found] == [record.curve for record in records]
    again = [trial.record for trial in ledger.trials(study)]
    assert again == records
    assert [record and record.to_data() for record in (trial.record for trial in ledger.trials(study))] == [
        record.to_data() for record in records
    ]


def test_a_curve_that_was_not_read_yet_goes_along_with_copies(ledger: Ledger, study: StudyEntry) -> None:
    record = complete(SHALLOW)
    ledger.end_trial(ledger.begin_trial(study, "search", 0, SHALLOW, "key"), record)
    for copied in (deepcopy, lambda one: pickle.loads(pickle.dumps(one)), replace):  # noqa: S301 - our own
        (trial,) = ledger.trials(study)
        assert copied(trial.record) == record
        assert trial.record == record
    with pytest.raises(AttributeError, match="'Record' object has no attribute 'beauty'"):
        trial.record.beauty  # type: ignore[union-attr]  # noqa: B018 - that is the point


def test_either_kind_of_database_keeps_an_index_of_running_trials_alone(ledger: Ledger) -> None:
    """They are few, and looked for at every proposal."""
    catalogue = {
        "sqlite": "SELECT sql FROM sqlite_master WHERE name = 'trials_running'",
        "postgresql": "SELECT indexdef FROM pg_indexes WHERE indexname = 'trials_running'",
    }
    with ledger.engine.connect() as connection:
        [(told,)] = connection.exec_driver_sql(catalogue[connection.dialect.name]).fetchall()
    assert re.search(r"WHERE .*'running'", told, re.DOTALL)
