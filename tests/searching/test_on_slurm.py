"""Arrays of SLURM jobs, by submitit's local executor: what is refused, and a task that SLURM wants back."""

import os
import pickle
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from toys import TOY

from nas.errors import ClusterError
from nas.records import Ledger, Trial
from nas.searching.on_slurm import Task, submit
from nas.space import space_to_yaml

SCRIPT = """
import sys
from pathlib import Path
from nas.searching.on_slurm import submit

ledger, folder, *words = sys.argv[1:]
print(*submit(words, ledger=ledger, folder=Path(folder), tasks=1, executor="local").jobs)
"""


def trials(url: str) -> list[Trial]:
    with Ledger(url, create=False) as book:
        return book.trials(book.study("s"))


@pytest.mark.slow
def test_a_task_that_is_wanted_back_writes_a_checkpoint_and_goes_on_when_its_turn_comes(tmp_path: Path) -> None:
    (tmp_path / "toy.yaml").write_text(space_to_yaml(TOY))
    url = f"sqlite:///{tmp_path}/nas.sqlite"
    words = [
        "search",
        "toy.yaml",
        "--on",
        "digits",
        "--epochs",
        "100",
        "--fraction",
        "0.3",
        "--trials",
        "1",
        "--strategy",
        "random",
    ]
    words += ["--study", "s", "--ledger", url, "--checkpoint", "0.2"]
    command = [sys.executable, "-c", SCRIPT, url, str(tmp_path / "jobs"), *words]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    with (tmp_path / "submitted").open("w") as told:  # a pipe would be the task's too, and be read until that ends
        subprocess.run(command, cwd=tmp_path, env=environment, stdout=told, stderr=subprocess.DEVNULL, timeout=240, check=True)
    (job,) = (tmp_path / "submitted").read_text().split()
    wait_for(lambda: any(tmp_path.glob("nas.sqlite.checkpoints/s/*/*.json")))
    (task,) = Path(f"/proc/{job}/task/{job}/children").read_text().split()
    os.kill(int(task), signal.SIGUSR2)  # as SLURM does before it takes the machine
    wait_for(lambda: [trial.state for trial in trials(url)] == ["complete"])
    (trial,) = trials(url)
    assert trial.record is not None
    assert trial.record.notes[0].startswith("Went on from a checkpoint after step ")
    assert trial.attempts == 1, "to be asked to stop is none of its failures"
    assert trial.fence == 2


def wait_for(happened: Any, seconds: float = 500.0) -> None:
    until = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < until, "it did not come to that"
        time.sleep(0.02)


def test_what_lies_in_the_folder_is_the_command_and_nothing_else() -> None:
    packed = pickle.dumps(Task(["search", "residual_cnn"]))
    made = pickle.loads(packed)  # noqa: S301 - ours, of this line
    assert made.words == ["search", "residual_cnn"]
    assert len(packed) < 200


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tasks": 0}, "An array has at least 1 tasks, got 0."),
        ({"minutes": 1}, "An array has at least 3 minutes, got 1."),
        ({"options": {"par tition": "x"}}, "An option for sbatch is NAME=VALUE, such as partition=gpu, got 'par tition=x'."),
        ({"options": {"setup": "rm -r x"}}, "An option for sbatch is NAME=VALUE, such as partition=gpu, got 'setup=rm -r x'."),
        ({"options": {"partition": "a\n#SBATCH x"}}, "An option for sbatch is NAME=VALUE, such as partition=gpu, got "),
        (
            {"executor": "slurm"},
            "SLURM is not on this machine, which has no sbatch and srun; submit from a login node of the cluster.",
        ),
    ],
)
def test_what_cannot_be_submitted_is_one_line_of_a_script_too(tmp_path: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ClusterError) as caught:
        submit(["search"], ledger="sqlite:///x", folder=tmp_path / "jobs", **{"executor": "local", **options})
    assert str(caught.value).startswith(message)


def test_an_array_wants_a_ledger_that_all_nodes_reach(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("sbatch", "srun"):
        (tmp_path / name).touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    with pytest.raises(ClusterError, match=r"^Tasks of an array share a ledger that every node reaches, and SQLite is for one"):
        submit(["search"], ledger="sqlite:///x", folder=tmp_path / "jobs")
