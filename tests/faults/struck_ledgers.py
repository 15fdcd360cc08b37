"""Ledgers that many start at once, share, lose and find damaged: each says what was written, or refuses in one line."""

import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import test_ledger_damage as damage
import test_ledger_processes as processes
from frame import Outcome, Row, Scene
from starting import PATIENCE_SECONDS, Driver, Held, Missed, Watched, nobody_left

from nas.errors import LedgerError
from nas.records import Ledger

TOGETHER = 8

# Children of the long form import its script, and with it all rows.
processes.PROCESSES.set_forkserver_preload(["toys", "nas.records", "psycopg", "rows"])

TRIALS_AT_START = 3


@contextmanager
def _fresh(scene: Scene, kind: str, name: str = "nas") -> Iterator[str]:
    """The URL of a ledger that is not there yet."""
    with nullcontext(scene.sqlite(name)) if kind == "SQLite" else scene.server().database() as url:
        yield url


def _run_at_once(work: Callable[..., None], given: Sequence[tuple[Any, ...]]) -> int:
    """Do `work` in a process for each of `given`, all begun at one moment; returns how many ended well."""
    barrier = processes.PROCESSES.Barrier(len(given))
    workers = [processes.PROCESSES.Process(target=work, args=(*one, barrier), daemon=True) for one in given]
    for worker in workers:
        worker.start()
    end = time.monotonic() + PATIENCE_SECONDS
    for worker in workers:
        worker.join(max(0.0, end - time.monotonic()))
    well = sum(worker.exitcode == 0 for worker in workers)
    for worker in workers:
        worker.kill()
        worker.join()
        worker.close()
    return well


def starts(kind: str, scene: Scene) -> Outcome:
    """Eight processes open a ledger that is not there at one moment, and each adds a study to it."""
    lived = whole = 0
    names = [f"study-{number}" for number in range(TOGETHER)]
    for turn in range(scene.times):
        with _fresh(scene, kind, f"nas-{turn}") as url:
            lived += _run_at_once(processes.add_study, [(url, name, TRIALS_AT_START) for name in names])
            with Ledger(url) as ledger:
                records = [processes.evaluated(number) for number in range(TRIALS_AT_START)]
                found = {entry.name: [trial.record for trial in ledger.trials(entry)] for entry in ledger.studies()}
            whole += sum(found.get(name) == records for name in names)
        scene.tell(turn + 1)
    begun = scene.times * TOGETHER
    missed = [] if lived == whole == begun else [f"{begun - lived} processes died, and {begun - whole} studies are not whole"]
    result = f"{lived}/{begun} processes lived, {whole}/{begun} studies whole"
    return Outcome(times=scene.times, result=result, counts={"begun": begun, "lived": lived, "whole": whole}, missed=missed)


