import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toys import toy_record

from nas.benchmark import Budget, Objective
from nas.errors import LedgerError, RankingError
from nas.ranking import COSTS, Order, Priority, Row, Table, figure_names, leaderboard, rank
from nas.records import FIGURES, Latency, Ledger, Machine, Outcome, Record, Replicate, Stage, StudyEntry, Trial
from nas.space import Architecture, Limit

BUDGET = Budget(epochs=3)
MACHINE = Machine(system="Linux x86_64", processor="A Processor", cores=2, memory_gib=16)
ACCURACY = Objective("validation_accuracy", "maximize")
PARAMS = Objective("params", "minimize")


def study(
    name: str = "a",
    objectives: Sequence[Objective] = (ACCURACY,),
    benchmark: str = "digits",
    version: int = 1,
    declared: Mapping[str, Any] | None = None,
    recipe: Mapping[str, Any] | None = None,
) -> StudyEntry:
    definition = {
        "space": {"name": "toy", "version": 1},
        "benchmark": {"name": benchmark, "version": version, **(declared or {})},
        "recipe": recipe or {},
        "objectives": [vars(objective) for objective in objectives],
    }
    return StudyEntry(id=1, name=name, definition=definition, begun_at="2026-01-01")


def architecture(n: int) -> Architecture:
    return Architecture("toy", 1, {"width": n})


def record(
    accuracy: float | None, outcome: Outcome = "complete", seed: int = 0, budget: Budget = BUDGET, **figures: float
) -> Record:
    """A record on a machine that is nobody's; a `flops` of 1 unless given."""
    scores = {} if accuracy is None else {"validation_accuracy": accuracy}
    return replace(toy_record(outcome, {"flops": 1, **figures, **scores}, (), seed, budget), machine=MACHINE)


def trial(
    number: int,
    result: Record,
    *,
    of: int | None = None,
    entry: str = "a",
    stage: Stage = "search",
    reused_from: int | None = None,
) -> Trial:
    """The trial of that number; of the architecture of the same number unless `of` says another."""
    proposed = architecture(number if of is None else of)
    return Trial(
        id=number + 1,
        study=entry,
        stage=stage,
        number=number,
        state=result.outcome,
        architecture=proposed,
        evaluation=f"{proposed.id}-{stage}-{result.seed}-{result.budget}",
        reused_from=reused_from,
        begun_at="2026-01-01",
        ended_at="2026-01-02",
        proposal={},
        record=result,
    )


def latency(**unusual: Any) -> Latency:
    usual = {"batch_size": 1, "device": "cpu", "threads": 1, "dtype": "float32"}
    return Latency(median_ms=1.0, low_ms=0.9, high_ms=1.1, p95_ms=1.5, samples=100, **{**usual, **unusual})


def ranked(*trials: Trial, objectives: Sequence[Objective] = (ACCURACY,), cost: str = "flops") -> Table:
    """The one table of these trials."""
    (table,) = rank([(study(objectives=objectives), one) for one in trials], cost=cost)
    return table


def numbers(rows: Sequence[Row]) -> list[int]:
    return [row.number for row in rows]


def ranks(table: Table) -> list[int]:
    return [row.rank for row in table.rows]


# The order.


def test_the_best_comes_first_and_what_best_means_is_the_objectives_direction() -> None:
    trials = [trial(n, record(accuracy, params=accuracy)) for n, accuracy in enumerate([0.2, 0.9, 0.5])]
    assert numbers(ranked(*trials).rows) == [1, 2, 0]
    assert numbers(ranked(*trials, objectives=[PARAMS]).rows) == [0, 2, 1]


def test_ties_share_a_rank_and_the_next_rank_counts_them() -> None:
    table = ranked(*(trial(n, record(accuracy)) for n, accuracy in enumerate([0.9, 0.5, 0.7, 0.7])))
    assert ranks(table) == [1, 2, 2, 4]
    assert numbers(table.rows) == [0, 2, 3, 1]


@settings(deadline=None)
@given(st.lists(st.integers(0, 5), min_size=1, max_size=20))
def test_a_rank_is_one_more_than_the_number_of_better_rows(scores: list[int]) -> None:
    table = ranked(*(trial(n, record(score)) for n, score in enumerate(scores)))
    for row in table.rows:
        assert row.rank == 1 + sum(other > scores[row.number] for other in scores)
    assert ranks(table) == sorted(ranks(table))


