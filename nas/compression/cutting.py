"""Structured pruning: channels, units and hidden features are cut out of a trained network, and its tensors really are smaller.

    child's shapes → which axes of the parent's tensors are one axis → the most important of each are kept → copied, fine-tuned

The child is an architecture of the same space with narrower layers (see `narrowing`), so that what it costs is what a fresh
network of its shapes costs, by construction. Channels that are added to one another are one axis and are cut together: those
along shortcuts, those of a token's vector in all blocks of a Transformer. (DepGraph finds them in any network: Fang et al. 2023,
arXiv:2301.12900.)

An axis is the tensors' that share it; a tensor's dimension is one or several axes end to end: four gates of one axis of units.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, ClassVar, Literal

import torch
from pydantic import Field
from timm.layers import ConvNormAct, GluMlp, Mlp
from timm.layers import SqueezeExcite as TimmSqueezeExcite
from timm.models._efficientnet_blocks import DepthwiseSeparableConv
from timm.models._efficientnet_blocks import InvertedResidual as TimmInvertedResidual
from timm.models._efficientnet_blocks import SqueezeExcite as BlockSqueezeExcite
from torch import Tensor, nn

from nas.benchmark import Budget, Signature
from nas.compression.fine_tuning import Epochs, fine_tuning
from nas.compression.narrowing import narrower
from nas.errors import SearchError
from nas.models import build
from nas.models.layers.attention import SelfAttention
from nas.models.layers.convolution import ResidualBlock
from nas.models.layers.ngrams import BagOfNgrams
from nas.models.layers.position import AddedPositions
from nas.models.layers.recurrent import States
from nas.models.layers.sequence_convolution import FilterBlock, ResidualFilterBlock
from nas.models.layers.transformer import Block
from nas.space import Architecture, Space
from nas.training import Derivation, Lineage, Unsupported
from nas.training.derivations import Family

Kind = Literal["channels", "units", "heads", "head", "waves"]
"""Of an axis: channels of a layer, hidden units inside one, the heads of an attention, the numbers of one of them, or channels to
each of which a wave of its own is added, which tells positions and is no weight."""


@dataclass(eq=False)
class Axis:
    """Numbers that stand for the same thing wherever they occur: the channels between two layers."""

    size: int
    kind: Kind = "channels"
    importance: Tensor = field(init=False)
    """Of each: the sum, over the tensors that make it, of its norm there as a share of their mean."""
    kept: Tensor | None = None
    """Positions that are kept, in their order; None for all."""

    def __post_init__(self) -> None:
        self.importance = torch.zeros(self.size)

    def weigh(self, norms: Tensor) -> None:
        """Count the norms of what makes each."""
        self.importance += norms.detach().cpu() / norms.detach().cpu().mean().clamp(min=1e-12)

    def keep(self, count: int) -> None:
        """Keep the `count` most important."""
        self.kept = torch.argsort(self.importance, descending=True, stable=True)[:count].sort().values


Dimension = tuple[Axis, ...]
"""The axes that are end to end in one dimension of a tensor."""


@dataclass(frozen=True)
class Heads:
    """Those of one attention."""

    axis: Axis
    """One position a head."""
    inside: tuple[tuple[Axis, ...], ...]
    """Of each head: the numbers that queries and keys share, and those of values."""

    def keep(self, count: int) -> None:
        """Keep the `count` most important heads, each of them whole."""
        self.axis.keep(count)
        kept = self.axis.kept.tolist() if self.axis.kept is not None else []
        for head, axes in enumerate(self.inside):
            for axis in axes:
                axis.kept = None if head in kept else torch.arange(0)


class Structured(Derivation):
    """Channels, units and hidden features are cut, those first whose weights are smallest (Li et al. 2017, arXiv:1608.08710), and
    what is left is fine-tuned.
    """

    summary: ClassVar[str] = "channels, units and hidden features are cut out, shapes and all; the rest is fine-tuned"
    family: ClassVar[Family] = "compression"

    share: Annotated[float, Field(gt=0, lt=1)] = 0.5
    """Of the parent's parameters, that are left at most."""
    epochs: Epochs | None = None
    """Of fine-tuning; half a finalist's if not given."""

    def child(self, space: Space, architecture: Architecture, signature: Signature) -> Architecture:
        """The architecture of the cut shapes.

        Raises:
            SearchError: it cannot be made so small, or has a layer of which it is not known which channels belong together.
        """
        parent = build(space, architecture, signature)

        def fits(other: Architecture) -> bool:
            try:
                cut(parent, build(space, other, signature))
            except Unsupported:
                return False
            return True

        try:
            cut(parent, parent)  # which says what is not known of it
        except Unsupported as error:
            raise SearchError(str(error)) from error
        return narrower(space, architecture, signature, self.share, fits)

    def budget(self, final: Budget) -> Budget:
        """Some epochs."""
        return fine_tuning(final, self.epochs, 2)

    def begin(self, network: nn.Module, lineage: Lineage) -> nn.Module:
        """With what is kept of the parent's weights.

        Raises:
            Unsupported: there is a layer of which it is not known which channels belong together.
        """
        network.load_state_dict(cut(lineage.parents[0], network))
        return network


