from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from toys import TOY, toy_accuracy, toy_evaluate, toy_params

import nas
from nas.benchmark import Budget
from nas.errors import LedgerError, TableError
from nas.records import Epoch, Failure, Ledger, Record, Replicate, this_machine
from nas.searching import Study
from nas.space import Architecture
from nas.tables import Written, write_study


def export(study: Study, path: Path) -> Written:
    with Ledger(study.ledger, create=False) as ledger:
        return write_study(ledger, study.name, path)


def test_a_study_comes_back_as_a_table_of_its_trainings(tmp_path: Path) -> None:
    study = nas.search(TOY, on="digits", evaluate=toy_evaluate, trials=12, confirm=0, epochs=3, study="toy", strategy="random")
    table = export(study, tmp_path / "toy.csv").table
    trials = study.trials
    tried = trials[trials.state == "complete"].architecture.unique()
    assert {architecture.id for architecture in table.architectures} == set(tried)
    assert (table.space, table.asked, table.fidelities) == (replace(TOY, origin=None), "validation_accuracy@3", (1, 2, 3))
    for row, architecture in enumerate(table.architectures):
        assert table.means[row] == toy_accuracy(architecture)
        assert table.curve(row) == tuple((n, toy_accuracy(architecture) * n / 3) for n in (1, 2, 3))
        assert table.figures["params"][row] == toy_params(architecture)
        assert table.figures[f"latency_ms:{this_machine().id}-cpu"][row] == 1.5
        assert table.seconds[2].means[row] == 0.2
    assert "toy, strategy random" in table.source


def test_a_search_on_it_gives_what_the_study_gave_and_nothing_for_the_rest(tmp_path: Path) -> None:
    study = nas.search(TOY, on="digits", evaluate=toy_evaluate, trials=12, confirm=0, epochs=3, study="toy", strategy="random")
    export(study, tmp_path / "toy.csv.gz")
    again = nas.search(on=tmp_path / "toy.csv.gz", trials=30, confirm=0, strategy="random", seed=1, study="again")
    first, second = (one.trials[one.trials.state == "complete"].drop_duplicates("architecture") for one in (study, again))
    ours, theirs = (dict(zip(one.architecture, one.validation_accuracy, strict=True)) for one in (first, second))
    assert ours == theirs
    rest = again.trials[again.trials.state == "infeasible"]
    assert len(rest)
    assert set(rest.broken_limits) == {"absent: the table does not have it"}
    assert not set(rest.architecture) & set(ours)


def test_replicates_and_confirmations_are_runs_in_the_order_of_their_seeds(tmp_path: Path) -> None:
    study = nas.search(
        TOY, on="digits", evaluate=twice, replicates=2, trials=10, confirm=4, seed=5, study="twice", strategy="tpe"
    )
    table = export(study, tmp_path / "twice.csv").table
    confirmed = study.trials.query("stage == 'confirm'").architecture.unique()
    assert len(confirmed) == 4
    for row, architecture in enumerate(table.architectures):
        runs = [value for value in table.trainings[row].tolist() if value == value]
        assert len(runs) == (4 if architecture.id in confirmed else 2)
        assert runs == sorted(runs)
        assert runs[:2] == [toy_accuracy(architecture) + seed for seed in (5, 6)]


def twice(
    architecture: Architecture, *, budget: Budget, seed: int, report: Callable[[Epoch], bool], final: bool = False
) -> Record:
    """Two trainings, each better by its seed."""
    whole = toy_evaluate(architecture, budget=budget, seed=seed)
    parts = tuple(
        Replicate(seed=seed + n, figures={"validation_accuracy": toy_accuracy(architecture) + seed + n}, curve=whole.curve)
        for n in range(2)
    )
    return replace(whole, replicates=parts)


twice.replicates = 2  # type: ignore[attr-defined]


def test_what_has_no_end_at_this_budget_is_left_out_and_told(tmp_path: Path) -> None:
    study = nas.search(
        TOY, on="digits", evaluate=small, pruner="asha", trials=15, confirm=0, epochs=6, study="toy", strategy="random"
    )
    nas.finals("toy", evaluate=small, top=1, seeds=2)
    written = export(study, tmp_path / "toy.csv")
    counts = study.trials.query("stage == 'search'").drop_duplicates("architecture").state.value_counts()
    assert dict(written.left_out) == {"final": 2, "pruned": counts["pruned"], "infeasible": counts["infeasible"]}
    assert len(written.table) == counts["complete"]


def small(
    architecture: Architecture, *, budget: Budget, seed: int, report: Callable[[Epoch], bool], final: bool = False
) -> Record:
    """Without the largest."""
    record = toy_evaluate(architecture, budget=budget, seed=seed, report=report, final=final)
    return record if toy_params(architecture) < 700 else replace(record, outcome="infeasible", figures={}, curve=())


def test_a_study_on_a_table_is_a_part_of_it(tmp_path: Path) -> None:
    lines = ["choice:a,choice:b,accuracy#0,accuracy#1,params,latency_ms,latency_ms:phone"]
    lines += [f"{a},{b},{a + b / 9},{a + b / 9 + 0.01},{b},{b + 1},{b + 2}" for a in range(5) for b in range(5)]
    (tmp_path / "whole.csv").write_text("\n".join(lines))
    study = nas.search(on=tmp_path / "whole.csv", trials=10, strategy="tpe", confirm=4, study="part")
    part = export(study, tmp_path / "part.csv").table
    assert (part.asked, len(part), part.space.choices["a"]) == ("accuracy", 6, part.space.choices["b"])
    assert {*part.figures} == {"params", "latency_ms", "latency_ms:phone"}
    for row, architecture in enumerate(part.architectures):
        a, b = architecture.choices.values()
        assert isinstance(a, int)
        assert isinstance(b, int)
        known = {round(a + b / 9, 9), round(a + b / 9 + 0.01, 9)}
        runs = [round(value, 9) for value in part.trainings[row].tolist() if value == value]
        assert set(runs) <= known
        assert len(runs) == len(set(runs))


def test_a_study_with_nothing_complete_is_one_line(tmp_path: Path) -> None:
    study = nas.search(TOY, on="digits", evaluate=failing, trials=2, study="none", strategy="random")
    with pytest.raises(
        TableError, match=r"The study 'none' has no complete training with an objective, of which a table is made"
    ):
        export(study, tmp_path / "none.csv")
    with Ledger(study.ledger, create=False) as ledger, pytest.raises(LedgerError, match=r"No study in .* is called 'nine'"):
        write_study(ledger, "nine", tmp_path / "nine.csv")
    assert not list(tmp_path.iterdir())


def failing(
    architecture: Architecture, *, budget: Budget, seed: int, report: Callable[[Epoch], bool], final: bool = False
) -> Record:
    """Not one of them can be trained."""
    record = toy_evaluate(architecture, budget=budget, seed=seed)
    return replace(record, outcome="failed", figures={}, curve=(), error=Failure(kind="diverged", message="no number"))
