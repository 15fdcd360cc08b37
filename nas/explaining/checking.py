"""Whether explanations hang on what the network has learned: they are held against those of the same network with weights drawn
anew, from the last layer to the first (Adebayo et al. 2018, arXiv:1810.03292, sec. 3). An explainer that says the same of both
tells of the picture and not of the network, as an edge detector does.

Every example meets a drawing of its own, so that an interval over examples is over drawings too.
"""

import copy
import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from scipy import stats
from torch import Tensor, nn

from nas.benchmark import Image, Waveform
from nas.errors import ExplainError
from nas.explaining.drawing import STRETCHES
from nas.explaining.explainer import Asked, Explainer, Says, explained_by
from nas.explaining.similarity import rank_correlation, structural_similarity
from nas.reports.explanations import Check, Depth, Interval, Verdict

DEPTHS = 4
"""Depths to which weights are drawn anew, the whole network being the last."""

BOUND = 0.5
"""An interval of the mean rank correlation wholly below it says that explanations hang on the weights, one wholly above it that
they do not: at 0.5 two orders of places have a quarter of their differences in common."""

CONFIDENCE = 0.95

Redraw = Callable[[int], nn.Module]
"""A seed → the same network with its weights drawn from it, before any training."""


def check(explainer: Explainer, asked: Asked, maps: Tensor, redraw: Redraw) -> Check:
    """How like `maps`, the explanations of `asked`, are those of networks that are drawn anew.

    Places that hold more than nothing are compared, such as no padding, and of sounds the sums over stretches.

    Raises:
        ExplainError: a network that is drawn anew cannot be explained.
    """
    redrawn = [_redrawn(asked.network, redraw(1_000_003 + n), n) for n in range(len(asked.inputs))]
    layers = _layers(asked.network)
    counts = sorted({math.ceil(len(layers) * depth / DEPTHS) for depth in range(1, DEPTHS + 1)}) if layers else [0]
    depths = []
    ranks: list[float] = []
    structures: list[float] = []
    for count in counts:
        ranks, structures = [], []
        for n, other in enumerate(redrawn):
            found = _explained(explainer, asked, n, _drawn_to(asked.network, other, layers[len(layers) - count :]))
            ranks.append(rank_correlation(_held(asked, n, maps[n]), _held(asked, n, found)))
            if found.ndim == 2:
                structures.append(structural_similarity(maps[n], found))
        depths.append(Depth(layers=count, of=len(layers), correlation=interval(ranks)))
    whole = interval(ranks)
    return Check(
        verdict=verdict(whole),
        correlation=whole,
        structure=interval(structures) if structures else None,
        depths=tuple(depths),
        each=tuple(ranks),
    )


def interval(values: Sequence[float]) -> Interval:
    """The mean and its 95 % interval by Student's t, between −1 and 1; no interval of a single value."""
    mean = math.fsum(values) / len(values)
    if len(values) < 2:
        return Interval(mean=mean, low=None, high=None)
    deviation = math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1))
    half = float(stats.t.ppf((1 + CONFIDENCE) / 2, len(values) - 1)) * deviation / math.sqrt(len(values))
    return Interval(mean=mean, low=max(-1.0, mean - half), high=min(1.0, mean + half))


def verdict(correlation: Interval) -> Verdict:
    """By where the interval lies."""
    if correlation.low is None or correlation.high is None:
        return "cannot be told"
    if correlation.high < BOUND:
        return "depends on the weights"
    return "does not depend on the weights" if correlation.low > BOUND else "cannot be told"


def _explained(explainer: Explainer, asked: Asked, n: int, network: nn.Module) -> Tensor:
    one = replace(asked, network=network, inputs=asked.inputs[n : n + 1], outputs_N=asked.outputs_N[n : n + 1])
    return explained_by(explainer, one)[0]


def _held(asked: Asked, n: int, attributions: Tensor) -> Tensor:
    """Of example `n` the places that hold something, as people see them: of sound the sums over stretches."""
    something = asked.inputs[n].cpu() != 0
    if something.ndim > attributions.ndim:  # any channel of a place
        something = something.any(0 if isinstance(asked.signature.input, Image) else -1)
    if isinstance(asked.signature.input, Waveform):
        attributions, something = (
            attributions.flatten(1).sum(1) if attributions.ndim > 1 else attributions,
            something.flatten(1).any(1) if something.ndim > 1 else something,
        )
        attributions = torch.stack([part.sum() for part in attributions.tensor_split(STRETCHES)])
        something = torch.stack([part.any() for part in something.tensor_split(STRETCHES)])
    return attributions[something] if int(something.sum()) > 1 else attributions


def _redrawn(trained: nn.Module, drawn: nn.Module, seed: int) -> nn.Module:
    """`drawn`, with the entries of what was drawn the same again, such as shipped weights, in another order."""
    drawn = drawn.to(next(trained.parameters()).device).eval()
    theirs = dict(trained.named_parameters())
    chance = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, weight in drawn.named_parameters():
            if name not in theirs or theirs[name].shape != weight.shape:
                raise ExplainError(f"The network that is drawn anew has other weights than the trained one; {name} differs.")
            if torch.equal(weight, theirs[name]) and weight.ndim > 1:
                order = torch.randperm(weight.numel(), generator=chance).to(weight.device)
                weight.copy_(weight.flatten()[order].view_as(weight))
    return drawn


def _layers(network: nn.Module) -> list[str]:
    """The layers with weights of a network as explainers ask it, in their order, by the names of modules."""
    inner = network.network if isinstance(network, Says) else network
    prefix = "network." if isinstance(network, Says) else ""
    return [f"{prefix}{name}" for name, child in inner.named_children() if any(True for _ in child.parameters())]


def _drawn_to(trained: nn.Module, drawn: nn.Module, layers: Sequence[str]) -> nn.Module:
    """`trained` with `layers` as they are in `drawn`; with all of them it is `drawn`."""
    if len(layers) == len(_layers(trained)):
        return drawn
    network = copy.deepcopy(trained)
    for name in layers:
        network.get_submodule(name).load_state_dict(drawn.get_submodule(name).state_dict())
    return network.eval()
