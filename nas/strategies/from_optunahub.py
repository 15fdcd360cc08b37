"""Samplers of OptunaHub, each at one commit; code of others, which runs only where its user has said so.

NAS_TRUST_OPTUNAHUB="PACKAGE@COMMIT …" nas search … --strategy optunahub:PACKAGE@COMMIT
"""

import inspect
import os
import re
import warnings
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType

from optuna.exceptions import ExperimentalWarning
from optuna.samplers import BaseSampler

from nas.errors import StrategyError, printable, quote

PREFIX = "optunahub:"
TRUST = "NAS_TRUST_OPTUNAHUB"
"""The environment variable that lists, with spaces between, the packages and commits whose code may run."""

REGISTRY = "optuna/optunahub-registry"
"""Where the packages come from, on GitHub."""

_PINNED = re.compile(r"(?P<package>[a-z0-9_]+(?:/[a-z0-9_]+)?)@(?P<commit>[0-9a-f]{40})")
_ANY_NUMBER = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


def hub_sampler(name: str, seed: int) -> BaseSampler:
    """The sampler called `optunahub:PACKAGE@COMMIT`, drawing from `seed` where it takes one.

    PACKAGE stands under `package/samplers` of OptunaHub's registry; another folder is named as `folder/PACKAGE`. It is fetched
    once, and then taken from optunahub's cache without the network. A new sampler is made for each proposal, from what is known
    by then, so that a study goes on where it stopped; what such a sampler keeps to itself, and not in the study, it begins anew.

    Raises:
        StrategyError: the commit is missing, nobody has said that its code may run, optunahub is not installed, the package
            cannot be fetched or loaded, or holds no sampler that can be made without arguments.
    """
    match = _PINNED.fullmatch(name.removeprefix(PREFIX))
    if match is None:
        raise StrategyError(
            f"A sampler of OptunaHub is named as {PREFIX}PACKAGE@COMMIT, with all 40 digits of the commit, got {quote(name)}."
        )
    if match[0] not in os.environ.get(TRUST, "").split():
        raise StrategyError(
            f"The strategy {name!r} runs code of others; read it in {REGISTRY}, and set {TRUST}={match[0]} to let it run."
        )
    if find_spec("optunahub") is None:
        raise StrategyError(
            f"The strategy {name!r} needs the package 'optunahub', which is not installed; pip install optunahub."
        )
    sampler = _sampler_of(match["package"], match["commit"])
    takes = inspect.signature(sampler).parameters
    if needs := [one.name for one in takes.values() if one.default is one.empty and one.kind not in _ANY_NUMBER]:
        raise StrategyError(f"The strategy {name!r} needs {', '.join(needs)}; make it in Python and pass the sampler.")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)  # whoever names a strategy has chosen it
        return sampler(**({"seed": seed} if "seed" in takes else {}))


@cache
def _sampler_of(package: str, commit: str) -> type[BaseSampler]:
    """The one sampler that the package offers."""
    module = _loaded(package if "/" in package else f"samplers/{package}", commit)
    offered = [getattr(module, name, None) for name in getattr(module, "__all__", vars(module))]
    samplers = {one for one in offered if isinstance(one, type) and issubclass(one, BaseSampler) and not inspect.isabstract(one)}
    own = {one for one in samplers if one.__module__.startswith(module.__name__)}
    if len(own) != 1:
        found = ", ".join(sorted(one.__name__ for one in own)) or "none"
        raise StrategyError(
            f"A package of OptunaHub must offer one sampler, {package!r} has {found}; load it in Python and pass the sampler."
        )
    return own.pop()


def _loaded(package: str, commit: str) -> ModuleType:
    """The package's module, fetched where it is not in the cache."""
    os.environ.setdefault("OPTUNAHUB_NO_ANALYTICS", "1")  # read by releases that count what is loaded
    try:
        hub, git = import_module("optunahub"), import_module("git")
        module: ModuleType = hub.load_module(package, ref=commit)
    except ImportError as error:
        raise StrategyError(f"The package {package!r} of OptunaHub cannot be loaded: {printable(error)}") from error
    except (OSError, git.GitError) as error:
        raise StrategyError(
            f"The package {package!r} of OptunaHub at {commit} cannot be fetched: {printable(error)[:200]}"
        ) from error
    return module
