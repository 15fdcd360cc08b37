"""All trials of a study as columns: what the page's table, plots and filters are drawn from, in few letters a trial.

A row is an architecture of a leaderboard, or a trial that stands on none. Texts that repeat are kept once, and a choice takes one
letter a row, so that ten thousand rows fit into 3 MiB.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from nas.benchmark import Objective
from nas.errors import SpaceError
from nas.measures import measure_of
from nas.ranking import Row, Table, figure_names
from nas.records import SCORES, Record, StudyEntry, Trial, figure_kind, usual_direction
from nas.records.schema import STAGES
from nas.reports.certainty import first_text, rank_text
from nas.reports.curves import points_of, thin
from nas.reports.figures import face
from nas.reports.outcome import first_of_each
from nas.reports.tables import headline
from nas.space import Limit
from nas.space.domain import Value

LETTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%()*+,-./:;=?@[]^_{|}~"
"""What a value of a choice is written as, by its place among the values; none of them is escaped on a page."""

ABSENT = " "
"""Where a choice does not apply."""

STATES = ("complete", "pruned", "failed", "infeasible", "running", "repeated")

CURVES = 150
"""Learning curves that the page has of the best; and as many at most of the others."""

POINTS = 24
"""The most points of a curve."""

LONGEST = 200
"""Letters of an error or a note of one row."""


@dataclass(frozen=True)
class Place:
    """A row."""

    trials: tuple[Trial, ...]
    state: str
    figures: Mapping[str, float]
    table: int = -1
    """The leaderboard that it stands on; -1 for none."""
    row: Row | None = None

    @property
    def trial(self) -> Trial:
        """The first of its trials."""
        return self.trials[0]


def places_of(tables: Sequence[Table], trials: Sequence[Trial]) -> list[Place]:
    """The rows of the leaderboards in their order, then the trials that are on none, as they were proposed."""
    found = [_ranked(n, row) for n, table in enumerate(tables) for row in table.rows]
    taken = {trial.id for place in found for trial in place.trials}
    fresh = {trial.id for stage in STAGES for trial in first_of_each([t for t in trials if t.stage == stage])}
    for trial in trials:
        if trial.id not in taken:
            state = trial.state if trial.id in fresh else "repeated"
            found.append(Place((trial,), state, trial.record.figures if trial.record else {}))
    return found


def _ranked(table: int, row: Row) -> Place:
    return Place(row.trials, "complete", {name: summary.mean for name, summary in row.figures.items()}, table, row)


def rows_data(entry: StudyEntry, tables: Sequence[Table], trials: Sequence[Trial], curve: Objective | None) -> dict[str, Any]:
    """What the page's script reads; `curve` is the objective that learning curves show."""
    places = places_of(tables, trials)
    figures = figure_columns(entry, tables, places)
    return {
        "goals": entry.definition["objectives"],
        "tables": [{"headline": headline(table), "stage": table.stage, "cost": table.cost} for table in tables],
        "figures": [_figure(name, entry) for name in figures],
        "limits": list(_limits(entry.definition["limits"])),
        "states": list(STATES),
        "letters": LETTERS,
        "rows": {
            "table": [place.table for place in places],
            "state": "".join(LETTERS[STATES.index(place.state)] for place in places),
            "stage": _coded([place.trial.stage for place in places]),
            "rank": [place.row.rank if place.row else 0 for place in places],
            "shared": [n for n, place in enumerate(places) if place.row is not None and rank_text(place.row).endswith("=")],
            "front": "".join(_front(place.row) for place in places),
            "number": [place.trial.number for place in places],
            "count": [len(place.trials) for place in places],
            "id": [place.trial.architecture.id for place in places],
            "at": _ended(entry, places),
            "took": [_short(_seconds(place.trials)) for place in places],
            "figures": {name: [_short(place.figures.get(name), name) for place in places] for name in figures},
            "deviations": _sparse(places, _deviations),
            "ends": _sparse(places, _intervals),
            "told": _told(places),
        },
        "choices": _choices([place.trial.architecture.choices for place in places]),
        "curves": _curves(places, curve),
    }


def _front(row: Row | None) -> str:
    """2 at the front's knee, 1 elsewhere on it."""
    return "0" if row is None or not row.on_front else "2" if row.knee else "1"


