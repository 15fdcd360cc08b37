"""A database that goes away for a while, refuses, or is full: work goes on by itself, or is parked in one line."""

import multiprocessing
import resource
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa
from toys import TOY, toy_evaluate

from nas.benchmark import Budget
from nas.errors import LedgerError, NumberTaken, Parked
from nas.records import Ledger, Record, StudyEntry, Trial

if TYPE_CHECKING:
    from postgres import Server

DEFINITION = {"space": {"name": "toy", "version": 1}}
SHALLOW = TOY.architecture({"width": 8, "stem.kernel": 3, "block.times": 0})

PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["toys", "nas.records", "psycopg"])


def evaluated(number: int = 0) -> Record:
    return toy_evaluate(SHALLOW, budget=Budget(epochs=3), seed=number)


@pytest.fixture
def ledger(postgres_url: str) -> Iterator[Ledger]:
    with Ledger(postgres_url, retry_seconds=20) as opened:
        yield opened


@pytest.fixture
def study(ledger: Ledger) -> StudyEntry:
    return ledger.begin_study("a", DEFINITION)


def begin(ledger: Ledger, study: StudyEntry, number: int = 0) -> Trial:
    return ledger.begin_trial(study, "search", number, SHALLOW, f"key {number}")


# Sessions that are dropped.


def test_dropped_sessions_are_opened_again(postgres_server: "Server", ledger: Ledger, study: StudyEntry) -> None:
    for number in range(5):
        trial = begin(ledger, study, number)
        assert postgres_server.drop_sessions()
        ledger.end_trial(trial, evaluated(number), log="kept")
        assert postgres_server.drop_sessions()
        assert len(ledger.trials(study)) == number + 1
    assert all(ledger.log(trial) == "kept" for trial in ledger.trials(study))


class Forgetful:
    """Lets a commit through and drops the session before its answer is heard, so often as it is told."""

    def __init__(self, server: "Server", ledger: Ledger) -> None:
        self.left = 0
        commit = ledger.engine.dialect.do_commit

        def forgetful(connection: Any) -> None:
            commit(connection)
            if self.left:
                self.left -= 1
                server.drop_sessions()
                connection.execute("SELECT 1")  # learns that the session is gone

        ledger.engine.dialect.do_commit = forgetful  # type: ignore[method-assign]


def test_what_was_written_though_its_answer_was_lost_is_written_once(
    postgres_server: "Server", ledger: Ledger, study: StudyEntry
) -> None:
    forgetful = Forgetful(postgres_server, ledger)
    revisions = [ledger.changes(study, -1)[0]]

    def once(work: Callable[[], Any]) -> Any:
        forgetful.left = 1
        done = work()
        assert not forgetful.left
        revisions.append(ledger.changes(study, -1)[0])
        return done

    trial = once(lambda: begin(ledger, study))
    assert ledger.trials(study) == [trial]
    ended = once(lambda: ledger.end_trial(trial, evaluated(), log="once"))
    assert ledger.trials(study) == [ended]
    assert ledger.log(ended) == "once"
    returned = begin(ledger, study, 1)
    once(lambda: ledger.give_back([returned]))
    (taken,) = once(lambda: ledger.take_over(study))
    assert (taken.id, taken.fence, taken.attempts) == (returned.id, 2, 1)
    again = once(lambda: ledger.retry(taken))
    assert ledger.trials(study)[1] == again
    assert again.attempts == 2
    with pytest.raises(NumberTaken):
        once(lambda: begin(ledger, study, 1))
    entry = once(lambda: ledger.begin_study("b", DEFINITION))
    assert ledger.studies() == [study, entry]


def test_two_threads_share_a_ledger_whose_sessions_are_dropped(
    postgres_server: "Server", ledger: Ledger, study: StudyEntry
) -> None:
    held = [begin(ledger, study, 1000 + n) for n in range(3)]
    done, lost = threading.Event(), list[set[int]]()

    def renew() -> None:
        while not done.wait(0.01):
            lost.append(ledger.renew(held, {held[0].id: {"epoch": len(lost)}}))

    thread = threading.Thread(target=renew)
    thread.start()
    try:
        for number in range(30):
            if number % 10 == 5:
                postgres_server.drop_sessions()
            ledger.end_trial(begin(ledger, study, number), evaluated(number))
    finally:
        done.set()
        thread.join()
    assert lost
    assert not any(lost)
    assert [trial.number for trial in ledger.trials(study) if trial.state == "complete"] == list(range(30))


