"""A strategy by name: every one is an `optuna.samplers.BaseSampler`."""

import inspect
import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from typing import Any

import optuna
from optuna.exceptions import ExperimentalWarning
from optuna.samplers import BaseSampler

from nas.errors import SpaceError, StrategyError, did_you_mean
from nas.space import Encoding, Limit, Space
from nas.strategies.choosing import ChoosingSampler
from nas.strategies.evolution import RegularizedEvolution
from nas.strategies.from_nni import TUNERS, FromNni
from nas.strategies.from_optunahub import PREFIX, hub_sampler
from nas.strategies.grid import Grid
from nas.strategies.local_search import LocalSearch
from nas.strategies.parzen import ParzenSearch
from nas.strategies.pruning import BracketsByNumber
from nas.strategies.surrogate import Features, SurrogateSearch

_ALIASES = {"cmaes": "CmaEsSampler", "nsga2": "NSGAIISampler", "nsga3": "NSGAIIISampler"}

_NEEDS_ARGUMENTS = {"partialfixed": "the choices to fix and another sampler"}


OWN: Mapping[str, Callable[..., ChoosingSampler]] = {
    "grid": Grid,
    "local_search": LocalSearch,
    "regularized_evolution": RegularizedEvolution,
    "surrogate": SurrogateSearch,
    "tpe": ParzenSearch,
    **{f"nni:{tuner}": partial(FromNni, tuner=tuner) for tuner in TUNERS},
}
"""Strategies which choose whole architectures: ours, and NNI's."""

SINGLE = {"cmaes", *OWN}
"""Strategies that serve one objective."""


OPTUNAS_TPE: Mapping[str, Mapping[str, Any]] = {
    "tpe:optuna": {},
    "tpe:group": {"group": True, "multivariate": True},
    "tpe:independent": {"multivariate": False},
}
"""Optuna's TPE by its options: as it is; with the choices that stand together drawn together; with each drawn by itself."""


AUTO = "auto"
"""A strategy that `settled` makes another name of."""


def settled(name: str, space: Space, objectives: int) -> str:
    """`name`, or for `auto` what suits the study: the surrogate, which wins at tens to hundreds of evaluations; TPE for several
    objectives, which the surrogate does not serve; and local search where a space has too many choices to be encoded.

    `tpe` is ours for one objective, and Optuna's for several.
    """
    if name in {AUTO, "tpe"} and objectives > 1:
        return "tpe:optuna"
    if name != AUTO:
        return name
    try:
        Encoding(space)
    except SpaceError:
        return "local_search"
    return "surrogate"


def make_own(name: str, space: Space, features: Features | None = None, limits: Sequence[Limit] = ()) -> ChoosingSampler | None:
    """The strategy of ours called `name`, which gets `features` and `limits` where it learns from them; None without one."""
    if name not in OWN:
        return None
    return OWN[name](space, features=features, limits=limits) if OWN[name] is SurrogateSearch else OWN[name](space)


@cache
def strategies() -> Mapping[str, type[BaseSampler]]:
    """Name → sampler: those that Optuna ships and that need no argument of their own."""
    found: dict[str, type[BaseSampler]] = dict.fromkeys(OPTUNAS_TPE, optuna.samplers.TPESampler)
    for name in optuna.samplers.__all__:
        sampler = getattr(optuna.samplers, name)
        short = name.removesuffix("Sampler").lower()
        if isinstance(sampler, type) and not inspect.isabstract(sampler) and short not in {*_NEEDS_ARGUMENTS, *OWN}:
            found[short] = sampler
    for alias, name in _ALIASES.items():
        found.pop(name.removesuffix("Sampler").lower(), None)
        found[alias] = getattr(optuna.samplers, name)
    return found


def make_sampler(name: str, seed: int) -> BaseSampler:
    """The sampler called `name`, drawing from `seed`.

    Raises:
        StrategyError: there is none, or it needs arguments.
    """
    if name in _NEEDS_ARGUMENTS:
        raise StrategyError(f"The strategy {name!r} needs {_NEEDS_ARGUMENTS[name]}; make it in Python and pass the sampler.")
    if name in OWN:
        raise StrategyError(
            f"The strategy {name!r} needs the space that it chooses from; make it in Python and pass the sampler."
        )
    if name.startswith(PREFIX):
        return hub_sampler(name, seed)
    known = strategies()
    if name not in known:
        raise StrategyError(f"No strategy is called {name!r}. {did_you_mean(name, [AUTO, *OWN, *known])}")
    sampler = known[name]
    takes = inspect.signature(sampler).parameters
    options = {**OPTUNAS_TPE.get(name, {}), **({"seed": seed} if "seed" in takes else {})}
    if "warn_independent_sampling" in takes and takes["warn_independent_sampling"].default is True:
        options["warn_independent_sampling"] = False  # conditional spaces are what this harness is for
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)  # whoever names a strategy has chosen it
        return sampler(**options)


def pruner_names() -> tuple[str, ...]:
    """The pruners that `make_pruner` knows."""
    return tuple(_pruners())


def make_pruner(name: str, epochs: int | None = None) -> optuna.pruners.BasePruner:
    """The pruner called `name` for trainings of `epochs`, with Optuna's defaults except for where the rungs stand.

    Asha's are at 1, 4, 16 … epochs, and Hyperband's at 1, 3, 9 … Left to themselves both wait for the first complete trial to
    tell them how long a training is: it is compared with nobody, and so the second is trained to its end too, however it does.
    Hyperband moreover takes the longest training that is there as it begins, and one epoch more, so that a study that goes on
    could have other brackets than one without a break. Without `epochs` it does.

    Raises:
        StrategyError: there is none.
    """
    known = _pruners()
    if name not in known:
        raise StrategyError(f"No pruner is called {name!r}. {did_you_mean(name, known)}")
    options: dict[str, int] = {}
    if name == "asha":
        options = {"min_resource": 1}
    elif name == "hyperband" and epochs is not None:
        options = {"min_resource": 1, "max_resource": epochs}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)  # whoever names a pruner has chosen it
        return known[name](**options)


def _pruners() -> Mapping[str, Callable[..., optuna.pruners.BasePruner]]:
    return {
        "none": optuna.pruners.NopPruner,
        "median": optuna.pruners.MedianPruner,
        "asha": optuna.pruners.SuccessiveHalvingPruner,
        "hyperband": BracketsByNumber,
        "wilcoxon": optuna.pruners.WilcoxonPruner,
        "pareto": optuna.pruners.NopPruner,  # with several objectives Optuna prunes nothing; `pruning` does
    }
