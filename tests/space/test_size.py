import math

import pytest
from hypothesis import assume, given, settings
from toy_spaces import every_architecture, random_spaces, toy

from nas.errors import SpaceError
from nas.space import (
    Categorical,
    Cell,
    Integer,
    Layer,
    OneOf,
    Parallel,
    Real,
    Ref,
    Repeat,
    parse_space,
    size,
    size_if_counted,
    size_text,
)
from nas.space.counting import census

TWO, THREE = Categorical(1, 2), Categorical(1, 2, 3)
NONE = ()


def conv(**options):
    return Layer("conv", options)


SPACES = {
    "no choice at all": (toy(conv(a=3)), 1),
    "a layer of two choices": (toy(conv(a=TWO, b=THREE)), 6),
    "a range with steps": (toy(conv(a=Integer(8, 32, step=8))), 4),
    "a choice of one value": (toy(conv(a=Categorical(7))), 1),
    "no repetition is one way": (toy(Repeat("r", Integer(0, 2), (conv(a=THREE),))), 1 + 3 + 9),
    "times from a list": (toy(Repeat("r", Categorical(1, 3), (conv(a=TWO),))), 2 + 8),
    "nested repeats": (toy(Repeat("r", Integer(1, 2), (Repeat("s", Integer(0, 1), (conv(a=TWO),)),))), 3 + 9),
    "options of different sizes": (
        toy(OneOf("o", {"conv": conv(a=THREE), "two": (conv(a=TWO),), "skip": NONE})),
        3 + 2 + 1,
    ),
    "a shared choice read twice": (
        toy(conv(a=Ref("w")), Layer("pool", {"a": Ref("w")}), choices={"w": THREE}),
        3,
    ),
    "a shared choice that one option reads": (
        toy(OneOf("o", {"conv": conv(a=Ref("w")), "skip": NONE}), choices={"w": THREE}),
        3 + 1,
    ),
    "a shared choice that any repetition may make": (
        toy(Repeat("r", 2, (OneOf("o", {"conv": conv(a=Ref("w")), "skip": NONE}),)), choices={"w": THREE}),
        # skip twice: w is not made; otherwise it is made once
        1 + 3 * 3,
    ),
    "a choice made anew in each repetition": (toy(Repeat("r", 2, (conv(a=Ref("w")),), choices={"w": THREE})), 9),
    "by a shared choice, twice": (
        toy(
            OneOf("o", {"conv": conv(a=THREE), "skip": NONE}, by=Ref("k")),
            OneOf("p", {"conv": conv(a=TWO), "skip": NONE}, by=Ref("k")),
            choices={"k": Categorical("conv", "skip")},
        ),
        3 * 2 + 1,
    ),
    "times by a shared choice, twice": (
        toy(
            Repeat("r", Ref("n"), (conv(a=TWO),)),
            Repeat("s", Ref("n"), (conv(a=THREE),)),
            choices={"n": Integer(0, 2)},
        ),
        1 + 2 * 3 + 4 * 9,
    ),
    "times by a choice of each repetition": (
        toy(Repeat("r", 2, (Repeat("s", Ref("n"), (conv(a=TWO),)),), choices={"n": Categorical(0, 2)})),
        (1 + 4) ** 2,
    ),
    "shared constants": (
        toy(
            Repeat("r", Ref("n"), (OneOf("o", {"conv": conv(a=TWO), "skip": NONE}, by=Ref("k")),)),
            choices={"n": 2, "k": "conv"},
        ),
        4,
    ),
    "branches and their merge": (
        toy(Parallel("p", {"body": (conv(a=THREE),), "skip": NONE, "gate": (conv(a=TWO),)}, Categorical("add", "multiply"))),
        3 * 2 * 2,
    ),
    "a cell of three edges": (toy(Cell("c", 3, {"conv": conv(a=TWO), "skip": Layer("skip")})), (2 + 1) ** 3),
    "cells that share their edges": (
        toy(
            Repeat("r", 2, (Cell("c", 3, {"conv": conv(a=TWO), "skip": Layer("skip")}, Ref("edge")),)),
            choices={f"edge_{ends}": ["conv", "skip"] for ends in ("0_1", "0_2", "1_2")},
        ),
        # an edge that is `conv` in one cell is in both, and each of them has a choice of two
        (2 * 2 + 1) ** 3,
    ),
    "a name that decides in one repeat and not in the next": (
        toy(
            Repeat("r", 1, (Repeat("s", Ref("n"), (conv(a=TWO),)),), choices={"n": Categorical(0, 1)}),
            Repeat("t", 1, (conv(a=Ref("n")),), choices={"n": THREE}),
        ),
        (1 + 2) * 3,
    ),
}


@pytest.mark.parametrize(("space", "by_hand"), SPACES.values(), ids=SPACES)
def test_the_size_is_what_a_hand_and_a_full_walk_count(space, by_hand):
    architectures = every_architecture(space)
    assert len(set(architectures)) == len(architectures)
    assert (size(space), len(architectures)) == (by_hand, by_hand)


@settings(max_examples=120, deadline=None)
@given(space=random_spaces())
def test_the_size_of_a_random_space_is_what_a_full_walk_counts(space):
    architectures = every_architecture(space)
    assume(architectures is not None)
    assert len(set(architectures)) == len(architectures)
    assert size(space) == len(architectures)


HALF = Real(0, 0.5)


