"""Finalists and what was made of them, for people: as text, as plain data, and as the page shows it."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich import box
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table as RichTable
from rich.text import Text

from nas.benchmark import Objective
from nas.errors import printable
from nas.measures import in_reading_order, is_detail
from nas.ranking.steps import Spread, Step
from nas.reports.figures import face
from nas.reports.tables import NOT_MEASURED, number

STEPS = "Steps"
"""What the table is called."""


DELTA = "Δ to its parent"


@dataclass(frozen=True)
class StepsTable:
    """The cells of a table of steps."""

    headers: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...]
    aside: int = 0
    """How many columns at the end a narrow table does without: FLOPs, memory, how they hold, what they give away."""


ENERGY = ("energy mJ", "energy, of parent")
"""Columns that are there where a counter of energy could be read."""

COSTS = ("flops", "peak_memory_bytes")
"""Figures that stand behind what a step costs and brings, before what was asked of them on test data."""

GIVEN_AWAY = ("privacy_epsilon", "membership_auroc", "membership_lira_auroc")
"""Figures that stand last."""


def steps_table(found: Sequence[Step], objectives: Sequence[Objective]) -> StepsTable:
    """The steps of one study: its first objective on validation and test data, size and latency, then what else is known."""
    first = objectives[0].figure
    names = [first, *(name for name in [first.replace("validation_", "test_", 1)] if name != first and _has(found, name))]
    asked = in_reading_order(name for step in found for name in step.figures)
    aside = [name for name in asked if name.startswith("test_") and not is_detail(name)]
    aside = [name for name in [*COSTS, *aside, *GIVEN_AWAY] if _has(found, name) and name not in names]
    drawn = any(step.energy_mj is not None for step in found)
    headers = ["step", "architecture"]
    for name in names:
        headers += [face(name).title, DELTA]
    headers += [
        "size",
        "file, of parent",
        "latency ms",
        "pass, of parent",
        *(ENERGY if drawn else ()),
        "here",
        "seeds",
        *(face(name).title for name in aside),
    ]
    rows = []
    for step in found:
        cells = [_called(step), step.architecture.id]
        for name in names:
            cells += [told(step.figures.get(name), name), told(step.differences.get(name), name, signed=True)]
        cells += [_bytes(step.size_bytes), _share(step.size_share)]
        latency = "≈ " * step.disturbed + told(step.figures.get("latency_ms"), "latency_ms")
        cells += [latency, _share(step.time_share)]
        if drawn:
            cells += [NOT_MEASURED if step.energy_mj is None else number(step.energy_mj, 3), _share(step.energy_share)]
        cells += [step.verdict, str(len(step.trials))]
        cells += [told(step.figures.get(name), name) for name in aside]
        rows.append(tuple(map(printable, cells)))
    return StepsTable(headers=tuple(headers), rows=tuple(rows), notes=tuple(_notes(found)), aside=len(aside))


def _called(step: Step) -> str:
    """The finalist or what was made of it, and what sets it apart from others of that name."""
    return " · ".join(filter(None, (step.words or "the finalist", step.elsewhere)))


def _notes(found: Sequence[Step]) -> Iterable[str]:
    if any(len(step.trials) > 1 for step in found):
        yield "± is half the 95 % interval of a mean over seeds, by Student's t; where all agree, of rounding to an example."
    if any(step.differences for step in found):
        yield "Δ: child less parent of the same seed."
    if any(step.disturbed for step in found):
        yield "≈: measured while other work went on."
    yield "Sizes are of the weights as they are kept; passes are timed in turns with the parent's, on this device."
    if any(step.energy_mj is not None for step in found):
        yield "Energy is of all that the device draws while passes follow each other, whatever else runs there counted too."
    for step in found:
        own = ", ".join(f"{name.replace('_', ' ')} {value:.4g}" for name, value in step.own.items())
        if own:
            yield printable(f"{_called(step)}: {own}.")
        for reason in step.failed:
            yield printable(f"{_called(step)} of {step.architecture.id}: {reason}")


def _has(found: Sequence[Step], name: str) -> bool:
    return any(name in step.figures for step in found)


def told(spread: Spread | None, name: str, *, signed: bool = False) -> str:
    """A mean with half the width of its interval, where that has one."""
    if spread is None:
        return NOT_MEASURED if not signed else ""
    scale, digits = face(name).scale, face(name).digits
    value = round(spread.mean / scale, digits) + 0.0  # no minus before zeros
    mean = f"{'+' if signed and value >= 0 else ''}{number(value, digits)}"
    if spread.low is None or spread.high is None or spread.low == spread.high:
        return mean
    return f"{mean} ± {number((spread.high - spread.low) / 2 / scale, digits)}"


def _bytes(value: float | None) -> str:
    return NOT_MEASURED if value is None else f"{value / 1024:,.1f} KiB" if value < 2**20 else f"{value / 2**20:,.2f} MiB"


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}×"


SPARED = ("architecture", "seeds", "latency ms", "size")
"""Columns that a narrow terminal does without after those behind them, in this order; then the test data's, then the verdict."""


