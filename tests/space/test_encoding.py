import math
import random

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from toy_spaces import every_architecture, random_spaces, toy

from nas.errors import SpaceError
from nas.space import Categorical, Cell, Encoding, Integer, Layer, OneOf, Real, Ref, Repeat, Space

TREE = toy(
    Layer("conv", {"a": Categorical("x", "y"), "b": Integer(10, 30, step=5), "c": Integer(1, 100, log=True), "d": Real(-1, 1)}),
    Repeat("r", Ref("n"), (OneOf("o", {"pool": Layer("pool", {"e": Categorical(True, 1)}), "skip": ()}),)),
    choices={"n": Integer(0, 2)},
)


def test_a_vector_says_what_every_choice_answers():
    encoding = Encoding(TREE)
    turns = [f"r.{n}.{column}" for n in (0, 1) for column in ("o=pool", "o=skip", "o.pool.e=True", "o.pool.e=1")]
    assert list(encoding.columns) == ["conv.a=x", "conv.a=y", "conv.b", "conv.c", "conv.d", "n", *turns]
    given = {"conv.a": "y", "conv.b": 25, "conv.c": 10, "conv.d": 0.5, "n": 1, "r.0.o": "pool", "r.0.o.pool.e": 1}
    values, mask = encoding.encode(TREE.architecture(given))
    np.testing.assert_allclose(values, [0, 1, 0.75, 0.5, 0.75, 0.5, 1, 0, 0, 1, 0, 0, 0, 0])
    assert mask.tolist() == [True] * 10 + [False] * 4


@settings(max_examples=120, deadline=None)
@given(space=random_spaces(), seed=st.integers(0, 2**32))
def test_an_architecture_comes_back_from_its_vector(space, seed):
    architecture = space.sample(random.Random(seed))
    encoding = Encoding(space)
    values, mask = encoding.encode(architecture)
    assert values.shape == mask.shape == (len(encoding.columns),)
    assert encoding.decode(values) == architecture
    assert not values[~mask].any()


@settings(max_examples=60, deadline=None)
@given(space=random_spaces(reals=True), seed=st.integers(0, 2**32))
def test_several_at_once_have_the_vectors_of_each(space, seed):
    encoding, rng = Encoding(space), random.Random(seed)
    several = [space.sample(rng) for _ in range(5)]
    values, masks = encoding.encode_all(several)
    for row, architecture in enumerate(several):
        value, mask = encoding.encode(architecture)
        assert (values[row] == value).all()
        assert (masks[row] == mask).all()


@settings(max_examples=60, deadline=None)
@given(space=random_spaces())
def test_every_choice_of_every_architecture_has_columns_and_no_other_has(space):
    everything = every_architecture(space)
    assume(everything is not None)
    names = {name for architecture in everything for name in architecture.choices}
    assert set(Encoding(space).domains) == names
    assert len({Encoding(space).encode(architecture)[0].tobytes() for architecture in everything}) == len(everything)


def test_an_alternative_that_a_choice_around_it_rules_out_has_no_columns():
    inner = OneOf("inner", {"a": (), "b": (Layer("conv", {"size": Categorical(1, 3)}),)}, by=Ref("kind"))
    outer = OneOf("outer", {"a": (inner,), "b": ()}, by=Ref("kind"))
    space = Space(name="toy", version=1, accepts="image", layers=(outer,), choices={"kind": Categorical("a", "b")})
    assert list(Encoding(space).domains) == ["kind"]


def test_reals_come_back_within_twelve_digits():
    space = toy(Layer("conv", {"a": Real(-3, 7), "b": Real(1e-300, 1e300, log=True), "c": Integer(-(2**53), 2**53)}))
    encoding, rng = Encoding(space), random.Random(0)
    for _ in range(100):
        given = space.sample(rng).choices
        back = encoding.decode(encoding.encode(space.architecture(given))[0]).choices
        assert math.isclose(back["conv.a"], given["conv.a"], abs_tol=1e-11)
        assert math.isclose(back["conv.b"], given["conv.b"], rel_tol=1e-11)
        assert abs(back["conv.c"] - given["conv.c"]) <= 8


def test_long_ranges_of_integers_come_back_exactly():
    space = toy(Layer("conv", {"a": Integer(0, 10**12), "b": Integer(1, 10**9, log=True), "c": Integer(5, 5)}))
    encoding, rng = Encoding(space), random.Random(0)
    for _ in range(200):
        architecture = space.sample(rng)
        assert encoding.decode(encoding.encode(architecture)[0]) == architecture


def test_any_vector_is_the_nearest_architecture():
    encoding = Encoding(TREE)
    decoded = encoding.decode([0.2, 0.1, 9, -9, 0.5, 0.4, 0.3, 0.4, 0, 0, 0, 0, 0, 0])
    assert dict(decoded.choices) == {"conv.a": "x", "conv.b": 30, "conv.c": 1, "conv.d": 0.0, "n": 1, "r.0.o": "skip"}


def test_a_constant_that_decides_leaves_one_alternative():
    options = {"a": (Layer("conv", {"x": Categorical(1, 2)}),), "b": (Layer("conv", {"y": Categorical(1, 2)}),)}
    space = toy(OneOf("o", options, Ref("k")), Cell("c", 2, options, Ref("edge")), choices={"k": "a", "edge_0_1": "b"})
    assert list(Encoding(space).domains) == ["o.a.conv.x", "c.edge_0_1.b.conv.y"]


def test_too_many_choices_are_refused():
    space = toy(Repeat("r", 1_000, (Layer("conv", {f"o{n}": Categorical(1, 2) for n in range(11)}),)))
    with pytest.raises(SpaceError) as caught:
        Encoding(space)
    message = "'toy' has more than 10,000 choices that can apply; let fewer layers repeat, or share choices."
    assert str(caught.value) == message
