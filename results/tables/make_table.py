"""Train every architecture of a space, and keep it all as a table: `python results/tables/make_table.py SPACE --on BENCHMARK`.

Each training is a line of FILE (--raw; run/tables/BENCHMARK-SPACE.jsonl, which git ignores) as soon as it is done, so that a run
that was stopped, however it ended, goes on where it was. When none is missing, the table is written to FOLDER (--out), with the
space's declaration beside it.
"""

import argparse
import json
import os
import random
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any, TextIO

import torch

from nas.benchmark import Benchmark, Budget
from nas.device import place
from nas.models import build, cost
from nas.records import this_machine, versions
from nas.searching import resolve_benchmark
from nas.space import Architecture, Space, architectures, digest, resolve_space
from nas.tables import Table, write_table
from nas.training import Method, evaluate, feed, load_task, train

Key = tuple[int, int]
"""An architecture's number in its space, and the seed."""

DECIMALS = {"train_loss": 3, "validation_loss": 3, "train_seconds": 3}
"""Of what is kept; 4 of everything else."""

Line = dict[str, Any]
"""A training, as it stands in the file: number, seed, the architecture's id, figures after each epoch, figures on test data."""


@dataclass(frozen=True)
class Question:
    """What is trained, and for how long."""

    space: Space
    benchmark: Benchmark
    epochs: int
    runs: int
    """Trainings of each architecture, from the seeds 0, 1, …"""

    @property
    def heading(self) -> Line:
        """The first line of the file: what its trainings must have in common."""
        benchmark = f"{self.benchmark.name} v{self.benchmark.version}"
        return {"space": self.space.name, "declaration": digest(self.space), "benchmark": benchmark, "epochs": self.epochs}

    def keys(self) -> list[Key]:
        """Every training, one seed of all architectures before the next; by chance within a seed, so that estimates hold."""
        numbers = list(range(sum(1 for _ in architectures(self.space))))
        random.Random(0).shuffle(numbers)  # noqa: S311 - an order of work
        return [(number, seed) for seed in range(self.runs) for number in numbers]


class Trainer:
    """Trains architectures on one thread as `nas.evaluation.Evaluator` does, without measuring latency and memory before.

    Seconds are those of the thread, which other work on the machine does not lengthen.
    """

    def __init__(self, question: Question) -> None:
        torch.set_num_threads(1)
        self.question = question
        self.task = load_task(question.benchmark, None)
        device = torch.device("cpu")
        self.training, self.validation, self.test = (
            feed(self.task.examples("train"), device, "auto"),
            feed(self.task.examples("validation"), device, "auto"),
            feed(self.task.examples("test"), device, "auto"),
        )
        self.architectures: Sequence[Architecture] = tuple(architectures(question.space))

    def __call__(self, key: Key) -> Line:
        """The line of a training.

        Raises:
            ArithmeticError: it diverged, so that the table would have a hole.
        """
        number, seed = key
        architecture, benchmark = self.architectures[number], self.question.benchmark
        model = place(build(self.question.space, architecture, benchmark.signature, seed=seed), torch.device("cpu"))
        training = train(
            model,
            Method(self.task, benchmark.recipe, benchmark.signature.output.axes[-1]),
            self.training,
            self.validation,
            budget=Budget(epochs=self.question.epochs),
            seed=seed,
            objective=benchmark.objectives[0],
            begin=lambda loop: setattr(loop, "clock", time.thread_time),
        )
        if training.ended != "complete":
            raise ArithmeticError(f"Architecture {number} from seed {seed}: {training.problem}")
        curve = [{**point.figures, "train_loss": point.train_loss, "train_seconds": point.seconds} for point in training.curve]
        test = evaluate(model, self.task, self.test, "test")
        return {"number": number, "seed": seed, "architecture": architecture.id, "curve": curve, "test": test}


def read_lines(raw: Path, question: Question) -> dict[Key, Line]:
    """The trainings in the file; what a killed process left of a line is cut off.

    Raises:
        SystemExit: the file answers another question.
    """
    if not raw.exists():
        return {}
    content = raw.read_bytes()
    whole = content[: content.rfind(b"\n") + 1]
    if len(whole) < len(content):
        os.truncate(raw, len(whole))
    heading, *lines = (json.loads(line) for line in whole.splitlines()) if whole else (question.heading,)
    if heading != question.heading:
        raise SystemExit(f"{raw} holds trainings of {heading}, wanted {question.heading}; name another file by --raw.")
    return {(line["number"], line["seed"]): line for line in lines}


