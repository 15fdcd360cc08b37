"""The winner of a study, or any trial of it, as a folder to take home."""

import math
import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from nas.benchmark import Benchmark
from nas.errors import ExportError, ModelError, SearchError, printable, quote
from nas.files import vacant
from nas.ranking import Row, Table, rank
from nas.records import Epoch, Ledger, Record, Stage, StudyEntry, Trial, default_ledger
from nas.searching.evaluating import make_evaluator
from nas.searching.events import EpochEnded, OnEvent, RunBegun, ignore
from nas.searching.retraining import benchmark_of
from nas.searching.weights import again_of, missing, weights_of

if TYPE_CHECKING:
    from torch import Tensor, nn

    from nas.exporting import HandedOver
    from nas.training import Loop, Task

    Measure = Callable[[nn.Module], dict[str, float]]

STAGES: tuple[Stage, ...] = ("final", "audit", "confirm", "search")
"""Which training of an architecture goes first: the longest."""

CLOSE = 1e-6
"""By how much of it a figure may differ and be the same: sums of float32 in another order."""

MOST_EXAMPLES = 32
"""Validation inputs that outputs are compared on, beside batches of 1 and 3."""


def export(
    named: str | Trial,
    to: Path,
    *,
    ledger: str | None = None,
    formats: Iterable[str] | None = None,
    untrained: bool = False,
    weights: Path | None = None,
    data: Path | None = None,
    device: str | None = None,
    on_event: OnEvent = ignore,
    on_step: "Callable[[Loop], None]" = lambda _: None,
    say: Callable[[str], None] = lambda _: None,
) -> "HandedOver":
    """Write a trial into the folder `to`: STUDY:NUMBER, STUDY:ID with the beginning of an architecture's id, STUDY:id:N
    with a trial's id in the ledger (the way to name one that was made of a finalist), or STUDY for its winner.

    The weights are those of the file `weights`, or those that finals kept, where they are those on record; else the trial is
    trained again, from its seed, on `device` or on the one that it was trained on. With `untrained` they are drawn from its seed.
    `formats` are some of source, program and onnx; without them all that can be are written.

    Raises:
        NasError: there is no such trial, it is not complete, its benchmark is another now, or its data are missing; or it cannot
            be written.
    """
    from nas.exporting import Origin, check_forms, hand_over
    from nas.models import build, plan
    from nas.reports.command import commands  # brings rich, which no search needs
    from nas.training import Setup, cut_of, load_task, protocol_of, suit

    forms = check_forms(formats) if formats is not None else None
    if untrained and weights is not None:
        raise SearchError("Untrained weights are drawn, got a file of weights too; leave one of them out.")
    home = vacant(to)  # before it is trained again
    url = ledger or default_ledger()
    with Ledger(url, create=False) as book:
        entry, trial, tables, trials = find(book, named)
    if "table" in entry.definition["benchmark"]:
        raise ExportError(f"The study {entry.name!r} is on a table, which does not tell how its networks are built.")
    benchmark = benchmark_of(entry, data)
    record = trial.record
    assert record is not None  # noqa: S101 - `find` gives what is complete
    signature = benchmark.signature
    parts = plan(entry.space, trial.architecture, signature)
    network: nn.Module = suit(build(entry.space, trial.architecture, signature, seed=record.seed), benchmark.recipe)
    task = load_task(benchmark, data)
    setup = Setup(
        benchmark=benchmark,
        task=task,
        parts=parts,
        feed=task.examples,
        budget=record.budget,
        seed=record.seed,
        data=data,
    )

    def measure(trained: "nn.Module") -> dict[str, float]:
        return protocol_of(benchmark)(setup).measure(trained, task.examples("validation"), "validation")

    packed = False
    if record.derived is not None and not untrained and weights is None:
        network, words = _made(network, trial, url, _examples(task)[:1])
        packed = not record.derived.plain
    elif untrained:
        words = f"The weights are as they were drawn from seed {record.seed}, before any training."
    elif weights is not None:
        words = _read(network, weights, measure, record)
    else:
        kept = weights_of(url, trial)
        found = _read_kept(network, kept, measure, record) if kept is not None else None
        if found is None:
            doubt = f"the weights that are kept ({kept.name}) are not those that the record tells of" if kept is not None else ""
            state, words = _trained_again(entry, benchmark, trial, data, device, on_event, on_step, doubt)
            network.load_state_dict(state)
        else:
            words = found
    inputs = _examples(task)
    line = ["nas", "export", _name(trial, named), "--to", home.name, *(["--untrained"] if untrained else [])]
    line += ["--weights", weights.name] if weights is not None else []
    line += ["--formats", ",".join(forms)] if forms else []
    origin = Origin(
        entry=entry,
        trial=trial,
        benchmark=benchmark,
        row=_row(tables, trial),
        tried=len({one.architecture.id for one in trials if one.stage == "search" and one.state == "complete"}),
        weights=words,
        trained=not untrained,
        commands=(*commands(entry, trials), shlex.join(line)),
    )
    return hand_over(network, origin, inputs, to, forms=forms, parts=() if cut_of(network) else parts, packed=packed, say=say)