def shared(kind: str, scene: Scene) -> Outcome:
    """Eight processes add to one study, each under the next number that nobody has."""
    each = max(1, scene.times // TOGETHER)
    wanted = each * TOGETHER
    with _fresh(scene, kind) as url:
        lived = _run_at_once(processes.share_study, [(url, each)] * TOGETHER)
        with Ledger(url) as ledger:
            entry = ledger.study("a")
            trials = ledger.trials(entry)
            logs = [ledger.log(trial) for trial in trials]
            revision, _ = ledger.changes(entry, 0)
    right = sum(
        trial.record == processes.evaluated(number)
        and (trial.number, trial.attempts, trial.fence, log) == (number, 1, 1, f"{number}\n")
        for number, (trial, log) in enumerate(zip(trials, logs, strict=True))
    )
    lost = 2 * wanted - revision
    scene.tell(wanted)
    missed = [f"{TOGETHER - lived} processes died"] if lived < TOGETHER else []
    missed += (
        [f"{right} of {wanted} trials, of {len(trials)}, are as they were written"]
        if (right, len(trials)) != (wanted, wanted)
        else []
    )
    missed += [f"{lost} of {2 * wanted} updates of the study were lost"] if lost else []
    result = f"{right}/{wanted} trials, each by one process and as it was written; {lost} of {2 * wanted} updates lost"
    counts = {"trials": wanted, "right": right, "updates_lost": lost}
    return Outcome(times=wanted, result=result, counts=counts, missed=missed)


class _Drivers:
    """Some drivers of one study in a PostgreSQL ledger, and what became of them."""

    def __init__(self, scene: Scene, url: str, stack: ExitStack, name: str, trials: int) -> None:
        self.count = 3 if scene.short else TOGETHER
        self.study = Watched(url, scene.folder / f"{name}.notes")
        self.trials = trials
        stack.enter_context(nobody_left(self.study.notes.path))
        options: dict[str, Any] = {"evaluate": "brief", "trials": trials}
        self.held = Held(self.study.notes.path)
        self.all = [stack.enter_context(Driver(self.study.notes.path, url, **options)) for _ in range(self.count)]

    @property
    def at_work(self) -> bool:
        return any(one.process.poll() is None for one in self.all)

    def end(self) -> tuple[int, list[str]]:
        """How many lived, and all that is wrong once they have ended."""
        lived, missed = 0, []
        for one in self.all:
            try:
                one.end()
                lived += 1
            except Missed as error:
                missed.append(str(error))
        missed += [f"{number} trials {what}" for what, number in self.study.faults(self.trials, self.count).items() if number]
        begun = Counter((line["architecture"], line["seed"]) for line in self.study.notes.of("begun"))
        missed += [f"{sum(begun.values()) - len(begun)} evaluations were begun twice"] if len(begun) < begun.total() else []
        return lived, missed


def sessions_dropped(scene: Scene) -> Outcome:
    """Drivers share a study while all sessions with the server are ended again and again."""
    server, missed = scene.server(), list[str]()
    struck = dropped = lived = drivers = studies = 0
    while struck < scene.times and not missed:
        studies += 1
        with server.database() as url, ExitStack() as stack:
            those = _Drivers(scene, url, stack, f"study-{studies}", 40 if scene.short else 250)
            drivers += those.count
            try:
                those.held.until_all(those.all)
                those.held.let_go()
                while struck < scene.times and those.at_work:
                    if ended := server.drop_sessions():
                        struck, dropped = struck + 1, dropped + ended
                        scene.tell(struck)
                    time.sleep(0.05 + scene.rng.random() * 0.4)
                    those.study.look()
            except Missed as error:
                missed.append(str(error))
            well, wrong = those.end()
            lived += well
            missed += [f"study {studies}: {one}" for one in wrong]
    result = f"{dropped} sessions ended in {struck} strikes on {studies} studies; {lived}/{drivers} drivers lived"
    result += "; 0 trials lost, 0 twice" if not missed else ""
    return Outcome(times=struck, result=result, counts={"sessions": dropped, "drivers": drivers, "lived": lived}, missed=missed)


def server_stopped(scene: Scene) -> Outcome:
    """Drivers share a study while the server is stopped, and started once it was away for a while."""
    server, missed = scene.server(), list[str]()
    away = 2.0 if scene.short else 10.0
    lived = drivers = 0
    for turn in range(scene.times):
        with server.database() as url, ExitStack() as stack:
            those = _Drivers(scene, url, stack, f"study-{turn}", 40 if scene.short else 100)
            drivers += those.count
            try:
                those.held.until_all(those.all)
                server.stop()
                those.held.let_go()
                try:
                    time.sleep(away)
                finally:
                    server.start()
                those.study.look()
            except Missed as error:
                missed.append(str(error))
            well, wrong = those.end()
            lived += well
            missed += [f"study {turn}: {one}" for one in wrong]
        scene.tell(turn + 1)
    result = f"server away for {away:g} s, {scene.times} times; {lived}/{drivers} drivers lived"
    result += "; 0 trials lost, 0 twice" if not missed else ""
    return Outcome(times=scene.times, result=result, counts={"drivers": drivers, "lived": lived}, missed=missed)


class _Damage:
    """What copies of one ledger say once they were damaged."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.whole = scene.folder / "whole.sqlite"
        damage.write_two_studies(self.whole)
        self.expected = damage.said(self.whole)
        self.size = self.whole.stat().st_size
        self.as_written = self.refused = 0
        self.missed: list[str] = []

    def copy(self) -> Path:
        return Path(shutil.copy(self.whole, self.scene.folder / "damaged.sqlite"))

    def look(self, path: Path, what: str) -> None:
        """See what it says."""
        try:
            told = damage.told(path, self.expected)
        except AssertionError:
            self.missed.append(f"{what}: something else was said, or refused in more than a line")
        except Exception as error:  # any other is a traceback for whoever reads the ledger
            self.missed.append(f"{what}: {type(error).__name__}: {error}")
        else:
            self.as_written += told
            self.refused += not told
        for left in path.parent.glob(f"{path.name}*"):
            left.unlink()

    def outcome(self, times: int, more: str = "") -> Outcome:
        result = f"{self.refused} refused in one line, {self.as_written} as it was written, {len(self.missed)} otherwise{more}"
        counts = {"refused": self.refused, "as_written": self.as_written, "silent": len(self.missed)}
        return Outcome(times=times, result=result, counts=counts, missed=self.missed)


def cut(scene: Scene) -> Outcome:
    """A ledger's file, and the log of one that is being written, end at a random byte."""
    seen = _Damage(scene)
    for turn in range(scene.times):
        path, length = seen.copy(), scene.rng.randrange(1, seen.size)
        with path.open("r+b") as file:
            file.truncate(length)
        seen.look(path, f"cut to {length} bytes of {seen.size}")
        scene.tell(turn + 1)
    kept, refused = _cut_logs(scene, seen.missed)
    return seen.outcome(
        scene.times, f"; its log as often: {kept} with a first part of the trials, each whole, and {refused} refused"
    )


def _cut_logs(scene: Scene, missed: list[str]) -> tuple[int, int]:
    path, kept, refused = scene.folder / "logged.sqlite", 0, 0
    with Ledger(f"sqlite:///{path}") as ledger:
        for number in range(20):
            processes.add_trial(ledger, "a", number)
        log = path.with_name(f"{path.name}-wal")
        for _ in range(scene.times):
            copy = Path(shutil.copy(path, scene.folder / "damaged.sqlite"))
            copied, length = Path(shutil.copy(log, f"{copy}-wal")), scene.rng.randrange(log.stat().st_size)
            with copied.open("r+b") as file:
                file.truncate(length)
            try:
                with Ledger(f"sqlite:///{copy}", create=False) as damaged:
                    found = [trial for one in damaged.studies() for trial in damaged.trials(one) if trial.state != "running"]
            except LedgerError:  # not even the tables had reached the file
                refused += 1
            else:
                kept += 1
                if [trial.record for trial in found] != [processes.evaluated(number) for number in range(len(found))]:
                    missed.append(f"the log cut to {length} bytes: trials are not those that were written")
            for left in copy.parent.glob(f"{copy.name}*"):
                left.unlink()
    return kept, refused


def flipped(scene: Scene) -> Outcome:
    """One bit of a ledger's file is another."""
    seen = _Damage(scene)
    for turn in range(scene.times):
        path, place, bit = seen.copy(), scene.rng.randrange(seen.size), scene.rng.randrange(8)
        damage.flip_bit(path, place, bit)
        seen.look(path, f"bit {bit} of byte {place}")
        scene.tell(turn + 1)
    return seen.outcome(scene.times)


def _for_each(kind: str) -> tuple[Row, ...]:
    return (
        Row(
            name=f"starts_{kind.lower()}",
            test=f"8 processes start on an empty ledger, {kind}",
            goal="all live, and nothing is lost",
            how=f"At one moment each opens the ledger, begins a study of its own and adds {TRIALS_AT_START} trials.",
            short=1,
            long=20,
            run=partial(starts, kind),
        ),
        Row(
            name=f"shared_{kind.lower()}",
            test=f"8 processes add trials to one study, {kind}",
            goal="each trial by one process, 0 lost updates",
            how=(
                "Each claims the next number that nobody has, and ends it. Records and logs must be as written, and the "
                "study's counter, which every claim and end raises, at twice the number of trials."
            ),
            short=80,
            long=400,
            run=partial(shared, kind),
        ),
    )


ROWS = (
    *_for_each("SQLite"),
    *_for_each("PostgreSQL"),
    Row(
        name="dropped_sessions",
        test="PostgreSQL sessions dropped",
        goal="8/8 drivers live, 0 trials lost, 0 twice",
        how=(
            "8 drivers (3 in the tests) of `nas.search` share studies of 250 trials while pg_terminate_backend ends all sessions "
            "of ledgers, two to twenty times a second. All must end well, and each trial be complete and begun once."
        ),
        short=4,
        long=50,
        run=sessions_dropped,
        slow=True,
    ),
    Row(
        name="stopped_server",
        test="PostgreSQL server stopped for 10 s",
        goal="8/8 drivers live, 0 trials lost, 0 twice",
        how="As above, with the server stopped once in the middle of each study of 100 trials, and started 10 s later.",
        short=1,
        long=5,
        run=server_stopped,
        slow=True,
    ),
    Row(
        name="cut_ledgers",
        test="the ledger's file cut at a random byte",
        goal="whole records kept or a clear refusal, never a silent change",
        how=(
            "Copies of a ledger of two studies and 41 trials; all that it says must be as written, or refused in one line. "
            "So with the write-ahead log of a ledger that is in use, of which the first trials may be kept."
        ),
        short=30,
        long=200,
        run=cut,
    ),
    Row(
        name="flipped_bits",
        test="a random bit of the ledger's file flipped",
        goal="whole records kept or a clear refusal, never a silent change",
        how="Copies of the same ledger; all that it says, with logs and proposals, must be as written, or refused in one line.",
        short=30,
        long=200,
        run=flipped,
    ),
)
