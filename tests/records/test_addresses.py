"""URLs of ledgers: what they name, what people are shown of them, and where passwords stay."""

import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from toys import TOY, toy_evaluate

from nas.benchmark import Budget
from nas.errors import LedgerError
from nas.records import Ledger, shown_url, without_password
from nas.records.addresses import find_address
from nas.searching import Study, default_ledger

if TYPE_CHECKING:
    from postgres import Server

CANARY = "k4n4r13nv0g3l"
BARE = "postgresql://me@db.example:5433/nas"
WITH_PASSWORD = f"postgresql://me:{CANARY}@db.example:5433/nas"
SHALLOW = TOY.architecture({"width": 8, "stem.kernel": 3, "block.times": 0})


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


@pytest.fixture(autouse=True)
def _no_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PGPASSWORD", "NAS_LEDGER_PASSWORD", "PGPASSFILE"):
        monkeypatch.delenv(name, raising=False)


# Places.


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("sqlite:///nas.sqlite", "sqlite:///nas.sqlite"),
        ("runs/nas.sqlite", "sqlite:///runs/nas.sqlite"),
        ("sqlite:////tmp/nas.sqlite", "sqlite:////tmp/nas.sqlite"),
        ("postgresql://me@db/nas", "postgresql://me@db/nas"),
        ("postgres://me@db/nas", "postgresql://me@db/nas"),
        ("postgresql+psycopg://me@db:5433/nas", "postgresql://me@db:5433/nas"),
        ("postgresql:///nas", "postgresql:///nas"),
        ("postgresql://me@/nas?host=/run/pg&sslmode=require", "postgresql://me@/nas?host=%2Frun%2Fpg&sslmode=require"),
        ("postgresql://me@db/nas?options=-csearch_path%3Dx", "postgresql://me@db/nas"),
    ],
)
def test_people_are_shown_a_url_that_works(url: str, shown: str) -> None:
    assert find_address(url).shown == shown_url(url) == shown
    assert find_address(shown).shown == shown


def test_the_home_directory_is_shown_as_a_tilde_and_read_as_one(home: Path) -> None:
    url = f"sqlite:///{home}/nas.sqlite"
    assert shown_url(url) == shown_url(f"{home}/nas.sqlite") == "sqlite:///~/nas.sqlite"
    with Ledger("sqlite:///~/nas.sqlite") as ledger:
        assert ledger.path == home / "nas.sqlite"
        assert ledger.shown == "sqlite:///~/nas.sqlite"
    assert (home / "nas.sqlite").exists()
    with pytest.raises(LedgerError, match=r"^There is no ledger at ~/other\.sqlite; "):
        Ledger(f"sqlite:///{home}/other.sqlite", create=False)


def test_what_belongs_to_a_ledger_lies_beside_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert find_address("sqlite:///nas.sqlite").beside("checkpoints") == tmp_path / "nas.sqlite.checkpoints"
    assert find_address("sqlite:////a/b.sqlite").beside("logs") == Path("/a/b.sqlite.logs")
    assert find_address(BARE).beside("checkpoints") == tmp_path / "nas-nas.checkpoints"
    assert find_address("postgresql://me@db/..%2F..%2Fetc").beside("logs").parent == tmp_path


# Passwords.


@pytest.mark.parametrize(
    "url",
    [
        WITH_PASSWORD,
        f"postgres://me:{CANARY}@db/nas",
        f"postgresql+psycopg://me:{CANARY}@db/nas",
        f"postgresql://me@db/nas?password={CANARY}",
        f"postgresql://me@db/nas?sslpassword={CANARY}",
        f"postgresql://me@db/nas?sslmode=require&PASSWORD={CANARY}",
    ],
)
def test_a_url_with_a_password_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(LedgerError) as caught:
        Ledger(url)
    rule = "A ledger's URL holds no password, since others can read the command; set NAS_LEDGER_PASSWORD, or use a pgpass file."
    assert str(caught.value) == rule
    assert CANARY not in "".join(traceback.format_exception(caught.value))
    for text in (shown_url(url), without_password(url)):
        assert CANARY not in text
        assert text.startswith("postgresql")


@pytest.mark.parametrize(
    ("url", "bare"),
    [
        (WITH_PASSWORD, BARE),
        (BARE, BARE),
        ("sqlite:///nas.sqlite", "sqlite:///nas.sqlite"),
        ("nas.sqlite", "nas.sqlite"),
        (f"mysql://me:{CANARY}@db/nas", "mysql://me@db/nas"),
        (f"postgresql://me@db:{CANARY}/nas", "unknown:"),
        (f"me:{CANARY}@db", "unknown:"),
    ],
)
def test_a_url_without_its_password_is_as_it_was_otherwise(url: str, bare: str) -> None:
    assert without_password(url) == bare
    assert CANARY not in shown_url(url)


def test_what_is_no_url_is_none_without_its_password_either() -> None:
    with pytest.raises(LedgerError, match=r"got something else\.$"):
        Ledger(without_password(f"me:{CANARY}@db"))
    assert shown_url(f"me:{CANARY}@db") == "the ledger"


def test_a_script_that_holds_a_study_holds_no_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAS_LEDGER", WITH_PASSWORD)
    assert default_ledger() == BARE
    study = Study("a", WITH_PASSWORD)
    assert (study.ledger, repr(study)) == (BARE, f"Study('a', ledger='{BARE}')")