@pytest.mark.parametrize("outcome", ["infeasible", "pruned", "failed"])
def test_only_complete_trials_are_ranked(outcome: Outcome) -> None:
    table = ranked(trial(0, record(0.5)), trial(1, record(0.9, outcome)))
    assert numbers(table.rows) == [0]
    assert rank([(study(), trial(1, record(0.9, outcome)))]) == ()


def test_a_running_trial_is_not_ranked() -> None:
    running = replace(trial(1, record(0.9)), state="running", record=None)
    assert numbers(ranked(trial(0, record(0.5)), running).rows) == [0]


def test_a_trial_whose_objective_was_not_measured_is_left_out() -> None:
    assert numbers(ranked(trial(0, record(0.5)), trial(1, record(None))).rows) == [0]
    assert rank([(study(), trial(1, record(None)))]) == ()


def test_an_architecture_proposed_again_has_one_row() -> None:
    first, other, again = trial(0, record(0.5)), trial(1, record(0.4)), trial(2, record(0.5), of=0, reused_from=1)
    table = ranked(first, other, again)
    assert numbers(table.rows) == [0, 1]
    assert table.rows[0].trials == (first,)
    assert table.rows[0].figures["validation_accuracy"].count == 1
    assert table.rows[0].figures["validation_accuracy"].deviation is None


def test_studies_have_rows_of_their_own() -> None:
    (table,) = rank([(study("a"), trial(0, record(0.5))), (study("b"), trial(0, record(0.6), entry="b"))])
    assert [(row.study, row.rank) for row in table.rows] == [("b", 1), ("a", 2)]


# Finalists.


def test_finalists_are_ranked_by_the_mean_over_their_seeds() -> None:
    scores = {0: [0.9, 0.1, 0.2], 1: [0.5, 0.6, 0.55]}
    trials = [
        trial(3 * of + n, record(score, seed=n + 1, test_accuracy=score - 0.1), of=of, stage="final")
        for of, found in scores.items()
        for n, score in enumerate(found)
    ]
    table = ranked(*trials)
    assert (table.stage, ranks(table)) == ("final", [1, 1])  # which three such seeds cannot tell apart
    for row, of in zip(table.rows, (1, 0), strict=True):
        assert (row.architecture, len(row.trials)) == (architecture(of), 3)
        summary = row.figures["validation_accuracy"]
        assert (summary.mean, summary.deviation, summary.count) == pytest.approx((mean(scores[of]), stdev(scores[of]), 3))
        assert row.figures["test_accuracy"].mean == pytest.approx(mean(scores[of]) - 0.1)


def test_the_deviation_is_that_of_a_sample() -> None:
    table = ranked(*(trial(n, record(score, seed=n), of=0, stage="final") for n, score in enumerate([1.0, 3.0])))
    assert table.rows[0].figures["validation_accuracy"].deviation == pytest.approx(2**0.5)  # not 1, that of a population


def test_test_figures_order_nothing() -> None:
    trials = [trial(n, record(0.5 + n / 10, test_accuracy=0.9 - n / 10), stage="final") for n in range(3)]
    assert numbers(ranked(*trials).rows) == [2, 1, 0]


def test_a_figure_that_one_seed_lacks_is_summed_up_over_the_others() -> None:
    table = ranked(
        trial(0, record(0.5, seed=1, latency_ms=2.0), of=0, stage="final"), trial(1, record(0.7, seed=2), of=0, stage="final")
    )
    summary = table.rows[0].figures["latency_ms"]
    assert (summary.mean, summary.deviation, summary.count) == (2.0, None, 1)


# How sure an order is.


def trainings(stage: Stage, *rows: Sequence[float], first: int = 0) -> list[Trial]:
    """Each row's trainings with seeds from 1."""
    return [
        trial(first + 10 * of + n, record(score, seed=n + 1, params=of), of=of, stage=stage)
        for of, row in enumerate(rows)
        for n, score in enumerate(row)
    ]


def test_finalists_that_cannot_be_told_apart_share_a_rank_and_say_how_sure_they_are() -> None:
    table = ranked(*trainings("final", [0.90, 0.91, 0.92], [0.905, 0.915, 0.91], [0.5, 0.51, 0.49]))
    assert ranks(table) == [1, 1, 3]
    known = [row.certainty for row in table.rows]
    assert [one.places for one in known if one] == [(1, 2), (1, 2), (3, 3)]
    assert sum(one.first for one in known if one) == pytest.approx(1)
    for row in table.rows:
        assert row.certainty is not None
        interval = row.certainty.intervals["validation_accuracy"]
        assert interval.low < row.figures["validation_accuracy"].mean < interval.high


