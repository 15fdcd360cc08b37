"""Claims on trials: leases, fences and take-overs among drivers that share a study."""

import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa
from toys import TOY, toy_evaluate

from nas.benchmark import Budget
from nas.errors import AtWork, LeaseLost, NumberTaken
from nas.records import Ledger, Record, StudyEntry, Trial
from nas.records.schema import trials

DEFINITION = {"space": {"name": "toy", "version": 1}}
SHALLOW = TOY.architecture({"width": 8, "stem.kernel": 3, "block.times": 0})
DEEP = TOY.architecture({"width": 16, "stem.kernel": 5, "block.times": 1, "block.0.kind": "conv"})


@pytest.fixture
def ours(url: str) -> Iterator[Ledger]:
    with Ledger(url) as ledger:
        yield ledger


@pytest.fixture
def theirs(url: str) -> Iterator[Ledger]:
    """Of another driver, which is alive."""
    with Ledger(url) as ledger:
        yield ledger


@pytest.fixture
def study(ours: Ledger) -> StudyEntry:
    return ours.begin_study("a", DEFINITION)


def complete(seed: int = 0) -> Record:
    return toy_evaluate(SHALLOW, budget=Budget(epochs=2), seed=seed)


def begin(ledger: Ledger, study: StudyEntry, number: int = 0, key: str | None = None) -> Trial:
    return ledger.begin_trial(study, "search", number, SHALLOW, key or f"key {number}")


def only(ledger: Ledger, study: StudyEntry) -> Trial:
    (trial,) = ledger.trials(study)
    return trial


def pass_by(ledger: Ledger, seconds: float) -> None:
    """Let leases be as near to their end as after so many seconds."""
    with ledger.engine.begin() as connection:
        connection.execute(sa.update(trials).values(lease_until=trials.c.lease_until - seconds))


# Claiming.


def test_a_trial_is_claimed_for_as_long_as_the_lease(url: str, study: StudyEntry) -> None:
    with Ledger(url, lease_seconds=30) as ledger:
        trial = begin(ledger, study)
        assert (trial.holder, trial.fence, trial.attempts, trial.progress) == (ledger.holder, 1, 1, {})
        assert trial.lease_until == pytest.approx(time.time() + 30, abs=20)
        assert only(ledger, study) == trial


def test_an_ended_trial_says_who_ended_it_and_is_claimed_by_nobody(ours: Ledger, study: StudyEntry) -> None:
    ended = ours.end_trial(begin(ours, study), complete())
    assert (ended.holder, ended.lease_until, ended.progress) == (ours.holder, None, {})
    assert only(ours, study) == ended


def test_a_number_that_another_driver_took_is_refused(ours: Ledger, theirs: Ledger, study: StudyEntry) -> None:
    begin(theirs, study)
    with pytest.raises(NumberTaken, match=r"^The study 'a' has a search trial 0 already; take the next number\.$"):
        begin(ours, study, key="another")
    assert len(ours.trials(study)) == 1


def test_work_that_another_driver_is_at_is_refused(ours: Ledger, theirs: Ledger, study: StudyEntry) -> None:
    begin(theirs, study, 0, "same")
    rule = rf"^Another process is at work on the architecture {SHALLOW.id} for the study 'a', as search trial 0\.$"
    with pytest.raises(AtWork, match=rule):
        begin(ours, study, 1, "same")
    ours.begin_trial(study, "final", 0, SHALLOW, "same")
    begin(ours, ours.begin_study("b", DEFINITION), 0, "same")
    assert [trial.number for trial in ours.trials(study, "search")] == [0]


def test_work_that_this_driver_is_at_may_be_begun_again(ours: Ledger, study: StudyEntry) -> None:
    begin(ours, study, 0, "same")
    begin(ours, study, 1, "same")


def test_work_that_has_ended_or_nobody_is_at_may_be_begun(url: str, ours: Ledger, theirs: Ledger, study: StudyEntry) -> None:
    theirs.end_trial(begin(theirs, study, 0, "ended"), complete())
    begin(ours, study, 1, "ended")
    theirs.give_back([begin(theirs, study, 2, "given back")])
    begin(ours, study, 3, "given back")
    with Ledger(url) as closed:
        begin(closed, study, 4, "closed")
    begin(ours, study, 5, "closed")


# Taking over.


def test_what_a_living_driver_is_at_is_taken_over_only_after_its_lease(url: str, ours: Ledger, study: StudyEntry) -> None:
    with Ledger(url, lease_seconds=60) as slow:
        begun = begin(slow, study)
        assert ours.take_over(study) == []
        pass_by(ours, 61)
        (taken,) = ours.take_over(study)
    assert taken == replace(begun, holder=ours.holder, fence=2, attempts=2, lease_until=taken.lease_until)
    assert only(ours, study) == taken
    assert ours.take_over(study) == []


def test_what_was_given_back_is_taken_over_at_once_and_is_no_other_attempt(
    ours: Ledger, theirs: Ledger, study: StudyEntry
) -> None:
    begun = begin(theirs, study)
    theirs.give_back([begun])
    (taken,) = ours.take_over(study)
    assert (taken.holder, taken.fence, taken.attempts) == (ours.holder, 2, 1)
    ours.give_back([taken])
    (again,) = ours.take_over(study)
    assert (again.fence, again.attempts) == (3, 1)


def test_what_a_closed_ledger_of_this_process_was_at_is_taken_over_at_once(url: str, ours: Ledger, study: StudyEntry) -> None:
    with Ledger(url) as other:
        begin(other, study)
    (taken,) = ours.take_over(study)
    assert taken.attempts == 2


