"""Runs made by hand."""

from collections.abc import Mapping, Sequence

import numpy as np

from nas.comparing.standings import Standings
from nas.comparing.values import Cell, Question, Run

T, U = Question("t"), Question("u")


def a_run(question: Question, strategy: str, seed: int, regrets: Sequence[float]) -> Run:
    return Run(
        cell=Cell(question, strategy, seed),
        regrets=tuple(regrets),
        proposals=len(regrets),
        repeated=0,
        infeasible=0,
        by_chance=0,
        ask_seconds=0.0,
        seconds=0.0,
        commit=None,
    )


def standings(last: Mapping[Question, Mapping[str, Sequence[float]]], expected: float = 1.0) -> Standings:
    """Of runs of two evaluations that end with these regrets, seed by seed."""
    runs = [
        a_run(question, strategy, seed, (9.0, regret))
        for question, some in last.items()
        for strategy, regrets in some.items()
        for seed, regret in enumerate(regrets)
    ]
    names = list(next(iter(last.values())))
    return Standings(runs, evaluations=2, strategies=names, expected={question: np.array([9.0, expected]) for question in last})
