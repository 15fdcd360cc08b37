import os
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner
from lookers import fill

from nas.cli import main
from nas.doctor import Check, ledgers
from nas.doctor.ledgers import check_ledger
from nas.records import Ledger


def found(url: str, name: str) -> Check:
    (check,) = (check for check in check_ledger(url) if check.name == name)
    return check


def test_a_server_is_told_with_its_version_and_what_it_holds(postgres_url: str) -> None:
    empty = found(postgres_url, "ledger")
    assert empty.verdict == "ok"
    assert ": PostgreSQL " in empty.found
    assert empty.found.endswith("no ledger in it yet, the first search makes it")
    Ledger(postgres_url).close()
    assert found(postgres_url, "ledger").found.endswith("; 0 studies")
    assert found(postgres_url, "clock") == Check(name="clock", verdict="ok", found="agrees with the server's")
    assert not [check for check in check_ledger(postgres_url) if check.name == "encryption"]


def test_a_clock_that_goes_otherwise_is_told(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = time.time
    monkeypatch.setattr(ledgers.time, "time", lambda: clock() - 100)
    check = found(postgres_url, "clock")
    assert check.verdict == "advice"
    assert check.found == "the server's clock is 100.0 s ahead"


def test_where_the_password_comes_from_is_told_and_never_the_password(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("NAS_LEDGER_PASSWORD", "PGPASSWORD", "PGPASSFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert found(postgres_url, "password").found.startswith("none given")
    monkeypatch.setenv("PGPASSWORD", "canary")
    assert found(postgres_url, "password").found == "from PGPASSWORD"
    monkeypatch.setenv("NAS_LEDGER_PASSWORD", "canary")
    assert found(postgres_url, "password").found == "from NAS_LEDGER_PASSWORD"
    monkeypatch.delenv("NAS_LEDGER_PASSWORD")
    monkeypatch.delenv("PGPASSWORD")
    pgpass = tmp_path / ".pgpass"
    pgpass.write_text("*:*:*:*:canary\n")
    os.chmod(pgpass, 0o644)
    check = found(postgres_url, "password")
    assert check.verdict == "problem"
    assert check.change == "chmod 600 ~/.pgpass"
    os.chmod(pgpass, 0o600)
    assert found(postgres_url, "password").found == "from ~/.pgpass, if it has a line for this server"


def test_a_server_that_does_not_answer_is_a_problem_within_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []
    clock = SimpleNamespace(monotonic=lambda: sum(waited), sleep=waited.append)
    monkeypatch.setattr("nas.records.database.time", clock)
    check = found("postgresql://somebody@127.0.0.1:1/studies", "ledger")
    assert check.verdict == "problem"
    assert 0 < sum(waited) < 10


def test_a_study_in_postgresql_is_looked_at_watched_and_stopped(postgres_url: str) -> None:
    with Ledger(postgres_url) as ledger:
        fill(ledger)
        entry = ledger.study("toy")

        def run(*words: str) -> str:
            done = CliRunner().invoke(main, [*words, "--ledger", postgres_url])
            assert done.exit_code == 0, done.output
            return done.output

        assert " running " in run("trials")
        assert run("trial", "toy", "0").startswith("search trial 0 of toy")
        assert "4 evaluated" in run("watch", "--once")
        assert run("stop", "--no-wait").startswith("1 driver is at work at toy: ")
        assert ledger.stops(entry) == 1
