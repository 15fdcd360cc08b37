import random
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toy_spaces import random_spaces, toy

from nas.errors import SpaceError
from nas.space import Architecture, Categorical, Integer, Layer, OneOf, Real, Ref, Repeat, parse_space


def seeded(seed):
    return random.Random(seed)


def walk(space, **answers):
    """The names that a walk asks for, in order; whatever `answers` leaves open gets the first value of its domain.

    A dot in a name is written as two underscores.
    """
    known = {name.replace("__", "."): answer for name, answer in answers.items()}
    asked = []

    def choose(name, domain):
        asked.append(name)
        return known[name] if name in known else domain.low if isinstance(domain, Real) else next(iter(domain))

    return space.walk(choose), asked


STAGES = toy(
    Layer("conv", {"stride": Categorical(1, 2), "width": Ref("width"), "kernel": 3}, name="stem"),
    Repeat(
        "stage",
        Integer(0, 2),
        (
            OneOf("op", {"conv": Layer("conv", {"width": Ref("width"), "kernel": Ref("kernel")}), "skip": ()}),
            OneOf("norm", {"batch": (Layer("norm", {"momentum": Real(0, 1)}),), "none": ()}, by=Ref("norm")),
        ),
        choices={"kernel": Categorical(3, 5)},
    ),
    Layer("head"),
    choices={"norm": Categorical("none", "batch"), "width": Categorical(16, 32)},
)


def test_choices_are_asked_for_in_the_order_in_which_layers_read_them():
    _, asked = walk(STAGES, stage__times=2)
    assert asked == [
        "stem.stride",
        "width",
        "stage.times",
        "stage.0.op",
        "stage.0.kernel",
        "norm",
        "stage.1.op",
        "stage.1.kernel",
    ]


def test_the_answers_stand_in_the_order_of_the_questions():
    architecture, asked = walk(STAGES, stage__times=2, norm="batch")
    assert list(architecture.choices) == asked


def test_a_shared_choice_is_made_once_and_only_where_a_layer_reads_it():
    assert walk(STAGES, stage__times=2, stage__1__op="conv")[1].count("norm") == 1
    assert "norm" not in walk(STAGES, stage__times=0)[1]


def test_a_choice_that_does_not_apply_is_absent():
    _, asked = walk(STAGES, stage__times=1, stage__0__op="skip")
    assert asked == ["stem.stride", "width", "stage.times", "stage.0.op", "norm"]


def test_the_choices_of_a_repeat_are_made_anew_in_each_repetition():
    architecture, _ = walk(STAGES, stage__times=2, stage__0__kernel=5, stage__1__kernel=3)
    layers = STAGES.blueprint(architecture)
    assert [layer.options.get("kernel") for layer in layers] == [3, 5, 3, None]


def test_a_shared_choice_decides_in_every_repetition():
    architecture, asked = walk(STAGES, stage__times=2, norm="batch")
    assert asked.count("norm") == 1
    assert [layer.path for layer in STAGES.blueprint(architecture) if layer.kind == "norm"] == [
        "stage.0.norm.batch.norm",
        "stage.1.norm.batch.norm",
    ]


def test_a_shared_choice_says_how_often_two_repeats_repeat():
    space = toy(
        Repeat("down", Ref("depth"), (Layer("conv"),)),
        Repeat("up", Ref("depth"), (Layer("conv"),)),
        choices={"depth": Integer(1, 3)},
    )
    architecture, asked = walk(space, depth=2)
    assert asked == ["depth"]
    assert [layer.path for layer in space.blueprint(architecture)] == [
        "down.0.conv",
        "down.1.conv",
        "up.0.conv",
        "up.1.conv",
    ]


def test_a_shared_constant_is_no_question():
    space = toy(
        Repeat("block", Ref("depth"), (Layer("conv", {"width": Ref("width")}),)),
        OneOf("kind", {"conv": Layer("conv"), "skip": ()}, by=Ref("op")),
        choices={"depth": 2, "width": 16, "op": "skip"},
    )
    architecture, asked = walk(space)
    assert asked == []
    assert [layer.options for layer in space.blueprint(architecture)] == [{"width": 16}, {"width": 16}]


def test_an_inner_repeat_reads_the_choices_of_the_repetition_that_it_stands_in():
    inner = Repeat("block", 2, (Layer("conv", {"width": Ref("width")}),))
    space = toy(Repeat("stage", 2, (inner,), choices={"width": Categorical(16, 32)}))
    architecture, asked = walk(space, stage__1__width=32)
    assert asked == ["stage.0.width", "stage.1.width"]
    assert [layer.options["width"] for layer in space.blueprint(architecture)] == [16, 16, 32, 32]


def test_a_blueprint_says_what_stands_where():
    architecture, _ = walk(STAGES, stage__times=2, stage__1__op="skip", norm="batch", stage__1__norm__batch__norm__momentum=1)
    layers = STAGES.blueprint(architecture)
    assert [(layer.path, layer.kind, layer.options) for layer in layers] == [
        ("stem", "conv", {"stride": 1, "width": 16, "kernel": 3}),
        ("stage.0.op.conv", "conv", {"width": 16, "kernel": 3}),
        ("stage.0.norm.batch.norm", "norm", {"momentum": 0.0}),
        ("stage.1.norm.batch.norm", "norm", {"momentum": 1.0}),
        ("head", "head", {}),
    ]
    assert [layer.place for layer in layers] == [
        ("layers", 0, "conv"),
        ("layers", 1, "layers", 0, "options", "conv"),
        ("layers", 1, "layers", 1, "options", "batch", 0, "norm"),
        ("layers", 1, "layers", 1, "options", "batch", 0, "norm"),
        ("layers", 2, "head"),
    ]


