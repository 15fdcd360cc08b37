"""The ledger: studies and trials in a real database, so that finished work is never lost and never done twice.

    study   one space at one benchmark under one definition; the same command goes on with it
    trial   one proposal and its Record; `running` until it is known what came of it

SQLite in WAL mode (a file: readers never wait for the writer, and what is written stays written through a kill), or PostgreSQL.
Several drivers may share a study. A running trial is claimed by one of them, with a lease that it renews; where that lapses, or
its driver is known to be dead, another takes the trial over and raises its fence, and the first can no longer write to it.
"""

import json
import os
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from glob import escape
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa
from filelock import FileLock, Timeout

from nas.errors import AtWork, LeaseLost, LedgerError, NumberTaken, did_you_mean, quote
from nas.records import statements
from nas.records.addresses import DEFAULT_URL, find_address, shown_path
from nas.records.database import OPENING_SECONDS, Database, switch_to_wal
from nas.records.definitions import difference, meaning, to_json
from nas.records.holders import Holder, is_dead
from nas.records.record import Record
from nas.records.schema import (
    DIGESTED,
    SCHEMA,
    STAGES,
    Stage,
    create_tables,
    digest,
    digest_of_trial,
    migrate,
    pack,
    study_digest,
    unpack,
)
from nas.records.trials import STUDY_NAME, StudyEntry, Trial, damaged, read_record, read_study, read_trial
from nas.space import Architecture