def test_a_search_and_finalists_of_one_seed_say_nothing_of_noise() -> None:
    assert all(row.certainty is None for row in ranked(*trainings("search", [0.9], [0.8])).rows)
    table = ranked(*trainings("final", [0.9], [0.8]))
    assert (ranks(table), [row.certainty for row in table.rows]) == ([1, 2], [None, None])


def test_the_lucky_training_of_a_search_does_not_lead_what_was_confirmed() -> None:
    lucky = [trial(0, record(1.0), of=0), trial(1, record(0.93), of=1)]
    again = trainings("confirm", [0.90, 0.90, 0.902], [0.92, 0.921, 0.92], first=50)
    confirmed, found = rank([(study(), one) for one in (*lucky, *again)])
    assert (confirmed.stage, found.stage) == ("confirm", "search")
    assert [row.architecture for row in confirmed.rows] == [architecture(1), architecture(0)]
    assert [row.architecture for row in found.rows] == [architecture(0), architecture(1)]
    assert [{one.stage for one in row.trials} for row in confirmed.rows] == [{"confirm"}, {"confirm"}]
    chances = []
    for row in confirmed.rows:
        assert row.certainty is not None
        chances.append(row.certainty.first)
        summary, interval = row.figures["validation_accuracy"], row.certainty.intervals["validation_accuracy"]
        assert summary.count == 3
        assert interval.low < summary.mean < interval.high
    assert chances[0] > 0.9 > chances[1]


def test_a_failed_training_is_missing_and_no_more() -> None:
    found = trainings("final", [0.90, 0.91, 0.92], [0.80, 0.81, 0.82])
    failed = trial(99, record(None, "failed", seed=3), of=1, stage="final")
    table = ranked(*found[:-1], failed)
    assert [row.certainty is not None for row in table.rows] == [True, True]
    assert ranks(table) == [1, 2]


def test_several_objectives_keep_their_ranks() -> None:
    trials = trainings("final", [0.9, 0.91], [0.9, 0.91], [0.8, 0.81])
    table = ranked(*trials, objectives=[ACCURACY, PARAMS])
    assert ranks(table) == [1, 2, 3]
    assert all(
        row.certainty is not None and set(row.certainty.intervals) == {"validation_accuracy", "params"} for row in table.rows
    )


# What cannot be compared.


@pytest.mark.parametrize(
    ("entry", "other"),
    [
        (study(benchmark="fashion_mnist"), trial(1, record(0.5))),
        (study(version=2), trial(1, record(0.5))),
        (study(objectives=[ACCURACY, PARAMS]), trial(1, record(0.5, params=1))),
        (study(), trial(1, record(0.5), stage="final")),
        (study(), trial(1, record(0.5, budget=Budget(epochs=4)))),
        (study(), trial(1, record(0.5, budget=Budget(epochs=3, fraction=0.5)))),
        (study(), trial(1, record(0.5, budget=Budget(epochs=3, seconds=60)))),
        (study(), trial(1, replace(record(0.5), machine=replace(MACHINE, cores=4)))),
        (study(), trial(1, replace(record(0.5), device="cuda:0"))),
        (study(), trial(1, replace(record(0.5), threads=8))),
        (study(), trial(1, replace(record(0.5), replicates=(Replicate(seed=0, figures={}, curve=()),) * 2))),
    ],
    ids=[
        *("benchmark", "version", "objectives", "stage", "epochs", "fraction", "seconds"),
        *("machine", "device", "threads", "replicates"),
    ],
)
def test_rows_that_cannot_be_compared_stand_in_tables_of_their_own(entry: StudyEntry, other: Trial) -> None:
    tables = rank([(study(), trial(0, record(0.9))), (entry, other)])
    assert sorted(numbers(table.rows) for table in tables) == [[0], [1]]
    assert [ranks(table) for table in tables] == [[1], [1]]


def test_budgets_that_read_alike_are_still_apart() -> None:
    trials = [trial(n, record(0.5, budget=Budget(epochs=1, fraction=fraction))) for n, fraction in enumerate([0.1001, 0.1002])]
    assert len(rank([(study(), one) for one in trials])) == 2