def fill(raw: Path, question: Question, workers: int, say: Callable[[str], None] = print) -> dict[Key, Line]:
    """Train what the file lacks; returns all lines of the question."""
    keys = question.keys()
    known = read_lines(raw, question)
    missing = [key for key in keys if key not in known]
    if missing:
        raw.parent.mkdir(parents=True, exist_ok=True)
        begin, said = time.monotonic(), 0.0
        with raw.open("a", encoding="utf-8") as file:
            if not file.tell():
                _append(file, question.heading)
            for done, line in enumerate(_trained(question, missing, workers), start=1):
                _append(file, line)
                known[line["number"], line["seed"]] = line
                seconds = time.monotonic() - begin
                if seconds - said > 15 or done == len(missing):
                    said = seconds
                    rest = seconds / done * (len(missing) - done) / 60
                    say(f"{len(keys) - len(missing) + done:,} of {len(keys):,} trainings, {rest:.0f} minutes left")
    return {key: known[key] for key in keys}


def _trained(question: Question, keys: Sequence[Key], workers: int) -> Iterator[Line]:
    if workers == 1:
        yield from map(Trainer(question), keys)
        return
    with ProcessPoolExecutor(workers, get_context("spawn"), _begin, (question,)) as pool:
        yield from pool.map(_train, keys, chunksize=8)


_trainers: list[Trainer] = []
"""This process's trainer, where it is one of several workers."""


def _begin(question: Question) -> None:
    _trainers.append(Trainer(question))


def _train(key: Key) -> Line:
    return _trainers[0](key)


def _append(file: TextIO, line: Line) -> None:
    file.write(json.dumps(line, separators=(",", ":")) + "\n")
    file.flush()


def tabulate(path: Path, question: Question, lines: Mapping[Key, Line]) -> Table:
    """Write all trainings to `path`, and beside it what the table says of itself; equal trainings give equal bytes."""
    space, benchmark = question.space, question.benchmark
    command = f"make_table.py {space.name} --on {benchmark.name} --epochs {question.epochs} --runs {question.runs}"
    found = list(architectures(space))
    runs = ([lines[number, run] for run in range(question.runs)] for number in range(len(found)))
    return write_table(
        path,
        space=space,
        objective=benchmark.objectives[0],
        rows=((architecture, _figures(question, architecture, of)) for architecture, of in zip(found, runs, strict=True)),
        summary=f"All {len(found):,} architectures of {space.name} on {benchmark.name} v{benchmark.version}, "
        f"{question.runs} trainings of {question.epochs} epochs each",
        source=f"results/tables/{command}, torch {versions()['torch']}, one thread of {this_machine()}; data: {benchmark.source}",
        licence=f"Apache-2.0; the data: {benchmark.licence}",
    )


def _figures(question: Question, architecture: Architecture, runs: Sequence[Line]) -> dict[str, float]:
    """Column → what stands there: costs, then each figure after each epoch of each run, and what the test data say at the end."""
    reckoned = cost(question.space, architecture, question.benchmark.signature)
    found: dict[str, float] = {"params": reckoned.params, "macs": reckoned.macs, "flops": reckoned.flops}
    for name in runs[0]["curve"][0]:
        for epoch in range(question.epochs):
            for run, line in enumerate(runs):
                found[f"{name}@{epoch + 1}#{run}"] = round(line["curve"][epoch][name], DECIMALS.get(name, 4))
    for name in runs[0]["test"]:
        for run, line in enumerate(runs):
            found[f"{name}@{question.epochs}#{run}"] = round(line["test"][name], 4)
    return found


def main(arguments: Iterable[str] | None = None) -> None:
    """Train what is missing, then write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("space")
    parser.add_argument("--on", default="digits", metavar="BENCHMARK")
    parser.add_argument("--epochs", type=int, default=16)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--raw", type=Path, metavar="FILE")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent, metavar="FOLDER")
    given = parser.parse_args(None if arguments is None else list(arguments))
    question = Question(resolve_space(given.space), resolve_benchmark(given.on), given.epochs, given.runs)
    name = f"{question.benchmark.name}-{question.space.name}"
    lines = fill(given.raw or Path("run/tables") / f"{name}.jsonl", question, given.workers, lambda text: print(text, flush=True))
    path = given.out / f"{name}.csv.gz"
    path.parent.mkdir(parents=True, exist_ok=True)
    table = tabulate(path, question, lines)
    print(f"Wrote {path}: {len(table):,} architectures, the best of mean {table.objective.figure} {table.best:.4f}.")


if __name__ == "__main__":
    main()
