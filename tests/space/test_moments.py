import random

from hypothesis import given, settings
from hypothesis import strategies as st
from toy_spaces import random_spaces, toy

from nas.space import Categorical, Cell, Integer, Layer, LayerSpec, OneOf, Parallel, ParallelSpec, Ref, Repeat
from nas.space.moments import BranchEnded, Forked, Joined, Passed, layers, questions


def follow(walks, space, architecture):
    """The events of `architecture`, the domains asked for, and the moments come through."""
    events, moments = [*walks.begin.events], [walks.begin.moment]

    def choose(name, domain):
        assert moments[-1].domain == domain
        after = moments[-1].after(architecture.choices[name])
        events.extend(after.events)
        moments.append(after.moment)
        return architecture.choices[name]

    space.walk(choose)
    assert moments[-1].domain is None
    return events, moments


def as_events(specs):
    """What a blueprint holds, as a walk passes it; a layer as its kind and options."""
    for spec in specs:
        if isinstance(spec, LayerSpec):
            yield spec.kind, [(key, type(value), value) for key, value in spec.options.items()]
        else:
            yield Forked()
            for inside in (spec.branches if isinstance(spec, ParallelSpec) else spec.edges).values():
                yield from as_events(inside)
                yield BranchEnded()
            yield Joined(spec.merge if isinstance(spec, ParallelSpec) else None)


def shown(events):
    return [
        (event.kind, [(key, type(value), value) for key, value in event.options.items()]) if isinstance(event, Passed) else event
        for event in events
    ]


@settings(max_examples=150, deadline=None)
@given(space=random_spaces(reals=True), seed=st.integers(0, 2**32))
def test_moments_ask_what_the_walk_asks_and_pass_what_the_blueprint_holds(space, seed):
    architecture = space.sample(random.Random(seed))
    events, _ = follow(layers(space), space, architecture)
    assert shown(events) == [*as_events(space.blueprint(architecture))]
    assert follow(questions(space), space, architecture)[0] == []


def moments_of(space, walks, **answers):
    """The moments of the walk that gives `answers` by the last word of a question's name, else the first value of the domain."""
    given = space.walk(lambda name, domain: answers.get(name.split(".")[-1], next(iter(domain))))
    return follow(walks, space, given)[1]


TWO = Categorical(1, 2)


def test_a_moment_forgets_what_is_used_up():
    space = toy(Repeat("r", Ref("n"), (Layer("conv", {"a": Ref("w")}),)), Layer("head", {"b": TWO}), choices={"n": TWO, "w": TWO})
    walks = layers(space)
    before_the_head = {moments_of(space, walks, n=n, w=w)[2] for n in (1, 2) for w in (1, 2)}
    assert len(before_the_head) == 1


def test_a_moment_remembers_what_a_later_layer_reads_where_layers_are_passed():
    space = toy(Layer("conv", {"a": Ref("w")}), Layer("head", {"b": TWO, "a": Ref("w")}), choices={"w": TWO})
    for walks, apart in ((layers(space), 2), (questions(space), 1), (layers(space, lambda _, option: option == "a"), 1)):
        assert len({moments_of(space, walks, w=w)[1] for w in (1, 2)}) == apart


def test_a_moment_remembers_that_a_choice_is_made_but_not_what_it_is_where_that_decides_nothing():
    maybe = OneOf("o", {"conv": Layer("conv", {"a": Ref("w")}), "skip": Layer("skip")})
    space = toy(maybe, Layer("pool", {"b": TWO}), Layer("head", {"a": Ref("w")}), choices={"w": Categorical(1, 2, 3)})
    walks = questions(space)
    at_the_pool = [moments_of(space, walks, o="conv", w=w)[2] for w in (1, 2, 3)] + [moments_of(space, walks, o="skip")[1]]
    assert [at_the_pool.index(moment) for moment in at_the_pool] == [0, 0, 0, 3]


def test_answers_that_lead_to_equal_steps_are_not_told_apart():
    options = {"a": (Layer("conv", {"k": TWO}),), "b": (Layer("pool", {"k": TWO}),), "c": (Layer("pool"),)}
    space = toy(*(OneOf(f"o{n}", options, Ref("by")) for n in range(3)), choices={"by": ["a", "b", "c"]})
    begin = questions(space).begin.moment
    assert begin.decides
    assert begin.after("a") == begin.after("b") != begin.after("c")
    assert [like for _, like in begin.choice.groups] == [2, 1]


def test_true_and_one_are_different_options():
    space = toy(
        Layer("conv", {"a": Categorical(True, 1)}), Layer("conv", {"a": True}, name="x"), Layer("conv", {"a": 1}, name="y")
    )
    begin = layers(space).begin.moment
    for answer in (True, 1):
        assert [type(layer.options["a"]) for layer in begin.after(answer).events] == [type(answer), bool, int]


def test_an_option_that_does_not_matter_is_passed_with_the_first_value_of_its_domain():
    space = toy(Layer("conv", {"a": Integer(3, 9), "b": TWO, "c": Categorical("x", "y")}))
    moment = layers(space, lambda kind, option: (kind, option) in {("conv", "a"), ("conv", "c")}).begin.moment
    assert not moment.decides
    moment = moment.after(7).moment.after(2).moment
    assert moment.after("y").events[0].options == {"a": 3, "b": 2, "c": "x"}


def test_parallel_branches_and_cells_are_entered_and_left():
    space = toy(
        Parallel("p", {"body": (Layer("conv"),), "skip": ()}, Categorical("add", "multiply")),
        Cell("c", 2, {"pool": Layer("pool")}),
    )
    moment = layers(space).begin.moment.after("multiply").moment
    assert shown(moment.after("pool").events) == [("pool", []), BranchEnded(), Joined(None)]
    branches = layers(space).begin.moment.after("multiply").events
    assert shown(branches) == [Forked(), ("conv", []), BranchEnded(), BranchEnded(), Joined("multiply"), Forked()]


def test_a_walk_of_ten_thousand_layers_is_followed_to_its_end():
    space = toy(Repeat("r", 10, (Repeat("s", 1_000, (Layer("conv", {"a": Ref("w")}),)),)), choices={"w": TWO})
    assert len(layers(space).begin.moment.after(2).events) == 10_000