def test_studies_that_ask_the_same_share_a_table() -> None:
    (table,) = rank([(study("a"), trial(0, record(0.5))), (study("b"), trial(1, record(0.6), entry="b"))])
    assert ranks(table) == [1, 2]
    assert (table.benchmark, table.stage, table.budget, table.setting.machine, table.setting.device, table.objectives) == (
        *("digits v1", "search", "3 epochs", MACHINE, "cpu"),
        (ACCURACY,),
    )


def test_finalists_come_before_the_search_and_then_benchmarks_in_order() -> None:
    pairs = [
        (study(benchmark=name), trial(n, record(0.5), stage=stage))
        for n, (name, stage) in enumerate([("b", "search"), ("b", "final"), ("a", "search"), ("a", "final")])
    ]
    tables = rank(pairs)
    assert [(table.stage, table.benchmark) for table in tables] == [
        *(("final", "a v1"), ("final", "b v1")),
        *(("search", "a v1"), ("search", "b v1")),
    ]


# Several objectives, and the front.


def test_several_objectives_rank_front_by_front() -> None:
    # accuracy up, params down: 0 and 1 lie on the front, 2 and 3 behind it, 4 behind those
    points = [(0.9, 100), (0.5, 10), (0.8, 200), (0.4, 20), (0.3, 300)]
    trials = [trial(n, record(accuracy, params=params)) for n, (accuracy, params) in enumerate(points)]
    table = ranked(*reversed(trials), objectives=[ACCURACY, PARAMS])
    assert numbers(table.rows) == [0, 1, 2, 3, 4]
    assert ranks(table) == [1, 2, 3, 4, 5]
    assert [row.on_front for row in table.rows] == [True, True, False, False, False]


def test_rows_equal_in_every_objective_share_a_rank_and_others_do_not() -> None:
    points = [(0.9, 100), (0.9, 100), (0.9, 200), (0.8, 100)]
    trials = [trial(n, record(accuracy, params=params)) for n, (accuracy, params) in enumerate(points)]
    table = ranked(*trials, objectives=[ACCURACY, PARAMS])
    assert (numbers(table.rows), ranks(table)) == ([0, 1, 2, 3], [1, 1, 3, 4])


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=15))
def test_no_row_comes_before_one_that_is_better_in_every_objective(points: list[tuple[int, int]]) -> None:
    trials = [trial(n, record(accuracy, params=params)) for n, (accuracy, params) in enumerate(points)]
    table = ranked(*trials, objectives=[ACCURACY, PARAMS])
    found = [points[row.number] for row in table.rows]
    for place, (accuracy, params) in enumerate(found):
        assert not any(other[0] > accuracy and other[1] < params for other in found[place:])
        assert [row.rank for row in table.rows if points[row.number] == (accuracy, params)] == [
            table.rows[place].rank
        ] * points.count((accuracy, params))


def test_the_front_weighs_the_objective_against_the_cost() -> None:
    # the second best is cheaper, the third is worse and dearer than the second, the last is the cheapest
    points = [(0.9, 100), (0.8, 50), (0.7, 60), (0.6, 10), (0.6, 10)]
    trials = [trial(n, record(accuracy, flops=flops, params=1)) for n, (accuracy, flops) in enumerate(points)]
    table = ranked(*trials)
    assert [row.on_front for row in table.rows] == [True, True, False, True, True]
    assert table.cost == "flops"
    against_params = ranked(*trials, cost="params")
    assert [row.on_front for row in against_params.rows] == [True, False, False, False, False]


def test_a_row_without_the_cost_counts_as_the_dearest() -> None:
    trials = [trial(0, record(0.9)), trial(1, record(0.8)), trial(2, record(0.7, latency_ms=5.0))]
    table = ranked(*trials, cost="latency_ms")
    assert [row.on_front for row in table.rows] == [True, False, True]


# From a ledger.


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    """Two studies of one benchmark, with one complete trial each."""
    with Ledger(f"sqlite:///{tmp_path}/nas.sqlite") as opened:
        for n, name in enumerate("ab"):
            entry = opened.begin_study(name, study().definition)
            begun = opened.begin_trial(entry, "search", 0, architecture(n), f"key {n}")
            opened.end_trial(begun, record(0.5 + n / 10))
        yield opened


def test_a_ledger_is_ranked_as_a_whole_or_by_study(ledger: Ledger) -> None:
    (whole,) = leaderboard(ledger)
    assert [row.study for row in whole.rows] == ["b", "a"]
    (part,) = leaderboard(ledger, "a")
    assert [row.study for row in part.rows] == ["a"]


