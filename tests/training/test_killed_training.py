"""Trainings killed with SIGKILL within an epoch and started again end with the weights of trainings that were never killed."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

RUNS = 20


@pytest.mark.slow
def test_twenty_trainings_killed_at_random_moments_end_with_equal_weights(tmp_path: Path) -> None:
    script = str(Path(__file__).with_name("killed.py"))
    halves = [(0, RUNS // 2), (RUNS // 2, RUNS)]  # side by side, since torch takes seconds to load
    started = [
        subprocess.Popen([sys.executable, script, str(tmp_path), str(first), str(last)], stdout=subprocess.PIPE, text=True)
        for first, last in halves
    ]
    printed = [process.communicate()[0] for process in started]
    assert [process.returncode for process in started] == [0, 0]
    runs = [json.loads(line) for text in printed for line in text.splitlines()]
    assert len(runs) == RUNS
    assert [run for run in runs if not run["equal"]] == []
    assert all(run["kills"] >= 1 and run["went_on"] >= 1 for run in runs), runs
    assert not any(run["passed_over"] for run in runs), "a kill has left a checkpoint that is not whole"
