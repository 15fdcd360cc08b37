"""A trial done again from its record: built, counted, measured and trained as then, and held against what came of it.

    trial → the study's space, recipe, seed, budget and the record's setting → Job → Record now → verdict

What was made of other trials is made again of their weights, where these are kept and are those that the records tell of. What
went wrong is done again too: what was outside a limit is counted, what was pruned is stopped where it was, and what crashed runs
in a process of its own.
"""

import math
import random
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from nas.benchmark import Benchmark, Recipe
from nas.errors import SearchError, quote
from nas.execution import Ended, Job, Question
from nas.measures import measure_of
from nas.ranking.concordance import pooled_deviation
from nas.records import (
    FIGURES,
    LOOKED_UP,
    SCORES,
    Descent,
    Epoch,
    Ledger,
    Record,
    Reproduction,
    Stage,
    StudyEntry,
    Trial,
    default_ledger,
    judge,
)
from nas.records.reproduction import SHARE, Deviation, measured_out
from nas.searching.deriving import as_parent
from nas.searching.evaluating import Plan
from nas.searching.retraining import asked_of, benchmark_of, places_of
from nas.searching.weights import KEPT, Weights, missing, shown, weights_of
from nas.searching.working import make_executor
from nas.space import Limit

APART = {"crashed", "exited", "out_of_memory", "out_of_disk"}
"""Failures that are done again in a process of their own, which they may end."""

BY_THE_RUN = {"timed_out": "was ended by a limit of time", "poisoned": "was set aside since its workers died"}
"""Failures that follow from how a study was run, of which no record tells all."""

WAIT_SECONDS = 1.0


