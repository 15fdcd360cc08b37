"""The ledger: studies and trials in a real database, so that finished work is never lost and never done twice.

    study   one space at one benchmark under one definition; the same command goes on with it
    trial   one proposal and its Record; `running` until it is known what came of it

SQLite in WAL mode (a file: readers never wait for the writer, and what is written stays written through a kill), or PostgreSQL.
Several drivers may share a study. A running trial is claimed by one of them, with a lease that it renews; where that lapses, or
its driver is known to be dead, another takes the trial over and raises its fence, and the first can no longer write to it.
"""

import json
import os
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, TypeVar

import sqlalchemy as sa
from filelock import FileLock, Timeout

from nas.errors import AtWork, LeaseLost, LedgerError, NumberTaken, did_you_mean, quote
from nas.records import schema
from nas.records.addresses import DEFAULT_URL, find_address, shown_path
from nas.records.database import OPENING_SECONDS, Database, switch_to_wal
from nas.records.holders import Holder, is_dead
from nas.records.record import Outcome, Record
from nas.records.schema import SCHEMA, ledgers, logs, studies, trials
from nas.space import Architecture, Space, Value, space_from_data

T = TypeVar("T")
Stage = Literal["search", "confirm", "final"]
State = Literal["running"] | Outcome
STUDY_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")
_CREATION = 4803712
"""Of the lock under which PostgreSQL makes the tables: any number that nobody else has."""


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
    holder: str | None = None
    """The driver that works at it, or ended it; None where an older version began it."""
    fence: int = 1
    """Raised by each take-over; who has an older one can no longer write."""
    attempts: int = 1
    """How often somebody set to work at it, less those who gave it back."""
    lease_until: float | None = None
    """While it runs, when others may take it over, in seconds since 1970 by the database's clock; None where they may now."""
    progress: Mapping[str, Any] = field(default_factory=dict)
    """What its driver last told of it while it runs."""


