import csv
import itertools
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from nas.cli import main

DATA = Path(os.environ.get("NAS_DATA") or Path(__file__).parents[3] / "shared" / "data")


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """27 architectures of three widths; the sum of their steps is what they are worth, and how large they are."""
    path = tmp_path / "steps.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["choice:a", "choice:b", "choice:c", "accuracy", "params", "train_seconds"])
        for steps in itertools.product(range(3), repeat=3):
            value = 9 * steps[0] + 3 * steps[1] + steps[2]
            writer.writerow([*(f"w{step}" for step in steps), value / 100, 10 * sum(steps), 2.5])
    return path


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(main, ["compare", *map(str, words)])


def small(table: Path, *words: str | Path) -> list[str | Path]:
    return ["--table", table, "--evaluations", "8", "--seeds", "3", "--workers", "1", "--out", table.parent / "out", *words]


def told(*words: str | Path) -> str:
    done = run(*words)
    assert done.exit_code == 0, done.output
    return done.stdout


def complaint(words: Sequence[str | Path]) -> str:
    done = run(*words)
    assert done.exit_code == 2, done.output
    assert done.stderr.count("\n") == 1
    return done.stderr


def test_a_comparison_is_told_and_written(table: Path) -> None:
    text = told(*small(table, "--strategy", "local_search"))
    assert "9/9 runs" in text
    assert "On steps, over 3 seeds: after 8 evaluations" in text
    assert "random, expected" in text
    assert "One training takes, as the tables tell: steps 2.5 s." in text
    out = table.parent / "out"
    assert (out / "comparison.html").read_text().startswith("<!doctype html>")
    assert [row["strategy"] for row in csv.DictReader((out / "comparison.csv").read_text().splitlines())] == [
        "local_search",
        "random",
        "sort",
    ]
    assert len((out / "runs.jsonl").read_text().splitlines()) == 9


def test_as_json_it_is_one_object_and_nothing_else(table: Path) -> None:
    found: Any = json.loads(told(*small(table, "--limit", "params <= 30", "--json")))
    assert found["strategies"] == ["random", "sort"]
    assert [(row["table"], row["limits"], row["strategy"]) for row in found["rows"]] == [
        ("steps", limits, strategy) for limits in ("", "params <= 30") for strategy in ("random", "sort")
    ]
    assert found["training_seconds"][0] == {"table": "steps", "limits": "", "seconds": 2.5}
    assert found["command"] == "nas compare --table steps.csv --limit 'params <= 30' --evaluations 8 --seeds 3"


def test_the_same_command_makes_no_run_again(table: Path) -> None:
    told(*small(table))
    before = (table.parent / "out" / "runs.jsonl").read_bytes()
    assert "6/6 runs · 6 found" in told(*small(table))
    assert (table.parent / "out" / "runs.jsonl").read_bytes() == before


def test_one_that_is_stopped_says_that_the_same_command_goes_on(table: Path) -> None:
    words = [str(word) for word in small(table, "--strategy", "auto", "--seeds", "400", "--json")]
    runs = table.parent / "out" / "runs.jsonl"
    with subprocess.Popen(
        [sys.executable, "-m", "nas", "compare", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        while process.poll() is None and not (runs.exists() and runs.read_bytes().count(b"\n") > 2):
            time.sleep(0.05)
        process.send_signal(signal.SIGTERM)  # as Ctrl-C, which a shell's background job ignores
        out, err = process.communicate(timeout=120)
    assert process.returncode == 130, err
    assert out == ""  # where JSON would have followed
    assert err == f"Interrupted; the runs that have ended are kept in {table.parent / 'out'}, and the same command goes on.\n"
    assert re.search(r" · [1-9]\d* found\n", told(*small(table, "--strategy", "auto", "--seeds", "2")))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--strategy", "tpee"], "No strategy is called 'tpee'. Did you mean 'tpe'?"),
        (["--limit", "parms <= 5"], "The table steps has no figure 'parms' for a limit. Did you mean 'params'?"),
        (["--proxy", "synflow"], "The table steps has no proxy:synflow."),
        (["--evaluations", "0"], "A comparison has at least 1 of evaluations, got 0."),
        (["--confirm", "8"], "Some of the 8 evaluations must search, got confirm 8; give fewer."),
    ],
)
def test_what_cannot_be_is_one_line(table: Path, words: list[str], message: str) -> None:
    assert complaint(small(table, *words)).startswith(f"nas: {message}")
    assert not (table.parent / "out").exists()


def test_without_a_table_it_says_so() -> None:
    assert complaint([]) == "nas: A comparison needs at least one table; name one with --table.\n"


def test_a_public_table_is_compared_on(tmp_path: Path) -> None:
    macro = DATA / "tables" / "nas-bench-macro.csv.gz"
    if not macro.exists():
        pytest.skip(f"nas-bench-macro.csv.gz is not in {DATA}; name the folder that holds tables/ by NAS_DATA")
    words = ["--table", macro, "--means", "--evaluations", "100", "--seeds", "12", "--workers", "1", "--out", tmp_path, "--json"]
    found: Any = json.loads(told(*words))
    expected = {row["evaluations"]: row["random_expected"] for row in found["rows"]}
    # The published expectations are of draws with repeats, .353 and .261.
    assert expected == pytest.approx({50: 0.353, 100: 0.261}, abs=0.001)
    assert all(abs(one["mean"] - one["expected"]) < 3 * one["error"] for one in found["random"])
    sort = {row["evaluations"]: row["regret"] for row in found["rows"] if row["strategy"] == "sort"}
    assert sort[50] < 0.1  # the largest first beats what searches there, see the data's README
