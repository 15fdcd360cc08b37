"""One run: a strategy asked and told until so many different architectures within the limits have answered."""

import hashlib
import random
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from nas.benchmark import Budget
from nas.comparing.arena import Arena
from nas.comparing.confirming import confirmed
from nas.comparing.values import Cell, Question, Run
from nas.records import LOOKED_UP, Machine, Outcome, Record, commit
from nas.searching.confirming import TOP
from nas.space import Architecture
from nas.strategies import IDLE_BEFORE_CHANCE, Guide, Proposal

STUCK = IDLE_BEFORE_CHANCE
"""After so many proposals in a row that bring nothing new (known, outside the limits, or not in the table) the next is drawn by
chance, as in a search; so a run ends after at most 6 proposals an evaluation."""

SORT = "sort"
"""The baseline that takes the largest first; it is no strategy of a search, since it has to see all architectures before."""

_NOWHERE = Machine(system="", processor="a table", cores=0, memory_gib=None)


def run(arena: Arena, strategy: str, seed: int, evaluations: int, confirmations: int = 0) -> Run:
    """Let `strategy` search `arena` from `seed` until `evaluations` architectures have answered, or none is left.

    The last `confirmations` of them are trainings of the best again, where the table has several trainings.

    Known architectures cost nothing and are told again, and what is outside the limits or absent costs nothing and is told as in
    a search: both are proposals, and no evaluations.

    Raises:
        StrategyError: the strategy is unknown or cannot serve the space.
    """
    began = time.perf_counter()
    own = seed_of(arena.question, seed)
    asked = _Largest(arena, own) if strategy == SORT else _Guided(arena, strategy, own)
    told = _Told(arena, seed)
    rng = random.Random(f"{own}:chance")  # noqa: S311 - no secret
    confirmations = min(confirmations, TOP * arena.repeats)
    target = min(evaluations - confirmations, arena.feasible)
    ask_seconds, by_chance = 0.0, 0
    while len(told.regrets) < target:
        helped = told.idle >= STUCK
        chosen = arena.draw(rng, told.records) if helped else None
        before = time.perf_counter()
        architecture = asked.ask(told.proposals, chosen)
        ask_seconds += time.perf_counter() - before
        by_chance += helped
        asked.tell(told.read(architecture))
    told.regrets += confirmed(arena, seed, told.costs, confirmations)
    return Run(
        cell=Cell(arena.question, strategy, seed),
        regrets=tuple(told.regrets),
        proposals=told.proposals,
        repeated=told.repeated,
        infeasible=told.infeasible,
        by_chance=by_chance,
        ask_seconds=ask_seconds,
        seconds=time.perf_counter() - began,
        commit=commit(),
    )


def seed_of(question: Question, seed: int) -> int:
    """The seed that strategies draw from: one for each question, so that runs on tables of one space are no copies."""
    return int.from_bytes(hashlib.sha256(f"{question}:{seed}".encode()).digest()[:4], "big") // 2


class _Guided:
    """A strategy of a search."""

    def __init__(self, arena: Arena, strategy: str, seed: int) -> None:
        self.guide = make_guide(arena, strategy, seed)
        self.proposal: Proposal | None = None

    def ask(self, number: int, chosen: Architecture | None) -> Architecture:
        self.proposal = self.guide.ask(number, chosen=chosen, at_random=chosen is not None)
        return self.proposal.architecture

    def tell(self, record: Record) -> None:
        assert self.proposal is not None  # noqa: S101 - it has been asked for
        self.guide.tell(self.proposal, record)


def make_guide(arena: Arena, strategy: str, seed: int = 0) -> Guide:
    """What asks `strategy` on `arena`.

    Raises:
        StrategyError: the strategy is unknown or cannot serve the space.
    """
    return Guide(arena.space, [arena.objective], strategy=strategy, seed=seed, limits=arena.limits, features=arena.features)


class _Largest:
    """The largest first, whatever comes of them."""

    def __init__(self, arena: Arena, seed: int) -> None:
        self.order = iter(arena.largest_first(random.Random(f"{seed}:{SORT}")))  # noqa: S311 - no secret

    def ask(self, number: int, chosen: Architecture | None) -> Architecture:  # noqa: ARG002 - as of a strategy
        return next(self.order)

    def tell(self, record: Record) -> None:
        pass


@dataclass
class _Told:
    """What has come of the proposals so far."""

    arena: Arena
    seed: int
    records: dict[str, Record] = field(default_factory=dict)
    """Architecture's id → what came of it."""
    regrets: list[float] = field(default_factory=list)
    proposals: int = 0
    repeated: int = 0
    infeasible: int = 0
    idle: int = 0
    """Proposals in a row, up to now, that brought nothing new."""
    costs: dict[Architecture, float] = field(default_factory=dict)
    """What each that has answered came to, less is better."""
    best: float = float("inf")
    """The cost of the incumbent."""

    def read(self, architecture: Architecture) -> Record:
        """What the table says of `architecture`."""
        self.proposals += 1
        known = self.records.get(architecture.id)
        if known is not None:
            self.repeated += 1
            self.idle += 1
            return known
        record = self._look_up(architecture)
        self.records[architecture.id] = record
        if record.outcome == "infeasible":
            self.infeasible += 1
            self.idle += 1
            return record
        self.idle = 0
        cost = self.arena.objective.cost(record.figures[self.arena.objective.figure])
        self.costs[architecture] = cost
        if cost < self.best:
            self.best = cost
            self.regrets.append(self.arena.regret(architecture))
        else:
            self.regrets.append(self.regrets[-1])
        return record

    def _look_up(self, architecture: Architecture) -> Record:
        row = self.arena.places.get(architecture.id)
        known = self.arena.known(architecture)
        if row is None or not self.arena.inside[row]:
            return self._record("infeasible", known)
        answer = self.arena.answer(architecture, self.seed)
        return self._record("complete", known | {self.arena.objective.figure: answer})

    def _record(self, outcome: Outcome, figures: Mapping[str, float]) -> Record:
        return Record(
            outcome=outcome,
            figures=figures,
            seed=self.seed,
            budget=Budget(epochs=1),
            device=LOOKED_UP,
            threads=0,
            machine=_NOWHERE,
        )
