"""Where a walk stands: what is asked next, and all that can matter for what is still to come.

A walk asks one question after the other. Between two of them it stands at a `Moment`; an answer leads to the next, past layers
and branches that are complete by then. Two walks that have come different ways but have the same ahead stand at the same moment:
it knows no names, no number of turns gone, no answer that nothing later reads, and it does not tell answers apart that lead to
equal steps. So what is worked out about the rest of a walk (how many architectures there are, what they cost) is worked out once
for each moment, of which there are few where there are very many architectures.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import wraps
from typing import Any, TypeVar
from weakref import finalize

from nas.space.domain import Domain, Value
from nas.space.program import Ask, Block, Choice, Emit, Inert, Mark, Pick, Token, compile_space
from nas.space.space import Space

T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class Passed:
    """A layer is complete; equal ones are one object."""

    kind: str
    options: Mapping[str, Value]
    """An option that was said not to matter has the first value of its domain."""


@dataclass(frozen=True)
class Forked:
    """Branches, or the edges of a cell, begin: each is given what there is now."""


@dataclass(frozen=True)
class BranchEnded:
    """One of them ends; the next begins, or all are joined."""


@dataclass(frozen=True)
class Joined:
    """All have ended."""

    merge: str | None
    """How their ends become one; None in a cell, which gives what it is given."""


Event = Passed | Forked | BranchEnded | Joined


class _Frame:
    """A place in the program: a position in a block, the turns left of it, and where it goes on after them."""

    __slots__ = ("block", "index", "live", "outer", "turns")

    def __init__(self, block: Block, index: int, turns: int, outer: "_Frame | None") -> None:
        self.block, self.index, self.turns, self.outer = block, index, turns, outer
        again = block.free if turns else frozenset()
        self.live: frozenset[Choice] = block.live[index] | again | (outer.live if outer else frozenset())


class Moment:
    """Where a walk stands. Two moments of one `Walks` are the same for the rest exactly if they are the same object."""

    __slots__ = ("_answers", "_frame", "_walks", "choice")

    def __init__(self, walks: "Walks", frame: _Frame | None, answers: Mapping[Choice, Token], choice: Choice | None) -> None:
        self.choice = choice
        """What is asked; None at the end."""
        self._walks, self._frame, self._answers = walks, frame, answers

    @property
    def domain(self) -> Domain | None:
        """Of the question that is asked; None at the end."""
        return self.choice.domain if self.choice else None

    @property
    def decides(self) -> bool:
        """Whether the answer can make a difference; otherwise all lead to the same moment, past the same layers."""
        return self.choice is not None and self.choice.decides

    @property
    def remembered(self) -> int:
        """How many earlier answers still matter."""
        return len(self._answers)

    def after(self, answer: Any) -> "Successor":
        """Where `answer`, one of the domain's, leads."""
        assert self.choice is not None  # noqa: S101 - nothing is asked at the end
        return self.after_token(self.choice.token(answer))

    def after_token(self, token: Token) -> "Successor":
        """The same, of an answer's place among `choice.groups`."""
        key = self, token
        found = self._walks.afters.get(key)
        if found is None:
            assert self.choice is not None  # noqa: S101 - as above
            assert self._frame is not None  # noqa: S101 - as above
            answers = {**self._answers, self.choice: token}
            found = self._walks.afters[key] = self._walks.run(self._walks.following(self._frame), answers)
        return found


@dataclass(frozen=True)
class Successor:
    """What comes of an answer."""

    events: tuple[Event, ...]
    """What is complete by the time of the next question."""
    moment: Moment


