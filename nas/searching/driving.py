"""The driver of a run: keeps an executor busy, holds the leases of what is under way, and ends all of it in good order.

    source.next() → Work → executor → Ended → source.ended()        lost → again, at most so many times, then `poisoned`

What to do, and what to make of it, is the source's: a search, or finals. Any number of drivers may share a study in one ledger.
"""

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from nas.benchmark import Budget
from nas.errors import LeaseLost, LedgerError, NasError, Parked
from nas.execution import Ended, Executor, Here, Job, Question
from nas.records import Descent, Epoch, Failure, Ledger, Record, Setting, Stage, StudyEntry, Trial, commit, versions
from nas.searching.events import Tally
from nas.searching.resuming import Unfinished
from nas.searching.stopping import GRACE_SECONDS, Stopping
from nas.searching.unsent import Unsent
from nas.strategies import Proposal

ATTEMPTS = 3
"""How often a candidate is begun whose worker dies, before it is set aside."""

LOOK_SECONDS = 1.0
"""Between two looks at what other drivers did."""

NEVER = 2**62
"""A revision that no study reaches."""

NEWS_SECONDS = 2.0
"""Between two notes for whoever watches, at least."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Work:
    """A trial that is claimed, and how it is to be evaluated."""

    trial: Trial
    budget: Budget
    seed: int
    final: bool = False
    label: str = ""
    """What is special about it, for whoever watches."""
    size: float = 0.0
    """FLOPs of a forward pass, by which the longest goes first."""
    weights: Path | None = None
    """The file that trained weights are kept in; None where they are not."""
    descent: Descent | None = None
    """Of which trials it is made, and how."""
    proposal: Proposal | None = None
    """The strategy's, where one made it."""
    log: str = ""
    """Of earlier attempts."""

    @property
    def name(self) -> str:
        """As people call it."""
        return f"trial {self.trial.number}"


class Source(Protocol):
    """What is to be done, and what is made of it."""

    asks: frozenset[Question]
    """The questions of a candidate whose answer matters."""
    stages: tuple[Stage, ...]
    """What it works at."""
    tally: Tally
    """What came of it so far, and how much is wanted."""

    def next(self) -> Work | None:
        """What to begin now; None where there is nothing, at the moment or at all."""

    def over(self) -> bool:
        """Whether, with nothing under way here, nothing is left to do and nobody else is at what is needed."""

    def on_begun(self, work: Work) -> None:
        """It is under way."""

    def on_known(self, work: Work, figures: Mapping[str, float]) -> bool:  # noqa: ARG002
        """Figures that are known before training; True to leave it untrained."""
        return False

    def on_epoch(self, work: Work, epoch: Epoch) -> bool:
        """A point of the learning curve; True to stop."""

    def on_replicate(self, work: Work, number: int, figures: Mapping[str, float]) -> bool:  # noqa: ARG002
        """What a replicate came to; True to stop."""
        return False

    def ended(self, work: Work, record: Record) -> None:
        """Keep what came of it. Raises LeaseLost where another driver has it by now."""

    def waiting(self, trial_id: int) -> Work | None:  # noqa: ARG002
        """What is claimed, and has not been handed out by `next`."""
        return None

    def dropped(self, work: Work) -> None:
        """It is no longer this driver's: another has it, or it goes back."""

    def learn(self, trials: Iterable[Trial]) -> None:
        """What other drivers began or ended."""

    def resume(self, trials: Iterable[Trial]) -> None:
        """Trials that somebody left behind, and that are this driver's now."""


