"""The driver among executors that lose candidates, end them in any order, fall silent, or are asked to stop."""

import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from toys import TOY, toy_evaluate

import nas
from nas.errors import SearchError
from nas.execution import Ended, Evaluate, Job, Listener
from nas.execution.doing import do
from nas.records import Ledger, Record, Trial
from nas.searching import Event, RunEnded, TrialBegun, TrialEnded
from nas.searching.stopping import Stopping
from nas.space import Architecture


@pytest.fixture
def ledger(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/nas.sqlite"


class Unruly:
    """An executor of several places, which ends what runs in an order of its own, or loses it."""

    def __init__(
        self,
        make: Callable[[], Evaluate],
        listener: Listener,
        *,
        slots: int = 4,
        seed: int = 0,
        loses: Callable[[Job], bool] = lambda _: False,
        silent_for: float = 0.0,
    ) -> None:
        self.evaluate = make()
        self.listener = listener
        self.slots = slots
        self.rng = random.Random(seed)
        self.loses = loses
        self.silent_for = silent_for
        self.running: dict[int, Job] = {}
        self.most = 0
        self.cancelled: list[int] = []
        self.interrupted = threading.Event()

    @property
    def free(self) -> int:
        return self.slots - len(self.running)

    def ready(self) -> None:
        pass

    def start(self, job: Job) -> None:
        assert self.free
        self.running[job.id] = job
        self.most = max(self.most, len(self.running))
        self.listener.on_begun(job, "somewhere")

    def wait(self, seconds: float) -> Sequence[Ended]:
        if self.silent_for:
            time.sleep(min(seconds, 0.01))
            return []
        job = self.running.pop(self.rng.choice(sorted(self.running)))
        if self.interrupted.is_set():
            return [Ended(job=job, record=None, reason="interrupted")]
        if self.loses(job):
            return [Ended(job=job, record=None, lost=True, reason="its machine is gone", log='{"text": "gone"}\n')]
        return [Ended(job=job, record=do(self.evaluate, job, self.listener, self.interrupted.is_set))]

    def silent(self, job: Job) -> float:
        return self.silent_for

    def cancel(self, job: Job) -> None:
        self.cancelled.append(job.id)
        self.running.pop(job.id, None)
        self.silent_for = 0.0

    def interrupt(self) -> None:
        self.interrupted.set()

    def close(self) -> None:
        self.running.clear()


def search(ledger: str, monkeypatch: pytest.MonkeyPatch, *, executor: dict[str, Any] | None = None, **options: Any) -> Unruly:
    """Run a search on an `Unruly`, which is returned."""
    made: list[Unruly] = []

    def make_executor(places: Any, make: Callable[[], Evaluate], listener: Listener) -> Unruly:
        made.append(Unruly(make, listener, slots=places.slots, **(executor or {})))
        return made[-1]

    monkeypatch.setattr("nas.searching.loop.make_executor", make_executor)
    given = {"on": "digits", "evaluate": toy_evaluate, "strategy": "random", "epochs": 3, "study": "s", "workers": 4}
    nas.search(TOY, ledger=ledger, **given | options)
    return made[-1]


def trials(ledger: str, stage: str | None = None) -> list[Trial]:
    with Ledger(ledger, create=False) as book:
        return book.trials(book.study("s"), stage)


def complete(ledger: str) -> list[Trial]:
    return [trial for trial in trials(ledger) if trial.state == "complete" and trial.reused_from is None]


@pytest.mark.parametrize("strategy", ["random", "auto", "tpe", "tpe:optuna", "nsga2", "regularized_evolution", "local_search"])
def test_all_places_are_kept_busy_and_nothing_is_evaluated_twice(
    ledger: str, monkeypatch: pytest.MonkeyPatch, strategy: str
) -> None:
    executor = search(ledger, monkeypatch, strategy=strategy, trials=30)
    assert executor.most == 4
    evaluated = Counter(trial.architecture.id for trial in complete(ledger))
    assert len(evaluated) == 30
    assert set(evaluated.values()) == {1}
    assert all(trial.state != "running" for trial in trials(ledger))


def test_an_exhausted_space_ends_a_search_of_many_places_too(ledger: str, monkeypatch: pytest.MonkeyPatch) -> None:
    events: list[Event] = []
    search(ledger, monkeypatch, trials=100, workers=16, proposals=10_000, on_event=events.append)
    assert events[-1] == RunEnded("s", "Every one of the 52 architectures of toy has been tried.", False, events[-1].progress)
    assert len(complete(ledger)) == 52


def test_what_is_lost_is_done_again_and_each_trial_is_complete_once(ledger: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = random.Random(1)
    times: Counter[int] = Counter()

    def loses(job: Job) -> bool:
        times[job.id] += 1
        return times[job.id] < 3 and rng.random() < 0.5

    labels: list[str] = []

    def listen(event: Event) -> None:
        if isinstance(event, TrialBegun) and event.label:
            labels.append(event.label)

    search(ledger, monkeypatch, trials=20, executor={"loses": loses}, on_event=listen)
    kept = complete(ledger)
    assert len({trial.architecture.id for trial in kept}) == len(kept) == 20
    assert {trial.attempts for trial in kept} == {1, 2, 3}
    assert set(labels) == {"attempt 2 of 3", "attempt 3 of 3"}


def test_what_is_lost_each_time_is_set_aside_with_what_was_seen_of_it(ledger: str, monkeypatch: pytest.MonkeyPatch) -> None:
    victim: list[int] = []

    def loses(job: Job) -> bool:
        victim.append(job.id) if not victim else None
        return job.id == victim[0]

    search(ledger, monkeypatch, trials=6, attempts=2, executor={"loses": loses})
    (failed,) = [trial for trial in trials(ledger) if trial.state == "failed"]
    assert failed.id == victim[0]
    assert failed.record is not None
    assert failed.record.error is not None
    assert failed.record.error.kind == "poisoned"
    assert failed.record.error.message == "Whoever worked at it died 2 times; the last: its machine is gone. It is set aside."
    with Ledger(ledger) as book:
        assert book.log(failed) == 2 * '{"text": "gone"}\n'
    assert len(complete(ledger)) == 5


def test_a_worker_that_is_silent_for_a_whole_lease_is_taken_for_dead(ledger: str, monkeypatch: pytest.MonkeyPatch) -> None:
    executor = search(ledger, monkeypatch, trials=3, workers=1, executor={"silent_for": 61.0})
    assert len(executor.cancelled) == 1
    kept = complete(ledger)
    assert len(kept) == 3
    assert {trial.attempts for trial in kept} == {1, 2}


# Rounds.


@pytest.mark.parametrize("strategy", ["auto", "tpe", "nsga2", "regularized_evolution"])
def test_in_rounds_the_study_is_the_same_whatever_runs_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, strategy: str
) -> None:
    found = []
    for workers, seed in ((1, 0), (3, 1), (8, 2)):
        url = f"sqlite:///{tmp_path}/{workers}.sqlite"
        options = {"strategy": strategy, "trials": 34, "synchronous": 5, "confirm": 6}
        search(url, monkeypatch, workers=workers, executor={"seed": seed}, **options)
        found.append([(one.stage, one.number, one.architecture.id, one.state, one.record.figures) for one in trials(url)])  # type: ignore[union-attr]
    assert found[0] == found[1] == found[2]
    assert Counter(stage for stage, *_ in found[0])["confirm"] == 6


def test_a_study_in_rounds_that_was_stopped_goes_on_as_if_it_was_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, parts = (f"sqlite:///{tmp_path}/{name}.sqlite" for name in ("whole", "parts"))
    options: dict[str, Any] = {"strategy": "tpe", "trials": 32, "synchronous": 8, "workers": 3}
    search(whole, monkeypatch, **options)
    rng = random.Random(5)

    def stop(event: Event) -> None:
        if isinstance(event, TrialEnded) and rng.random() < 0.15:
            raise KeyboardInterrupt

    stopped = 0
    while True:
        try:
            search(parts, monkeypatch, executor={"seed": rng.randrange(100)}, on_event=stop, **options)
            break
        except KeyboardInterrupt:
            stopped += 1
    assert stopped > 1
    assert shape(parts) == shape(whole)


def shape(url: str) -> list[tuple[int, str, str]]:
    return [(trial.number, trial.architecture.id, trial.state) for trial in trials(url)]


@pytest.mark.parametrize("pruner", ["asha", "hyperband"])
def test_a_pruner_that_goes_by_who_is_first_is_refused_in_rounds(ledger: str, pruner: str) -> None:
    with pytest.raises(SearchError, match=f"^The pruner '{pruner}' decides by what others of a round have reported by then"):
        nas.search(TOY, on="digits", evaluate=toy_evaluate, pruner=pruner, synchronous=4, ledger=ledger)


# Stopping.


def test_what_is_asked_to_stop_goes_back_and_the_same_call_goes_on(ledger: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(event: Event) -> None:
        if isinstance(event, TrialEnded) and event.trial.number == 3:
            with Ledger(ledger) as book:
                book.request_stop(book.study("s"))
            asked.append(event.trial.number)
        if isinstance(event, TrialEnded) and asked:
            time.sleep(1.5)  # the driver hears of it within a second

    asked: list[int] = []

    with pytest.raises(KeyboardInterrupt):
        search(ledger, monkeypatch, trials=20, on_event=stop)
    left = [trial for trial in trials(ledger) if trial.state == "running"]
    assert 0 < len(left) <= 4
    search(ledger, monkeypatch, trials=20)
    assert len(complete(ledger)) == 20
    again = {trial.id: trial for trial in trials(ledger)}
    assert all(again[trial.id].state == "complete" and again[trial.id].attempts == 1 for trial in left)


def test_what_was_left_behind_is_ended_where_fewer_trials_are_wanted_than_that(
    ledger: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(event: Event) -> None:
        if isinstance(event, TrialEnded):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        search(ledger, monkeypatch, trials=6, on_event=stop)
    left = [trial.number for trial in trials(ledger) if trial.state == "running"]
    assert len(left) > 1
    search(ledger, monkeypatch, trials=1, workers=2)
    assert {trial.number for trial in trials(ledger) if trial.state == "complete"} >= {*left}
    assert all(trial.state != "running" for trial in trials(ledger))


def test_a_second_request_to_stop_does_not_wait() -> None:
    asked: list[int] = []
    with Stopping(lambda: asked.append(1)) as stopping:
        stopping.ask()
        stopping.ask()
        assert asked == [1]
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


# Several drivers.

SHARED = """
import os, sys, time
sys.path.insert(0, {tests!r})
from pathlib import Path
from toys import TOY, toy_evaluate
import nas

def noted(architecture, **rest):
    done = Path(sys.argv[2])
    with done.open("a") as file:
        file.write(f"{{architecture.id}} {{os.getpid()}}\\n")
    while len({{line.split()[1] for line in done.read_text().splitlines()}}) < 4:  # whoever begins late has a part too
        time.sleep(0.02)
    time.sleep(0.02)
    return toy_evaluate(architecture, **rest)

nas.search(TOY, on="digits", evaluate=noted, strategy={strategy!r}, trials=40, study="s", ledger=sys.argv[1], confirm=4)
"""


@pytest.mark.parametrize("strategy", ["random", "auto", "nsga2"])
def test_four_processes_share_a_study_and_do_nothing_twice(tmp_path: Path, ledger: str, strategy: str) -> None:
    script = tmp_path / "shared.py"
    script.write_text(SHARED.format(tests=str(Path(__file__).parents[1]), strategy=strategy))
    command = [sys.executable, str(script), ledger, str(tmp_path / "done")]
    drivers = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(4)]
    for driver in drivers:
        _, said = driver.communicate(timeout=240)
        assert driver.returncode == 0, said
    kept = complete(ledger)
    searched = [trial for trial in kept if trial.stage == "search"]
    # Each driver may be at one candidate more when the last that is wanted is claimed by another.
    assert 36 <= len({trial.architecture.id for trial in searched}) == len(searched) <= 36 + 3
    assert 40 <= len({trial.evaluation for trial in kept}) == len(kept) <= 40 + 3
    assert len((tmp_path / "done").read_text().splitlines()) == len(kept)
    assert all(trial.state != "running" for trial in trials(ledger))
    assert len({trial.holder for trial in kept}) == 4


def test_what_another_driver_took_over_is_not_written_twice(ledger: str, monkeypatch: pytest.MonkeyPatch) -> None:
    stolen: list[Trial] = []

    def steal(event: Event) -> None:
        """As if this driver had slept past its lease while trial 5 was under way."""
        if isinstance(event, TrialBegun) and event.number == 5 and not stolen:
            with Ledger(ledger) as book:
                entry = book.study("s")
                running = [trial for trial in book.trials(entry) if trial.number == 5]
                book.give_back(running)
                stolen.extend(book.take_over(entry))
                (trial,) = stolen
                record = toy_evaluate(trial.architecture, budget=nas.searching.resolve_benchmark("digits").budget, seed=0)
                book.end_trial(trial, replace(record, notes=("of the other",)))

    search(ledger, monkeypatch, trials=12, on_event=steal)
    assert len(stolen) == 1
    kept = complete(ledger)
    assert len({trial.architecture.id for trial in kept}) == len(kept) == 12
    (five,) = [trial for trial in kept if trial.number == 5]
    assert five.record is not None
    assert five.record.notes == ("of the other",)
    assert five.fence > 0


def test_other_drivers_candidates_are_not_proposed_and_their_results_are_known(
    ledger: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another driver is at 10 of the 52 networks; this one does the 42 others, and goes on with what that one left behind."""
    with Ledger(ledger) as book:
        search(ledger, monkeypatch, trials=1)
        entry = book.study("s")
        known = {trial.architecture.id for trial in book.trials(entry)}
        rest = [one for one in every_architecture() if one.id not in known]
        begun = [book.begin_trial(entry, "search", number, one, f"{number:016x}") for number, one in enumerate(rest[:10], 1)]

        def leave(event: Event) -> None:
            if isinstance(event, TrialEnded) and event.progress.evaluated == 42:
                book.give_back(begun)

        search(ledger, monkeypatch, trials=60, proposals=10_000, on_event=leave)
    assert len({trial.architecture.id for trial in complete(ledger)}) == len(complete(ledger)) == 52
    again = {trial.number: trial.architecture.id for trial in trials(ledger)}
    assert all(again[trial.number] == trial.architecture.id for trial in begun)


def every_architecture() -> list[Architecture]:
    found: dict[str, Architecture] = {}
    rng = random.Random(0)
    while len(found) < 52:
        drawn = TOY.sample(rng)
        found.setdefault(drawn.id, drawn)
    return [*found.values()]


def evaluate_slowly(architecture: Architecture, **rest: Any) -> Record:
    time.sleep(0.05)
    return toy_evaluate(architecture, **rest)


def test_workers_run_a_function_of_a_module_each_in_a_process_of_its_own(ledger: str) -> None:
    begun: list[int] = []

    def listen(event: Event) -> None:
        if isinstance(event, TrialBegun):
            begun.append(event.number)

    study = nas.search(TOY, on="digits", evaluate=evaluate_slowly, trials=12, workers=2, ledger=ledger, on_event=listen)
    assert study.trials.query("state == 'complete'").architecture.nunique() == 12
    assert sorted(begun) == list(range(12))
