"""A study and a trial as the ledger keeps them, read from its rows; a row that is not as it was written is refused."""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache, partial
from itertools import chain
from typing import Any, Literal

from nas.errors import LedgerError, printable, quote
from nas.records import schema
from nas.records.markup import html_choices, html_table
from nas.records.record import Epoch, Outcome, Record
from nas.records.schema import DIGESTED, Stage
from nas.space import Architecture, Space, space_from_data

State = Literal["running"] | Outcome


STUDY_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")
LONGEST = 100_000_000
"""Characters of JSON that are read from one field: a ledger may be somebody else's."""
DEEPEST = 200
"""Levels of a study's definition."""

_STAGES = {*schema.STAGES}
_STATES = {"running", "complete", "pruned", "infeasible", "failed"}
_NUMBERS = {float, int}
_ANSWERS = {str, int, float, bool, type(None)}
_KINDS: list[tuple[type, ...]] = [
    (column.type.python_type, *([int] if column.type.python_type is float else []), *([type(None)] if column.nullable else []))
    for column in schema.trials.c
]
"""What each field of a trial may be."""


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

    @property
    def title(self) -> str:
        """What a message calls it."""
        return f"{self.stage} trial {self.number} of study {self.study}"

    def _repr_html_(self) -> str:
        """What a notebook shows: what it is, what came of it, and its choices, folded."""
        named = html_table(
            (), [("architecture", self.architecture.id), ("state", self.state), ("begun", self.begun_at)], self.title
        )
        return named + (self.record._repr_html_() if self.record else "") + html_choices(self.architecture.choices)


def read_study(row: Any, version: int) -> StudyEntry:
    """The study of a row that was read from tables of that version.

    Raises:
        LedgerError: it is not as it was written.
    """
    if version >= DIGESTED and row.digest != schema.study_digest(row.name, row.definition, row.begun_at):
        raise damaged(f"study {quote(row.name)} is not as it was written")
    if not isinstance(row.name, str) or not STUDY_NAME.fullmatch(row.name):  # folders are named after it
        raise damaged(f"a study is called {quote(row.name)}, which is no name of one")
    definition = _object(row.definition, f"study {row.name}")
    space = definition.get("space")
    named = isinstance(space, dict) and isinstance(space.get("name"), str) and isinstance(space.get("version"), int)
    if not named or _depth(definition, DEEPEST) > DEEPEST or not isinstance(row.begun_at, str):
        raise damaged(f"study {row.name} is none that this program writes")
    return StudyEntry(id=row.id, name=row.name, definition=definition, begun_at=row.begun_at)


def read_trial(row: Any, study: StudyEntry, version: int) -> Trial:
    """The trial of a row that was read from tables of that version, its columns first and in the table's order.

    Raises:
        LedgerError: it is not as it was written.
    """
    values = row[: len(_KINDS)]  # by place: by name it takes a quarter of the time that thousands of trials take to read
    trial_id, _, stage, number, state, _, choices, evaluation, reused_from, begun_at, ended_at, proposal, record, _, *more = (
        values
    )
    holder, fence, attempts, lease_until, progress, _, mark = more
    place = f"{stage} trial {number} of study {study.name}"
    if version >= DIGESTED and mark != schema.trial_digest(values):
        raise damaged(f"{place} is not as it was written")
    answers = _object(choices, place)
    known = stage in _STAGES and state in _STATES and (state == "running") == (record is None)
    if not known or not _are_ours(tuple(map(type, values))) or not _ANSWERS.issuperset(map(type, answers.values())):
        raise damaged(f"{place} is none that this program writes")
    space: Mapping[str, Any] = study.definition["space"]
    return Trial(
        id=trial_id,
        study=study.name,
        stage=stage,
        number=number,
        state=state,
        architecture=Architecture(space["name"], space["version"], answers),
        evaluation=evaluation,
        reused_from=reused_from,
        begun_at=begun_at,
        ended_at=ended_at,
        proposal=_object(proposal, place) if proposal else {},
        record=_record(record, place) if record else None,
        holder=holder,
        fence=fence,
        attempts=attempts,
        lease_until=lease_until,
        progress=_object(progress, place) if progress else {},
    )


