"""The model card of a network that is handed over: what it is, how it was trained, what its figures are worth, and its limits.

After Mitchell et al. 2019, "Model Cards for Model Reporting" (arXiv:1810.03993), as far as a search knows.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from nas.benchmark import Benchmark, Features, NextTokens, Query
from nas.errors import printable
from nas.exporting.forms import FILES, FORMS, TOLERANCE, Forms
from nas.exporting.source import WEIGHTS
from nas.measures import in_reading_order
from nas.ranking import Row, Summary
from nas.ranking.certainty import is_share
from nas.ranking.leaderboard import by_number
from nas.records import FIGURES, Latency, Record, StudyEntry, Trial, figure_kind, this_machine, versions
from nas.reports.figures import face
from nas.reports.tables import show
from nas.reports.trial import choice_lines, conditions

_USE = {
    "source": "`from model import load`",
    "program": '`torch.export.load("model.pt2").module()`',
    "onnx": '`onnxruntime.InferenceSession("model.onnx").run(None, {"input": inputs})`',
}
_WHAT = {
    "source": "plain PyTorch, to read, run and train on; needs torch alone",
    "program": "a `torch.export` program for batches of any size; opens with the version of torch that made it, or a later one",
    "onnx": "an ONNX graph for batches of any size",
}


MOST_CLASSES = 100
"""Names of outputs that a card tells."""


@dataclass(frozen=True, kw_only=True)
class Origin:
    """Where a network comes from."""

    entry: StudyEntry
    trial: Trial
    benchmark: Benchmark
    row: Row | None
    """All trainings of its architecture that compare with this one; None where there is none but this."""
    tried: int
    """How many different architectures the search evaluated."""
    weights: str
    """Where the weights are from, in a sentence."""
    trained: bool
    commands: tuple[str, ...]
    """The lines for a shell that do it all again; the last of them writes this folder."""

    @property
    def record(self) -> Record:
        """What is known of the training."""
        assert self.trial.record is not None  # noqa: S101 - only what has ended is handed over
        return self.trial.record

    @property
    def title(self) -> str:
        """What the network is called."""
        return f"{self.entry.space.name} for {self.benchmark.name}: architecture {self.trial.architecture.id}"


def source_words(origin: Origin) -> str:
    """What the file of source says of itself below its title."""
    trial = origin.trial
    return (
        f"Found by the search {trial.study!r} ({trial.stage} trial {trial.number}); plain PyTorch, which needs torch alone.\n"
        "load() gives the network with its weights, network() one without; `python model.py` runs it.\n"
        "README.md says how it was trained, and what it is worth."
    )


def card(origin: Origin, forms: Forms, examples: Tensor) -> str:
    """The card as Markdown; `examples` are real inputs, of which the range is told."""
    return "\n".join(_lines(origin, forms, examples)) + "\n"


def _lines(origin: Origin, forms: Forms, examples: Tensor) -> Iterator[str]:
    benchmark, trial, record = origin.benchmark, origin.trial, origin.record
    yield f"# {origin.title}"
    yield ""
    yield (
        f"{_sentence(benchmark.summary)} This network was found by the search `{trial.study}` in the search space "
        f"`{origin.entry.space.name}` (version {origin.entry.space.version}), among {origin.tried:,} architecture"
        f"{'s' * (origin.tried != 1)}; it is {trial.stage} trial {trial.number}. {origin.weights}"
    )
    if not origin.trained:
        yield ""
        yield "**The weights are random: this network answers nothing before it is trained.**"
    yield from _use(benchmark, forms, examples)
    yield from _forms(forms, record.latency)
    yield from _figures(origin)
    yield from _training(origin)
    yield from _limits(origin)
    yield "\n## Data and licence\n"
    yield f"Trained on `{benchmark.name}` version {benchmark.version}: {_sentence(benchmark.source)}"
    yield (
        f"Licence of the data: {benchmark.licence.rstrip('.')}. Whether it reaches to weights that were learned from them is for "
        "you to judge."
    )
    yield "\n## Choices\n"
    yield "What distinguishes this architecture from the others of its search space:\n"
    yield "```"
    yield from (line.removeprefix("  ") for line in choice_lines(trial.architecture.choices))
    yield "```"
    yield "\n## Commands\n"
    yield "```console"
    yield from (f"$ {line}" for line in origin.commands)
    yield "```"


def _use(benchmark: Benchmark, forms: Forms, examples: Tensor) -> Iterator[str]:
    signature = benchmark.signature
    kind = str(examples.dtype).removeprefix("torch.")
    given, gives = (f"(N, {', '.join(map(str, shape.axes))})" for shape in (signature.input, signature.output))
    yield "\n## Use\n"
    if any(one.form == "source" for one in forms.written):
        yield "```python"
        yield "from model import load"
        yield ""
        yield "model = load()  # in evaluation mode; model.train() trains on"
        yield f"outputs = model(inputs)  # {given} {kind} → {gives}"
        yield "```"
        yield ""
        yield "`python model.py` runs it on a random example."
        yield ""
    yield f"In: {signature.input}; a batch is {given} of {kind}. {_range(examples)}"
    yield ""
    yield f"Out: {outputs_of(benchmark)}; a batch is {gives}."
    if names := benchmark.classes:
        yield ""
        yield f"The outputs stand for, in order{_more(len(names))}:\n"
        yield "```"
        yield from (f"{n:>{len(str(len(names)))}} {printable(name)}" for n, name in enumerate(names[:MOST_CLASSES]))
        yield "```"


def _more(count: int) -> str:
    return f" (the first {MOST_CLASSES} of {count:,}; `figures.json` has all)" if count > MOST_CLASSES else ""


def outputs_of(benchmark: Benchmark) -> str:
    """What comes out, as far as the benchmark's figures tell what it is."""
    output = benchmark.signature.output
    classifies = bool(benchmark.classes) or any(goal.figure.endswith("accuracy") for goal in benchmark.objectives)
    if isinstance(benchmark.signature.input, Query):
        return f"a score for each of {benchmark.signature.input.entities:,} entities, the higher the likelier that it answers"
    if isinstance(output, Features) and classifies:
        return f"a logit for each of {output.count} classes, before the softmax"
    return f"{output}, as logits before the softmax" if classifies or isinstance(output, NextTokens) else str(output)