def figure_columns(entry: StudyEntry, tables: Sequence[Table], places: Iterable[Place]) -> list[str]:
    """The figures that a row may have, in the leaderboards' order, and then what says the same again."""
    known = dict.fromkeys(name for table in tables for name in figure_names(table))
    goals = [goal["figure"] for goal in entry.definition["objectives"]]
    present = {name for place in places for name in place.figures}
    names = [name for name in dict.fromkeys([*goals, *known, *sorted(present)]) if name in present]
    return sorted(names, key=lambda name: name not in goals and _aside(name))


def _aside(name: str) -> bool:
    end = name.endswith(("_low", "_high")) and measure_of(name) is not None
    return name in {"macs", "size_bytes", "activation_bytes"} or name.endswith("_loss") or end


def _figure(name: str, entry: StudyEntry) -> dict[str, Any]:
    kind = figure_kind(name) or SCORES.get(name)
    goal = next((Objective(**goal) for goal in entry.definition["objectives"] if goal["figure"] == name), None)
    told, direction = face(name), goal.direction if goal else usual_direction(name)
    found: dict[str, Any] = {"name": name, "title": told.title, "digits": told.digits, "larger": direction == "maximize"}
    if figure_kind(name) is not None:
        found["cost"] = True
    if goal is None and _aside(name):
        found["aside"] = True
    if kind is not None:
        found["meaning"] = kind.meaning
    elif asked := measure_of(name):
        found["meaning"] = f"{asked.meaning} ({asked.source})"
    return found


def _limits(texts: Iterable[str]) -> Iterator[dict[str, Any]]:
    """The limits on figures, in the units of the figures' titles; one that cannot be read is no line in a plot."""
    for text in texts:
        try:
            limit = Limit.parse(text)
        except SpaceError:
            continue
        yield {
            "figure": limit.figure,
            "bound": _short(limit.bound / face(limit.figure).scale),
            "above": limit.from_above,
            "text": text,
        }


def _coded(values: Sequence[Value]) -> dict[str, Any]:
    """A column of which most values repeat: the values once, and a letter a row; or where these are too many all of them."""
    known: dict[tuple[type, Value], int] = {}
    codes = [known.setdefault((type(value), value), len(known)) for value in values]
    if len(known) > len(LETTERS):
        return {"all": list(values)}
    return {"values": [value for _, value in known], "codes": "".join(LETTERS[code] for code in codes)}


def _choices(answers: Sequence[Mapping[str, Value]]) -> list[dict[str, Any]]:
    """Every choice by its name, with its values and a letter a row; of too many values, each row's place among them."""
    columns: dict[str, list[int]] = {}
    known: dict[str, dict[tuple[type, Value], int]] = {}
    for n, choices in enumerate(answers):
        for name, value in choices.items():
            if name not in columns:
                columns[name], known[name] = [-1] * len(answers), {}
            values = known[name]
            columns[name][n] = values.setdefault((type(value), value), len(values))
    return [{"name": name, **_column(codes, [value for _, value in known[name]])} for name, codes in columns.items()]


def _column(codes: Sequence[int], values: list[Value]) -> dict[str, Any]:
    order = sorted(range(len(values)), key=lambda code: _size(values[code]))
    place = {code: n for n, code in enumerate(order)} | {-1: -1}
    column = [place[code] for code in codes]
    few = len(values) <= len(LETTERS)
    written: Any = "".join(LETTERS[code] if code >= 0 else ABSENT for code in column) if few else column
    return {"values": [_plain(values[code]) for code in order], "codes": written, "numeric": all(map(_is_number, values))}


def _size(value: Value) -> tuple[int, float, str]:
    """Numbers by size, then texts in their order."""
    return (0, float(value), "") if _is_number(value) else (1, 0.0, str(value))  # type: ignore[arg-type]


def _is_number(value: Value) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _plain(value: Value) -> Value:
    """As YAML writes it; a number stays one."""
    return {None: "null", True: "true", False: "false"}[value] if value is None or isinstance(value, bool) else value


def _ended(entry: StudyEntry, places: Sequence[Place]) -> list[float | None]:
    """Seconds from the first trial's begin to each row's end."""
    begins = [when for place in places for trial in place.trials if (when := _when(trial.begun_at)) is not None]
    first = min(begins, default=_when(entry.begun_at) or 0.0)
    ends = [_when(place.trial.ended_at) for place in places]
    return [_short(max(0.0, end - first)) if end is not None else None for end in ends]


def _when(stamp: str | None) -> float | None:
    """Seconds since 1970; None where nothing that can be read tells."""
    try:
        return datetime.fromisoformat(stamp).timestamp() if stamp else None
    except (ValueError, OverflowError):
        return None