def read_record(row: Any, version: int) -> Record:
    """The Record alone of a finished trial's row.

    Raises:
        LedgerError: it is not as it was written.
    """
    if version >= DIGESTED and row.digest != schema.trial_digest(row):
        raise damaged(f"trial {row.id} is not as it was written")
    return _record(row.record, f"trial {row.id}")


def damaged(what: str) -> LedgerError:
    """The error that says so."""
    return LedgerError(f"The ledger is damaged: {printable(what)[:300]}; restore it from a copy.")


def _record(text: str, place: str) -> Record:
    """The record in `text`; its learning curve, which is most of it and seldom wanted, is read when it is asked for."""
    begin = text.find(_CURVE)
    end = text.find(_AFTER_CURVE, begin) if begin >= 0 else -1
    if end < 0:
        return _whole_record(text, place)
    curve = text[begin + len(_CURVE) - len(_EPOCH) : end + 2]
    return _whole_record(text[: begin + len(_CURVE) - len(_EPOCH) + 1] + text[end + 1 :], place, partial(_curve, curve, place))


_EPOCH = '[{"epoch":'
_CURVE, _AFTER_CURVE = f'"curve":{_EPOCH}', '}],"replicates":['
"""About a learning curve, as a ledger has it; what stands in a string there has its quotes escaped, and is no such text."""


def _whole_record(text: str, place: str, read_curve: Callable[[], tuple[Epoch, ...]] | None = None) -> Record:
    with _reading(place):
        record = Record.from_data(_object(text, place), read_curve)
        epochs = [*(record.curve if read_curve is None else ()), *(epoch for one in record.replicates for epoch in one.curve)]
        figures = [record.figures, *(epoch.figures for epoch in epochs), *(one.figures for one in record.replicates)]
        if record.outcome not in _STATES or not _are_numbers(figures):
            raise damaged(f"the record of {place} is none that this program writes")
    return record


def _curve(text: str, place: str) -> tuple[Epoch, ...]:
    """The learning curve of a record that was read without it."""
    with _reading(place):
        curve = tuple(Epoch(**point) for point in _object(f'{{"curve":{text}}}', place)["curve"])
        if not _are_numbers([epoch.figures for epoch in curve]):
            raise damaged(f"the record of {place} is none that this program writes")
    return curve


def _are_numbers(figures: Iterable[Mapping[str, Any]]) -> bool:
    return _NUMBERS.issuperset(map(type, chain.from_iterable(map(dict.values, figures))))  # type: ignore[arg-type]  # JSON gives dicts


@contextmanager
def _reading(place: str) -> Iterator[None]:
    try:
        yield
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise LedgerError(f"The record of {place} cannot be read; install the version that wrote it.") from error


def _object(text: str, place: str) -> dict[str, Any]:
    """The JSON object that a row keeps; `place` is what a message calls the row."""
    try:
        found = json.loads(text) if len(text) <= LONGEST else None
    except (TypeError, ValueError, RecursionError) as error:
        raise damaged(f"{place} holds no JSON") from error
    if not isinstance(found, dict):
        raise damaged(f"{place} holds no JSON object of at most {LONGEST:,} characters")
    return found


@lru_cache(maxsize=256)
def _are_ours(kinds: tuple[type, ...]) -> bool:
    """Whether a trial's fields are of the kinds that this program writes; SQLite takes any."""
    return all(issubclass(kind, allowed) for kind, allowed in zip(kinds, _KINDS, strict=True))


def _depth(value: Any, most: int) -> int:
    """How deep the lists and objects of `value` are nested, as far as one more than `most`."""
    depth, level = 0, [value]
    while level and depth <= most:
        level = [inner for outer in level for inner in (outer.values() if isinstance(outer, dict) else outer)]
        level = [inner for inner in level if isinstance(inner, dict | list)]
        depth += 1
    return depth