class Ledger:
    """Studies and trials at a database URL such as `sqlite:///nas.sqlite` or `postgresql://USER@HOST/DATABASE`.

    Threads may share it. What it has claimed and not ended when it is closed, others may take over at once.
    """

    def __init__(
        self, url: str = DEFAULT_URL, *, create: bool = True, lease_seconds: float = 60.0, retry_seconds: float = 60.0
    ) -> None:
        """Open the ledger at `url`; with `create` it is made where there is none.

        Args:
            url: of a SQLite file, whose path alone will do, or of a PostgreSQL database. No password is in it; that comes from
                NAS_LEDGER_PASSWORD, PGPASSWORD or a pgpass file.
            create: whether it may be made.
            lease_seconds: how long a trial is claimed for, unless that is renewed.
            retry_seconds: how long a database that went away is waited for.

        Raises:
            LedgerError: the URL is none, or the database cannot be opened or is no ledger.
            Parked: the database does not answer, or its disk is full.
        """
        self.lease_seconds = lease_seconds
        address = find_address(url)
        self.path = address.path
        """The SQLite file; None for PostgreSQL."""
        self.shown = address.shown
        """Its URL for people: without a password, and with ~ for the home directory."""
        self._place = address.place
        if self.path is not None:
            _check_path(self.path, self._place, create=create)
        self.read_only = self.path is not None and not create and not _is_writable(self.path)
        """Whether it lies where nothing can be written, so that it can only be looked at."""
        self.database = Database(address, read_only=self.read_only, retry_seconds=retry_seconds)
        self._schema = SCHEMA
        self._holder = Holder()
        try:
            self._prepare(create)
        except LedgerError:
            self.close()
            raise

    @property
    def holder(self) -> str:
        """The name of this driver, of host, process and chance."""
        return self._holder.name

    @property
    def engine(self) -> sa.Engine:
        """What connects to the database."""
        return self.database.engine

    def beside(self, kind: str) -> Path:
        """The local file or folder of that kind that belongs to the ledger: `nas.sqlite.KIND` next to a SQLite file, and
        `nas-DATABASE.KIND` in the working directory for PostgreSQL.
        """
        return self.database.address.beside(kind)

    def _prepare(self, create: bool) -> None:
        """See what the database is before anything is written; a ledger that is there is opened without waiting for writers."""

        def look(connection: sa.Connection, _: bool) -> int | None:
            known = sa.inspect(connection).get_table_names()
            if not known:
                return None
            if "ledger" not in known:
                other = "file" if self.path is not None else "database"
                raise LedgerError(f"{self._place} is a database of something else; name another {other} with --ledger.")
            return _known_schema(connection, self._place)

        found = self.database.run(look, "BEGIN", OPENING_SECONDS)
        if self.path is not None and not self.read_only:
            self.database.run(lambda connection, _: switch_to_wal(connection), "", OPENING_SECONDS)
        if found is None:
            if not create and self.path is None:
                raise LedgerError(f"There is no ledger at {self._place}; run `nas search` first, or name another with --ledger.")
            found = self.database.write(self._create)
        if found < SCHEMA and not self.read_only and self._is_left_by_older_drivers(create):
            found = self.database.write(self._migrate)
        self._schema = found

    def _is_left_by_older_drivers(self, create: bool) -> bool:
        """Whether no process of the version that locked studies is at work; it would write what this version takes for damage."""
        assert self.path is not None  # noqa: S101 - that version knew files alone
        for lock in self.path.absolute().parent.glob(f".{self.path.name}.*.lock"):
            try:
                with FileLock(lock, timeout=0):
                    pass
            except Timeout:
                if not create:
                    return False  # it can be read as it is
                raise LedgerError(f"{self._place} is in use by an older version of this program; wait for that to end.") from None
        return True

    def _create(self, connection: sa.Connection, _: bool) -> int:
        if self.path is None:
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_CREATION)))
        if not sa.inspect(connection).get_table_names():
            schema.create(connection)
        return _known_schema(connection, self._place)

    def _migrate(self, connection: sa.Connection, _: bool) -> int:
        if self.path is None:
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_CREATION)))
        found = _known_schema(connection, self._place)
        if found < SCHEMA:
            schema.migrate(connection, found)
        return SCHEMA

    def close(self) -> None:
        """Close all connections."""
        self._holder.close()
        self.database.close()

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
        if self.path is None:
            yield
            return
        lock = FileLock(self.path.with_name(f".{self.path.name}.{study}.lock"))
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise LedgerError(
                f"The study {study!r} is being run by another process; wait for it or name another --study."
            ) from None
        except OSError as error:
            raise LedgerError(f"The study {study!r} cannot be run beside {self._place}: {error.strerror}.") from error
        try:
            yield
        finally:
            lock.release()

    # Studies.

    def begin_study(self, name: str, definition: Mapping[str, Any]) -> StudyEntry:
        """The study called `name`, made with `definition` where there is none.

        Raises:
            LedgerError: the name is no slug, or a study of that name has another definition; says what differs.
        """
        _check_name(name)
        entry = {entry.name: entry for entry in self.studies()}.get(name)
        if entry is None:
            values = {"name": name, "definition": _json(definition), "begun_at": _now()}

            def work(connection: sa.Connection, _: bool) -> StudyEntry:
                connection.execute(sa.select(ledgers.c.studies).with_for_update())  # studies are begun one after the other
                row = connection.execute(studies.select().where(studies.c.name == name)).one_or_none()
                if row is None:
                    connection.execute(ledgers.update().values(studies=ledgers.c.studies + 1))
                    row = connection.execute(
                        studies.insert().values(**values, digest=schema.study_digest(**values)).returning(studies)
                    ).one()
                return _study(row, SCHEMA)

            entry = self._write(work)
        begun, now = meaning(entry.definition), meaning(definition)
        if begun != now:
            raise LedgerError(f"The study {name!r} was begun {_difference(begun, now)}; name another --study.")
        return entry

    def studies(self) -> list[StudyEntry]:
        """All studies, oldest first."""
        number = next(column for column in schema.as_of(self._schema, ledgers) if column.name == "studies").label("known")
        query = (
            sa.select(number, *schema.as_of(self._schema, studies))
            .select_from(ledgers.outerjoin(studies, sa.true()))
            .order_by(studies.c.id)
        )
        rows = self.database.read(lambda connection: connection.execute(query).all())
        found = [row for row in rows if row.id is not None]
        if self._schema == SCHEMA and (not rows or rows[0].known != len(found)):
            raise _damaged("a study is missing")
        return [_study(row, self._schema) for row in found]

    def study(self, name: str) -> StudyEntry:
        """The study called `name`.

        Raises:
            LedgerError: there is none.
        """
        known = {entry.name: entry for entry in self.studies()}
        if name not in known:
            raise LedgerError(f"No study in {self._place} is called {quote(name)}. {did_you_mean(name, known)}")
        return known[name]

    def request_stop(self, study: StudyEntry) -> None:
        """Ask all drivers of `study` to stop."""
        query = studies.update().where(studies.c.id == study.id).values(stops=studies.c.stops + 1)
        self._write(lambda connection, _: connection.execute(query).rowcount)

    def stops(self, study: StudyEntry) -> int:
        """How many stops of `study` were ever requested. A driver notes the number as it begins, and stops when it has grown."""
        if self._schema < SCHEMA:
            return 0
        query = sa.select(studies.c.stops).where(studies.c.id == study.id)
        return int(self.database.read(lambda connection: connection.execute(query).scalar_one()))

    # Trials.

    def trials(self, study: StudyEntry, stage: Stage | None = None) -> list[Trial]:
        """The trials of `study` (of one stage where asked), in the order of their numbers."""
        stages = [stage] if stage is not None else list(_STAGES)
        joined = trials.c.study_id == studies.c.id
        if stage is not None:
            joined &= trials.c.stage == stage
        # One statement, which sees the sum and the trials at one moment.
        total = sum((schema.sum_of(name) for name in stages), start=sa.literal(0)) if self._schema == SCHEMA else sa.literal(0)
        query = (
            sa.select(total.label("sum"), *schema.as_of(self._schema, trials))
            .select_from(studies.outerjoin(trials, joined))
            .where(studies.c.id == study.id)
            .order_by(trials.c.stage, trials.c.number)
        )
        rows = self.database.read(lambda connection: connection.execute(query).all())
        found = [_trial(row, study, self._schema) for row in rows if row.id is not None]
        if self._schema == SCHEMA and (not rows or rows[0].sum != sum(row.digest for row in rows if row.id is not None)):
            raise _damaged(f"trials of study {study.name} are missing")
        return found

    def begin_trial(self, study: StudyEntry, stage: Stage, number: int, architecture: Architecture, evaluation: str) -> Trial:
        """Claim `architecture`, which is about to be evaluated; returns the running trial.

        Raises:
            NumberTaken: the study has a trial of that number in that stage.
            AtWork: a driver that is alive is at the same evaluation, in this study and stage.
        """
        values: dict[str, Any] = {
            "study_id": study.id,
            "stage": stage,
            "number": number,
            "state": "running",
            "architecture": architecture.id,
            "choices": _json(architecture.choices),
            "evaluation": evaluation,
            "begun_at": _now(),
            "holder": self.holder,
        }
        values["digest"] = schema.trial_digest({**_NOT_ENDED, **values})
        same = (trials.c.study_id == study.id) & (trials.c.stage == stage)
        taken = trials.select().where(same & (trials.c.number == number))

        def work(connection: sa.Connection, again: bool) -> Any:
            revision = _change(connection, study, stage, values["digest"])
            there = connection.execute(taken).one_or_none()
            if there is not None:
                if again and (there.holder, there.begun_at, there.digest) == (self.holder, values["begun_at"], values["digest"]):
                    connection.rollback()
                    return there
                raise NumberTaken(f"The study {study.name!r} has a {stage} trial {number} already; take the next number.")
            others = sa.select(trials.c.number, trials.c.holder, self._is_over()).where(
                same & (trials.c.state == "running") & (trials.c.evaluation == evaluation) & (trials.c.holder != self.holder)
            )
            for other in connection.execute(others):
                if not other.over and not is_dead(other.holder):
                    raise AtWork(
                        f"Another process is at work on the architecture {architecture.id} for the study {study.name!r}, "
                        f"as {stage} trial {other.number}."
                    )
            insertion = trials.insert().values(**values, revision=revision, lease_until=self._lease())
            return connection.execute(insertion.returning(trials)).one()

        return _trial(self._write(work), study, SCHEMA)

    def end_trial(
        self,
        trial: Trial,
        record: Record,
        *,
        proposal: Mapping[str, Any] | None = None,
        reused_from: int | None = None,
        log: str = "",
    ) -> Trial:
        """Note what came of `trial`, and what it printed; when this returns, it is on the disk. Returns the finished trial.

        Raises:
            LeaseLost: another driver took the trial over, or it has ended otherwise; nothing is written.
        """
        ended = replace(
            trial,
            state=record.outcome,
            ended_at=_now(),
            proposal=proposal or {},
            record=record,
            reused_from=reused_from,
            lease_until=None,
            progress={},
        )
        values = {
            "state": ended.state,
            "evaluation": ended.evaluation,
            "ended_at": ended.ended_at,
            "record": _json(record.to_data()),
            "reused_from": reused_from,
            "proposal": _json(ended.proposal),
            "log": schema.digest([log]) if log else None,
        }

        def work(connection: sa.Connection, again: bool) -> None:
            before = connection.execute(
                sa.select(trials, studies.c.id.label("of")).join(studies).where(trials.c.id == trial.id)
            ).one_or_none()
            if before is None:
                raise _lost(trial)
            digest = schema.trial_digest({**before._mapping, **values})
            if before.fence != trial.fence or before.state != "running":
                if again and before.fence == trial.fence and before.digest == digest:
                    return  # it was written, and the answer lost
                raise _lost(trial)
            # Under the study's lock, where nobody can take the trial over between this and the end.
            revision = _change(connection, before.of, trial.stage, digest - before.digest)
            query = trials.update().where(trials.c.id == trial.id, trials.c.fence == trial.fence, trials.c.state == "running")
            query = query.values(**values, digest=digest, revision=revision, lease_until=None, progress=None)
            if not connection.execute(query).rowcount:
                raise _lost(trial)
            if log:
                connection.execute(logs.insert().values(trial_id=trial.id, text=schema.pack(log)))

        self._write(work)
        return ended

    def renew(self, running: Iterable[Trial], progress: Mapping[int, Mapping[str, Any]] | None = None) -> set[int]:
        """Claim these trials for another while, and note the progress of some, by id; returns the ids of those that are lost."""
        wanted = sorted(running, key=lambda trial: trial.id)  # in one order, so that two drivers never wait for each other
        notes = {trial_id: _json(note) for trial_id, note in (progress or {}).items()}

        def work(connection: sa.Connection, _: bool) -> set[int]:
            lost = set()
            for trial in wanted:
                ours = (trials.c.id == trial.id) & (trials.c.fence == trial.fence)
                values: dict[str, Any] = {"lease_until": self._lease()}
                if trial.id in notes:
                    values["progress"] = notes[trial.id]
                held = ours & (trials.c.state == "running") & trials.c.lease_until.is_not(None)
                renewed = connection.execute(trials.update().where(held).values(values)).rowcount
                # One that has ended since, or was given back, is not lost.
                if not renewed and connection.execute(sa.select(trials.c.id).where(ours)).one_or_none() is None:
                    lost.add(trial.id)
            return lost

        return self._write(work) if wanted else set()

    def give_back(self, running: Collection[Trial]) -> None:
        """Work no longer at these trials; any driver may take them over at once."""
        wanted = sorted(running, key=lambda trial: trial.id)

        def work(connection: sa.Connection, _: bool) -> None:
            for trial in wanted:
                held = (trials.c.id == trial.id) & (trials.c.fence == trial.fence) & (trials.c.state == "running")
                connection.execute(trials.update().where(held).values(lease_until=None))

        if wanted:
            self._write(work)

    def retry(self, trial: Trial) -> Trial:
        """Begin `trial`, whose worker died, once more under the same claim: one attempt more, and a new lease.

        Raises:
            LeaseLost: another driver took it over, or it has ended.
        """
        held = (trials.c.id == trial.id) & (trials.c.fence == trial.fence) & (trials.c.state == "running")

        def work(connection: sa.Connection, _: bool) -> Trial:
            values = {"attempts": trial.attempts + 1, "lease_until": self._lease(), "progress": None}
            query = trials.update().where(held).values(values).returning(trials.c.attempts, trials.c.lease_until)
            row = connection.execute(query).one_or_none()
            if row is None:
                raise _lost(trial)
            return replace(trial, attempts=row.attempts, lease_until=row.lease_until, progress={})

        return self._write(work)

    def take_over(self, study: StudyEntry) -> list[Trial]:
        """The running trials of `study` that nobody works at any more, in the order of their numbers; now this driver does.

        Nobody works at what was given back or left by an older version, at what a driver has that is known to be dead, and at
        what has a lease that is over.
        """
        query = (
            sa.select(trials, self._is_over())
            .where(trials.c.study_id == study.id, trials.c.state == "running")
            .order_by(trials.c.stage, trials.c.number)
        )
        if self._schema < SCHEMA or not any(map(self._may_take, self.database.read(lambda c: c.execute(query).all()))):
            return []
        taken: dict[int, int] = {}
        """Id → fence of what an earlier turn took, whose answer may have been lost."""

        def work(connection: sa.Connection, again: bool) -> list[Any]:
            revision = _change(connection, study)
            rows = []
            for row in connection.execute(query.with_only_columns(trials, self._is_over())).all():
                if again and row.holder == self.holder and taken.get(row.id) == row.fence:
                    rows.append(row)
                    continue
                if not self._may_take(row):
                    continue
                values = {
                    "holder": self.holder,
                    "fence": row.fence + 1,
                    "attempts": row.attempts + (row.lease_until is not None),
                    "lease_until": self._lease(),
                    "progress": None,
                    "revision": revision,
                }
                taken[row.id] = row.fence + 1
                rows.append(
                    connection.execute(trials.update().where(trials.c.id == row.id).values(values).returning(trials)).one()
                )
            return rows

        return [_trial(row, study, SCHEMA) for row in self._write(work)]

    def changes(self, study: StudyEntry, after: int) -> tuple[int, list[Trial]]:
        """The study's revision now, and the trials that other drivers began, ended or took over after revision `after`."""
        seen = sa.select(studies.c.revision).where(studies.c.id == study.id)
        if self._schema < SCHEMA or self.database.read(lambda c: c.execute(seen).scalar_one()) == after:
            return after, []
        changed = (
            (trials.c.study_id == studies.c.id)
            & (trials.c.revision > after)
            & (trials.c.holder.is_(None) | (trials.c.holder != self.holder))
        )
        query = (
            sa.select(studies.c.revision.label("now"), trials)
            .select_from(studies.outerjoin(trials, changed))
            .where(studies.c.id == study.id)
            .order_by(trials.c.revision, trials.c.id)
        )
        rows = self.database.read(lambda connection: connection.execute(query).all())
        return int(rows[0].now), [_trial(row, study, SCHEMA) for row in rows if row.id is not None]

    def log(self, trial: Trial) -> str:
        """What `trial` printed and what befell it, as `end_trial` was given it; empty where nothing was kept."""
        if self._schema < SCHEMA:
            return ""
        query = sa.select(trials.c.log, logs.c.text).select_from(trials.outerjoin(logs)).where(trials.c.id == trial.id)
        row = self.database.read(lambda connection: connection.execute(query).one())
        if row.log is None:
            return ""
        try:
            return schema.unpack(row.text, row.log)
        except ValueError:
            raise _damaged(f"the log of {_title(trial)} is not as it was written") from None

    def find(self, evaluation: str) -> tuple[int, Record] | None:
        """The first trial, of any study, that did the work called `evaluation` to its end, and its Record; None if nobody did."""
        query = (
            sa.select(*schema.as_of(self._schema, trials))
            .where(trials.c.evaluation == evaluation, trials.c.state == "complete", trials.c.reused_from.is_(None))
            .order_by(trials.c.id)
            .limit(1)
        )
        row = self.database.read(lambda connection: connection.execute(query).one_or_none())
        if row is None:
            return None
        _check(row, f"trial {row.id}", self._schema)
        return row.id, Record.from_data(_read(row.record, f"trial {row.id}"))

    def _write(self, work: Callable[[sa.Connection, bool], T]) -> T:
        if self._schema < SCHEMA:
            raise LedgerError(f"{self._place} is of an older version and cannot be changed now; it can only be read.")
        return self.database.write(work)

    def _lease(self) -> sa.ColumnElement[float]:
        return self.database.now() + self.lease_seconds

    def _is_over(self) -> sa.ColumnElement[bool]:
        """Whether nobody has a trial by lease."""
        lapsed = trials.c.lease_until.is_(None) | (trials.c.lease_until < self.database.now())
        return sa.case((lapsed, 1), else_=0).label("over")

    def _may_take(self, row: Any) -> bool:
        if row.lease_until is None or row.holder is None:
            return True
        return row.holder != self.holder and (bool(row.over) or is_dead(row.holder))


