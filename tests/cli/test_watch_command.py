import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Semaphore

import pytest
from click.testing import CliRunner, Result
from lookers import BUDGET, Writer, begin_study, complete, failed, fill, url_of
from toys import toy_record

from nas.cli import main
from nas.records import Ledger
from nas.searching import EpochEnded, Event, RunBegun, TrialBegun, TrialEnded
from nas.searching.watching import Watch, stop, watch

Nas = Callable[..., Result]


@pytest.fixture
def url(tmp_path: Path) -> str:
    return url_of(tmp_path)


@pytest.fixture
def book(url: str) -> Iterator[Ledger]:
    """The ledger of a driver."""
    with Ledger(url) as ledger:
        yield ledger


@pytest.fixture
def seen(url: str, book: Ledger) -> Iterator[Watch]:
    """Who watches the study toy."""
    entry = begin_study(book)
    with Ledger(url, create=False) as ledger:
        yield Watch(ledger, entry)


def run(*words: str) -> Result:
    return CliRunner().invoke(main, list(words))


def test_a_look_tells_what_began_went_on_and_ended_since_the_last(book: Ledger, seen: Watch) -> None:
    writer = Writer(book, seen.entry)
    writer.end(0, complete(0.7))
    (begun,) = seen.look()
    assert isinstance(begun, RunBegun)
    assert (begun.study, begun.found) == ("toy", 1)
    assert begun.headline == "toy v1 on digits v1 · validation_accuracy · auto · seed 0 · 3 epochs"
    assert seen.look() == []
    trial = writer.begin(1)
    (began,) = seen.look()
    assert isinstance(began, TrialBegun)
    assert (began.number, began.architecture) == (1, trial.architecture.id)
    book.renew([trial], {trial.id: {"epoch": 2, "epochs": 3, "figures": {"validation_accuracy": 0.5}, "where": "worker 1"}})
    (epoch,) = seen.look()
    assert isinstance(epoch, EpochEnded)
    assert (epoch.number, epoch.epoch.epoch, epoch.epochs) == (1, 2, 3)
    assert epoch.epoch.figures == {"validation_accuracy": 0.5}
    assert seen.look() == []
    book.end_trial(trial, complete(0.8))
    (ended,) = seen.look()
    assert isinstance(ended, TrialEnded)
    assert ended.trial.record == complete(0.8)
    assert ended.best is not None
    assert ended.best.number == 1
    assert (seen.progress.evaluated, seen.progress.complete) == (2, 2)
    assert seen.running == ()


def test_what_is_left_is_estimated_where_a_driver_tells_how_much_is_wanted(book: Ledger, seen: Watch) -> None:
    writer = Writer(book, seen.entry)
    writer.end(0, complete(0.7))
    some = [writer.begin(1), writer.begin(2)]
    seen.look()
    assert (seen.progress.target, seen.progress.seconds_left) == (0, None)
    book.renew(some, {some[0].id: {"target": 21}})
    seen.look()
    assert seen.progress.target == 21
    assert seen.progress.seconds_left == pytest.approx(20 * 0.3 / 2)


def test_drivers_are_told_apart_and_one_that_left_is_not_at_work(url: str, book: Ledger, seen: Watch) -> None:
    Writer(book, seen.entry).begin(0)
    with Ledger(url) as other:
        Writer(other, seen.entry).end(1, complete(0.5))
        mine = other.begin_trial(seen.entry, "search", 2, Writer(other, seen.entry).end(3, complete(0.4)).architecture, "x" * 16)
        seen.look()
        assert {driver.holder for driver in seen.drivers} == {book.holder, other.holder}
        assert all(driver.silent < 600 for driver in seen.drivers)
        assert mine.holder == other.holder
    seen.look()
    assert [driver.holder for driver in seen.drivers] == [book.holder]
    assert [trial.number for trial in seen.interrupted] == [2]


def test_a_trial_that_is_taken_over_begins_again(url: str, book: Ledger, seen: Watch) -> None:
    with Ledger(url) as other:
        Writer(other, seen.entry).begin(0)
        seen.look()
    (taken,) = book.take_over(seen.entry)
    (again,) = seen.look()
    assert isinstance(again, TrialBegun)
    assert again.label.endswith(f", attempt {taken.attempts}")


def test_once_shows_how_things_are(url: str, book: Ledger) -> None:
    trials = fill(book)
    text = run("watch", "--once", "--ledger", url).output
    lines = text.splitlines()
    assert lines[:2] == ["Study toy", "toy v1 on digits v1 · validation_accuracy · auto · seed 0 · 3 epochs"]
    assert "  search 2  " in text
    assert "failed: raised: no \\x1b[2J[red]room at all" in text
    assert (
        "4 evaluated · 1 pruned · 1 infeasible · 1 failed · 1 reused · 1 finals · 1 interrupted · best validation_accuracy 0.9"
        in text
    )
    assert f"  search  6  {trials['running'].architecture.id}  epoch 2/3  0:0" in text
    assert "worker 1 of " in text
    data = json.loads(run("watch", "--once", "--json", "--ledger", url).output)
    assert [trial["number"] for trial in data["running"]] == [6]
    assert [trial["number"] for trial in data["interrupted"]] == [7]
    assert data["best"]["number"] == 0
    assert data["drivers"][0]["holder"] == book.holder