def cut(parent: nn.Module, child: nn.Module) -> dict[str, Tensor]:
    """The state of `child`, which is `parent` with narrower layers: the most important of the parent's weights.

    Raises:
        Unsupported: there is a layer of which it is not known which channels belong together, or no cut gives the child's shapes.
    """
    tensors = parent.state_dict()
    walk = _Walk(tensors)
    walk.module("", parent, None)
    shapes = {name: value.shape for name, value in child.state_dict().items()}
    for name, dimensions in walk.found.items():
        for number, axes in dimensions.items():
            for axis in axes:
                if axis.kept is None:
                    _keep(axis, tensors[name].shape[number], shapes[name][number], axes, name)
    found = {name: taken(value, walk.found.get(name, {})) for name, value in tensors.items()}
    for name, value in found.items():
        if value.shape != shapes[name]:
            raise Unsupported(f"No cut of {name} gives {tuple(shapes[name])}, got {tuple(value.shape)}; distil into it instead.")
    return found


def _keep(axis: Axis, before: int, after: int, axes: Dimension, name: str) -> None:
    """Keep as much of an axis as its part of a dimension is to have: all its axes shrink alike, or it is alone."""
    parts = {one.size for one in axes}
    if len({*map(id, axes)}) == 1 or len(parts) == 1:
        count, rest = divmod(after, len(axes))
    else:
        count, rest = divmod(after * axis.size, before)
    if rest:
        raise Unsupported(f"{name} cannot be cut from {before} to {after} in {len(axes)} parts; distil into it instead.")
    axis.keep(count)


def taken(value: Tensor, dimensions: Mapping[int, Dimension]) -> Tensor:
    """What is kept of a tensor whose dimensions are of these axes."""
    for number, axes in dimensions.items():
        begin, picked = 0, []
        for axis in axes:
            kept = axis.kept if axis.kept is not None else torch.arange(axis.size)
            picked.append(kept + begin)
            begin += axis.size
        value = value.index_select(number, torch.cat(picked).to(value.device))
    return value.clone()


