"""A study seen from another process, as it is worked at: the events of its runs, told from what the ledger says.

    watch = Watch(ledger, entry)
    while True:
        for event in watch.look(): …        reads what has changed since the last look

It claims nothing and writes nothing, so that a ledger that can only be read will do. Of a driver no more is seen than the trials
it has: one that only thinks what to try next is not.
"""

import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from nas.benchmark import Budget, Objective
from nas.errors import printable
from nas.records import Epoch, Ledger, Stage, StudyEntry, Trial, default_ledger
from nas.reports.trials import holder_words, place, standing
from nas.searching.events import EpochEnded, Event, Progress, RunBegun, RunEnded, Tally, TrialBegun, TrialEnded

LAST = 5
"""Trials that ended last and are remembered."""

RECENT = 20
"""Evaluations by whose time what is left is estimated."""

QUIET_SECONDS = 10.0
"""After which a study that nobody has a trial of is taken for one that nobody works at."""

NEW_SECONDS = 3.0
"""A driver that is first seen so long after a stop was asked for began after it, and was not asked."""


@dataclass(frozen=True, kw_only=True)
class Seen:
    """A driver that has trials of the study."""

    holder: str
    trials: int
    silent: float
    """Seconds since it renewed its leases, if these are as long as this program's; never less than 0."""

    @property
    def words(self) -> str:
        """Its machine and its process there."""
        return holder_words(self.holder)


class Watch:
    """What is known of a study by the last look."""

    def __init__(self, ledger: Ledger, entry: StudyEntry) -> None:
        self.ledger = ledger
        self.entry = entry
        self.tally = Tally(0, Objective(**entry.definition["objectives"][0]))
        self.running: tuple[Trial, ...] = ()
        """Under way, oldest first."""
        self.interrupted: tuple[Trial, ...] = ()
        """Begun, and nobody works at them."""
        self.last: deque[Trial] = deque(maxlen=LAST)
        """Those that ended last, the latest at the end."""
        self.retrained: Counter[Stage] = Counter()
        """Trainings of finalists, and of an audit, that have ended."""
        self.retraining: dict[Stage, int] = {}
        """How many of these there are to be, where a driver told it."""
        self.seconds: deque[float] = deque(maxlen=RECENT)
        self.revision = -1
        self.begun = False
        self.known: set[str] = set()
        self.sources: set[int] = set()
        self.ended: set[int] = set()
        self.told: dict[int, tuple[int, int, int]] = {}
        """Running trial's id → fence, attempts and epoch that were told."""
        self.quiet_since = time.monotonic()

    @property
    def headline(self) -> str:
        """What is searched, in one line."""
        given = self.entry.definition
        names = [f"{given[part]['name']} v{given[part]['version']}" for part in ("space", "benchmark")]
        objectives = ", ".join(objective["figure"] for objective in given["objectives"])
        words = [" on ".join(names), objectives, given["strategy"], f"seed {given['seed']}", str(Budget(**given["budget"]))]
        return printable(" · ".join([*words, *given["limits"]]))

    @property
    def progress(self) -> Progress:
        """How far the study is; its target is 0 where no driver told it."""
        found = replace(self.tally.progress(), seconds_left=None)
        if not (self.seconds and found.target and self.running):
            return found
        left = max(0, found.target - found.evaluated) / len(self.running)
        return replace(found, seconds_left=left * sum(self.seconds) / len(self.seconds))

    @property
    def drivers(self) -> tuple[Seen, ...]:
        """Who is at work."""
        held: dict[str, list[Trial]] = {}
        for trial in self.running:
            held.setdefault(trial.holder or "", []).append(trial)
        now = time.time()
        return tuple(
            Seen(holder=holder, trials=len(some), silent=max(0.0, now + self.ledger.lease_seconds - self._renewed(some)))
            for holder, some in held.items()
        )

    def _renewed(self, trials: list[Trial]) -> float:
        return max(trial.lease_until or 0.0 for trial in trials)

    @property
    def quiet(self) -> bool:
        """Whether nobody has had a trial for some time."""
        return time.monotonic() - self.quiet_since > QUIET_SECONDS

    def look(self) -> list[Event]:
        """Read what has changed since the last look; the first tells the study, and of its trials those under way alone."""
        ended = self._ended()
        first, self.begun = not self.begun, True
        for trial in ended:
            self._count(trial, fresh=not first)
        self._see_running()
        if first:
            begun = RunBegun(self.entry.name, self.tally.target, len(ended), self.headline)
            return [begun, *self._under_way()]
        done: list[Event] = [TrialEnded(trial, self.progress, self.tally.best, self.tally.objective.figure) for trial in ended]
        return [*done, *self._under_way()]

    def _ended(self) -> list[Trial]:
        """The trials that have ended since the last look, in the order in which they did."""
        self.revision, changed = self.ledger.changes(self.entry, self.revision)
        if self.revision < 0:  # a ledger of an older version counts no changes
            changed = self.ledger.trials(self.entry)
        fresh = [trial for trial in changed if trial.state != "running" and trial.id not in self.ended]
        self.ended |= {trial.id for trial in fresh}
        return sorted(fresh, key=lambda trial: (trial.ended_at or "", trial.id))

    def _count(self, trial: Trial, *, fresh: bool) -> None:
        self.last.append(trial)
        self.told.pop(trial.id, None)
        if trial.record is not None and trial.record.seconds is not None and trial.reused_from is None:
            self.seconds.append(trial.record.seconds)
        if trial.stage in {"final", "audit", "derived"}:
            self.retrained[trial.stage] += 1
        elif trial.stage == "confirm":
            self.tally.add(trial, repeated=False, fresh=fresh)
        else:
            self.tally.add(trial, repeated=trial.architecture.id in self.known or trial.reused_from in self.sources, fresh=fresh)
            self.known.add(trial.architecture.id)
            self.sources.add(trial.reused_from or trial.id)

    def _see_running(self) -> None:
        found = sorted(self.ledger.running(self.entry), key=lambda trial: (trial.begun_at, trial.id))
        live = {trial.id for trial in found if standing(trial) == "running"}
        self.running = tuple(trial for trial in found if trial.id in live)
        self.interrupted = tuple(trial for trial in found if trial.id not in live)
        for trial in found:
            target = trial.progress.get("target")
            if isinstance(target, int) and trial.stage in {"final", "audit", "derived"}:
                self.retraining[trial.stage] = target
            elif isinstance(target, int):
                self.tally.target = target
        if self.running:
            self.quiet_since = time.monotonic()

    def _under_way(self) -> Iterator[Event]:
        for trial in self.running:
            before = self.told.get(trial.id)
            if before is None or before[:2] != (trial.fence, trial.attempts):
                label = place(trial)
                label += f", attempt {trial.attempts}" if trial.attempts > 1 else ""
                yield TrialBegun(trial.number, trial.architecture.id, self.progress, label, trial.stage)
            point = _point(trial)
            if point is not None and (before is None or before[2] < point[0].epoch):
                yield EpochEnded(trial.number, *point, trial.stage)
            self.told[trial.id] = (trial.fence, trial.attempts, point[0].epoch if point is not None else 0)


