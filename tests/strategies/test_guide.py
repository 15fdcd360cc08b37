import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import TrialState
from toys import TOY, toy_evaluate, toy_params, toy_record

from nas.benchmark import Budget, Objective
from nas.errors import StrategyError
from nas.records import Epoch, Failure, Outcome, Record, Trial
from nas.space import Architecture, Limit, Space, parse_space, size
from nas.strategies import Guide, Proposal, pruner_names

BUDGET = Budget(epochs=4)
ACCURACY = Objective("validation_accuracy", "maximize")
PARAMS = Objective("params", "minimize")
LIMIT = Limit.parse("params <= 400")


def guide(
    strategy: Any = "random", *, space: Space = TOY, objectives: Sequence[Objective] = (ACCURACY,), **options: Any
) -> Guide:
    return Guide(space, objectives, strategy=strategy, **{"limits": [LIMIT], **options})


def evaluate(asking: Guide, proposal: Proposal) -> Record:
    """A record that depends on the architecture alone: some are infeasible, some fail, some fall behind, the rest is complete."""
    architecture = proposal.architecture
    figures = {"params": toy_params(architecture)}
    if not LIMIT.allows(figures["params"]):
        return toy_record("infeasible", figures, (), 0, BUDGET)
    fate = int(architecture.id[-1], 16) % 4
    if fate == 0:
        failed = toy_record("failed", figures, (), 0, BUDGET)
        return replace(failed, error=Failure(kind="diverged", message="the loss was not finite in epoch 1."))
    return toy_evaluate(
        architecture,
        budget=BUDGET,
        seed=0,
        report=lambda epoch: asking.report(proposal, epoch) or (fate == 1 and epoch.epoch == 2),
    )


def kept(proposal: Proposal, record: Record, noted: Any, *, reused_from: int | None = None) -> Trial:
    """The trial as the ledger would give it back."""
    return Trial(
        id=proposal.number + 1,
        study="a",
        stage="search",
        number=proposal.number,
        state=record.outcome,
        architecture=Architecture.from_data(json.loads(json.dumps(proposal.architecture.to_data()))),
        evaluation=proposal.architecture.id,
        reused_from=reused_from,
        begun_at="2026-01-01",
        ended_at="2026-01-02",
        proposal=json.loads(json.dumps(noted, allow_nan=False)),
        record=Record.from_data(json.loads(json.dumps(record.to_data(), allow_nan=False))),
    )


def complete(asking: Guide, proposal: Proposal) -> Record:
    return toy_evaluate(proposal.architecture, budget=BUDGET, seed=0)


def search(
    make: Callable[[], Guide],
    until: int,
    done: Sequence[Trial] = (),
    again: Architecture | None = None,
    evaluate: Callable[[Guide, Proposal], Record] = evaluate,
) -> list[Trial]:
    """The trials of a study of so many proposals that goes on after `done`; its first is `again`, where that was interrupted."""
    asking = make()
    trials = list(done)
    for trial in trials:
        asking.restore(trial)
    for number in range(len(done), until):
        proposal = asking.ask(number, chosen=again if number == len(done) else None)
        record = evaluate(asking, proposal)
        trials.append(kept(proposal, record, asking.tell(proposal, record)))
    return trials


def proposals(trials: Sequence[Trial]) -> list[tuple[Any, ...]]:
    return [(trial.number, dict(trial.architecture.choices), trial.state) for trial in trials]


# The seed decides.


@pytest.mark.parametrize("strategy", ["random", "tpe", "nsga2", "qmc", "bruteforce", "auto"])
def test_equal_seeds_propose_the_same_and_others_something_else(strategy: str) -> None:
    first, second, other = (proposals(search(lambda seed=seed: guide(strategy, seed=seed), 20)) for seed in (3, 3, 4))
    assert first == second
    assert first != other


def test_every_proposal_is_drawn_from_a_seed_of_its_own() -> None:
    asking = guide("random", space=REALS)
    assert len({asking.ask(number).architecture.id for number in range(30)}) == 30


def test_a_proposal_at_random_is_what_random_search_would_propose() -> None:
    asking = guide("tpe")
    for number in range(15):
        proposal = asking.ask(number)
        asking.tell(proposal, evaluate(asking, proposal))
    assert asking.ask(15, at_random=True).architecture == guide("random").ask(15).architecture


# Going on.


