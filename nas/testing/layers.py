"""What a kind of layer must keep to, rule by rule."""

from collections import abc
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import torch
from pydantic import ValidationError

from nas.benchmark import Features, Sequence, Shape
from nas.errors import ModelError
from nas.models import Cost, LayerKind, Placed
from nas.testing import rules
from nas.testing.networks import answers, batch, is_causal_question, looks_ahead, seeded_build, trained_step, weigh
from nas.testing.rules import NotTried, Rule


@dataclass(frozen=True, kw_only=True)
class LayerTrial:
    """A kind of layer, and what it is tried on: each of `options` at each of `shapes`, in models that end in each of `wanted`."""

    kind: type[LayerKind]
    options: abc.Sequence[Mapping[str, Any]] = field(default_factory=lambda: [{}])
    shapes: abc.Sequence[Shape]
    wanted: abc.Sequence[Shape] = (Features(10),)
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
    tried = False
    for placed in trial.placed:
        # Where a layer changes how many positions there are, a head refuses to give the next token.
        keeps = isinstance(placed.gives, Sequence) and placed.gives.length == placed.given.axes[0]
        if is_causal_question(placed.given, placed.wanted) and keeps:
            tried = True
            problem = looks_ahead(seeded_build(placed), placed.given)
            if problem:
                return f"{problem} {_shown(placed)}"
    if not tried:
        raise NotTried("no sequence of which the next token is wanted is among its trials")
    return None


def _plain(trial: LayerTrial) -> str | None:
    for placed in trial.placed:
        plain = placed.plain
        if plain == placed.kind:
            continue
        if plain is None:
            form, size, outputs = "nothing", _size(placed.given, Cost()), (batch(placed.given),) * 2
        else:
            other = _placed(plain, placed)
            form, size, outputs = repr(plain), _size(other.gives, other.cost), answers(other)
        own = _size(placed.gives, placed.cost)
        if size != own:
            return f"it gives {own}, its `plain` form, {form}, {size} {_shown(placed)}"
        if not all(
            one.shape == other.shape and one.allclose(other, equal_nan=True)
            for one, other in zip(answers(placed), outputs, strict=True)
        ):
            return f"it gives other numbers than its `plain` form, {form}, at equal weights {_shown(placed)}"
    return None


def _costless(trial: LayerTrial) -> str | None:
    if not trial.kind.costless:
        raise NotTried("the layer names no option as one that costs nothing")
    for option in sorted(trial.kind.costless):
        if option not in trial.kind.model_fields:
            return f"its `costless` names {option!r}, which is none of its options."
        for placed in trial.placed:
            for value in _values(trial, option):
                try:
                    other = _placed(type(placed.kind)(**{**dict(placed.kind), option: value}), placed)
                except ValidationError:  # no value of this option
                    continue
                except ModelError as error:
                    return f"{option} is said to be `costless`, and with {value!r} it does not fit: {error} {_shown(placed)}"
                own, size = (_size(one.gives, one.cost, _weighed(one)[1]) for one in (placed, other))
                if size != own:
                    return f"{option} is said to be `costless`, and with {value!r} it gives {size}, not {own} {_shown(placed)}"
    return None


def _values(trial: LayerTrial, option: str) -> list[Any]:
    """What `option` is changed to: words and truths all, of numbers the ends and the middle, and whatever is on trial."""
    found = [options[option] for options in trial.options if option in options]
    field = trial.kind.model_json_schema()["properties"][option]
    for one in field.get("anyOf", [field]):
        if "enum" in one or "const" in one:
            found += one.get("enum", [one.get("const")])
        elif one.get("type") == "boolean":
            found += [False, True]
        elif one.get("type") in {"integer", "number"}:
            low = one.get("minimum", one.get("exclusiveMinimum", 0))
            high = one.get("maximum", one.get("exclusiveMaximum", low + 2))
            found += [low, high, (low + high) // 2 if one["type"] == "integer" else (low + high) / 2]
    return found


def _placed(kind: LayerKind, like: Placed) -> Placed:
    """Another layer where one stands."""
    return Placed(kind, like.given, kind.output(like.given, like.wanted), like.wanted)


def _size(gives: Shape, *costs: Cost) -> str:
    found = " or ".join(f"{cost.params:,} parameters and {cost.macs:,} multiply-adds" for cost in dict.fromkeys(costs))
    return f"{gives} for {found}"


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
    Rule("its `plain` form is the same network", _plain),
    Rule("its `costless` options change neither what it gives nor what it costs", _costless),
)


def check_layer(trial: LayerTrial) -> Iterator[tuple[str, str | None]]:
    """Each rule of a kind of layer that could be tried with what is wrong, or None."""
    return rules.check(LAYER_RULES, trial)
