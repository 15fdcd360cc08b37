"""An audit: a sample of all that a search found, trained again from scratch and in full, to see how far its order may be trusted.

It goes as finals do (see `nas.searching.retraining`), but test data are not read. What finals have trained counts and is not
trained again. What the audit tells is worked out in `nas.ranking.agreement`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from nas.benchmark import Benchmark, Budget
from nas.errors import BenchmarkError, SearchError, quote
from nas.execution import Evaluate
from nas.ranking import Audit, audit_of, leaderboard
from nas.ranking.agreement import design_of, drawn_of_pruned, found_by, objectives_of, pruned_by, trained_in_full
from nas.records import Ledger, Setting, Stage, StudyEntry, Trial, default_ledger
from nas.searching.driving import Work
from nas.searching.events import OnEvent, ignore
from nas.searching.resuming import EVERY_SECONDS
from nas.searching.retraining import Finals, asked, benchmark_of, confirmed, help_along, plan_of, retrain, scores_of
from nas.searching.together import WAIT_MINUTES, together
from nas.searching.weights import shared_by
from nas.space import Architecture
from nas.tables import TableBenchmark, TableEvaluator, make_benchmark

SAMPLE = 12
"""Architectures that are trained in full, finalists among them."""

PRUNED = 2
"""Of those that the search pruned, as many are trained in full beside these."""

SEEDS_FROM = 2 * 720_721
"""How far above the search's seed those of an audit begin, so that finals and confirmations meet none of them."""


def audit(
    study: str,
    *,
    sample: int = SAMPLE,
    pruned: int = PRUNED,
    seeds: int = 1,
    budget: Mapping[str, Any] | None = None,
    ledger: str | None = None,
    checkpoint: float = EVERY_SECONDS,
    data: Path | None = None,
    on_event: OnEvent = ignore,
    evaluate: Evaluate | None = None,
    wait_minutes: float = WAIT_MINUTES,
    **options: Any,
) -> Audit | None:
    """Train a sample of what `study` found in full, and tell how far its order may be trusted; None where nothing is trained.

    Args:
        study: the search; further trials of it may be under way, and are not part of this audit.
        sample: architectures, of which a quarter are its best and the others are drawn from all ranks; finalists beside them.
        pruned: architectures of those that it pruned, besides.
        seeds: trainings of each.
        budget: what is to be other than in the benchmark's budget of finalists: epochs, fraction, steps, and so on.
        ledger: where the study is kept.
        checkpoint: seconds between two checkpoints of a training under way, 0 for none.
        data: the folder that the benchmark's data, or the table, lie in.
        on_event: what listens to the run.
        evaluate: trains in place of the harness.
        wait_minutes: of several processes that torchrun started, how long one waits for another.
        options: as `finals` has them.

    What is trained already is not trained again: after Ctrl-C or a kill the same call goes on, and a larger sample later holds
    this one, as long as the search has found nothing new. Several processes that do this at once share the work.

    Raises:
        NasError: there is no such study, it has no complete trial, or its benchmark is another than it was.
        KeyboardInterrupt: after Ctrl-C.
    """
    for name, number, least in (("sample", sample, 4), ("pruned", pruned, 0), ("seeds", seeds, 1)):
        if isinstance(number, bool) or not isinstance(number, int) or number < least:
            raise SearchError(f"An audit needs {name} of at least {least}, got {quote(number)}.")
    places, means = asked(options)
    url = ledger or default_ledger()
    with together(wait_minutes) as ranks, Ledger(url, create=False) as book:
        if ranks is not None and not ranks.leads:
            help_along(ranks, book.study(study), means, data)
            return None
        entry = book.study(study)
        benchmark = _in_full(benchmark_of(entry, data), budget or {})
        plan = plan_of(entry, benchmark, places, means, data=data, ranks=ranks, store=shared_by(url))
        trains = evaluate is None and not isinstance(benchmark, TableBenchmark)
        size = {"sample": sample, "pruned": pruned, "seeds": seeds}
        chosen = choose(book, entry, benchmark.final_budget, plan.setting if trains else None, **size)
        first = entry.definition["seed"] + SEEDS_FROM
        if isinstance(benchmark, TableBenchmark) and evaluate is None:
            if places.workers or means:
                raise SearchError(f"On a table nothing is trained, got {', '.join([*options])}; leave them out.")
            evaluate, first = _from_table(book, entry, benchmark, chosen, seeds)
        run = _Audit(book, entry, benchmark, on_event, evaluate or plan)
        run.design = chosen.design
        for architecture, n in chosen.trainings(seeds):
            run.expect(architecture, first + n)
        retrain(run, plan, places, evaluate, checkpoint=checkpoint, ranks=ranks)
        return audit_of(book, study, design=run.design)


