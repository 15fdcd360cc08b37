"""How finalists hold, for people: a row for each thing they were asked, a column for each of them."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import fmean, stdev
from typing import Any, Protocol

from rich import box
from rich.table import Table
from rich.text import Text

from nas.errors import printable
from nas.measures import in_reading_order, measure_of, read_measure
from nas.ranking.steps import Spread, finest_steps, spread
from nas.records import Trial
from nas.reports.figures import face
from nas.reports.steps import told
from nas.reports.tables import NOT_MEASURED


class Answers(Protocol):
    """What one training answered, as `nas.searching.Answered` has it."""

    @property
    def trial(self) -> Trial:
        """The training."""

    @property
    def figures(self) -> Mapping[str, float]:
        """Figure → value."""

    @property
    def calibration(self) -> Any:
        """Its reliability diagram, or None."""

    @property
    def groups(self) -> Mapping[str, float]:
        """Group → accuracy."""


def grouped(answers: Sequence[Answers]) -> dict[str, list[Answers]]:
    """Architecture's id, and how it was made of a finalist where it was → its trainings, in their order."""
    found: defaultdict[str, list[Answers]] = defaultdict(list)
    for one in answers:
        derived = one.trial.record.derived if one.trial.record else None
        found["\n".join([one.trial.architecture.id, *([derived.words] if derived else [])])].append(one)
    return dict(found)


DEVIATION = "±: the standard deviation over seeds. `nas steps` and the page of `nas report` have the intervals of the means."
"""What stands below the grid where there are several seeds."""


def answers_grid(answers: Sequence[Answers], split: str, measures: Sequence[str]) -> Table:
    """Means over seeds, with their deviation (see `DEVIATION`); of one training the calibration error with its interval."""
    columns = grouped(answers)
    grid = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    grid.add_column("")
    for name, some in columns.items():
        grid.add_column(Text(f"{_lines(name)}\n{len(some)} seed{'s' * (len(some) != 1)}"), justify="right", no_wrap=True)
    for words, figure in _rows(split, measures):
        cells = [_cell([one.figures for one in some], figure) for some in columns.values()]
        grid.add_row(Text(words), *map(Text, cells))
    return grid


def _lines(text: str) -> str:
    """Each line of it as `printable` makes it."""
    return "\n".join(map(printable, text.split("\n")))


def _rows(split: str, measures: Sequence[str]) -> Iterator[tuple[str, str]]:
    """What each row is called, and its figure."""
    yield "accuracy as it is", f"{split}_accuracy"
    for name in measures:
        measure = read_measure(name)
        yield measure.title, f"{split}_{measure.figures[0]}"


def _cell(runs: Sequence[Mapping[str, float]], figure: str) -> str:
    values = [figures[figure] for figures in runs if figure in figures]
    if not values:
        return NOT_MEASURED
    if len(values) > 1:
        return f"{fmean(values):.4f} ± {stdev(values):.4f}"
    ends = [runs[0].get(f"{figure}_{end}") for end in ("low", "high")]
    measure = measure_of(figure)
    if measure is not None and measure.name.startswith("ece") and None not in ends:
        return f"{values[0]:.4f} ({ends[0]:.4f}–{ends[1]:.4f})"
    return f"{values[0]:.4f}"


@dataclass(frozen=True)
class Held:
    """The cells of the page's table of how finalists hold, and of what was made of them."""

    headers: tuple[str, ...]
    """Whose figures stand below: an architecture, and how it was made of a finalist where it was."""
    rows: tuple[tuple[str, ...], ...]
    """What was asked, then the answer of each."""
    seeds: tuple[int, ...]


def held(trials: Sequence[Trial]) -> Held | None:
    """What finalists and what was made of them were asked on test data, or on validation data; None where nothing was."""
    found = [trial for trial in trials if trial.stage in {"final", "derived"} and trial.state == "complete" and trial.record]
    origins = _origins(found)
    places = [*dict.fromkeys(origins.values())]
    found.sort(key=lambda trial: (places.index(origins[trial.evaluation]), trial.stage != "final"))  # each, and then its children
    figures = [name for name in in_reading_order(name for trial in found for name in _figures(trial)) if not _is_end(name)]
    figures = [name for name in figures if name.startswith("test_")] or figures
    columns: defaultdict[tuple[str, ...], list[Mapping[str, float]]] = defaultdict(list)
    for trial in found:
        if any(name in _figures(trial) for name in figures):
            derived = trial.record.derived if trial.record else None
            words = derived.words if derived else ""
            columns[origins[trial.evaluation], trial.architecture.id, words].append(_figures(trial))
    if not columns:
        return None
    split = figures[0].partition("_")[0]
    names = [f"{split}_accuracy", *figures]
    finest = finest_steps(trial.record for trial in found if trial.record)
    return Held(
        headers=tuple(printable(" ".join(filter(None, key[1:]))) for key in columns),
        rows=tuple(
            (
                face(name).title.removeprefix(f"{split} ") if n else "accuracy as it is",
                *(told(_mean(name, runs, finest.get(name, 0.0)), name) for runs in columns.values()),
            )
            for n, name in enumerate(names)
        ),
        seeds=tuple(map(len, columns.values())),
    )


def _origins(trials: Sequence[Trial]) -> dict[str, str]:
    """Evaluation → the architecture of the finalist that it is of, or was made of; finalists come first, in their order."""
    known = {trial.evaluation: trial for trial in trials}

    def origin(trial: Trial) -> str:
        derived = trial.record.derived if trial.record else None
        return origin(known[derived.parent]) if derived and derived.parent in known else trial.architecture.id

    return {trial.evaluation: origin(trial) for trial in sorted(trials, key=lambda trial: trial.stage != "final")}


def _figures(trial: Trial) -> Mapping[str, float]:
    return trial.record.figures if trial.record else {}


def _is_end(figure: str) -> bool:
    return figure.endswith(("_low", "_high"))


def _mean(name: str, runs: Sequence[Mapping[str, float]], step: float) -> Spread | None:
    values = [figures[name] for figures in runs if name in figures]
    return spread(values, step / sqrt(12)) if values else None


def reliability_grid(one: Answers) -> Table:
    """The numbers of the reliability diagram: by confidence, how often the answer is right."""
    grid = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for name in ("confidence", "mean of it", "right", "answers"):
        grid.add_column(name, justify="right")
    for part in one.calibration.bins:
        if part.count:
            cells = (f"{part.low:.3f} to {part.high:.3f}", f"{part.confidence:.3f}", f"{part.accuracy:.3f}", f"{part.count:,}")
            grid.add_row(*cells)
    return grid


def groups_grid(answers: Sequence[Answers]) -> Table:
    """The accuracy of each group, the lowest mean first."""
    columns = grouped(answers)
    names = {name for one in answers for name in one.groups}
    grid = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    grid.add_column("group")
    for name in columns:
        grid.add_column(Text(_lines(name)), justify="right", no_wrap=True)
    for name in sorted(names, key=lambda name: (fmean(one.groups[name] for one in answers if name in one.groups), name)):
        grid.add_row(Text(printable(name)), *(Text(_cell([one.groups for one in some], name)) for some in columns.values()))
    return grid
