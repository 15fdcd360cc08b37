"""Trains small networks in processes of their own and kills them at random moments; run as a script by `test_killed_training.py`.

    killed.py FOLDER FIRST LAST     prints, for each of these runs, what came of it as a JSON line

Processes are forked from this one, which has loaded torch once and computes nothing itself.
"""

import json
import os
import random
import signal
import sys
import time
from dataclasses import asdict, replace
from itertools import count
from pathlib import Path
from typing import Any

import torch
from torch import nn

from nas.benchmark import Budget, Objective, Recipe
from nas.device import place
from nas.searching import resolve_benchmark
from nas.training import Checkpoints, Examples, Loop, Method, Task, load_task, train, write_weights

PLAIN = Recipe(batch_size=16, learning_rate=0.01, shift=1)
RECIPES = [
    PLAIN,
    replace(PLAIN, optimizer="sgd", ema=0.9, mixup=0.2),
    replace(PLAIN, optimizer="lamb", schedule="poly", patience=2, erase=0.3),
    replace(PLAIN, optimizer="lion", learning_rate=1e-3, accumulation=2, gradient_norm=1.0),
    replace(PLAIN, optimizer="adafactor", ema=0.95, cutmix=1.0, label_smoothing=0.1, l1=1e-4),
    replace(PLAIN, privacy_epsilon=8.0, privacy_delta=1e-3, ema=0.9),
]
EVERY_SECONDS = [0.0, 0.01, 0.03]
"""Between checkpoints: after each step, so that half the kills meet a write, and now and then."""

BUDGET = Budget(epochs=6, fraction=0.12)
LATEST_EPOCH = 2
"""From which on a kill is due, so that three kills find it before its end, which patience may bring after the third."""


def network(recipe: Recipe) -> nn.Module:
    norms = (nn.GroupNorm(2, 8), nn.GroupNorm(2, 12)) if recipe.private else (nn.BatchNorm2d(8), nn.BatchNorm2d(12))
    layers = nn.Conv2d(1, 8, 3), norms[0], nn.ReLU(), nn.Conv2d(8, 12, 3, stride=2), norms[1], nn.ReLU()
    return place(nn.Sequential(*layers, nn.Flatten(), nn.Dropout(0.2), nn.Linear(48, 10)), torch.device("cpu"))


class Run:
    """One training, in one process or in several, one after another."""

    def __init__(self, number: int, folder: Path, task: Task, data: tuple[Examples, Examples]) -> None:
        self.number = number
        self.folder = folder
        self.task = task
        self.data = data

    def train(self, out: Path, kept: Checkpoints | None, told: int, doom: int | None) -> None:
        """Train to the end, or for `doom` steps and a few: once it is within an epoch and has a checkpoint it gives `told`
        a byte, and after two steps more, or where the epoch ends, it waits for whoever is to kill it.
        """
        torch.manual_seed(self.number)
        recipe = RECIPES[self.number % len(RECIPES)]
        model = network(recipe)

        steps = count(1)
        left = None

        def on_step(loop: Loop) -> None:
            nonlocal left
            if kept is not None:
                kept.on_step(loop)
            if doom is None:
                return
            due = next(steps) >= doom or loop.at.epoch >= LATEST_EPOCH
            if left is None and due and loop.at.batch < loop.per_epoch and any(self.folder.glob("kept/*.json")):
                os.write(told, b"x")
                left = 3
            if left is not None:
                left -= 1
                if left == 0 or loop.at.batch >= loop.per_epoch - 1:
                    signal.pause()

        given: dict[str, Any] = {"begin": kept.begin} if kept is not None else {}
        given |= {"budget": BUDGET, "seed": self.number}
        method = Method(self.task, recipe, 10)
        training = train(
            model, method, *self.data, objective=Objective("validation_accuracy", "maximize"), on_step=on_step, **given
        )
        write_weights(model, out.with_suffix(".safetensors"))
        curve = [asdict(replace(point, seconds=0)) for point in training.curve]
        out.write_text(json.dumps({"curve": curve, "figures": {**training.figures, **training.spent}, "notes": training.notes}))

    def start(self, out: Path, kept: Checkpoints | None, *, doom: int | None = None) -> tuple[int, int]:
        """A process that trains, and what it tells."""
        listening, told = os.pipe()
        child = os.fork()
        if child == 0:
            status = 1
            try:
                os.close(listening)
                self.train(out, kept, told, doom)
                status = 0
            finally:
                os._exit(status)
        os.close(told)
        return child, listening

    def go(self, rng: random.Random) -> dict[str, Any]:
        """Train once to the end, and once with kills; returns what came of it."""
        whole, stopped = self.folder / "whole.json", self.folder / "stopped.json"
        self.folder.mkdir()
        child, listening = self.start(whole, None)
        while os.read(listening, 1):
            pass
        assert os.waitpid(child, 0)[1] == 0
        kills = sum(self.killed(stopped, rng) for _ in range(rng.randint(1, 3)))
        child, listening = self.start(stopped, self.checkpoints(rng))
        while os.read(listening, 1):
            pass
        assert os.waitpid(child, 0)[1] == 0
        one, other = (json.loads(path.read_text()) for path in (whole, stopped))
        return {
            "run": self.number,
            "kills": kills,
            "went_on": sum(note.startswith("Went on") for note in other["notes"]),
            "passed_over": sum("passed over" in note for note in other["notes"]),
            "equal": whole.with_suffix(".safetensors").read_bytes() == stopped.with_suffix(".safetensors").read_bytes()
            and (one["curve"], one["figures"]) == (other["curve"], other["figures"]),
        }

    def killed(self, out: Path, rng: random.Random) -> bool:
        """Start it and kill it within an epoch, once it has written a checkpoint; whether it was killed before its end."""
        child, listening = self.start(out, self.checkpoints(rng), doom=rng.randint(1, 12))
        os.read(listening, 1)
        time.sleep(rng.random() * 0.02)
        os.kill(child, signal.SIGKILL)
        return os.WIFSIGNALED(os.waitpid(child, 0)[1])

    def checkpoints(self, rng: random.Random) -> Checkpoints:
        return Checkpoints(self.folder / "kept", rng.choice(EVERY_SECONDS))


if __name__ == "__main__":
    task = load_task(resolve_benchmark("digits"), None)
    data = task.examples("train"), task.examples("validation")
    for number in range(int(sys.argv[2]), int(sys.argv[3])):
        run = Run(number, Path(sys.argv[1]) / str(number), task, data)
        sys.stdout.write(json.dumps(run.go(random.Random())) + "\n")
