import itertools
from pathlib import Path

import numpy as np
import pytest

import nas
from nas.errors import LedgerError, NasError, SearchError, TableError
from nas.records import Ledger, Trial
from nas.searching import Study, train_one
from nas.space import Limit, parse_space
from nas.tables import Table, read_table


def write(path: Path, *, height: float = 1.0) -> Path:
    """81 architectures of four choices, three trainings, two fidelities; one of three sizes each."""
    runs = [f"val_accuracy@{epochs}#{run}" for epochs in (3, 9) for run in range(3)]
    lines = [
        ",".join(
            [*(f"choice:{name}" for name in "abcd"), *runs, "test_accuracy@9", "params", "latency_ms:phone", "proxy:logsynflow"]
        )
    ]
    for answers in itertools.product(range(3), repeat=4):
        worth = height * sum(answer * weight for answer, weight in zip(answers, (27, 9, 3, 1), strict=True)) / 80
        curve = [worth * epochs / 9 + run / 1000 for epochs in (3, 9) for run in range(3)]
        lines.append(",".join(map(str, [*answers, *curve, worth - 0.1, 100 * (1 + answers[0]), 1 + answers[1], worth])))
    path.write_text("\n".join(lines))
    path.with_suffix("").with_suffix(".yaml").write_text("objective: {figure: val_accuracy}")
    return path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return write(tmp_path / "hill.csv")


def trials(study: Study) -> list[Trial]:
    with Ledger(study.ledger, create=False) as ledger:
        return ledger.trials(study.entry)


def test_a_search_on_a_file_needs_no_space_and_finds_its_best(path: Path) -> None:
    study = nas.search(on=path, trials=60, strategy="local_search")
    table = read_table(path)
    assert table.regret(study.best.architecture) == 0
    assert study.entry.definition["benchmark"]["table"]["digest"] == table.digest
    assert study.entry.definition["budget"]["epochs"] == 9
    assert "test_accuracy" not in study.best.figures


def test_space_benchmark_and_evaluation_can_be_given_one_by_one(path: Path) -> None:
    table = read_table(path)
    by_path = nas.search(on=str(path), trials=10, strategy="random", study="path")
    by_benchmark = nas.search(table.space, on=table.benchmark, trials=10, strategy="random", study="benchmark")
    by_hand = nas.search(table.space, on=table.benchmark, evaluate=table.evaluator(), trials=10, strategy="random", study="hand")
    found = [[(trial.architecture, trial.state) for trial in trials(study)] for study in (by_path, by_benchmark, by_hand)]
    assert found[0] == found[1] == found[2]
    assert all(trial.reused_from is not None for trial in trials(by_hand))  # equal work is done once


def test_limits_hold_and_are_told_to_the_strategy(path: Path) -> None:
    study = nas.search(on=path, trials=12, limits=["params <= 200", "latency_ms:phone < 3"], strategy="tpe")
    complete = [trial for trial in trials(study) if trial.state == "complete"]
    assert len(complete) >= 12
    for trial in complete:
        assert trial.record is not None
        assert trial.record.figures["params"] <= 200
        assert trial.record.figures["latency_ms:phone"] < 3
    assert {trial.state for trial in trials(study)} == {"complete", "infeasible"}


def test_all_within_the_limits_is_the_end_of_it(path: Path) -> None:
    said: list[str] = []
    nas.search(
        on=path,
        trials=50,
        confirm=0,
        limits=["params <= 100", "latency_ms:phone <= 1"],
        strategy="random",
        on_event=lambda event: said.append(getattr(event, "reason", "")),
    )
    assert said[-1] == "Every one of the 9 architectures that the table has within limits has been tried."


def test_what_other_studies_knew_is_told_since_no_pruner_stops_it(path: Path) -> None:
    said: list[str] = []

    def end(event: object) -> None:
        said.append(getattr(event, "reason", ""))

    nas.search(on=path, trials=8, strategy="random", study="whole", on_event=end)
    assert said[-1] == "8 of 8 architectures have a result."
    for _ in range(2):  # one that goes on tells the same
        study = nas.search(on=path, trials=10, strategy="random", pruner="asha", study="stopped", on_event=end)
        assert said[-1] == "10 of 10 architectures have a result. 8 of the results were known from other studies in this ledger."
    assert sum(trial.state == "pruned" for trial in trials(study)) <= 2