WORDS = 28
"""Characters of a line of what a step is called; what is longer goes on below."""


def _full_width(grid: RichTable, console: Console) -> int:
    """How wide the table would be if nothing held it."""
    return Measurement.get(console, console.options.update(width=10_000), grid).maximum


def print_steps(found: Sequence[Step], objectives: Sequence[Objective], console: Console) -> None:
    """Print the steps of one study for people, in the columns that there is room for."""
    if not found:
        return
    table = steps_table(found, objectives)
    shown = [*range(len(table.headers))]
    broken = False
    grid = _grid(table, found, shown)
    for leaves in _leaving(table):
        if _full_width(grid, console) <= console.width:
            break
        broken = broken or leaves is None
        shown = [column for column in shown if column != leaves]
        grid = _grid(table, found, shown, broken=broken)
    without = [_named(table, column) for column in range(len(table.headers)) if column not in shown]
    left_out = [f"No room for {', '.join(without)}; `nas steps --json` has all."] if without else []
    console.print(Text(f"{STEPS} · {printable(found[0].study)} · finalists, and what was made of them", style="bold"))
    console.print(grid)
    console.print(Text(" ".join([*table.notes, *left_out]) + "\n", style="dim"))


def _leaving(table: StepsTable) -> Iterator[int | None]:
    """The columns that leave where there is no room, one after another; None for the headers' single line."""
    count = len(table.headers)
    yield from reversed(range(count - table.aside, count))
    yield None
    yield from map(table.headers.index, SPARED)
    yield from (table.headers.index(name) for name in reversed(ENERGY) if name in table.headers)
    yield from reversed(range(4, table.headers.index("size")))  # the test data's, where there are some
    yield table.headers.index("here")


def _named(table: StepsTable, column: int) -> str:
    """What a column is called beside others."""
    header = table.headers[column]
    return f"{header} of {table.headers[column - 1]}" if header == DELTA else header


def _grid(table: StepsTable, found: Sequence[Step], shown: Sequence[int], *, broken: bool = False) -> RichTable:
    """The columns `shown`; `broken` are headers that take a line a word or two."""
    grid = RichTable(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for column in shown:
        header = table.headers[column]
        words = header.replace(", ", ",\n").replace(" accuracy", "\naccuracy").replace("its parent", "its\nparent")
        grid.add_column(
            Text(words if broken else header),
            justify="left" if column < 2 or header == "here" else "right",
            no_wrap=column != 0,
            min_width=len("the finalist") if column == 0 else None,
            max_width=WORDS if column == 0 else None,
        )
    for row, step in zip(table.rows, found, strict=True):
        grid.add_row(*(Text(row[column], style="bold" if step.parent is None else "") for column in shown))
    return grid


def steps_data(found: Sequence[Step]) -> list[dict[str, Any]]:
    """Plain data, ready for JSON."""
    return [
        {
            "study": step.study,
            "step": step.words,
            "elsewhere": step.elsewhere,
            "architecture": step.architecture.id,
            "parent": step.parent.id if step.parent else None,
            "figures": {name: asdict(one) for name, one in step.figures.items()},
            "differences": {name: asdict(one) for name, one in step.differences.items()},
            "size_bytes": step.size_bytes,
            "size_share": step.size_share,
            "latency_ms": step.latency_ms,
            "disturbed": step.disturbed,
            "time_share": step.time_share,
            "energy_mj": step.energy_mj,
            "energy_share": step.energy_share,
            "smaller": step.smaller,
            "faster": step.faster,
            "slower": step.slower,
            "own": dict(step.own),
            "trials": [trial.number for trial in step.trials],
            "failed": list(step.failed),
        }
        for step in found
    ]
