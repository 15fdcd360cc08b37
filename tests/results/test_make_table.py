"""A space is trained whole by a script that can be killed at any time, and the table that came of it is what it says."""

import importlib.util
import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType

import pytest

from nas.benchmark import Budget
from nas.evaluation import Evaluator
from nas.searching import resolve_benchmark
from nas.space import architectures, digest, parse_space
from nas.tables import read_table

SCRIPT = Path(__file__).parents[2] / "results" / "tables" / "make_table.py"

TOY = """
name: toy
version: 1
accepts: image
choices: {width: [2, 3]}
layers:
  - repeat: block
    times: {int: [1, 2]}
    layers: [conv: {features: $width, kernel: 3, stride: 2}]
  - head: {}
"""
"""2 · 2 architectures."""


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_table", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["make_table"] = module  # where its dataclasses look for themselves
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def command(tmp_path: Path) -> list[str]:
    (tmp_path / "space.yaml").write_text(TOY, encoding="utf-8")
    options = ["--epochs", "2", "--runs", "2", "--raw", str(tmp_path / "raw.jsonl"), "--out", str(tmp_path / "out")]
    return [sys.executable, str(SCRIPT), str(tmp_path / "space.yaml"), "--on", "digits", *options]


@pytest.mark.slow
def test_a_run_that_is_killed_goes_on_where_it_was_and_the_table_is_read_back(
    script: ModuleType, command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    raw = tmp_path / "raw.jsonl"
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    while process.poll() is None and (not raw.exists() or raw.read_bytes().count(b"\n") < 4):
        time.sleep(0.01)
    process.kill()
    assert process.wait() == -signal.SIGKILL
    whole = raw.read_bytes()
    whole = whole[: whole.rfind(b"\n") + 1]
    assert 4 <= whole.count(b"\n") < 1 + 2 * 4
    raw.write_bytes(whole + b'{"number":3,"se')  # what a process leaves that dies as it writes

    told = subprocess.run([*command, "--workers", "2"], check=True, capture_output=True, text=True).stdout
    assert "4 architectures" in told
    assert raw.read_bytes().startswith(whole)
    lines = [json.loads(line) for line in raw.read_text(encoding="utf-8").splitlines()[1:]]
    assert sorted((line["number"], line["seed"]) for line in lines) == [(n, seed) for n in range(4) for seed in range(2)]

    table = read_table(tmp_path / "out" / "digits-toy.csv.gz")
    assert table.architectures == tuple(architectures(parse_space(TOY)))
    assert table.trainings.shape == (4, 2)
    by_key = {(line["number"], line["seed"]): line for line in lines}
    assert table.curve(3, 1) == tuple(
        (epoch, round(point["validation_accuracy"], 4)) for epoch, point in enumerate(by_key[3, 1]["curve"], start=1)
    )
    assert table.metrics["test_accuracy"][2].runs[3, 1] == round(by_key[3, 1]["test"]["test_accuracy"], 4)
    assert table.objective.figure == "validation_accuracy"
    before = (tmp_path / "out" / "digits-toy.csv.gz").read_bytes()

    script.main(command[2:])  # with nothing left to train
    assert "trainings" not in capsys.readouterr().out
    assert (tmp_path / "out" / "digits-toy.csv.gz").read_bytes() == before


def test_a_training_is_that_of_the_evaluator(script: ModuleType) -> None:
    space, benchmark = parse_space(TOY), resolve_benchmark("digits")
    line = script.Trainer(script.Question(space, benchmark, epochs=2, runs=1))((3, 1))
    architecture = list(architectures(space))[3]
    record = Evaluator(space, benchmark)(architecture, budget=Budget(epochs=2), seed=1, final=True)
    assert line["architecture"] == architecture.id
    assert [point["validation_accuracy"] for point in line["curve"]] == [
        epoch.figures["validation_accuracy"] for epoch in record.curve
    ]
    assert [point["train_loss"] for point in line["curve"]] == [epoch.train_loss for epoch in record.curve]
    assert line["test"]["test_accuracy"] == record.figures["test_accuracy"]


def test_trainings_of_another_question_are_not_mixed_in(script: ModuleType, tmp_path: Path) -> None:
    raw, space, benchmark = tmp_path / "raw.jsonl", parse_space(TOY), resolve_benchmark("digits")
    heading = script.Question(space, benchmark, epochs=2, runs=1).heading
    assert heading == {"space": "toy", "declaration": digest(space), "benchmark": "digits v1", "epochs": 2}
    raw.write_text(json.dumps(heading) + "\n", encoding="utf-8")
    assert script.read_lines(raw, script.Question(space, benchmark, epochs=2, runs=3)) == {}
    with pytest.raises(SystemExit, match="name another file by --raw"):
        script.read_lines(raw, script.Question(space, benchmark, epochs=4, runs=1))