@dataclass(frozen=True)
class Chosen:
    """What an audit trains."""

    design: Mapping[str, Any]
    """Kept with each of its trials, so that the sample can be told again whatever the study becomes."""
    architectures: tuple[Architecture, ...]
    """In the order in which they are trained, so that what is done so far is a sample as well."""
    done: Mapping[str, int]
    """Id → how many full trainings finals have made of it."""

    def trainings(self, seeds: int) -> Iterator[tuple[Architecture, int]]:
        """Each architecture with the numbers of its seeds, the first of all before the second of any."""
        for n in range(seeds):
            for architecture in self.architectures:
                if n < seeds - self.done.get(architecture.id, 0):
                    yield architecture, n


def choose(
    ledger: Ledger, entry: StudyEntry, budget: Budget, setting: Setting | None, *, sample: int, pruned: int, seeds: int
) -> Chosen:
    """The sample of `entry`, as it is now; finals count at that budget, and in that setting where one is given.

    Raises:
        LedgerError: it steers by nothing that training changes.
        SearchError: it has no complete trial.
    """
    cheap, real = objectives_of(entry)
    found = found_by(leaderboard(ledger, entry.name), cheap)
    if found is None:
        raise SearchError(f"The study {entry.name!r} has no complete trial to audit; run the search first.")
    searched = ledger.trials(entry, "search")
    done = trained_in_full(
        trial
        for trial in ledger.trials(entry, "final")
        if trial.record is not None and trial.record.budget == budget and setting in {None, trial.record.setting}
    )
    strata = design_of(entry, found, done, sample)
    by_id = {row.architecture.id: row.architecture for row in found.rows}
    left_out = {one: trial.architecture for one, trial in pruned_by(searched).items()}
    order = [one for turn in _turns([stratum.drawn for stratum in strata]) for one in turn]
    also = drawn_of_pruned(entry, pruned_by(searched), pruned)
    design = {
        "sample": sample,
        "pruned": pruned,
        "seeds": seeds,
        "until": max(trial.ended_at or "" for trial in searched),
        "budget": asdict(budget),
        "figure": real.figure,
    }
    return Chosen(design, (*(by_id[one] for one in order), *(left_out[one] for one in also)), done)


def _turns(strata: Sequence[Sequence[str]]) -> Iterator[list[str]]:
    """The first of each, the second of each, and so on."""
    for n in range(max(map(len, strata), default=0)):
        yield [some[n] for some in strata if n < len(some)]


def _in_full(benchmark: Benchmark, changes: Mapping[str, Any]) -> Benchmark:
    """The benchmark with the budget of an audit as that of its finalists; a table where it is trained longest.

    Raises:
        BenchmarkError: there is no such budget.
    """
    if isinstance(benchmark, TableBenchmark):
        full = make_benchmark(benchmark.table.searched_for(benchmark.table.objective.figure))
        return replace(full, final_budget=replace(full.final_budget, **changes))
    unknown = [name for name in changes if name not in Budget.__dataclass_fields__]
    if unknown:
        raise BenchmarkError(f"A budget has {', '.join(Budget.__dataclass_fields__)}, got {quote(unknown[0])}.")
    return replace(benchmark, final_budget=replace(benchmark.final_budget, **changes))


def _from_table(
    ledger: Ledger, entry: StudyEntry, benchmark: TableBenchmark, chosen: Chosen, seeds: int
) -> tuple[TableEvaluator, int]:
    """What answers on a table, and the first seed: of trainings that the search has not read, or where each architecture has one
    alone, of that at its end, of which the search has read the beginning.

    Raises:
        SearchError: there are no such trainings.
    """
    evaluator, table = benchmark.evaluator(proxies=scores_of(entry)), benchmark.table
    evaluator.check(benchmark.final_budget)
    seed = entry.definition["seed"]
    read = 1 + confirmed(ledger, entry, chosen.architectures)
    if seeds <= evaluator.trainings - read:
        return evaluator, seed + read
    if evaluator.trainings == 1 == seeds and entry.definition["budget"]["epochs"] < benchmark.final_budget.epochs:
        return evaluator, seed
    raise SearchError(
        f"The table {table.file} has {evaluator.trainings} trainings of each architecture, of which the search has read {read}, "
        f"got {seeds} seeds: an audit needs further ones, or a search at fewer epochs than the table has."
    )


class _Audit(Finals):
    """One run of an audit."""

    stage: Stage = "audit"
    design: Mapping[str, Any]

    def headline(self) -> str:
        """What is done, in one line."""
        return f"audit of {self.entry.name} · {self.benchmark.words(self.budget)} · validation data alone"

    def outcome(self) -> str:
        """What came of it, as a sentence."""
        done = f"{self.tally.counts['complete']} of {self.tally.target} trainings of the audit are complete"
        return f"{done}, {self.tally.counts['failed']} failed." if self.tally.counts["failed"] else f"{done}."

    def note(self) -> Mapping[str, Any]:
        """How the sample was drawn."""
        return {"audit": dict(self.design)}

    def work_of(self, trial: Trial) -> Work:
        """How a trial that is claimed is trained: in full, and without a look at test data."""
        _, seed = self.expected[trial.evaluation]
        return Work(trial=trial, budget=self.budget, seed=seed, label=f"audit, seed {seed}")