def test_nothing_of_its_own_is_taken_over(url: str, study: StudyEntry) -> None:
    with Ledger(url, lease_seconds=0) as ledger:
        begin(ledger, study)
        assert ledger.take_over(study) == []


def test_who_was_taken_over_can_no_longer_write(ours: Ledger, theirs: Ledger, study: StudyEntry) -> None:
    begun = begin(theirs, study)
    theirs.give_back([begun])
    (taken,) = ours.take_over(study)
    rule = r"^The search trial 0 of study a was taken over or ended by another process; what came of it here is left aside\.$"
    for _ in range(2):
        with pytest.raises(LeaseLost, match=rule):
            theirs.end_trial(begun, complete(), log="stale")
        with pytest.raises(LeaseLost, match=rule):
            theirs.retry(begun)
    theirs.give_back([begun])
    assert only(ours, study) == taken
    ended = ours.end_trial(taken, complete(seed=1))
    with pytest.raises(LeaseLost):
        theirs.end_trial(begun, complete())
    assert only(ours, study) == ended
    assert ours.log(ended) == ""


def test_a_trial_ends_once(ours: Ledger, study: StudyEntry) -> None:
    begun = begin(ours, study)
    ended = ours.end_trial(begun, complete())
    with pytest.raises(LeaseLost):
        ours.end_trial(begun, complete(seed=1))
    assert only(ours, study) == ended


def test_a_trial_may_be_tried_again_under_the_same_claim(ours: Ledger, study: StudyEntry) -> None:
    begun = begin(ours, study)
    again = ours.retry(begun)
    assert (again.attempts, again.fence) == (2, 1)
    assert only(ours, study) == again
    assert ours.renew([begun]) == set()
    assert ours.end_trial(again, complete()).attempts == 2


# Renewing.


def test_a_lease_that_is_renewed_does_not_lapse(url: str, ours: Ledger, study: StudyEntry) -> None:
    with Ledger(url, lease_seconds=100) as short:
        trial = begin(short, study)
        for _ in range(4):
            pass_by(ours, 40)
            assert short.renew([trial]) == set()
        assert ours.take_over(study) == []
        assert short.end_trial(trial, complete()).state == "complete"


def test_progress_is_told_to_whoever_watches_until_the_trial_ends(ours: Ledger, theirs: Ledger, study: StudyEntry) -> None:
    trials = [begin(ours, study, number) for number in range(2)]
    told: dict[str, Any] = {"epoch": 3, "figures": {"validation_accuracy": 0.5}}
    ours.renew(trials, {trials[0].id: told})
    ours.renew(trials)
    assert [trial.progress for trial in theirs.trials(study)] == [told, {}]
    ours.end_trial(trials[0], complete())
    assert [trial.progress for trial in theirs.trials(study)] == [{}, {}]


def test_renewing_tells_what_is_lost_and_not_what_has_ended_or_was_given_back(
    ours: Ledger, theirs: Ledger, study: StudyEntry
) -> None:
    lost, ended, returned, kept = (begin(theirs, study, number) for number in range(4))
    theirs.give_back([lost])
    (taken,) = ours.take_over(study)
    theirs.end_trial(ended, complete())
    theirs.give_back([returned])
    assert theirs.renew([lost, ended, returned, kept]) == {lost.id}
    assert [trial.id for trial in ours.take_over(study)] == [returned.id]
    assert ours.renew([taken]) == set()
    assert ours.renew([]) == set()


# Learning of others.


def test_the_trials_of_others_are_told_once_when_they_begin_and_end(ours: Ledger, theirs: Ledger, study: StudyEntry) -> None:
    revision, changed = ours.changes(study, 0)
    assert changed == []
    begun = begin(theirs, study, 0)
    begin(ours, study, 1)
    later, changed = ours.changes(study, revision)
    assert later > revision
    assert changed == [begun]
    assert ours.changes(study, later) == (later, [])
    ended = theirs.end_trial(begun, complete())
    latest, changed = ours.changes(study, later)
    assert changed == [ended]
    assert ours.changes(study, 2**62) == (latest, [])


def test_a_take_over_is_told_to_others(ours: Ledger, theirs: Ledger, study: StudyEntry) -> None:
    begun = begin(ours, study)
    ours.give_back([begun])
    revision, _ = ours.changes(study, 0)
    (taken,) = theirs.take_over(study)
    assert ours.changes(study, revision)[1] == [taken]


def test_a_study_knows_its_own_changes_alone(ours: Ledger, theirs: Ledger, study: StudyEntry) -> None:
    other = ours.begin_study("b", DEFINITION)
    revision, _ = ours.changes(other, 0)
    begin(theirs, study)
    assert ours.changes(other, revision) == (revision, [])


def test_stops_are_counted(ours: Ledger, theirs: Ledger, study: StudyEntry) -> None:
    other = ours.begin_study("b", DEFINITION)
    assert ours.stops(study) == 0
    theirs.request_stop(study)
    theirs.request_stop(study)
    assert (ours.stops(study), ours.stops(other)) == (2, 0)


# Logs.


@pytest.mark.parametrize("text", ["", "two\nlines\n", "\x00 \udcff ☃", "x" * 1_000_000], ids=["none", "lines", "odd", "long"])
def test_what_a_candidate_printed_is_kept(ours: Ledger, study: StudyEntry, text: str) -> None:
    ended = ours.end_trial(begin(ours, study), complete(), log=text)
    assert ours.log(ended) == text
    assert ours.log(only(ours, study)) == text


def test_a_running_trial_has_no_log(ours: Ledger, study: StudyEntry) -> None:
    assert ours.log(begin(ours, study)) == ""