def _point(trial: Trial) -> tuple[Epoch, int] | None:
    """The last epoch that was told of a running trial, and how many there are to be."""
    epoch, epochs, figures = (trial.progress.get(name) for name in ("epoch", "epochs", "figures"))
    if not isinstance(epoch, int) or not isinstance(epochs, int):
        return None
    told = {str(name): float(value) for name, value in (figures or {}).items() if isinstance(value, int | float)}
    return Epoch(epoch=epoch, train_loss=None, figures=told, seconds=None), epochs


def watch(study: str, *, ledger: str | None = None, every: float = 1.0, until_done: bool = True) -> Iterator[Event]:
    """The events of the runs of `study`, by whomever, looked for `every` so many seconds; it ends once nobody has had a trial for
    QUIET_SECONDS, or with `until_done` false never.

    Raises:
        LedgerError: there is no such study, or the ledger cannot be read.
    """
    with Ledger(ledger or default_ledger(), create=False) as book:
        seen = Watch(book, book.study(study))
        while True:
            yield from seen.look()
            if until_done and seen.quiet:
                yield RunEnded(study, "Nobody works at it any more.", False, seen.progress)
                return
            time.sleep(every)


def stop(
    study: str,
    *,
    ledger: str | None = None,
    wait: bool = True,
    on_drivers: Callable[[tuple[Seen, ...]], None] = lambda _: None,
    every: float = 0.5,
) -> tuple[Seen, ...]:
    """Ask every driver of `study` to stop as Ctrl-C does, so that the same commands go on; returns those that are still at work.

    With `wait` it returns when all have stopped: within seconds, or where one is lost once its leases are over. `on_drivers` is
    told those that are left, first all of them, and again whenever there are fewer.

    Raises:
        LedgerError: there is no such study, or the ledger cannot be written.
    """
    with Ledger(ledger or default_ledger(), create=False) as book:
        seen = Watch(book, book.study(study))
        seen.look()
        left = seen.drivers
        book.request_stop(seen.entry)
        asked_at = time.monotonic()
        on_drivers(left)
        asked = {driver.holder for driver in left}
        free = 0
        while wait and free < 2:  # one that was between two trials may have begun one before it heard
            time.sleep(every)
            seen.look()
            now = seen.drivers
            if time.monotonic() - asked_at < NEW_SECONDS:
                asked |= {driver.holder for driver in now}
            now = tuple(driver for driver in now if driver.holder in asked)
            if {driver.holder for driver in now} != {driver.holder for driver in left}:
                on_drivers(now)
            left = now
            free = 0 if left else free + 1
        return left
