"""Derived trials: what is made of finalists afterwards, each a trial of its own beside its parent.

    STUDY:ID → its finalists' trainings, one a seed → a method → as many children, of the same seeds

They are kept as finals are, in a stage of their own, and go on after a kill by the same call. Equal work is never done twice:
what names it are the parent's training and the method with all its options. Test data are read, as of finalists.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nas.benchmark import Benchmark, Budget
from nas.errors import SearchError, quote
from nas.ranking import rank
from nas.records import Descent, Ledger, Parent, Stage, StudyEntry, Trial, default_ledger
from nas.searching.driving import Work
from nas.searching.evaluating import Plan
from nas.searching.events import OnEvent, ignore
from nas.searching.picking import TRIAL
from nas.searching.resuming import EVERY_SECONDS
from nas.searching.retraining import Finals, asked, benchmark_of, plan_of, retrain
from nas.searching.study import Study
from nas.searching.weights import missing, shared_by, weights_of
from nas.space import Architecture
from nas.tables import TableBenchmark

if TYPE_CHECKING:
    from nas.training import Derivation


def derive(
    named: str | Sequence[str],
    how: str | Sequence[str],
    *,
    options: Mapping[str, Any] | None = None,
    teachers: Sequence[str] = (),
    seeds: int | None = None,
    ledger: str | None = None,
    checkpoint: float = EVERY_SECONDS,
    data: Path | None = None,
    on_event: OnEvent = ignore,
    **means: Any,
) -> Study:
    """Make children of finalists by the methods `how`, each with `options`, and measure them as their parents were.

    A finalist is `named` STUDY (its winner), STUDY:NUMBER or STUDY:ID, all of one study; each of its trainings, or the first
    `seeds` of them, has a child of its seed by each method. What learns from others beside its parent is handed the finalists
    called `teachers`, of the same study. `means` are those of `finals`: device, threads, workers, and so on. A method that can
    make nothing of one of several finalists is told of, and does the others.

    Raises:
        NasError: there is no such finalist, its weights are gone, there is no such method, it has no such option, or nothing can
            be made at all.
        KeyboardInterrupt: after Ctrl-C.
    """
    from nas.training import derivation_of, protocol_of

    names = [named] if isinstance(named, str) else [*named]
    study = names[0].partition(":")[0]
    if others := [name for name in [*names, *teachers] if name.partition(":")[0] != study]:
        raise SearchError(f"What is made at once is of one study, got {quote(others[0])} beside {quote(names[0])}.")
    if seeds is not None and (isinstance(seeds, bool) or seeds < 1):
        raise SearchError(f"Children are of at least 1 seed, got {quote(seeds)}.")
    methods = {name: derivation_of(name, _pinned(options or {})) for name in ([how] if isinstance(how, str) else how)}
    if teachers and (alone := next((name for name, derivation in methods.items() if not derivation.taught), None)):
        raise SearchError(f"{alone} learns from no teachers, got {quote(teachers[0])}; name them for distil alone.")
    places, given = asked(means)
    url = ledger or default_ledger()
    with Ledger(url, create=False) as book:
        entry = book.study(study)
        benchmark = benchmark_of(entry, data)
        if isinstance(benchmark, TableBenchmark):
            raise SearchError(f"The study {study!r} is on a table, in which nothing is trained; there are no weights to work at.")
        for derivation in methods.values():
            changed = replace(benchmark, recipe=derivation.recipe(benchmark.recipe))
            protocol_of(changed).admit(changed)  # before anything is begun
        plan = plan_of(entry, benchmark, places, given, data=data, ranks=None, store=shared_by(url))
        run = _Descents(book, entry, benchmark, on_event, plan)
        finder = Finder(book, entry, url)
        beside = [finder.trainings(name) for name in teachers]
        for name in names:
            for parent in finder.trainings(name)[:seeds]:
                for method, derivation in methods.items():
                    run.want(finder.parents(parent, beside, derivation), method, derivation)
        if not run.expected:
            raise SearchError(next(iter(run.refused)))
        retrain(run, plan, places, None, checkpoint=checkpoint, ranks=None)
    return Study(study, url)


def _pinned(options: Mapping[str, Any]) -> Mapping[str, Any]:
    """`options` with the digests of teachers' files, where a recipe is to have some."""
    from nas.training.teaching import pinned

    changes = options.get("changes")
    if isinstance(options.get("teacher"), str):
        options = {**options, "teacher": pinned(options["teacher"])}
    if isinstance(changes, Mapping) and isinstance(changes.get("teacher"), str):
        return {**options, "changes": {**changes, "teacher": pinned(changes["teacher"])}}
    return options