def _made(network: "nn.Module", trial: Trial, url: str, inputs: "Tensor") -> "tuple[nn.Module, str]":
    """What was made of a finalist, from the file that it is kept in beside the ledger, and a sentence about its weights.

    Raises:
        ExportError: it is gone or another, or what it computes with cannot be handed over.
    """
    from nas.training import cut_of, derivation_of, digest_tensors, restored

    record, kept = trial.record, weights_of(url, trial)
    assert record is not None  # noqa: S101 - see `export`
    assert record.derived is not None  # noqa: S101 - see `export`
    derived = record.derived
    derivation = derivation_of(derived.method, derived.options)
    if derivation.hindrance:
        raise ExportError(f"{derived.words} cannot be handed over: {derivation.hindrance}.")
    if kept is None:
        raise ExportError(missing(url, trial))
    again = f"`{again_of(trial)}` makes it anew"
    try:
        network = restored(derived, network, kept, inputs)
    except OSError as error:
        raise ExportError(f"{kept.name} cannot be read: {error.strerror}; {again}.") from error
    except ModelError as error:
        raise ExportError(f"{kept.name} holds other weights than {derived.words} keeps; {again}.") from error
    if digest_tensors(derivation.kept(network)) != record.weights_sha256:
        raise ExportError(f"{kept.name} does not hold the weights that the record tells of; {again}.")
    words = f"The weights are those that {derived.words} made of a finalist's: bit for bit those that the record tells of."
    if cut_of(network):
        words += " Layers were cut out of it, so that it is narrower than its choices say; its figures were counted as it stands."
    return network, words


def _name(trial: Trial, named: str | Trial) -> str:
    """What a command calls it."""
    if isinstance(named, str):
        return named
    if trial.stage == "derived":
        return f"{trial.study}:id:{trial.id}"
    return f"{trial.study}:{trial.number if trial.stage == 'search' else trial.architecture.id}"


def find(book: Ledger, named: str | Trial) -> tuple[StudyEntry, Trial, tuple[Table, ...], list[Trial]]:
    """The study, the trial, the study's leaderboards and all its trials.

    Raises:
        NasError: there is no such trial, or it is not complete.
    """
    study, colon, which = (named.study, ":", "") if isinstance(named, Trial) else named.partition(":")
    entry = book.study(study)
    trials = book.trials(entry)
    tables = rank((entry, one) for one in trials)
    if not colon:
        if not tables:
            raise SearchError(f"The study {study!r} has no complete trial yet, and so no winner.")
        return entry, tables[0].rows[0].trials[0], tables, trials
    found = named if isinstance(named, Trial) else _meant(trials, which)
    if found.state != "complete" or found.record is None:
        raise SearchError(f"The {found.title} is {found.state}, and only what is complete can be exported.")
    return entry, found, tables, trials


def _meant(trials: Sequence[Trial], which: str) -> Trial:
    """The trial with that number or id in the ledger; of an architecture its longest training that is complete, where one is."""
    from nas.reports.finding import find_trial  # brings rich, which no search needs

    if which.startswith("id:"):
        return find_trial(trials, which)
    found = find_trial([one for one in trials if one.stage != "derived"], which)
    if which.isdecimal() and int(which) == found.number:
        return found
    same = [one for one in trials if one.architecture.id == found.architecture.id and one.stage in STAGES]
    complete = [one for one in same if one.state == "complete" and one.record is not None]
    return min(complete, key=lambda one: (STAGES.index(one.stage), one.number), default=found)


def _row(tables: Iterable[Table], trial: Trial) -> Row | None:
    """The row that `trial` is one of several trainings of."""
    rows = (row for table in tables if table.stage == trial.stage for row in table.rows)
    row = next((row for row in rows if trial.id in {one.id for one in row.trials}), None)
    return row if row is not None and len(row.trials) > 1 else None