class _Walk:
    """Walks a network from its inputs to its end, and notes which dimension of which tensor is which axis."""

    def __init__(self, tensors: Mapping[str, Tensor]) -> None:
        self.tensors = tensors
        self.found: dict[str, dict[int, Dimension]] = {}
        self.attentions: list[Heads] = []

    def note(self, name: str, number: int, axes: Dimension | None) -> None:
        """That this dimension is of these axes; None for what stays as it is."""
        if axes is not None and name in self.tensors:
            self.found.setdefault(name, {})[number] = axes

    def out(self, name: str, parts: int = 1, *, shared: bool = False, kind: Kind = "channels") -> Dimension:
        """Fresh axes for the outputs of the weight `name`, weighed by the norms of its rows; `shared` if all parts are one."""
        weight = self.tensors[name]
        size = weight.shape[0] // parts
        norms = weight.flatten(1).norm(dim=1).view(parts, size)
        axes = [Axis(size, kind)] * parts if shared else [Axis(size, kind) for _ in range(parts)]
        for axis, some in zip(axes, norms, strict=True):
            axis.weigh(some)
        return tuple(axes)

    def vector(self, at: str, axes: Dimension | None) -> None:
        """Whatever has one number for each channel: bias, normalisation and its running figures.

        Group normalisation beside an activation is one name further in (see `nas.training.grouping`).
        """
        for name in ("weight", "bias", "running_mean", "running_var", "norm.weight", "norm.bias"):
            if f"{at}{name}" in self.tensors and self.tensors[f"{at}{name}"].ndim == 1:
                self.note(f"{at}{name}", 0, axes)

    def module(self, at: str, module: nn.Module, given: Dimension | None) -> Dimension | None:
        """The axes that come out of `module`, whose tensors' names begin with `at`.

        Raises:
            Unsupported: it is not known.
        """
        for kinds, rule in _RULES:
            if isinstance(module, kinds):
                return rule(self, at, module, given)
        if type(module) is nn.Sequential:
            for name, inside in module.named_children():
                given = self.module(f"{at}{name}.", inside, given)
            return given
        if any(name.startswith(at) for name in self.tensors) and [*module.parameters()]:
            raise Unsupported(
                f"Structured pruning does not know which channels of {type(module).__name__} belong together; distil instead."
            )
        return given

    def weighted(self, at: str, given: Dimension | None, out: Dimension | None, name: str = "weight") -> None:
        """A matrix or filters from `given` to `out`."""
        self.note(f"{at}{name}", 0, out)
        if given is not None and self.tensors[f"{at}{name}"].shape[1] != 1:
            self.note(f"{at}{name}", 1, given)
        self.vector(at, out)


def _linear(walk: _Walk, at: str, module: nn.Module, given: Dimension | None) -> Dimension | None:  # noqa: ARG001
    weight = walk.tensors[f"{at}weight"]
    if given is not None and sum(axis.size for axis in given) != weight.shape[1]:
        raise Unsupported("Structured pruning does not know pixels that are unrolled into a vector; distil instead.")
    out = walk.out(f"{at}weight")
    walk.weighted(at, given, out)
    return out


def _convolution(walk: _Walk, at: str, module: nn.Module, given: Dimension | None) -> Dimension | None:
    groups = int(module.groups)  # type: ignore[arg-type]  # a convolution
    if groups == 1:
        return _linear(walk, at, module, given)
    if groups != walk.tensors[f"{at}weight"].shape[0] or given is None:
        raise Unsupported("Structured pruning does not know convolutions of several groups; distil instead.")
    for axis in given:
        if len(given) == 1:
            axis.weigh(walk.tensors[f"{at}weight"].flatten(1).norm(dim=1))
    walk.note(f"{at}weight", 0, given)
    walk.vector(at, given)
    return given


def _normalisation(walk: _Walk, at: str, module: nn.Module, given: Dimension | None) -> Dimension | None:  # noqa: ARG001
    walk.vector(at, given)
    return given


def _embedding(walk: _Walk, at: str, module: nn.Module, given: Dimension | None) -> Dimension | None:  # noqa: ARG001
    weight = walk.tensors[f"{at}weight"]
    axis = Axis(weight.shape[1])
    axis.weigh(weight.norm(dim=0))
    walk.note(f"{at}weight", 1, (axis,))
    return (axis,)


def _bag(walk: _Walk, at: str, module: nn.Module, given: Dimension | None) -> Dimension | None:
    return walk.module(f"{at}table.", module.get_submodule("table"), given)


