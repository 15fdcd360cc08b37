"""What matters, in words: effects of choices and prices as text and as plain data."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

from nas.effects import FEWEST_TRIALS, Effect, Evidence, Price, Step, Sum, sums_of, total_of
from nas.errors import printable
from nas.reports.figures import face
from nas.reports.tables import NOT_MEASURED

MOST_DRAWN = 12
"""Choices whose shares are printed for people who did not ask for all."""


UNSEEN = (
    "An effect counts as seen where chance alone gives any of all choices as much in at most 5 % of studies: a value that the "
    "strategy left after few trials can have a large share, and a mean far from the others, and still be no more than chance."
)
"""Why a choice of a large share shows no effect."""


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
        "again": evidence.again,
        "left_out": evidence.left_out,
        "effects": effects_data(effects),
        "repeats": [asdict(one) for one in sums_of(effects)],
        "all_choices": [
            asdict(total_of([effect for effect in effects if effect.figure == figure]))
            for figure in dict.fromkeys(effect.figure for effect in effects)
        ],
        "prices": [asdict(price) | {"sentences": sentences(price)} for price in prices],
    }


def headline(evidence: Evidence) -> str:
    """Which trials it is all about."""
    again = f"; {evidence.again:,} more had an architecture again" if evidence.again else ""
    other = f"; {evidence.left_out:,} of another budget or setting are left out" if evidence.left_out else ""
    return f"{evidence.study}: {len(evidence.trials):,} complete trials that compare{again}{other}"


def effects_lines(effects: Sequence[Effect], *, every: bool = False) -> Iterator[Table | Text]:
    """The effects of all figures for people: shares of all choices, and what each value of those that matter comes to."""
    for figure in dict.fromkeys(effect.figure for effect in effects):
        own = [effect for effect in effects if effect.figure == figure]
        seen = [effect for effect in own if effect.seen]
        yield Text(f"{face(figure).words}: how much of the differences in rank each choice explains", style="bold")
        first = own if every else own[: max(MOST_DRAWN, len(seen))]
        yield _shares_grid(first)
        if len(first) < len(own):
            yield Text(f"{len(own) - len(first):,} more show no effect; --all prints them.", style="dim")
        whole = total_of(own)
        words = f"All choices by themselves explain {whole.importance:.0%} (95 %: {_range(whole.low, whole.high)})"
        yield Text(f"{words}; the rest is noise, and what they do in combination alone.")
        if not all(effect.seen for effect in first):
            yield Text(UNSEEN)
        sums = [one for one in sums_of(own) if one.seen]
        if sums:
            yield Text("\nRepeats taken together", style="bold")
            yield _sums_grid(sums)
        if every or seen:
            yield Text(f"\nMean {face(figure).label} of each value, as if trials differed in that choice alone", style="bold")
            yield _points_grid(own if every else seen)
        else:
            yield Text("No choice has an effect here that is more than chance.")
        yield Text()


def _shares_grid(effects: Sequence[Effect]) -> Table:
    tenth = any(effect.best_tenth is not None for effect in effects)
    grid = _grid("choice", "share", "95 %", "made in", *["best tenth"] * tenth)
    for n, effect in enumerate(effects):
        if not effect.seen and (n == 0 or effects[n - 1].seen):
            grid.add_row(Text("no effect seen:", style="italic"))
        cells = [effect.choice, f"{effect.importance:.0%}", _range(effect.low, effect.high), f"{effect.applies:.0%}"]
        cells += [NOT_MEASURED if effect.best_tenth is None else f"{effect.best_tenth:.0%}"] * tenth
        grid.add_row(*(Text(printable(cell), style="" if effect.seen else "dim") for cell in cells))
    return grid


def _sums_grid(sums: Sequence[Sum]) -> Table:
    grid = _grid("choices", "share", "95 %", "of")
    for one in sums:
        grid.add_row(printable(one.pattern), f"{one.importance:.0%}", _range(one.low, one.high), f"{len(one.choices)}")
    return grid


def _range(low: float, high: float) -> str:
    return f"{low:.0%} to {high:.0%}"


def _points_grid(effects: Sequence[Effect]) -> Table:
    grid = _grid("value", "mean", "95 %", "plain mean", "trials")
    for effect in effects:
        told = face(effect.figure)
        grid.add_row(Text(printable(effect.choice), style="italic"))
        for point in effect.points:
            mean, low, high, plain = (
                NOT_MEASURED if value is None else f"{value / told.scale:,.{told.digits}f}"
                for value in (point.mean, point.low, point.high, point.plain)
            )
            interval = NOT_MEASURED if point.low is None else f"{low} to {high}"
            grid.add_row(Text(f"  {printable(point.label)}"), mean, interval, plain, f"{point.count:,}")
    return grid


def _grid(*titles: str) -> Table:
    """The first column is wrapped where there is no room, and the others never."""
    grid = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    grid.add_column(titles[0], overflow="fold")
    for title in titles[1:]:
        grid.add_column(title, justify="right", no_wrap=True)
    return grid


def sentences(price: Price) -> list[str]:
    """What more of a cost buys, a sentence for each step, and how far that is known."""
    found = [
        f"From {_amount(price.cost, step.at)}, {_amount(price.cost, step.more)} more {_buys(price, step)}" for step in price.steps
    ]
    if price.limit is None:
        return [*found, f"Nothing was tried beyond {_amount(price.cost, price.dearest)}."]
    return [*found, f"The study's limit is {_amount(price.cost, price.limit)}; nothing was trained beyond."]


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
    if not told.unit:
        return f"{value:,.4g} {told.words}" if abs(value) < 1_000 else f"{value:,.0f} {told.words}"
    return f"{value / told.scale:,.4g} {told.title if told.unit == 'M' else told.unit}"


def notes(effects: Sequence[Effect]) -> str:
    """How the columns are to be read."""
    tenth = " `best tenth` is how much a choice sets the best tenth apart, of what all choices do (PED-ANOVA)."
    return (
        "A search is no random sample. `mean` takes off what the other choices of a trial add, as far as the trials tell them "
        "apart; `plain mean` does not." + tenth * any(effect.best_tenth is not None for effect in effects)
    )


def too_few(evidence: Evidence) -> str:
    """Why there is nothing to say."""
    count = len(evidence.trials)
    compare = "trial compares" if count == 1 else "trials compare"
    return (
        f"{count:,} complete {compare}, and of fewer than {FEWEST_TRIALS} nothing is said."
        if count < FEWEST_TRIALS
        else "Of each choice one value alone was tried."
    )
