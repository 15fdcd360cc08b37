import random

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from toy_folds import ToyFold, cost_by_hand
from toy_spaces import every_architecture, random_spaces, toy

import nas.space.reach
from nas.errors import ModelError, SpaceError
from nas.space import Categorical, Cell, Completions, Integer, Layer, OneOf, Parallel, Real, Ref, Repeat, extremes

TWO = Categorical(1, 2)


@settings(max_examples=100, deadline=None)
@given(space=random_spaces(reals=True), seed=st.integers(0, 2**32), inert=st.sampled_from([(), ("size",), ("width",)]))
def test_the_cost_is_what_the_blueprint_costs(space, seed, inert):
    fold = ToyFold(*inert)
    architecture = space.sample(random.Random(seed))
    by_hand = cost_by_hand(space, architecture, fold)
    if by_hand is None:
        with pytest.raises(ModelError) as caught:
            Completions(space, fold).cost(architecture)
        assert str(caught.value) == f"a layer of {architecture.id} does not fit the shape that it is given."
    else:
        assert Completions(space, fold).cost(architecture) == by_hand


@settings(max_examples=120, deadline=None)
@given(space=random_spaces(), inert=st.sampled_from([(), ("size",), ("width", "size")]), figure=st.sampled_from([0, 1]))
def test_the_extremes_are_those_of_all_architectures(space, inert, figure):
    everything = every_architecture(space)
    assume(everything is not None)
    fold = ToyFold(*inert)
    costs = {one: cost[figure] for one in everything if (cost := cost_by_hand(space, one, fold)) is not None}
    completions = Completions(space, fold)
    if not costs:
        with pytest.raises(ModelError) as caught:
            extremes(completions, fold.figures[figure])
        assert str(caught.value) == "no architecture of 'toy' has layers that all fit."
        return
    reach = extremes(completions, fold.figures[figure])
    assert (reach.smallest.total, reach.largest.total, reach.proven) == (min(costs.values()), max(costs.values()), True)
    for extreme in (reach.smallest, reach.largest):
        assert costs[extreme.architecture] == extreme.total


class Sum(ToyFold):
    """Adds up the options `a`; everything fits."""

    figures = ("params",)

    def layer(self, state, kind, options):
        return state, (options.get("a", 0),)


def test_states_that_are_alike_are_followed_once():
    space = toy(Repeat("r", 30, (Layer("conv", {"a": Categorical(1, 2, 3)}), Layer("pool", {"b": TWO}))))
    completions = Completions(space, Sum())
    reach = extremes(completions, "params")
    assert (reach.smallest.total, reach.largest.total, reach.proven) == (30, 90, True)
    before = completions.left
    assert extremes(completions, "params") == reach
    assert completions.left == before


def test_what_is_read_later_is_not_forgotten():
    space = toy(
        Layer("conv", {"a": Ref("w")}),
        Parallel("p", {"x": (Layer("conv", {"a": Categorical(-5, 3)}),), "y": (Layer("conv", {"a": Ref("w")}),)}),
        Cell("c", 3, {"conv": Layer("conv", {"a": Ref("v")}), "skip": Layer("skip")}, Ref("edge")),
        choices={"w": Categorical(-2, 7), "v": Categorical(10, -10)}
        | {f"edge_{e}": ["conv", "skip"] for e in ("0_1", "0_2", "1_2")},
    )
    reach = extremes(Completions(space, Sum()), "params")
    assert (reach.smallest.total, reach.largest.total) == (-2 - 5 - 2 - 30, 7 + 3 + 7 + 30)


@pytest.mark.parametrize(
    ("domain", "smallest", "largest"), [(Integer(-300, 10**12), -300, 10**12), (Real(0.5, 8, log=True), 0.5, 8.0)]
)
def test_of_a_long_range_the_ends_are_tried_and_nothing_is_proven(domain, smallest, largest):
    reach = extremes(Completions(toy(Layer("conv", {"a": domain})), Sum()), "params")
    assert (reach.smallest.total, reach.largest.total, reach.proven) == (smallest, largest, False)