def test_the_environment_may_hold_a_password() -> None:
    environment = {"NAS_LEDGER": WITH_PASSWORD}
    address = find_address(WITH_PASSWORD, environment)
    assert address.password == CANARY
    assert CANARY not in f"{address!r} {address.shown} {address.place} {address.server} {address.beside('logs')}"
    assert address.shown == BARE
    assert find_address(BARE, environment).password == CANARY, "the URL that was shown is the same ledger's"
    assert find_address("postgresql://me@other/nas", environment).password is None
    assert find_address(BARE, {}).password is None
    for more in ({}, environment):
        assert find_address(BARE, {**more, "NAS_LEDGER_PASSWORD": CANARY[::-1]}).password == CANARY[::-1]


@pytest.fixture
def locked(postgres_server: "Server", postgres_url: str) -> Iterator[Callable[[str], str]]:
    """The URL of a database that wants a password, as somebody whose password is the canary."""
    with wanting_a_password(postgres_server, postgres_url) as as_guest:
        yield as_guest


@contextmanager
def wanting_a_password(server: "Server", url: str) -> Iterator[Callable[[str], str]]:
    """A password → the URL with it, of a database that wants the canary."""
    rules = server.folder / "data" / "pg_hba.conf"
    before = rules.read_text()
    if not server.command("SELECT 1 FROM pg_roles WHERE rolname = 'guest'"):
        server.command(f"CREATE ROLE guest LOGIN PASSWORD '{CANARY}'")
    name = url.partition("/ledger_")[2].partition("?")[0]
    server.command(f"ALTER DATABASE ledger_{name} OWNER TO guest")
    rules.write_text(f"local all guest scram-sha-256\n{before}")
    server.command("SELECT pg_reload_conf()")
    try:
        yield lambda password: url.replace("nas@", f"guest:{password}@" if password else "guest@", 1)
    finally:
        rules.write_text(before)
        server.command("SELECT pg_reload_conf()")


def use(url: str) -> str:
    """Go through the ledger's ways, and return all that it shows of itself."""
    with Ledger(url, retry_seconds=1) as ledger:
        study = ledger.begin_study("a", {"space": {"name": "toy", "version": 1}})
        trial = ledger.begin_trial(study, "search", len(ledger.trials(study)), SHALLOW, "key")
        record = toy_evaluate(SHALLOW, budget=Budget(epochs=1), seed=0)
        with pytest.raises(LedgerError) as caught:
            ledger.end_trial(trial, record, reused_from=12345)
        ended = ledger.end_trial(trial, record)
        told = "".join(traceback.format_exception(caught.value))
        return f"{told} {ledger.shown} {ledger.holder} {ledger.engine} {ledger.engine.url!r} {study} {ended}"


@pytest.mark.parametrize(
    "way", ["NAS_LEDGER", "NAS_LEDGER, and the URL without it", "NAS_LEDGER_PASSWORD", "PGPASSWORD", "pgpass"]
)
def test_each_way_to_give_a_password_opens_the_ledger_and_none_tells_it(
    locked: Callable[[str], str], way: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    url = locked("")
    if way.startswith("NAS_LEDGER") and way != "NAS_LEDGER_PASSWORD":
        monkeypatch.setenv("NAS_LEDGER", locked(CANARY))
        url = locked("") if "without" in way else locked(CANARY)
    elif way == "pgpass":
        file = tmp_path / "pgpass"
        file.write_text(f"*:*:*:guest:{CANARY}\n")
        file.chmod(0o600)
        monkeypatch.setenv("PGPASSFILE", str(file))
    else:
        monkeypatch.setenv(way, CANARY)
    assert CANARY not in use(url)


@pytest.mark.parametrize("given", ["", "wrong"])
def test_a_missing_or_wrong_password_is_told_in_one_line_and_not_repeated(
    locked: Callable[[str], str], given: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGPASSFILE", "/dev/null")
    if given:
        monkeypatch.setenv("NAS_LEDGER_PASSWORD", f"{CANARY}!")
    with pytest.raises(LedgerError) as caught:
        Ledger(locked(""))
    text = str(caught.value)
    assert text.endswith("; give the password in NAS_LEDGER_PASSWORD, PGPASSWORD or a pgpass file.")
    assert "\n" not in text
    assert CANARY not in "".join(traceback.format_exception(caught.value))


def test_no_password_is_told_while_the_server_is_away(
    postgres_server: "Server", locked: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nas.records.ledger.OPENING_SECONDS", 0.3)
    monkeypatch.setenv("NAS_LEDGER", locked(CANARY))
    with Ledger(locked(CANARY), retry_seconds=0.3) as ledger:
        postgres_server.stop()
        try:
            for work in (ledger.studies, lambda: Ledger(locked(CANARY)), lambda: ledger.begin_study("a", {"space": {}})):
                with pytest.raises(LedgerError) as caught:
                    work()
                assert CANARY not in "".join(traceback.format_exception(caught.value))
        finally:
            postgres_server.start()


def test_another_driver_of_postgresql_is_named() -> None:
    with pytest.raises(LedgerError) as caught:
        find_address("postgresql+psycopg2://nas@host/nas", {})
    assert str(caught.value) == ("A ledger in PostgreSQL is reached by psycopg, got 'postgresql+psycopg2'; write postgresql://.")