def test_an_unknown_study_is_refused(ledger: Ledger) -> None:
    with pytest.raises(LedgerError, match=r"is called 'c'\. Known: a, b\.$"):
        leaderboard(ledger, "c")


def test_an_unknown_cost_is_refused(ledger: Ledger) -> None:
    with pytest.raises(LedgerError, match=r"^A front cannot be drawn against 'flop'\. Did you mean 'flops'\?"):
        leaderboard(ledger, cost="flop")


@pytest.mark.parametrize("cost", COSTS)
def test_every_cost_can_be_asked_for(ledger: Ledger, cost: str) -> None:
    assert cost in FIGURES
    assert leaderboard(ledger, cost=cost)[0].cost == cost


def test_an_empty_study_has_no_table(ledger: Ledger) -> None:
    ledger.begin_study("empty", study().definition)
    assert leaderboard(ledger, "empty") == ()


# Names of figures.


def test_figures_are_named_in_reading_order() -> None:
    figures: dict[str, Any] = dict.fromkeys(reversed(FIGURES), 1.0)
    table = ranked(trial(0, record(0.5, validation_loss=0.7, test_accuracy=0.4, **figures)), objectives=[ACCURACY, PARAMS])
    assert figure_names(table) == [
        *("validation_accuracy", "params"),
        "test_accuracy",
        *(name for name in FIGURES if name != "params"),
        "validation_loss",
    ]


def test_metrics_that_steer_nothing_stand_behind_costs_by_their_numbers() -> None:
    hits = {f"{split}_hits_at_{n}": 0.5 for split in ("validation", "test") for n in (10, 1, 3)}
    table = ranked(trial(0, record(0.5, test_accuracy=0.4, params=9.0, **hits)))
    assert figure_names(table) == [
        *("validation_accuracy", "test_accuracy", "params", "flops"),
        *(f"{split}_hits_at_{n}" for split in ("test", "validation") for n in (1, 3, 10)),
    ]


def test_what_a_protocol_costs_stands_after_what_every_candidate_does() -> None:
    figures = {"pretrain_validation_contrast": 0.3, "pretrain_flops": 1e12, "train_seconds": 2.0}
    table = ranked(trial(0, record(0.5, **figures)))
    assert figure_names(table) == [
        "validation_accuracy",
        "flops",
        "train_seconds",
        "pretrain_validation_contrast",
        "pretrain_flops",
    ]


def test_only_figures_that_some_row_has_are_named() -> None:
    table = ranked(trial(0, record(0.5)), trial(1, record(0.4, latency_ms=1.5)))
    assert figure_names(table) == ["validation_accuracy", "flops", "latency_ms"]


# Why they cannot be compared.


def why(*pairs: tuple[StudyEntry, Trial], **asked: Any) -> list[str]:
    """In words, what sets the last table apart from the largest one."""
    (apart,) = [table.apart for table in rank(pairs, **asked) if table.apart]
    return [str(difference) for difference in apart.differences]


