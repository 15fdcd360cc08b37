"""The trials of searches.csv → a row for each kind of search, and the best so far against epochs spent as a picture."""

import csv
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from matplotlib.figure import Figure

from nas.reports.pictures.style import GREY, INK, to_svg

ALLOWED_SHARE = 0.25
"""Of the epochs of the search with full training, which comes first."""

COLOURS = ("#0b6e4f", "#c2410c", "#7c3aed", "#0369a1", "#a16207", "#be185d", "#4d7c0f")


@dataclass(frozen=True)
class Done:
    """A trial that a search spent epochs on and finished."""

    search: str
    seed: int
    number: int
    architecture: str
    state: str
    epochs: int
    spent: int
    """Epochs of the search by then."""
    accuracy: float | None
    """On validation data after all its epochs; None where it was pruned."""


def read_trials(path: Path) -> list[Done]:
    """The trials that `write_trials` wrote; none where there is no file."""
    if not path.is_file():
        return []
    whole = {"seed", "number", "epochs", "spent"}
    with path.open(encoding="utf-8", newline="") as file:
        return [
            Done(
                **{name: int(text) if name in whole else text for name, text in row.items() if name != "accuracy"},  # type: ignore[arg-type]
                accuracy=float(row["accuracy"]) if row["accuracy"] else None,
            )
            for row in csv.DictReader(file)
        ]


def write_trials(path: Path, trials: Iterable[Done]) -> None:
    """Write `trials` as CSV."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(Done)], lineterminator="\n")
        writer.writeheader()
        writer.writerows({name: "" if value is None else value for name, value in asdict(one).items()} for one in trials)


def best_by(trials: Iterable[Done], spent: int) -> float | None:
    """The best accuracy of a full training that a search had reached when it had spent so many epochs; None before the first."""
    return max((one.accuracy for one in trials if one.spent <= spent and one.accuracy is not None), default=None)


@dataclass(frozen=True)
class Row:
    """What one kind of search came to, over its seeds; accuracies are means, each beside its standard error."""

    search: str
    seeds: int
    epochs: int
    """That it was allowed."""
    candidates: float
    """Finished, on average."""
    complete: float
    """Of these trained to the end."""
    best: float
    best_error: float
    behind: float
    """What full training of all its candidates reached, less `best`: the mean of the differences seed by seed."""
    behind_error: float
    reached: int
    """Seeds in which it is not behind."""


def by_seed(trials: Iterable[Done], search: str) -> dict[int, list[Done]]:
    """The trials of one kind of search, in order, for each seed."""
    found: dict[int, list[Done]] = {}
    for one in trials:
        if one.search == search:
            found.setdefault(one.seed, []).append(one)
    return found


def summarize(trials: Sequence[Done], allowed: Mapping[str, int], baseline: str) -> list[Row]:
    """A row for each search of `allowed` that has trials, and one for `baseline` at the epochs that the others may spend."""
    whole = {seed: best_by(done, allowed[baseline]) for seed, done in by_seed(trials, baseline).items()}
    few = min(allowed.values())
    wanted = [(baseline, allowed[baseline]), (baseline, few), *((name, few) for name in allowed if name != baseline)]
    rows = []
    for search, epochs in wanted:
        seeds = by_seed(trials, search)
        if not seeds:
            continue
        done = {seed: [one for one in of_seed if one.spent <= epochs] for seed, of_seed in seeds.items()}
        best = {seed: best_by(of_seed, epochs) or 0.0 for seed, of_seed in done.items()}
        gaps = [(whole[seed] or 0.0) - value for seed, value in best.items()]
        rows.append(
            Row(
                search=search,
                seeds=len(seeds),
                epochs=epochs,
                candidates=statistics.mean(len(of_seed) for of_seed in done.values()),
                complete=statistics.mean(sum(one.state == "complete" for one in of_seed) for of_seed in done.values()),
                best=statistics.mean(best.values()),
                best_error=standard_error(list(best.values())),
                behind=statistics.mean(gaps),
                behind_error=standard_error(gaps),
                reached=sum(gap <= 0 for gap in gaps),
            )
        )
    return rows


def standard_error(values: Sequence[float]) -> float:
    """Of the mean; 0 of a single value, which tells nothing of it."""
    return statistics.stdev(values) / len(values) ** 0.5 if len(values) > 1 else 0.0


def write_rows(path: Path, rows: Iterable[Row]) -> None:
    """Write `rows` as CSV, fractions to four places."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(Row)], lineterminator="\n")
        writer.writeheader()
        for row in rows:
            told = {name: f"{value:.4f}" if isinstance(value, float) else value for name, value in asdict(row).items()}
            writer.writerow(told)


def draw(trials: Sequence[Done], allowed: Mapping[str, int], baseline: str) -> bytes:
    """The mean of the best so far over the seeds, one standard error to each side, as an SVG image."""
    figure = Figure(figsize=(8.4, 4.6), layout="constrained")
    axes = figure.subplots()
    few, many = min(allowed.values()), allowed[baseline]
    for name, colour in zip(allowed, (INK, *COLOURS), strict=False):
        seeds = by_seed(trials, name)
        if not seeds:
            continue
        spent, means, errors = [], [], []
        for epoch in range(1, allowed[name] + 1):
            best = [best_by(done, epoch) for done in seeds.values()]
            known = [value for value in best if value is not None]
            if len(known) == len(best):  # a mean over fewer seeds would be another quantity
                spent.append(epoch)
                means.append(statistics.mean(known))
                errors.append(standard_error(known))
        axes.step(spent, means, where="post", color=colour, label=name, linewidth=2 if name == baseline else 1.5)
        low, high = ([mean + sign * error for mean, error in zip(means, errors, strict=True)] for sign in (-1, 1))
        axes.fill_between(spent, low, high, step="post", color=colour, alpha=0.12, linewidth=0)
        if name == baseline:
            axes.axhline(means[-1], color=colour, linewidth=0.8, linestyle=":")
    axes.axvline(few, color=GREY, linewidth=0.8)
    axes.annotate(f" {few}: a quarter", (few, 0.02), xycoords=("data", "axes fraction"), color=INK, fontsize=9)
    axes.set_xscale("log", base=2)
    ticks = [epochs for epochs in (16, 32, 64, 128, 256, 512, 1024) if epochs <= many]
    axes.set_xticks(ticks, [str(tick) for tick in ticks])
    axes.minorticks_off()
    axes.set_xlabel("epochs spent by the search")
    axes.set_ylabel("best validation accuracy of a full training")
    axes.set_title("Best so far: mean over the seeds, one standard error to each side", fontsize=10, loc="left")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(loc="lower right", frameon=False, fontsize=9)
    return to_svg(figure)
