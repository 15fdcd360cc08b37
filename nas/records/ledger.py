"""The ledger: studies and trials in a real database, so that finished work is never lost and never done twice.

    study   one space at one benchmark under one definition; the same command goes on with it
    trial   one proposal and its Record; `running` until it is known what came of it

SQLite in WAL mode: readers never wait for the writer, and what is written stays written through a kill.
"""

import json
import os
import random
import re
import sqlite3
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote as quote_url

import sqlalchemy as sa
from filelock import FileLock, Timeout

from nas.errors import LedgerError, did_you_mean, quote
from nas.records.record import Outcome, Record
from nas.space import Architecture, Space, Value, space_from_data

DEFAULT_URL = "sqlite:///nas.sqlite"
SCHEMA = 1
"""Version of the tables below; raised with every change of them."""

Stage = Literal["search", "confirm", "final"]
State = Literal["running"] | Outcome
STUDY_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")

_metadata = sa.MetaData()
_ledgers = sa.Table("ledger", _metadata, sa.Column("schema", sa.Integer, nullable=False))
_studies = sa.Table(
    "studies",
    _metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("name", sa.String(80), nullable=False, unique=True),
    sa.Column("definition", sa.Text, nullable=False),
    sa.Column("begun_at", sa.String(32), nullable=False),
)
_trials = sa.Table(
    "trials",
    _metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("study_id", sa.ForeignKey("studies.id"), nullable=False),
    sa.Column("stage", sa.String(16), nullable=False),
    sa.Column("number", sa.Integer, nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("architecture", sa.String(16), nullable=False, index=True),
    sa.Column("choices", sa.Text, nullable=False),
    sa.Column("evaluation", sa.String(16), nullable=False, index=True),
    sa.Column("reused_from", sa.ForeignKey("trials.id")),
    sa.Column("begun_at", sa.String(32), nullable=False),
    sa.Column("ended_at", sa.String(32)),
    sa.Column("proposal", sa.Text),
    sa.Column("record", sa.Text),
    sa.UniqueConstraint("study_id", "stage", "number"),
)


@dataclass(frozen=True, kw_only=True)
class StudyEntry:
    """A study as the ledger keeps it."""

    id: int
    name: str
    definition: Mapping[str, Any]
    """Everything that decides what its trials mean: space, benchmark, strategy, seed, limits, budget …"""
    begun_at: str

    @property
    def space(self) -> Space:
        """The space as it was when the study began."""
        data = {key: value for key, value in self.definition["space"].items() if key != "digest"}
        return space_from_data(data, self.name)


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One proposal and what came of it."""

    id: int
    """Of the ledger."""
    study: str
    stage: Stage
    number: int
    """Within its study and stage, counted from 0."""
    state: State
    architecture: Architecture
    evaluation: str
    """Key of what was evaluated and how; equal keys mean the same work."""
    reused_from: int | None
    """The trial whose Record this one took over; None where it was evaluated."""
    begun_at: str
    ended_at: str | None
    proposal: Mapping[str, Any]
    """What the strategy noted about this proposal, for going on."""
    record: Record | None


class Ledger:
    """Studies and trials at a database URL such as `sqlite:///nas.sqlite`."""

    def __init__(self, url: str = DEFAULT_URL, *, create: bool = True) -> None:
        """Open the ledger at `url`; with `create` it is made where there is none.

        Raises:
            LedgerError: the URL is not one of SQLite, or the file cannot be opened or is no ledger.
        """
        self.path = _sqlite_path(url)
        try:
            if not self.path.exists() and not create:
                raise LedgerError(f"There is no ledger at {self.path}; run `nas search` first, or name another with --ledger.")
            if not self.path.parent.is_dir():
                raise LedgerError(f"The ledger's folder {self.path.parent} does not exist; make it first.")
        except OSError as error:
            raise LedgerError(f"{str(self.path)[:80]}… cannot be a ledger: {error.strerror}.") from error
        self.read_only = not create and not os.access(self.path.parent, os.W_OK)
        """Whether it lies where nothing can be written, so that it can only be looked at."""
        self.engine = _engine(self.path, read_only=self.read_only)
        try:
            with self._errors():
                self._prepare()
        except LedgerError:
            self.close()
            raise

    def _prepare(self) -> None:
        """See what the file is before anything is written to it; a ledger that is there is opened without waiting for writers."""
        with self.engine.connect() as connection:
            known = sa.inspect(connection).get_table_names()
            if known and "ledger" not in known:
                raise LedgerError(f"{self.path} is a database of something else; name another file with --ledger.")
            if not self.read_only:
                _switch_to_wal(connection)
        if not known:
            self._create()
        with self.engine.connect() as connection:
            schema = connection.execute(sa.select(_ledgers.c.schema)).scalar()
        if schema != SCHEMA:
            raise LedgerError(f"{self.path} has schema {schema}, this version reads {SCHEMA}; install the version that wrote it.")

    def _create(self) -> None:
        with self.engine.begin() as connection:
            connection.execute(sa.text("BEGIN IMMEDIATE"))  # two processes that start at once take turns
            if not sa.inspect(connection).get_table_names():
                _metadata.create_all(connection)
                connection.execute(_ledgers.insert().values(schema=SCHEMA))

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Say in one line what the database says in a page."""
        try:
            yield
        except sa.exc.DBAPIError as error:
            reason = " ".join(str(error.orig).split())[:200]
            raise LedgerError(f"The ledger {self.path} cannot be used: {reason}.") from error

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()

    def __enter__(self) -> "Ledger":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def driving(self, study: str) -> Iterator[None]:
        """Be the one process that adds trials to `study`; the operating system lets go when the process ends, however it ends.

        Raises:
            LedgerError: another process is driving it.
        """
        _check_name(study)
        lock = FileLock(self.path.with_name(f".{self.path.name}.{study}.lock"))
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise LedgerError(
                f"The study {study!r} is being run by another process; wait for it or name another --study."
            ) from None
        except OSError as error:
            raise LedgerError(f"The study {study!r} cannot be run beside {self.path}: {error.strerror}.") from error
        try:
            yield
        finally:
            lock.release()

    def begin_study(self, name: str, definition: Mapping[str, Any]) -> StudyEntry:
        """The study called `name`, made with `definition` where there is none.

        Raises:
            LedgerError: the name is no slug, or a study of that name has another definition; says what differs.
        """
        _check_name(name)
        with self._errors(), self.engine.begin() as connection:
            connection.execute(sa.text("BEGIN IMMEDIATE"))
            row = connection.execute(_studies.select().where(_studies.c.name == name)).one_or_none()
            if row is None:
                values = {"name": name, "definition": _json(definition), "begun_at": _now()}
                connection.execute(_studies.insert().values(values))
                row = connection.execute(_studies.select().where(_studies.c.name == name)).one()
        entry = _study(row)
        begun, now = meaning(entry.definition), meaning(definition)
        if begun != now:
            raise LedgerError(f"The study {name!r} was begun {_difference(begun, now)}; name another --study.")
        return entry

    def studies(self) -> list[StudyEntry]:
        """All studies, oldest first."""
        with self._errors(), self.engine.connect() as connection:
            return [_study(row) for row in connection.execute(_studies.select().order_by(_studies.c.id))]

    def study(self, name: str) -> StudyEntry:
        """The study called `name`.

        Raises:
            LedgerError: there is none.
        """
        studies = {entry.name: entry for entry in self.studies()}
        if name not in studies:
            raise LedgerError(f"No study in {self.path} is called {quote(name)}. {did_you_mean(name, studies)}")
        return studies[name]

    def trials(self, study: StudyEntry, stage: Stage | None = None) -> list[Trial]:
        """The trials of `study` (of one stage where asked), in the order of their numbers."""
        query = _trials.select().where(_trials.c.study_id == study.id)
        if stage is not None:
            query = query.where(_trials.c.stage == stage)
        with self._errors(), self.engine.connect() as connection:
            rows = connection.execute(query.order_by(_trials.c.stage, _trials.c.number)).all()
        return [_trial(row, study) for row in rows]

    def begin_trial(self, study: StudyEntry, stage: Stage, number: int, architecture: Architecture, evaluation: str) -> Trial:
        """Note that `architecture` is about to be evaluated; returns the running trial."""
        values = {
            "study_id": study.id,
            "stage": stage,
            "number": number,
            "state": "running",
            "architecture": architecture.id,
            "choices": _json(architecture.choices),
            "evaluation": evaluation,
            "begun_at": _now(),
        }
        with self._errors(), self.engine.begin() as connection:
            trial_id = connection.execute(_trials.insert().values(values).returning(_trials.c.id)).scalar_one()
        return Trial(
            id=trial_id,
            study=study.name,
            stage=stage,
            number=number,
            state="running",
            architecture=architecture,
            evaluation=evaluation,
            reused_from=None,
            begun_at=str(values["begun_at"]),
            ended_at=None,
            proposal={},
            record=None,
        )

    def end_trial(
        self, trial: Trial, record: Record, *, proposal: Mapping[str, Any] | None = None, reused_from: int | None = None
    ) -> Trial:
        """Note what came of `trial`; when this returns, it is on the disk. Returns the finished trial."""
        ended = replace(
            trial,
            state=record.outcome,
            ended_at=_now(),
            proposal=proposal or {},
            record=record,
            reused_from=reused_from,
        )
        values = {
            "state": ended.state,
            "evaluation": ended.evaluation,
            "ended_at": ended.ended_at,
            "record": _json(record.to_data()),
            "reused_from": reused_from,
            "proposal": _json(ended.proposal),
        }
        with self._errors(), self.engine.begin() as connection:
            connection.execute(_trials.update().where(_trials.c.id == trial.id).values(values))
        return ended

    def find(self, evaluation: str) -> tuple[int, Record] | None:
        """The first trial, of any study, that did the work called `evaluation` to its end, and its Record; None if nobody did."""
        query = (
            sa.select(_trials.c.id, _trials.c.record)
            .where(_trials.c.evaluation == evaluation, _trials.c.state == "complete", _trials.c.reused_from.is_(None))
            .order_by(_trials.c.id)
            .limit(1)
        )
        with self._errors(), self.engine.connect() as connection:
            row = connection.execute(query).one_or_none()
        return (row.id, Record.from_data(_read(row.record, f"trial {row.id}"))) if row else None


def _engine(path: Path, *, read_only: bool) -> sa.Engine:
    if not read_only:
        engine = sa.create_engine(sa.URL.create("sqlite", database=str(path)))
        sa.event.listen(engine, "connect", _set_pragmas)
        return engine
    # SQLite wants to make files beside a WAL database even to read it, unless it is told that nobody writes. Where a log lies
    # beside it somebody does, or died at it, and what the log holds counts.
    quiet = "" if path.with_name(f"{path.name}-wal").exists() else "&immutable=1"
    uri = f"file:{quote_url(str(path.absolute()))}?mode=ro{quiet}"
    return sa.create_engine("sqlite://", creator=lambda: sqlite3.connect(uri, uri=True), poolclass=sa.NullPool)


def _set_pragmas(connection: Any, _: object) -> None:
    """Wait for other processes, and let a finished write survive a power cut."""
    connection.execute("PRAGMA busy_timeout = 30000")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")


def _switch_to_wal(connection: sa.Connection) -> None:
    """Keep readers and the writer apart. SQLite does not wait by itself where several processes switch a new file at once."""
    for attempt in range(60):
        try:
            if connection.exec_driver_sql("PRAGMA journal_mode").scalar_one() != "wal":
                connection.exec_driver_sql("PRAGMA journal_mode = WAL")
            return
        except sa.exc.OperationalError:
            if attempt == 59:
                raise
            time.sleep(0.05 + random.random() / 10)  # noqa: S311 - so that they do not meet again


def _sqlite_path(url: str) -> Path:
    """The file of a URL, or of a plain path."""
    if url and ":" not in url:
        return Path(url)
    try:
        parsed = sa.make_url(url)
    except (sa.exc.ArgumentError, ValueError):  # ValueError: the port is no number
        parsed = None
    if parsed is None or parsed.get_backend_name() != "sqlite" or not parsed.database or parsed.database == ":memory:":
        kind = (
            f"a {parsed.get_backend_name()} URL" if parsed is not None else "something else"
        )  # never the URL: it may hold a password
        raise LedgerError(f"A ledger is a SQLite file, as in sqlite:///nas.sqlite; got {kind}.")
    return Path(parsed.database)


def _check_name(name: str) -> None:
    if not STUDY_NAME.fullmatch(name):
        raise LedgerError(f"A study's name is letters, digits, '.', '_' and '-', at most 80, got {quote(name)}.")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def _json(value: Any) -> str:
    data = dict(value) if isinstance(value, Mapping) else value
    return json.dumps(data, separators=(",", ":"), allow_nan=False)  # ASCII: a message may hold what UTF-8 cannot


def _read(text: str, place: str) -> Any:
    """The JSON that a row keeps; `place` is what a message calls the row."""
    try:
        return json.loads(text)
    except ValueError as error:
        raise LedgerError(f"The ledger is damaged: {place} holds no JSON; restore the file from a copy.") from error


def _study(row: Any) -> StudyEntry:
    definition = _read(row.definition, f"study {row.name}")
    return StudyEntry(id=row.id, name=row.name, definition=definition, begun_at=row.begun_at)


def _trial(row: Any, study: StudyEntry) -> Trial:
    place = f"{row.stage} trial {row.number} of study {study.name}"
    choices: dict[str, Value] = _read(row.choices, place)
    space: Mapping[str, Any] = study.definition["space"]
    return Trial(
        id=row.id,
        study=study.name,
        stage=row.stage,
        number=row.number,
        state=row.state,
        architecture=Architecture(space["name"], space["version"], choices),
        evaluation=row.evaluation,
        reused_from=row.reused_from,
        begun_at=row.begun_at,
        ended_at=row.ended_at,
        proposal=_read(row.proposal, place) if row.proposal else {},
        record=Record.from_data(_read(row.record, place)) if row.record else None,
    )


_PROSE = {"summary", "source", "licence", "floor", "task"}
"""What a space or a benchmark says of itself; mending a word of it makes no other study."""


def meaning(definition: Mapping[str, Any]) -> dict[str, Any]:
    """What decides about a study's trials, of all that its definition says, as JSON gives it back."""
    data: dict[str, Any] = json.loads(_json(definition))
    for part in ("space", "benchmark"):
        if isinstance(data.get(part), dict):
            data[part] = {key: value for key, value in data[part].items() if key not in _PROSE}
    return data


def _difference(begun: Mapping[str, Any], fresh: Mapping[str, Any]) -> str:
    """What differs first between two definitions, in words."""
    for key in [*begun, *fresh]:
        if begun.get(key) != fresh.get(key):
            if key in {"space", "benchmark"}:
                then, today = (f"{side[key]['name']} version {side[key]['version']}" for side in (begun, fresh))
                if then == today:
                    return f"with another declaration of the {key} {then}"
                return f"with the {key} {then}, now it is {today}"
            return f"with {key} {_words(begun.get(key))}, now it is {_words(fresh.get(key))}"
    return "with the same definition"


def _words(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(_words(item) for item in value) or "none"
    if isinstance(value, dict):
        return ", ".join(f"{key} {_words(item)}" for key, item in value.items() if item is not None) or "none"
    return "none" if value is None else str(value)
