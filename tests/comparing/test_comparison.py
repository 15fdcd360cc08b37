import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from made_up import write_table

from nas.comparing import CompareConfig, Progress, compare
from nas.comparing.comparison import Clock
from nas.comparing.keeping import RUNS, Book
from nas.comparing.values import Cell, Question, Run
from nas.errors import CompareError, NasError, StrategyError


def config(table: Path, out: Path, **changes: object) -> CompareConfig:
    given = {"strategies": ["local_search"], "evaluations": 12, "seeds": 3, "workers": 1} | changes
    return CompareConfig.make(tables=[table], out=out, **given)  # type: ignore[arg-type]  # tests hand over what is wrong too


def kept(folder: Path) -> list[Run]:
    with Book(folder) as book:
        return [replace(run, ask_seconds=0, seconds=0, commit=None) for run in book.runs().values()]


def test_the_baselines_are_always_among_the_strategies(table: Path, tmp_path: Path) -> None:
    asked = config(table, tmp_path, strategies=["sort", "tpe", "random", "tpe"])
    assert asked.strategies == ("tpe", "random", "sort")


def test_each_strategy_runs_on_each_question_from_each_seed(table: Path, tmp_path: Path) -> None:
    found = compare(config(table, tmp_path, limits=["params >= 400"]))
    assert sorted(run.cell for run in kept(tmp_path)) == [
        Cell(Question("hill", limits), strategy, seed)
        for limits in ("", "params >= 400")
        for strategy in ("local_search", "random", "sort")
        for seed in range(3)
    ]
    assert found.standings.seeds == 3


def test_where_a_table_tells_no_sizes_none_are_sorted_by_and_that_is_told(table: Path, tmp_path: Path) -> None:
    bare = tmp_path / "bare.csv"
    bare.write_text("\n".join(line.rsplit(",", 1)[0] for line in table.read_text().splitlines()))
    asked = CompareConfig.make(tables=[table, bare], out=tmp_path / "out", evaluations=6, seeds=2, workers=1)
    found = compare(asked)
    assert found.standings.strategies == ("random",)
    assert found.headline.endswith(" The baseline sort is left out, since the table bare has neither flops nor params.")
    whole = compare(replace(asked, tables=(table,)))  # the runs of random are there already
    assert whole.standings.strategies == ("random", "sort")
    assert "left out" not in whole.headline


def test_several_processes_make_the_runs_of_one(table: Path, tmp_path: Path) -> None:
    compare(config(table, tmp_path / "one"))
    compare(config(table, tmp_path / "two", workers=2))
    assert sorted(kept(tmp_path / "one"), key=lambda run: run.cell) == sorted(kept(tmp_path / "two"), key=lambda run: run.cell)


def test_questions_stand_in_the_order_in_which_they_are_asked(table: Path, tmp_path: Path) -> None:
    other = write_table(tmp_path / "another.csv")
    out = tmp_path / "out"
    compare(config(other, out, seeds=1))
    asked = CompareConfig.make(tables=[table, other], out=out, evaluations=12, seeds=1, workers=1)
    assert [question.table for question in compare(asked).standings.questions] == ["hill", "another"]


def test_a_table_that_changes_as_it_is_compared_is_no_longer_asked(table: Path, tmp_path: Path) -> None:
    def change(progress: Progress) -> None:
        if progress.cell is None:
            table.write_text(table.read_text().replace(",39.0,", ",40.0,"))

    with pytest.raises(CompareError, match=r"The table hill\.csv was changed as it was compared: digest [0-9a-f]{16}, now "):
        compare(config(table, tmp_path / "out", workers=2), on_progress=change)
    assert kept(tmp_path / "out") == []


def test_no_run_is_made_twice_and_more_seeds_add_to_those_there_are(table: Path, tmp_path: Path) -> None:
    compare(config(table, tmp_path))
    before = (tmp_path / RUNS).read_bytes()
    told: list[Progress] = []
    compare(config(table, tmp_path), on_progress=told.append)
    assert (tmp_path / RUNS).read_bytes() == before
    assert [(one.done, one.found, one.total) for one in told] == [(9, 9, 9)]
    compare(config(table, tmp_path, seeds=4), on_progress=told.append)
    assert (tmp_path / RUNS).read_bytes().startswith(before)
    assert [(one.done, one.found, one.total) for one in told[1:]] == [(9, 9, 12), (10, 9, 12), (11, 9, 12), (12, 9, 12)]


