"""A choice's domain in Optuna's words."""

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from nas.space import Categorical, Domain, Integer, Value


def distribution(domain: Domain) -> BaseDistribution:
    """The distribution that Optuna draws an answer of `domain` from."""
    if isinstance(domain, Categorical):
        return CategoricalDistribution(domain.values)
    if isinstance(domain, Integer):
        return IntDistribution(domain.low, domain.high, step=domain.step, log=domain.log)
    return FloatDistribution(domain.low, domain.high, log=domain.log)


def suggest(trial: optuna.Trial, name: str, domain: Domain) -> Value:
    """The trial's answer to the choice `name`."""
    if isinstance(domain, Categorical):
        return trial.suggest_categorical(name, domain.values)
    if isinstance(domain, Integer):
        return trial.suggest_int(name, domain.low, domain.high, step=domain.step, log=domain.log)
    return trial.suggest_float(name, domain.low, domain.high, log=domain.log)
