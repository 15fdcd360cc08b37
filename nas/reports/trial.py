"""Everything about one trial: what it is, what came of it, under what conditions, and how to have it again."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from rich import box
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from nas.errors import printable
from nas.ranking import Summary
from nas.records import FIGURES, SCORES, Epoch, Latency, Record, StudyEntry, Trial
from nas.reports.figures import face
from nas.reports.origin import pairs
from nas.reports.tables import NOT_MEASURED, show, title
from nas.reports.trials import STYLES, age, duration, holder_words, in_order, standing, trial_row, under_way
from nas.space import Value

CURVE_ROWS = 20
"""Epochs of a long learning curve that are shown, evenly spread."""


def trial_text(trial: Trial, entry: StudyEntry, others: Sequence[Trial]) -> RenderableType:
    """What a terminal shows of `trial`, one of `others`, the trials of its study; its log is not in it."""
    parts: list[RenderableType] = [*_head(trial, entry, others)]
    record = trial.record
    if record is not None:
        if record.error is not None:
            parts += [_title("error"), Text(f"  {printable(f'{record.error.kind}: {record.error.message}')}", style="red")]
        if record.broken_limits:
            parts += [_title("outside the limits"), *(Text(f"  {printable(limit)}") for limit in record.broken_limits)]
        if record.figures:
            parts += [_title("figures"), _indented(_figures(record))]
        if record.curve:
            parts += [_title("learning curve" + (", means" if record.replicates else "")), _indented(_curve(record.curve))]
        if record.replicates:
            parts += [_title("replicates"), _indented(_replicates(record))]
        if record.pictures:
            told = ", ".join(printable(picture.title) for picture in record.pictures)
            parts += [_title("pictures"), Text(f"  {told}; --pictures DIR writes them")]
        if record.notes:
            parts += [_title("notes"), *(Text(f"  {printable(note)}") for note in record.notes)]
    parts += [_title("choices"), *(Text(line) for line in choice_lines(trial.architecture.choices))]
    parts += [_title("conditions"), _indented(_facts(conditions(trial, entry)))]
    return Group(*parts)


def _title(text: str) -> Text:
    return Text(f"\n{text}", style="bold")


def _head(trial: Trial, entry: StudyEntry, others: Sequence[Trial]) -> Iterator[Text]:
    state = standing(trial)
    where = f"{entry.definition['space']['name']} on {entry.definition['benchmark']['name']}"
    yield Text.assemble((f"{trial.stage} trial {trial.number} of {trial.study}", "bold"), "  ", (state, STYLES.get(state, "")))
    yield Text(printable(f"architecture {trial.architecture.id} of {where}"))
    if trial.record is None:
        yield Text(under_way(trial) or ("under way" if state == "running" else "nobody works at it; the same command goes on"))
    source = next((other for other in others if other.id == trial.reused_from), None)
    if source is not None:
        yield Text(f"its record is that of {source.stage} trial {source.number}, which did the same work")
    elif trial.reused_from is not None:
        yield Text(f"its record is that of trial id:{trial.reused_from} of another study, which did the same work")
    if trial.record is not None and (derived := trial.record.derived) is not None:
        parent = next((other for other in others if other.evaluation == derived.parent), None)
        words = f"{parent.stage} trial {parent.number} ({parent.architecture.id})" if parent else "a trial that is not here"
        yield Text(printable(f"{derived.words}, made of {words}"))
        told = [f"its file has {derived.file_bytes:,} bytes"] if derived.file_bytes else []
        told += [f"{derived.size_share:.2f} of its parent's"] if derived.size_share else []
        told += [f"a pass takes {derived.time_share:.2f} of its parent's, timed in turns"] if derived.time_share else []
        told += ["which cannot be told apart"] if derived.tied else []
        if told:
            yield Text(", ".join(told))
    same = [other for other in others if other.architecture.id == trial.architecture.id and other.id != trial.id]
    if same:
        yield Text("the same architecture: " + ", ".join(f"{other.stage} {other.number}" for other in in_order(same)))


def _figures(record: Record) -> Table:
    grid = _grid()
    grid.add_column(no_wrap=True)
    grid.add_column(justify="right", no_wrap=True)
    grid.add_column(min_width=2, no_wrap=True)
    grid.add_column()
    for name in sorted(record.figures, key=_place):
        value = show(name, Summary(mean=record.figures[name], deviation=None, count=1))
        said = _interval(record.latency) if name == "latency_ms" and record.latency else ""
        grid.add_row(Text(printable(face(name).words)), Text(value), Text(face(name).unit), Text(said, style="dim"))
    return grid


def _place(name: str) -> tuple[int, int]:
    """What the benchmark asks for comes first, then what every evaluation gives, then scores."""
    known = [*FIGURES, *SCORES]
    base = name.partition(":")[0]
    return (1, known.index(base)) if base in known else (0, name.endswith("_loss"))


def _interval(latency: Latency) -> str:
    parts = [f"95 % interval {latency.low_ms:.3f} to {latency.high_ms:.3f}, {latency.samples:,} passes of {latency.batch_size}"]
    parts += [f"by {latency.backend}"] if latency.backend != "eager" else []
    parts += [f"≈ {latency.disturbed}"] if latency.disturbed else []
    return printable(", ".join(parts))


def _curve(curve: Sequence[Epoch]) -> Table:
    names = list(dict.fromkeys(name for point in curve for name in point.figures))
    grid = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for name in ("epoch", "train loss", *map(title, names), "seconds"):
        grid.add_column(Text(printable(name).replace(" ", "\n", 1)), justify="right", no_wrap=True)
    for point in spread(curve, CURVE_ROWS):
        loss, seconds = _value(point.train_loss, 4), _value(point.seconds, 1)
        grid.add_row(f"{point.epoch:,}", loss, *(_value(point.figures.get(name), 4) for name in names), seconds)
    return grid


def spread(curve: Sequence[Epoch], most: int) -> list[Epoch]:
    """At most so many points of `curve`, evenly, the first and the last among them."""
    if len(curve) <= most:
        return list(curve)
    return [curve[round(n * (len(curve) - 1) / (most - 1))] for n in range(most)]


def _value(value: float | None, digits: int) -> str:
    if value is None:
        return NOT_MEASURED
    return f"{value:,.{digits}f}" if abs(value) < 1e9 else f"{value:.3e}"


def _replicates(record: Record) -> Table:
    names = list(dict.fromkeys(name for one in record.replicates for name in one.figures))
    grid = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for name in ("seed", *map(title, names), "epochs"):
        grid.add_column(Text(printable(name).replace(" ", "\n", 1)), justify="right", no_wrap=True)
    for one in record.replicates:
        epochs = str(one.curve[-1].epoch) if one.curve else "0"
        grid.add_row(str(one.seed), *(_value(one.figures.get(name), 4) for name in names), epochs)
    return grid


def choice_lines(choices: Mapping[str, Value]) -> list[str]:
    """The choices as a tree: parts of a name that several share stand once, what belongs to them below."""
    lines: list[str] = []
    above: tuple[str, ...] = ()
    for name, value in _gathered(choices):
        *path, last = name.split(".")
        common = next((n for n, (a, b) in enumerate(zip(above, path, strict=False)) if a != b), min(len(above), len(path)))
        lines += [f"{'  ' * (depth + 1)}{printable(path[depth])}" for depth in range(common, len(path))]
        lines.append(f"{'  ' * (len(path) + 1)}{printable(last)}  {printable(_answer(value))}")
        above = (*path, last)
    return lines


def _gathered(choices: Mapping[str, Value]) -> list[tuple[str, Value]]:
    """Choices so that those below one name stand together, in the order in which names were first met."""
    order: dict[str, int] = {}
    for name in choices:
        parts = name.split(".")
        for n in range(1, len(parts) + 1):
            order.setdefault(".".join(parts[:n]), len(order))

    def place(item: tuple[str, Value]) -> list[int]:
        parts = item[0].split(".")
        return [order[".".join(parts[:n])] for n in range(1, len(parts) + 1)]

    return sorted(choices.items(), key=place)


def _answer(value: Value) -> str:
    return {True: "true", False: "false"}[value] if isinstance(value, bool) else str(value)


def conditions(trial: Trial, entry: StudyEntry) -> list[tuple[str, str]]:
    """Under what conditions it was evaluated, by whom, when, and what it is called."""
    record, given = trial.record, entry.definition
    facts = [
        ("begun", f"{trial.begun_at[:19].replace('T', ' ')} UTC"),
        ("ended", f"{trial.ended_at[:19].replace('T', ' ')} UTC" if trial.ended_at else ""),
    ]
    if record is not None:
        facts += [
            ("took", _span(record.seconds)),
            ("budget", str(record.budget)),
            ("seed", str(record.seed)),
            ("recipe", pairs(given.get("recipe", {}))),
            ("setting", record.setting.use),
            ("machine", f"{record.machine} (id {record.machine.id})"),
            ("data", {"memory": "in the device's memory", "stream": "streamed to the device", None: ""}[record.loading]),
            ("commit", record.commit or ""),
            ("versions", ", ".join(f"{name} {version}" for name, version in record.versions.items())),
        ]
    else:
        facts += [("running for", duration(age(trial.begun_at)))] if standing(trial) == "running" else []
        facts += [("last figures", pairs(figures))] if isinstance(figures := trial.progress.get("figures"), dict) else []
    facts += [
        ("attempts", str(trial.attempts) if trial.attempts > 1 else ""),
        ("driver", holder_words(trial.holder) if trial.holder else ""),
        ("lease", _lease(trial)),
        ("ledger's id", str(trial.id)),
        ("evaluation", trial.evaluation),
    ]
    return [(label, printable(text)) for label, text in facts if text]


def _span(seconds: float | None) -> str:
    if seconds is None:
        return ""
    return f"{seconds:.1f} s" if seconds < 60 else duration(seconds)


def _lease(trial: Trial) -> str:
    if trial.state != "running":
        return ""
    if trial.lease_until is None:
        return "given back"
    left = trial.lease_until - time.time()
    return f"{duration(left)} left" if left > 0 else f"over for {duration(-left)}"


def _facts(facts: Sequence[tuple[str, str]]) -> Table:
    grid = _grid()
    grid.add_column(no_wrap=True)
    grid.add_column()
    for label, text in facts:
        grid.add_row(Text(label), Text(text))
    return grid


def _grid() -> Table:
    return Table.grid(padding=(0, 2, 0, 0))


def _indented(inner: RenderableType) -> Padding:
    return Padding(inner, (0, 0, 0, 2), expand=False)


def trial_data(trial: Trial) -> dict[str, Any]:
    """Everything about `trial` as plain data, ready for JSON; its log is not in it."""
    return {
        **trial_row(trial),
        "evaluation": trial.evaluation,
        "fence": trial.fence,
        "proposal": dict(trial.proposal),
        "record": asdict(trial.record) if trial.record else None,
    }
