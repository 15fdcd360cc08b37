"""Candidates in processes of their own: what they are asked and answer, and what goes wrong before any begins."""

import errno
import os
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hearing import Heard, job
from toys import toy_evaluate, toy_record

from nas.benchmark import Budget
from nas.errors import DataMissing, SearchError, SpaceError
from nas.execution import Bounds, Ended, Evaluate, Executor, Job, Processes
from nas.records import Epoch, Record
from nas.space import Architecture


def make(evaluate: Evaluate = toy_evaluate) -> Evaluate:
    return evaluate


def ended(executor: Executor, count: int = 1, seconds: float = 120) -> list[Ended]:
    """The next jobs that end, by id."""
    found: list[Ended] = []
    end = time.monotonic() + seconds
    while len(found) < count:
        assert time.monotonic() < end, f"{len(found)} of {count} ended"
        found += executor.wait(1)
    return sorted(found, key=lambda one: one.job.id)


def run(evaluate: Any, *jobs: Job, heard: Heard | None = None, workers: int = 1, **bounds: Any) -> list[Ended]:
    """What came of `jobs`."""
    with Processes(partial(make, evaluate), heard or Heard(), workers=workers, bounds=Bounds(**bounds)) as executor:
        waiting, found = list(jobs), []
        while len(found) < len(jobs):
            while waiting and executor.free:
                executor.start(waiting.pop(0))
            found += executor.wait(1)
    return sorted(found, key=lambda one: one.job.id)


def test_candidates_are_evaluated_and_the_listener_hears_of_each() -> None:
    heard = Heard()
    executor: Executor = Processes(make, heard, workers=2, bounds=Bounds())
    with executor:
        assert (executor.slots, executor.free) == (2, 2)
        first, second = job(1), job(2, final=True)
        executor.start(first)
        assert executor.free == 1
        executor.start(second)
        assert executor.free == 0
        found = ended(executor, 2)
        assert executor.free == 2
    for one, given in zip(found, (first, second), strict=True):
        expected = toy_evaluate(given.architecture, budget=given.budget, seed=given.seed, final=given.final)
        assert one.job is given
        assert one.record == expected
        assert (one.lost, one.reason) == (False, "")
        assert heard.of(given.id) == [1, 2]
    assert sorted(heard.of(1, "begun") + heard.of(2, "begun")) == ["worker 1", "worker 2"]


@pytest.mark.parametrize(("asks", "outcome"), [({"epoch"}, "pruned"), (set(), "complete")])
def test_a_candidate_waits_for_answers_that_are_asked_for(asks: Any, outcome: str) -> None:
    heard = Heard(stop=True)
    [one] = run(toy_evaluate, job(asks=frozenset(asks)), heard=heard)
    assert one.record is not None
    assert one.record.outcome == outcome
    assert heard.of(1) == ([1] if asks else [1, 2])


def telling(
    architecture: Architecture,
    *,
    budget: Budget,
    seed: int,
    report: Callable[[Epoch], bool],
    on_known: Callable[[dict[str, float]], bool] = lambda _: False,
    on_replicate: Callable[[int, dict[str, float]], bool] = lambda _, __: False,
) -> Record:
    stopped = [on_known({"params": 5.0}), on_replicate(0, {"validation_accuracy": 0.5})]
    return toy_record("complete", {"stopped": sum(stopped)}, (), seed, budget)


def test_known_figures_and_replicates_are_asked_about_where_that_matters() -> None:
    heard = Heard(stop=True)
    first, second = run(telling, job(1, asks=frozenset({"known", "replicate"})), job(2), heard=heard)
    assert first.record is not None
    assert second.record is not None
    assert (first.record.figures, second.record.figures) == ({"stopped": 2}, {"stopped": 0})
    assert heard.told[1:3] == [("known", 1, {"params": 5.0}), ("replicate", 1, 0, {"validation_accuracy": 0.5})]
    assert not heard.of(2, "known")


def whereabouts(architecture: Architecture, *, budget: Budget, seed: int, report: Any) -> Record:
    sys.stdout.write(f"pid {os.getpid()}\n")
    (Path.cwd() / "litter").write_text("x")
    assert os.listdir() == ["litter"]
    assert os.environ["TMPDIR"] == os.getcwd()
    assert os.read(0, 1) == b""
    assert os.environ["OMP_NUM_THREADS"] == "1"
    assert os.environ["OMP_WAIT_POLICY"] == "PASSIVE"
    assert os.getsid(0) == os.getpid()
    here = {"pid": os.getpid(), "parent": os.getppid()}
    return toy_record("complete", here, (), seed, budget)


def test_each_has_a_process_and_a_folder_of_its_own_and_what_it_prints_is_kept() -> None:
    found = run(whereabouts, *[job(number) for number in range(4)])
    assert [one.record.error for one in found if one.record] == [None] * 4
    seen = [one.record.figures for one in found if one.record]
    assert len({figures["pid"] for figures in seen}) == 4
    assert len({figures["parent"] for figures in seen}) == 1
    for one, figures in zip(found, seen, strict=True):
        assert f'"stream": "stdout", "text": "pid {figures["pid"]}\\n"' in one.log


def no_data() -> Evaluate:
    raise DataMissing("The digits are nowhere; fetch them.")


def broken() -> Evaluate:
    raise ZeroDivisionError("by nought")


def leaving() -> Evaluate:
    os._exit(5)