def work_on(url: str, trials: int, barrier: Any) -> None:
    barrier.wait(240)
    with Ledger(url) as ledger:
        study = ledger.begin_study("a", DEFINITION)
        number = done = 0
        while done < trials:
            try:
                trial = begin(ledger, study, number)
            except NumberTaken:
                number += 1
                continue
            ledger.end_trial(trial, evaluated(number))
            done += 1
            time.sleep(0.01)


@pytest.mark.parametrize("away", [0.0, 3.0], ids=["sessions dropped", "server stopped"])
def test_eight_workers_live_through_it_and_lose_nothing(postgres_server: "Server", postgres_url: str, away: float) -> None:
    barrier = PROCESSES.Barrier(9)
    workers = [PROCESSES.Process(target=work_on, args=(postgres_url, 25, barrier), daemon=True) for _ in range(8)]
    for worker in workers:
        worker.start()
    barrier.wait(240)
    if away:
        time.sleep(0.3)
        postgres_server.stop()
        time.sleep(away)
        postgres_server.start()
    else:
        for _ in range(4):
            time.sleep(0.2)
            postgres_server.drop_sessions()
    for worker in workers:
        worker.join(240)
    assert [worker.exitcode for worker in workers] == [0] * 8
    with Ledger(postgres_url, create=False) as ledger:
        trials = ledger.trials(ledger.study("a"))
        assert [(trial.number, trial.state) for trial in trials] == [(number, "complete") for number in range(200)]


# What stays away.


def test_a_server_that_stays_away_parks_the_run(postgres_server: "Server", postgres_url: str) -> None:
    with Ledger(postgres_url, retry_seconds=1) as ledger:
        study = ledger.begin_study("a", DEFINITION)
        trial = begin(ledger, study)
        postgres_server.stop()
        try:
            with pytest.raises(Parked) as caught:
                ledger.end_trial(trial, evaluated())
        finally:
            postgres_server.start()
        text = str(caught.value)
        assert text.startswith(f"The ledger {ledger.shown} did not answer for ")
        assert text.endswith("; once it does, the same command goes on.")
        assert "\n" not in text
        assert ledger.end_trial(trial, evaluated()).state == "complete"


def test_where_no_server_listens_it_is_said_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nas.records.ledger.OPENING_SECONDS", 0.3)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        rule = rf"^The ledger postgresql://me@127\.0\.0\.1:{port}/nas did not answer for \d+ s: .*refused"
        with pytest.raises(Parked, match=rule):
            Ledger(f"postgresql://me@127.0.0.1:{port}/nas")


