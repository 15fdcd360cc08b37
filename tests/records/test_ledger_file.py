"""What holds for ledgers in SQLite files alone."""

import sqlite3
import subprocess
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter

import pytest
from toys import TOY, toy_evaluate

from nas.benchmark import Budget
from nas.errors import LedgerError, Parked
from nas.records import Ledger, StudyEntry

SHALLOW = TOY.architecture({"width": 8, "stem.kernel": 3, "block.times": 0})
DEFINITION = {"space": {"name": "toy", "version": 1}}


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/nas.sqlite"


@pytest.fixture
def ledger(url: str) -> Iterator[Ledger]:
    with Ledger(url) as opened:
        yield opened


@pytest.fixture
def study(ledger: Ledger) -> StudyEntry:
    return ledger.begin_study("a", DEFINITION)


def test_without_create_a_missing_ledger_is_refused_and_not_made(url: str, tmp_path: Path) -> None:
    with pytest.raises(
        LedgerError, match=r"^There is no ledger at .*nas\.sqlite; run `nas search` first, or name another with --ledger\.$"
    ):
        Ledger(url, create=False)
    assert not list(tmp_path.iterdir())


def test_a_missing_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LedgerError, match=r"^The ledger's folder .*/no/such does not exist; make it first\.$"):
        Ledger(f"sqlite:///{tmp_path}/no/such/nas.sqlite")


def test_a_folder_is_no_ledger(tmp_path: Path) -> None:
    with pytest.raises(LedgerError, match=r"^The ledger .* cannot be used: unable to open database file\.$"):
        Ledger(f"sqlite:///{tmp_path}")


def test_a_text_file_is_refused_in_one_line_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("Dear diary,\n" * 100)
    with pytest.raises(LedgerError, match=r"^The ledger .*notes\.txt cannot be used: file is not a database\.$"):
        Ledger(f"sqlite:///{path}")
    assert path.read_text() == "Dear diary,\n" * 100


def test_a_database_of_something_else_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "shop.sqlite"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE customers (name TEXT)")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(LedgerError, match=r"shop\.sqlite is a database of something else; name another file with --ledger\.$"):
        Ledger(f"sqlite:///{path}")
    assert path.read_bytes() == before
    assert [other.name for other in tmp_path.iterdir()] == ["shop.sqlite"]


def test_a_ledger_of_another_schema_is_refused(url: str, tmp_path: Path) -> None:
    Ledger(url).close()
    connection = sqlite3.connect(tmp_path / "nas.sqlite")
    connection.execute("UPDATE ledger SET schema = 99")
    connection.commit()
    connection.close()
    with pytest.raises(
        LedgerError, match=r"nas\.sqlite has schema 99, this version reads \d+; install the version that wrote it\.$"
    ):
        Ledger(url)


def test_an_empty_file_becomes_a_ledger(url: str, tmp_path: Path) -> None:
    (tmp_path / "nas.sqlite").touch()
    with Ledger(url) as ledger:
        assert ledger.studies() == []


@pytest.mark.parametrize(
    ("url", "seen"),
    [
        ("postgresql://someone:hunter2@host", "a postgresql URL"),
        ("mysql://someone:hunter2@host/nas", "a mysql URL"),
        ("postgresql://someone@host:hunter2/nas", "something else"),
        ("postgresql//someone:hunter2@host/nas", "something else"),
        ("someone:hunter2@host", "something else"),
        ("sqlite://", "a sqlite URL"),
        ("sqlite:///:memory:", "a sqlite URL"),
        ("", "something else"),
    ],
)
def test_what_is_no_place_of_a_ledger_is_refused_and_no_password_is_told(url: str, seen: str) -> None:
    with pytest.raises(LedgerError) as caught:
        Ledger(url)
    rule = (
        "A ledger is a SQLite file, as in sqlite:///nas.sqlite, or a PostgreSQL database, as in postgresql://USER@HOST/DATABASE"
    )
    assert str(caught.value) == f"{rule}; got {seen}."
    assert "hunter2" not in "".join(traceback.format_exception(caught.value))


