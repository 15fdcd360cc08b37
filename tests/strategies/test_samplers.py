import optuna
import pytest
from toys import TOY, toy_evaluate

from nas.benchmark import Budget, Objective
from nas.errors import StrategyError
from nas.space import Architecture, Categorical, Layer, Limit, Space, encoding
from nas.strategies import Guide, LocalSearch, ParzenSearch, SurrogateSearch, make_pruner, make_sampler, pruner_names, strategies
from nas.strategies.pruning import BracketsByNumber

BUDGET = Budget(epochs=2)
ACCURACY = Objective("validation_accuracy", "maximize")
PARAMS = Objective("params", "minimize")

BEYOND_RANDOM = 11
"""Proposals after which a strategy has begun to use what it was told: Optuna's begin at random, ten times at most."""


def test_strategies_are_those_that_need_no_arguments() -> None:
    assert {"random", "tpe:optuna", "tpe:group", "tpe:independent", "nsga2", "nsga3", "cmaes", "gp", "qmc", "bruteforce"} <= set(
        strategies()
    )
    assert not {"grid", "partialfixed", "base", "basega", "nsgaii", "nsgaiii"} & set(strategies())


@pytest.mark.parametrize("strategy", sorted(strategies()))
def test_every_strategy_proposes_architectures_of_a_conditional_space(strategy: str) -> None:
    guide = Guide(TOY, [ACCURACY], strategy=strategy)
    for number in range(BEYOND_RANDOM):
        proposal = guide.ask(number)
        assert TOY.architecture(proposal.architecture.choices) == proposal.architecture
        guide.tell(proposal, toy_evaluate(proposal.architecture, budget=BUDGET, seed=0))


@pytest.mark.parametrize("strategy", sorted({*strategies()} - {"cmaes"}))
def test_every_strategy_but_one_serves_several_objectives(strategy: str) -> None:
    guide = Guide(TOY, [ACCURACY, PARAMS], strategy=strategy)
    for number in range(BEYOND_RANDOM):
        proposal = guide.ask(number)
        guide.tell(proposal, toy_evaluate(proposal.architecture, budget=BUDGET, seed=0))


@pytest.mark.parametrize("strategy", sorted(strategies()))
def test_a_sampler_is_optunas_and_comes_without_a_warning(strategy: str) -> None:
    assert type(make_sampler(strategy, seed=1)) is strategies()[strategy]


@pytest.mark.parametrize(
    ("strategy", "message"),
    [
        (
            "tpee",
            r"^No strategy is called 'tpee'\. Did you mean 'tpe'\? Known: auto, .*, tpe, tpe:group, .*, tpe:optuna\.$",
        ),
        ("nsgaii", r"^No strategy is called 'nsgaii'\. Did you mean 'nsga"),
        ("TPE", r"^No strategy is called 'TPE'\. "),
        ("", r"^No strategy is called ''\. Known: "),
        (
            "partialfixed",
            r"^The strategy 'partialfixed' needs the choices to fix and another sampler; make it in Python ",
        ),
        ("tpe", r"^The strategy 'tpe' needs the space that it chooses from; make it in Python and pass the sampler\.$"),
        ("tpe:grup", r"^No strategy is called 'tpe:grup'\. Did you mean 'tpe:group'\?"),
    ],
)
def test_a_name_that_makes_no_sampler_is_refused(strategy: str, message: str) -> None:
    with pytest.raises(StrategyError, match=message):
        make_sampler(strategy, seed=0)


def test_cmaes_passes_over_what_is_outside_a_limit_without_a_word() -> None:
    guide = Guide(TOY, [ACCURACY], strategy="cmaes", limits=[Limit.parse("params <= 1000")])
    for number in range(BEYOND_RANDOM + 5):
        proposal = guide.ask(number)
        guide.tell(proposal, toy_evaluate(proposal.architecture, budget=BUDGET, seed=0))


def test_auto_settles_on_what_suits_the_study(monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(Guide(TOY, [ACCURACY], strategy="auto").own, SurrogateSearch)
    assert isinstance(Guide(TOY, [ACCURACY, PARAMS], strategy="auto").study.sampler, optuna.samplers.TPESampler)
    monkeypatch.setattr(encoding, "MAX_CHOICES", 2)
    many = Space(name="many", version=1, accepts="image", layers=(Layer("row", {n: Categorical(0, 1) for n in "abc"}),))
    assert isinstance(Guide(many, [ACCURACY], strategy="auto").own, LocalSearch)
    assert Guide(TOY, [ACCURACY], strategy="random").own is None


def test_the_surrogate_is_given_the_features_and_others_do_without() -> None:
    asked: list[str] = []

    def features(architecture: Architecture) -> dict[str, float]:
        asked.append(architecture.id)
        return {"size": float(len(architecture.choices))}

    for strategy in ("tpe", "local_search", "auto"):
        assert not asked
        guide = Guide(TOY, [ACCURACY], strategy=strategy, features=features)
        for number in range(3):
            proposal = guide.ask(number)
            guide.tell(proposal, toy_evaluate(proposal.architecture, budget=BUDGET, seed=0))
    assert asked


def test_tpe_is_ours_for_one_objective_and_optunas_for_several() -> None:
    assert type(Guide(TOY, [ACCURACY], strategy="tpe").study.sampler) is ParzenSearch
    assert type(Guide(TOY, [ACCURACY, PARAMS], strategy="tpe").study.sampler) is optuna.samplers.TPESampler


def test_pruners_have_names() -> None:
    assert pruner_names() == ("none", "median", "asha", "hyperband", "wilcoxon", "pareto")
    kinds = [optuna.pruners.NopPruner, optuna.pruners.MedianPruner]
    kinds += [optuna.pruners.SuccessiveHalvingPruner, BracketsByNumber]
    kinds += [optuna.pruners.WilcoxonPruner, optuna.pruners.NopPruner]
    assert [type(make_pruner(name)) for name in pruner_names()] == kinds


def test_an_unknown_pruner_is_met_with_the_nearest_one() -> None:
    with pytest.raises(StrategyError, match=r"^No pruner is called 'med'\. Did you mean 'median'\? Known: asha, .*, wilcoxon\.$"):
        make_pruner("med")
