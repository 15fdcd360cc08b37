"""Which choices matter, as the page draws it: shares as bars, means of values with intervals, and what a higher cost buys."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from nas.effects import Effect, Point, Price, effects_of, evidence_of, prices_of, sums_of
from nas.errors import NasError
from nas.records import StudyEntry, Trial
from nas.reports.curves import thin
from nas.reports.effects import UNSEEN, sentences, too_few
from nas.reports.figures import face
from nas.space import Space

MOST_TRIALS = 1_000
"""Of more, so many evenly apart are looked at, which is enough to see whatever matters."""

BARS, PLOTS = 10, 6
"""Choices of one figure whose shares are shown, and those whose values are."""

LETTER = 5.6
"""How wide a letter of a value's name is, in pixels."""

WIDTH, HEIGHT = 240, 130
"""Of a plot of values, within its axes; in pixels."""


@dataclass(frozen=True)
class Bar:
    """The share of one choice, and its 95 % interval, from 0 to 1."""

    name: str
    share: float
    low: float
    high: float
    note: str


@dataclass(frozen=True)
class Mark:
    """A value in its place: the mean and the ends of its interval."""

    x: float
    y: float
    high_y: float
    low_y: float
    label: str
    told: str


@dataclass(frozen=True, kw_only=True)
class Marginal:
    """What each value of one choice comes to."""

    choice: str
    marks: tuple[Mark, ...]
    ticks: tuple[tuple[float, str], ...]
    """Height, and the round figure there."""
    room: int
    """Letters that a name below has room for."""


@dataclass(frozen=True, kw_only=True)
class Matters:
    """What matters to one figure."""

    figure: str
    bars: tuple[Bar, ...]
    sums: tuple[Bar, ...]
    marginals: tuple[Marginal, ...]
    left_out: int
    """Choices beyond the bars."""
    unseen: str
    """Why choices of a large share can be no more than chance; empty where there is none to say it of."""


@dataclass(frozen=True, kw_only=True)
class Found:
    """The section of a page."""

    matters: tuple[Matters, ...]
    prices: tuple[tuple[str, tuple[str, ...]], ...]
    """What is bought with what, and that in sentences."""
    trials: int
    why_not: str
    """Why nothing is said; empty where something is."""


def what_matters(entry: StudyEntry, trials: Sequence[Trial]) -> Found:
    """What the trials of a search tell of its choices."""
    search = thin([trial for trial in trials if trial.stage == "search" and trial.state == "complete"], MOST_TRIALS)
    try:
        space = entry.space
        search = [trial for trial in search if _is_of(space, trial)]
        evidence = evidence_of(entry, search)
        effects = effects_of(entry, search)
        prices = prices_of(entry, search)
    except NasError as error:
        return Found(matters=(), prices=(), trials=0, why_not=str(error))
    if not effects:
        return Found(matters=(), prices=(), trials=len(evidence.trials), why_not=too_few(evidence))
    figures = dict.fromkeys(effect.figure for effect in effects)
    return Found(
        matters=tuple(_matters(figure, [effect for effect in effects if effect.figure == figure]) for figure in figures),
        prices=tuple((_bought(price), tuple(sentences(price))) for price in prices),
        trials=len(evidence.trials),
        why_not="",
    )


def _is_of(space: Space, trial: Trial) -> bool:
    """Whether its architecture is one of `space`: a ledger may be somebody else's."""
    try:
        space.blueprint(trial.architecture)
    except NasError:
        return False
    return True


def _bought(price: Price) -> str:
    words = f"{face(price.figure).words} for {face(price.cost).words}"
    return words[:1].upper() + words[1:]


def _matters(figure: str, effects: Sequence[Effect]) -> Matters:
    seen = [effect for effect in effects if effect.seen]
    bars = effects[: max(BARS, len(seen))]
    return Matters(
        figure=face(figure).words,
        bars=tuple(Bar(one.choice, one.importance, one.low, one.high, _note(one)) for one in bars),
        sums=tuple(
            Bar(one.pattern, one.importance, one.low, one.high, f"{len(one.choices)} choices")
            for one in sums_of(effects)
            if one.seen
        ),
        marginals=tuple(_marginals([one for one in effects[:PLOTS] if len(one.points) > 1])),
        left_out=len(effects) - len(bars),
        unseen="" if all(one.seen for one in bars) else UNSEEN,
    )


def _note(effect: Effect) -> str:
    made = f"made in {effect.applies:.0%} of trials" if effect.applies < 1 else ""
    return "; ".join(part for part in (made, "" if effect.seen else "no more than chance") if part)


def _marginals(effects: Sequence[Effect]) -> Iterator[Marginal]:
    """All on one scale, so that they compare."""
    points = [point for effect in effects for point in effect.points]
    if not points:
        return
    low = min(point.mean if point.low is None else point.low for point in points)
    high = max(point.mean if point.high is None else point.high for point in points)
    for effect in effects:
        step = WIDTH / len(effect.points)
        marks = tuple(_mark(point, effect.figure, (n + 0.5) * step, low, high) for n, point in enumerate(effect.points))
        ticks = tuple((_height(value, low, high), words) for value, words in _ticks(effect.figure, low, high))
        named = step * (3 if len(marks) > 8 else 1)
        yield Marginal(choice=effect.choice, marks=marks, ticks=ticks, room=max(3, int(named / LETTER)))


def _ticks(figure: str, low: float, high: float) -> list[tuple[float, str]]:
    """Two to six round figures from `low` to `high`, or `low` alone where they are the same."""
    scale = face(figure).scale
    wide = (high - low) / scale
    if not wide > abs(high) / scale * 1e-12:
        return [(low, _told(figure, low))]
    power = math.floor(math.log10(wide))
    step = next(step for step in (5 * 10.0**power, 2 * 10.0**power, 10.0**power, 5 * 10.0 ** (power - 1)) if wide / step >= 2)
    digits = max(0, -math.floor(math.log10(step) + 1e-9))
    places = range(math.ceil(low / scale / step - 1e-9), math.floor(high / scale / step + 1e-9) + 1)
    return [(place * step * scale, f"{place * step:,.{digits}f}") for place in places]


def _mark(point: Point, figure: str, x: float, low: float, high: float) -> Mark:
    mean = _told(figure, point.mean)
    if point.low is None or point.high is None:
        y = _height(point.mean, low, high)
        return Mark(round(x, 1), y, y, y, point.label, f"{point.label}: {mean} (1 trial)")
    y, high_y, low_y = (_height(value, low, high) for value in (point.mean, point.high, point.low))
    ends = f"{_told(figure, point.low)} to {_told(figure, point.high)}"
    told = f"{point.label}: {mean} (95 % {ends}, {point.count:,} trials)"
    return Mark(round(x, 1), y, high_y, low_y, point.label, told)


def _height(value: float, low: float, high: float) -> float:
    """From the top."""
    return round((high - value) / ((high - low) or 1) * HEIGHT, 1)


def _told(figure: str, value: float) -> str:
    found = face(figure)
    return f"{value / found.scale:,.{found.digits}f}"
