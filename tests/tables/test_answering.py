import random
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from small_tables import CONDITIONAL, noisy, write

from nas.benchmark import Budget
from nas.errors import TableError
from nas.records import Epoch, Record
from nas.space import Architecture, Limit
from nas.tables import Table, TableEvaluator, make_benchmark, read_table


@pytest.fixture
def table(tmp_path: Path) -> Table:
    return read_table(noisy(tmp_path / "noisy.csv"))


def one(table: Table, a: str = "y", b: int = 2, c: float = 1.0) -> Architecture:
    return table.space.architecture({"a": a, "b": b, "c": c})


def ask(evaluate: TableEvaluator, architecture: Architecture, *, epochs: int = 4, seed: int = 0, final: bool = False) -> Record:
    return evaluate(architecture, budget=Budget(epochs=epochs), seed=seed, final=final)


def run_of(record: Record) -> int:
    """The training that the table gave: each is 0.01 above the one before."""
    return round((record.figures["accuracy"] - 0.6) / 0.01)


def test_an_answer_has_the_figures_the_curve_and_the_time_of_one_training(table: Table) -> None:
    record = ask(table.evaluator(), one(table))
    run = run_of(record)
    assert record.outcome == "complete"
    assert record.figures == pytest.approx(
        {"params": 2000, "latency_ms:raspi4": 4.0, "accuracy": 0.6 + 0.01 * run, "train_seconds": 10}
    )
    assert record.curve == tuple(
        Epoch(epoch=n, train_loss=None, figures={"accuracy": pytest.approx(0.15 * n + 0.01 * run)}, seconds=seconds)
        for n, seconds in ((1, 2.5), (2, None), (4, 10.0))
    )
    assert (record.device, record.setting.use, record.latency, record.seconds) == ("table", "from a table", None, None)
    assert str(record.machine) == f"noisy.csv, digest {table.digest}"
    assert Record.from_data(record.to_data()) == record


def test_an_answer_follows_from_seed_and_architecture_alone(table: Table) -> None:
    evaluate = table.evaluator()
    first = [ask(evaluate, architecture, seed=5) for architecture in table.architectures]
    assert [ask(table.evaluator(), architecture, seed=5) for architecture in reversed(table.architectures)] == first[::-1]
    runs = [int(np.isclose(table.trainings[n], record.figures["accuracy"]).argmax()) for n, record in enumerate(first)]
    assert min(runs.count(run) for run in range(3)) >= 3


def test_seeds_in_a_row_see_each_training_once(table: Table) -> None:
    for start in (0, 7):
        assert sorted(run_of(ask(table.evaluator(), one(table), seed=start + n)) for n in range(3)) == [0, 1, 2]


def test_a_training_that_was_not_made_is_no_answer(tmp_path: Path) -> None:
    table = read_table(write(tmp_path / "t.csv", "choice:a,accuracy#0,accuracy#1,accuracy#2", "x,,0.5,", "y,0.1,,0.3", "z,1,2,3"))
    evaluate = table.evaluator()
    x, y, _ = table.architectures
    assert {evaluate(x, budget=Budget(epochs=1), seed=seed).figures["accuracy"] for seed in range(9)} == {0.5}
    assert {evaluate(y, budget=Budget(epochs=1), seed=seed).figures["accuracy"] for seed in range(9)} == {0.1, 0.3}
    assert evaluate.trainings == 1


def test_an_architecture_that_the_table_does_not_have_is_never_trained(tmp_path: Path) -> None:
    head = "choice:block.times,choice:block.0.kind,choice:block.0.kind.gru.units,validation_loss@4"
    table = read_table(write(tmp_path / "t.csv", head, "0,,,8", "1,skip,,7", sidecar=CONDITIONAL))
    absent = table.space.architecture({"block.times": 1, "block.0.kind": "gru", "block.0.kind.gru.units": 8})
    told: list[Epoch] = []
    record = table.evaluator()(absent, budget=Budget(epochs=4), seed=0, report=lambda epoch: bool(told.append(epoch)))
    assert (record.outcome, record.broken_limits, record.figures) == ("infeasible", ("absent: the table does not have it",), {})
    assert not told


def test_limits_on_what_is_known_before_training_stop_it_before(table: Table) -> None:
    evaluate = table.evaluator([Limit.parse("latency_ms:raspi4 <= 3"), Limit.parse("params <= 2e3")])
    told: list[Epoch] = []
    record = evaluate(one(table), budget=Budget(epochs=4), seed=0, report=lambda epoch: bool(told.append(epoch)))
    assert (record.outcome, record.broken_limits) == ("infeasible", ("latency_ms:raspi4 <= 3, got 4",))
    assert set(record.figures) == {"params", "latency_ms:raspi4"}
    assert not told
    assert ask(evaluate, one(table, b=1)).outcome == "complete"


@pytest.mark.parametrize(("stop", "told"), [(1, [1]), (2, [1, 2]), (4, [1, 2, 4])])
def test_each_known_epoch_is_reported_and_one_that_is_told_to_stop_is_pruned(
    table: Table, stop: int, told: Sequence[int]
) -> None:
    seen: list[int] = []

    def report(epoch: Epoch) -> bool:
        seen.append(epoch.epoch)
        return epoch.epoch == stop

    record = table.evaluator()(one(table), budget=Budget(epochs=4), seed=0, report=report)
    assert seen == told
    assert record.outcome == ("complete" if stop == 4 else "pruned")
    assert [epoch.epoch for epoch in record.curve] == told
    assert record.figures.get("train_seconds") == {1: 2.5, 2: None, 4: 10}[stop]