@pytest.mark.parametrize("interrupted", [False, True], ids=["between", "amid"])
@pytest.mark.parametrize("stop", [7, 13])
@pytest.mark.parametrize(
    ("strategy", "seed"),
    [
        *((name, 11) for name in ("tpe:optuna", "tpe:group", "tpe:independent", "random", "nsga2", "nsga3", "qmc")),
        ("bruteforce", 4),
        ("auto", 5),
        ("tpe", 5),
    ],
)
def test_a_study_that_goes_on_proposes_what_one_without_a_break_proposes(
    strategy: str, seed: int, stop: int, interrupted: bool
) -> None:
    whole = search(lambda: guide(strategy, seed=seed), 20)
    assert {trial.state for trial in whole[:stop]} == {"complete", "infeasible", "pruned", "failed"}, "take another seed"
    again = whole[stop].architecture if interrupted else None
    assert proposals(search(lambda: guide(strategy, seed=seed), 20, whole[:stop], again)) == proposals(whole)


@pytest.mark.parametrize("interrupted", [False, True], ids=["between", "amid"])
@pytest.mark.parametrize("pruner", ["median", "asha", "hyperband"])
def test_a_pruner_of_a_study_that_goes_on_stops_what_it_would_have_stopped(pruner: str, interrupted: bool) -> None:
    whole = search(lambda: guide("random", pruner=pruner), 60)
    again = whole[30].architecture if interrupted else None
    assert proposals(search(lambda: guide("random", pruner=pruner), 60, whole[:30], again)) == proposals(whole)
    unpruned = search(lambda: guide("random"), 60)
    assert [trial.state for trial in unpruned].count("pruned") < [trial.state for trial in whole].count("pruned")


@pytest.mark.parametrize("interrupted", [False, True], ids=["between", "amid"])
@pytest.mark.parametrize("stop", [60, 110])
def test_generations_go_on_over_a_break(stop: int, interrupted: bool) -> None:
    def generations(done: Sequence[Trial] = (), again: Architecture | None = None) -> list[Trial]:
        return search(lambda: guide("nsga2", objectives=[ACCURACY, PARAMS]), 120, done, again, evaluate=complete)

    whole = generations()
    assert [trial.proposal["sampler"]["NSGAIISampler:generation"] for trial in whole] == [0] * 50 + [1] * 50 + [2] * 20
    assert proposals(generations(whole[:stop], whole[stop].architecture if interrupted else None)) == proposals(whole)


def test_several_breaks_are_as_good_as_one() -> None:
    whole = search(lambda: guide("tpe"), 20)
    parts: list[Trial] = []
    for until in (3, 4, 11, 12, 20):
        parts = search(lambda: guide("tpe"), until, parts)
    assert proposals(parts) == proposals(whole)


def test_the_interrupted_architecture_is_proposed_again_exactly() -> None:
    for again in (guide("random", seed=9).ask(number).architecture for number in range(10)):
        asking = guide("tpe")
        assert asking.ask(0, chosen=again).architecture == again
        assert asking.ask(1).architecture.space == "toy"


def test_true_and_one_are_told_apart_when_proposed_again() -> None:
    space = parse_space("{name: toy, version: 1, accepts: image, layers: [conv: {a: [true, 1, null, 0.5]}]}")
    for value in (True, 1, None, 0.5):
        again = space.architecture({"conv.a": value})
        found = guide("random", space=space).ask(0, chosen=again).architecture
        assert (found.id, type(found.choices["conv.a"])) == (again.id, type(value))


def test_a_restored_study_is_the_study_that_was_told() -> None:
    told = guide("nsga2")
    restored = guide("nsga2")
    for number in range(20):
        proposal = told.ask(number)
        record = evaluate(told, proposal)
        restored.restore(kept(proposal, record, told.tell(proposal, record)))
    for ours, theirs in zip(told.study.trials, restored.study.trials, strict=True):
        assert ours.state == theirs.state
        assert ours.params == theirs.params
        assert ours.distributions == theirs.distributions
        assert ours.intermediate_values == theirs.intermediate_values
        assert ours.system_attrs == theirs.system_attrs
        assert ours.constraints == theirs.constraints
        assert ours.state == TrialState.PRUNED or ours.values == theirs.values  # of a pruned one, Optuna reads the curve


def test_a_record_taken_over_from_elsewhere_brings_no_curve() -> None:
    told, restored = guide(), guide()
    proposal = told.ask(0)
    record = toy_evaluate(proposal.architecture, budget=BUDGET, seed=0)
    restored.restore(kept(proposal, record, told.tell(proposal, record), reused_from=12))
    assert told.study.trials[0].intermediate_values == restored.study.trials[0].intermediate_values == {}
    assert told.study.trials[0].values == restored.study.trials[0].values