class Driver:
    """Runs a source's work on an executor until it is over, or somebody asks to stop."""

    entry: StudyEntry
    unfinished: Unfinished
    unsent: Unsent
    source: Source

    def __init__(
        self,
        ledger: Ledger,
        make_executor: Callable[["Driver"], Executor],
        setting: Callable[[], Setting],
        attempts: int = ATTEMPTS,
    ) -> None:
        """Be ready; the executor, which tells this driver what candidates tell, is made when first needed.

        `setting` is for Records of candidates that nobody ended.
        """
        self.ledger = ledger
        self.make_executor = make_executor
        self.setting = setting
        self.attempts = attempts
        self.revision = self.stops = 0
        """The study's, as they were last read."""
        self.executor: Executor | None = None
        self.under_way: dict[int, Work] = {}
        """Trial's id → what is evaluated now."""
        self.held: dict[int, Trial] = {}
        """Trial's id → what this driver has claimed; read by the thread that renews."""
        self.retries: list[Work] = []
        self.news: dict[int, dict[str, Any]] = {}
        """Trial's id → how far it is, for whoever watches."""
        self.looked_at = self.took_at = 0.0
        self.stopping = Stopping(self._interrupt)
        self.warden = _Warden(self)

    def open(self, entry: StudyEntry, every_seconds: float) -> None:
        """Go to work on `entry`, with a checkpoint so often; what others do from now on is learnt of."""
        self.entry = entry
        self.unsent = Unsent(self.ledger, entry)
        self.unsent.send()
        self.unfinished = Unfinished(self.ledger, entry, every_seconds)
        self.revision, _ = self.ledger.changes(entry, NEVER)
        self.stops = self.ledger.stops(entry)

    def go(self, source: Source) -> None:
        """Do all that `source` has to do.

        Raises:
            KeyboardInterrupt: somebody asked to stop, and all is left so that the run can go on.
        """
        self.source = source
        self.unsent.reserve()
        try:
            with self.stopping, self.warden:
                self._drive()
                if self.stopping.asked:
                    raise KeyboardInterrupt
        except Parked:
            self._park()
            self.held.clear()  # it would be waited for again
            raise
        finally:
            self._leave()

    def close(self) -> None:
        """End whatever is still under way."""
        if self.executor is not None:
            self.executor.close()

    @property
    def is_here(self) -> bool:
        """Whether candidates run in this process."""
        return isinstance(self.executor, Here)

    def prepare(self) -> Executor:
        """The executor, made now if it is not there.

        Raises:
            NasError: what evaluates cannot be made here.
        """
        if self.executor is None:
            self.executor = self.make_executor(self)
            if self.stopping.asked:
                self.executor.interrupt()
        return self.executor

    def claimed(self, trial: Trial) -> Trial:
        """`trial`, whose lease is renewed from now on."""
        self.held[trial.id] = trial
        return trial

    def freed(self, trial: Trial) -> None:
        """It has ended, or is somebody else's."""
        self.held.pop(trial.id, None)
        self.news.pop(trial.id, None)

    @property
    def asked_to_stop(self) -> bool:
        """Whether nothing new is to be begun."""
        return self.stopping.asked

    def attend(self, *, now: bool = False) -> None:
        """Look, now and then or `now`, at what others did; safe to call often."""
        self.warden.check()
        if not now and time.monotonic() - self.looked_at < LOOK_SECONDS:
            return
        self.looked_at = time.monotonic()
        for lost in self.warden.lost_leases():
            self._drop(lost)
        self.revision, changed = self.ledger.changes(self.entry, self.revision)
        for trial in changed:
            if trial.id in self.held:
                self._drop(trial.id)
        self.source.learn(changed)
        if now or self.looked_at - self.took_at > min(5.0, self.ledger.lease_seconds / 10):
            self.took_at = self.looked_at
            self.take_over()
        self._drop_silent()

    def take_over(self) -> None:
        """Go on with what was left behind, by whomever."""
        left = self.ledger.take_over(self.entry, self.source.stages)
        lapsed = {trial.id for trial in left if trial.id in self.held}  # this driver slept, and nobody else came
        taken = [self.claimed(trial) for trial in left]
        if others := [trial for trial in taken if trial.id not in lapsed]:
            self.source.resume(others)

    def _drive(self) -> None:
        while True:
            self.attend()
            self._fill()
            if self.under_way:
                for ended in self.prepare().wait(LOOK_SECONDS):
                    self._settle(ended)
            elif self.stopping.asked or self.source.over():
                return
            else:  # others are at what is needed here
                time.sleep(LOOK_SECONDS / 4)

    def _fill(self) -> None:
        while not self.stopping.asked and (self.executor is None or self.executor.free):
            work = self.retries.pop(0) if self.retries else self.source.next()
            if work is None:
                return
            executor = self.prepare()
            self.under_way[work.trial.id] = work
            executor.start(self._job(work))

    def _job(self, work: Work) -> Job:
        trial = work.trial
        return Job(
            id=trial.id,
            architecture=trial.architecture,
            budget=work.budget,
            seed=work.seed,
            final=work.final,
            folder=self.unfinished.folder_of(trial.evaluation),
            every_seconds=self.unfinished.every_seconds,
            weights=work.weights,
            descent=work.descent,
            asks=self.source.asks,
        )

    def _settle(self, ended: Ended) -> None:
        work = self.under_way.pop(ended.job.id, None)
        if work is None:
            return
        work = replace(work, trial=self._now(work.trial), log=work.log + ended.log)
        record = ended.record
        if record is None and ended.lost and not self.stopping.asked:
            if work.trial.attempts < self.attempts:
                self._again(work)
                return
            record = self.poisoned(work, ended.reason)
        if record is None:
            self.ledger.give_back([work.trial])
            self.freed(work.trial)
            self.source.dropped(work)
            return
        try:
            self.source.ended(work, record)
        except LeaseLost:
            self.source.dropped(work)
            self.looked_at = 0.0  # what the other made of it is to be known before anything is begun
        except Parked:
            self.unsent.keep(work.trial, record, work.log)
            raise
        finally:
            self.freed(work.trial)

    def _now(self, trial: Trial) -> Trial:
        """`trial` as this driver holds it by now."""
        held = self.held.get(trial.id, trial)
        return replace(trial, fence=held.fence, attempts=held.attempts)

    def _again(self, work: Work) -> None:
        try:
            trial = self.claimed(self.ledger.retry(work.trial))
        except LeaseLost:
            self.freed(work.trial)
            self.source.dropped(work)
            return
        label = f"attempt {trial.attempts} of {self.attempts}"
        self.retries.append(replace(work, trial=replace(trial, evaluation=work.trial.evaluation), label=label))

    def poisoned(self, work: Work, reason: str = "") -> Record:
        """The Record of a candidate that is set aside, since whoever works at it dies."""
        times = work.trial.attempts
        last = f"; the last: {reason}" if reason else ""
        message = f"Whoever worked at it died {times} times{last}. It is set aside."
        return Record(
            outcome="failed",
            error=Failure(kind="poisoned", message=message),
            seed=work.seed,
            budget=work.budget,
            versions=versions(),
            commit=commit(),
            **vars(self.setting()),
        )

    def _drop(self, trial_id: int) -> None:
        """Another driver has the trial by now."""
        work = self.under_way.pop(trial_id, None)
        waiting = next((one for one in self.retries if one.trial.id == trial_id), None)
        if work is not None and self.executor is not None:
            self.executor.cancel(self._job(work))
        if waiting is not None:
            self.retries.remove(waiting)
        self.held.pop(trial_id, None)
        self.news.pop(trial_id, None)
        if (lost := work or waiting or self.source.waiting(trial_id)) is not None:
            self.source.dropped(lost)

    def _drop_silent(self) -> None:
        """Whoever was not heard of for a whole lease is taken for dead."""
        if self.executor is None:
            return
        for work in list(self.under_way.values()):
            job = self._job(work)
            silent = self.executor.silent(job)
            if silent > self.ledger.lease_seconds:
                self.executor.cancel(job)
                reason = f"nothing was heard of its worker for {silent:.0f} s"
                self._settle(Ended(job=job, record=None, lost=True, reason=reason))

    def _park(self) -> None:
        """Let candidates write checkpoints where the ledger cannot be written to, and keep what has ended beside it."""
        if self.executor is None:
            return
        self.executor.interrupt()
        give_up_at = time.monotonic() + GRACE_SECONDS
        while self.under_way and (left := give_up_at - time.monotonic()) > 0:
            for ended in self.executor.wait(left):
                work = self.under_way.pop(ended.job.id, None)
                if work is not None and ended.record is not None:
                    self.unsent.keep(self._now(work.trial), ended.record, work.log + ended.log)

    def _interrupt(self) -> None:
        if self.executor is not None:
            self.executor.interrupt()

    def _leave(self) -> None:
        """End what is under way, and let anybody go on with it."""
        self.close()
        self.unsent.release()
        with suppress(LedgerError):  # it may be the ledger that ended the run; leases lapse by themselves
            if self.held:
                self.ledger.give_back(list(self.held.values()))
        self.held.clear()

    # What candidates tell, as `nas.execution.Listener`.

    def on_begun(self, job: Job, where: str) -> None:
        """It is under way."""
        if work := self.under_way.get(job.id):
            self.news[job.id] = {**({"where": where} if where else {}), "target": self.source.tally.target}
            self.source.on_begun(work)

    def on_known(self, job: Job, figures: Mapping[str, float]) -> bool:
        """Figures that are known before training."""
        work = self.under_way.get(job.id)
        return work is not None and self.source.on_known(work, figures)

    def on_epoch(self, job: Job, epoch: Epoch) -> bool:
        """A point of its learning curve."""
        work = self.under_way.get(job.id)
        if work is None:
            return False
        news = self.news.get(job.id, {})
        self.news[job.id] = {**news, "epoch": epoch.epoch, "epochs": work.budget.epochs, "figures": dict(epoch.figures)}
        return self.source.on_epoch(work, epoch)

    def on_replicate(self, job: Job, number: int, figures: Mapping[str, float]) -> bool:
        """What a replicate's training came to."""
        work = self.under_way.get(job.id)
        return work is not None and self.source.on_replicate(work, number, figures)


