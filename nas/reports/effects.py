"""What matters, in words: effects of choices and prices as text and as plain data."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

from nas.effects import Effect, Evidence, Price, Step, Sum, sums_of
from nas.effects.importance import FEWEST_TRIALS
from nas.reports.figures import face

MOST_DRAWN = 12
"""Choices whose shares are printed for people who did not ask for all."""


def effects_data(effects: Sequence[Effect]) -> list[dict[str, Any]]:
    """Effects as plain data, ready for JSON."""
    return [
        {name: value for name, value in asdict(effect).items() if name != "draws"} | {"pattern": effect.pattern}
        for effect in effects
    ]


def what_matters_data(evidence: Evidence, effects: Sequence[Effect], prices: Sequence[Price]) -> dict[str, Any]:
    """All that `nas effects` prints, ready for JSON."""
    return {
        "study": evidence.study,
        "trials": len(evidence.trials),
        "left_out": evidence.left_out,
        "effects": effects_data(effects),
        "repeats": [asdict(one) for one in sums_of(effects)],
        "prices": [asdict(price) | {"sentences": sentences(price)} for price in prices],
    }


def effects_lines(effects: Sequence[Effect], *, every: bool = False) -> Iterator[Table | Text]:
    """The effects of all figures for people: shares of all choices, and what each value of those that matter comes to."""
    for figure in dict.fromkeys(effect.figure for effect in effects):
        own = [effect for effect in effects if effect.figure == figure]
        seen = [effect for effect in own if effect.seen]
        yield Text(f"{face(figure).words}: how much of the differences in rank each choice explains", style="bold")
        yield _shares_grid(own if every else own[: max(MOST_DRAWN, len(seen))])
        rest = len(own) - max(MOST_DRAWN, len(seen))
        if rest > 0 and not every:
            yield Text(f"{rest:,} more show no effect; --all prints them.", style="dim")
        sums = [one for one in sums_of(own) if one.seen]
        if sums:
            yield Text("\nRepeats taken together", style="bold")
            yield _sums_grid(sums)
        shown = own if every else seen
        if shown:
            yield Text(f"\nMean {_titled(figure)} of each value, as if trials differed in that choice alone", style="bold")
            yield _points_grid(shown)
        else:
            yield Text("No choice has an effect here that is more than chance.")
        yield Text()


def _titled(figure: str) -> str:
    told = face(figure)
    return told.label


def _shares_grid(effects: Sequence[Effect]) -> Table:
    grid = _grid("choice", "share", "95 %", "made in", "")
    for effect in effects:
        style = "" if effect.seen else "dim"
        cells = (effect.choice, f"{effect.importance:.0%}", _range(effect.low, effect.high), f"{effect.applies:.0%}")
        grid.add_row(*(Text(cell, style=style) for cell in (*cells, "" if effect.seen else "no effect seen")))
    return grid


def _sums_grid(sums: Sequence[Sum]) -> Table:
    grid = _grid("choices", "share", "95 %", "of")
    for one in sums:
        grid.add_row(one.pattern, f"{one.importance:.0%}", _range(one.low, one.high), f"{len(one.choices)}")
    return grid


def _range(low: float, high: float) -> str:
    return f"{low:.0%} to {high:.0%}"


def _points_grid(effects: Sequence[Effect]) -> Table:
    grid = _grid("choice", "value", "mean", "95 %", "plain mean", "trials")
    for effect in effects:
        told = face(effect.figure)
        for n, point in enumerate(effect.points):
            low, high, mean, plain = (
                f"{value / told.scale:,.{told.digits}f}" for value in (point.low, point.high, point.mean, point.plain)
            )
            cells = (effect.choice if n == 0 else "", point.label, mean, f"{low} to {high}", plain, f"{point.count:,}")
            grid.add_row(*map(Text, cells), end_section=n == len(effect.points) - 1)
    return grid


def _grid(*titles: str) -> Table:
    grid = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for n, title in enumerate(titles):
        grid.add_column(title, justify="left" if n == 0 or not title else "right", no_wrap=n > 0)
    return grid


def sentences(price: Price) -> list[str]:
    """What more of a cost buys, a sentence for each step, and how far that is known."""
    told = face(price.cost)
    found = [
        f"From {_amount(price.cost, step.at)}, {_amount(price.cost, step.more)} more {_buys(price, step)}" for step in price.steps
    ]
    dearest = _amount(price.cost, price.dearest)
    if price.limit is None:
        found.append(f"No trial has a {told.words} of more than {dearest}: what lies beyond is not known.")
    else:
        found.append(f"The study's limit is {_amount(price.cost, price.limit)}, beyond which nothing was trained.")
    return found


def _buys(price: Price, step: Step) -> str:
    words = face(price.figure).words
    if step.low <= 0 or step.gain <= 0:
        return f"buys no {words} that is more than chance (95 %: 0 to {_gain(price, step.high)})."
    sign = "+" if price.direction == "maximize" else "−"
    return f"buys {sign}{_gain(price, step.gain)} {words} (95 %: {_gain(price, step.low)} to {_gain(price, step.high)})."


def _gain(price: Price, value: float) -> str:
    told = face(price.figure)
    return f"{value / told.scale:.{told.digits}f}"


def _amount(cost: str, value: float) -> str:
    """In the unit in which people read it, with as many digits as it has."""
    told = face(cost)
    words = f"{value / told.scale:,.4g}" if told.unit else f"{value:,.0f}"
    unit = f" {told.unit}" if told.unit not in {"", "M"} else ""
    return f"{words}{unit}" if unit else f"{words}{'M' * (told.unit == 'M')} {told.words}"


NOTES = (
    "Trials of a search are no random sample. `mean` takes off what the other choices of a trial add, as far as the trials tell "
    "them apart; `plain mean` does not. What only a combination of choices does is in neither."
)


def too_few(evidence: Evidence) -> str:
    """Why there is nothing to say."""
    return (
        f"{len(evidence.trials):,} complete trials compare, and of fewer than {FEWEST_TRIALS} nothing is said."
        if len(evidence.trials) < FEWEST_TRIALS
        else "Of each choice one value alone was tried."
    )
