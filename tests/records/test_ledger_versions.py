"""Ledgers that older versions wrote: `ledgers/schema-N.sqlite`, each as the code of its time left it."""

import multiprocessing
import os
import shutil
import sqlite3
import time
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest
from filelock import FileLock
from toys import TOY, toy_evaluate

from nas.benchmark import Budget
from nas.errors import LedgerError
from nas.ranking import leaderboard
from nas.records import Ledger, Trial
from nas.records.schema import SCHEMA, studies, trials

KEPT = Path(__file__).parent / "ledgers"
BUDGET = Budget(epochs=2)
SHALLOW = TOY.architecture({"width": 8, "stem.kernel": 3, "block.times": 0})

PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["toys", "nas.records"])


@pytest.fixture(params=range(1, SCHEMA), ids="schema {}".format)
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return Path(shutil.copy(KEPT / f"schema-{request.param}.sqlite", tmp_path / "nas.sqlite"))


@pytest.fixture
def unwritable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing can be written anywhere."""
    monkeypatch.setattr("nas.records.ledger.os.access", lambda *_: False)


def kept(ledger: Ledger) -> list[Trial]:
    return ledger.trials(ledger.study("old"))


def check(found: list[Trial]) -> None:
    """They say what was written into the file."""
    rows = {(trial.stage, trial.number): trial for trial in found}
    states = {key: trial.state for key, trial in rows.items()}
    assert states == {
        ("search", 0): "complete",
        ("search", 1): "failed",
        ("search", 2): "infeasible",
        ("search", 3): "complete",
        ("search", 4): "running",
        ("confirm", 0): "complete",
        ("final", 0): "complete",
    }
    first = rows["search", 0]
    assert (first.architecture, first.evaluation, first.proposal) == (SHALLOW, f"{1:016}", {"sampler": {"note": 1}})
    assert rows["search", 3].reused_from == first.id
    for key, seed, final in ((("search", 0), 0, False), (("confirm", 0), 1, False), (("final", 0), 2, True)):
        record, expected = rows[key].record, toy_evaluate(SHALLOW, budget=BUDGET, seed=seed, final=final)
        assert record is not None
        assert (record.figures, record.curve, record.seed) == (expected.figures, expected.curve, seed)
    failed = rows["search", 1].record
    assert failed is not None
    assert failed.error is not None
    assert failed.error.message == "ValueError: é ☃"
    assert {(trial.holder, trial.fence, trial.attempts, trial.lease_until) for trial in found} == {(None, 1, 1, None)}


def test_each_version_of_before_has_its_file() -> None:
    assert sorted(file.name for file in KEPT.iterdir()) == [f"schema-{version}.sqlite" for version in range(1, SCHEMA)]


def test_an_old_ledger_is_read_and_gone_on_with(path: Path) -> None:
    with Ledger(f"sqlite:///{path}") as ledger:
        assert [entry.name for entry in ledger.studies()] == ["old", "empty"]
        check(kept(ledger))
        entry = ledger.study("old")
        assert ledger.begin_study("old", entry.definition) == entry
        (left,) = ledger.take_over(entry)
        assert (left.stage, left.number, left.fence, left.attempts) == ("search", 4, 2, 1)
        record = toy_evaluate(left.architecture, budget=BUDGET, seed=0)
        ended = ledger.end_trial(left, record, log="a line\n")
        begun = ledger.begin_trial(entry, "search", 5, SHALLOW, "another")
    with Ledger(f"sqlite:///{path}", create=False) as ledger:
        found = {(trial.stage, trial.number): trial for trial in kept(ledger)}
        assert (found["search", 4], found["search", 5]) == (ended, begun)
        assert ledger.log(ended) == "a line\n"
        assert ledger.stops(entry) == 0
        assert ledger.find(f"{1:016}") == (found["search", 0].id, found["search", 0].record)


def test_an_old_ledger_has_the_tables_of_a_new_one_after_it(path: Path, tmp_path: Path) -> None:
    Ledger(f"sqlite:///{path}").close()
    Ledger(f"sqlite:///{tmp_path}/new.sqlite").close()

    def shape(file: Path) -> dict[str, object]:
        connection = sqlite3.connect(file)
        tables = ("ledger", "studies", "trials", "logs")
        columns = {
            # name, type, whether it may be null, default, place in the key; not the order
            table: {row[1:] for row in connection.execute(f"PRAGMA table_info({table})")}
            for table in tables
        }
        indexes = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'index'")}
        connection.close()
        return {**columns, "indexes": indexes}

    assert shape(path) == shape(tmp_path / "new.sqlite")


def open_at_once(path: Path, barrier: Barrier) -> None:
    barrier.wait(240)
    with Ledger(f"sqlite:///{path}") as ledger:
        check(kept(ledger))


def test_processes_that_open_an_old_ledger_at_once_bring_it_up_once(path: Path) -> None:
    barrier = PROCESSES.Barrier(6)
    workers = [PROCESSES.Process(target=open_at_once, args=(path, barrier), daemon=True) for _ in range(6)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(240)
    assert [worker.exitcode for worker in workers] == [0] * 6


def test_an_old_ledger_where_nothing_can_be_written_is_read_as_it_is(path: Path, unwritable: None) -> None:
    before = path.read_bytes()
    with Ledger(f"sqlite:///{path}", create=False) as ledger:
        check(kept(ledger))
        check([*ledger.trials(ledger.study("old"), "search"), *(t for t in kept(ledger) if t.stage != "search")])
        entry = ledger.study("old")
        first = kept(ledger)[0]
        assert leaderboard(ledger)
        assert ledger.find(f"{1:016}") is not None
        assert (ledger.stops(entry), ledger.log(first), ledger.take_over(entry), ledger.changes(entry, 0)) == (0, "", [], (0, []))
        rule = r"nas\.sqlite is of an older version and cannot be changed now; it can only be read\.$"
        with pytest.raises(LedgerError, match=rule):
            ledger.begin_trial(entry, "search", 9, SHALLOW, "key")
    assert path.read_bytes() == before


IN_USE = r"nas\.sqlite is in use by an older version of this program; wait for that to end\.$"


def test_a_ledger_that_an_older_program_is_using_is_left_as_it_is(tmp_path: Path) -> None:
    path = Path(shutil.copy(KEPT / "schema-1.sqlite", tmp_path / "nas.sqlite"))
    with FileLock(path.with_name(".nas.sqlite.old.lock")):
        with pytest.raises(LedgerError, match=IN_USE):
            Ledger(f"sqlite:///{path}")
        with Ledger(f"sqlite:///{path}", create=False) as ledger:
            check(kept(ledger))
    with Ledger(f"sqlite:///{path}", create=False) as ledger, ledger.engine.connect() as connection:
        check(kept(ledger))
        assert all(row.digest for row in connection.execute(trials.select()))
        assert all(row.digest for row in connection.execute(studies.select()))


def lease(path: Path, seconds: float) -> None:
    """Let a driver of another machine hold the trial that is running."""
    connection = sqlite3.connect(path)
    values = (time.time() + seconds, "elsewhere boot 1 2 3")
    assert connection.execute("UPDATE trials SET lease_until = ?, holder = ? WHERE state = 'running'", values).rowcount == 1
    connection.commit()
    connection.close()


def test_a_ledger_in_which_a_driver_of_an_older_program_holds_a_trial_is_left_as_it_is(tmp_path: Path) -> None:
    path = Path(shutil.copy(KEPT / "schema-2.sqlite", tmp_path / "nas.sqlite"))
    lease(path, 60)
    with pytest.raises(LedgerError, match=IN_USE):
        Ledger(f"sqlite:///{path}")
    with Ledger(f"sqlite:///{path}", create=False) as ledger:
        entry = ledger.study("old")
        (held,) = ledger.running(entry)
        assert held.holder == "elsewhere boot 1 2 3"
        assert len(ledger.trials(entry)) == 7
        with pytest.raises(LedgerError, match="is of an older version and cannot be changed now"):
            ledger.take_over(entry) or ledger.begin_trial(entry, "audit", 0, SHALLOW, "key")
    lease(path, -1)
    with Ledger(f"sqlite:///{path}") as ledger:
        (left,) = ledger.take_over(ledger.study("old"))
        assert (left.stage, left.number) == ("search", 4)


def test_an_old_ledger_takes_trials_of_an_audit(path: Path) -> None:
    with Ledger(f"sqlite:///{path}") as ledger:
        entry = ledger.study("old")
        begun = ledger.begin_trial(entry, "audit", 0, SHALLOW, "audited")
        ended = ledger.end_trial(begun, toy_evaluate(SHALLOW, budget=BUDGET, seed=7))
    with Ledger(f"sqlite:///{path}", create=False) as ledger:
        assert ledger.trials(entry, "audit") == [ended]
        assert ended in ledger.trials(entry)


def test_a_ledger_of_a_newer_version_is_refused_for_reading_too(tmp_path: Path, unwritable: None) -> None:
    path = tmp_path / "nas.sqlite"
    shutil.copy(KEPT / "schema-1.sqlite", path)
    connection = sqlite3.connect(path)
    connection.execute(f"UPDATE ledger SET schema = {SCHEMA + 1}")  # noqa: S608
    connection.commit()
    connection.close()
    rule = rf"nas\.sqlite has schema {SCHEMA + 1}, this version reads {SCHEMA}; install the version that wrote it\.$"
    with pytest.raises(LedgerError, match=rule):
        Ledger(f"sqlite:///{path}", create=False)
    assert os.listdir(tmp_path) == ["nas.sqlite"]
