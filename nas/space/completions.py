"""What the rest of a walk can cost, at least and at most.

Whatever leads to the same moment with the fold in the same state has the same completions, so their cheapest and dearest are
worked out once for each such pair, from the end back (dynamic programming; Bellman 1957).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from nas.errors import ModelError, SpaceError, did_you_mean
from nas.space.architecture import Architecture
from nas.space.domain import Categorical, Domain, Integer, Value
from nas.space.encoding import unscaled
from nas.space.fold import Costs, Fold, Folding, Standing, add
from nas.space.moments import Moment, layers
from nas.space.neighbours import LISTED
from nas.space.program import Token
from nas.space.space import Space

MAX_STEPS = 6_000_000
"""The most steps that one `Completions` goes to find out what rests cost, some twenty seconds: ten for an answer that is
followed, and one for each layer that it passes and each branch that it enters or leaves."""

MAX_ASIDE = 50_000
"""The most steps that a single draw goes beyond those: up to a fifth of a second."""

POINTS = (0.0, 0.25, 0.5, 0.75, 1.0)
"""Parts of the way through a range that stand for all of it, where that is too long to be listed."""


class TooMany(Exception):
    """More steps would have to be gone than may be."""


class DeadEnd(Exception):
    """No answer leads on."""


Key = tuple[Moment, Standing]
"""All that matters for what completions cost."""


@dataclass(frozen=True, slots=True)
class Way:
    """An answer: its token, what it costs up to the next question, and where it leads."""

    token: Token
    costs: Costs
    to: Key


@dataclass(frozen=True, slots=True)
class Rest:
    """What completions cost; a figure's low and its high may be of different architectures."""

    low: Costs
    high: Costs


