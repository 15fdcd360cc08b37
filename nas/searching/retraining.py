"""Finals: the best of a search trained again from scratch, longer and with several seeds; only here test data are read.

Test figures stand beside the rows and order nothing: finalists are ranked by the mean of their validation figures.
"""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nas.benchmark import Benchmark, Objective
from nas.errors import SearchError, quote
from nas.execution import Evaluate
from nas.ranking import leaderboard
from nas.records import SCORES, Ledger, StudyEntry
from nas.searching.again import train_again
from nas.searching.config import changed, default_ledger, resolve_benchmark
from nas.searching.evaluating import EvaluationKey, make_evaluator
from nas.searching.events import INTERRUPTED, OnEvent, RunBegun, RunEnded, Tally, ignore
from nas.searching.on_table import finals_evaluator, table_of
from nas.searching.resuming import EVERY_SECONDS, Unfinished
from nas.searching.study import Study
from nas.searching.together import WAIT_MINUTES, follow, together
from nas.space import Architecture
from nas.tables import TableBenchmark


def finals(
    study: str,
    *,
    top: int = 3,
    seeds: int = 2,
    ledger: str | None = None,
    checkpoint: float = EVERY_SECONDS,
    data: Path | None = None,
    on_event: OnEvent = ignore,
    evaluate: Evaluate | None = None,
    wait_minutes: float = WAIT_MINUTES,
    **means: Any,
) -> Study:
    """Train the `top` architectures of `study` again, each with `seeds` seeds that the search did not use.

    `means` are those of a search: device, threads, precision, compile, loading. Of several processes that torchrun started, each
    waits `wait_minutes` for another at most.

    What is trained already is not trained again: after Ctrl-C or a kill the same call goes on, within a training from its last
    checkpoint; one is written every `checkpoint` seconds, none for 0.

    Raises:
        NasError: there is no such study, it has no complete trial, or its benchmark is another than it was.
        KeyboardInterrupt: after Ctrl-C.
    """
    for name, number in (("top", top), ("seeds", seeds), ("threads", means.get("threads", 1))):
        if isinstance(number, bool) or not isinstance(number, int) or number < 1:
            raise SearchError(f"Finals need {name} of at least 1, got {quote(number)}.")
    url = ledger or default_ledger()
    with together(wait_minutes) as ranks, Ledger(url, create=False) as book:
        if ranks is not None and not ranks.leads:
            known = book.study(study)
            follow(ranks, lambda: make_evaluator(known.space, benchmark_of(known), (), data=data, ranks=ranks, **means))
            return Study(study, url)
        with book.driving(study):
            entry = book.study(study)
            benchmark = benchmark_of(entry, data)
            chosen = finalists(book, study, top)
            again = confirmed(book, entry, chosen) if isinstance(benchmark, TableBenchmark) else 0
            if evaluate is None and isinstance(benchmark, TableBenchmark):
                evaluate = finals_evaluator(benchmark, seeds, means, read=1 + again, proxies=scores_of(entry))
            unfinished = Unfinished(book, entry, checkpoint)
            if evaluate is None:  # without limits: the search has kept to them, and another measurement shall drop no finalist
                proxies = scores_of(entry)
                evaluate = make_evaluator(entry.space, benchmark, (), data=data, ranks=ranks, proxies=proxies, **means)
            run = _Finals(book, entry, benchmark, on_event, evaluate, unfinished)
            try:
                # On a table there are few trainings, and those that confirmed come right after the search's.
                unused = entry.definition["seed"] + entry.definition.get("replicates", 1) + again
                for architecture in chosen:
                    for n in range(seeds):
                        run.expect(architecture, unused + n)
                run.go()
            except KeyboardInterrupt:
                on_event(RunEnded(study, INTERRUPTED, True, run.tally.progress()))
                raise
            on_event(RunEnded(study, run.outcome(), False, run.tally.progress()))
    return Study(study, url)


def finalists(ledger: Ledger, study: str, top: int) -> list[Architecture]:
    """The `top` architectures of the search, best first; those that were confirmed come before the others.

    Raises:
        SearchError: the search has no complete trial.
    """
    tables = leaderboard(ledger, study)
    found: dict[str, Architecture] = {}
    for stage in ("confirm", "search"):
        largest = max((table.rows for table in tables if table.stage == stage), key=len, default=())
        for row in largest:
            found.setdefault(row.architecture.id, row.architecture)
    if not found:
        raise SearchError(f"The study {study!r} has no complete trial to choose finalists from; run the search first.")
    return [*found.values()][:top]


