"""What a kind of layer must keep to, rule by rule."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import torch

from nas.benchmark import Features, Shape
from nas.errors import ModelError
from nas.models import LayerKind, Placed
from nas.testing import rules
from nas.testing.networks import is_causal_question, looks_ahead, seeded_build, trained_step, weigh
from nas.testing.rules import Rule


@dataclass(frozen=True, kw_only=True)
class LayerTrial:
    """A kind of layer, and what it is tried on: each of `options` at each of `shapes`, in models that end in each of `wanted`."""

    kind: type[LayerKind]
    options: Sequence[Mapping[str, Any]] = field(default_factory=lambda: [{}])
    shapes: Sequence[Shape]
    wanted: Sequence[Shape] = (Features(10),)
    """A NextTokens among them asks that nothing looks ahead; a layer may refuse it."""

    @cached_property
    def placed(self) -> tuple[Placed, ...]:
        """All that fit."""
        return tuple(placed for _, placed in self.tried if isinstance(placed, Placed))

    @cached_property
    def tried(self) -> tuple[tuple[str, "Placed | ModelError"], ...]:
        """All of them, and those that do not fit with what they say."""
        found: list[tuple[str, Placed | ModelError]] = []
        for options in self.options:
            layer = self.kind(**options)
            for given in self.shapes:
                for wanted in self.wanted:
                    try:
                        found.append((str(options), Placed(layer, given, layer.output(given, wanted), wanted)))
                    except ModelError as error:
                        found.append((str(options), error))
        return tuple(found)


def _documented(trial: LayerTrial) -> str | None:
    if not (trial.kind.__doc__ or "").strip() or trial.kind.__doc__ == LayerKind.__doc__:
        return f"{trial.kind.__name__} has no docstring; say in a line what it does."
    return None if hasattr(trial.kind, "accepts") else f"{trial.kind.__name__} does not say which shapes it `accepts`."


def _accepted(trial: LayerTrial) -> str | None:
    for given in trial.shapes:
        if not isinstance(given, trial.kind.accepts):
            return f"{given} is tried, but is none of the shapes that it accepts."
    return None


def _fitting(trial: LayerTrial) -> str | None:
    for options, outcome in trial.tried:
        if isinstance(outcome, ModelError) and len(str(outcome).splitlines()) != 1:
            return f"what it says of what does not fit is one line, got {str(outcome)[:200]!r}."
        if not any(isinstance(other, Placed) for asked, other in trial.tried if asked == options):
            return f"{options} fit none of the shapes: {outcome}"
    return None


def _outputs(trial: LayerTrial) -> str | None:
    for placed in trial.placed:
        axes, _ = _weighed(placed)
        if axes != placed.gives.axes:
            return f"gives {axes}, its `output` says {placed.gives} {_shown(placed)}"
    return None


def _formulas(trial: LayerTrial) -> str | None:
    for placed in trial.placed:
        _, counted = _weighed(placed)
        if placed.cost != counted:
            return (
                f"{placed.cost.params:,} parameters and {placed.cost.macs:,} multiply-adds by formula, {counted.params:,} and "
                f"{counted.macs:,} by torch {_shown(placed)}"
            )
    return None


def _passes(trial: LayerTrial) -> str | None:
    for placed in trial.placed:
        problem = trained_step(seeded_build(placed), placed.given, placed.gives)
        if problem:
            return f"{problem} {_shown(placed)}"
    return None


def _looking_back(trial: LayerTrial) -> str | None:
    for placed in trial.placed:
        if is_causal_question(placed.given, placed.wanted) and len(placed.gives.axes) > 1:
            problem = looks_ahead(seeded_build(placed), placed.given)
            if problem:
                return f"{problem} {_shown(placed)}"
    return None


def _weighed(placed: Placed) -> Any:
    with torch.device("meta"):
        module = placed.kind.build(placed.given, placed.wanted)
    return weigh(module, placed.given)


def _shown(placed: Placed) -> str:
    return f"({placed.kind!r} at {placed.given}, {placed.wanted} wanted)"


LAYER_RULES: tuple[Rule[LayerTrial], ...] = (
    Rule("it says what it does and which shapes it accepts", _documented),
    Rule("it is tried on shapes that it accepts", _accepted),
    Rule("its options fit a shape, and what does not fit is told in one line", _fitting),
    Rule("what it gives is what its `output` says", _outputs),
    Rule("its formula gives what torch counts", _formulas),
    Rule("it runs forward and backward with finite gradients", _passes),
    Rule("it does not look ahead where the next token is wanted", _looking_back),
)


def check_layer(trial: LayerTrial) -> Iterator[tuple[str, str | None]]:
    """Each rule of a kind of layer with what is wrong, or None."""
    return rules.check(LAYER_RULES, trial)