def _seconds(trials: Iterable[Trial]) -> float | None:
    """What its evaluations took; one that was answered from the ledger took nothing of its own."""
    own = [trial.record.seconds for trial in trials if trial.record and trial.reused_from is None]
    known = [seconds for seconds in own if seconds is not None]
    return math.fsum(known) if known else None


def _sparse(
    places: Sequence[Place], of: Callable[[Place], Iterator[tuple[str, tuple[float, ...]]]]
) -> dict[str, list[list[float | None]]]:
    """Figure → [row, …] for the rows that have it."""
    found: dict[str, list[list[float | None]]] = {}
    for n, place in enumerate(places):
        for name, values in of(place):
            found.setdefault(name, []).append([n, *(_short(value, name) for value in values)])
    return found


def _deviations(place: Place) -> Iterator[tuple[str, tuple[float, ...]]]:
    if place.row is not None and len(place.trials) > 1:
        for name, summary in place.row.figures.items():
            if summary.deviation is not None:
                yield name, (summary.deviation,)


def _intervals(place: Place) -> Iterator[tuple[str, tuple[float, ...]]]:
    """The 95 % interval of a single training's latency, and of objectives over seeds."""
    record = place.trial.record
    if place.row is not None and place.row.certainty is not None:
        for name, found in place.row.certainty.intervals.items():
            if found.low < found.high:
                yield name, (found.low, found.high)
    if len(place.trials) == 1 and record is not None and record.latency is not None and "latency_ms" in place.figures:
        yield "latency_ms", (record.latency.low_ms, record.latency.high_ms)


def _told(places: Sequence[Place]) -> dict[str, Any]:
    """What else is to be told of rows: each text once, and [row, text, …] for the rows that have some."""
    texts: dict[str, int] = {}
    rows = []
    for n, place in enumerate(places):
        texts_of = (text for trial in place.trials if trial.record for text in _texts(trial.record))
        found = dict.fromkeys(text[:LONGEST] for text in (*_sure(place.row), *texts_of))
        if found:
            rows.append([n, *(texts.setdefault(text, len(texts)) for text in found)])
    return {"texts": list(texts), "rows": rows}


def _sure(row: Row | None) -> Iterator[str]:
    if row is not None and row.certainty is not None:
        yield f"the first with a probability of {first_text(row)}"


def _texts(record: Record) -> Iterator[str]:
    if record.error is not None:
        yield f"{record.error.kind.replace('_', ' ')}: {record.error.message}"
    for text in record.broken_limits:
        yield f"outside {text.rpartition(', got ')[0] or text}"
    if record.uncounted:
        yield "operators without a FLOP count: " + ", ".join(f"{name} ×{count}" for name, count in record.uncounted.items())
    yield from record.notes
    if record.latency is not None and record.latency.disturbed:
        yield f"latency: {record.latency.disturbed}"


def _curves(places: Sequence[Place], objective: Objective | None) -> dict[str, Any] | None:
    """Row → its trainings, each as epochs and values: of all finalists, of the best, and of the others evenly apart."""
    if objective is None:
        return None
    having = [n for n, place in enumerate(places) if any(points_of(trial, objective.figure) for trial in place.trials)]
    first = [n for n in having if places[n].trial.stage != "search" or places[n].table >= 0]
    drawn = sorted({*first[:CURVES], *thin([n for n in having if n not in set(first[:CURVES])], CURVES)})
    curves = {n: [_points(trial, objective.figure) for trial in places[n].trials] for n in drawn}
    return {"figure": objective.figure, "title": face(objective.figure).title, "rows": curves}


def _points(trial: Trial, figure: str) -> list[list[float | None]]:
    points = thin(points_of(trial, figure), POINTS)
    return [[epoch for epoch, _ in points], [_short(value, figure, digits=4) for _, value in points]]


def _short(value: float | None, figure: str = "", digits: int = 6) -> float | None:
    """Six digits in the unit of the figure's title, or all that are shown; whole numbers are exact; None for what JSON lacks."""
    if value is None or not math.isfinite(value):
        return None
    scaled = value / face(figure).scale
    if float(scaled).is_integer() and abs(scaled) < 2**53:
        return int(scaled)
    after_point = digits - 1 - math.floor(math.log10(abs(scaled)))
    return round(scaled, max(after_point, face(figure).digits if figure else after_point))
