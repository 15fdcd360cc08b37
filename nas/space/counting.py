"""How many architectures follow from each moment of a walk; so every architecture has a number, and can be drawn by it."""

import math
import random
from collections.abc import Iterator

from nas.errors import SpaceError
from nas.space.architecture import Architecture
from nas.space.domain import Domain, Real, Value
from nas.space.moments import Moment, Walks, once, questions
from nas.space.space import Space, draw_uniformly

MAX_STEPS = 100_000
"""The most that counting a space may take, which is up to a second: an answer that is followed is a step for itself, and one
more for each earlier answer that is remembered."""


class Census:
    """The architectures of a space, counted; an answer from a range of reals is counted as one."""

    def __init__(self, walks: Walks) -> None:
        self.begin = walks.begin.moment
        self.ways: dict[Moment, int] = {}
        """Moment → how many architectures follow from it."""
        self.infinite = False
        """Whether one of them has an answer from a range of reals."""
        self.steps = 0
        """How many steps it took to count them."""
        self._count()

    @property
    def total(self) -> int:
        """How many architectures there are."""
        return self.ways[self.begin]

    def _count(self) -> None:
        """Work out `ways`, from the ends back; with a stack of its own, as a walk may be thousands of questions long."""
        stack = [self.begin]
        opened: set[Moment] = set()
        while stack:
            moment = stack[-1]
            choice = moment.choice
            if moment in self.ways or choice is None:
                self.ways.setdefault(moment, 1)
                stack.pop()
                continue
            if moment not in opened:  # once for each, so that it is no matter in which order they are come to
                opened.add(moment)
                self.steps += len(choice.groups) * (1 + moment.remembered)
                if self.steps > MAX_STEPS:
                    raise SpaceError(
                        f"to count a space takes at most {MAX_STEPS:,} steps, this one takes more; "
                        "let fewer shared choices at a time decide about its layers."
                    )
            nexts = [(moment.after_token(token).moment, like) for token, like in choice.groups]
            missing = [follower for follower, _ in nexts if follower not in self.ways]
            stack += missing
            if not missing:
                self.infinite |= isinstance(choice.domain, Real)
                self.ways[moment] = sum(self.ways[follower] * like for follower, like in nexts)
                stack.pop()


@once
def census(space: Space) -> Census:
    """The count of `space`; made once, and kept for as long as the space is.

    Raises:
        SpaceError: it takes more than MAX_STEPS.
    """
    return Census(questions(space))


def architecture_at(space: Space, index: int) -> Architecture:
    """The architecture of number `index`, from 0: the order is that of the answers, the last question turning fastest.

    Raises:
        SpaceError: there is no such number, or `space` holds infinitely many architectures.
    """
    counted = _finite(space)
    if not 0 <= index < counted.total:
        raise SpaceError(f"an architecture of {space.name!r} has a number from 0 to {counted.total - 1:,}, got {index:,}.")
    return space.walk(_Unranking(counted, index))


def index_of(space: Space, architecture: Architecture) -> int:
    """The number of `architecture` in `space`: the inverse of `architecture_at`.

    Raises:
        SpaceError: `architecture` is not one of `space`, or `space` holds infinitely many.
    """
    space.blueprint(architecture)  # says what is wrong with it
    ranking = _Ranking(_finite(space), architecture)
    space.walk(ranking)
    return ranking.index


def architectures(space: Space) -> Iterator[Architecture]:
    """Every architecture of `space`, in the order of their numbers, each made when it is asked for.

    Raises:
        SpaceError: `space` holds infinitely many.
    """
    counted = _finite(space)
    return (space.walk(_Unranking(counted, index)) for index in range(counted.total))


def sample_uniformly(space: Space, rng: random.Random) -> Architecture:
    """An architecture drawn by `rng`, every one as likely as any other.

    `Space.sample` draws every *choice* uniformly, so that a network of few choices, such as one of few repetitions, comes up far
    more often than one of many. Here each answer is as likely as the share of the architectures that have it. Where there are
    ranges of reals, what is left of an architecture without them is uniform, and each real answer is uniform in its range, in
    its logarithm where the range is one of magnitudes.
    """
    counted = census(space)
    return space.walk(_Unranking(counted, rng.randrange(counted.total), rng))


def _finite(space: Space) -> Census:
    counted = census(space)
    if counted.infinite:
        raise SpaceError(f"{space.name!r} holds infinitely many architectures; write values in place of its ranges of reals.")
    return counted


class _Unranking:
    """Answers a walk with the architecture of a number."""

    def __init__(self, counted: Census, index: int, rng: random.Random | None = None) -> None:
        self.ways, self.moment, self.index, self.rng = counted.ways, counted.begin, index, rng

    def __call__(self, _name: str, domain: Domain) -> Value:
        choice = self.moment.choice
        assert choice is not None  # noqa: S101 - moments and the walk ask the same
        if isinstance(domain, Real):
            assert self.rng is not None  # noqa: S101 - only samples are drawn of infinitely many
            self.moment = self.moment.after_token(0).moment
            return draw(domain, self.rng)
        if not choice.decides:
            self.moment = self.moment.after_token(0).moment
            place, self.index = divmod(self.index, self.ways[self.moment])
            return choice.answer(place)
        for answer in domain:
            follower = self.moment.after(answer).moment
            if self.index < self.ways[follower]:
                self.moment = follower
                return answer
            self.index -= self.ways[follower]
        raise AssertionError("the counts of a moment's answers sum to its own")


class _Ranking:
    """Replays an architecture, adding up how many come before it."""

    def __init__(self, counted: Census, architecture: Architecture) -> None:
        self.ways, self.moment, self.answers, self.index = counted.ways, counted.begin, architecture.choices, 0

    def __call__(self, name: str, _domain: Domain) -> Value:
        choice, answer = self.moment.choice, self.answers[name]
        assert choice is not None  # noqa: S101 - as above
        before, follower = int(choice.position(answer)), self.moment.after(answer).moment
        if choice.decides:
            self.index += sum(self.ways[self.moment.after_token(choice.kin(n)).moment] for n in range(before))
        else:
            self.index += before * self.ways[follower]
        self.moment = follower
        return answer


def draw(domain: Domain, rng: random.Random) -> Value:
    """An answer drawn uniformly; from a real range of magnitudes, uniformly in its logarithm."""
    if isinstance(domain, Real) and domain.log:
        answer = math.exp(rng.uniform(math.log(domain.low), math.log(domain.high)))
        return min(max(answer, domain.low), domain.high)
    return draw_uniformly(domain, rng)