def test_a_long_range_that_does_not_matter_leaves_the_proof_alone():
    space = toy(Layer("conv", {"a": TWO, "rate": Real(0, 1)}))
    reach = extremes(Completions(space, Sum("rate")), "params")
    assert (reach.smallest.total, reach.largest.total, reach.proven) == (1, 2, True)


@pytest.mark.parametrize("domain", [Real(0.1, 0.5), Real(-2, -1), Integer(7, 10**6)])
def test_what_does_not_matter_has_the_first_answer_of_its_domain_in_an_extreme(domain):
    space = toy(Layer("conv", {"a": TWO}), Layer("dropout", {"rate": domain}))
    reach = extremes(Completions(space, Sum("rate")), "params")
    assert reach.smallest.architecture.choices == {"conv.a": 1, "dropout.rate": domain.low}
    assert reach.largest.architecture.choices == {"conv.a": 2, "dropout.rate": domain.low}


@settings(max_examples=80, deadline=None)
@given(space=random_spaces(reals=True), inert=st.sampled_from([("size",), ("width",), ("width", "size")]))
def test_an_extreme_is_of_its_space_and_costs_what_it_is_said_to(space, inert):
    fold = ToyFold(*inert)
    try:
        reach = extremes(Completions(space, fold), "params")
    except ModelError:
        assume(False)
    for extreme in (reach.smallest, reach.largest):
        assert space.architecture(extreme.architecture.choices) == extreme.architecture
        assert cost_by_hand(space, extreme.architecture, fold)[0] == extreme.total


def test_where_there_is_too_much_to_follow_the_best_found_is_not_proven(monkeypatch):
    monkeypatch.setattr(nas.space.reach, "MAX_DESCENT", 20_000)
    choices = {f"w{n}": Categorical(1, 2, 3) for n in range(20)}
    space = toy(Repeat("r", 3, tuple(Layer("conv", {"a": Ref(name)}, name=name + "_") for name in choices)), choices=choices)
    reach = extremes(Completions(space, Sum(), steps=10_000), "params")
    assert (reach.smallest.total, reach.largest.total, reach.proven) == (60, 180, False)
    assert {*reach.smallest.architecture.choices.values()} == {1}


class Never(ToyFold):
    def layer(self, state, kind, options):
        raise ModelError("never fits.")


@pytest.mark.parametrize(
    ("space", "steps", "message"),
    [
        (toy(Layer("conv")), 9, "no architecture of 'toy' has layers that all fit."),
        (toy(Layer("conv", {"a": TWO})), 9, "no architecture of 'toy' has layers that all fit."),
        (toy(Layer("conv", {"a": Real(0, 1)})), 9, "no architecture of 'toy' of those that were tried has layers that all fit."),
        (toy(Layer("conv", {"a": TWO})), 0, "no architecture of 'toy' was found in which every layer fits."),
    ],
)
def test_a_space_in_which_nothing_fits_says_so(space, steps, message):
    with pytest.raises(ModelError) as caught:
        extremes(Completions(space, Never(), steps), "params")
    assert str(caught.value) == message


def test_an_unknown_figure_is_refused():
    with pytest.raises(SpaceError) as caught:
        extremes(Completions(toy(Layer("conv")), ToyFold()), "param")
    assert str(caught.value) == "no figure is called 'param' here. Did you mean 'params'? Known: flops, params."


def test_the_cost_of_an_architecture_of_elsewhere_is_refused():
    with pytest.raises(SpaceError, match="not of 'toy' version 1"):
        Completions(toy(Layer("conv")), ToyFold()).cost(toy(Layer("conv"), name="other").sample(random.Random(0)))


def test_ten_thousand_questions_are_followed_without_recursion():
    blocks = Repeat("s", 1_000, (OneOf("o", {"conv": Layer("conv", {"a": TWO}), "skip": ()}),))
    reach = extremes(Completions(toy(Repeat("r", 5, (blocks,))), Sum()), "params")
    assert (reach.smallest.total, reach.largest.total, reach.proven) == (0, 10_000, True)
