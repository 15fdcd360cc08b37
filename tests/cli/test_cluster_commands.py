"""A command as an array of SLURM jobs: what is submitted, and that two tasks share the study to its end."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from toys import TOY, toy_evaluate

import nas
from nas.cli import main
from nas.cli.cluster import tasks_words
from nas.records import Ledger
from nas.space import space_to_yaml

Nas = Callable[..., Result]


@pytest.fixture
def run() -> Nas:
    return lambda *words: CliRunner().invoke(main, words)


def test_tasks_are_given_the_command_without_what_says_where(run: Nas) -> None:
    words = "search toy.yaml --on digits --on-cluster slurm --tasks 3 --cluster-option=partition=gpu --workers 2 --task-minutes 5"
    assert " ".join(tasks_words(words.split())) == "search toy.yaml --on digits --workers 2"


SUBMIT = """
from functools import partial
from nas.searching import on_slurm
on_slurm.submit = partial(on_slurm.submit, executor="local")  # submitit's stands in for SLURM
from nas.cli import main
main()
"""


def test_an_array_shares_a_study_on_this_machine(tmp_path: Path) -> None:
    (tmp_path / "toy.yaml").write_text(space_to_yaml(TOY))
    url = f"sqlite:///{tmp_path}/nas.sqlite"
    words = [
        "search",
        "toy.yaml",
        "--on",
        "digits",
        "--epochs",
        "1",
        "--trials",
        "4",
        "--strategy",
        "random",
        "--fraction",
        "0.2",
    ]
    words += ["--study", "s", "--ledger", url, "--on-cluster", "slurm", "--tasks", "2", "--json"]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    command = [sys.executable, "-c", SUBMIT, *words]
    with (tmp_path / "said").open("w") as said, (tmp_path / "wrong").open("w") as wrong:  # pipes would be the tasks' too
        done = subprocess.run(command, cwd=tmp_path, env=environment, stdout=said, stderr=wrong, timeout=240, check=False)
    assert done.returncode == 0, (tmp_path / "wrong").read_text()
    told = json.loads((tmp_path / "said").read_text())
    assert (told["event"], told["study"], len(told["jobs"])) == ("submitted", "s", 2)
    assert Path(told["folder"]) == tmp_path / "nas.sqlite.slurm" / "s"

    def complete() -> list[Any]:
        try:
            with Ledger(url, create=False) as book:
                found = book.trials(book.study("s"))
                return [trial for trial in found if trial.state == "complete" and trial.reused_from is None]
        except Exception:  # not begun yet
            return []

    until = time.monotonic() + 500
    while len(complete()) < 4 and time.monotonic() < until:
        time.sleep(0.5)
    kept = complete()
    assert len({trial.architecture.id for trial in kept}) == len(kept) >= 4
    logs = [path for path in Path(told["folder"]).iterdir() if path.name.endswith("_log.out")]
    while not all("architectures have a result" in path.read_text() for path in logs) and time.monotonic() < until:
        time.sleep(0.2)
    assert len(logs) == 2


def test_options_of_an_array_mean_nothing_elsewhere(run: Nas) -> None:
    done = run("search", "residual_cnn", "--on", "digits", "--tasks", "2")
    assert done.exit_code == 2
    assert done.stderr == (
        "nas: Tasks are those of an array of SLURM jobs, got --tasks; give --on-cluster slurm, or leave it out.\n"
    )
    done = run("search", "residual_cnn", "--on", "digits", "--cluster-option", "partition=gpu")
    assert "got --cluster-option;" in done.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--cluster-option", "gpu"], "An option for sbatch is NAME=VALUE, such as partition=gpu, got 'gpu'."),
        ([], "SLURM is not on this machine, which has no sbatch and srun; submit from a login node of the cluster."),
    ],
)
def test_what_cannot_be_submitted_is_one_line(run: Nas, words: list[str], said: str) -> None:
    done = run("search", "residual_cnn", "--on", "digits", "--on-cluster", "slurm", *words)
    assert (done.exit_code, done.stderr) == (2, f"nas: {said}\n")


@pytest.mark.parametrize("command", ["finals", "audit"])
def test_trainings_of_a_study_again_are_submitted_too(run: Nas, command: str, tmp_path: Path) -> None:
    ledger = f"sqlite:///{tmp_path}/nas.sqlite"
    nas.search(TOY, on="digits", trials=2, study="s", ledger=ledger, evaluate=toy_evaluate)
    done = run(command, "s", "--ledger", ledger, "--seeds", "1", "--workers", "2", "--on-cluster", "slurm")
    assert done.exit_code == 2
    assert done.stderr.startswith("nas: SLURM is not on this machine"), done.stderr
    done = run(command, "s", "--ledger", ledger, "--tasks", "2")
    assert "got --tasks;" in done.stderr
