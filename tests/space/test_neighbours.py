import random
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
    Ref,
    Repeat,
    crossover,
    distance,
    mutate,
    neighbours,
)

SEEDS = st.integers(0, 2**32)


def tagged(architecture):
    return {name: (type(answer), answer) for name, answer in architecture.choices.items()}


def changes(one, other):
    """The choices that both have, and answer differently."""
    one, other = tagged(one), tagged(other)
    return [name for name in one if name in other and one[name] != other[name]]


@settings(max_examples=120, deadline=None)
@given(space=random_spaces(reals=True), seed=SEEDS)
def test_a_neighbour_differs_in_one_answer_and_keeps_the_rest_that_applies(space, seed):
    rng = random.Random(seed)
    architecture = space.sample(rng)
    near = neighbours(space, architecture, rng)
    assert len(set(near)) == len(near)
    assert architecture not in near
    domains = space.domains(architecture)
    wanted = Counter({name: 5 if isinstance(domain, Real) else domain.size - 1 for name, domain in domains.items()})
    found = Counter()
    for neighbour in near:
        assert space.architecture(neighbour.choices) == neighbour
        [name] = changes(architecture, neighbour)
        found[name] += 1
    assert found == +wanted


@settings(max_examples=60, deadline=None)
@given(space=random_spaces(), seed=SEEDS)
def test_every_architecture_that_shares_all_but_one_answer_is_a_neighbour_for_some_rng(space, seed):
    everything = every_architecture(space, most=20)
    assume(everything is not None)
    architecture = space.sample(random.Random(seed))
    rng = random.Random(0)
    near = {neighbour for _ in range(300) for neighbour in neighbours(space, architecture, rng)}
    assert near == {other for other in everything if len(changes(architecture, other)) == 1}


TREE = toy(
    Layer("conv", {"a": Ref("w"), "b": Categorical(1, 2, 3)}),
    OneOf("o", {"pool": (Layer("pool", {"c": Categorical("x", "y")}),), "skip": ()}),
    choices={"w": Categorical(8, 16)},
)


def test_neighbours_stand_in_the_order_of_choices_and_answers():
    given = TREE.architecture({"w": 8, "conv.b": 2, "o": "skip"})
    near = [dict(neighbour.choices) for neighbour in neighbours(TREE, given, random.Random(4))]
    assert near[:3] == [
        {"w": 16, "conv.b": 2, "o": "skip"},
        {"w": 8, "conv.b": 1, "o": "skip"},
        {"w": 8, "conv.b": 3, "o": "skip"},
    ]
    assert len(near) == 4
    assert near[3]["o.pool.pool.c"] in {"x", "y"}


def test_of_a_long_range_a_few_answers_are_tried_in_ascending_order():
    space = toy(Layer("conv", {"a": Integer(0, 10**12), "b": Real(0, 1)}))
    given = space.architecture({"conv.a": 5, "conv.b": 0.5})
    near = neighbours(space, given, random.Random(0))
    integers, reals = [n.choices["conv.a"] for n in near[:5]], [n.choices["conv.b"] for n in near[5:]]
    assert (len(near), integers, reals) == (10, sorted(set(integers) - {5}), sorted(set(reals) - {0.5}))


@settings(max_examples=60, deadline=None)
@given(space=random_spaces(reals=True), seed=SEEDS)
def test_a_mutation_changes_one_answer(space, seed):
    rng = random.Random(seed)
    architecture = space.sample(rng)
    assume(any(domain.size > 1 for domain in space.domains(architecture).values()))
    assert len(changes(architecture, mutate(space, architecture, rng))) == 1


def test_a_mutation_draws_choices_and_then_answers_evenly():
    given = TREE.architecture({"w": 8, "conv.b": 2, "o": "skip"})
    rng = random.Random(6)
    drawn = Counter()
    for _ in range(3_000):
        [name] = changes(given, mutated := mutate(TREE, given, rng))
        drawn[name, mutated.choices[name]] += 1
    assert {key: round(count / 500) for key, count in drawn.items()} == {
        ("w", 16): 2,
        ("conv.b", 1): 1,
        ("conv.b", 3): 1,
        ("o", "pool"): 2,
    }


def test_an_architecture_without_a_second_answer_cannot_be_mutated():
    space = toy(Layer("conv", {"a": Categorical(1)}))
    architecture = space.sample(random.Random(0))
    with pytest.raises(SpaceError) as caught:
        mutate(space, architecture, random.Random(0))
    message = f"nothing can be changed in {architecture.id} of 'toy': each of its choices has one answer."
    assert str(caught.value) == message
    assert neighbours(space, architecture, random.Random(0)) == []


@settings(max_examples=100, deadline=None)
@given(space=random_spaces(reals=True), seed=SEEDS)
def test_a_child_has_its_parents_answers(space, seed):
    rng = random.Random(seed)
    parents = [space.sample(rng) for _ in range(2)]
    child = crossover(space, *parents, rng)
    assert space.architecture(child.choices) == child
    for name, answer in tagged(child).items():
        having = [tagged(parent)[name] for parent in parents if name in parent.choices]
        assert not having or answer in having
    assert crossover(space, parents[0], parents[0], rng) == parents[0]


def test_a_child_takes_after_both():
    space = toy(*(Layer("conv", {"a": Categorical(0, 1)}, name=f"c{n}") for n in range(100)))
    parents = [space.architecture({f"c{n}.a": answer for n in range(100)}) for answer in (0, 1)]
    child = crossover(space, *parents, random.Random(0))
    assert 30 < sum(child.choices.values()) < 70


@settings(max_examples=100, deadline=None)
@given(space=random_spaces(reals=True), seed=SEEDS)
def test_the_distance_is_a_metric(space, seed):
    rng = random.Random(seed)
    a, b = space.sample(rng), space.sample(rng)
    c = crossover(space, a, b, rng)
    assert distance(space, a, b) == distance(space, b, a)
    assert distance(space, a, b) <= distance(space, a, c) + distance(space, c, b)
    for one, other in ((a, b), (a, a), (a, c), (b, c)):
        assert (distance(space, one, other) == 0) == (one == other)


def test_the_distance_counts_answers_and_choices_that_only_one_has():
    space = toy(
        Layer("conv", {"a": Categorical(True, 1)}), Repeat("r", Integer(0, 2), (Layer("pool", {"b": Categorical(0, 1)}),))
    )
    none = space.architecture({"conv.a": True, "r.times": 0})
    two = space.architecture({"conv.a": 1, "r.times": 2, "r.0.pool.b": 0, "r.1.pool.b": 1})
    assert distance(space, none, two) == 1 + 1 + 2


@pytest.mark.parametrize("work", [neighbours, mutate], ids=lambda work: work.__name__)
def test_an_architecture_of_another_space_has_no_neighbours_here(work):
    with pytest.raises(SpaceError, match="not of 'toy' version 1"):
        work(TREE, Architecture("other", 1, {}), random.Random(0))


@pytest.mark.parametrize("at", [0, 1])
def test_an_architecture_of_another_space_has_no_children_and_no_distance_here(at):
    pair = [TREE.sample(random.Random(0))] * 2
    pair[at] = Architecture("toy", 1, {**pair[0].choices, "x": 1})
    for work in (lambda: distance(TREE, *pair), lambda: crossover(TREE, *pair, random.Random(0))):
        with pytest.raises(SpaceError, match="'x' does not apply"):
            work()
