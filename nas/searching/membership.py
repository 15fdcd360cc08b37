"""What finalists give away of their training examples: membership inference, by losses and by shadow networks.

A finalist and what was made of it are looked at side by side: each by its kept weights, and the shadow networks of each that
began from no other's weights by its own recipe. Members are training examples, others those of validation, which moved no weight;
test data are not read.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nas.benchmark import Benchmark
from nas.errors import ModelError, SearchError, quote
from nas.records import Ledger, Record, StudyEntry, Trial, default_ledger
from nas.searching.deriving import Finder
from nas.searching.picking import TRIAL
from nas.searching.retraining import benchmark_of
from nas.searching.weights import missing, weights_of
from nas.tables import TableBenchmark

if TYPE_CHECKING:
    import torch
    from torch import nn

    from nas.privacy import Shadow, Standing
    from nas.training import Examples, Task

EXAMPLES = 2_000
"""Members that are guessed at, and as many others, at most."""

NOTE = "Members were guessed{by} after it was trained, {members:,} training examples among {others:,} of validation."

_NOTED = re.compile(
    r"Members were guessed(?: by (?:its losses|([\d,]+) shadow networks))? after it was trained, "
    r"([\d,]+) training examples among ([\d,]+) of validation\."
)

Say = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Basis:
    """What a guess rests on."""

    members: int
    others: int
    shadows: int = 0
    """Networks that were trained for it; 0 where the losses of the network itself are all."""

    def __str__(self) -> str:
        by = f" by {self.shadows:,} shadow networks" if self.shadows else ""
        return f"{self.members:,} members and {self.others:,} others{by}"

    @property
    def note(self) -> str:
        """For a Record."""
        by = f" by {self.shadows:,} shadow networks" if self.shadows else " by its losses"
        return NOTE.format(by=by, members=self.members, others=self.others)

    def yields(self, other: "Basis") -> bool:
        """Whether it has less than `other` of something that a guess rests on."""
        return self.members < other.members or self.others < other.others or self.shadows < other.shadows


def noted(record: Record, *, by_shadows: bool) -> Basis | None:
    """What the figures in `record` rest on, as its last note of such a guess tells; None where there is none.

    Notes of older versions do not tell by what was guessed, and so not by how many shadow networks: they count as of either.
    """
    found = None
    for match in filter(None, map(_NOTED.fullmatch, record.notes)):
        shadows, members, others = (int(number.replace(",", "")) if number else 0 for number in match.groups())
        if "guessed after" in match[0] or bool(shadows) == by_shadows:
            found = Basis(members=members, others=others, shadows=shadows)
    return found


@dataclass(frozen=True, kw_only=True)
class Guessed:
    """How well the members of one training are told."""

    trial: Trial
    by_loss: "Standing"
    by_shadows: "Standing | None"
    """None where no shadow networks were trained: none were asked for, or it began from its parent's weights, as they do not."""
    members: int
    others: int
    shadows: int = 0
    """Shadow networks that were trained for it."""
    kept: tuple[str, ...] = ()
    """What its Record has from more than was looked at now, and keeps, as sentences."""

    @property
    def words(self) -> str:
        """How it was trained, where not as finalists are."""
        record = self.trial.record
        return record.derived.words if record and record.derived else "finalist"

    @property
    def figures(self) -> dict[str, float]:
        """For its Record."""
        return {name: value for _, figures in self.found() for name, value in figures.items()}

    def found(self) -> list[tuple[Basis, dict[str, float]]]:
        """The figures of each way to guess, and what they rest on."""
        basis = Basis(members=self.members, others=self.others)
        by_loss = [(basis, _figures("membership", self.by_loss))]
        if self.by_shadows is None:
            return by_loss
        return [*by_loss, (replace(basis, shadows=self.shadows), _figures("membership_lira", self.by_shadows))]

    def to_data(self) -> dict[str, Any]:
        """Plain data, ready for JSON."""
        record = self.trial.record
        assert record is not None  # noqa: S101 - it is complete
        return {
            "study": self.trial.study,
            "architecture": self.trial.architecture.id,
            "seed": record.seed,
            "trained": self.words,
            "privacy_epsilon": record.figures.get("privacy_epsilon"),
            "members": self.members,
            "others": self.others,
            "by_loss": asdict(self.by_loss),
            "by_shadows": asdict(self.by_shadows) if self.by_shadows else None,
            "kept": [*self.kept],
        }


def _figures(name: str, standing: "Standing") -> dict[str, float]:
    found = {f"{name}_auroc": standing.auroc}
    return found | ({f"{name}_found": standing.found} if standing.found is not None else {})