class Completions:
    """What the architectures of `space` cost by `fold`.

    What `total` finds out is kept, for all questions that are put to one object. What a draw or a descent finds out beyond that
    is forgotten at its end (`aside`): of a range that is too long to be listed each has other answers, so that memory would grow
    without bound, and a draw would hang on those before it.

    Every answer of a list, and of a range of up to LISTED integers, is followed. Of a longer range, or one of reals, the ends and
    three points between are, unless the fold says that the option does not matter; what is found is not proven then.
    """

    def __init__(self, space: Space, fold: Fold, steps: int = MAX_STEPS) -> None:
        self.space = space
        self.figures = fold.figures
        self.left = self._steps = steps
        """How many more steps may be gone."""
        self.whole = True
        """Whether no answer was passed over so far."""
        self._folding = Folding(fold)
        self._rests: dict[Key, Rest | None] = {}
        walks = layers(space, fold.inert)
        self._memos: tuple[dict[Any, Any], ...] = (self._rests, *walks.memos, *self._folding.memos)
        begun = self._folding.past(walks.begin.events, self._folding.begin)
        self.begin = Way(0, begun[1], (walks.begin.moment, begun[0])) if begun else None
        """What comes before the first question; None where a layer does not fit there."""

    @property
    def kept(self) -> int:
        """How many things are remembered."""
        return sum(map(len, self._memos))

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Forget at the end what is found out within, for which MAX_ASIDE steps may be gone, however many were gone before."""
        left, self.left = self.left, min(self._steps, MAX_ASIDE)
        sizes = [*map(len, self._memos)]  # what comes later stands after it, and nothing before refers to it
        try:
            yield
        finally:
            self.left = left
            for memo, size in zip(self._memos, sizes, strict=True):
                while len(memo) > size:
                    memo.popitem()

    def index(self, figure: str) -> int:
        """Where `figure` stands among the figures.

        Raises:
            SpaceError: it is none of them.
        """
        if figure not in self.figures:
            raise SpaceError(f"no figure is called {figure!r} here. {did_you_mean(figure, self.figures)}")
        return self.figures.index(figure)

    def cost(self, architecture: Architecture) -> Costs:
        """What `architecture` costs, for each of the figures.

        Raises:
            ModelError: a layer does not fit.
            SpaceError: `architecture` is not one of the space.
        """
        self.space.blueprint(architecture)  # says what is wrong with it
        with self.aside():
            costs, _ = self.follow(architecture)
        if costs is None:
            raise ModelError(f"a layer of {architecture.id} does not fit the shape that it is given.")
        return costs

    def total(self) -> Rest | None:
        """What all architectures cost, at least and at most; None where none is found in which all layers fit.

        Raises:
            TooMany: more steps would have to be gone than may be.
        """
        rest = self.rest(self.begin.to) if self.begin else None
        return Rest(add(self.begin.costs, rest.low), add(self.begin.costs, rest.high)) if self.begin and rest else None

    def rest(self, asked: Key) -> Rest | None:
        """What completions cost; None where none fits. With a stack of its own, as walks may be thousands of questions long.

        Raises:
            TooMany: more steps would have to be gone than may be.
        """
        ways: dict[Key, list[Way]] = {}
        stack = [asked]
        while stack:
            key = stack[-1]
            if key in self._rests:
                stack.pop()
            elif key[0].choice is None:
                self._rests[key] = Rest(self._folding.nothing, self._folding.nothing) if self.ends(key) else None
            elif key not in ways:
                if self.left <= 0:
                    raise TooMany
                ways[key] = self.ways(key)
                self.left -= 10 + sum(10 + len(key[0].after_token(way.token).events) for way in ways[key])
                stack += [way.to for way in ways[key] if way.to not in self._rests]
            else:
                self._rests[key] = self._joined(ways.pop(key))
        return self._rests[asked]

    def _joined(self, ways: list[Way]) -> Rest | None:
        afters = [(way.costs, after) for way in ways if (after := self._rests[way.to])]
        if not afters:
            return None
        low = zip(*(add(costs, after.low) for costs, after in afters), strict=True)
        high = zip(*(add(costs, after.high) for costs, after in afters), strict=True)
        return Rest(tuple(map(min, low)), tuple(map(max, high)))

    def ways(self, key: Key) -> list[Way]:
        """Where the answers lead that are told apart, but for those after which something does not fit."""
        choice = key[0].choice
        assert choice is not None  # noqa: S101 - asked only where there is a question
        if choice.decides and not listed(choice.domain):
            self.whole = False
            tokens = [choice.token(answer) for answer in points(choice.domain)]
        else:
            tokens = [token for token, _ in choice.groups]
        return [way for token in dict.fromkeys(tokens) if (way := self.way(key, token))]

    def way(self, key: Key, token: Token) -> Way | None:
        """Where one answer leads; None where something does not fit then."""
        moment, standing = key
        after = moment.after_token(token)
        past = self._folding.past(after.events, standing)
        return Way(token, past[1], (after.moment, past[0])) if past else None

    def ends(self, key: Key) -> bool:
        """Whether an architecture can end there."""
        return self._folding.ends(key[1])

    def follow(self, architecture: Architecture) -> tuple[Costs | None, list[str]]:
        """What `architecture` costs, None where a layer does not fit; and the choices up to there whose answers matter."""
        if self.begin is None:
            return None, []
        matter: list[str] = []
        key, spent = self.begin.to, self.begin.costs

        def choose(name: str, _domain: Domain) -> Value:
            nonlocal key, spent
            choice, answer = key[0].choice, architecture.choices[name]
            assert choice is not None  # noqa: S101 - moments and the walk ask the same
            if choice.decides:
                matter.append(name)
            way = self.way(key, choice.token(answer))
            if way is None:
                raise DeadEnd
            key, spent = way.to, add(spent, way.costs)
            return answer

        try:
            self.space.walk(choose)
        except DeadEnd:
            return None, matter
        return (spent if self.ends(key) else None), matter


def listed(domain: Domain) -> bool:
    """Whether every answer is followed."""
    return isinstance(domain, Categorical) or (isinstance(domain, Integer) and domain.size <= LISTED)


def points(domain: Domain) -> list[Value]:
    """Answers that stand for a whole range."""
    assert not isinstance(domain, Categorical)  # noqa: S101 - lists are followed
    return [unscaled(domain, part) for part in POINTS]