# What Optuna is told.


@pytest.mark.parametrize(
    ("outcome", "figures", "state", "values"),
    [
        ("complete", {"validation_accuracy": 0.5}, TrialState.COMPLETE, [0.5]),
        ("complete", {"params": 3}, TrialState.PRUNED, None),
        ("pruned", {"validation_accuracy": 0.5}, TrialState.PRUNED, None),
        ("failed", {"validation_accuracy": 0.5}, TrialState.PRUNED, None),
        ("infeasible", {"params": 500}, TrialState.PRUNED, None),
        ("infeasible", {"params": 500, "validation_accuracy": 0.5}, TrialState.COMPLETE, [0.5]),
    ],
)
def test_an_outcome_has_a_word_of_optunas(
    outcome: Outcome, figures: dict[str, float], state: TrialState, values: list[float] | None
) -> None:
    told, restored = guide(), guide()
    proposal = told.ask(0)
    record = toy_record(outcome, figures, (), 0, BUDGET)
    restored.restore(kept(proposal, record, told.tell(proposal, record)))
    for asking in (told, restored):
        (trial,) = asking.study.trials
        assert (trial.state, trial.values) == (state, values)


def test_limits_are_told_as_constraints() -> None:
    limits = [LIMIT, Limit.parse("flops >= 100"), Limit.parse("latency_ms < 5")]
    asking = guide(limits=limits)
    for number, params in enumerate([300, 400, 500]):
        proposal = asking.ask(number)
        asking.tell(proposal, toy_record("complete", {"params": params, "flops": 50, "validation_accuracy": 1}, (), 0, BUDGET))
    constraints = [trial.constraints for trial in asking.study.trials]
    assert [set(found) for found in constraints] == [{"params <= 400", "flops >= 100"}] * 3  # the latency is not known
    assert [found["params <= 400"] for found in constraints] == [-0.25, 0.0, 0.25]
    assert [found["flops >= 100"] for found in constraints] == [0.5] * 3


def test_a_strategy_that_is_told_of_limits_keeps_to_them() -> None:
    def infeasible(limits: Sequence[Limit]) -> int:
        trials = search(lambda: guide("tpe:optuna", limits=limits), 60)  # ours tries all 52 there are
        return sum(not LIMIT.allows(toy_params(trial.architecture)) for trial in trials[20:])

    assert infeasible([LIMIT]) < 40 * 0.25


def test_directions_are_those_of_the_objectives() -> None:
    directions = [optuna.study.StudyDirection.MINIMIZE, optuna.study.StudyDirection.MAXIMIZE]
    assert guide(objectives=[PARAMS, ACCURACY]).study.directions == directions


REALS = parse_space("""
name: reals
version: 1
accepts: image
layers:
  - conv:
      features: {int: [8, 64], step: 8}
      width: {int: [1, 1000], log: true}
      dropout: {real: [0, 0.5]}
      rate: {real: [1e-4, 1], log: true}
      kind: [relu, null, 0.5]
""")


def test_domains_reach_optuna_as_they_are() -> None:
    expected = {
        "conv.features": IntDistribution(8, 64, step=8),
        "conv.width": IntDistribution(1, 1000, log=True),
        "conv.dropout": FloatDistribution(0.0, 0.5),
        "conv.rate": FloatDistribution(1e-4, 1.0, log=True),
        "conv.kind": CategoricalDistribution(("relu", None, 0.5)),
    }
    told, restored = guide(space=REALS), guide(space=REALS)
    proposal = told.ask(0)
    record = toy_record("complete", {"validation_accuracy": 0.5}, (), 0, BUDGET)
    restored.restore(kept(proposal, record, told.tell(proposal, record)))
    for asking in (told, restored):
        (trial,) = asking.study.trials
        assert trial.distributions == expected
        assert trial.params == dict(proposal.architecture.choices)


@pytest.mark.parametrize("strategy", ["random", "tpe", "nsga2", "qmc"])
def test_ranges_go_on_over_a_break_to_the_last_digit(strategy: str) -> None:
    def continued(done: Sequence[Trial]) -> list[Trial]:
        asking = guide(strategy, space=REALS)
        trials = list(done)
        for trial in trials:
            asking.restore(trial)
        for number in range(len(trials), 20):
            proposal = asking.ask(number)
            score = float(proposal.architecture.choices["conv.rate"])  # type: ignore[arg-type]
            record = toy_record("complete", {"validation_accuracy": score}, (), 0, BUDGET)
            trials.append(kept(proposal, record, asking.tell(proposal, record)))
        return trials

    whole = continued([])
    for stop in (7, 13):
        assert proposals(continued(whole[:stop])) == proposals(whole)


