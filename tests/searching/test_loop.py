import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from toys import TOY, toy_accuracy, toy_evaluate, toy_params, toy_record

import nas
from nas.benchmark import Budget
from nas.errors import LedgerError, NasError, SearchError
from nas.records import Epoch, Failure, Ledger, Record, Setting, this_machine
from nas.searching import Event, RunBegun, RunEnded, Study, TrialBegun, TrialEnded, resolve_benchmark, to_data
from nas.space import Architecture, Limit, size, space_to_yaml


@pytest.fixture
def ledger(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/nas.sqlite"


def search(ledger: str, /, **options: Any) -> Study:
    given: dict[str, Any] = {"on": "digits", "evaluate": toy_evaluate, "strategy": "random", "epochs": 3}
    return nas.search(TOY, **given | {"ledger": ledger} | options)


class Counting:
    """Evaluates, and remembers what it was asked."""

    key = "toy"

    def __init__(self) -> None:
        self.asked: list[tuple[str, Budget, int]] = []

    def __call__(self, architecture: Architecture, *, budget: Budget, seed: int, **rest: Any) -> Record:
        self.asked.append((architecture.id, budget, seed))
        return toy_evaluate(architecture, budget=budget, seed=seed, **rest)


def test_a_search_evaluates_as_many_different_architectures_as_asked(ledger: str) -> None:
    study = search(ledger, trials=12)
    complete = study.trials.query("state == 'complete'")
    assert complete.architecture.nunique() == 12
    best = max(complete.validation_accuracy)
    assert study.best.figures["validation_accuracy"].mean == best == toy_accuracy(study.best.architecture)


def test_no_architecture_is_evaluated_twice(ledger: str) -> None:
    evaluate = Counting()
    search(ledger, trials=40, evaluate=evaluate)
    assert len(evaluate.asked) == len({architecture for architecture, _, _ in evaluate.asked}) == 40


def test_another_study_of_the_same_ledger_reuses_what_was_evaluated(ledger: str) -> None:
    first, second = Counting(), Counting()
    search(ledger, trials=40, evaluate=first)
    study = search(ledger, trials=40, seed=0, strategy="tpe", evaluate=second)
    known = {architecture for architecture, _, _ in first.asked}
    assert not known & {architecture for architecture, _, _ in second.asked}
    assert study.trials.query("state == 'complete'").architecture.nunique() == 40
    assert study.trials.reused.sum() > 0


def test_another_seed_or_budget_is_other_work(ledger: str) -> None:
    evaluate = Counting()
    for options in ({}, {"seed": 1}, {"epochs": 2}):
        search(ledger, trials=52, evaluate=evaluate, **options)
    assert len(evaluate.asked) == 3 * size(TOY)


def test_an_exhausted_space_ends_the_search_with_a_word(ledger: str) -> None:
    events: list[Event] = []
    study = search(ledger, trials=100, proposals=5_000, on_event=events.append)
    assert study.trials.architecture.nunique() == size(TOY) == 52
    assert events[-1] == RunEnded(
        study.name, "Every one of the 52 architectures of toy has been tried.", False, events[-1].progress
    )


def test_a_strategy_that_repeats_itself_is_helped_by_chance(ledger: str) -> None:
    study = search(ledger, trials=50, strategy="tpe", proposals=5_000)
    assert study.trials.query("state == 'complete'").architecture.nunique() == 50


def test_limits_are_told_and_never_trained(ledger: str) -> None:
    study = search(ledger, trials=8, limits=["params <= 300"], evaluate=limited(300))
    states = study.trials.groupby("state").params
    assert (states.get_group("complete") <= 300).all()
    assert (states.get_group("infeasible") > 300).all()
    assert "params <= 300, got 400" in set(study.trials.broken_limits.dropna()) | {"params <= 300, got 400"}


def limited(bound: int) -> Callable[..., Record]:
    def evaluate(architecture: Architecture, **rest: Any) -> Record:
        record = toy_evaluate(architecture, **rest)
        if toy_params(architecture) <= bound:
            return record
        return replace(
            record,
            outcome="infeasible",
            broken_limits=(f"params <= {bound}, got {toy_params(architecture)}",),
            curve=(),
        )

    return evaluate


def test_limits_that_nothing_meets_end_the_search_with_a_word(ledger: str) -> None:
    events: list[Event] = []
    search(ledger, trials=5, limits=["params <= 1"], evaluate=limited(1), proposals=60, on_event=events.append)
    ended = events[-1]
    assert isinstance(ended, RunEnded)
    assert ended.reason.startswith(
        "60 proposals were made and only 0 of 5 brought a new architecture within the limits (params <= 1)"
    )


def test_a_record_reused_under_a_tighter_limit_is_infeasible(ledger: str) -> None:
    search(ledger, trials=52, proposals=5_000)
    study = search(ledger, trials=52, proposals=5_000, limits=["params <= 300"], study="tighter")
    assert study.trials.reused.all()
    assert set(study.trials.query("params > 300").state) == {"infeasible"}
    assert set(study.trials.query("params <= 300").state) == {"complete"}


def test_the_same_command_goes_on_and_a_finished_one_does_nothing(ledger: str) -> None:
    evaluate = Counting()
    search(ledger, trials=5, study="a", evaluate=evaluate)
    search(ledger, trials=9, study="a", evaluate=evaluate)
    before = len(evaluate.asked)
    events: list[Event] = []
    study = search(ledger, trials=9, study="a", evaluate=evaluate, on_event=events.append)
    assert before == len(evaluate.asked) == 9
    begun, ended = events
    assert isinstance(begun, RunBegun)
    assert begun.found == len(study.trials)
    assert isinstance(ended, RunEnded)
    assert ended.reason == "9 of 9 architectures have a result."


@pytest.mark.parametrize("strategy", ["random", "tpe", "nsga2"])
def test_a_study_in_two_runs_is_the_study_in_one(ledger: str, strategy: str) -> None:
    search(ledger, trials=15, study="parts", strategy=strategy, limits=["params <= 400"], evaluate=limited(400))
    parts = search(ledger, trials=30, study="parts", strategy=strategy, limits=["params <= 400"], evaluate=limited(400))
    whole = search(
        ledger.replace("nas.sqlite", "b.sqlite"),
        trials=30,
        strategy=strategy,
        limits=["params <= 400"],
        evaluate=limited(400),
    )
    assert parts.trials.architecture.tolist() == whole.trials.architecture.tolist()


def test_ctrl_c_stops_with_what_was_found_and_the_next_run_goes_on(ledger: str) -> None:
    def interrupt(event: Event) -> None:
        if isinstance(event, TrialBegun) and event.progress.evaluated == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        search(ledger, trials=10, study="a", on_event=interrupt)
    found = Study("a", ledger).trials
    assert found.query("state == 'complete'").architecture.nunique() == 4
    assert found.state.tolist()[-1] == "running"
    events: list[Event] = []
    search(ledger, trials=10, study="a", on_event=events.append)
    again = [event for event in events if isinstance(event, TrialBegun) and event.label]
    assert [event.architecture for event in again] == [found.architecture.tolist()[-1]]
    whole = search(ledger.replace("nas.sqlite", "b.sqlite"), trials=10)
    assert search(ledger, trials=10, study="a").trials.architecture.tolist() == whole.trials.architecture.tolist()


def test_a_failed_candidate_is_a_trial_and_the_study_goes_on(ledger: str) -> None:
    def evaluate(architecture: Architecture, **rest: Any) -> Record:
        record = toy_evaluate(architecture, **rest)
        failed = replace(record, outcome="failed", error=Failure(kind="diverged", message="NaN"), figures={}, curve=())
        return failed if architecture.choices["width"] == 8 else record

    study = search(ledger, trials=20, evaluate=evaluate)
    assert set(study.trials.state) == {"complete", "failed"}
    assert set(study.trials.query("state == 'failed'").error) == {"diverged"}


def test_a_search_whose_first_candidates_all_fail_is_stopped(ledger: str) -> None:
    def evaluate(architecture: Architecture, **rest: Any) -> Record:
        record = toy_evaluate(architecture, **rest)
        return replace(
            record, outcome="failed", error=Failure(kind="raised", message="ZeroDivisionError: x"), figures={}, curve=()
        )

    with pytest.raises(SearchError, match=r"^The first 10 candidates all failed; the last: raised: ZeroDivisionError: x$"):
        search(ledger, trials=20, evaluate=evaluate)


def test_a_pruner_stops_candidates_and_they_are_not_ranked(ledger: str) -> None:
    study = search(ledger, trials=30, pruner="median", epochs=9)
    pruned = study.trials.query("state == 'pruned'")
    assert len(pruned) > 3
    assert (pruned.epochs < 9).all()
    assert not {row.architecture.id for row in study.tables[0].rows} & set(pruned.architecture)


def test_several_objectives_rank_by_fronts(ledger: str) -> None:
    study = search(ledger, trials=20, objectives=["validation_accuracy", "params"], strategy="nsga2")
    (table,) = study.tables
    assert [objective.direction for objective in table.objectives] == ["maximize", "minimize"]
    assert all(row.on_front for row in table.rows if row.rank == 1)


def test_another_definition_under_the_same_name_is_refused(ledger: str) -> None:
    search(ledger, trials=2, study="a")
    with pytest.raises(LedgerError, match=r"^The study 'a' was begun with seed 0, now it is 1; name another --study\.$"):
        search(ledger, trials=2, study="a", seed=1)


def test_without_a_name_other_searches_are_other_studies(ledger: str) -> None:
    changes: list[dict[str, Any]] = [{}, {"seed": 1}, {"limits": ["params <= 9e9"]}, {"trials": 2}]
    names = {search(ledger, **({"trials": 1} | change)).name for change in changes}
    assert len(names) == 3
    with Ledger(ledger) as book:
        assert {entry.name for entry in book.studies()} == names


def test_events_tell_the_story_in_order(ledger: str) -> None:
    events: list[Event] = []
    search(ledger, trials=3, on_event=events.append)
    assert isinstance(events[0], RunBegun)
    assert isinstance(events[-1], RunEnded)
    ended = [event for event in events if isinstance(event, TrialEnded)]
    assert [event.progress.evaluated for event in ended] == sorted(event.progress.evaluated for event in ended)
    assert ended[-1].progress.evaluated == ended[-1].progress.target == 3
    assert ended[-1].best is not None
    lines = [json.loads(json.dumps(to_data(event))) for event in events]
    assert [line["event"] for line in lines[:3]] == ["run_begun", "trial_begun", "epoch_ended"]
    assert all("nan" not in json.dumps(line).lower() for line in lines)


def test_an_evaluation_that_raises_ends_the_run_and_loses_nothing(ledger: str) -> None:
    def evaluate(architecture: Architecture, **rest: Any) -> Record:
        if toy_accuracy(architecture) > 0.9:
            raise ZeroDivisionError("a bug")
        return toy_evaluate(architecture, **rest)

    with pytest.raises(ZeroDivisionError):
        search(ledger, trials=50, study="a", evaluate=evaluate)
    with Ledger(ledger) as book:
        trials = book.trials(book.study("a"))
    assert [trial.state for trial in trials].count("running") == 1
    assert trials[-1].state == "running"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"strategy": "tpee"}, "No strategy is called 'tpee'. Did you mean 'tpe'?"),
        ({"pruner": "med"}, "No pruner is called 'med'. Did you mean 'median'?"),
        ({"objectives": ["acuracy"]}, "No figure of digits is called 'acuracy'."),
        ({"limits": ["params < many"]}, "a limit reads like 'params <= 50e3', got 'params < many'."),
        ({"limits": ["latency <= 5"]}, "No figure of digits is called 'latency'. Did you mean 'latency_ms'?"),
        ({"trials": 0}, "trials: Input should be greater than or equal to 1, got 0."),
        ({"trails": 5}, "A search has no option 'trails'. Did you mean 'trials'?"),
        ({"on": "digit"}, "No benchmark is called 'digit'. Did you mean 'digits'?"),
        ({"fraction": 2}, "fraction: Input should be less than or equal to 1, got 2."),
        (
            {"study": "a/b"},
            "A study's name is letters of a to z, digits, '.', '_' and '-', at most 80, no sign first; got 'a/b'.",
        ),
        (
            {"ledger": "postgresql://u:secret@h/d"},
            "A ledger's URL holds no password, since others can read the command; set NAS_LEDGER_PASSWORD, or use a pgpass file.",
        ),
        ({"objectives": ["params", "flops"], "pruner": "median"}, "The pruner 'median' stops by one objective, this study has 2"),
        ({"pruner": "pareto"}, "The pruner 'pareto' stops by several objectives, this study has one; name median, asha"),
    ],
)
def test_a_wrong_option_is_one_line(ledger: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(NasError) as caught:
        search(ledger, **options)
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_the_study_answers_for_its_networks(ledger: str) -> None:
    study = search(ledger, trials=4)
    assert study.space == TOY
    assert sum(parameter.numel() for parameter in study.build().parameters()) > 0
    assert repr(study) == f"Study('{study.name}', ledger='{ledger}')"


def test_a_study_without_a_complete_trial_has_no_best(ledger: str) -> None:
    study = search(ledger, trials=3, limits=["params <= 1"], evaluate=limited(1), proposals=5)
    with pytest.raises(SearchError, match="has no complete trial yet"):
        _ = study.best


def test_the_epochs_reported_reach_the_listener(ledger: str) -> None:
    heard: list[Epoch] = []
    search(ledger, trials=2, on_event=lambda event: heard.append(event.epoch) if hasattr(event, "epoch") else None)
    assert [point.epoch for point in heard] == [1, 2, 3, 1, 2, 3]


# What one evaluation may be taken for.


def giving(accuracy: float) -> Callable[..., Record]:
    """An evaluation of one's own; two of these are two functions of one name."""

    def evaluate(architecture: Architecture, **rest: Any) -> Record:
        record = toy_evaluate(architecture, **rest)
        return replace(record, figures={**record.figures, "validation_accuracy": accuracy})

    return evaluate


def test_functions_of_ones_own_never_share_results(ledger: str) -> None:
    first = search(ledger, trials=52, proposals=5_000, study="a", evaluate=giving(0.1))
    second = search(ledger, trials=52, proposals=5_000, study="b", evaluate=giving(0.9))
    assert set(first.trials.validation_accuracy) == {0.1}
    assert set(second.trials.validation_accuracy) == {0.9}


class Measuring(Counting):
    """Evaluates under conditions that it names, as the evaluator that trains does."""

    def __init__(self, threads: int) -> None:
        super().__init__()
        self.threads = threads
        self.key = str(Setting(machine=this_machine(), device="cpu", threads=threads))

    def __call__(self, architecture: Architecture, *, budget: Budget, seed: int, **rest: Any) -> Record:
        return replace(super().__call__(architecture, budget=budget, seed=seed, **rest), threads=self.threads)


def measuring(monkeypatch: pytest.MonkeyPatch, threads: int) -> Measuring:
    evaluate = Measuring(threads)
    monkeypatch.setattr("nas.searching.evaluating.make_evaluator", lambda *_, **__: evaluate)
    return evaluate


def test_other_threads_are_other_work(ledger: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for threads in (1, 2):
        evaluate = measuring(monkeypatch, threads)
        study = search(ledger, trials=5, study=f"t{threads}", evaluate=None, threads=threads)
        assert len(evaluate.asked) == 5
        assert {table.setting.threads for table in study.tables} == {threads}


def test_a_study_measured_under_other_conditions_does_not_go_on(ledger: str, monkeypatch: pytest.MonkeyPatch) -> None:
    measuring(monkeypatch, 1)
    search(ledger, trials=3, study="a", evaluate=None)
    measuring(monkeypatch, 2)
    with pytest.raises(SearchError, match=r"was measured on cpu, 1 thread on .*, now it would be cpu, 2 threads on"):
        search(ledger, trials=5, study="a", evaluate=None, threads=2)


@pytest.mark.parametrize(("limits", "refused"), [([], False), (["latency_ms <= 1e9"], True)])
def test_other_machines_share_a_study_that_measures_nothing_that_decides(
    ledger: str, monkeypatch: pytest.MonkeyPatch, limits: list[str], refused: bool
) -> None:
    measuring(monkeypatch, 1)
    options: dict[str, Any] = {"study": "a", "evaluate": None, "limits": limits}
    search(ledger, trials=3, **options)
    other = replace(this_machine(), processor="another")
    monkeypatch.setattr("nas.evaluation.foreseeing.this_machine", lambda _: other)
    if refused:
        with pytest.raises(SearchError, match=r"was measured on .* machine .*, now it would be .* machine "):
            search(ledger, trials=5, **options)
    else:
        study = search(ledger, trials=5, **options)
        assert study.trials.query("state == 'complete'").architecture.nunique() == 5


def test_an_interrupted_trial_is_kept_under_the_conditions_it_was_measured_under(
    ledger: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(event: Event) -> None:
        if isinstance(event, TrialBegun):
            raise KeyboardInterrupt

    measuring(monkeypatch, 1)
    with pytest.raises(KeyboardInterrupt):
        search(ledger, trials=1, study="a", evaluate=None, on_event=interrupt)
    measuring(monkeypatch, 2)
    search(ledger, trials=1, study="a", evaluate=None, threads=2)
    again = measuring(monkeypatch, 2)
    search(ledger, trials=1, study="b", evaluate=None, threads=2)
    assert not again.asked, "work that was done under these conditions was not found"
    alone = measuring(monkeypatch, 1)
    search(ledger, trials=1, study="c", evaluate=None)
    assert len(alone.asked) == 1, "work of other conditions was taken for it"


def test_the_named_and_the_chosen_device_are_one(ledger: str) -> None:
    options: dict[str, Any] = {"strategy": "random", "limits": ["params <= 20e3"], "epochs": 1, "trials": 1, "evaluate": None}
    first = search(ledger, study="a", **options)
    second = search(ledger, study="b", device="cpu", **options)
    assert not first.trials.query("state == 'complete'").reused.any()
    assert second.trials.query("state == 'complete'").reused.all()


@pytest.mark.parametrize("wrong", [{"strategy": "tpee"}, {"pruner": "mediann"}, {"device": "tpu", "evaluate": None}])
def test_a_typo_takes_no_name(ledger: str, wrong: dict[str, Any]) -> None:
    with pytest.raises(NasError):
        search(ledger, trials=1, study="a", **wrong)
    with Ledger(ledger) as book:
        assert book.studies() == []


@pytest.mark.parametrize("limit", ["train_seconds <= 1", "validation_accuracy >= 0.9"])
def test_a_limit_on_what_only_training_tells_is_refused(ledger: str, limit: str) -> None:
    with pytest.raises(SearchError, match=r"^A limit is on what is known before training \(params, macs, flops, size_bytes"):
        search(ledger, limits=[limit])


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"limits": 5}, r"^limits: must be a list, such as \['params <= 50e3'\], got 5\.$"),
        ({"limits": None}, r"^limits: must be a list"),
        ({"objectives": 5}, r"^objectives: must be a list of figures, got 5\.$"),
        ({"seconds": float("inf")}, r"^seconds: Input should be a finite number, got inf\.$"),
    ],
)
def test_an_option_of_the_wrong_kind_is_one_line(ledger: str, option: dict[str, Any], message: str) -> None:
    with pytest.raises(SearchError, match=message):
        search(ledger, **option)


