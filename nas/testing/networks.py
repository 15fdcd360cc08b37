"""What two networks have in common, and what one makes of examples: on small batches, on the CPU or without any weight at all."""

import hashlib
from collections.abc import Hashable
from functools import lru_cache

import torch
from torch import Tensor, nn

from nas.benchmark import Modalities, NextTokens, Query, Sequence, Shape, Tokens
from nas.models import Cost, Fork, Graph, Part, Placed, Step, TrainingKind, count, example

BATCH = 2
"""Examples of a batch: the fewest that batch normalisation can bear."""


def batch(shape: Shape, seed: int = 0) -> Tensor:
    """Examples by chance: standard normal numbers, tokens that are no padding, or queries."""
    rng = torch.Generator().manual_seed(seed)
    if isinstance(shape, Tokens):
        return torch.randint(min(1, shape.vocabulary - 1), shape.vocabulary, (BATCH, *shape.axes), generator=rng)
    if isinstance(shape, Query):
        drawn = (torch.randint(count, (BATCH,), generator=rng) for count in (shape.entities, 2 * shape.relations))
        return torch.stack(list(drawn), dim=1)
    if isinstance(shape, Modalities):
        return torch.cat([batch(part, seed).flatten(1).float() for _, part in shape.parts], dim=1)
    return torch.randn(BATCH, *shape.axes, generator=rng)


def seeded_build(placed: Placed) -> nn.Module:
    """The layer with weights drawn by seed 0; the global random state is left as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        return placed.kind.build(placed.given, placed.wanted)


def weigh(model: nn.Module, shape: Shape) -> tuple[tuple[int, ...], Cost]:
    """What a model on the meta device makes of one example of `shape`: the axes of its output, and its count by torch."""
    with torch.no_grad():
        axes = tuple(model.eval()(example(shape, "meta")).shape[1:])
    return axes, count(lambda: model, shape)


def trained_step(model: nn.Module, given: Shape, gives: Shape, *, seed: int = 0) -> str | None:
    """What goes wrong in one forward and backward pass in training, or None."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)  # for dropout
        outputs = model.train()(batch(given, seed))
        if tuple(outputs.shape) != (BATCH, *gives.axes):
            return f"gives {tuple(outputs.shape)}, {(BATCH, *gives.axes)} is wanted"
        if not outputs.isfinite().all():
            return "gives what is not finite"
        parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
        if parameters:
            if not outputs.requires_grad:
                return "gives what no gradient goes back from"
            outputs.float().square().mean().backward()
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    if parameters and not gradients:
        return "has parameters of which none gets a gradient"
    return None if all(gradient.isfinite().all() for gradient in gradients) else "has gradients that are not finite"


def answers(placed: Placed) -> tuple[Tensor, Tensor]:
    """What a layer makes of one batch at rest, and in training, with weights and dropout drawn by seed 0.

    Every parameter is given a value other than it begins with, so that what is 0 or 1 at first is read too.
    """
    module = seeded_build(placed)

    def answer(*, training: bool) -> Tensor:
        torch.default_generator.manual_seed(0)
        outputs: Tensor = module.train(training)(batch(placed.given))
        return outputs

    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.default_generator.manual_seed(0)
        for parameter in module.parameters():
            parameter.copy_(torch.randn(parameter.shape) / 2)
        return answer(training=False), answer(training=True)


def looks_ahead(model: nn.Module, given: Shape) -> str | None:
    """Where what `model` gives at a position changes with inputs that come later; None where nothing does."""
    inputs = batch(given)
    with torch.no_grad():
        before = model.eval()(inputs)
        for position in {1, given.axes[0] // 2, given.axes[0] - 1} - {0}:
            other = inputs.clone()
            other[:, position:] = batch(given, seed=1)[:, position:]
            after = model(other)
            if not torch.allclose(before[:, :position], after[:, :position], rtol=1e-4, atol=1e-5):
                return f"gives something else before position {position} when inputs from there on change"
    return None


def is_causal_question(given: Shape, wanted: Shape) -> bool:
    """Whether each position of what is wanted may be made of inputs up to it alone."""
    return isinstance(wanted, NextTokens) and isinstance(given, Tokens | Sequence)


def differs(first: tuple[Part, ...], second: tuple[Part, ...]) -> bool:
    """Whether two plans become different networks: made of other modules, of the same ones that do something else, or trained
    otherwise.
    """
    if [type(part) for part in first] != [type(part) for part in second]:
        return True
    return any(_differ(*pair) for pair in zip(first, second, strict=True))


def _differ(one: Part, other: Part) -> bool:
    if isinstance(one, Step) and isinstance(other, Step):
        first, second = one.placed, other.placed
        if isinstance(first.kind, TrainingKind) and isinstance(second.kind, TrainingKind):
            return first.kind != second.kind
        return first != second and (_made_of(first) != _made_of(second) or _does(first) != _does(second))
    if isinstance(one, Fork) and isinstance(other, Fork):
        ways = list(zip(one.branches.values(), other.branches.values(), strict=False))
        return one.merge != other.merge or len(one.branches) != len(other.branches) or any(differs(*pair) for pair in ways)
    assert isinstance(one, Graph)  # noqa: S101 - of equal types
    assert isinstance(other, Graph)  # noqa: S101
    return one.edges.keys() != other.edges.keys() or any(differs(one.edges[ends], other.edges[ends]) for ends in one.edges)


@lru_cache(maxsize=65_536)
def _made_of(placed: Placed) -> Hashable:
    """The modules of a layer, what they say of themselves, and the shapes of their weights."""
    with torch.device("meta"):
        module = placed.kind.build(placed.given, placed.wanted)
    modules = tuple((type(part).__qualname__, part.extra_repr()) for part in module.modules())
    weights = tuple((tuple(weight.shape), weight.requires_grad) for weight in (*module.parameters(), *module.buffers()))
    return placed.given, placed.gives, modules, weights


@lru_cache(maxsize=4_096)
def _does(placed: Placed) -> str:
    """A digest of what a layer makes of one batch in training, or of what it raises."""
    try:
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            torch.default_generator.manual_seed(0)
            module = placed.kind.build(placed.given, placed.wanted).train()
            outputs = module(batch(placed.given))
        return hashlib.sha256(outputs.float().contiguous().numpy().tobytes()).hexdigest()
    except Exception as error:  # a layer may raise anything; other rules tell it
        return repr(error)