@dataclass(eq=False)
class Walks:
    """All walks through a space, as moments that are made when they are reached."""

    program: Block
    afters: dict[tuple[Moment, Token], Successor] = field(default_factory=dict)
    """What has come of answers so far."""
    _frames: dict[tuple[Block, int, int, _Frame | None], _Frame] = field(default_factory=dict)
    _moments: dict[tuple[_Frame | None, frozenset[tuple[Choice, Token]]], Moment] = field(default_factory=dict)
    _passed: dict[tuple[str, tuple[tuple[str, type, Value], ...]], Passed] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.begin = self.run(self._frame(self.program, 0, 0, None), {})
        """What comes before the first question, and the moment of it."""

    @property
    def memos(self) -> tuple[dict[Any, Any], ...]:
        """All that is remembered, each in the order in which it was found; what was found since some time may be taken out."""
        return self.afters, self._frames, self._moments, self._passed

    def run(self, frame: _Frame | None, answers: dict[Choice, Token]) -> Successor:
        """Go on from `frame` to the next question, or the end."""
        events: list[Event] = []
        while frame is not None:
            if frame.index == len(frame.block.steps):
                frame = self.again(frame, answers) if frame.turns else frame.outer
                continue
            step = frame.block.steps[frame.index]
            if isinstance(step, Ask):
                if step.choice.own or step.choice not in answers:
                    break
            elif isinstance(step, Emit):
                events.append(self.passed(step, answers))
            elif isinstance(step, Mark):
                events.append(_event(step, answers))
            elif isinstance(step, Pick):
                frame = self._frame(step.blocks[int(answers[step.by])], 0, 0, self.beyond(frame))
                continue
            else:
                times = step.times if isinstance(step.times, int) else step.times.answer(answers[step.times])
                if times:
                    frame = self.again(self._frame(step.body, 0, int(times), self.beyond(frame)), answers)
                    continue
            frame = self.following(frame)
        kept = {choice: token for choice, token in answers.items() if choice in frame.live} if frame else {}
        key = frame, frozenset(kept.items())
        if key not in self._moments:
            asks = frame.block.steps[frame.index] if frame else None
            self._moments[key] = Moment(self, frame, kept, asks.choice if isinstance(asks, Ask) else None)
        return Successor(tuple(events), self._moments[key])

    def again(self, frame: _Frame, answers: dict[Choice, Token]) -> _Frame:
        """The first place of the next turn, in which shared choices of the repeat's own are made anew."""
        for choice in frame.block.own:
            answers.pop(choice, None)
        return self._frame(frame.block, 0, frame.turns - 1, frame.outer)

    def following(self, frame: _Frame) -> _Frame:
        """One step on in the same block."""
        return self._frame(frame.block, frame.index + 1, frame.turns, frame.outer)

    def beyond(self, frame: _Frame) -> _Frame | None:
        """Where a block inside of `frame`'s goes on at its end: past what is at its own end, so that equal places are one."""
        after: _Frame | None = self.following(frame)
        while after is not None and after.index == len(after.block.steps) and not after.turns:
            after = after.outer
        return after

    def passed(self, step: Emit, answers: Mapping[Choice, Token]) -> Passed:
        """The layer that `step` completes."""
        values = [
            (key, option.answer(answers[option]) if isinstance(option, Choice) else option[1]) for key, option in step.options
        ]
        key = step.kind, tuple((name, type(value), value) for name, value in values)
        return self._passed.setdefault(key, Passed(step.kind, dict(values)))

    def _frame(self, block: Block, index: int, turns: int, outer: _Frame | None) -> _Frame:
        key = block, index, turns, outer
        if key not in self._frames:
            self._frames[key] = _Frame(*key)
        return self._frames[key]


def _event(mark: Mark, answers: Mapping[Choice, Token]) -> Event:
    if mark.what == "join":
        merge = mark.merge.answer(answers[mark.merge]) if isinstance(mark.merge, Choice) else mark.merge
        return Joined(None if merge is None else str(merge))
    return Forked() if mark.what == "fork" else BranchEnded()


def once(make: Callable[[Space], T]) -> Callable[[Space], T]:
    """`make`, called once for each space, with what it made kept for as long as the space itself is.

    A space is known by identity, as comparing whole trees takes longer than what is kept; what is made must not hold it.
    """
    made: dict[int, T] = {}

    @wraps(make)
    def kept(space: Space) -> T:
        if id(space) not in made:
            made[id(space)] = make(space)
            finalize(space, made.pop, id(space))
        return made[id(space)]

    return kept


@once
def questions(space: Space) -> Walks:
    """The walks through `space` as questions alone: no layers are passed, and options of layers are forgotten at once."""
    return Walks(compile_space(space))


def layers(space: Space, inert: Inert = lambda _kind, _option: False) -> Walks:
    """The walks through `space` with the layers that they pass.

    Where `inert(kind, option)` says that an option does not matter, its values are not told apart.
    """
    return Walks(compile_space(space, inert))