def _joined(walk: _Walk, at: str, shortcut: Dimension | None, name: str, given: Dimension | None) -> Dimension | None:
    """A matrix or filters whose outputs are added to `shortcut`, which they are then one axis with."""
    if shortcut is None or len(shortcut) != 1:
        raise Unsupported("Structured pruning does not know a sum with the network's own input; distil instead.")
    shortcut[0].weigh(walk.tensors[f"{at}{name}"].flatten(1).norm(dim=1))
    walk.note(f"{at}{name}", 0, shortcut)
    if given is not None and walk.tensors[f"{at}{name}"].shape[1] != 1:
        walk.note(f"{at}{name}", 1, given)
    return shortcut


def _conv_norm_act(walk: _Walk, at: str, module: nn.Module, given: Dimension | None) -> Dimension | None:
    out = walk.module(f"{at}conv.", module.conv, given)  # type: ignore[arg-type]
    walk.vector(f"{at}bn.", out)
    return out


def _conv_norm_onto(walk: _Walk, at: str, given: Dimension | None, shortcut: Dimension | None) -> None:
    _joined(walk, f"{at}conv.", shortcut, "weight", given)
    walk.vector(f"{at}conv.", shortcut)
    walk.vector(f"{at}bn.", shortcut)


def _squeeze(walk: _Walk, at: str, module: nn.Module, given: Dimension | None) -> Dimension | None:
    for narrow, wide in (("fc1.", "fc2."), ("conv_reduce.", "conv_expand.")):
        if f"{at}{narrow}weight" in walk.tensors:
            inside = walk.out(f"{at}{narrow}weight", kind="units")
            walk.weighted(f"{at}{narrow}", given, inside)
            walk.note(f"{at}{wide}weight", 0, given)
            walk.note(f"{at}{wide}weight", 1, inside)
            walk.vector(f"{at}{wide}", given)
            return given
    raise Unsupported(f"Structured pruning does not know this {type(module).__name__}; distil instead.")


def _residual(walk: _Walk, at: str, module: nn.Module, given: Dimension | None) -> Dimension | None:
    names: list[str] = module.names  # type: ignore[assignment]  # a ResidualBlock
    if isinstance(module.shortcut, nn.Identity):
        shortcut = given
    else:
        shortcut = walk.module(f"{at}shortcut.", module.shortcut, given)  # type: ignore[arg-type]
    inside = given
    for name in names[:-1]:
        inside = walk.module(f"{at}{name}.", module.get_submodule(name), inside)
    _conv_norm_onto(walk, f"{at}{names[-1]}.", inside, shortcut)
    if not isinstance(module.squeeze_excite, nn.Identity):
        walk.module(f"{at}squeeze_excite.", module.squeeze_excite, shortcut)  # type: ignore[arg-type]
    return shortcut


def _inverted(walk: _Walk, at: str, module: nn.Module, given: Dimension | None) -> Dimension | None:
    wide = walk.module(f"{at}conv_pw.", module.conv_pw, given)  # type: ignore[arg-type]
    walk.vector(f"{at}bn1.", wide)
    walk.module(f"{at}conv_dw.", module.conv_dw, wide)  # type: ignore[arg-type]
    walk.vector(f"{at}bn2.", wide)
    if not isinstance(module.se, nn.Identity):
        walk.module(f"{at}se.", module.se, wide)  # type: ignore[arg-type]
    return _narrowed(walk, at, "conv_pwl.", "bn3.", wide, given if module.has_skip else None)


def _separable(walk: _Walk, at: str, module: nn.Module, given: Dimension | None) -> Dimension | None:
    walk.module(f"{at}conv_dw.", module.conv_dw, given)  # type: ignore[arg-type]
    walk.vector(f"{at}bn1.", given)
    if not isinstance(module.se, nn.Identity):
        walk.module(f"{at}se.", module.se, given)  # type: ignore[arg-type]
    return _narrowed(walk, at, "conv_pw.", "bn2.", given, given if module.has_skip else None)