class Finder:
    """The trainings of finalists, and their weights."""

    def __init__(self, book: Ledger, entry: StudyEntry, url: str) -> None:
        self.entry, self.url = entry, url
        self.trials = book.trials(entry)

    def trainings(self, named: str) -> list[Trial]:
        """Those of one finalist, one a seed.

        Raises:
            SearchError: there is none.
        """
        study, _, which = named.partition(":")
        tables = rank((self.entry, trial) for trial in self.trials)
        final = next((table for table in tables if table.stage == "final"), None)
        if final is None:
            raise SearchError(f"The study {study!r} has no finalists; `nas finals {study}` trains them and keeps their weights.")
        if not which:
            return [*final.rows[0].trials]
        if which.startswith("id:") and which[3:].isdecimal():
            return self.exactly(int(which[3:]))
        match = TRIAL.fullmatch(named)
        if match is None:
            raise SearchError(f"A finalist is STUDY, STUDY:NUMBER or STUDY:ID with an architecture's id, got {quote(named)}.")
        key = match[2]
        ids = {one.architecture.id for one in self.trials if one.stage == "search" and str(one.number) == key} or {key}
        found = [row for table in tables if table.stage == "final" for row in table.rows if row.architecture.id in ids]
        if not found:
            known = ", ".join(row.architecture.id for row in final.rows[:5])
            raise SearchError(f"{named} is no finalist. Finalists of {study} are {known}; `nas finals` trains others.")
        return [*found[0].trials]

    def exactly(self, number: int) -> list[Trial]:
        """The one trial with that id in the ledger."""
        found = [one for one in self.trials if one.id == number and one.stage in {"final", "derived"} and one.state == "complete"]
        if not found:
            raise SearchError(f"id:{number} is no finalist's training of {self.entry.name}, and nothing that was made of one.")
        return found

    def parents(self, parent: Trial, beside: Sequence[Sequence[Trial]], derivation: "Derivation") -> tuple[Parent, ...]:
        """What a child of `parent` is made of: of those beside, the training of its seed, or their first.

        Raises:
            SearchError: weights that are needed are gone, or are no plain ones.
        """
        seed = parent.record.seed if parent.record else 0
        others = [next((one for one in some if one.record and one.record.seed == seed), some[0]) for some in beside]
        return tuple(self.parent(one, derivation) for one in (parent, *(one for one in others if one.id != parent.id)))

    def parent(self, trial: Trial, derivation: "Derivation") -> Parent:
        """One trial and its weights."""
        record = trial.record
        assert record is not None  # noqa: S101 - it is complete
        weights = weights_of(self.url, trial)
        if weights is None and derivation.needs_weights:
            raise SearchError(missing(self.url, trial))
        if record.derived is not None and not record.derived.plain:
            raise SearchError(
                f"The {trial.title} is {record.derived.words}, and its weights are no plain ones; begin from its parent instead."
            )
        return as_parent(trial, weights)


def as_parent(trial: Trial, weights: Path | None) -> Parent:
    """A complete trial and the file of its weights, as what others are made of."""
    record = trial.record
    assert record is not None  # noqa: S101 - it is complete
    return Parent(
        evaluation=trial.evaluation,
        choices=dict(trial.architecture.choices),
        seed=record.seed,
        weights=weights,
        architecture=trial.architecture.id,
        words=record.derived.words if record.derived else "",
    )


@dataclass(frozen=True)
class _Child:
    """One that is wanted."""

    architecture: Architecture
    budget: Budget
    seed: int
    descent: Descent
    label: str


class _Descents(Finals):
    """One run, as the driver's source of work."""

    stage: Stage = "derived"

    def __init__(self, ledger: Ledger, entry: StudyEntry, benchmark: Benchmark, on_event: OnEvent, how: Plan) -> None:
        super().__init__(ledger, entry, benchmark, on_event, how)
        self.children: dict[str, _Child] = {}
        self.methods: list[str] = []
        self.refused: dict[str, None] = {}
        """Why no child of one is wanted, each reason once."""

    def want(self, parents: tuple[Parent, ...], method: str, derivation: "Derivation") -> None:
        """Want a child of these, or note why there can be none."""
        space = self.entry.space
        own = space.architecture(parents[0].choices)
        try:
            architecture = derivation.child(space, own, self.benchmark.signature)
        except SearchError as error:
            self.refused[f"{method}: {error}"] = None
            return
        descent = Descent(method=method, options=derivation.model_dump(mode="json"), parents=parents)
        budget = derivation.budget(self.budget) or self.budget
        words = descent.words(derivation.words)
        key = self.key(architecture, budget, parents[0].seed, descent.key)
        if key not in self.children:
            self.children[key] = _Child(architecture, budget, parents[0].seed, descent, f"{words}, seed {parents[0].seed}")
            self.expected[key] = (architecture, parents[0].seed)
            self.wanted.append(key)
            self.methods += [words] if words not in self.methods else []
        self.tally.target = len(self.expected)

    def hear(self, trial: Trial) -> None:
        """What could not be done here before is tried once more: what was missing may be there now."""
        error = trial.record.error if trial.record is not None else None
        if error is None or error.kind != "unsupported" or trial.evaluation not in self.wanted:
            super().hear(trial)

    def headline(self) -> str:
        """What is done, in one line."""
        return f"{self.entry.name} · {', '.join(self.methods)} · test data"

    def remark(self) -> str:
        """Who has no child."""
        return " ".join(self.refused)

    def outcome(self) -> str:
        """What came of it, as a sentence."""
        done = f"{self.tally.counts['complete']} of {self.tally.target} derived trials are complete"
        return f"{done}, {self.tally.counts['failed']} failed." if self.tally.counts["failed"] else f"{done}."

    def work_of(self, trial: Trial) -> Work:
        """How a trial that is claimed is made."""
        child = self.children[trial.evaluation]
        weights = self.weights.file_of(trial) if self.weights else None
        return Work(
            trial=trial,
            budget=child.budget,
            seed=child.seed,
            final=True,
            label=child.label,
            weights=weights,
            descent=child.descent,
        )


def methods(names: Iterable[str] | None = None) -> "dict[str, type[Derivation]]":
    """The methods there are, by name, those of our own package and of others.

    Raises:
        RegistryError: one cannot be loaded.
    """
    from nas import registry

    found: dict[str, Any] = {}
    for name in names if names is not None else registry.owners(registry.DERIVATIONS):
        found[name] = registry.load(registry.DERIVATIONS, name)
    return found
