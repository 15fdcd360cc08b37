"""Small spaces for tests: one by hand, and any number at random."""

from collections.abc import Mapping

from hypothesis import strategies as st

from nas.space import Architecture, Categorical, Cell, Integer, Layer, Node, OneOf, Parallel, Real, Ref, Repeat, Space

Choices = dict[str, object]


def toy(*layers: Node, choices: Mapping[str, object] | None = None, **rest: object) -> Space:
    """The space of `layers`; what does not matter to a test is filled in."""
    return Space(**{"name": "toy", "version": 1, "accepts": "image", "layers": layers, "choices": choices or {}, **rest})


def every_architecture(space, most=1_500):
    """All architectures of `space`, by walking it like an odometer; None where there are more than `most`."""
    found: list[Architecture] = []
    digits: list[int] = []
    while len(found) <= most:
        wheels: list[tuple[int, int]] = []

        def choose(_, domain, digits=digits, wheels=wheels):
            digit = digits[len(wheels)] if len(wheels) < len(digits) else 0
            wheels.append((digit, domain.size))
            return list(domain)[digit]

        found.append(space.walk(choose))
        while wheels and wheels[-1][0] + 1 == wheels[-1][1]:
            wheels.pop()
        if not wheels:
            return found
        digits = [digit for digit, _ in wheels]
        digits[-1] += 1
    return None


@st.composite
def random_spaces(draw: st.DrawFn, *, reals: bool = False) -> Space:
    """Spaces of up to three levels with shared choices, `by`, branches, cells, nested repeats and `times` by reference."""
    choices, layers, _ = _scope(draw, {}, depth=2, reals=reals)
    return toy(*layers, choices=choices)


NUMBERS = st.sampled_from([1, Categorical(1), Categorical(0, 2), Categorical(1, 2), Integer(0, 2), Integer(1, 3, step=2)])
WORDS = st.sampled_from(["a", Categorical("a", "b"), Categorical("b"), Categorical("b", "a")])
PLAIN = st.sampled_from([None, 0.5, True, Categorical(True, 1, None), Categorical(0.5, "a"), Integer(1, 8, log=True)])
EDGE = "edge_0_1"
CONTINUOUS = st.sampled_from([Real(0, 0.5), Real(0.1, 0.5), Real(1e-4, 1, log=True)])


def _scope(draw: st.DrawFn, outer: Choices, depth: int, reals: bool) -> tuple[Choices, list[Node], set[str]]:
    """One scope: its shared choices, its layers, and the outer choices that these read.

    Names come from a short list, so that sibling scopes often call different choices alike.
    """
    domains = NUMBERS | WORDS | PLAIN | CONTINUOUS if reals else NUMBERS | WORDS | PLAIN
    names = [name for name in "pqrs" if name not in outer]
    offered = draw(st.dictionaries(st.sampled_from(names), domains, max_size=2)) if names else {}
    if EDGE not in outer:
        offered |= draw(st.dictionaries(st.just(EDGE), WORDS, max_size=1))
    layers, read = _sequence(draw, {**outer, **offered}, depth, reals, least=1)
    return {name: offered[name] for name in offered if name in read}, layers, read - set(offered)


def _sequence(draw: st.DrawFn, scope: Choices, depth: int, reals: bool, least: int) -> tuple[list[Node], set[str]]:
    layers, read = [], set()
    for n in range(draw(st.integers(least, 2))):
        make = draw(st.sampled_from([_layer, _repeat, _one_of, _parallel, _cell] if depth else [_layer]))
        node, names = make(draw, scope, depth, reals, n)
        layers.append(node)
        read |= names
    return layers, read


def _layer(draw: st.DrawFn, scope: Choices, depth: int, reals: bool, n: int) -> tuple[Node, set[str]]:
    domains = PLAIN | CONTINUOUS if reals else PLAIN
    references = st.sampled_from([Ref(name) for name in scope]) if scope else st.nothing()
    options = draw(st.dictionaries(st.sampled_from(["size", "width"]), references | domains, max_size=2))
    return Layer("conv", options, name=f"conv{n}"), {option.name for option in options.values() if isinstance(option, Ref)}


def _repeat(draw: st.DrawFn, scope: Choices, depth: int, reals: bool, n: int) -> tuple[Node, set[str]]:
    counts = [Ref(name) for name, domain in scope.items() if _answers_within(domain, {0, 1, 2, 3})]
    times = draw(st.sampled_from(counts) if counts and draw(st.booleans()) else NUMBERS)
    choices, layers, read = _scope(draw, scope, depth - 1, reals)
    return Repeat(f"repeat{n}", times, tuple(layers), choices), read | ({times.name} if isinstance(times, Ref) else set())


def _one_of(draw: st.DrawFn, scope: Choices, depth: int, reals: bool, n: int) -> tuple[Node, set[str]]:
    deciders = [Ref(name) for name, domain in scope.items() if _answers_within(domain, {"a", "b"})]
    by = draw(st.sampled_from(deciders)) if deciders and draw(st.booleans()) else None
    options, read = {}, {by.name} if by else set()
    for name in ("a", "b"):
        layers, names = _sequence(draw, scope, depth - 1, reals, least=0)
        options[name] = tuple(layers)
        read |= names
    return OneOf(f"one_of{n}", options, by), read


def _parallel(draw: st.DrawFn, scope: Choices, depth: int, reals: bool, n: int) -> tuple[Node, set[str]]:
    merge = draw(st.sampled_from(["add", Categorical("add"), Categorical("concatenate", "multiply")]))
    branches, read = {}, set()
    for name in ("a", "b"):
        layers, names = _sequence(draw, scope, depth - 1, reals, least=0)
        branches[name] = tuple(layers)
        read |= names
    return Parallel(f"parallel{n}", branches, merge), read


def _cell(draw: st.DrawFn, scope: Choices, depth: int, reals: bool, n: int) -> tuple[Node, set[str]]:
    by = Ref("edge") if EDGE in scope and draw(st.booleans()) else None
    a, read = _sequence(draw, scope, depth - 1, reals, least=0)
    operations = {"a": tuple(a), "b": ()}
    return Cell(f"cell{n}", 2, operations, by), read | ({EDGE} if by else set())


def _answers_within(domain: object, allowed: set[object]) -> bool:
    answers = list(domain) if isinstance(domain, Categorical | Integer) else [domain]
    return all(type(answer) in (int, str) and answer in allowed for answer in answers)