def _range(examples: Tensor) -> str:
    """What inputs look like, so that others can be brought into that form."""
    if not examples.is_floating_point():
        return (
            f"Validation inputs are ids from {int(examples.min())} to {int(examples.max())}, as the benchmark's task makes them."
        )
    return (
        f"The validation inputs lie between {float(examples.min()):.4g} and {float(examples.max()):.4g}, with mean "
        f"{float(examples.mean()):.4g} and standard deviation {float(examples.std()):.4g}, as the benchmark's task makes them; "
        "bring others into that form."
    )


def _forms(forms: Forms, recorded: Latency | None) -> Iterator[str]:
    machine = this_machine()
    yield "\n## Forms\n"
    yield (
        f"Outputs were compared with those of the network that was trained, on real validation examples in batches of 1 and 3; "
        f"{TOLERANCE:g} is allowed, of the largest output where that is above 1. Latency is the median of one example with its "
        f"95 % interval, by {forms.latency.threads} thread{'s' * (forms.latency.threads != 1)} on {machine}."
    )
    yield ""
    yield "| file | what | opened by | largest difference | latency, ms |"
    yield "|---|---|---|---:|---:|"
    for one in forms.written:
        yield (
            f"| `{one.file}` | {_WHAT[one.form]} | {_USE[one.form]} | {_difference(one.difference)} | {_interval(one.latency)} |"
        )
    yield f"| `{WEIGHTS}` | weights and buffers, {forms.size_bytes:,} bytes | `model.py`, or the package safetensors | | |"
    yield f"| | the network as it was trained, measured here | | | {_interval(forms.latency)} |"
    if recorded is not None:
        yield f"| | as it was recorded, on {recorded.device} | | | {_interval(recorded)} |"
    if forms.packed is not None:
        yield ""
        yield _PACKED if forms.packed else _UNPACKED
    for form in FORMS:
        if form in forms.left_out:
            yield ""
            yield f"`{FILES[form]}` is not there: {_sentence(forms.left_out[form])}"
    if forms.latency.disturbed:
        yield ""
        yield f"As latency was measured: {forms.latency.disturbed}"


