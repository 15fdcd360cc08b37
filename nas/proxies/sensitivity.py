"""SNIP: how much the loss would change if connections were cut."""

import torch
from torch import nn

from nas.proxies.batch import Batch
from nas.proxies.lending import lent, score_of


def snip(network: nn.Module, batch: Batch) -> float | None:
    """Σ |∂L/∂θ ⊙ θ| over the weights; larger is better.

    ∂L/∂θ ⊙ θ is how the loss changes as a weight's connection is cut, to first order (Lee et al. 2019, arXiv:1810.02340, eqs. 4
    and 5; without their division by the sum, which is this score, as in Abdelfattah et al. 2021, arXiv:2101.08134, sec. 3).
    Weights are matrices and filters, not biases, nor what belongs to a normalisation; batch normalisation takes the batch's
    statistics. Defined for every network; None where it is no number.
    """
    with lent(network) as copy:
        weights = list(copy.weights.values())
        loss = batch.loss(copy(batch.inputs), batch.targets)
        gradients = torch.autograd.grad(loss, weights, materialize_grads=True)
        pairs = zip(gradients, weights, strict=True)
        return score_of(sum(float((gradient * weight.detach()).abs().sum()) for gradient, weight in pairs))