def _narrowed(
    walk: _Walk, at: str, name: str, norm: str, given: Dimension | None, shortcut: Dimension | None
) -> Dimension | None:
    """The last convolution of a block, with its normalisation, onto the shortcut where there is one."""
    if shortcut is not None:
        out = _joined(walk, f"{at}{name}", shortcut, "weight", given)
    else:
        out = walk.out(f"{at}{name}weight")
        walk.weighted(f"{at}{name}", given, out)
    walk.vector(f"{at}{norm}", out)
    return out


def _attention(walk: _Walk, at: str, module: nn.Module, given: Dimension | None) -> Dimension | None:
    """Each head has axes of its own: one that queries and keys share, and one of values. What comes out is added to what came in.

    Rotary positions turn pairs, which are kept or cut together. Those that are kept turn as fast as the smaller head has it.
    """
    heads = int(module.heads)  # type: ignore[arg-type]  # a SelfAttention
    rows = walk.tensors[f"{at}qkv.weight"].flatten(1).norm(dim=1).view(3, heads, -1)
    size = rows.shape[2]
    pairs = module.rotary is not None
    looks, values = [], []
    for head in range(heads):
        look, value = Axis(size // 2 if pairs else size, "head"), Axis(size, "head")
        norms = rows[0, head] + rows[1, head]
        look.weigh(norms.view(2, -1).sum(dim=0) if pairs else norms)
        value.weigh(rows[2, head])
        looks += [look, look] if pairs else [look]
        values.append(value)
    whole = Axis(heads, "heads")
    whole.weigh(rows.square().sum(dim=(0, 2)).sqrt())
    whole.weigh(walk.tensors[f"{at}proj.weight"].view(-1, heads, size).square().sum(dim=(0, 2)).sqrt())
    walk.note(f"{at}relative.table", 0, (whole,))
    each = len(looks) // heads
    walk.attentions.append(Heads(whole, tuple((looks[each * head], values[head]) for head in range(heads))))
    walk.note(f"{at}qkv.weight", 0, (*looks, *looks, *values))
    walk.note(f"{at}qkv.weight", 1, given)
    walk.vector(f"{at}qkv.", (*looks, *looks, *values))
    _joined(walk, f"{at}proj.", given, "weight", tuple(values))
    walk.vector(f"{at}proj.", given)
    return given


def _feed_forward(walk: _Walk, at: str, module: nn.Module, given: Dimension | None) -> Dimension | None:
    parts = 2 if isinstance(module, GluMlp) else 1
    inside = walk.out(f"{at}fc1.weight", parts, shared=True, kind="units")
    walk.weighted(f"{at}fc1.", given, inside)
    _joined(walk, f"{at}fc2.", given, "weight", inside[:1])
    walk.vector(f"{at}fc2.", given)
    return given


def _block(walk: _Walk, at: str, module: nn.Module, given: Dimension | None) -> Dimension | None:
    walk.vector(f"{at}norm1.", given)
    walk.module(f"{at}attn.", module.attn, given)  # type: ignore[arg-type]
    walk.vector(f"{at}norm2.", given)
    return walk.module(f"{at}mlp.", module.mlp, given)  # type: ignore[arg-type]


def _filters(walk: _Walk, at: str, module: nn.Module, given: Dimension | None) -> Dimension | None:
    out = walk.module(f"{at}conv.", module.conv, given)  # type: ignore[arg-type]
    walk.vector(f"{at}norm.", out)
    return out


def _residual_filters(walk: _Walk, at: str, module: nn.Module, given: Dimension | None) -> Dimension | None:
    changes = not isinstance(module.shortcut, nn.Identity)
    shortcut = walk.module(f"{at}shortcut.", module.shortcut, given) if changes else given  # type: ignore[arg-type]
    inside = walk.module(f"{at}conv1.", module.conv1, given)  # type: ignore[arg-type]
    if isinstance(module.conv2, FilterBlock):
        _joined(walk, f"{at}conv2.conv.", shortcut, "weight", inside)
        walk.vector(f"{at}conv2.conv.", shortcut)
        walk.vector(f"{at}conv2.norm.", shortcut)
        return shortcut
    raise Unsupported("Structured pruning does not know this block of convolutions along a sequence; distil instead.")


def _positions(walk: _Walk, at: str, module: nn.Module, given: Dimension | None) -> Dimension | None:
    if not isinstance(module.table_LC, nn.Parameter):
        for axis in given or ():
            axis.kind = "waves"
    walk.note(f"{at}table_LC", 1, given)
    return given


def _states(walk: _Walk, at: str, module: nn.Module, given: Dimension | None) -> Dimension | None:
    """A recurrent cell: one axis of units for all gates of a direction, one of its state where that is projected."""
    cell: nn.RNNBase = module.cell  # type: ignore[assignment]
    for layer in range(cell.num_layers):
        ends: list[Axis] = []
        for direction in ("", "_reverse")[: 2 if cell.bidirectional else 1]:
            end = f"_l{layer}{direction}"
            inward, state = (f"{at}cell.weight_{part}{end}" for part in ("ih", "hh"))
            gates = walk.tensors[inward].shape[0] // cell.hidden_size
            units = walk.out(inward, gates, shared=True, kind="units")
            units[0].weigh(walk.tensors[state].norm(dim=1).view(gates, -1).sum(dim=0))
            out = units[:1]
            if cell.proj_size:
                out = walk.out(f"{at}cell.weight_hr{end}", kind="units")
                walk.note(f"{at}cell.weight_hr{end}", 0, out)
                walk.note(f"{at}cell.weight_hr{end}", 1, units[:1])
            walk.note(inward, 0, units)
            walk.note(inward, 1, given)
            walk.note(state, 0, units)
            walk.note(state, 1, out)
            for part in ("ih", "hh"):
                walk.note(f"{at}cell.bias_{part}{end}", 0, units)
            ends += out
        given = tuple(ends)
    return given


Rule = Callable[[_Walk, str, nn.Module, Dimension | None], Dimension | None]

_RULES: Sequence[tuple[tuple[type[nn.Module], ...], Rule]] = (
    ((ConvNormAct,), _conv_norm_act),
    ((ResidualBlock,), _residual),
    ((TimmInvertedResidual,), _inverted),
    ((DepthwiseSeparableConv,), _separable),
    ((TimmSqueezeExcite, BlockSqueezeExcite), _squeeze),
    ((SelfAttention,), _attention),
    ((Mlp, GluMlp), _feed_forward),
    ((Block,), _block),
    ((States,), _states),
    ((FilterBlock,), _filters),
    ((ResidualFilterBlock,), _residual_filters),
    ((AddedPositions,), _positions),
    ((nn.Linear,), _linear),
    ((nn.Conv1d, nn.Conv2d), _convolution),
    ((nn.modules.batchnorm._BatchNorm, nn.GroupNorm, nn.LayerNorm, nn.RMSNorm), _normalisation),
    ((nn.Embedding,), _embedding),
    ((BagOfNgrams,), _bag),
)


def walked(network: nn.Module) -> tuple[dict[str, dict[int, Dimension]], list[Heads], Dimension]:
    """Of each tensor its dimensions that can be cut and their axes, the heads of its attentions, and the axes of its answers.

    Raises:
        Unsupported: there is a layer of which it is not known which channels belong together.
    """
    walk = _Walk(network.state_dict())
    answers = walk.module("", network, None)
    return walk.found, walk.attentions, answers or ()


def axes_of(network: nn.Module) -> Iterator[tuple[str, int, Dimension]]:
    """Each dimension of a tensor of `network` that can be cut, and its axes."""
    found, _, _ = walked(network)
    for name, dimensions in found.items():
        for number, axes in dimensions.items():
            yield name, number, axes