_PACKED = (
    f"In `{WEIGHTS}` weights are packed: NAME.int8 and NAME.scale are whole numbers and a scale a row, NAME.mask and NAME.values "
    "a bit a weight and those that are not zero. `model.py` unpacks them; the other files hold them as 32-bit numbers."
)
_UNPACKED = "All files hold weights as 32-bit numbers, since there is no source that would unpack smaller ones."


def _difference(value: float) -> str:
    return f"{value:.1e}" if value else "0"


def _interval(latency: Latency) -> str:
    return f"{latency.median_ms:.3f} ({latency.low_ms:.3f} to {latency.high_ms:.3f})"


def _figures(origin: Origin) -> Iterator[str]:
    figures = summaries(origin)
    seeds = [one.record.seed for one in origin.row.trials if one.record] if origin.row else [origin.record.seed]
    floor = origin.benchmark.floor
    yield "\n## Figures\n"
    several = len(seeds) > 1
    yield (
        f"Of {len(seeds)} trainings from seeds {', '.join(map(str, seeds))}: means and their 95 % intervals, {_by(origin.row)}."
        if several
        else f"Of one training, from seed {seeds[0]}: how much another seed would change them is not known."
    )
    if not origin.trained:
        yield "They are of networks that were trained; the weights here were not."
    elif several:
        yield f"The weights here are those of seed {origin.record.seed}."
    yield ""
    yield "| figure | value | 95 % interval | unit |" + (f" {origin.benchmark.floor_by} |" if floor else "")
    yield "|---|---:|---:|---|" + ("---:|" if floor else "")
    for name, summary in sorted(figures.items(), key=lambda item: place_of(item[0])):
        told = face(name)
        low, high = bounds(name, summary, origin.row)
        between = "" if low is None or high is None else f"{_number(low, name)} to {_number(high, name)}"
        if name == "latency_ms" and origin.record.latency is not None and not several:
            between = f"{origin.record.latency.low_ms:.3f} to {origin.record.latency.high_ms:.3f}"
        mean = show(name, Summary(mean=summary.mean, deviation=None, count=summary.count))
        simple = f" {floor[name]:.4f} |" if name in floor else " |" if floor else ""
        yield f"| {told.words} | {mean} | {between} | {told.unit} |{simple}"


def place_of(name: str) -> tuple[object, ...]:
    """Test figures first, then validation's, then what every candidate costs, and what only some do."""
    costs, base = [*FIGURES], name.partition(":")[0]
    if base in costs:
        return 2, costs.index(base), name
    return 0 if name.startswith("test_") else 3 if figure_kind(name) is not None else 1, by_number(name)


def _number(value: float, name: str) -> str:
    return show(name, Summary(mean=value, deviation=None, count=1))


def summaries(origin: Origin) -> Mapping[str, Summary]:
    """Each figure over all trainings that compare."""
    if origin.row is not None:
        return origin.row.figures
    return {name: Summary(mean=value, deviation=None, count=1) for name, value in origin.record.figures.items()}


def _by(row: Row | None) -> str:
    """How intervals over seeds come to be."""
    if row is None or row.certainty is None:
        return "by Student's t"
    objectives = " and ".join(face(name).words for name in row.certainty.intervals)
    return f"that of {objectives} as on the leaderboard (variances pooled over its rows), the others by Student's t"


def bounds(name: str, summary: Summary, row: Row | None = None) -> tuple[float | None, float | None]:
    """The 95 % interval of a mean over seeds: the leaderboard's, which knows the other rows too, or else by Student's t.

    None for one training, or where all are equal. A share, which accuracy is where it is no percentage, ends at 0 and 1, and what
    is counted or measured of a network at 0.
    """
    if row is not None and row.certainty is not None and name in row.certainty.intervals:
        known = row.certainty.intervals[name]
        return known.low, known.high
    if not summary.deviation:
        return None, None
    from scipy.stats import t

    half = float(t.ppf(0.975, summary.count - 1)) * summary.deviation / math.sqrt(summary.count)
    low, high = summary.mean - half, summary.mean + half
    if is_share(name, [summary.mean]):
        return max(0.0, low), min(1.0, high)
    return (low if figure_kind(name) is None else max(0.0, low)), high