def test_a_table_of_one_is_told_as_one(tmp_path: Path) -> None:
    said: list[str] = []
    (tmp_path / "one.csv").write_text("choice:a,accuracy\n1,0.5\n")
    nas.search(on=tmp_path / "one.csv", on_event=lambda event: said.append(getattr(event, "reason", "")))
    assert said[-1] == "The one architecture of one has been tried."


@pytest.mark.parametrize("pruner", ["median", "asha", "hyperband"])
def test_pruners_stop_at_the_epochs_that_the_table_knows(path: Path, pruner: str) -> None:
    study = nas.search(on=path, trials=40, confirm=0, pruner=pruner, strategy="random")
    pruned = [trial.record for trial in trials(study) if trial.state == "pruned"]
    assert pruned
    assert all(record is not None and [epoch.epoch for epoch in record.curve] == [3] for record in pruned)


def test_a_cost_may_be_an_objective_beside_the_metric(path: Path) -> None:
    study = nas.search(on=path, trials=40, objectives=["val_accuracy", "latency_ms:phone"], strategy="nsga2", pruner="pareto")
    directions = [objective.direction for objective in study.tables[0].objectives]
    assert directions == ["maximize", "minimize"]
    assert study.best.figures["latency_ms:phone"].mean in {1, 2, 3}


def test_a_metric_may_name_its_fidelity(path: Path) -> None:
    study = nas.search(on=path, trials=5, objectives=["test_accuracy@9"], strategy="random", study="test")
    assert [goal["figure"] for goal in study.entry.definition["objectives"]] == ["test_accuracy"]
    early = nas.search(on=path, trials=5, epochs=3, strategy="random", study="early")
    assert study.best.figures["test_accuracy"].mean <= 0.9
    assert early.best.figures["val_accuracy"].mean <= 1 / 3 + 0.003
    assert early.tables[0].budget == "3 epochs"


def test_a_search_goes_on_and_refuses_another_table_of_that_name(path: Path) -> None:
    given = {"strategy": "tpe", "confirm": 0, "study": "s"}
    nas.search(on=path, trials=6, **given)  # type: ignore[arg-type]
    study = nas.search(on=path, trials=14, **given)  # type: ignore[arg-type]
    whole = nas.search(on=path, trials=14, strategy="tpe", confirm=0, study="whole", ledger=f"sqlite:///{path.parent}/w.sqlite")
    assert [trial.architecture for trial in trials(study)] == [trial.architecture for trial in trials(whole)]
    write(path, height=2)
    with pytest.raises(LedgerError, match="was begun with another declaration of the benchmark hill version 1"):
        nas.search(on=path, trials=20, **given)  # type: ignore[arg-type]


def test_trainings_of_the_best_again_are_no_further_architectures_of_the_table(path: Path) -> None:
    given = {"limits": ["params <= 100"], "strategy": "random", "study": "s"}
    nas.search(on=path, trials=20, confirm=8, **given)  # type: ignore[arg-type]
    study = nas.search(on=path, trials=40, confirm=8, **given)  # type: ignore[arg-type]
    assert len({trial.architecture.id for trial in trials(study) if trial.state == "complete"}) == 27


def test_the_direction_that_stands_beside_a_table_holds_for_its_objective_by_name(path: Path) -> None:
    path.with_suffix(".yaml").write_text("objective: {figure: val_accuracy, direction: minimize}")
    study = nas.search(on=path, trials=81, objectives=["val_accuracy"], strategy="random", confirm=0, proposals=2000)
    assert study.best.architecture.choices == dict.fromkeys("abcd", 0)


def test_finals_read_the_trainings_that_the_search_has_not(path: Path) -> None:
    study = nas.search(on=path, trials=12, confirm=0, strategy="random", seed=4)
    nas.finals(study.name, top=2, seeds=2, data=path)
    search, finals = ([trial for trial in trials(study) if trial.stage == stage] for stage in ("search", "final"))
    table = read_table(path)
    assert len(finals) == 4
    for architecture in {trial.architecture for trial in finals}:
        seen = [value(trial) for trial in [*search, *finals] if trial.architecture == architecture]
        row = table.row(architecture)
        assert row is not None
        assert sorted(set(seen)) == table.trainings[row].tolist()
    assert all(trial.record is not None and "test_accuracy" in trial.record.figures for trial in finals)