_STAGES: tuple[Stage, ...] = ("search", "confirm", "final")
_NOT_ENDED = dict.fromkeys(("reused_from", "ended_at", "proposal", "record", "log"))


def _change(connection: sa.Connection, study: StudyEntry | int, stage: Stage | None = None, difference: int = 0) -> int:
    """The revision of a change to the trials of `study`, which nobody else changes until the transaction is over."""
    values: dict[str, Any] = {"revision": studies.c.revision + 1}
    if stage is not None:
        values[schema.sum_of(stage).name] = schema.sum_of(stage) + difference
    query = studies.update().where(studies.c.id == (study if isinstance(study, int) else study.id)).values(values)
    return int(connection.execute(query.returning(studies.c.revision)).scalar_one())


def _check_path(path: Path, place: str, *, create: bool) -> None:
    try:
        if not path.exists() and not create:
            raise LedgerError(f"There is no ledger at {place}; run `nas search` first, or name another with --ledger.")
        if not path.parent.is_dir():
            raise LedgerError(f"The ledger's folder {shown_path(path.parent)} does not exist; make it first.")
    except OSError as error:
        raise LedgerError(f"{place[:80]}… cannot be a ledger: {error.strerror}.") from error


def _is_writable(path: Path) -> bool:
    return os.access(path.parent, os.W_OK) and (not path.exists() or os.access(path, os.W_OK))