@dataclass(frozen=True, kw_only=True)
class Reproduced:
    """A trial, and what came of doing it again."""

    trial: Trial
    record: Record
    """Of the evaluation now."""
    result: Reproduction
    weights: Path | None = None
    """The file beside the ledger in which its weights are kept again, where that was asked for; None if it was not, or if
    they are others than the record tells of.
    """

    def to_data(self) -> dict[str, Any]:
        """Plain data, ready for JSON."""
        which = {"study": self.trial.study, "stage": self.trial.stage, "number": self.trial.number}
        weights = shown(self.weights) if self.weights else None
        told = {"architecture": self.trial.architecture.id, **self.result.to_data(), "weights": weights}
        return {**which, **told, "record": self.record.to_data()}


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far it is, for whoever waits."""

    done: int
    """Trials that have a verdict."""
    of: int
    trial: Trial
    """Under way, or done just now."""
    epoch: int = 0
    seconds_left: float | None = None
    """By what the trials took then, and how much faster or slower this machine has been; None where no record tells."""
    reproduced: Reproduced | None = None
    """Where the trial is done."""


OnProgress = Callable[[Progress], None]


def reproduce(
    named: Sequence[str],
    *,
    sample: int | None = None,
    seed: int = 0,
    stage: Stage | None = None,
    ledger: str | None = None,
    data: Path | None = None,
    tolerance: float = SHARE,
    keep: bool = False,
    workers: int = 0,
    on_progress: OnProgress = lambda _: None,
    **means: Any,
) -> tuple[Reproduced, ...]:
    """Do the trials called `named` (STUDY:NUMBER, or STUDY:ID with the beginning of an architecture's id) again.

    With `sample`, `named` are studies, and so many trials of them that were trained are drawn from `seed`. `stage` is the one
    that numbers count in, or that is drawn from. A figure may differ by its deviation over seeds, as `nas.records.judge` says, or
    where the study does not tell one by the share `tolerance` of itself. With `keep` the weights of finalists, and of what was
    made of them, are kept beside the ledger again where they are bit for bit those that the record tells of. `workers` is how
    many run at once, each in a process of its own; 0 for this process. `means` are device and threads, where others than the
    record's are wanted.

    Raises:
        NasError: a name means no trial, or one that cannot be done again: it has not ended, stands in a table, was made of
            weights that are gone or others now, its benchmark has another version now, or its device is not there; or its
            weights are to be kept, and it is no finalist, nor made of one.
    """
    if isinstance(tolerance, bool) or not 0 <= tolerance < math.inf:
        raise SearchError(f"A tolerance is a share of at least 0, got {quote(tolerance)}.")
    if sample is not None and (isinstance(sample, bool) or sample < 1):
        raise SearchError(f"A sample is of at least 1 trial, got {quote(sample)}.")
    url = ledger or default_ledger()
    with Ledger(url, create=False) as book:
        chosen = _sampled(book, url, named, sample, seed, stage) if sample is not None else _chosen(book, url, named, stage)
        works = [_work(one, data, means, _kept(book, one) if keep else None) for one in chosen]
    return tuple(_Run(works, tolerance, workers, on_progress).go())


@dataclass(frozen=True, kw_only=True)
class _Chosen:
    """A trial that is to be done again, and what stands beside it."""

    trial: Trial
    record: Record
    entry: StudyEntry
    others: Sequence[Trial]
    """All trials of its study."""
    parents: Sequence[tuple[Trial, Path | None]] = ()
    """What it was made of, and the files of their weights; None where their weights are not needed."""


@dataclass(frozen=True, kw_only=True)
class _Work:
    """How it is done again."""

    chosen: _Chosen
    then: Record
    """What it is held against."""
    plan: Plan
    job: Job
    doubts: tuple[str, ...] = ()
    """Why it need not be bit-equal."""
    weights: Weights | None = None
    """Where its weights shall be kept again."""

    @property
    def apart(self) -> bool:
        """Whether it needs a process of its own."""
        return self.then.error is not None and self.then.error.kind in APART


def _chosen(book: Ledger, url: str, named: Sequence[str], stage: Stage | None) -> list[_Chosen]:
    found = []
    from nas.reports.finding import find_trial  # brings rich, which no search needs

    studies: dict[str, tuple[StudyEntry, list[Trial]]] = {}
    for name in dict.fromkeys(named):
        study, colon, which = name.partition(":")
        if not colon or not which:
            raise SearchError(
                f"A trial is STUDY:NUMBER, or STUDY:ID with an architecture's id, got {quote(name)}; to draw some of a study's "
                "trials, give a sample too, as in `nas reproduce STUDY --sample 3`."
            )
        if study not in studies:
            entry = book.study(study)
            studies[study] = entry, book.trials(entry)
        entry, trials = studies[study]
        trial = find_trial(trials, which, stage)
        record = _ended(trial, entry)
        parents = _parents(trial, record, trials, url)
        found.append(_Chosen(trial=trial, record=record, entry=entry, others=trials, parents=parents))
    return found


def _sampled(book: Ledger, url: str, studies: Sequence[str], sample: int, seed: int, stage: Stage | None) -> list[_Chosen]:
    """Of the trials in these studies that were trained and can be done again, so many; each training at most once."""
    seen: set[int] = set()
    able: list[_Chosen] = []
    for name in dict.fromkeys(studies):
        if ":" in name:
            raise SearchError(
                f"A sample is drawn from a study, got {quote(name)}; give the study alone, or leave the sample out."
            )
        entry = book.study(name)
        _check_trained(entry)
        others = book.trials(entry)
        for trial in others:
            source = trial.reused_from or trial.id
            trained = trial.state in {"complete", "pruned", "failed"} and stage in {None, trial.stage}
            if trained and source not in seen and trial.record is not None and not _hindrance(trial.record):
                seen.add(source)
                with suppress(_Orphaned):
                    parents = _parents(trial, trial.record, others, url)
                    able.append(_Chosen(trial=trial, record=trial.record, entry=entry, others=others, parents=parents))
    if not able:
        where = f"{stage} trial" if stage else "trial"
        raise SearchError(f"No {where} of {', '.join(studies)} was trained and can be done again; see `nas trials`.")
    drawn = random.Random(seed).sample(range(len(able)), min(sample, len(able)))  # noqa: S311 - no secret
    return [able[n] for n in sorted(drawn)]


def _check_trained(entry: StudyEntry) -> None:
    if "table" in entry.definition["benchmark"]:
        raise SearchError(f"The study {entry.name!r} is on a table, in which nothing was trained; there is nothing to do again.")


def _ended(trial: Trial, entry: StudyEntry) -> Record:
    """The Record of a trial that can be done again.

    Raises:
        SearchError: it cannot.
    """
    _check_trained(entry)
    if trial.record is None:
        raise SearchError(f"The {trial.title} has not ended, so that there is nothing to hold it against.")
    if why := _hindrance(trial.record):
        raise SearchError(f"The {trial.title} {why}; it cannot be done again.")
    return trial.record


def _hindrance(record: Record) -> str:
    """Why it cannot be done again; empty where it can."""
    if record.device == LOOKED_UP:
        return "stands in a table, and nothing was trained"
    if record.error is not None and record.error.kind in BY_THE_RUN:
        return f"{BY_THE_RUN[record.error.kind]}, of which its record does not tell enough"
    return ""


class _Orphaned(SearchError):
    """What a trial was made of is gone."""


def _parents(trial: Trial, record: Record, others: Sequence[Trial], url: str) -> list[tuple[Trial, Path | None]]:
    """What `trial` was made of, of the trials of its study, each with the file of its weights where they are needed.

    Raises:
        NasError: one or its weights are gone, or there is no such method here.
    """
    if record.derived is None:
        return []
    from nas.training import derivation_of  # which loads torch, as the training will

    needed = derivation_of(record.derived.method, record.derived.options).needs_weights
    known = {one.evaluation: one for one in others if one.state == "complete"}
    found: list[tuple[Trial, Path | None]] = []
    for name in (record.derived.parent, *record.derived.beside):
        parent = known.get(name)
        if parent is None:
            raise _Orphaned(f"The {trial.title} was made of a trial that the study no longer has; it cannot be done again.")
        weights = weights_of(url, parent) if needed else None
        if weights is None and needed:
            raise _Orphaned(f"The {trial.title} was made of the weights of another. {missing(url, parent)}")
        found.append((parent, weights))
    return found


def _descent(chosen: _Chosen) -> Descent | None:
    """How the trial was made of others; None where it was not.

    Raises:
        SearchError: weights that it was made of are others now.
    """
    derived = chosen.record.derived
    if derived is None:
        return None
    from nas.training import digest_file

    for parent, path in chosen.parents:
        told = parent.record.weights_sha256 if parent.record else None
        if path is not None and told is not None and digest_file(path) != told:
            raise SearchError(
                f"The {chosen.trial.title} was made of the weights of the {parent.title}, and {path.name} holds others than "
                "its record tells of; it cannot be done again without these."
            )
    parents = tuple(as_parent(parent, path) for parent, path in chosen.parents)
    return Descent(method=derived.method, options=derived.options, parents=parents)


def _kept(book: Ledger, chosen: _Chosen) -> Weights:
    """Where the weights of a trial are kept.

    Raises:
        SearchError: those of its kind are not.
    """
    if chosen.trial.stage not in KEPT or chosen.record.weights_sha256 is None:
        raise SearchError(
            f"The weights of the {chosen.trial.title} are not kept beside the ledger: those of finalists are, and of what was "
            "made of them; `nas export` writes the weights of any trial."
        )
    return Weights(book, chosen.entry)


def _work(chosen: _Chosen, data: Path | None, means: Mapping[str, Any], weights: Weights | None) -> _Work:
    trial, then, entry = chosen.trial, chosen.record, chosen.entry
    searched = trial.stage in {"search", "confirm"}
    limits: tuple[Limit, ...] = ()
    if then.outcome == "infeasible" and not then.curve:
        limits = tuple(Limit.parse(text.partition(", got ")[0]) for text in then.broken_limits)
    elif then.outcome == "infeasible":  # trained, and outside the limits of the study that took the record over
        then = replace(then, outcome="complete", broken_limits=())
    doubts: tuple[str, ...] = ()
    source = next((other for other in chosen.others if other.id == trial.reused_from), trial)
    if source.architecture.id != trial.architecture.id:  # its layers, and so its weights, have other names
        then = replace(then, weights_sha256=None, replicates=tuple(replace(one, weights_sha256=None) for one in then.replicates))
        doubts = (f"The record is of {source.architecture.id}, an equal network, whose weights may be drawn in another order.",)
    own = {
        "device": then.device,
        "threads": then.threads,
        "precision": then.precision,
        "compile": then.compile,
        "loading": then.loading or "auto",
    }
    benchmark = _benchmark(entry, data)
    plan = Plan(
        space=entry.space,
        benchmark=benchmark,
        limits=limits,
        data=data,
        means={**own, **{name: value for name, value in means.items() if value is not None}},
        replicates=entry.definition.get("replicates", 1) if searched else 1,
        together=entry.definition.get("together", "never") if searched else "never",
        proxies=tuple(name for name in SCORES if name in then.figures),
        measures=asked_of(entry, benchmark),
    )
    _ = plan.setting  # the device may not be there
    then = replace(then, figures={name: value for name, value in then.figures.items() if not _is_later(name, plan.measures)})
    job = Job(
        id=trial.id,
        architecture=entry.space.architecture(trial.architecture.choices),
        budget=then.budget,
        seed=then.seed,
        final=any(name.startswith("test_") for name in then.figures),
        descent=_descent(chosen),
        asks=_asks(then),
        weights=weights.tried(trial) if weights is not None else None,
    )
    return _Work(chosen=chosen, then=then, plan=plan, job=job, doubts=doubts, weights=weights)


def _is_later(figure: str, asked: Sequence[str]) -> bool:
    """Whether it joined a record later: of guessed members, or what its network was asked that the study does not ask."""
    measure = measure_of(figure)
    return figure.startswith("membership_") or (measure is not None and measure.name not in asked)


def _benchmark(entry: StudyEntry, data: Path | None) -> Benchmark:
    """The study's benchmark, with the recipe that it had when the study began.

    Raises:
        SearchError: its version is another now.
    """
    benchmark = benchmark_of(entry, data)
    kept = entry.definition["benchmark"].get("recipe")
    try:
        return replace(benchmark, recipe=Recipe(**kept)) if kept else benchmark
    except TypeError:
        raise SearchError(
            f"The study {entry.name!r} was begun with options of training that this version does not know; install that version."
        ) from None


def _asks(then: Record) -> frozenset[Question]:
    """At what a pruned evaluation stopped, or one that measuring left untrained."""
    if measured_out(then):  # so is what is measured otherwise now
        return frozenset({"known"})
    if then.outcome != "pruned":
        return frozenset()
    return frozenset({"replicate" if then.replicates else "epoch" if then.curve else "known"})


class _Run:
    """The trials, done again; an `execution.Listener`."""

    def __init__(self, works: Sequence[_Work], tolerance: float, workers: int, on_progress: OnProgress) -> None:
        self.works = works
        self.tolerance = tolerance
        self.workers = workers
        self.on_progress = on_progress
        self.by_id = {work.job.id: work for work in works}
        self.done: dict[int, Reproduced] = {}
        self.begun: dict[int, float] = {}
        self.epochs: dict[int, int] = {}

    def go(self) -> list[Reproduced]:
        """All of them, in the order they were given in; those of equal conditions share what evaluates."""
        groups: defaultdict[str, list[_Work]] = defaultdict(list)
        for work in self.works:
            groups[f"{work.plan} {work.apart}"].append(work)
        try:
            for group in groups.values():
                self.evaluate(group)
        finally:
            for work in self.works:
                if work.job.weights is not None:
                    work.job.weights.unlink(missing_ok=True)
        return [self.done[work.job.id] for work in self.works]

    def evaluate(self, group: Sequence[_Work]) -> None:
        plan = group[0].plan
        workers = self.workers or int(group[0].apart)
        device = {"device": plan.means["device"]}
        if workers and str(plan.means["device"]).startswith("cuda:"):
            plan = replace(plan, means={**plan.means, "device": "cuda"})  # a worker sees one GPU alone, which is its first
        places = places_of({**device, "workers": workers, "threads": plan.means["threads"]})
        executor = make_executor(places, plan, self)
        waiting = list(group)
        under_way = 0
        try:
            executor.ready()
            while waiting or under_way:
                while waiting and executor.free:
                    executor.start(waiting.pop(0).job)
                    under_way += 1
                for ended in executor.wait(WAIT_SECONDS):
                    under_way -= 1
                    self.settle(ended)
        finally:
            executor.close()

    def settle(self, ended: Ended) -> None:
        """Hold what came of a job against what came of it then."""
        work, record = self.by_id[ended.job.id], ended.record
        if record is None:
            raise SearchError(f"The {work.chosen.trial.title} could not be done again: {ended.reason or 'it was interrupted'}.")
        if measured_out(work.then) and record.outcome == "pruned":
            record = replace(record, notes=("As measured now it lies within the limits; it was not trained.",))
        result = judge(
            work.then,
            record,
            architecture=(work.chosen.trial.architecture.id, ended.job.architecture.id),
            deviations=deviations(work.chosen.others, work.chosen.trial),
            share=self.tolerance,
            doubts=work.doubts,
        )
        same = work.then.weights_sha256 is not None and record.weights_sha256 == work.then.weights_sha256
        weights = work.weights.take(work.chosen.trial) if work.weights is not None and same else None
        reproduced = Reproduced(trial=work.chosen.trial, record=record, result=result, weights=weights)
        self.done[ended.job.id] = reproduced
        self.tell(work, reproduced=reproduced)

    def tell(self, work: _Work, **more: Any) -> None:
        """How far it is."""
        given = {"done": len(self.done), "of": len(self.works), "trial": work.chosen.trial, "seconds_left": self.seconds_left()}
        self.on_progress(Progress(**{**given, **more}))

    def seconds_left(self) -> float | None:
        """By what the trials took then, and the pace since."""
        now = time.monotonic()
        expected = {work.job.id: work.then.seconds or 0.0 for work in self.works}
        if not any(expected.values()):
            return None
        took = [(expected[number], one.record.seconds or 0.0) for number, one in self.done.items()]
        pace = sum(after for _, after in took) / sum(before for before, _ in took) if sum(before for before, _ in took) else 1.0
        left = sum(
            max(0.0, pace * expected[work.job.id] - (now - self.begun.get(work.job.id, now)))
            for work in self.works
            if work.job.id not in self.done
        )
        return left / max(1, self.workers)

    # What candidates tell.

    def on_begun(self, job: Job, where: str) -> None:  # noqa: ARG002 - one is like another
        """It is under way."""
        self.begun[job.id] = time.monotonic()
        self.tell(self.by_id[job.id])

    def on_known(self, job: Job, figures: Mapping[str, float]) -> bool:  # noqa: ARG002 - not the candidate's figures decide
        """A candidate that was left untrained is so again."""
        return "known" in job.asks

    def on_epoch(self, job: Job, epoch: Epoch) -> bool:
        """One that was stopped after this epoch is so again."""
        work = self.by_id[job.id]
        self.tell(work, epoch=epoch.epoch)
        return "epoch" in job.asks and epoch.epoch >= work.then.curve[-1].epoch

    def on_replicate(self, job: Job, number: int, figures: Mapping[str, float]) -> bool:  # noqa: ARG002 - as above
        """One that was stopped after this replicate is so again."""
        return "replicate" in job.asks and number + 1 >= len(self.by_id[job.id].then.replicates)


def deviations(trials: Iterable[Trial], of: Trial) -> dict[str, Deviation]:
    """The deviation over seeds of each figure of `of`; a figure of which none is known is absent.

    It is pooled over all architectures of the study that were trained at that budget from several seeds, confirmations and
    replicates included; of what was made of finalists, over what was made of them alike.
    """
    assert of.record is not None  # noqa: S101 - it has ended
    like = _like(of)
    told: defaultdict[str, dict[int, Mapping[str, float]]] = defaultdict(dict)
    for trial in trials:
        record = trial.record
        if record is None or record.outcome != "complete" or record.budget != of.record.budget or _like(trial) != like:
            continue
        for seed, figures in [(one.seed, one.figures) for one in record.replicates] or [(record.seed, record.figures)]:
            told[trial.architecture.id].setdefault(seed, figures)
    found = {}
    for name in of.record.figures.keys() - FIGURES.keys():
        groups = [[figures[name] for figures in seeds.values() if name in figures] for seeds in told.values()]
        groups = [group for group in groups if len(group) > 1]
        pooled = pooled_deviation(groups)
        if pooled is not None:
            freedom = sum(len(group) - 1 for group in groups)
            found[name] = Deviation(pooled / math.sqrt(max(1, len(of.record.replicates))), freedom)
    return found


def _like(trial: Trial) -> tuple[bool, str]:
    """What trials share whose figures deviate alike: whether they are finalists, or how they were made of these."""
    derived = trial.record.derived if trial.record else None
    return trial.stage == "final", derived.words if derived else ""