@pytest.mark.parametrize(
    ("entry", "other", "reason"),
    [
        (study(version=2), trial(9, record(0.5)), "benchmark digits v2, there digits v1"),
        (study(), trial(9, record(0.5, budget=Budget(epochs=4))), "budget 4 epochs, there 3 epochs"),
        (study(), trial(9, replace(record(0.5), device="cuda:0")), "device cuda:0, there cpu"),
        (study(), trial(9, replace(record(0.5), precision="bfloat16")), "precision bfloat16, there float32"),
        (study(), trial(9, replace(record(0.5), threads=8)), "threads 8, there 1"),
        (study(), trial(9, replace(record(0.5), latency=latency(batch_size=8))), "latency batches of 8, there as usual"),
        (study(), trial(9, replace(record(0.5), latency=latency(dtype="float16"))), "latency float16, there as usual"),
        (study(), trial(9, replace(record(0.5), latency=latency(backend="onnx"))), "latency onnx, there as usual"),
        (study(), trial(9, replace(record(0.5), latency=latency(threads=4))), "latency 4 threads, there as usual"),
        (study(recipe={"mixup": 0.2}), trial(9, record(0.5)), "recipe mixup=0.2, there as usual"),
        (
            study(objectives=[PARAMS]),
            trial(9, record(0.5, params=1)),
            "objectives minimize params, there maximize validation_accuracy",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_table_says_what_sets_it_apart_from_the_largest(entry: StudyEntry, other: Trial, reason: str) -> None:
    many = [(study(), trial(n, record(0.9))) for n in range(3)]
    assert why((entry, other), *many) == [reason]


def test_a_latency_that_was_not_measured_sets_nothing_apart() -> None:
    usual, none = trial(0, replace(record(0.9), latency=latency())), trial(1, record(0.8))
    assert len(rank([(study(), usual), (study(), none)])) == 1


def test_a_benchmark_that_was_changed_under_one_version_is_seen() -> None:
    declared = {"signature": {}, "recipe": {"batch_size": 32, "learning_rate": 0.1}}
    changed = {**declared, "recipe": {**declared["recipe"], "batch_size": 64}}
    many = [(study(declared=declared), trial(n, record(0.9))) for n in range(3)]
    assert why(*many, (study(declared=changed), trial(9, record(0.5)))) == ["the benchmark's batch_size 64, there 32"]


def test_what_follows_from_another_benchmark_is_not_told() -> None:
    many = [(study(declared={"recipe": {"batch_size": 32, "learning_rate": 0.1}}), trial(n, record(0.9))) for n in range(3)]
    other = study("b", [PARAMS], "clothes", declared={"recipe": {"batch_size": 64, "learning_rate": 0.2}})
    asked = trial(0, replace(record(0.5, params=1), data_sha256="a" * 64, threads=2), entry="b")
    assert why(*many, (other, asked)) == ["benchmark clothes v1, there digits v1", "threads 2, there 1"]


def test_an_option_that_an_older_recipe_does_not_know_had_its_default() -> None:
    older = {"recipe": {"batch_size": 32, "learning_rate": 0.1}}
    newer = {"recipe": {**older["recipe"], "mixup": 0.0, "ema": None}}
    pairs = [(study("a", declared=older), trial(0, record(0.9))), (study("b", declared=newer), trial(0, record(0.8), entry="b"))]
    assert len(rank(pairs)) == 1


def test_other_data_set_rows_apart_and_data_that_are_not_told_do_not() -> None:
    pairs = [(study(), trial(n, replace(record(0.9), data_sha256=data))) for n, data in enumerate([None, "a" * 64, "a" * 64])]
    (table,) = rank(pairs)
    assert numbers(table.rows) == [0, 1, 2]
    other = (study(), trial(3, replace(record(0.9), data_sha256="b" * 64)))
    assert why(*pairs[1:], other) == ["data bbbbbbbbbbbb, there aaaaaaaaaaaa"]
    assert len(rank([*pairs, other])) == 3


def test_how_examples_were_loaded_matters_where_training_time_or_memory_decides() -> None:
    pairs = [
        (study(), trial(n, replace(record(0.9, train_seconds=1.0), loading=loading)))
        for n, loading in enumerate(["memory", "memory", "stream"])
    ]
    assert len(rank(pairs)) == 1
    assert why(*pairs, limits=[Limit.parse("train_seconds <= 5")]) == ["loading stream, there memory"]


def test_tables_of_other_stages_are_compared_with_the_largest_of_all() -> None:
    pairs = [(study(), trial(n, record(0.9))) for n in range(3)] + [(study(), trial(0, record(0.9, seed=1), stage="final"))]
    final, search = rank(pairs)
    assert search.apart is None
    assert final.apart is not None
    assert final.apart.table == 1
    assert [difference.what for difference in final.apart.differences] == ["stage"]


# Other figures, orders and limits.


def points(*figures: tuple[float, float, float]) -> list[tuple[StudyEntry, Trial]]:
    """Trials of accuracy, params and latency."""
    return [
        (study(), trial(n, record(accuracy, params=params, latency_ms=latency_ms)))
        for n, (accuracy, params, latency_ms) in enumerate(figures)
    ]


def test_other_figures_than_the_searchs_can_rank() -> None:
    pairs = points((0.9, 30, 3.0), (0.8, 20, 1.0), (0.7, 10, 2.0))
    (table,) = rank(pairs, objectives=["latency_ms"])
    assert (numbers(table.rows), table.objectives) == ([1, 2, 0], (Objective("latency_ms", "minimize"),))
    (table,) = rank(pairs, objectives=["validation_accuracy", "latency_ms"])
    assert [row.on_front for row in table.rows] == [True, True, False]  # of these two, whatever the FLOPs are
    assert table.cost is None
    (table,) = rank(pairs, objectives=["latency_ms=maximize"])
    assert numbers(table.rows) == [0, 2, 1]


def test_what_an_order_names_counts_too() -> None:
    (table,) = rank(points((0.9, 30, 3.0), (0.8, 20, 1.0)), order=Order(name="lexicographic", priorities=(Priority("params"),)))
    assert [objective.figure for objective in table.objectives] == ["validation_accuracy", "params"]
    assert numbers(table.rows) == [1, 0]


def test_rows_without_a_figure_that_ranks_are_counted() -> None:
    pairs = [*points((0.9, 30, 3.0)), (study(), trial(1, record(0.8)))]
    (table,) = rank(pairs, objectives=["latency_ms"])
    assert (numbers(table.rows), table.left_out) == ([0], 1)


def test_rows_outside_a_limit_stand_below_the_furthest_out_last() -> None:
    pairs = points((0.9, 100, 1.0), (0.8, 60, 1.0), (0.5, 50, 9.0), (0.4, 10, 1.0))
    (table,) = rank(
        [*pairs, (study(), trial(4, record(0.99)))], limits=[Limit.parse("params <= 50"), Limit.parse("latency_ms <= 5")]
    )
    assert numbers(table.rows) == [3, 1, 2, 0, 4]
    assert [row.on_front for row in table.rows] == [True, False, False, False, False]
    assert [row.broken for row in table.rows] == [
        (),
        ("params <= 50, got 60",),
        ("latency_ms <= 5, got 9",),
        ("params <= 50, got 100",),
        ("params <= 50, not measured", "latency_ms <= 5, not measured"),
    ]
    assert ranks(table) == [1, 2, 3, 4, 5]


def test_neither_front_nor_hypervolume_nor_scale_knows_rows_outside_a_limit() -> None:
    pairs = points((0.9, 30, 3.0), (0.8, 20, 1.0), (0.85, 25, 2.0))
    asked: dict[str, Any] = {"objectives": ["validation_accuracy", "params"], "order": Order(name="weighted")}
    (alone,) = rank(pairs, **asked)
    (beside,) = rank(
        [*pairs, *points((0, 0, 0), (0, 0, 0), (0, 0, 0), (0.99, 1, 50.0))[3:]], limits=[Limit("latency_ms", "<=", 5)], **asked
    )
    assert beside.hypervolume == alone.hypervolume
    assert beside.scale == alone.scale
    assert [row.score for row in beside.rows[:3]] == [row.score for row in alone.rows]
    assert beside.rows[3].score is None


def test_no_row_within_the_limits_leaves_a_table_without_a_front() -> None:
    (table,) = rank(
        points((0.9, 30, 3.0), (0.8, 20, 1.0)), objectives=["validation_accuracy", "params"], limits=[Limit("params", "<", 5)]
    )
    assert (table.hypervolume, table.knee, [row.on_front for row in table.rows]) == (None, None, [False, False])


def test_the_knee_is_a_row_of_the_front_that_is_shown() -> None:
    pairs = points((0.9, 100, 1.0), (0.88, 20, 1.0), (0.5, 10, 1.0), (0.6, 90, 1.0))
    (table,) = rank(pairs, cost="params")
    assert table.knee is not None
    assert (table.knee.number, [row.number for row in table.rows if row.knee]) == (1, [1])


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"objectives": ["latency"]}, "No complete trial has the figure 'latency'. Did you mean 'latency_ms'?"),
        ({"objectives": ["test_accuracy"]}, "Test figures stand beside an order and make none, got 'test_accuracy';"),
        ({"limits": [Limit("test_accuracy", ">=", 0.5)]}, "Test figures stand beside an order and make none,"),
        ({"order": Order(name="weighted", weights={"beauty": 1})}, "No complete trial has the figure 'beauty'. Known: flops,"),
        ({"objectives": ["params=least"]}, "An objective reads like 'latency_ms' or 'latency_ms=minimize', got 'params=least'."),
        ({"objectives": ["params", "params=max"]}, "An objective is named once, got 'params' twice; leave one out."),
    ],
)
def test_a_figure_that_cannot_rank_is_refused(asked: Mapping[str, Any], message: str) -> None:
    with pytest.raises(RankingError, match="^" + re.escape(message)):
        rank(points((0.9, 30, 3.0)), **asked)