def _read(network: "nn.Module", path: Path, measure: "Measure", record: Record) -> str:
    """Give `network` the weights in the file at `path`; returns where they are from, and how they compare, in a sentence or two.

    Raises:
        ExportError: the file cannot be read, or is of another network.
    """
    from nas.training import digest_tensors, read_weights

    try:
        read_weights(network, path)
    except OSError as error:
        raise ExportError(f"{printable(path.name)} cannot be read: {error.strerror}.") from error
    except ModelError as error:
        raise ExportError(str(error)) from error
    compared = _compared_here(network, digest_tensors(network.state_dict()), measure, record)
    return f"The weights are from the file {quote(path.name)}: {compared}."


def _read_kept(network: "nn.Module", path: Path, measure: "Measure", record: Record) -> str | None:
    """As `_read` does, of the weights that finals kept; None where the file is not what the record tells of."""
    from nas.training import digest_tensors, read_weights

    try:
        read_weights(network, path)
    except (OSError, ModelError):
        return None
    digest = digest_tensors(network.state_dict())
    if record.weights_sha256 not in {None, digest}:
        return None
    compared = _compared_here(network, digest, measure, record)
    return f"The weights are those that its training ended with, kept beside the ledger: {compared}."


def _compared_here(network: "nn.Module", digest: str, measure: "Measure", record: Record) -> str:
    """`_compared`, with the figures that `network` has now where its weights are others."""
    figures = measure(network) if digest != record.weights_sha256 else {}
    return _compared(record, digest, figures)


def _trained_again(
    entry: StudyEntry,
    benchmark: Benchmark,
    trial: Trial,
    data: Path | None,
    device: str | None,
    on_event: OnEvent,
    on_step: "Callable[[Loop], None]",
    doubt: str,
) -> "tuple[Mapping[str, Tensor], str]":
    """The weights of `trial`, trained again as its record says, and in a sentence how they compare.

    `doubt` is why those that are kept are not taken; empty where none are kept.

    Raises:
        ExportError: the training fails.
    """
    record = trial.record
    assert record is not None  # noqa: S101 - see `export`
    means = {
        "device": device or record.device,
        "threads": record.threads,
        "precision": record.precision,
        "compile": record.compile,
    }
    evaluator = make_evaluator(entry.space, benchmark, (), data=data, loading=record.loading or "auto", **means)
    networks: list[nn.Module] = []
    begun = f"{doubt or 'no weights are kept'}: training {trial.title} again, {record.budget}"
    on_event(RunBegun(trial.study, 1, 0, begun))

    def report(epoch: Epoch) -> bool:
        on_event(EpochEnded(trial.number, epoch, record.budget.epochs, trial.stage))
        return False

    again = evaluator(
        trial.architecture, budget=record.budget, seed=record.seed, report=report, on_step=on_step, keep=networks.append
    )
    if not networks:
        reason = f"{again.error.kind}: {again.error.message}" if again.error else again.outcome
        raise ExportError(f"It could not be trained again ({printable(reason)}); give its weights, or export it --untrained.")
    compared = _compared(record, again.weights_sha256, again.figures)
    other = [
        f"{name} {before} there and {now} here"
        for name, before, now in (
            ("torch", record.versions.get("torch"), again.versions.get("torch")),
            ("machine", record.machine.id, again.machine.id),
            ("device", record.device, again.device),
        )
        if before != now and "differ" in compared
    ]
    why = f" ({', '.join(other)})" if other else ""
    words = f"The weights were trained again for this folder{f', since {doubt}' if doubt else ''}: {compared}{why}."
    return networks[0].state_dict(), words


def _compared(record: Record, digest: str | None, found: Mapping[str, float]) -> str:
    """How weights and their validation figures compare with those on record, of replicates with the first, in a clause."""
    first = record.replicates[0] if record.replicates else None
    figures = first.figures if first else record.figures
    if digest is not None and digest in {record.weights_sha256, first.weights_sha256 if first else None}:
        return "bit for bit those that the record tells of"
    differences = {
        name: found[name] - value
        for name, value in figures.items()
        if name.startswith("validation_") and name in found and not math.isclose(found[name], value, rel_tol=CLOSE)
    }
    if not differences:
        return "their validation figures are those on record"
    told = ", ".join(f"{name.replace('_', ' ')} by {value:+.4g}" for name, value in differences.items())
    return f"their validation figures differ from those on record, {told}"


def _examples(task: "Task") -> "Tensor":
    """Real validation inputs on the CPU: some tens of them."""
    import torch

    from nas.training import feed

    source = feed(task.examples("validation"), torch.device("cpu"), "stream")
    inputs, _ = next(source.batches([torch.arange(min(MOST_EXAMPLES, len(source)))]))
    return inputs
