import gc
import math
import random
import weakref
from collections import Counter

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from toy_spaces import every_architecture, random_spaces, toy

from nas.errors import SpaceError
from nas.space import (
    Architecture,
    Categorical,
    Integer,
    Layer,
    OneOf,
    Real,
    Repeat,
    architecture_at,
    architectures,
    index_of,
    sample_uniformly,
    size,
)
from nas.space.counting import census

TOWER = toy(Repeat("r", Integer(0, 3), (Layer("conv", {"a": Categorical(1, 3, 5)}),)))
"""1 + 3 + 9 + 27 = 40 architectures; by choices, the one without a layer is every fourth."""


@settings(max_examples=80, deadline=None)
@given(space=random_spaces())
def test_architectures_are_numbered_in_the_order_of_their_answers(space):
    by_hand = every_architecture(space)
    assume(by_hand is not None)
    assert list(architectures(space)) == by_hand
    assert [index_of(space, architecture) for architecture in by_hand] == list(range(len(by_hand)))


@settings(max_examples=60, deadline=None)
@given(space=random_spaces(), part=st.floats(0, 1, exclude_max=True))
def test_an_architecture_is_found_by_its_number(space, part):
    index = int(size(space) * part)
    assert index_of(space, architecture_at(space, index)) == index


def chi_square(sample, draws=8_000):
    rng = random.Random(5)
    counts = Counter(sample(TOWER, rng) for _ in range(draws))
    expected = draws / 40
    return sum((counts[architecture] - expected) ** 2 / expected for architecture in architectures(TOWER))


def test_every_architecture_is_as_likely_as_any_other():
    # Of 39 degrees of freedom: above 72.1 in one of a thousand samples.
    assert chi_square(sample_uniformly) < 72.1


def test_drawing_every_choice_uniformly_is_something_else():
    assert chi_square(lambda space, rng: space.sample(rng)) > 10_000


@settings(max_examples=60, deadline=None)
@given(space=random_spaces(reals=True), seed=st.integers(0, 2**32))
def test_a_uniform_sample_is_an_architecture_of_its_space(space, seed):
    architecture = sample_uniformly(space, random.Random(seed))
    assert space.architecture(architecture.choices) == architecture


@settings(max_examples=25, deadline=None)
@given(space=random_spaces())
def test_a_uniform_sample_reaches_every_architecture(space):
    everything = every_architecture(space, most=12)
    assume(everything is not None)
    rng = random.Random(1)
    # One of 12 is missed 400 times over with probability 12 · (11/12)^400 < 1e-13.
    assert {sample_uniformly(space, rng) for _ in range(400)} == set(everything)


def test_a_range_of_reals_counts_as_one_answer_and_is_filled_evenly():
    space = toy(OneOf("o", {"a": Layer("a", {"x": Real(1e-4, 1, log=True)}), "b": Layer("b", {"y": Categorical(1, 2, 3)})}))
    rng = random.Random(2)
    drawn = [sample_uniformly(space, rng).choices for _ in range(4_000)]
    reals = [choices["o.a.x"] for choices in drawn if "o.a.x" in choices]
    assert 850 < len(reals) < 1_150
    for exponent in (-4, -3, -2, -1):
        assert 180 < sum(10**exponent <= real < 10 ** (exponent + 1) for real in reals) < 320


def test_a_number_that_no_architecture_has_is_refused():
    for index in (-1, 40):
        with pytest.raises(SpaceError) as caught:
            architecture_at(TOWER, index)
        assert str(caught.value) == f"an architecture of 'toy' has a number from 0 to 39, got {index}."


def test_infinitely_many_architectures_have_no_numbers():
    space = toy(Layer("conv", {"a": Real(0, 1)}))
    works = (
        lambda: architecture_at(space, 0),
        lambda: architectures(space),
        lambda: index_of(space, space.sample(random.Random(1))),
    )
    for work in works:
        with pytest.raises(SpaceError) as caught:
            work()
        message = "'toy' holds infinitely many architectures; write values in place of its ranges of reals."
        assert str(caught.value) == message


def test_an_architecture_of_elsewhere_has_no_number():
    with pytest.raises(SpaceError, match="not of 'toy' version 1"):
        index_of(TOWER, Architecture("tower", 1, {"r.times": 0}))
    with pytest.raises(SpaceError, match="does not apply"):
        index_of(TOWER, Architecture("toy", 1, {"r.times": 0, "r.0.conv.a": 1}))


def test_architectures_are_made_when_asked_for():
    space = toy(Repeat("r", 1_000, (Layer("conv", {"a": Categorical(1, 2)}),)))
    assert size(space) == 2**1_000
    assert next(architectures(space)) == architecture_at(space, 0)
    assert math.log2(index_of(space, sample_uniformly(space, random.Random(3)))) > 900


def test_a_census_is_made_once_and_kept_as_long_as_its_space():
    space = toy(Layer("conv", {"a": Categorical(1, 2)}))
    counted = census(space)
    assert census(space) is counted
    assert census(toy(Layer("conv", {"a": Categorical(1, 2)}))) is not counted
    gone, forgotten = weakref.ref(space), weakref.ref(counted)
    del space, counted
    gc.collect()
    assert gone() is forgotten() is None