class _Warden:
    """A thread that renews leases, tells watchers how far candidates are, and hears of `nas stop`.

    It does so while the driver's own thread trains, or waits for the strategy.
    """

    def __init__(self, driver: Driver) -> None:
        self.driver = driver
        self.ending = threading.Event()
        self.thread = threading.Thread(target=self._watch, name="nas-leases", daemon=True)
        self.lost: set[int] = set()
        self.lock = threading.Lock()
        self.error: NasError | None = None

    def __enter__(self) -> None:
        self.thread.start()

    def __exit__(self, *_: object) -> None:
        self.ending.set()
        self.thread.join()

    def check(self) -> None:
        """Raise in the driver's thread what the ledger raised here."""
        if self.error is not None:
            raise self.error

    def lost_leases(self) -> set[int]:
        """Ids of trials that another driver has by now; told once."""
        with self.lock:
            lost, self.lost = self.lost, set()
        return lost

    def _watch(self) -> None:
        driver = self.driver
        renewed_at = time.monotonic()
        told: dict[int, dict[str, Any]] = {}
        while not self.ending.wait(min(LOOK_SECONDS, driver.ledger.lease_seconds / 10)):
            try:
                if driver.ledger.stops(driver.entry) > driver.stops:
                    driver.stopping.ask()
                now = time.monotonic()
                news = {number: dict(one) for number, one in list(driver.news.items())}
                due = now - renewed_at > driver.ledger.lease_seconds / 4
                if due or (news != told and now - renewed_at > NEWS_SECONDS):
                    lost = driver.ledger.renew(list(driver.held.values()), news)
                    renewed_at, told = now, news
                    with self.lock:
                        self.lost |= lost
            except NasError as error:
                self.error = error
                driver.stopping.ask()
                return