@pytest.mark.parametrize(
    "space",
    [
        toy(conv(a=HALF)),
        toy(conv(a=Ref("w")), choices={"w": HALF}),
        toy(OneOf("o", {"conv": conv(a=HALF), "skip": NONE})),
        toy(Repeat("r", Integer(0, 1), (conv(a=HALF),))),
        toy(
            Repeat("r", 1, (Repeat("s", Ref("n"), (conv(),)),), choices={"n": Categorical(0, 1)}),
            Repeat("t", 1, (conv(a=Ref("n")),), choices={"n": HALF}),
        ),
    ],
)
def test_a_space_with_a_real_range_in_reach_is_infinite(space):
    assert size(space) == math.inf


@pytest.mark.parametrize(
    "space",
    [
        toy(Repeat("r", 0, (conv(a=HALF),)), conv()),
        toy(OneOf("o", {"conv": conv(a=HALF), "skip": NONE}, by=Ref("k")), choices={"k": "skip"}),
    ],
)
def test_a_real_range_out_of_reach_does_not_count(space):
    assert size(space) == 1


def test_a_space_of_many_repetitions_is_counted_at_once():
    blocks = Repeat("block", Integer(1, 10), (conv(a=TWO),))
    counted = census(toy(Repeat("stage", Integer(1, 1_000), (blocks,))))
    # One repetition has 2 + 4 + … + 2^10 ways.
    assert counted.total == sum((2**11 - 2) ** n for n in range(1, 1_001))
    # How many stages; in each of 1,000, how many blocks; in each of 10, an answer, as the two of `a` are not told apart.
    assert counted.steps == 1_000 + 1_000 * (10 + 10)


def test_counting_takes_a_step_for_each_answer_told_apart_and_for_each_earlier_one_remembered_then():
    repeats = [Repeat(name, Ref(times), (conv(a=TWO),)) for name, times in (("r", "n"), ("s", "m"), ("t", "n"))]
    counted = census(toy(*repeats, choices={"n": Categorical(0, 1), "m": Categorical(0, 1)}))
    # n = 0: m and s. n = 1: r, m, s and t, where n is forgotten again; the answers of `a` are not told apart.
    assert (counted.total, counted.steps) == (1 + 2 + 2 * (1 + 2) * 2, 2 + (2 * 2 + 2) + (2 + 2 * 2 + 2 + 1))


def test_counting_takes_the_same_steps_wherever_in_memory_a_space_lies():
    def build():
        return toy(Repeat("stage", Integer(1, 30), (Repeat("block", Integer(1, 10), (conv(a=TWO),)),)))

    spaces = [build() for _ in range(20)]
    assert {census(space).steps for space in spaces} == {30 + 30 * (10 + 10)}


def test_shared_choices_that_are_used_up_do_not_multiply_the_work():
    choices = {f"n{i}": TWO for i in range(200)}
    repeats = [Repeat(f"r{i}", Ref(f"n{i}"), (conv(a=TWO),)) for i in range(200)]
    assert size(toy(*repeats, choices=choices)) == (2 + 4) ** 200


def test_shared_choices_between_layers_without_choices_do_not_multiply_the_work():
    operations = {name: Layer(name) for name in ("conv", "pool", "skip", "zero")}
    choices = {f"edge_{start}_{end}": [*operations] for end in range(1, 12) for start in range(end)}
    space = toy(Repeat("r", 15, (Cell("c", 12, operations, Ref("edge")),)), choices=choices)
    assert size(space) == 4**66


def test_a_huge_range_that_decides_elsewhere_under_the_same_name_is_not_listed():
    space = parse_space("""
        name: toy
        version: 1
        accepts: image
        layers:
          - {repeat: a, times: 1, choices: {n: [1, 2]}, layers: [{repeat: b, times: $n, layers: [conv]}]}
          - {repeat: c, times: 1, choices: {n: {int: [1, 1000000000000]}}, layers: [{conv: {width: $n}}]}
    """)
    assert size(space) == 2 * 10**12


def test_a_size_is_exact_for_people_up_to_twelve_digits() -> None:
    shown = {size_text(count) for count in (1, 40_247, 10**12 - 1, 10**12, 10**5_000, math.inf)}
    assert shown == {"1", "40,247", "999,999,999,999", "1.0e12", "1.0e5000", "infinitely many"}


def test_a_space_that_cannot_be_counted_in_bounded_time_says_so() -> None:
    """Twelve shared numbers of turns, all made before the first is read again: 21^12 ways to have come."""
    choices = {f"c{n}": Integer(0, 20) for n in range(12)}
    layers = [Repeat(f"r{n}", Ref(f"c{n % 12}"), (Layer("conv", {"kernel": Categorical(3, 5)}),)) for n in range(24)]
    with pytest.raises(SpaceError) as caught:
        size(toy(*layers, choices=choices))
    assert str(caught.value) == (
        "to count a space takes at most 100,000 steps, this one takes more; "
        "let fewer shared choices at a time decide about its layers."
    )
    assert size_if_counted(toy(*layers, choices=choices)) is None
    assert size_text(None) == "more than can be counted"


def test_an_architecture_of_ten_thousand_layers_is_counted() -> None:
    inner = Repeat("inner", 100, (Layer("conv", {"kernel": Categorical(3, 5)}),))
    assert size(toy(Repeat("outer", 100, (inner,)))) == 2**10_000
