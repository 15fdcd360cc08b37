"""Where a ledger is: a SQLite file or a PostgreSQL database, from its URL, with the password kept apart.

    sqlite:///nas.sqlite · sqlite:////folder/nas.sqlite · sqlite:///~/nas.sqlite · nas.sqlite
    postgresql://USER@HOST:PORT/DATABASE · postgresql://USER@/DATABASE?host=/folder/of/socket

A command line can be read by everybody on the machine, so that a password comes from the environment or a file alone.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import sqlalchemy as sa

from nas.errors import LedgerError, quote

DEFAULT_URL = "sqlite:///nas.sqlite"
ENVIRONMENT = "NAS_LEDGER"
"""The variable that may name the ledger; the one place where a URL may hold a password."""
PASSWORD = "NAS_LEDGER_PASSWORD"  # noqa: S105 - the variable's name
_POSTGRESQL = {"postgresql", "postgresql+psycopg", "postgres"}
_SECRET = re.compile(r"password|passwd|secret|token|key$", re.IGNORECASE)
_NO_URL = "unknown:"
_PLACES = {"host", "hostaddr", "port", "sslmode"}
"""What of a URL's query may be shown."""


def default_ledger() -> str:
    """`NAS_LEDGER`, without a password in it, or a file in the folder where the command is given."""
    return without_password(os.environ.get(ENVIRONMENT) or DEFAULT_URL)


@dataclass(frozen=True, kw_only=True)
class Address:
    """A ledger's place, as far as it can be told from its URL."""

    path: Path | None
    """Of the SQLite file; None for PostgreSQL."""
    server: sa.URL | None = None
    """Of the PostgreSQL database, without a password; None for SQLite."""
    password: str | None = field(default=None, repr=False)
    """None where psycopg shall look for it in PGPASSWORD or a pgpass file."""

    @property
    def shown(self) -> str:
        """The URL for people, which works as a URL too: without a password, and with ~ for the home directory."""
        if self.path is not None:
            return f"sqlite:///{shown_path(self.path)}"
        assert self.server is not None  # noqa: S101 - one of the two
        query = {key: value for key, value in self.server.query.items() if key in _PLACES}
        return self.server.set(drivername="postgresql", query=query).render_as_string(hide_password=True)

    @property
    def place(self) -> str:
        """What a message calls it: the file, or the URL."""
        return shown_path(self.path) if self.path is not None else self.shown

    def beside(self, kind: str) -> Path:
        """The local file or folder of that kind that belongs to the ledger."""
        if self.path is not None:
            path = self.path.absolute()
            return path.with_name(f"{path.name}.{kind}")
        assert self.server is not None  # noqa: S101 - one of the two
        database = re.sub(r"[^A-Za-z0-9._-]", "_", self.server.database or "")
        return Path.cwd() / f"nas-{database}.{kind}"


def find_address(url: str, environment: Mapping[str, str] = os.environ) -> Address:
    """Where the ledger of `url`, or of a plain path, is.

    Raises:
        LedgerError: it is no URL of a SQLite file or PostgreSQL database, or holds a password and is not the environment's.
    """
    if url and ":" not in url:
        return Address(path=Path(url).expanduser())
    parsed = _parse(url)
    kind = f"a {parsed.get_backend_name()} URL" if parsed is not None else "something else"  # it may hold a password
    if parsed is not None and parsed.drivername in _POSTGRESQL and parsed.database:
        password = _password_in(parsed)
        bare = _bare(parsed)
        if password is not None and url != environment.get(ENVIRONMENT):
            raise LedgerError(
                f"A ledger's URL holds no password, since others can read the command; set {PASSWORD}, or use a pgpass file."
            )
        return Address(path=None, server=bare, password=environment.get(PASSWORD) or password or _ambient(bare, environment))
    if parsed is not None and parsed.get_backend_name() == "postgresql" and parsed.database:
        raise LedgerError(f"A ledger in PostgreSQL is reached by psycopg, got {quote(parsed.drivername)}; write postgresql://.")
    if parsed is None or parsed.get_backend_name() != "sqlite" or not parsed.database or parsed.database == ":memory:":
        raise LedgerError(
            "A ledger is a SQLite file, as in sqlite:///nas.sqlite, or a PostgreSQL database, as in "
            f"postgresql://USER@HOST/DATABASE; got {kind}."
        )
    return Address(path=Path(parsed.database).expanduser())


def without_password(url: str) -> str:
    """`url` as it was given, less a password in it. What is no URL may have one anywhere, and another comes back that is none."""
    if ":" not in url:
        return url
    parsed = _parse(url)
    if parsed is None:
        return _NO_URL
    if _password_in(parsed) is None and parsed.password is None:
        return url
    bare = _bare(parsed)
    return bare.set(drivername=bare.get_backend_name()).render_as_string()


def shown_url(url: str) -> str:
    """`url` for people: without a password, and with ~ for the home directory. It works as a URL too."""
    try:
        return find_address(without_password(url), {}).shown
    except LedgerError:
        return "the ledger"


def shown_path(path: Path) -> str:
    """`path` for people, with ~ for the home directory."""
    home, text = os.path.expanduser("~").rstrip("/"), str(path)
    return f"~{text.removeprefix(home)}" if home.startswith("/") and text.startswith(f"{home}/") else text


def _parse(url: str) -> sa.URL | None:
    try:
        return sa.make_url(url)
    except (sa.exc.ArgumentError, ValueError):  # ValueError: the port is no number
        return None


def _password_in(parsed: sa.URL) -> str | None:
    hidden = [value for key, value in parsed.query.items() if _SECRET.search(key)]
    return str(parsed.password or (hidden[0] if hidden else "")) or None


def _bare(parsed: sa.URL) -> sa.URL:
    query = {key: value for key, value in parsed.query.items() if not _SECRET.search(key)}
    return sa.URL.create(
        "postgresql+psycopg" if parsed.drivername in _POSTGRESQL else parsed.drivername,
        username=parsed.username,
        host=parsed.host,
        port=parsed.port,
        database=parsed.database,
        query=query,
    )


def _ambient(bare: sa.URL, environment: Mapping[str, str]) -> str | None:
    """The password of the environment's URL, where that is the same but for it: so that it need not be handed around."""
    parsed = _parse(environment.get(ENVIRONMENT, ""))
    return _password_in(parsed) if parsed is not None and parsed.drivername in _POSTGRESQL and _bare(parsed) == bare else None