def test_runs_of_another_budget_or_another_table_are_made_anew(table: Path, tmp_path: Path) -> None:
    compare(config(table, tmp_path, seeds=1))
    compare(config(table, tmp_path, seeds=1, evaluations=13))
    assert len(kept(tmp_path)) == 6
    table.write_text(table.read_text().replace(",39.0,", ",40.0,"))
    compare(config(table, tmp_path, seeds=1))
    assert len(kept(tmp_path)) == 9


def test_killed_at_some_moment_it_goes_on_as_if_never_killed(tmp_path: Path) -> None:
    table = write_table(tmp_path / "hill.csv", spread=(-2.0, 2.0))
    command = [sys.executable, "-m", "nas", "compare", "--strategy", "tpe", "--table", str(table), "--evaluations", "25"]
    command += ["--seeds", "400", "--workers", "2", "--out", str(tmp_path / "killed")]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    file = tmp_path / "killed" / RUNS
    while not file.exists() or file.read_bytes().count(b"\n") < 4:
        assert process.poll() is None, "it has ended before it was killed"
        time.sleep(0.002)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    before = file.read_bytes()
    done = before[: before.rindex(b"\n")].count(b"\n") + 1
    told: list[Progress] = []
    changes = {"strategies": ["tpe"], "evaluations": 25, "seeds": max(4, done)}
    compare(config(table, tmp_path / "killed", **changes), on_progress=told.append)
    assert told[0].found == done
    assert file.read_bytes().startswith(before[: before.rindex(b"\n") + 1])
    compare(config(table, tmp_path / "whole", **changes))
    assert sorted(kept(tmp_path / "killed"), key=lambda run: run.cell) == sorted(
        kept(tmp_path / "whole"), key=lambda run: run.cell
    )


def test_what_is_left_is_told_by_what_each_strategy_has_taken() -> None:
    question = Question("t")
    cells = [Cell(question, strategy, seed) for seed in range(2) for strategy in ("quick", "slow")]
    clock = Clock(2, found=4, waiting=cells)
    run = Run(
        cell=cells[0],
        regrets=(0.0,),
        proposals=1,
        repeated=0,
        infeasible=0,
        by_chance=0,
        ask_seconds=0.0,
        seconds=3.0,
        commit=None,
    )
    assert clock.progress(None).seconds_left is None
    assert clock.after(run) == Progress(5, 8, 4, cells[0], (3 + 3 + 3) / 2)
    assert clock.after(replace(run, cell=cells[1], seconds=9.0)).seconds_left == (3 + 9) / 2


def test_a_strategy_that_does_not_exist_is_refused_before_any_run(table: Path, tmp_path: Path) -> None:
    with pytest.raises(StrategyError, match="No strategy is called 'tpee'"):
        compare(config(table, tmp_path / "out", strategies=["tpee"]))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"evaluations": 10**9}, "A run has at most 100,000 evaluations, got 1,000,000,000; give fewer."),
        ({"evaluations": 0}, "A comparison has at least 1 of evaluations, got 0."),
        ({"seeds": -1}, "A comparison has at least 1 of seeds, got -1."),
        ({"workers": 1.5}, "A comparison has at least 1 of workers, got 1.5."),
        ({"limits": ["params"]}, "a limit reads like 'params <= 50e3', got 'params'."),
        ({"limits": ["latency_ms <= 5"]}, "The table hill has no figure 'latency_ms' for a limit. Known: params."),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(table: Path, tmp_path: Path, changes: dict[str, object], message: str) -> None:
    with pytest.raises(NasError) as refused:
        compare(config(table, tmp_path, **changes))
    assert str(refused.value) == message


def test_a_comparison_needs_a_table_and_each_a_name_of_its_own(tmp_path: Path) -> None:
    with pytest.raises(CompareError, match="A comparison needs at least one table; name one with --table"):
        CompareConfig.make(tables=[], out=tmp_path)
    (tmp_path / "other").mkdir()
    copy = write_table(tmp_path / "other" / "hill.csv")
    with pytest.raises(CompareError, match="Two tables are called 'hill'; rename one of the files"):
        compare(CompareConfig.make(tables=[write_table(tmp_path / "hill.csv"), copy], out=tmp_path))
