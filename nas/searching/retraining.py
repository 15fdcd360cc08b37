"""Finals: the best of a search trained again from scratch, longer and with several seeds; only here test data are read.

Test figures stand beside the rows and order nothing: finalists are ranked by the mean of their validation figures.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from nas.benchmark import Benchmark, Objective
from nas.datasets import find_again
from nas.errors import AtWork, NumberTaken, SearchError, did_you_mean, quote
from nas.execution import Evaluate, Question
from nas.measures import measures_among
from nas.ranking import leaderboard
from nas.records import SCORES, Epoch, Ledger, Record, Stage, StudyEntry, Trial, default_ledger
from nas.searching.allotting import Allotment, Training, allot
from nas.searching.asking import SPLITS, OnAsked, ask_trainings
from nas.searching.config import MEANS, changed, complaint, resolve_benchmark
from nas.searching.driving import Driver, Source, Work
from nas.searching.evaluating import EvaluationKey, Plan, make_evaluator
from nas.searching.events import INTERRUPTED, EpochEnded, OnEvent, RunBegun, RunEnded, Tally, TrialBegun, TrialEnded, ignore
from nas.searching.on_table import finals_evaluator, table_of
from nas.searching.places import PLACES, Places
from nas.searching.resuming import EVERY_SECONDS
from nas.searching.study import Study
from nas.searching.together import WAIT_MINUTES, follow, together
from nas.searching.weights import Weights, shared_by
from nas.searching.working import given, make_executor
from nas.space import Architecture
from nas.tables import TableBenchmark

if TYPE_CHECKING:
    from nas.training import Ranks

SEEDS = 2
"""Of each finalist in the mean, where nothing is said."""


def finals(
    study: str,
    *,
    top: int = 3,
    seeds: int | None = None,
    trainings: int | None = None,
    even: bool = False,
    confident: float | None = None,
    measures: Iterable[str] = (),
    ledger: str | None = None,
    checkpoint: float = EVERY_SECONDS,
    data: Path | None = None,
    on_event: OnEvent = ignore,
    on_asked: OnAsked = lambda _, __, ___: None,
    evaluate: Evaluate | None = None,
    wait_minutes: float = WAIT_MINUTES,
    **options: Any,
) -> Study:
    """Train the `top` architectures of `study` again, with `seeds` seeds each in the mean (2) that the search did not use.

    Each has two seeds; those beyond go where they tell most about who is first (see `nas.searching.allotting`), with `even` to
    all alike. There are `top` × `seeds` trainings, or so many `trainings` in all as are given instead; with `confident` no more
    once the first is the first with that probability. Who has how many follows from what the trainings come to, on validation
    data, and not from who does them when.

    `measures` are asked of the trained networks then, on validation and test data, beside what the search asked (see
    `nas.measures`); those that were trained before are asked too, by the weights that are kept.
    `options` are those of a search: device, threads, precision, compile, loading, and where trainings run (workers, gpus,
    time_limit, and so on). Of several processes that torchrun started, each waits `wait_minutes` for another at most.

    What is trained already is not trained again: after Ctrl-C or a kill the same call goes on, within a training from its last
    checkpoint; one is written every `checkpoint` seconds, none for 0. Several processes that do this at once share the work.

    Raises:
        NasError: there is no such study, it has no complete trial, or its benchmark is another than it was.
        KeyboardInterrupt: after Ctrl-C.
    """
    if seeds is not None and trainings is not None:
        raise SearchError(
            f"Finals have seeds for each or trainings in all, got seeds {seeds} and trainings {trainings}; leave one of them out."
        )
    seeds = SEEDS if seeds is None else seeds
    counts = {"top": top, "seeds": seeds, **({} if trainings is None else {"trainings": trainings})}
    for name, number in (*counts.items(), ("threads", options.get("threads", 1))):
        if isinstance(number, bool) or not isinstance(number, int) or number < 1:
            raise SearchError(f"Finals need {name} of at least 1, got {quote(number)}.")
    places, means = asked(options)
    url = ledger or default_ledger()
    with together(wait_minutes) as ranks, Ledger(url, create=False) as book:
        if ranks is not None and not ranks.leads:
            help_along(ranks, book.study(study), means, data)
            return Study(study, url)
        entry = book.study(study)
        benchmark = benchmark_of(entry, data)
        if measures and (evaluate is not None or isinstance(benchmark, TableBenchmark)):
            raise SearchError("Networks are asked that finals trained and kept, and here none is; leave measures out.")
        chosen = finalists(book, study, top)
        again = confirmed(book, entry, chosen) if isinstance(benchmark, TableBenchmark) else 0
        most = None
        if evaluate is None and isinstance(benchmark, TableBenchmark):
            if places.workers:
                raise SearchError(f"On a table nothing is trained, got workers {places.workers}; leave them out.")
            mean = seeds if trainings is None else -(-trainings // len(chosen))
            evaluate = finals_evaluator(benchmark, mean, means, read=1 + again, proxies=scores_of(entry))
            most = evaluate.trainings - 1 - again
        asked_too = benchmark.ask_for(measures)
        plan = plan_of(entry, benchmark, places, means, data=data, ranks=ranks, store=shared_by(url))
        allotment = allot(
            [Objective(**objective) for objective in entry.definition["objectives"]],
            finalists=len(chosen),
            seeds=seeds,
            trainings=trainings,
            even=even,
            confident=confident,
            most=most,
        )
        # On a table there are few trainings, and those that confirmed come right after the search's.
        unused = entry.definition["seed"] + entry.definition.get("replicates", 1) + again
        run = _Allotted(book, entry, benchmark, on_event, evaluate or plan)
        run.share_out(chosen, allotment, unused)
        retrain(run, plan, places, evaluate, checkpoint=checkpoint, ranks=ranks)
        if asked_too:
            trained = [trial for trial in book.trials(entry, "final") if trial.state == "complete"]
            for split in SPLITS:
                how: dict[str, Any] = {
                    "split": split,
                    "data": data,
                    "device": plan.setting.device,
                    "threads": plan.setting.threads,
                }
                ask_trainings(url, entry, benchmark, trained, asked_too, on_asked=on_asked, **how)
    return Study(study, url)


def plan_of(
    entry: StudyEntry,
    benchmark: Benchmark,
    places: Places,
    means: Mapping[str, Any],
    *,
    data: Path | None,
    ranks: "Ranks | None",
    store: Path,
) -> Plan:
    """How architectures of a study are trained again: without limits, since the search has kept to them, and another measurement
    shall drop none. Networks are asked what the search asked.
    """
    return Plan(
        space=entry.space,
        benchmark=benchmark,
        data=data,
        means=means,
        proxies=scores_of(entry),
        measures=asked_of(entry, benchmark),
        processes=ranks.size if ranks else 1,
        elsewhere=places.on_cluster is not None,
        store=store,
    )


def retrain(
    run: "Finals", plan: Plan, places: Places, evaluate: Evaluate | None, *, checkpoint: float, ranks: "Ranks | None"
) -> None:
    """Do the trainings that `run` expects, by `evaluate` or else as planned.

    Raises:
        KeyboardInterrupt: after Ctrl-C.
    """
    make = partial(given, evaluate) if evaluate else partial(plan, ranks) if ranks else plan
    driver = Driver(run.ledger, partial(make_executor, places, make), lambda: plan.setting, places.attempts)
    try:
        driver.open(run.entry, checkpoint)
        run.go(driver, places.slots)
    except KeyboardInterrupt:
        run.on_event(RunEnded(run.entry.name, INTERRUPTED, True, run.tally.progress()))
        raise
    finally:
        driver.close()
    run.on_event(RunEnded(run.entry.name, f"{run.outcome()} {run.weights or ''}".rstrip(), False, run.tally.progress()))


def asked(options: Mapping[str, Any]) -> tuple[Places, dict[str, Any]]:
    """Where candidates run, and by what they are trained: device, threads, number format, and so on.

    Raises:
        SearchError: there is no such option, one is of the wrong kind, or two do not go together.
    """
    known = (*Places.model_fields, *MEANS)
    for name in options:
        if name not in known:
            raise SearchError(f"Training again has no option {quote(name)}. {did_you_mean(name, known)}")
    places = places_of(options)
    means = {name: value for name, value in options.items() if name not in PLACES}
    if places.device is not None:
        means["device"] = places.candidates_device
    return places, means


def help_along(ranks: "Ranks", entry: StudyEntry, means: Mapping[str, Any], data: Path | None) -> None:
    """Train with the process that leads, whatever it asks for, until it is done."""
    follow(ranks, lambda: make_evaluator(entry.space, benchmark_of(entry, data), (), data=data, ranks=ranks, **means))


def places_of(options: Mapping[str, Any]) -> Places:
    """Where candidates run, of all these options.

    Raises:
        SearchError: one is of the wrong kind, or two do not go together.
    """
    named = {name: value for name, value in options.items() if name in Places.model_fields}
    try:
        places = Places(**named)
    except ValidationError as error:
        raise SearchError(complaint(error, Places.model_fields)) from None
    places.check_places()
    return places


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
    """The study's benchmark as it is installed, with the study's changes to its recipe; files are looked for in `data` first.

    Raises:
        SearchError: its version is not the one that the study was begun with.
        TableError: the table is not found, or says something else now.
    """
    if "table" in entry.definition["benchmark"]:
        return table_of(entry, data)
    given = entry.definition["benchmark"]
    name, version = given["name"], given["version"]
    benchmark = find_again(given, entry.name, data) if "folder" in given else resolve_benchmark(name)
    if benchmark.version != version:
        raise SearchError(
            f"The study {entry.name!r} is of {name} version {version}, installed is version {benchmark.version}; "
            "the two do not compare."
        )
    return changed(benchmark, entry.definition.get("recipe", {}))


def asked_of(entry: StudyEntry, benchmark: Benchmark) -> tuple[str, ...]:
    """What networks are asked that the search asked, or steered by."""
    objectives = (objective["figure"] for objective in entry.definition["objectives"])
    return benchmark.ask_for((*entry.definition.get("measures", ()), *measures_among(objectives)))


def scores_of(entry: StudyEntry) -> tuple[str, ...]:
    """The zero-cost scores that the search had among its figures, or steered by, without which its finalists have no place."""
    objectives = [objective["figure"] for objective in entry.definition["objectives"]]
    return tuple(name for name in SCORES if name in {*entry.definition.get("proxies", ()), *objectives})


class Finals(Source):
    """One run of finals, as the driver's source of work: which trainings are wanted, and which are done."""

    asks: frozenset[Question] = frozenset()
    stage: Stage = "final"
    driver: Driver

    def __init__(self, ledger: Ledger, entry: StudyEntry, benchmark: Benchmark, on_event: OnEvent, how: Evaluate | Plan) -> None:
        self.ledger = ledger
        self.entry = entry
        self.on_event = on_event
        self.benchmark = benchmark
        self.stages = (self.stage,)
        self.budget = benchmark.final_budget
        self.key = EvaluationKey(entry.space, benchmark, self.stage, how, entry.name)
        self.weights = Weights(ledger, entry) if isinstance(how, Plan) and self.stage in {"final", "derived"} else None
        """Where weights are kept; None where nothing is trained, or by a function of one's own."""
        self.tally = Tally(0, Objective(**entry.definition["objectives"][0]))
        self.expected: dict[str, tuple[Architecture, int]] = {}
        """Key of each training that is wanted → its architecture and seed."""
        self.wanted: list[str] = []
        """Keys of the trainings that nobody has begun."""
        self.left: list[Trial] = []
        """Trials that somebody left behind."""
        self.elsewhere: dict[str, Trial] = {}
        """Key → what other drivers are at."""
        self.seen: dict[str, Trial] = {}
        """Key → its trial as it was last heard of, wanted or not."""
        self.number = 0

    def expect(self, architecture: Architecture, seed: int) -> None:
        """Want one training."""
        key = self.key(architecture, self.budget, seed)
        self.expected[key] = (architecture, seed)
        self.wanted.append(key)
        self.tally.target = len(self.expected)

    def headline(self) -> str:
        """What is done, in one line."""
        told = "further trainings" if isinstance(self.benchmark, TableBenchmark) else "test data"
        return f"finals of {self.entry.name} · {self.benchmark.words(self.budget)} · {told}"

    def remark(self) -> str:
        """What whoever began it should know; empty where there is nothing."""
        return ""

    def outcome(self) -> str:
        """What came of it, as a sentence."""
        done = f"{self.tally.counts['complete']} of {self.tally.target} trainings of finalists are complete"
        return f"{done}, {self.tally.counts['failed']} failed." if self.tally.counts["failed"] else f"{done}."

    def note(self) -> Mapping[str, Any]:
        """What is kept with each trial."""
        return {}

    def go(self, driver: Driver, slots: int) -> None:
        """Do what is wanted and not done."""
        self.driver = driver
        self.tally.at_once = slots
        mine = {trial.id: driver.claimed(trial) for trial in self.ledger.take_over(self.entry, self.stages)}
        self.learn(trial for trial in self.ledger.trials(self.entry, self.stage) if trial.id not in mine)
        self.resume(mine.values())
        self.on_event(RunBegun(self.entry.name, self.tally.target, self.tally.evaluated, self.headline(), self.remark()))
        driver.go(self)

    def next(self) -> Work | None:
        """What was left behind, or the next training that is wanted."""
        while (self.left or self.wanted) and not self.driver.asked_to_stop:
            work = self.work_of(self.left.pop(0)) if self.left else self.claim(self.wanted.pop(0))
            found = self.ledger.find(work.trial.evaluation) if work is not None else None
            if work is not None and found is None:
                return work
            if work is not None and found is not None:
                self.keep(work, found[1], found[0])
            self.driver.attend()
        return None

    def claim(self, key: str) -> Work | None:
        """Begin the training of that key; None where somebody else is at it, or has done it."""
        architecture, _ = self.expected[key]
        while True:
            try:
                claimed = self.ledger.begin_trial(self.entry, self.stage, self.number, architecture, key)
            except AtWork:
                self.driver.attend(now=True)
                return None
            except NumberTaken:
                self.number += 1
                self.driver.attend(now=True)
                if key in self.elsewhere or key not in self.expected:
                    return None
            else:
                self.number = claimed.number + 1
                return self.work_of(self.driver.claimed(claimed))

    def work_of(self, trial: Trial) -> Work:
        """How a trial that is claimed is trained."""
        _, seed = self.expected[trial.evaluation]
        weights = self.weights.file_of(trial) if self.weights else None
        return Work(trial=trial, budget=self.budget, seed=seed, final=True, label=f"final, seed {seed}", weights=weights)

    def over(self) -> bool:
        """Whether nobody is at anything that is wanted."""
        return not (self.left or self.wanted or self.elsewhere)

    def on_begun(self, work: Work) -> None:
        """Tell who watches."""
        trial = work.trial
        self.on_event(TrialBegun(trial.number, trial.architecture.id, self.tally.progress(), work.label, trial.stage))

    def on_epoch(self, work: Work, epoch: Epoch) -> bool:
        """A point of the learning curve, for whoever watches."""
        self.on_event(EpochEnded(work.trial.number, epoch, self.budget.epochs, work.trial.stage))
        return False

    def ended(self, work: Work, record: Record) -> None:
        """Keep what came of it."""
        self.keep(work, record)

    def keep(self, work: Work, record: Record, source: int | None = None) -> None:
        """End the trial."""
        trial = self.ledger.end_trial(work.trial, record, proposal=self.note(), reused_from=source, log=work.log)
        self.driver.freed(trial)
        self.driver.unfinished.done(trial.evaluation)
        self.tally.add(trial, repeated=False, fresh=source is None)
        self.seen[trial.evaluation] = trial
        self.decide()
        self.on_event(TrialEnded(trial, self.tally.progress(), self.tally.best, self.tally.objective.figure))

    def dropped(self, work: Work) -> None:
        """Another driver has it, or the run is stopped."""

    def learn(self, trials: Iterable[Trial]) -> None:
        """What others, or earlier runs, began or ended."""
        news = False
        for trial in trials:
            if trial.stage == self.stage:
                before = self.seen.get(trial.evaluation)
                news = news or before is None or before.state != trial.state
                self.number = max(self.number, trial.number + 1)
                self.seen[trial.evaluation] = trial
                self.hear(trial)
        if news:
            self.decide()

    def hear(self, trial: Trial) -> None:
        """Somebody has begun or ended it."""
        key = trial.evaluation
        if key in self.wanted:
            self.wanted.remove(key)
        self.elsewhere.pop(key, None)
        if key in self.expected and trial.state == "running":
            self.elsewhere[key] = trial
        elif key in self.expected:
            self.tally.add(trial, repeated=False, fresh=False)

    def decide(self) -> None:
        """Want more, by what has ended."""

    def resume(self, trials: Iterable[Trial]) -> None:
        """Go on with what was left behind, as far as it is wanted still."""
        for trial in trials:
            self.elsewhere.pop(trial.evaluation, None)
            if trial.stage == self.stage and trial.evaluation in self.expected:
                self.left.append(trial)
                if trial.evaluation in self.wanted:
                    self.wanted.remove(trial.evaluation)
            else:
                self.ledger.give_back([trial])
                self.driver.freed(trial)


