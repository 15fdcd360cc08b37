"""Children are architectures of the space, whether a walk was needed or not."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toy_spaces import random_spaces, toy

from nas.space import Categorical, Integer, Layer, OneOf, Parent, Real, Repeat, Space, same_value

ALIKE = toy(OneOf("o", {"one": Layer("one", {"a": Categorical(1, 2)}), "two": Layer("two", {"a": Categorical(1, 2)})}))
"""Both options ask the same under other names."""


@settings(max_examples=150, deadline=None)
@given(space=random_spaces(reals=True), seed=st.integers(0, 2**32))
def test_a_change_gives_an_architecture_that_differs_in_it_and_keeps_what_it_can(space, seed):
    rng = random.Random(seed)
    parent = Parent(space, space.sample(rng))
    mine = parent.architecture.choices
    for name in parent.open:
        for answer in [parent.other(name, rng), *parent.others(name, rng)[:3]]:
            child = parent.changed({name: answer}, rng)
            assert [*space.domains(child)] == [*child.choices]
            assert space.architecture(child.choices) == child
            assert same_value(child.choices[name], answer)
            assert not same_value(mine[name], answer)
            assert all(
                same_value(child.choices[other], mine[other]) for other in mine if other in child.choices and other != name
            )


@settings(max_examples=100, deadline=None)
@given(space=random_spaces(reals=True), seed=st.integers(0, 2**32))
def test_a_crossing_gives_an_architecture_of_the_answers_of_both(space, seed):
    rng = random.Random(seed)
    one, other = (Parent(space, space.sample(rng)) for _ in range(2))
    child = one.crossed(other, rng)
    assert [*space.domains(child)] == [*child.choices]
    for name, answer in child.choices.items():
        having = [parent.architecture.choices[name] for parent in (one, other) if name in parent.architecture.choices]
        assert not having or any(same_value(answer, given) for given in having)


def test_options_that_ask_alike_are_told_apart_by_their_names() -> None:
    parent = Parent(ALIKE, ALIKE.architecture({"o": "one", "o.one.a": 2}))
    assert [*parent.changed({"o": "two"}, random.Random(0)).choices] == ["o", "o.two.a"]


def test_every_second_time_a_number_moves_a_little() -> None:
    space = toy(Layer("row", {"rate": Real(1e-4, 1, log=True), "width": Integer(0, 1000)}))
    parent, rng = Parent(space, space.architecture({"row.rate": 1e-2, "row.width": 500})), random.Random(0)
    moved = [parent.other("row.width", rng) for _ in range(1000)]
    assert 0.6 < sum(abs(width - 500) < 200 for width in moved) / 1000 < 0.8  # 0.5 of them by 0.95, the others by 0.4
    assert all(1e-4 <= parent.other("row.rate", rng) <= 1 for _ in range(1000))


def test_what_keeps_to_the_same_questions_is_not_walked(monkeypatch: pytest.MonkeyPatch) -> None:
    space = toy(Repeat("block", Integer(1, 2), (Layer("conv", {"kernel": Categorical(3, 5)}),)))
    parent = Parent(space, space.architecture({"block.times": 2, "block.0.conv.kernel": 3, "block.1.conv.kernel": 3}))

    def refuse(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr(Space, "walk", refuse)
    rng = random.Random(0)
    assert parent.changed({"block.1.conv.kernel": 5}, rng).choices["block.1.conv.kernel"] == 5
    parent.crossed(parent, rng)
    with pytest.raises(AssertionError):
        parent.changed({"block.times": 1}, rng)