def test_a_smaller_budget_is_a_fidelity_that_the_table_has(table: Table) -> None:
    record = ask(table.evaluator(), one(table), epochs=2)
    assert record.figures["accuracy"] == pytest.approx(0.3, abs=0.021)
    assert [epoch.epoch for epoch in record.curve] == [1, 2]
    with pytest.raises(TableError, match=r"The table 'noisy' has accuracy after 1, 2, 4; got 3 epochs\."):
        ask(table.evaluator(), one(table), epochs=3)
    with pytest.raises(TableError, match=r"A table knows budgets of epochs alone, got 4 epochs on 50% of the data\."):
        table.evaluator()(one(table), budget=Budget(epochs=4, fraction=0.5), seed=0)


def test_test_figures_are_told_of_finalists_only(table: Table) -> None:
    assert "test_f1" not in ask(table.evaluator(), one(table)).figures
    assert ask(table.evaluator(), one(table), final=True).figures["test_f1"] == pytest.approx(0.55)
    both = make_benchmark(table, "test_f1")
    assert ask(both.evaluator(), one(table)).figures["test_f1"] == pytest.approx(0.55)
    assert [goal.direction for goal in both.objectives] == ["maximize", "maximize"]


def test_scores_are_told_where_they_are_asked_for(table: Table) -> None:
    asked = table.benchmark.evaluator(proxies=["naswot"])
    assert ask(asked, one(table)).figures["naswot"] == pytest.approx(60)
    least = ask(asked, one(table, "x", 1, 0.5))
    assert least.outcome == "complete"
    assert "naswot" not in least.figures  # minus infinity is no figure
    limited = table.benchmark.evaluator([Limit.parse("naswot >= 1")], ["naswot"])
    assert ask(limited, one(table, "x", 1, 0.5)).outcome == "infeasible"
    assert asked.features is not None
    assert asked.features(one(table)) == pytest.approx({"params": 2000, "naswot": 60})


def test_what_is_known_is_told_to_one_who_may_leave_it_out(table: Table) -> None:
    heard: list[float] = []
    record = table.evaluator()(
        one(table), budget=Budget(epochs=4), seed=0, on_known=lambda known: bool(heard.append(known["params"])) or True
    )
    assert (record.outcome, heard, record.curve) == ("pruned", [2000], ())


def test_a_draw_is_of_the_table_and_within_the_limits(table: Table) -> None:
    evaluate = table.evaluator([Limit.parse("params >= 3e3")])
    drawn = {evaluate.draw(random.Random(seed)) for seed in range(200)}
    assert drawn == {architecture for architecture in table.architectures if architecture.choices["b"] == 3}
    assert evaluate.holds == 9
    nothing = table.evaluator([Limit.parse("params < 10")])
    assert nothing.draw(random.Random(0)) is None
    assert nothing.nearest_miss() == (
        "No architecture of the table 'noisy' keeps to params < 10: params goes from 1,000 to 3,000; widen one of them."
    )


def test_the_key_changes_with_what_would_come_out(table: Table, tmp_path: Path) -> None:
    changed = noisy(tmp_path / "noisy.csv")
    changed.write_text(changed.read_text().replace("naswot", "snip"))
    keys = [table.evaluator().key, table.searched_for("test_f1").evaluator().key, read_table(changed).evaluator().key]
    assert len(set(keys)) == 3
    assert table.digest in keys[0]


def test_the_key_tells_an_end_that_names_its_epochs_from_one_that_does_not(tmp_path: Path) -> None:
    table = read_table(write(tmp_path / "t.csv", "choice:a,accuracy@9,accuracy", "x,1,2", "y,3,4"))
    named = table.searched_for("accuracy@9")
    assert (named.epochs, table.epochs) == (9, 9)
    assert named.evaluator().key != table.evaluator().key


def test_one_seed_reads_all_figures_from_one_training(tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", "choice:a,accuracy#0,accuracy#1,loss#1,train_seconds#1", "x,0.1,0.2,9,5", "y,0.3,0.4,8,5")
    evaluator = read_table(path).evaluator()
    for architecture in evaluator.table.architectures:
        found = [evaluator(architecture, budget=Budget(epochs=1), seed=seed).figures for seed in range(2)]
        first, second = sorted(found, key=lambda figures: figures["accuracy"])
        assert first.keys() == {"accuracy"}
        assert second.keys() == {"accuracy", "loss", "train_seconds"}


def test_a_benchmark_of_a_table_names_it_and_trains_nothing(table: Table) -> None:
    benchmark = table.benchmark
    told = {"file": "noisy.csv", "digest": table.digest, "objective": "accuracy@4", "fidelities": [1, 2, 4]}
    assert benchmark.to_data()["table"] == told
    assert (benchmark.name, benchmark.budget, benchmark.words(benchmark.budget)) == (
        "noisy",
        Budget(epochs=4),
        "4 epochs, from a table",
    )
    module, name = benchmark.task.split(":")
    with pytest.raises(
        TableError, match="On a table figures are looked up and no network is trained; name a benchmark with data"
    ):
        getattr(__import__(module, fromlist=[name]), name)(None)
    with pytest.raises(TableError, match="The table 'noisy' has no loss after 4 epochs, as it has accuracy"):
        make_benchmark(table, "loss")


def test_a_table_that_tells_no_epochs_makes_none_up(tmp_path: Path) -> None:
    table = read_table(write(tmp_path / "t.csv", "choice:a,accuracy,train_seconds", "x,1,30", "y,2,40"))
    assert table.benchmark.words(table.benchmark.budget) == "from a table"
    record = table.evaluator()(table.architectures[0], budget=table.benchmark.budget, seed=0)
    assert (record.curve, record.figures) == ((), {"accuracy": 1, "train_seconds": 30})