def confirmed(ledger: Ledger, entry: StudyEntry, chosen: Sequence[Architecture]) -> int:
    """How often the search trained one of `chosen` again, at most."""
    again = Counter(trial.architecture.id for trial in ledger.trials(entry, "confirm") if trial.state != "running")
    return max(again[architecture.id] for architecture in chosen)


def benchmark_of(entry: StudyEntry, data: Path | None = None) -> Benchmark:
    """The study's benchmark as it is installed, with the study's changes to its recipe; a table is looked for in `data`.

    Raises:
        SearchError: its version is not the one that the study was begun with.
        TableError: the table is not found, or says something else now.
    """
    if "table" in entry.definition["benchmark"]:
        return table_of(entry, data)
    name, version = entry.definition["benchmark"]["name"], entry.definition["benchmark"]["version"]
    benchmark = resolve_benchmark(name)
    if benchmark.version != version:
        raise SearchError(
            f"The study {entry.name!r} is of {name} version {version}, installed is version {benchmark.version}; "
            "the two do not compare."
        )
    return changed(benchmark, entry.definition.get("recipe", {}))


def scores_of(entry: StudyEntry) -> tuple[str, ...]:
    """The zero-cost scores that the search had among its figures, or steered by, without which its finalists have no place."""
    objectives = [objective["figure"] for objective in entry.definition["objectives"]]
    return tuple(name for name in SCORES if name in {*entry.definition.get("proxies", ()), *objectives})


class _Finals:
    """One run of finals: which trainings are wanted, and which are done."""

    def __init__(
        self,
        ledger: Ledger,
        entry: StudyEntry,
        benchmark: Benchmark,
        on_event: OnEvent,
        evaluate: Evaluate,
        unfinished: Unfinished,
    ) -> None:
        self.ledger = ledger
        self.entry = entry
        self.on_event = on_event
        self.evaluate = evaluate
        self.unfinished = unfinished
        self.benchmark = benchmark
        self.budget = benchmark.final_budget
        self.key = EvaluationKey(entry.space, benchmark, "final", evaluate, entry.name)
        self.tally = Tally(0, Objective(**entry.definition["objectives"][0]))
        trials = ledger.trials(entry, "final")
        self.done = {trial.evaluation: trial for trial in trials if trial.state != "running"}
        self.interrupted = {trial.evaluation: trial for trial in trials if trial.state == "running"}
        self.next_number = len(trials)
        self.wanted: list[tuple[Architecture, int, str]] = []

    def expect(self, architecture: Architecture, seed: int) -> None:
        """Want one training, unless it is done."""
        self.tally.target += 1
        key = self.key(architecture, self.budget, seed)
        if key in self.done:
            self.tally.add(self.done[key], repeated=False, fresh=False)
        else:
            self.wanted.append((architecture, seed, key))

    def outcome(self) -> str:
        """What came of it, as a sentence."""
        done = f"{self.tally.counts['complete']} of {self.tally.target} trainings of finalists are complete"
        return f"{done}, {self.tally.counts['failed']} failed." if self.tally.counts["failed"] else f"{done}."

    def go(self) -> None:
        """Do what is wanted and not done."""
        found = self.tally.target - len(self.wanted)
        told = "further trainings" if isinstance(self.benchmark, TableBenchmark) else "test data"
        headline = f"finals of {self.entry.name} · {self.benchmark.words(self.budget)} · {told}"
        self.on_event(RunBegun(self.entry.name, self.tally.target, found, headline))
        for architecture, seed, key in self.wanted:
            self.train(architecture, seed, key)

    def train(self, architecture: Architecture, seed: int, key: str) -> None:
        trial = self.interrupted.get(key)
        if trial is None:
            trial = self.ledger.begin_trial(self.entry, "final", self.next_number, architecture, key)
            self.next_number += 1
        train_again(
            trial,
            self.evaluate,
            budget=self.budget,
            seed=seed,
            label="final",
            ledger=self.ledger,
            unfinished=self.unfinished,
            tally=self.tally,
            on_event=self.on_event,
            final=True,
        )
