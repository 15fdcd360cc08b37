"""Where a network comes from, as plain data, so that another process can make the same one.

"timm:resnet18"                              a network of timm, without its published weights
"package.module:factory"                     what a function (or class) of an installed package, or of the working folder, makes
{"space": …, "choices": …, "signature": …}   an architecture: its space's declaration, its answers, and what it is fed and gives
"""

import difflib
import pkgutil
from collections.abc import Callable, Mapping
from typing import Any

import timm
from torch import nn

from nas.benchmark import Signature
from nas.errors import ModelError, printable, quote
from nas.models import build
from nas.space import Architecture, Space, space_from_data, space_to_data

Source = str | Mapping[str, Any]


def source_of(space: Space, architecture: Architecture, signature: Signature) -> Source:
    """An architecture as plain data, ready for JSON."""
    return {"space": space_to_data(space), "choices": dict(architecture.choices), "signature": signature.to_data()}


def factory(source: Source) -> Callable[[], nn.Module]:
    """What makes the network of `source`; it draws its weights anew each time.

    Raises:
        ModelError: timm has no such network, or there is no such function.
        NasError: the declaration or its choices break a rule.
    """
    if isinstance(source, str):
        where, _, name = source.partition(":")
        return _of_timm(name) if where == "timm" else _of_package(source)
    space = space_from_data(source["space"])
    architecture = space.architecture(source["choices"])
    signature = Signature.from_data(source["signature"])
    return lambda: build(space, architecture, signature)


def input_size(source: Source) -> tuple[int, ...] | None:
    """The size of one example that timm made a network for; None where `source` is no network of timm."""
    if not isinstance(source, str) or not source.startswith("timm:"):
        return None
    name = source.removeprefix("timm:")
    _of_timm(name)
    settings = timm.models.get_pretrained_cfg(name)
    return tuple(settings.input_size) if settings is not None and settings.input_size else (3, 224, 224)


def _of_timm(name: str) -> Callable[[], nn.Module]:
    if not timm.is_model(name):
        near = difflib.get_close_matches(name, timm.list_models(), n=1)
        meant = f"Did you mean {near[0]!r}? " if near else ""
        raise ModelError(f"timm has no network called {quote(name)}. {meant}timm.list_models() names them.")
    return lambda: timm.create_model(name)


def _of_package(source: str) -> Callable[[], nn.Module]:
    try:
        made_by = pkgutil.resolve_name(source)
    except Exception as error:  # somebody's module may raise anything while it is loaded
        raise ModelError(
            f"{quote(source)} cannot be loaded ({type(error).__name__}: {printable(error)[:200]}); give 'package.module:factory'."
        ) from error
    if ":" not in source or not callable(made_by):
        raise ModelError(f"{quote(source)} is no function that makes a network; give 'package.module:factory' or 'timm:NAME'.")

    def make() -> nn.Module:
        try:
            network = made_by()
        except Exception as error:  # somebody's function may raise anything
            reason = printable(" ".join(str(error).split()))[:200]
            raise ModelError(f"{quote(source)} made no network ({type(error).__name__}: {reason}).") from error
        if not isinstance(network, nn.Module):
            raise ModelError(f"{quote(source)} must make a torch module, got {quote(network)}.")
        return network

    return make
