"""Real trainings on the digits in processes of their own: what comes out is what comes out in this process."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from hearing import Heard, toy
from test_worker_processes import ended
from torch.utils.data import DataLoader, TensorDataset
from toys import TOY, toy_record

from benchmarks.digits import BENCHMARK
from nas.benchmark import Budget
from nas.evaluation import Evaluator
from nas.execution import Bounds, Ended, Evaluate, Here, Job, Processes
from nas.profiling import latency
from nas.records import Epoch, Record
from nas.space import Architecture


@pytest.fixture(autouse=True)
def _in_a_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """What `make` changes here stays no longer than the test."""
    monkeypatch.setattr(latency, "WARMUP_SECONDS", 0.0)
    monkeypatch.setattr(latency, "SAMPLE_SECONDS", 0.0)


@pytest.fixture(scope="module")
def pool() -> Iterator[Processes]:
    """Workers that several tests share."""
    with Processes(make, Heard(), workers=1, bounds=Bounds(seconds=60)) as executor:
        yield executor


def make(**given: Any) -> Evaluator:
    latency.WARMUP_SECONDS = latency.SAMPLE_SECONDS = 0.0
    return Evaluator(TOY, BENCHMARK, device="cpu", **given)


def training(number: int = 1, **given: Any) -> Job:
    return Job(**{"id": number, "architecture": toy(), "budget": Budget(epochs=3, fraction=0.3), "seed": 5, **given})


def run(job: Job, heard: Heard | None = None, *, threads: int = 1, seconds: float = 60.0, **given: Any) -> Ended:
    """What comes of one job in a process of its own."""
    with Processes(
        partial(make, threads=threads, **given), heard or Heard(), workers=1, bounds=Bounds(seconds=seconds), threads=threads
    ) as executor:
        executor.start(job)
        return ended(executor)[0]


def here(job: Job, **given: Any) -> Record:
    """What comes of it in this process."""
    with Here(partial(make, **given), Heard()) as executor:
        executor.start(job)
        record = executor.wait(0)[0].record
    assert record is not None
    return record


def timeless(record: Record | None) -> Any:
    """What is equal wherever it is trained."""
    assert record is not None
    curve = [replace(point, seconds=None) for point in record.curve]
    figures = {name: value for name, value in record.figures.items() if not name.endswith(("_ms", "_seconds"))}
    return record.outcome, curve, figures, record.setting, record.versions, record.loading, record.error


def test_a_training_elsewhere_gives_the_record_of_one_here(pool: Processes) -> None:
    heard = pool.listener = Heard()
    given = training(final=True)
    pool.start(given)
    [one] = ended(pool)
    assert timeless(one.record) == timeless(here(given))
    assert heard.of(1) == [1, 2, 3]
    assert one.record is not None
    assert "test_accuracy" in one.record.figures


def test_two_threads_work_in_a_fork() -> None:
    given = training()
    one = run(given, threads=2)
    assert one.record is not None
    assert one.record.outcome == "complete", one.record.error
    assert one.record.threads == 2


def test_replicates_are_told() -> None:
    heard = Heard()
    one = run(training(asks=frozenset({"replicate", "known"})), heard, replicates=2)
    assert one.record is not None
    assert one.record.outcome == "complete"
    assert heard.of(1, "replicate") == [0, 1]
    assert len(heard.of(1, "known")) == 1


class Interrupting(Heard):
    """Interrupts the executor at an epoch."""

    interrupt: Callable[[], None]

    def __init__(self, at: int) -> None:
        super().__init__()
        self.at = at

    def on_epoch(self, job: Job, epoch: Epoch) -> bool:
        if epoch.epoch == self.at:
            self.interrupt()
        return super().on_epoch(job, epoch)


def test_an_interrupted_training_goes_on_elsewhere_as_if_it_had_not_been(pool: Processes, tmp_path: Path) -> None:
    long = training(budget=Budget(epochs=40, fraction=0.3), folder=tmp_path / "kept", every_seconds=1_000.0)
    heard = Interrupting(at=2)
    with Processes(make, heard, workers=1, bounds=Bounds()) as executor:
        heard.interrupt = executor.interrupt
        executor.start(long)
        [one] = ended(executor)
    assert (one.record, one.lost, one.reason) == (None, False, "interrupted")
    assert [path.name for path in (tmp_path / "kept").glob("*.json")] == ["000001.json"]
    pool.start(long)
    again = ended(pool)[0].record
    assert again is not None
    assert again.notes[-1].startswith("Went on from a checkpoint after step ")
    assert timeless(again) == timeless(here(replace(long, folder=None)))


def test_a_killed_training_goes_on_from_its_checkpoint(pool: Processes, tmp_path: Path) -> None:
    long = training(budget=Budget(epochs=60, fraction=0.3), folder=tmp_path / "kept", every_seconds=0.02)
    pool.start(long)
    end = time.monotonic() + 120
    while not list((tmp_path / "kept").glob("*.json")):
        assert time.monotonic() < end
        assert not pool.wait(0.01)
    [seat] = pool._workers
    assert seat.worker
    os.kill(seat.worker[0], signal.SIGKILL)
    [one] = ended(pool)
    assert one.lost
    pool.start(long)
    [one] = ended(pool)
    assert one.record is not None
    assert any(note.startswith("Went on from a checkpoint") for note in one.record.notes)
    assert timeless(one.record)[:3] == timeless(here(replace(long, folder=None)))[:3]


def reads_ahead(architecture: Architecture, *, budget: Budget, seed: int, report: Any) -> Record:
    """Uses a DataLoader with processes of its own."""
    data = TensorDataset(torch.arange(8.0))
    total = sum(batch.sum().item() for [batch] in DataLoader(data, batch_size=2, num_workers=1))
    return toy_record("complete", {"total": total}, (), seed, budget)


def reading_ahead() -> Evaluate:
    return reads_ahead


def test_a_candidate_may_have_processes_that_read_ahead() -> None:
    with Processes(reading_ahead, Heard(), workers=1, bounds=Bounds(seconds=60)) as executor:
        executor.start(training())
        [one] = ended(executor)
    assert one.record is not None
    assert one.record.error is None
    assert one.record.figures == {"total": 28.0}


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_each_worker_sees_its_gpu_alone() -> None:
    make_there = partial(Evaluator, TOY, BENCHMARK, device="cuda")
    with Processes(make_there, Heard(), workers=2, bounds=Bounds(), gpus=["0"], per_gpu=2) as executor:
        executor.start(training(1))
        executor.start(training(2))
        found = ended(executor, 2, 120)
    for one in found:
        assert one.record is not None
        assert one.record.outcome == "complete", one.record.error
        assert one.record.device == "cuda:0"
        assert one.record.machine.accelerator == torch.cuda.get_device_name(0)