def guess_members(
    named: str,
    *,
    shadows: int = 0,
    examples: int = EXAMPLES,
    ledger: str | None = None,
    data: Path | None = None,
    device: str | None = None,
    say: Say = lambda _: None,
) -> tuple[Guessed, ...]:
    """How well it can be told which examples a finalist, and what was made of it, were trained on; a row a training.

    `named` is STUDY (its winner), STUDY:NUMBER, STUDY:ID, or STUDY:id:N for one training. With `shadows`, so many networks are
    trained for each recipe, each on half of training and validation examples together. What comes of it joins the Records, and
    so the columns of leaderboards; figures there that rest on more examples, or on more shadow networks, stay as they are.

    Raises:
        NasError: there is no such finalist, no weights of it are kept, or no shadow networks can be trained for it.
    """
    from nas.device import pick
    from nas.training import load_task

    if isinstance(examples, bool) or examples < 2:
        raise SearchError(f"At least 2 members are guessed at, got {quote(examples)}.")
    url = ledger or default_ledger()
    study = named.partition(":")[0]
    with Ledger(url, create=False) as book:
        entry = book.study(study)
        benchmark = benchmark_of(entry, data)
        if isinstance(benchmark, TableBenchmark):
            raise SearchError(f"The study {study!r} is on a table, in which nothing was trained; there is nothing to guess at.")
        trials = Finder(book, entry, url).trainings(named)
        if TRIAL.fullmatch(named) or named == study:
            trials += children(book.trials(entry), trials)
    where = pick(device)
    task = load_task(benchmark, data)
    kept = [(trial, path) for trial in trials if (path := weights_of(url, trial)) is not None]
    if not kept:
        raise SearchError(missing(url, trials[0]))
    room = _Room(entry, benchmark, task, where, data, examples, shadows, say, alone=len(kept) == 1)
    rows = []
    with Ledger(url, create=False) as book:
        known = {trial.evaluation: trial for trial in book.trials(entry)}
    for trial, path in kept:
        row = room.guess(trial, path, seen(trial, known))
        with Ledger(url, create=False) as book:
            rows.append(_joined(row, book))
    return tuple(rows)


def _joined(row: Guessed, book: Ledger) -> Guessed:
    """`row` with its trial, whose Record has its figures now, but for those that rest on more already."""
    from nas.reports.figures import face  # which no search needs

    for basis, figures in row.found():
        record = row.trial.record
        assert record is not None  # noqa: S101 - it is complete
        before = noted(record, by_shadows=bool(basis.shadows))
        if before is None or not basis.yields(before) or not figures.keys() & record.figures.keys():
            row = replace(row, trial=book.add_figures(row.trial, figures, basis.note))
            continue
        name = next(iter(figures))
        told = f"The record of {row.trial.title} keeps its {face(name).title} of {record.figures[name]:.3f}, of {before}"
        row = replace(row, kept=(*row.kept, f"{told}; now it is {figures[name]:.3f}, of {basis}."))
    return row


def children(trials: Sequence[Trial], parents: Sequence[Trial]) -> list[Trial]:
    """What was made of `parents`, and of that, as far as it is complete: by method and seed."""
    made = {trial.evaluation: trial for trial in trials if trial.state == "complete" and trial.record and trial.record.derived}
    names = {trial.evaluation for trial in parents}

    def is_below(trial: Trial) -> bool:
        parent = trial.record.derived.parent if trial.record and trial.record.derived else ""
        return parent in names or (parent in made and is_below(made[parent]))

    found = [trial for trial in made.values() if is_below(trial)]
    return sorted(found, key=lambda trial: (trial.record.derived.words, trial.record.seed, trial.id))  # type: ignore[union-attr]


def seen(trial: Trial, known: Mapping[str, Trial]) -> float:
    """The share of the training examples that its weights, or those that it began from, were trained on."""
    record = trial.record
    assert record is not None  # noqa: S101 - it is complete
    own = record.budget.fraction if record.curve or record.derived is None else 0.0
    parent = known.get(record.derived.parent) if record.derived and not _is_retrained(trial) else None
    return max(own, seen(parent, known)) if parent is not None else own or record.budget.fraction


def _is_retrained(trial: Trial) -> bool:
    """Whether it began from no other's weights."""
    from nas.training import derivation_of

    derived = trial.record.derived if trial.record else None
    return derived is None or not derivation_of(derived.method, derived.options).needs_weights