T = TypeVar("T")
_CREATION = 4803712
"""Of the lock under which PostgreSQL makes the tables: any number that nobody else has."""


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
        self._version = SCHEMA
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
            return _version_of(connection, self._place)

        found = self.database.run(look, "BEGIN", OPENING_SECONDS)
        if found is None and not create:
            raise LedgerError(f"There is no ledger at {self._place}; run `nas search` first, or name another with --ledger.")
        if self.path is not None and not self.read_only:
            self.database.run(lambda connection, _: switch_to_wal(connection), "", OPENING_SECONDS)
        if found is None:
            found = self.database.write(self._create)
        if found < SCHEMA and not self.read_only and self._is_left_by_older_drivers(found, create):
            found = self.database.write(self._migrate)
        self._version = found
        self.database.may_make = False

    def _is_left_by_older_drivers(self, version: int, create: bool) -> bool:
        """Whether no process of that version is at work; it would write or meet what one of the two takes for damage."""
        if not (self._is_locked() if version < DIGESTED else self._is_held()):
            return True
        if not create:
            return False  # it can be read as it is
        raise LedgerError(f"{self._place} is in use by an older version of this program; wait for that to end.")

    def _is_locked(self) -> bool:
        """Whether a process holds a study by a lock, as those of version 1 did."""
        assert self.path is not None  # noqa: S101 - that version knew files alone
        for lock in self.path.absolute().parent.glob(f".{escape(self.path.name)}.*.lock"):
            try:
                with FileLock(lock, timeout=0):
                    pass
            except PermissionError:
                pass  # somebody else's, of which nothing can be told
            except Timeout:
                return True
        return False

    def _is_held(self) -> bool:
        """Whether a driver that is alive holds a trial by a lease."""
        return any(not row.over and not is_dead(row.holder) for row in self._read(statements.HELD))

    def _create(self, connection: sa.Connection, _: bool) -> int:
        if self.path is None:
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_CREATION)))
        if not sa.inspect(connection).get_table_names():
            create_tables(connection)
        return _version_of(connection, self._place)

    def _migrate(self, connection: sa.Connection, _: bool) -> int:
        if self.path is None:
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_CREATION)))
        found = _version_of(connection, self._place)
        if found < SCHEMA:
            migrate(connection, found)
        return SCHEMA

    def close(self) -> None:
        """Close all connections."""
        self._holder.close()
        self.database.close()

    def __enter__(self) -> "Ledger":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # Studies.

    def begin_study(self, name: str, definition: Mapping[str, Any]) -> StudyEntry:
        """The study called `name`, made with `definition` where there is none.

        Raises:
            LedgerError: the name is no slug, or a study of that name has another definition; says what differs.
        """
        _check_name(name)
        entry = {entry.name: entry for entry in self.studies()}.get(name)
        if entry is None:
            values = {"name": name, "definition": to_json(definition), "begun_at": _now()}

            def work(connection: sa.Connection, _: bool) -> StudyEntry:
                connection.execute(statements.LOCK_LEDGER)
                row = connection.execute(statements.FIND_STUDY, {"called": name}).one_or_none()
                if row is None:
                    connection.execute(statements.COUNT_STUDY)
                    row = connection.execute(statements.ADD_STUDY, {**values, "digest": study_digest(**values)}).one()
                return read_study(row, SCHEMA)

            entry = self._write(work)
        begun, now = meaning(entry.definition), meaning(definition)
        if begun != now:
            raise LedgerError(f"The study {name!r} was begun {difference(begun, now)}; name another --study.")
        return entry

    def studies(self) -> list[StudyEntry]:
        """All studies, oldest first."""
        rows = self._read(statements.all_studies(self._version))
        found = [row for row in rows if row.id is not None]
        if self._version >= DIGESTED and (not rows or rows[0].known != len(found)):
            raise damaged("a study is missing")
        return [read_study(row, self._version) for row in found]

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
        self._write(lambda connection, _: connection.execute(statements.ADD_STOP, {"study": study.id}).rowcount)

    def stops(self, study: StudyEntry) -> int:
        """How many stops of `study` were ever requested. A driver notes the number as it begins, and stops when it has grown."""
        return int(self._read_one(statements.STOPS, study=study.id).stops) if self._version >= DIGESTED else 0

    # Trials.

    def trials(self, study: StudyEntry, stage: Stage | None = None) -> list[Trial]:
        """The trials of `study` (of one stage where asked), in the order of their numbers."""
        rows = self._read(statements.trials_of(self._version, stage), study=study.id)
        found = [row for row in rows if row.id is not None]
        trials = [read_trial(row, study, self._version) for row in found]
        if self._version >= DIGESTED and (not rows or rows[0].total != sum(row.digest for row in found)):
            raise damaged(f"trials of study {study.name} are missing")
        return trials

    def begin_trial(self, study: StudyEntry, stage: Stage, number: int, architecture: Architecture, evaluation: str) -> Trial:
        """Claim `architecture`, which is about to be evaluated; returns the running trial.

        Raises:
            NumberTaken: the study has a trial of that number in that stage.
            AtWork: a driver that is alive is at the same evaluation, in this study and stage.
        """
        trial = Trial(
            id=0,
            study=study.name,
            stage=stage,
            number=number,
            state="running",
            architecture=architecture,
            evaluation=evaluation,
            reused_from=None,
            begun_at=_now(),
            ended_at=None,
            proposal={},
            record=None,
            holder=self.holder,
        )
        values: dict[str, Any] = {
            "study_id": study.id,
            "stage": stage,
            "number": number,
            "state": "running",
            "architecture": architecture.id,
            "choices": to_json(architecture.choices),
            "evaluation": evaluation,
            "begun_at": trial.begun_at,
        }
        values |= dict.fromkeys(("reused_from", "ended_at", "proposal", "record", "log"))
        values |= {"digest": digest_of_trial(values), "us": self.holder, "seconds": self.lease_seconds}

        def work(connection: sa.Connection, again: bool) -> Trial:
            raising = statements.RAISE_REVISION_AND_SUM[stage]
            revision = connection.execute(raising, {"study": study.id, "difference": values["digest"]}).scalar_one()
            for other in connection.execute(statements.AT_WORK, {"evaluation": evaluation, "us": self.holder}):
                same = (other.study_id, other.stage) == (study.id, stage)
                if same and other.number != number and not other.over and not is_dead(other.holder):
                    raise AtWork(
                        f"Another process is at work on the architecture {architecture.id} for the study {study.name!r}, "
                        f"as {stage} trial {other.number}."
                    )
            begun = connection.execute(statements.begin(connection.dialect.name), {**values, "revision": revision}).one_or_none()
            if begun is None:
                begun = connection.execute(statements.AT_NUMBER, {"study": study.id, "stage": stage, "number": number}).one()
                connection.rollback()
                ours = (begun.holder, begun.digest) == (self.holder, values["digest"])
                if not again or not ours:  # else it was begun, and the answer lost
                    raise NumberTaken(f"The study {study.name!r} has a {stage} trial {number} already; take the next number.")
            return replace(trial, id=begun.id, lease_until=begun.lease_until)

        return self._write(work)

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
            "record": to_json(record.to_data()),
            "reused_from": reused_from,
            "proposal": to_json(ended.proposal),
            "log": digest([log]) if log else None,
        }

        def work(connection: sa.Connection, again: bool) -> None:
            before = connection.execute(statements.BEFORE_END, {"trial": trial.id}).one_or_none()
            if before is None:
                raise _lost(trial)
            mark = digest_of_trial({**before._mapping, **values})
            if before.fence != trial.fence or before.state != "running":
                if again and before.fence == trial.fence and before.digest == mark:
                    return  # it was written, and the answer lost
                raise _lost(trial)
            raising = statements.RAISE_REVISION_AND_SUM[trial.stage]
            raised = {"study": before.study_id, "difference": mark - before.digest}
            revision = connection.execute(raising, raised).scalar_one()
            new = {f"new_{name}": value for name, value in {**values, "digest": mark, "revision": revision}.items()}
            # From here on nobody takes it over, but somebody may have done so up to here.
            if not connection.execute(statements.END, {**_claim(trial), **new}).rowcount:
                raise _lost(trial)
            if log:
                connection.execute(statements.ADD_LOG, {"trial": trial.id, "packed": pack(log)})

        self._write(work)
        return ended

    def note(self, trial: Trial, proposal: Mapping[str, Any]) -> Trial:
        """Keep what the strategy noted about `trial`, which has ended; returns it with the note.

        Raises:
            LeaseLost: another driver took it over before it had ended.
        """
        told = to_json(proposal)

        def work(connection: sa.Connection, _: bool) -> None:
            before = connection.execute(statements.BEFORE_END, {"trial": trial.id}).one_or_none()
            if before is None or before.fence != trial.fence:
                raise _lost(trial)
            mark = digest_of_trial({**before._mapping, "proposal": told})
            raised = {"study": before.study_id, "difference": mark - before.digest}
            revision = connection.execute(statements.RAISE_REVISION_AND_SUM[trial.stage], raised).scalar_one()
            new = {"new_proposal": told, "new_digest": mark, "new_revision": revision}
            connection.execute(statements.NOTE, {"trial": trial.id, **new})

        self._write(work)
        return replace(trial, proposal=proposal)

    def add_figures(self, trial: Trial, figures: Mapping[str, float], note: str = "") -> Trial:
        """Add figures that were measured after `trial` was complete to its Record, and a note, once; returns the trial with them.

        A figure that is there already is replaced. Drivers at work do not hear of it: the trial ended before.

        Raises:
            LedgerError: the trial is not complete.
        """

        def work(connection: sa.Connection, _: bool) -> str:
            raised = {"study": connection.execute(statements.STUDY_OF, {"trial": trial.id}).scalar_one()}
            connection.execute(statements.RAISE_REVISION, raised)  # from here on nobody else changes a trial of the study
            before = connection.execute(statements.BEFORE_END, {"trial": trial.id}).one()
            if before.state != "complete":
                raise LedgerError(f"The {trial.title} is {before.state}, and figures are added to what is complete.")
            data = json.loads(before.record)
            notes = [*data.get("notes", ())]
            told = notes if not note or note in notes else [*notes, note]
            record = to_json({**data, "figures": {**data["figures"], **figures}, "notes": told})
            mark = digest_of_trial({**before._mapping, "record": record})
            raised["difference"] = mark - before.digest
            connection.execute(statements.RAISE_REVISION_AND_SUM[trial.stage], raised)
            connection.execute(statements.AMEND, {"trial": trial.id, "new_record": record, "new_digest": mark})
            return record

        return replace(trial, record=Record.from_data(json.loads(self._write(work))))

    def renew(self, running: Iterable[Trial], progress: Mapping[int, Mapping[str, Any]] | None = None) -> set[int]:
        """Claim these trials for another while, and note the progress of some, by id; returns the ids of those that are lost."""
        wanted = sorted(running, key=lambda trial: trial.id)  # in one order, so that two drivers never wait for each other
        notes = {trial_id: to_json(note) for trial_id, note in (progress or {}).items()}

        def work(connection: sa.Connection, _: bool) -> set[int]:
            lost = set()
            for trial in wanted:
                values = {**_claim(trial), "seconds": self.lease_seconds}
                if trial.id in notes:
                    done = connection.execute(statements.RENEW_AND_TELL, {**values, "told": notes[trial.id]})
                else:
                    done = connection.execute(statements.RENEW, values)
                # One that has ended since, or was given back, is not lost.
                if not done.rowcount and connection.execute(statements.HOLDS, _claim(trial)).one_or_none() is None:
                    lost.add(trial.id)
            return lost

        return self._write(work) if wanted else set()

    def retry(self, trial: Trial) -> Trial:
        """Begin `trial`, whose worker died, once more under the same claim: one attempt more, and a new lease.

        Raises:
            LeaseLost: another driver took it over, or it has ended.
        """
        values = {**_claim(trial), "attempt": trial.attempts + 1, "seconds": self.lease_seconds}

        def work(connection: sa.Connection, _: bool) -> Trial:
            row = connection.execute(statements.RETRY, values).one_or_none()
            if row is None:
                raise _lost(trial)
            return replace(trial, attempts=row.attempts, lease_until=row.lease_until, progress={})

        return self._write(work)

    def give_back(self, running: Collection[Trial]) -> None:
        """Work no longer at these trials; any driver may take them over at once."""
        wanted = sorted(running, key=lambda trial: trial.id)

        def work(connection: sa.Connection, _: bool) -> None:
            for trial in wanted:
                connection.execute(statements.GIVE_BACK, _claim(trial))

        if wanted:
            self._write(work)

    def running(self, study: StudyEntry) -> list[Trial]:
        """The trials of `study` that have not ended, with what their drivers last told of them."""
        if self._version < DIGESTED:
            return [trial for trial in self.trials(study) if trial.state == "running"]
        return [read_trial(row, study, self._version) for row in self._read(statements.RUNNING, study=study.id)]

    def take_over(self, study: StudyEntry, stages: Collection[Stage] = STAGES) -> list[Trial]:
        """The running trials of `study` that nobody works at any more, in the order of their numbers; now this driver does.

        Nobody works at what was given back or left by an older version, at what a driver has that is known to be dead, and at
        what has a lease that is over.
        """
        running = [] if self._version < SCHEMA else self._read(statements.RUNNING, study=study.id)
        if not any(row.stage in stages and self._may_take(row) for row in running):
            return []
        taken: dict[int, int] = {}
        """Id → fence of what an earlier turn took, whose answer was lost."""

        def work(connection: sa.Connection, again: bool) -> list[Any]:
            revision = connection.execute(statements.RAISE_REVISION, {"study": study.id}).scalar_one()
            rows = []
            for row in connection.execute(statements.RUNNING, {"study": study.id}).all():
                if again and row.holder == self.holder and taken.get(row.id) == row.fence:
                    rows.append(row)
                elif row.stage in stages and self._may_take(row):
                    taken[row.id] = row.fence + 1
                    values = {"trial": row.id, "us": self.holder, "seconds": self.lease_seconds, "new_revision": revision}
                    rows.append(connection.execute(statements.TAKE, values).one())
            return rows

        return [read_trial(row, study, self._version) for row in self._write(work)]

    def changes(self, study: StudyEntry, after: int) -> tuple[int, list[Trial]]:
        """The study's revision now, and the trials that other drivers began, ended or took over after revision `after`."""
        if self._version < DIGESTED or self._read_one(statements.REVISION, study=study.id).revision == after:
            return after, []
        rows = self._read(statements.CHANGED, study=study.id, after=after, us=self.holder)
        return int(rows[0].latest), [read_trial(row, study, self._version) for row in rows if row.id is not None]

    def log(self, trial: Trial) -> str:
        """What `trial` printed and what befell it, as `end_trial` was given it; empty where nothing was kept."""
        if self._version < DIGESTED:
            return ""
        row = self._read_one(statements.FIND_LOG, trial=trial.id)
        try:
            return unpack(row.text, row.log) if row.log is not None else ""
        except ValueError:
            raise damaged(f"the log of {trial.title} is not as it was written") from None

    def find(self, evaluation: str) -> tuple[int, Record] | None:
        """The first trial, of any study, that did the work called `evaluation` to its end, and its Record; None if nobody did."""
        rows = self._read(statements.first_complete(self._version), evaluation=evaluation)
        return (rows[0].id, read_record(rows[0], self._version)) if rows else None

    def _read(self, query: sa.Select[Any], **values: Any) -> Sequence[Any]:
        return self.database.read(lambda connection: connection.execute(query, values).all())

    def _read_one(self, query: sa.Select[Any], **values: Any) -> Any:
        return self.database.read(lambda connection: connection.execute(query, values).one())

    def _write(self, work: Callable[[sa.Connection, bool], T]) -> T:
        if self._version < SCHEMA:
            raise LedgerError(f"{self._place} is of an older version and cannot be changed now; it can only be read.")
        return self.database.write(work)

    def _may_take(self, row: Any) -> bool:
        if row.lease_until is None or row.holder is None:
            return True
        return row.holder != self.holder and (bool(row.over) or is_dead(row.holder))


def _claim(trial: Trial) -> dict[str, int]:
    return {"trial": trial.id, "held": trial.fence}


def _lost(trial: Trial) -> LeaseLost:
    return LeaseLost(f"The {trial.title} was taken over or ended by another process; what came of it here is left aside.")


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


def _version_of(connection: sa.Connection, place: str) -> int:
    found = connection.execute(statements.FIND_VERSION).scalar()
    if not isinstance(found, int) or not 1 <= found <= SCHEMA:
        raise LedgerError(f"{place} has schema {found}, this version reads {SCHEMA}; install the version that wrote it.")
    return found


def _check_name(name: str) -> None:
    if not STUDY_NAME.fullmatch(name):
        raise LedgerError(
            f"A study's name is letters of a to z, digits, '.', '_' and '-', at most 80, no sign first; got {quote(name)}."
        )


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