def test_the_domains_of_an_architecture_are_those_of_its_choices():
    architecture, asked = walk(STAGES, stage__times=1, norm="batch")
    domains = STAGES.domains(architecture)
    assert list(domains) == asked
    assert domains == {
        "stem.stride": Categorical(1, 2),
        "width": Categorical(16, 32),
        "stage.times": Integer(0, 2),
        "stage.0.op": Categorical("conv", "skip"),
        "stage.0.kernel": Categorical(3, 5),
        "norm": Categorical("none", "batch"),
        "stage.0.norm.batch.norm.momentum": Real(0, 1),
    }


def test_a_replay_in_any_order_gives_the_same_architecture():
    architecture, _ = walk(STAGES, stage__times=2)
    again = STAGES.architecture(dict(reversed(architecture.choices.items())))
    assert again == architecture
    assert list(again.choices) == list(architecture.choices)


def test_a_replay_makes_answers_canonical():
    assert STAGES.architecture({"stem.stride": 2.0, "width": 16.0, "stage.times": 0.0}).choices == {
        "stem.stride": 2,
        "width": 16,
        "stage.times": 0,
    }


SMALLEST = {"stem.stride": 1, "width": 16, "stage.times": 0}


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ({}, "stem.stride is not answered; it must be in [1, 2]."),
        ({**SMALLEST, "stage.times": 1}, "stage.0.op is not answered; it must be in [conv, skip]."),
        ({**SMALLEST, "width": 17}, "width must be in [16, 32], got 17."),
        ({**SMALLEST, "stage.times": 3}, "stage.times must be in 0..2, got 3."),
        ({**SMALLEST, "stage.times": True}, "stage.times must be in 0..2, got True."),
        ({**SMALLEST, "norm": "batch"}, "'norm' does not apply in this architecture of 'toy'; leave it out."),
        ({**SMALLEST, "two\nlines": 1}, "'two\\nlines' does not apply in this architecture of 'toy'; leave it out."),
    ],
)
def test_answers_that_make_no_architecture_are_refused(choices, message):
    with pytest.raises(SpaceError) as caught:
        STAGES.architecture(choices)
    assert str(caught.value) == message


@pytest.mark.parametrize("name", ["m", "must", "n"])
def test_a_complaint_names_its_choice_whatever_that_is_called(name):
    space = toy(Layer("conv", {"width": Ref(name)}), choices={name: Categorical(1, 2)})
    with pytest.raises(SpaceError, match=rf"^{name} must be in \[1, 2\], got 3\.$"):
        space.architecture({name: 3})


@pytest.mark.parametrize(("space", "version"), [("other", 1), ("toy", 2)])
@pytest.mark.parametrize("ask", [STAGES.blueprint, STAGES.domains])
def test_an_architecture_of_another_space_is_refused(ask, space, version):
    stranger = Architecture(space, version, SMALLEST)
    with pytest.raises(SpaceError) as caught:
        ask(stranger)
    assert str(caught.value) == (f"The architecture {stranger.id} is of {space!r} version {version}, not of 'toy' version 1.")


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ({"width": 16}, "stem.stride is not answered"),
        ({**SMALLEST, "width": 1}, r"width must be in \[16, 32\], got 1\."),
    ],
)
@pytest.mark.parametrize("ask", [STAGES.blueprint, STAGES.domains])
def test_an_architecture_whose_answers_do_not_fit_is_refused(ask, choices, message):
    with pytest.raises(SpaceError, match=f"^{message}"):
        ask(Architecture("toy", 1, choices))


def test_a_seed_gives_the_same_sample_again():
    first, second = ([STAGES.sample(seeded(seed)) for seed in range(20)] for _ in range(2))
    assert first == second
    assert len(set(first)) > 10


def test_a_sample_draws_every_value_about_equally_often():
    space = toy(Layer("conv", {"a": Categorical("x", "y", "z"), "b": Integer(2, 8, step=3), "c": Real(-1, 1)}))
    rng = seeded(0)
    drawn = [space.sample(rng).choices for _ in range(600)]
    # Binomial with n = 600 and p = 1/3: 200 ± 11.5, so that 150 and 250 lie more than four deviations away.
    for name, values in (("conv.a", "xyz"), ("conv.b", (2, 5, 8))):
        assert all(150 < sum(choices[name] == value for choices in drawn) < 250 for value in values)
    edges = (-1, -1 / 3, 1 / 3, 1)
    assert all(150 < sum(low <= choices["conv.c"] < high for choices in drawn) < 250 for low, high in pairwise(edges))


@settings(max_examples=60, deadline=None)
@given(space=random_spaces(reals=True), seed=st.integers(0, 2**32))
def test_every_sample_is_an_architecture_of_its_space(space, seed):
    architecture = space.sample(seeded(seed))
    assert space.architecture(architecture.choices) == architecture
    domains = space.domains(architecture)
    assert list(domains) == list(architecture.choices)
    assert all(domains[name].canonical(answer) == answer for name, answer in architecture.choices.items())
    assert len({layer.path for layer in space.blueprint(architecture)}) == len(space.blueprint(architecture))


def test_a_blueprint_of_answers_that_do_not_apply_is_refused() -> None:
    space = parse_space("name: a\nversion: 1\naccepts: image\nlayers: [conv: {kernel: [1, 3]}]")
    with pytest.raises(SpaceError, match="does not apply"):
        space.blueprint(Architecture("a", 1, {"conv.kernel": 3, "conv.stride": 2}))