class _Allotted(Finals):
    """Finals whose seeds go where they tell most."""

    def share_out(self, finalists: Sequence[Architecture], allotment: Allotment, seed: int) -> None:
        """Want what `allotment` says of `finalists`, from `seed` on."""
        self.finalists, self.allotment, self.seed = finalists, allotment, seed
        self.keys: dict[Training, str] = {}
        self.decide()

    def decide(self) -> None:
        """Want what follows from what has ended."""
        over = False
        while not over:
            found, over = self.allotment.wanted(self.came())
            new = [training for training in found if training not in self.keys]
            for training in new:
                architecture, seed = self.finalists[training[0]], self.seed + training[1]
                key = self.keys[training] = self.key(architecture, self.budget, seed)
                self.expect(architecture, seed)
                if key in self.seen:
                    self.hear(self.seen[key])
            if not new:
                break
        self.tally.target = len(self.keys) if over else self.allotment.trainings

    def came(self) -> dict[Training, float | None]:
        """What the trainings came to that have ended."""
        ended = {one: self.seen[key] for one, key in self.keys.items() if key in self.seen and self.seen[key].state != "running"}
        figure = self.allotment.objective.figure
        return {
            one: trial.record.figures.get(figure) if trial.record and trial.record.outcome == "complete" else None
            for one, trial in ended.items()
        }

    def outcome(self) -> str:
        """What came of it, and who had how many seeds."""
        counts = Counter(finalist for finalist, _ in self.keys)
        told = [super().outcome()]
        if len(set(counts.values())) > 1:
            shares = ", ".join(str(counts[finalist]) for finalist in range(len(self.finalists)))
            told += [f"Seeds of each, in the order of the search: {shares}."]
        if len(self.keys) < self.allotment.trainings and self.allotment.confident is not None:
            told += [f"The first is the first with a probability of {self.allotment.first(self.came()):.2f}, which is enough."]
        return " ".join(told)