def test_optuna_says_nothing_of_its_own(capfd: pytest.CaptureFixture[str]) -> None:
    verbosity = optuna.logging.get_verbosity()
    search(lambda: guide("tpe", pruner="hyperband"), 15)
    assert capfd.readouterr() == ("", "")
    assert optuna.logging.get_verbosity() == verbosity


# Pruners.


def ends_at(asking: Guide, number: int, score: float) -> int:
    """The epoch at which a trial of this score is stopped, or the last."""
    proposal = asking.ask(number)
    for epoch in range(1, 9):
        point = Epoch(epoch=epoch, train_loss=1.0, figures={"validation_accuracy": score * epoch / 8}, seconds=1.0)
        if asking.report(proposal, point):
            asking.tell(proposal, toy_record("pruned", dict(point.figures), (point,), 0, BUDGET))
            return epoch
    asking.tell(proposal, toy_record("complete", {"validation_accuracy": score}, (), 0, BUDGET))
    return 8


def test_a_pruner_stops_a_trial_that_falls_behind_and_no_other() -> None:
    asking = guide(pruner="median")
    assert [ends_at(asking, number, 0.5 + number / 100) for number in range(6)] == [8] * 6
    assert ends_at(asking, 6, 0.1) < 8
    assert ends_at(asking, 7, 0.9) == 8


@pytest.mark.parametrize("pruner", ["median", "asha", "hyperband"])
def test_every_pruner_stops_some_of_many_bad_trials(pruner: str) -> None:
    asking = guide(pruner=pruner)
    for number in range(10):
        ends_at(asking, number, 0.9)
    assert min(ends_at(asking, number, 0.1) for number in range(10, 20)) < 8


@pytest.mark.parametrize("pruner", ["asha", "hyperband"])
def test_the_first_trial_stands_on_the_rungs(pruner: str) -> None:
    """Hyperband has two brackets for 8 epochs, of which the second compares nobody before epoch 3."""
    asking = guide(pruner=pruner, epochs=8)
    assert ends_at(asking, 0, 0.9) == 8
    ends = [ends_at(asking, number, 0.9 - number / 100) for number in range(1, 20)]
    assert ends.count(8) == (1 if pruner == "hyperband" else 0)  # the first of a bracket is compared with nobody
    assert set(ends) - {8} == ({1, 3} if pruner == "hyperband" else {1})


@pytest.mark.parametrize("pruner", ["asha", "hyperband"])
def test_a_pruner_goes_on_alike_where_trainings_end_early_by_themselves(pruner: str) -> None:
    def early(asking: Guide, proposal: Proposal) -> Record:
        lasts = 2 + int(proposal.architecture.id[-1], 16)  # from 2 to 17 epochs, as patience has it
        curve: list[Epoch] = []
        for number in range(1, lasts + 1):
            score = {"validation_accuracy": int(proposal.architecture.id[:4], 16) / 65536 * number / 17}
            curve.append(Epoch(epoch=number, train_loss=1.0, figures=score, seconds=1.0))
            if asking.report(proposal, curve[-1]) and number < lasts:
                return toy_record("pruned", score, tuple(curve), 0, BUDGET)
        return toy_record("complete", score, tuple(curve), 0, BUDGET)

    def make() -> Guide:
        return guide("random", pruner=pruner, epochs=17, seed=5, space=REALS, limits=())  # the first lasts 3 epochs

    whole = search(make, 40, evaluate=early)
    for stop in (5, 20, 30):
        assert proposals(search(make, 40, whole[:stop], evaluate=early)) == proposals(whole)


def test_without_a_pruner_nothing_is_stopped() -> None:
    asking = guide()
    assert [ends_at(asking, number, score) for number, score in enumerate([0.9] * 8 + [0.0] * 8)] == [8] * 16


def test_smaller_is_worse_only_where_larger_is_better() -> None:
    asking = guide(objectives=[Objective("validation_accuracy", "minimize")], pruner="median")
    assert [ends_at(asking, number, 0.5) for number in range(6)] == [8] * 6
    assert ends_at(asking, 6, 0.1) == 8
    assert ends_at(asking, 7, 0.9) < 8


def test_a_curve_without_the_objective_stops_nothing() -> None:
    asking = guide(objectives=[PARAMS], pruner="median")
    assert [ends_at(asking, number, score) for number, score in enumerate([0.9] * 8 + [0.0])] == [8] * 9


