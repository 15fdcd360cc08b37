import random
from collections import Counter

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from toy_folds import ToyFold, cost_by_hand
from toy_spaces import every_architecture, random_spaces, toy

import nas.space.reach
from nas.errors import ModelError, SpaceError
from nas.space import Categorical, Completions, Integer, Layer, Limit, NoneWithin, Real, Ref, Repeat, sample_within
from nas.space.completions import MAX_STEPS
from nas.space.reach import improve

COMPARISONS = st.sampled_from(["<=", "<", ">=", ">"])


class Sum(ToyFold):
    """Adds up the options `a` and, separately, their squares; everything fits."""

    def layer(self, state, kind, options):
        a = options.get("a", 0)
        return state, (a, a * a)


@settings(max_examples=120, deadline=None)
@given(space=random_spaces(), comparison=COMPARISONS, part=st.floats(0, 1), figure=st.sampled_from([0, 1]))
def test_one_limit_is_met_by_every_draw_and_by_no_restart_or_proven_impossible(space, comparison, part, figure):
    everything = every_architecture(space, most=60)
    assume(everything is not None)
    fold = ToyFold()
    costs = {one: cost[figure] for one in everything if (cost := cost_by_hand(space, one, fold)) is not None}
    ordered = sorted(costs.values()) or [0]
    limit = Limit(fold.figures[figure], comparison, ordered[int(part * (len(ordered) - 1))])
    allowed = {one for one, cost in costs.items() if limit.allows(cost)}
    completions = Completions(space, fold)
    rng = random.Random(0)
    if not allowed:
        with pytest.raises(NoneWithin) as caught:
            sample_within(completions, [limit], rng)
        assert caught.value.proven
        return
    drawn = {sample_within(completions, [limit], rng) for _ in range(20 * len(allowed))}
    assert drawn <= allowed
    assume(len(allowed) <= 6)
    assert {sample_within(completions, [limit], rng) for _ in range(600)} == allowed


@settings(max_examples=80, deadline=None)
@given(space=random_spaces(), parts=st.tuples(st.floats(0, 1), st.floats(0, 1)))
def test_several_limits_are_met_by_every_draw(space, parts):
    everything = every_architecture(space, most=200)
    assume(everything is not None)
    fold = ToyFold()
    costs = [cost for one in everything if (cost := cost_by_hand(space, one, fold)) is not None]
    assume(costs)
    limits = [
        Limit(figure, comparison, sorted(cost[n] for cost in costs)[int(part * (len(costs) - 1))])
        for n, (figure, comparison, part) in enumerate(zip(fold.figures, ["<=", ">="], parts, strict=True))
    ]
    possible = any(all(limit.allows(cost[n]) for n, limit in enumerate(limits)) for cost in costs)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(nas.space.reach, "MAX_DESCENT", 2_000)
        try:
            found = sample_within(Completions(space, fold), limits, random.Random(0))
        except NoneWithin:
            assert not possible  # so few architectures are all come upon
            return
    assert all(limit.allows(cost) for limit, cost in zip(limits, cost_by_hand(space, found, fold), strict=True))


TOWER = toy(Repeat("r", 12, (Layer("conv", {"a": Categorical(1, 2, 5, 100)}),)))


def test_a_rare_architecture_is_drawn_at_once():
    # All but one of 4^12 = 16,777,216 are larger.
    found = sample_within(Completions(TOWER, Sum()), ["params <= 12"], random.Random(0))
    assert set(found.choices.values()) == {1}


def test_a_band_is_met():
    completions, rng = Completions(TOWER, Sum()), random.Random(0)
    for _ in range(50):
        found = sample_within(completions, [Limit("params", ">=", 118), "params < 121", "flops < 10200"], rng)
        assert 118 <= completions.cost(found)[0] < 121


def test_answers_that_lead_within_the_limits_are_equally_likely_and_without_limits_all_are():
    space = toy(Repeat("r", Ref("n"), (Layer("conv", {"a": Categorical(1, 2)}),)), choices={"n": Integer(0, 3)})
    completions, rng = Completions(space, Sum()), random.Random(1)
    for limits, depths in (([], (0, 1, 2, 3)), (["params <= 2"], (0, 1, 2)), (["params >= 5"], (3,))):
        counts = Counter(sample_within(completions, limits, rng).choices["n"] for _ in range(1_200))
        assert set(counts) == set(depths)
        assert all(abs(count - 1_200 / len(depths)) < 100 for count in counts.values())


