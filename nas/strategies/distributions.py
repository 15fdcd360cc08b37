"""A choice's domain in Optuna's words."""

from functools import lru_cache
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from nas.space import Categorical, Domain, Integer, Value


def distribution(domain: Domain) -> BaseDistribution:
    """The distribution that Optuna draws an answer of `domain` from; one object, which thousands of trials share."""
    return _made(domain, tuple(map(type, domain.values)) if isinstance(domain, Categorical) else ())


@lru_cache(maxsize=4_096)
def _made(domain: Domain, kinds: tuple[type, ...]) -> BaseDistribution:  # noqa: ARG001 - 0 and False are one to a cache
    if isinstance(domain, Categorical):
        return CategoricalDistribution(domain.values)
    if isinstance(domain, Integer):
        return IntDistribution(domain.low, domain.high, step=domain.step, log=domain.log)
    return FloatDistribution(domain.low, domain.high, log=domain.log)


def suggest(trial: optuna.Trial, name: str, domain: Domain) -> Value:
    """The trial's answer to the choice `name`."""
    answer: Any = trial._suggest(name, distribution(domain))  # its public methods make a distribution for each trial
    given: Value = int(answer) if isinstance(domain, Integer) else answer
    return given