class _Room:
    """One study's data, and the shadow networks that were trained so far."""

    def __init__(
        self,
        entry: StudyEntry,
        benchmark: Benchmark,
        task: "Task",
        device: "torch.device",
        data: Path | None,
        examples: int,
        shadows: int,
        say: Say,
        *,
        alone: bool,
    ) -> None:
        from nas.privacy import pool_of, spread

        self.entry, self.benchmark, self.task, self.device, self.data = entry, benchmark, task, device, data
        self.shadows, self.say, self.alone = shadows, say, alone
        self.validation = _tensors(task.examples("validation"), benchmark)
        self.training = _tensors(task.examples("train"), benchmark)
        self.pool_of, self.spread, self.most = pool_of, spread, examples
        self.trained: dict[str, tuple[Examples, list[Shadow]]] = {}

    def build(self, trial: Trial, seed: int) -> "nn.Module":
        from nas.models import build
        from nas.training import suit

        network = build(self.entry.space, trial.architecture, self.benchmark.signature, seed=seed)
        return suit(network, self.recipe(trial))

    def guess(self, trial: Trial, path: Path, fraction: float) -> Guessed:
        from nas.device import place
        from nas.models import example
        from nas.privacy import likelihood_ratios, losses_of, signals, standing
        from nas.training import Unsupported, read_weights, restored

        record = trial.record
        assert record is not None  # noqa: S101 - it is complete
        network: nn.Module = self.build(trial, record.seed)
        try:
            if record.derived is not None:
                network = restored(record.derived, network, path, example(self.benchmark.signature.input, "cpu"))
            else:
                read_weights(network, path)
        except (OSError, ModelError, Unsupported) as error:
            reason = getattr(error, "strerror", None) or str(error).removesuffix(".")
            raise SearchError(f"The weights of the {trial.title} cannot be read: {reason}.") from error
        place(network, self.device)
        members = self.spread(self.training.first(fraction), self.most)
        others = self.spread(self.validation, self.most)
        pool = self.pool_of(members, others).to(self.device)
        self.say(f"Guessing the members of {trial.title} …")
        losses = losses_of(network, self.task, pool)
        count = len(members)
        by_shadows = None
        if self.shadows and (self.alone or _is_retrained(trial)):
            import numpy as np

            shadows = self.of(trial, pool)
            told = np.stack([signals(losses_of(one.network, self.task, pool)) for one in shadows])
            inside = np.stack([one.inside_N.numpy() for one in shadows])
            ratios = likelihood_ratios(signals(losses), told, inside)
            by_shadows = standing(ratios[:count], ratios[count:])
        return Guessed(
            trial=trial,
            by_loss=standing(-losses[:count], -losses[count:]),
            by_shadows=by_shadows,
            members=count,
            others=len(others),
            shadows=self.shadows if by_shadows else 0,
        )

    def of(self, trial: Trial, pool: "Examples") -> "list[Shadow]":
        """The shadow networks for `trial`; those of equal recipes are the same."""
        from nas.models import plan
        from nas.privacy import train_shadows

        record = trial.record
        assert record is not None  # noqa: S101 - it is complete
        if not _is_retrained(trial):
            raise SearchError(
                f"The {trial.title} began from its parent's weights, as shadow networks do not; ask for 0, or for its parent."
            )
        benchmark = replace(self.benchmark, recipe=self.recipe(trial))
        key = f"{trial.architecture.id} {benchmark.recipe} {record.budget}"
        if key not in self.trained:
            self.trained[key] = (
                pool,
                train_shadows(
                    lambda seed: self.build(trial, seed),
                    plan(self.entry.space, trial.architecture, benchmark.signature),
                    benchmark,
                    self.task,
                    pool,
                    budget=replace(record.budget, fraction=1.0),
                    count=self.shadows,
                    forward_flops=record.figures.get("flops"),
                    data=self.data,
                    device=self.device,
                    on_trained=lambda number: self.say(f"Trained {number} of {self.shadows} shadow networks …"),
                ),
            )
        return self.trained[key][1]

    def recipe(self, trial: Trial) -> Any:
        """That `trial` was trained by."""
        from nas.training import derivation_of

        derived = trial.record.derived if trial.record else None
        recipe = self.benchmark.recipe
        return derivation_of(derived.method, derived.options).recipe(recipe) if derived else recipe


def _tensors(source: Any, benchmark: Benchmark) -> "Examples":
    """Examples in memory.

    Raises:
        SearchError: they are read one by one.
    """
    from nas.training import Examples

    if not isinstance(source, Examples):
        raise SearchError(
            f"Members are guessed of examples that lie in memory, and those of {benchmark.name} are read one by one."
        )
    return source