@pytest.mark.parametrize(
    ("limit", "message"),
    [
        ("params < 12", "no architecture of 'toy' has params < 12: the least is 12; move the limit or the space."),
        ("flops > 120e3", "no architecture of 'toy' has flops > 120000: the most is 120,000; move the limit or the space."),
    ],
)
def test_a_limit_that_nothing_meets_is_proven(limit, message):
    with pytest.raises(NoneWithin) as caught:
        sample_within(Completions(TOWER, Sum()), [limit], random.Random(0))
    assert (str(caught.value), caught.value.proven) == (message, True)


def test_limits_that_nothing_meets_together_are_given_up():
    space = toy(Layer("conv", {"a": Categorical(1, 5, 9)}))
    with pytest.raises(NoneWithin) as caught:
        sample_within(Completions(space, Sum()), ["params >= 5", "params <= 8", "flops < 25"], random.Random(0))
    message = "no architecture of 'toy' with params >= 5 and params <= 8 and flops < 25 was found; widen the limits."
    assert (str(caught.value), caught.value.proven) == (message, False)


@pytest.mark.parametrize("domain", [Integer(0, 10**9), Real(0, 1e9)])
def test_long_ranges_are_drawn_within_limits(domain):
    space = toy(*(Layer("conv", {"a": domain}, name=f"c{n}") for n in range(3)))
    completions, rng = Completions(space, Sum()), random.Random(2)
    drawn = [sample_within(completions, ["params <= 1.5e9", "params >= 2e8"], rng) for _ in range(20)]
    assert all(2e8 <= completions.cost(one)[0] <= 1.5e9 for one in drawn)
    assert len(set(drawn)) == 20


class Wide(ToyFold):
    """The state is the number of channels; a layer costs as many as it is given times as many as it gives."""

    figures = ("params",)

    def layer(self, state, kind, options):
        return options["width"], (state * options["width"],)

    def end(self, state):
        pass


WIDE = toy(
    Repeat("r", Integer(1, 6), (Layer("conv", {"width": Integer(16, 512)}), Layer("pool", {"width": Ref("w")}))),
    Layer("head", {"width": Integer(16, 512)}),
    choices={"w": Integer(16, 512)},
)


@pytest.mark.parametrize("steps", [1_000, 5_000, MAX_STEPS])
def test_a_draw_does_not_hang_on_the_draws_before_it(steps):
    # To look ahead from the first question takes 4,485 steps.
    used = Completions(WIDE, Wide(), steps)
    for seed in range(1_000):
        sample_within(used, ["params <= 100e3"], random.Random(seed))
    for seed in range(20):
        fresh = Completions(WIDE, Wide(), steps)
        drawn = [sample_within(completions, ["params <= 100e3"], random.Random(seed)) for completions in (used, fresh)]
        assert drawn[0] == drawn[1]


def test_draws_and_descents_leave_nothing_behind():
    completions, rng = Completions(WIDE, Wide()), random.Random(3)
    first = sample_within(completions, ["params <= 100e3"], rng)
    kept = completions.kept
    drawn = {sample_within(completions, ["params <= 100e3"], rng) for _ in range(500)}
    improve(completions, lambda costs: costs[0], rng, enough=50e3)
    assert completions.cost(first)[0] <= 100e3
    assert len(drawn) > 490
    assert completions.kept == kept


def test_where_there_is_too_much_to_follow_excess_is_brought_down():
    completions = Completions(TOWER, Sum(), steps=30)
    found = sample_within(completions, ["params <= 13"], random.Random(0))
    assert completions.cost(found)[0] <= 13


class Never(ToyFold):
    def layer(self, state, kind, options):
        raise ModelError("never fits.")


@pytest.mark.parametrize("space", [toy(Layer("conv")), toy(Layer("conv", {"a": Categorical(1, 2)}))])
def test_a_space_in_which_nothing_fits_has_nothing_within(space):
    with pytest.raises(NoneWithin) as caught:
        sample_within(Completions(space, Never()), [], random.Random(0))
    assert (str(caught.value), caught.value.proven) == ("no architecture of 'toy' has layers that all fit; mend the space.", True)


def test_a_limit_on_another_figure_is_refused():
    with pytest.raises(SpaceError, match="no figure is called 'latency_ms' here"):
        sample_within(Completions(TOWER, Sum()), ["latency_ms < 5"], random.Random(0))