def _training(origin: Origin) -> Iterator[str]:
    record, benchmark = origin.record, origin.benchmark
    recipe = {name: value for name, value in benchmark.to_data()["recipe"].items() if value not in (None, False, 0, 0.0)}
    yield "\n## Training\n"
    yield f"- budget: {record.budget}"
    yield f"- recipe: {', '.join(f'{name} {_plain(value)}' for name, value in recipe.items())}"
    for label, text in conditions(origin.trial, origin.entry):
        if label in {"seed", "setting", "machine", "commit", "versions"}:
            yield f"- {label}: {text}"
    if record.data_sha256:
        yield f"- data, SHA-256 of training and validation examples: {record.data_sha256}"
    for note in record.notes:
        yield f"- note: {note}"


def _limits(origin: Origin) -> Iterator[str]:
    names = summaries(origin)
    tested = any(name.startswith("test_") for name in names)
    yield "\n## Limits\n"
    yield (
        f"- It was chosen among {origin.tried:,} by validation data, so that its validation figures are better than they would "
        "be on new data."
        + (" The test figures steered nothing." if tested else " No test data were read: `nas finals` reads them for the best.")
    )
    yield f"- It takes {origin.benchmark.signature.input}, and was tried on nothing but data like those that it was trained on."
    yield "- Figures of time and memory are of the machines that are named, and of no others."
    asked = " beyond the figures above" if in_reading_order(names) else ""
    yield f"- Nothing is known of fairness, of robustness, or of inputs that somebody made to mislead it{asked}."


def figures_data(origin: Origin, forms: Forms) -> dict[str, Any]:
    """What the card says in numbers, as plain data."""
    return {
        "network": origin.title,
        "study": origin.trial.study,
        "stage": origin.trial.stage,
        "trial": origin.trial.number,
        "space": {"name": origin.entry.space.name, "version": origin.entry.space.version},
        "benchmark": {"name": origin.benchmark.name, "version": origin.benchmark.version},
        "classes": list(origin.benchmark.classes),
        "signature": origin.benchmark.signature.to_data(),
        "architecture": origin.trial.architecture.to_data(),
        "trained": origin.trained,
        "weights": origin.weights,
        "tried": origin.tried,
        "figures": {name: _figure_data(name, summary, origin.row) for name, summary in summaries(origin).items()},
        "forms": [{**asdict(one), "latency": asdict(one.latency)} for one in forms.written],
        "left_out": dict(forms.left_out),
        "latency_here": asdict(forms.latency),
        "machine_here": asdict(this_machine()),
        "versions_here": versions(),
        "torch": torch.__version__,
        "record": origin.record.to_data(),
        "commands": list(origin.commands),
    }


def _figure_data(name: str, summary: Summary, row: Row | None) -> dict[str, Any]:
    low, high = bounds(name, summary, row)
    unit = FIGURES[name].unit if name in FIGURES else ""
    return {
        "mean": summary.mean,
        "deviation": summary.deviation,
        "trainings": summary.count,
        "low": low,
        "high": high,
        "unit": unit,
    }


def _plain(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else "yes" if value is True else str(value)


def _sentence(text: str) -> str:
    text = " ".join(text.split())
    return text if text.endswith((".", "!", "?")) else f"{text}."


def requirements(torch_version: str) -> str:
    """What the folder needs to be installed."""
    release = torch_version.partition("+")[0]
    return (
        f"# model.py needs torch 2.4 or later; model.pt2 was written by torch {release}, and opens from there on.\ntorch>=2.4\n"
    )


def all_files(forms: Forms) -> Sequence[str]:
    """The files of a folder, in the order in which a reader meets them."""
    return ("README.md", *(one.file for one in forms.written), WEIGHTS, "figures.json", "requirements.txt")