def test_finals_on_a_table_are_called_what_they_are(path: Path, tmp_path: Path) -> None:
    said: list[str] = []
    study = nas.search(on=path, trials=12, confirm=0, strategy="random")
    nas.finals(study.name, top=2, seeds=1, data=path, on_event=lambda event: said.append(getattr(event, "headline", "")))
    assert said[0] == f"finals of {study.name} · 9 epochs, from a table · further trainings"
    page = study.report(tmp_path / "page.html").read_text()
    assert "Trainings of the table that the search did not read" in page
    assert "Test data were" not in page


def value(trial: Trial) -> float:
    assert trial.record is not None
    return trial.record.figures["val_accuracy"]


def test_confirmations_read_other_trainings_than_the_search(path: Path) -> None:
    study = nas.search(on=path, trials=20, confirm=6, strategy="tpe")
    table = read_table(path)
    for architecture in {trial.architecture for trial in trials(study) if trial.stage == "confirm"}:
        own = [trial for trial in trials(study) if trial.architecture == architecture and trial.reused_from is None]
        row = table.row(architecture)
        assert row is not None
        seen = [value(trial) for trial in own]
        assert len(seen) == len(set(seen)) > 1
        assert set(seen) <= set(table.trainings[row].tolist())


def test_finals_read_none_of_the_trainings_that_confirmed(path: Path) -> None:
    study = nas.search(on=path, trials=15, confirm=5, strategy="random", seed=4)
    nas.finals(study.name, top=3, seeds=1, data=path)
    for architecture in {trial.architecture for trial in trials(study) if trial.stage == "final"}:
        read = [value(trial) for trial in trials(study) if trial.architecture == architecture and trial.reused_from is None]
        assert len(read) == len(set(read)) == 3
    with pytest.raises(SearchError, match="of which the search has read 2 of a finalist; got 2 seeds, give at most 1"):
        nas.finals(study.name, seeds=2, data=path)
    study = nas.search(on=path, trials=25, confirm=10, strategy="random", seed=4, study="all")
    with pytest.raises(SearchError, match="has read 3 of a finalist; the best by their mean stand in its leaderboard"):
        nas.finals(study.name, seeds=1, data=path)


def test_finalists_of_a_search_that_steers_by_a_score_have_it_too(path: Path) -> None:
    path.write_text(path.read_text().replace("proxy:logsynflow", "proxy:synflow"))
    study = nas.search(on=path, trials=9, objectives=["val_accuracy", "synflow"], strategy="random")
    nas.finals(study.name, top=2, seeds=1, data=path)
    assert [(table.stage, len(table.rows)) for table in study.tables] == [("final", 2), ("search", 9)]