def _known_schema(connection: sa.Connection, place: str) -> int:
    found = connection.execute(sa.select(ledgers.c.schema)).scalar()
    if not isinstance(found, int) or not 1 <= found <= SCHEMA:
        raise LedgerError(f"{place} has schema {found}, this version reads {SCHEMA}; install the version that wrote it.")
    return found


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
    except (TypeError, ValueError) as error:
        raise _damaged(f"{place} holds no JSON") from error


def _damaged(what: str) -> LedgerError:
    return LedgerError(f"The ledger is damaged: {what}; restore it from a copy.")


def _lost(trial: Trial) -> LeaseLost:
    return LeaseLost(f"The {_title(trial)} was taken over or ended by another process; what came of it here is left aside.")


def _title(trial: Trial) -> str:
    return f"{trial.stage} trial {trial.number} of study {trial.study}"


def _check(row: Any, place: str, schema_of_row: int) -> None:
    if schema_of_row == SCHEMA and row.digest != schema.trial_digest(row):
        raise _damaged(f"{place} is not as it was written")


def _study(row: Any, schema_of_row: int) -> StudyEntry:
    if schema_of_row == SCHEMA and row.digest != schema.study_digest(row.name, row.definition, row.begun_at):
        raise _damaged(f"study {quote(row.name)} is not as it was written")
    definition = _read(row.definition, f"study {row.name}")
    return StudyEntry(id=row.id, name=row.name, definition=definition, begun_at=row.begun_at)


def _trial(row: Any, study: StudyEntry, schema_of_row: int) -> Trial:
    place = f"{row.stage} trial {row.number} of study {study.name}"
    _check(row, place, schema_of_row)
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
        holder=row.holder,
        fence=row.fence,
        attempts=row.attempts,
        lease_until=row.lease_until,
        progress=_read(row.progress, place) if row.progress else {},
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