def test_one_limit_is_a_list_of_one_and_an_objective_counts_once(ledger: str) -> None:
    study = search(ledger, trials=1, limits=Limit("params", "<=", 1e6), objectives=["params", "params"])
    assert study.entry.definition["limits"] == ["params <= 1000000"]
    assert [objective["figure"] for objective in study.entry.definition["objectives"]] == ["params"]


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        (["params <= 100"], "No network keeps to params <= 100: the smallest has "),
        (
            ["params <= 500", "flops >= 5e5"],
            "No network was found that keeps to params <= 500 and flops >= 500000; widen one of them.",
        ),
    ],
)
def test_limits_that_nothing_keeps_to_are_refused_before_the_name_is_taken(ledger: str, limits: list[str], message: str) -> None:
    with pytest.raises(SearchError) as caught:
        search(ledger, limits=limits, evaluate=None, study="a")
    assert str(caught.value).startswith(message)
    with Ledger(ledger) as book:
        assert book.studies() == []


def test_a_search_that_its_limits_leave_little_says_so_and_draws_within_them(
    ledger: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """TOY's largest networks, of which there are few, with an evaluation that costs nothing."""
    monkeypatch.setattr("nas.searching.evaluating.make_evaluator", lambda *_, **__: toy_evaluate_counted)
    events: list[Event] = []
    study = search(ledger, limits=["params >= 5000"], evaluate=None, trials=2, strategy="random", on_event=events.append)
    (begun,) = (event for event in events if isinstance(event, RunBegun))
    assert begun.note.startswith("Of random proposals ")
    assert "params >= 5000" in begun.note
    assert to_data(begun)["note"] == begun.note
    assert study.trials.query("state == 'complete'").architecture.nunique() == 2
    assert len(study.trials) <= 2 * 6


def toy_evaluate_counted(architecture: Architecture, *, budget: Budget, seed: int, **_: Any) -> Record:
    """As an evaluator that checks limits: the true parameters, and nothing trained."""
    from nas.models import cost

    found = cost(TOY, architecture, resolve_benchmark("digits").signature)
    outcome = "complete" if found.params >= 5000 else "infeasible"
    return toy_record(outcome, {"params": found.params, "validation_accuracy": 0.5}, (), seed, budget)


def test_a_space_is_found_by_its_name_in_the_space_path(ledger: str, tmp_path: Path) -> None:
    (tmp_path / "toy.yaml").write_text(space_to_yaml(TOY))
    found = nas.search("toy", on="digits", space_path=tmp_path, evaluate=toy_evaluate, trials=1, ledger=ledger)
    assert found.space == TOY
    with pytest.raises(NasError, match="No search space is called 'toy'"):
        nas.search("toy", on="digits", evaluate=toy_evaluate, trials=1, ledger=ledger)