def test_a_ledger_that_can_only_be_read_is_watched(url: str, book: Ledger, tmp_path: Path) -> None:
    fill(book)
    before = {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    assert run("watch", "--once", "--ledger", url).exit_code == 0
    after = {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir() if not path.name.endswith(("-shm", "-wal"))}
    assert after == {name: before[name] for name in after}


def test_off_a_terminal_a_line_comes_when_something_changes_and_it_ends_when_nobody_works(
    url: str, book: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nas.searching.watching.QUIET_SECONDS", 1.0)
    writer, looks = Writer(book, begin_study(book)), Semaphore(0)

    def look(watch: Watch) -> list[Event]:
        seen = looked(watch)
        looks.release()
        return seen

    looked = Watch.look
    monkeypatch.setattr(Watch, "look", look)

    def work() -> None:
        for number, record in enumerate([complete(0.5), failed()]):
            trial = writer.begin(number)
            while looks.acquire(blocking=False):
                pass
            for _ in range(2):  # one may have been under way
                assert looks.acquire(timeout=240)
            book.end_trial(trial, record)

    worker = threading.Thread(target=work)
    silent = Watch.quiet.fget  # type: ignore[attr-defined]
    monkeypatch.setattr(
        Watch, "quiet", property(lambda watch: silent(watch) and not worker.is_alive())
    )  # a starved one is no rest
    worker.start()
    done = run("watch", "toy", "--until-done", "--every", "0.1", "--ledger", url)
    worker.join()
    assert done.exit_code == 0
    lines = done.output.splitlines()
    assert lines[0] == "Study toy"
    assert sum(" is under way at " in line for line in lines) == 2
    assert sum("validation_accuracy 0.5000" in line for line in lines) == 1
    assert "failed: raised: no \\x1b[2J[red]room at all" in lines[-2]
    assert lines[-1] == "Nobody works at it any more."


def test_a_script_can_watch_too(url: str, book: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nas.searching.watching.QUIET_SECONDS", 0.3)
    Writer(book, begin_study(book)).end(0, complete(0.5))
    assert [type(event).__name__ for event in watch("toy", ledger=url, every=0.1)] == ["RunBegun", "RunEnded"]


DRIVER = """
import sys, time, nas
from toys import TOY, toy_evaluate

def slow(architecture, *, budget, seed, report=lambda _: False, final=False):
    def told(epoch):
        time.sleep(0.1)
        return report(epoch)
    return toy_evaluate(architecture, budget=budget, seed=seed, report=told, final=final)

nas.search(TOY, on="digits", evaluate=slow, trials=50, confirm=0, study="toy", ledger=sys.argv[1], epochs=3)
"""


@pytest.fixture
def driver(url: str) -> Iterator["subprocess.Popen[str]"]:
    """A search in a process of its own, with its first trial under way."""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    process = subprocess.Popen(
        [sys.executable, "-c", DRIVER, url], env=environment, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        until = time.monotonic() + 240
        while not run("trials", "toy", "--state", "running", "--json", "--ledger", url).output.strip().startswith("[\n"):
            assert process.poll() is None, process.stderr
            assert time.monotonic() < until
            time.sleep(0.1)
        yield process
    finally:
        process.kill()
        process.communicate()


def test_a_driver_tells_how_much_it_wants(driver: "subprocess.Popen[str]", url: str) -> None:
    until = time.monotonic() + 120
    while "/50 evaluated" not in run("watch", "--once", "--ledger", url).output:
        assert time.monotonic() < until
        assert driver.poll() is None
        time.sleep(0.2)


def test_stop_asks_a_driver_waits_until_it_has_and_its_work_is_kept(driver: "subprocess.Popen[str]", url: str) -> None:
    done = run("stop", "toy", "--ledger", url)
    assert done.exit_code == 0, done.output
    first, *_, last = done.output.splitlines()
    assert first.startswith("1 driver is at work at toy: ")
    assert first.endswith(f":{driver.pid}. Asked to stop.")
    assert last == "Nobody works at toy now. The same `nas search` or `nas finals` goes on with it."
    assert driver.wait(120) not in {0, -signal.SIGKILL}
    assert not json.loads(run("trials", "toy", "--state", "running", "--json", "--ledger", url).output)


def test_stop_does_not_wait_where_it_is_told_not_to(url: str, book: Ledger) -> None:
    entry = begin_study(book)
    Writer(book, entry).begin(0)
    done = run("stop", "--no-wait", "--ledger", url)
    assert done.output.startswith("1 driver is at work at toy: ")
    assert done.output.endswith("` shows when they have.\n")
    assert book.stops(entry) == 1
    (drivers,) = [json.loads(line) for line in run("stop", "--no-wait", "--json", "--ledger", url).output.splitlines()][:1]
    assert drivers["drivers"][0]["holder"] == book.holder
    assert book.stops(entry) == 2


def test_stop_says_so_where_nobody_has_a_trial(url: str, book: Ledger) -> None:
    begin_study(book)
    assert run("stop", "toy", "--ledger", url).output.splitlines() == [
        "Nobody has a trial of toy at the moment; one that looks for its next is asked to stop too.",
        "Nobody works at toy now. The same `nas search` or `nas finals` goes on with it.",
    ]
    assert run("stop", "nobody", "--ledger", url).exit_code == 2


def test_a_driver_that_begins_after_the_request_is_not_waited_for(
    url: str, book: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nas.searching.watching.NEW_SECONDS", 0.0)
    writer = Writer(book, begin_study(book))
    told: list[int] = []

    def begin(drivers: tuple[object, ...]) -> None:
        told.append(len(drivers))
        writer.begin(len(told))

    assert stop("toy", ledger=url, every=0.1, on_drivers=begin) == ()
    assert told == [0]


def test_figures_that_a_record_lacks_leave_no_best(book: Ledger, seen: Watch) -> None:
    Writer(book, seen.entry).end(0, toy_record("complete", {"params": 1}, (), 0, BUDGET))
    seen.look()
    assert seen.tally.best is None