# What is refused, and what is not.


@pytest.mark.parametrize("pruner", [name for name in pruner_names() if name not in {"none", "pareto"}])
def test_several_objectives_refuse_a_pruner_of_one(pruner: str) -> None:
    message = rf"^The pruner '{pruner}' stops by one objective, this study has 2; name pareto, or leave --pruner out\.$"
    with pytest.raises(StrategyError, match=message):
        guide(objectives=[ACCURACY, PARAMS], pruner=pruner)
    asking = guide(objectives=[ACCURACY, PARAMS])
    assert ends_at(asking, 0, 0.5) == 8


def test_one_objective_refuses_the_pruner_of_several() -> None:
    message = r"^The pruner 'pareto' stops by several objectives, this study has one; name median, asha or hyperband\.$"
    with pytest.raises(StrategyError, match=message):
        guide(pruner="pareto")


def test_cma_es_refuses_several_objectives() -> None:
    with pytest.raises(StrategyError, match=r"^The strategy 'cmaes' serves one objective, this study has 2; name another\.$"):
        guide("cmaes", objectives=[ACCURACY, PARAMS])


def test_brute_force_refuses_a_space_without_end() -> None:
    with pytest.raises(
        StrategyError, match=r"^The strategy 'bruteforce' needs a finite space, 'reals' has real ranges; name another\.$"
    ):
        guide("bruteforce", space=REALS)


def test_unknown_names_are_refused_when_the_guide_is_made() -> None:
    with pytest.raises(StrategyError, match=r"^No strategy is called 'tpee'\. Did you mean 'tpe'\?"):
        guide("tpee")
    with pytest.raises(StrategyError, match=r"^No pruner is called 'med'\. Did you mean 'median'\?"):
        guide(pruner="med")


def test_brute_force_tries_every_architecture_once_and_then_goes_on() -> None:
    asking = guide("bruteforce")
    found = []
    for number in range(int(size(TOY)) + 3):
        proposal = asking.ask(number)
        found.append(proposal.architecture)
        asking.tell(proposal, toy_evaluate(proposal.architecture, budget=BUDGET, seed=0))
    assert len(set(found[:52])) == len(set(found)) == 52


def test_a_sampler_of_ones_own_is_asked_as_it_is() -> None:
    sampler = optuna.samplers.GridSampler({name: [value] for name, value in ANSWERS.items()})
    assert guide(sampler).ask(0).architecture == TOY.architecture(ANSWERS)


ANSWERS = {"width": 16, "stem.kernel": 5, "block.times": 1, "block.0.kind": "pool", "block.0.kind.pool.kind": "max"}


def test_a_space_without_a_choice_has_one_proposal() -> None:
    space = parse_space("{name: toy, version: 1, accepts: image, layers: [conv: {a: 1}]}")
    asking = guide("tpe", space=space)
    for number in range(12):
        proposal = asking.ask(number)
        assert proposal.architecture.choices == {}
        asking.tell(proposal, toy_record("complete", {"validation_accuracy": 1}, (), 0, BUDGET))


def test_a_failed_candidate_is_told_as_a_broken_constraint() -> None:
    guide = Guide(TOY, (ACCURACY,), strategy="tpe")
    proposal = guide.ask(0)
    guide.tell(proposal, toy_record("failed", {}, (), 0, Budget(epochs=1)))
    assert guide.study.trials[0].constraints == {"failed": 1.0}


@pytest.mark.parametrize("stop", [20, 47])
def test_cmaes_goes_on_over_a_break_without_a_pickle(stop: int) -> None:
    space = parse_space("""
    name: reals
    version: 1
    accepts: image
    layers: [conv: {features: {int: [8, 64], step: 8}, dropout: {real: [0, 0.5]}, rate: {real: [1e-4, 1], log: true}}]
    """)

    def score(asking: Guide, proposal: Proposal) -> Record:
        dropout = float(proposal.architecture.choices["conv.dropout"])  # type: ignore[arg-type]
        return toy_record("complete", {"validation_accuracy": -((dropout - 0.2) ** 2)}, (), 0, BUDGET)

    def make() -> Guide:
        return guide("cmaes", space=space)

    whole = search(make, 60, evaluate=score)
    assert sum("cma:state" in trial.proposal["sampler"] for trial in whole) > 3
    assert not any("optimizer" in json.dumps(trial.proposal) for trial in whole)
    assert proposals(search(make, 60, whole[:stop], evaluate=score)) == proposals(whole)