def test_finals_find_the_table_and_know_it_again(path: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    study = nas.search(on=path, trials=5, strategy="random")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    monkeypatch.delenv("NAS_DATA", raising=False)
    with pytest.raises(TableError, match=r"The table hill\.csv of the study '.*' is not here; name its folder by --data\."):
        nas.finals(study.name)
    monkeypatch.setenv("NAS_DATA", str(tmp_path))
    nas.finals(study.name, top=1)
    with pytest.raises(SearchError, match="of which the search has read 1 of a finalist; got 3 seeds, give at most 2"):
        nas.finals(study.name, seeds=3)
    with pytest.raises(SearchError, match="On a table nothing is trained, got threads; leave them out"):
        nas.finals(study.name, threads=1)
    write(path, height=2)
    with pytest.raises(TableError, match="the two do not compare"):
        nas.finals(study.name)


def test_finals_on_one_training_of_each_are_refused(tmp_path: Path) -> None:
    (tmp_path / "one.csv").write_text("choice:a,accuracy\nx,1\ny,2\nz,3\n")
    study = nas.search(on=tmp_path / "one.csv", trials=2, strategy="random")
    with pytest.raises(
        SearchError, match=r"one\.csv has one training of each architecture, which the search has read: no finals"
    ):
        nas.finals(study.name, data=tmp_path)


def test_a_table_answers_nothing_about_networks(path: Path) -> None:
    study = nas.search(on=path, trials=2, strategy="random")
    with pytest.raises(SearchError, match="is on a table, which does not tell how its networks are built"):
        study.build()
    with pytest.raises(SearchError, match=r"hill\.csv tells figures and trains nothing; name a benchmark with data"):
        train_one(None, on=path, architecture={})


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"replicates": 2}, "On a table nothing is trained, got replicates 2; leave it out"),
        ({"threads": 4}, "On a table nothing is trained, got threads 4; leave it out"),
        ({"recipe": ["mixup=0.2"]}, "On a table nothing is trained, got recipe"),
        ({"fraction": 0.5}, "On a table nothing is trained, got fraction 0.5; leave it out"),
        ({"epochs": 4}, "The table 'hill' has val_accuracy after 3, 9; got 4 epochs"),
        (
            {"limits": ["flops <= 5"]},
            r"A limit is on what the table hill\.csv knows before training, got 'flops <= 5'\. Known: lat",
        ),
        ({"limits": ["val_accuracy >= 0.5"]}, "A limit is on what the table hill.csv knows before training"),
        (
            {"limits": ["params < 5"]},
            "No architecture of the table 'hill' keeps to params < 5: params goes from 100 to 300; widen",
        ),
        ({"objectives": ["accuracy"]}, r"The table hill\.csv has no 'accuracy'\. Did you mean 'val_accuracy'\? Known: "),
        (
            {"objectives": ["val_accuracy@9", "test_accuracy@3"]},
            "All objectives are read at one fidelity, got 'val_accuracy@9' and",
        ),
        (
            {"objectives": ["val_accuracy@3", "test_accuracy"]},
            "The table 'hill' has no test_accuracy after 3 epochs, as it has val",
        ),
        ({"objectives": ["val_accuracy@4"]}, "The table 'hill' has no val_accuracy after '4' epochs; it has it after 3, 9"),
        (
            {"objectives": ["test_accuracy"], "pruner": "median"},
            "tells no curve of test_accuracy for the pruner 'median'; leave it",
        ),
        ({"limits": ["logsynflow > 1"]}, "A limit is on what the table hill.csv knows before training, got 'logsynflow > 1'"),
        (
            {"objectives": ["logsynflow"]},
            r"has no 'logsynflow'\. Known: latency_ms:phone, params, test_accuracy, val_accuracy\.$",
        ),
        ({"proxies": ["naswot"]}, r"The table hill\.csv has no proxy:naswot\. Known: none\."),
    ],
)
def test_what_a_table_cannot_answer_is_refused_before_anything_is_kept(
    path: Path, given: dict[str, object], message: str
) -> None:
    with pytest.raises(NasError, match=message):
        nas.search(on=path, ledger=f"sqlite:///{path.parent}/n.sqlite", **given)  # type: ignore[arg-type]
    assert not (path.parent / "n.sqlite").exists()


def test_a_space_that_is_given_reads_the_table_and_must_be_of_it(path: Path) -> None:
    space = parse_space(
        "name: mine\nversion: 3\naccepts: tokens\nlayers:\n  - row: {a: [0, 1, 2], b: [0, 1, 2], c: [0, 1, 2], d: [0, 1, 2]}"
    )
    with pytest.raises(TableError, match=r"hill\.csv, line 2: the choice 'row\.a' applies and is not answered"):
        nas.search(space, on=path)
    shared = parse_space(
        "name: mine\nversion: 3\naccepts: [tokens, image]\nchoices: {a: [0, 1, 2], b: [0, 1, 2], c: [0, 1, 2], d: [0, 1, 2]}\n"
        "layers:\n  - row: {a: $a, b: $b, c: $c, d: $d}"
    )
    study = nas.search(shared, on=path, trials=3, strategy="random")
    assert study.best.architecture.space == "mine"
    with pytest.raises(SearchError, match=r"The table hill\.csv is of the space 'hill', got 'mine'; leave it out\."):
        nas.search(shared, on=read_table(path).benchmark)


def test_without_a_table_a_space_is_needed_as_before() -> None:
    with pytest.raises(SearchError, match="A search needs 'space'"):
        nas.search(on="digits")


def test_random_search_on_a_table_agrees_with_the_formula(path: Path) -> None:
    table = read_table(path)
    reached = [regret_of(table, nas.search(on=path, trials=8, confirm=0, strategy="random", seed=seed)) for seed in range(30)]
    error = np.std(reached) / len(reached) ** 0.5
    assert np.mean(reached) == pytest.approx(table.expected_regret([8])[0], abs=3.5 * error + 0.002)


def regret_of(table: Table, study: Study) -> float:
    return table.regret(study.best.architecture)


def test_a_limit_may_name_a_device() -> None:
    limit = Limit.parse("latency_ms:raspi4 <= 5")
    assert (limit.figure, str(limit)) == ("latency_ms:raspi4", "latency_ms:raspi4 <= 5")
