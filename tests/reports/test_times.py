from dataclasses import replace

from books import Book, record

from nas.records import Failure, Trial
from nas.reports.times import clock, work


def at(trial: Trial, begun: int, ended: int) -> Trial:
    """`trial`, begun and ended so many seconds after noon."""
    stamp = "2026-01-01T12:{:02}:{:02}.000+00:00"
    return replace(trial, begun_at=stamp.format(*divmod(begun, 60)), ended_at=stamp.format(*divmod(ended, 60)))


def test_work_is_told_by_what_it_came_to_and_adds_up_to_the_seconds_of_all_records(book: Book) -> None:
    book.add(record(figures={"train_seconds": 2.0}, seconds=3.0))
    book.add(record("pruned", figures={"train_seconds": 1.0}, seconds=1.5))
    book.add(
        record("failed", accuracy=None, error=Failure(kind="raised", message="x"), figures={"train_seconds": None}, seconds=0.5)
    )
    book.add(record(figures={"train_seconds": 5.0}, seconds=6.0), stage="final")
    found = {part.label: part.seconds for part in work(book.trials())}
    assert found == {"training": 2.0, "training that was cut short": 1.0, "finals": 5.0, "around training": 3.0}
    assert sum(found.values()) == 3.0 + 1.5 + 0.5 + 6.0


def test_what_was_taken_over_from_another_trial_took_no_time(book: Book) -> None:
    first = book.add(record(seconds=3.0))
    book.add(record(seconds=3.0), reused_from=first.id)
    assert sum(part.seconds for part in work(book.trials())) == 3.0


def test_the_clock_tells_overlaps_once_short_gaps_and_pauses_apart(book: Book) -> None:
    trials = [book.add(record()) for _ in range(4)]
    spans = [(0, 10), (5, 20), (30, 40), (240, 250)]
    found = {part.label: part.seconds for part in clock([at(t, *span) for t, span in zip(trials, spans, strict=True)])}
    assert found == {"trials under way": 40, "between trials": 10, "nobody at work": 200}


def test_without_seconds_or_times_nothing_is_told(book: Book) -> None:
    trial = book.add(record(seconds=None))
    assert work([trial]) == ()
    assert clock([replace(trial, ended_at=None), replace(trial, begun_at="then")]) == ()
