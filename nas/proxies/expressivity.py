"""Zen-score: how expressive a convolutional network is, whatever its weights are.

Axes: N examples, C channels, H height, W width.
"""

import math
from contextlib import ExitStack
from statistics import fmean
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from nas.proxies.batch import Batch
from nas.proxies.lending import Lent, lent, score_of

ALPHA = 0.01
"""Size of the step between two inputs; the paper's."""

PICTURES = 16
"""Inputs that are drawn at a time; the authors'."""

REPEATS = 4
"""Draws of weights and inputs, whose scores are averaged; the authors take 32."""


def zen(network: nn.Module, batch: Batch) -> float | None:
    """ln E‖f(x) − f(x + αε)‖ + Σₖ ln σ̄ₖ, the mean over draws; larger is better.

    f is the last map of features before they are pooled; weights, x and ε are drawn from N(0, 1), and α is 0.01; σ̄ₖ² is the
    mean over channels of the variance that the k-th batch normalisation takes away (Lin et al. 2021, arXiv:2102.01063, alg. 1),
    so that the score is that of the network without it. No data are looked at, and no weights: equal seeds give equal scores.

    The paper cuts residual connections before it scores; nothing can cut those of any network, and they stay. Normalisations
    that are given the same everywhere, as behind an edge that is none, add nothing. Defined for networks that take pictures, and
    after whose last map no weights stand but those of linear layers: None for those of attention or recurrent cells, and where a
    number grows past what a float holds. −inf where nothing of the input reaches the map.
    """
    inputs = batch.inputs
    if inputs.dim() != 4 or not inputs.is_floating_point():
        return None
    generator = torch.Generator().manual_seed(batch.seed)  # on the CPU, so that all devices draw the same
    shape = (PICTURES, *inputs.shape[1:])
    scores = []
    with lent(network) as copy, ExitStack() as hooks, torch.no_grad():
        watch = _Watch()
        for module in network.modules():
            hooks.callback(module.register_forward_pre_hook(watch.before).remove)
            hooks.callback(module.register_forward_hook(watch.after).remove)
        for _ in range(REPEATS):
            _draw_weights(copy, generator)
            x, noise = (torch.randn(shape, generator=generator).to(inputs.device) for _ in range(2))
            seen, seen_nearby = watch.run(copy, x), watch.run(copy, x + ALPHA * noise)
            if seen is None or seen_nearby is None:
                return None
            distance = (seen.features - seen_nearby.features).flatten(1).norm(dim=1).mean()
            scores.append(float(distance.log()) + seen.scale)
    return score_of(fmean(scores))


def _draw_weights(copy: Lent, generator: torch.Generator) -> None:
    """Weights from N(0, 1); biases 0; a normalisation does nothing but normalise."""
    for prefix, module in copy.network.named_modules():
        for name, _ in module.named_parameters(recurse=False):
            parameter = copy.parameters.get(f"{prefix}.{name}" if prefix else name)
            if parameter is None:  # it stands elsewhere too, under its first name
                continue
            if isinstance(module, _BatchNorm):
                parameter.fill_(1.0 if name == "weight" else 0.0)
            elif parameter.dim() > 1:
                parameter.copy_(torch.randn(parameter.shape, generator=generator))
            else:
                parameter.zero_()


class _Seen(NamedTuple):
    features: Tensor
    """The last map, (N, C, H, W)."""
    scale: float
    """Σ ln σ̄ over batch normalisations."""


class _Watch:
    """Sees what normalisations are given, and the last map of features."""

    def __init__(self) -> None:
        self.scale = 0.0
        self.features: Tensor | None = None
        self.classifies = True
        """Whether no weights but a linear layer's have been used since the last map."""

    def run(self, copy: Lent, inputs: Tensor) -> _Seen | None:
        """What is seen as `copy` runs; None where it has no last map that only linear layers follow."""
        self.scale, self.features, self.classifies = 0.0, None, True
        copy(inputs)
        return _Seen(self.features, self.scale) if self.features is not None and self.classifies else None

    def before(self, module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        """Called with what `module` is given."""
        if isinstance(module, nn.BatchNorm2d):
            variance = float(inputs[0].var(dim=(0, 2, 3), correction=0).mean())
            self.scale += math.log(variance) / 2 if variance else 0.0

    def after(self, module: nn.Module, _inputs: Any, outputs: Any) -> None:
        """Called with what `module` gives."""
        if not isinstance(outputs, Tensor):
            return
        weighs = any(True for _ in module.parameters())
        same_size = self.features is not None and self.features.shape[2:] == outputs.shape[2:]
        if outputs.dim() == 4 and (weighs or same_size):  # (N, C, H, W); else a map was pooled
            self.features, self.classifies = outputs.clone(), True  # what follows may change it in place
        elif not isinstance(module, nn.Linear) and any(True for _ in module.parameters(recurse=False)):
            self.classifies = False
