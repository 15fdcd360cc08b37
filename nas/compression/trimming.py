"""Structured pruning to widths that no space need list: attention heads, hidden units and channels are cut out one by one.

    parent → its axes (see `cutting`) → of each kind that is asked for the same share is kept, the most important → fine-tuned

What comes out is of its parent's architecture with narrower layers than that says; it is counted as it stands, and what it costs
is what a fresh network of its shapes costs. Heads are kept or cut whole (Michel et al. 2019, arXiv:1905.10650, who cut them by
their effect on the loss; here, as all axes, by the norm of their weights).
"""

from math import prod
from typing import Annotated, ClassVar

from pydantic import AfterValidator, Field
from torch import Tensor, nn

from nas.benchmark import Budget
from nas.compression.cutting import Axis, Heads, taken, walked
from nas.compression.fine_tuning import Epochs, fine_tuning
from nas.training import Derivation, Lineage, Unsupported, reshape
from nas.training.derivations import Family

KINDS = ("heads", "units", "channels")

GRID = 256
"""Shares that are tried are whole numbers over this."""


def _kinds(text: str) -> str:
    names = text.split(",")
    if not {*names} <= {*KINDS} or len({*names}) < len(names):
        raise ValueError(f"it is {','.join(KINDS)}, or some of these with commas between")
    return text


class Trim(Derivation):
    """The least important heads, units and channels are cut out, to any width, and what is left is fine-tuned."""

    summary: ClassVar[str] = "attention heads, hidden units and channels are cut out to any width; the rest is fine-tuned"
    family: ClassVar[Family] = "compression"

    share: Annotated[float, Field(gt=0, lt=1)] = 0.5
    """Of the parent's parameters, that are left at most."""
    of: Annotated[str, AfterValidator(_kinds)] = "heads,units,channels"
    """What is cut: whole attention heads, hidden units (of feed-forward networks, recurrent cells and squeeze-and-excitation),
    channels (of convolutions, embeddings and a token's vector)."""
    epochs: Epochs | None = None
    """Of fine-tuning; half a finalist's if not given."""

    def budget(self, final: Budget) -> Budget:
        """Some epochs."""
        return fine_tuning(final, self.epochs, 2)

    def begin(self, network: nn.Module, lineage: Lineage) -> nn.Module:
        """Narrower, with what is kept of the parent's weights.

        Raises:
            Unsupported: there is a layer of which it is not known which channels belong together, or it has nothing to cut.
        """
        state = trimmed(lineage.parents[0], self.share, tuple(self.of.split(",")))
        own = network.state_dict()
        reshape(network, {name: tuple(value.shape) for name, value in state.items() if value.shape != own[name].shape})
        network.load_state_dict(state)
        return network


def trimmed(parent: nn.Module, share: float, kinds: tuple[str, ...] = KINDS) -> dict[str, Tensor]:
    """The state of `parent` with at most that share of its parameters, and as many of them as that allows.

    Raises:
        Unsupported: there is a layer of which it is not known which channels belong together, or it cannot be made so small.
    """
    tensors = parent.state_dict()
    dimensions, attentions, answers = walked(parent)
    axes = {id(axis): axis for some in dimensions.values() for found in some.values() for axis in found if axis.kind in kinds}
    chosen = [axis for axis in axes.values() if axis not in answers and axis.kind != "heads"]
    heads = attentions if "heads" in kinds else []
    weights = [name for name, _ in parent.named_parameters()]
    whole = sum(tensors[name].numel() for name in weights)
    if not chosen and not heads:
        raise Unsupported(f"It has no {' or '.join(kinds)} that can be cut; take others, or int8-weights.")

    def left(kept: float) -> int:
        counts = {id(axis): _count(axis, kept) for axis in chosen} | _of_heads(heads, kept)
        return sum(
            prod(
                sum(counts.get(id(axis), axis.size) for axis in dimensions[name][number])
                if number in dimensions.get(name, {})
                else size
                for number, size in enumerate(tensors[name].shape)
            )
            for name in weights
        )

    kept = next((n / GRID for n in range(GRID - 1, 0, -1) if left(n / GRID) <= share * whole), None)
    if kept is None:
        least = -(-100 * left(1 / GRID) // whole) / 100
        raise Unsupported(
            f"{least:.2f} of its {whole:,} parameters are left at least where {', '.join(kinds)} are cut; ask for a share of "
            "that, or cut more."
        )
    for axis in chosen:
        axis.keep(_count(axis, kept))
    for one in heads:
        one.keep(_count(one.axis, kept))
    return {name: taken(value, dimensions.get(name, {})) for name, value in tensors.items()}


def _count(axis: Axis, kept: float) -> int:
    return max(1, round(kept * axis.size))


def _of_heads(attentions: list[Heads], kept: float) -> dict[int, int]:
    """How much is left of each axis that heads have, where that share of them is kept; they are all of one size."""
    counts = {}
    for one in attentions:
        count = _count(one.axis, kept)
        counts[id(one.axis)] = count
        for number, axes in enumerate(one.inside):
            counts |= {id(axis): axis.size if number < count else 0 for axis in axes}
    return counts
