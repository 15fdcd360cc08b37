"""The gradient's norm after one batch."""

import torch
from torch import nn

from nas.proxies.batch import Batch
from nas.proxies.lending import lent, score_of


def grad_norm(network: nn.Module, batch: Batch) -> float | None:
    """Σ ‖∂L/∂θ‖₂, each weight tensor's norm by itself; larger is better.

    Abdelfattah et al. 2021, arXiv:2101.08134, sec. 3: the sum of the Euclidean norms of the gradients after one batch. Weights
    are matrices and filters, not biases, nor what belongs to a normalisation; batch normalisation takes the batch's statistics.
    Defined for every network; None where it is no number.
    """
    with lent(network) as copy:
        loss = batch.loss(copy(batch.inputs), batch.targets)
        gradients = torch.autograd.grad(loss, list(copy.weights.values()), materialize_grads=True)
        return score_of(sum(float(gradient.norm()) for gradient in gradients))