def test_what_will_not_change_is_not_waited_for(
    postgres_server: "Server", postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nas.records.database.time.sleep", lambda _: pytest.fail("it is waited for"))
    with pytest.raises(LedgerError, match=r'cannot be used: database "none_such" does not exist\.$'):
        Ledger(postgres_server.url("none_such"))
    with pytest.raises(LedgerError, match=r'cannot be used: role "nobody_such" does not exist\.$'):
        Ledger(postgres_url.replace("//nas@", "//nobody_such@"))


def test_a_database_of_something_else_is_refused_and_left_alone(postgres_url: str) -> None:
    import psycopg

    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute("CREATE TABLE customers (name TEXT)")
        with pytest.raises(LedgerError, match=r"is a database of something else; name another database with --ledger\.$"):
            Ledger(postgres_url)
        assert connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall() == [("customers",)]


def test_without_create_an_empty_database_is_no_ledger(postgres_url: str) -> None:
    with pytest.raises(
        LedgerError, match=r"^There is no ledger at postgresql://nas@/ledger_\w+\?host=.*; run `nas search` first"
    ):
        Ledger(postgres_url, create=False)


def test_a_driver_that_sleeps_within_a_transaction_holds_nobody_up_for_ever(postgres_url: str, study: StudyEntry) -> None:
    with Ledger(postgres_url) as ledger, ledger.engine.connect() as connection:
        known = connection.exec_driver_sql("SHOW idle_in_transaction_session_timeout").scalar_one()
        assert known == "20s"
        assert connection.exec_driver_sql("SHOW lock_timeout").scalar_one() == "30s"


def test_without_the_driver_package_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    rule = r"^A PostgreSQL ledger needs the package psycopg; `pip install 'nas-harness\[postgresql\]'`\.$"
    with pytest.raises(LedgerError, match=rule):
        Ledger("postgresql://me@host/nas")


# Disks that are full.


def limit_pages(connection: Any, _: object) -> None:
    connection.execute("PRAGMA max_page_count = 40")


def test_a_full_disk_parks_the_run_and_it_goes_on_when_there_is_room(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/nas.sqlite"
    with Ledger(url) as ledger:
        study = ledger.begin_study("a", DEFINITION)
        sa.event.listen(ledger.engine, "connect", limit_pages)
        ledger.engine.dispose()
        done: list[Trial] = []

        def go_on() -> None:
            while True:
                done.append(ledger.end_trial(begin(ledger, study, len(done)), evaluated(len(done))))

        with pytest.raises(Parked) as caught:
            go_on()
        where = f"The disk of {tmp_path}, where the ledger is, is full"
        assert str(caught.value) == f"{where}; make room, and the same command goes on."
        assert len(done) > 5
    with Ledger(url) as ledger:
        for left in ledger.take_over(study):
            ledger.end_trial(left, evaluated(left.number))
        trials = ledger.trials(study)
        assert [trial.record for trial in trials] == [evaluated(trial.number) for trial in trials]
        assert trials[: len(done)] == done
        begin(ledger, study, len(trials))


FILL = """
import sys
sys.path[:0] = [{tests!r}, {here!r}]
from test_ledger_outages import fill
fill({url!r})
"""


def fill(url: str) -> None:
    """Add trials until the disk is full, telling each that is kept."""
    try:
        with Ledger(url) as ledger:
            study = ledger.begin_study("a", DEFINITION)
            for left in ledger.take_over(study):
                ledger.end_trial(left, evaluated(left.number))
                say(left.number)
            for number in range(len(ledger.trials(study)), 200):
                ledger.end_trial(begin(ledger, study, number), evaluated(number))
                say(number)
    except Parked as error:
        say(error)
        sys.exit(75)


def say(what: object) -> None:
    sys.stdout.write(f"{what}\n")
    sys.stdout.flush()


def filled(url: str, limit: int | None) -> tuple[int, list[str]]:
    """Exit status and words of a process whose files may become so large."""

    def small() -> None:
        if limit is not None:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    here = Path(__file__).parent
    script = FILL.format(tests=str(here.parent), here=str(here), url=url)
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=240, check=False, preexec_fn=small
    )
    assert done.stderr == ""
    return done.returncode, done.stdout.splitlines()


@pytest.mark.parametrize("limit", [20_000, 50_000, 123_456, 300_000])
def test_files_that_cannot_grow_park_the_run_at_any_point(tmp_path: Path, limit: int) -> None:
    url = f"sqlite:///{tmp_path}/nas.sqlite"
    status, said = filled(url, limit)
    assert status == 75
    assert said[-1].startswith(f"The disk of {tmp_path}, where the ledger is, ")
    assert said[-1].endswith("; make room, and the same command goes on.")
    status, more = filled(url, None)
    assert status == 0
    assert set(said[:-1]).isdisjoint(more), "what was kept is not done again"
    with Ledger(url, create=False) as ledger:
        trials = ledger.trials(ledger.study("a"))
        assert [(trial.number, trial.state) for trial in trials] == [(number, "complete") for number in range(200)]


@pytest.fixture
def little_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 512 KiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=512k", "nas", folder], capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip("no disk can be mounted here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)


def test_a_disk_that_is_full_parks_the_run(little_disk: Path) -> None:
    url = f"sqlite:///{little_disk}/nas.sqlite"
    ballast = little_disk / "ballast"
    ballast.write_bytes(bytes(200_000))
    status, said = filled(url, None)
    assert status == 75
    assert said[-1] == f"The disk of {little_disk}, where the ledger is, is full; make room, and the same command goes on."
    ballast.unlink()
    with Ledger(url) as ledger:
        study = ledger.begin_study("a", DEFINITION)
        kept = {trial.number for trial in ledger.trials(study) if trial.state == "complete"}
        assert {int(number) for number in said[:-1]} <= kept
        for left in ledger.take_over(study):
            ledger.end_trial(left, evaluated(left.number))
        ledger.end_trial(begin(ledger, study, 1000), evaluated())


def test_a_ledger_that_another_process_has_locked_is_waited_for(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/nas.sqlite"
    with Ledger(url, retry_seconds=0.5) as ledger, Ledger(url) as other:
        study = ledger.begin_study("a", DEFINITION)
        sa.event.listen(ledger.engine, "connect", lambda connection, _: connection.execute("PRAGMA busy_timeout = 100"))
        ledger.engine.dispose()
        with other.engine.connect() as connection:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            with pytest.raises(
                Parked, match=r"nas\.sqlite did not answer for \d+ s: another process has locked it; once it does"
            ):
                begin(ledger, study)
        assert begin(ledger, study).number == 0