def test_a_plain_path_is_a_file_too(tmp_path: Path) -> None:
    with Ledger(str(tmp_path / "nas.sqlite")) as ledger:
        ledger.begin_study("a", DEFINITION)
    with Ledger(f"sqlite:///{tmp_path}/nas.sqlite", create=False) as ledger:
        assert [entry.name for entry in ledger.studies()] == ["a"]


def test_reading_and_opening_wait_for_no_writer(ledger: Ledger, study: StudyEntry, url: str, tmp_path: Path) -> None:
    record = toy_evaluate(SHALLOW, budget=Budget(epochs=2), seed=0)
    ledger.end_trial(ledger.begin_trial(study, "search", 0, SHALLOW, "key"), record)
    writer = sqlite3.connect(tmp_path / "nas.sqlite", isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    writer.execute("UPDATE trials SET state = 'failed'")
    begun = perf_counter()
    try:
        with Ledger(url, create=False) as reader:
            assert [trial.state for trial in reader.trials(reader.study("a"))] == ["complete"]
            assert reader.find("key") is not None
    finally:
        writer.execute("ROLLBACK")
        writer.close()
    assert perf_counter() - begun < 28, "a reader that meets a lock waits for 30 seconds"


def test_a_ledger_where_nothing_can_be_written_can_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = f"sqlite:///{tmp_path}/nas.sqlite"
    with Ledger(url) as ledger:
        ledger.begin_study("a", DEFINITION)
    monkeypatch.setattr("nas.records.ledger.os.access", lambda *_: False)
    before = sorted(path.name for path in tmp_path.iterdir())
    with Ledger(url, create=False) as ledger:
        assert [entry.name for entry in ledger.studies()] == ["a"]
        with pytest.raises(LedgerError, match="nothing can be written to"):
            ledger.begin_study("b", DEFINITION)
    assert sorted(path.name for path in tmp_path.iterdir()) == before


def test_what_only_the_log_of_a_writer_holds_is_read_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = f"sqlite:///{tmp_path}/nas.sqlite"
    with Ledger(url) as ledger:
        ledger.begin_study("a", DEFINITION)
        monkeypatch.setattr("nas.records.ledger.os.access", lambda *_: False)
        with Ledger(url, create=False) as reader:
            assert reader.read_only
            assert [entry.name for entry in reader.studies()] == ["a"]


def test_a_file_name_too_long_is_told_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(LedgerError, match="cannot be a ledger: File name too long"):
        Ledger(f"sqlite:///{tmp_path}/{'a' * 300}.sqlite")


def test_who_only_looks_makes_no_ledger_of_an_empty_file(tmp_path: Path) -> None:
    file = tmp_path / "nas.sqlite"
    file.touch()
    with pytest.raises(LedgerError, match=r"^There is no ledger at .*; run `nas search` first, or name another with --ledger\.$"):
        Ledger(f"sqlite:///{file}", create=False)
    assert file.stat().st_size == 0
    assert [path.name for path in tmp_path.iterdir()] == ["nas.sqlite"]


def test_a_file_that_is_moved_away_is_waited_for_and_never_made_anew(tmp_path: Path) -> None:
    file = tmp_path / "nas.sqlite"
    with Ledger(f"sqlite:///{file}", retry_seconds=0.5) as ledger:
        study = ledger.begin_study("a", DEFINITION)
        ledger.engine.dispose()  # as a thread that has no connection yet
        file.rename(tmp_path / "away.sqlite")
        with pytest.raises(Parked, match=r"did not answer for \d+ s: its file is gone, and is to be put back"):
            ledger.stops(study)
        assert not file.exists()
        (tmp_path / "away.sqlite").rename(file)
        assert ledger.stops(study) == 0


def test_a_file_is_read_without_the_dialect_of_servers(tmp_path: Path) -> None:
    """It takes a tenth of the time that `nas rank` has for a small study."""
    program = "import sys; from nas.records import Ledger; "
    program += f"Ledger('sqlite:///{tmp_path}/nas.sqlite').close(); print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    assert "sqlalchemy.dialects.sqlite" in loaded
    assert "sqlalchemy.dialects.postgresql" not in loaded