@pytest.mark.parametrize(
    ("make", "kind", "message"),
    [
        (no_data, DataMissing, r"^The digits are nowhere; fetch them\.$"),
        (broken, SearchError, r"^What evaluates could not be made: ZeroDivisionError: by nought$"),
        (
            leaving,
            SearchError,
            r"^No process for candidates could begin\. A script with workers searches under `if __name__ == '__main__':`, since",
        ),
    ],
)
@pytest.mark.parametrize("early", [True, False])
def test_what_cannot_be_made_is_told_in_one_line(make: Any, kind: type[Exception], message: str, early: bool) -> None:
    with Processes(make, Heard(), workers=2, bounds=Bounds()) as executor:
        executor.start(job())
        with pytest.raises(kind, match=message):
            executor.ready() if early else ended(executor)


def refusing(architecture: Architecture, **_: Any) -> Record:
    raise SpaceError("It is of another space.")


def test_what_is_not_the_candidates_fault_is_raised_and_the_pool_goes_on() -> None:
    with Processes(partial(make, refusing), Heard(), workers=1, bounds=Bounds()) as executor:
        for _ in range(2):
            executor.start(job())
            with pytest.raises(SpaceError, match="It is of another space"):
                ended(executor)
            assert executor.free == 1


def test_what_cannot_be_sent_is_refused() -> None:
    with pytest.raises(
        SearchError, match=r"^What evaluates candidates cannot be sent .*; give a function of a module, no lambda"
    ):
        Processes(lambda: toy_evaluate, Heard(), workers=1, bounds=Bounds())


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"workers": 0}, "at least 1, got 0, 1 and 1"),
        ({"workers": 3, "gpus": ["0", "1"]}, "GPUs, 2 of them, serve 1 worker each, and 3 were asked for"),
        ({"workers": 5, "gpus": ["0", "1"], "per_gpu": 2}, "serve 2 workers each, and 5 were"),
    ],
)
def test_workers_that_there_cannot_be_are_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(SearchError, match=message):
        Processes(make, Heard(), bounds=Bounds(), **given)


@pytest.mark.parametrize("name", ["seconds", "memory_bytes", "file_bytes", "log_bytes"])
@pytest.mark.parametrize("value", [0, -1, True, "many", float("inf")])
def test_bounds_are_above_nought(name: str, value: Any) -> None:
    with pytest.raises(SearchError, match=r"^A candidate's limit of .* is above 0, got"):
        Bounds(**{name: value})


def where_cuda_is(architecture: Architecture, *, budget: Budget, seed: int, report: Any) -> Record:
    seen = os.environ.get("CUDA_VISIBLE_DEVICES", "none")
    return toy_record("complete", {"seen": float(seen or -1)}, (), seed, budget)


def showing() -> Evaluate:
    return where_cuda_is


@pytest.mark.parametrize(("gpus", "seen"), [(("4", "7"), [4.0, 7.0, 4.0, 7.0]), ((), [-1.0] * 4)])
def test_gpus_are_shared_out_among_workers(gpus: tuple[str, ...], seen: list[float]) -> None:
    heard = Heard()
    with Processes(showing, heard, workers=4, bounds=Bounds(), gpus=gpus, per_gpu=2) as executor:
        for number in range(4):
            executor.start(job(number))
        found = ended(executor, 4)
    assert [one.record.figures["seen"] for one in found if one.record] == seen
    assert heard.of(1, "begun") == ["worker 2, GPU 7" if gpus else "worker 2"]


def secrets(architecture: Architecture, *, budget: Budget, seed: int, report: Any) -> Record:
    sys.stdout.write("\n".join(f"{name}={value}" for name, value in os.environ.items()))
    if sys.platform == "linux":
        sys.stdout.write("".join(Path(f"/proc/{pid}/environ").read_text() for pid in ("self", os.getppid())))
    return toy_record("complete", {}, (), seed, budget)


def test_candidates_do_not_know_the_ledger_s_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAS_LEDGER", "postgresql://me:canary@127.0.0.1/nas")
    monkeypatch.setenv("NAS_LEDGER_PASSWORD", "canary")
    monkeypatch.setenv("PGPASSWORD", "canary")
    monkeypatch.setenv("OMP_NUM_THREADS", "5")
    [one] = run(secrets, job())
    assert "OMP_NUM_THREADS=1" in one.log
    assert "canary" not in one.log
    assert os.environ["OMP_NUM_THREADS"] == "5"


def test_without_a_folder_for_temporary_files_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def nowhere() -> str:
        raise FileNotFoundError(errno.ENOENT, "No usable temporary directory found in ['/tmp']")

    monkeypatch.setattr(tempfile, "gettempdir", nowhere)
    with pytest.raises(SearchError, match=r"^There is no folder for candidates \(No usable temporary .*\); TMPDIR names one"):
        Processes(make, Heard(), workers=1, bounds=Bounds())


def uses_cuda() -> Evaluate:
    """As if torch had been loaded and had used it."""
    sys.modules["torch"] = SimpleNamespace(cuda=SimpleNamespace(is_initialized=lambda: True))  # type: ignore[assignment]
    return toy_evaluate


def test_what_uses_cuda_before_the_fork_is_refused() -> None:
    message = r"^What evaluates could not be made: RuntimeError: it used CUDA, which no process forked later can use; leave"
    with (
        Processes(uses_cuda, Heard(), workers=1, bounds=Bounds(), gpus=["0"]) as executor,
        pytest.raises(SearchError, match=message),
    ):
        executor.ready()
