"""Synaptic flow: how much flows through all paths from inputs to outputs together."""

import torch
from torch import nn

from nas.proxies.batch import Batch
from nas.proxies.lending import lent, score_of


def synflow(network: nn.Module, batch: Batch) -> float | None:
    """The natural logarithm of Σ |∂R/∂θ ⊙ θ| over the weights θ; larger is better.

    R = 1ᵀ(Π |θ⁽ˡ⁾|)1 is what comes out, summed, where all weights are made positive and ones come in (Tanaka et al. 2020,
    arXiv:2006.05467, eqs. 2 and 3; summed over a network as in Abdelfattah et al. 2021, arXiv:2101.08134, sec. 3). Where every
    layer is linear, R is the sum over all paths, and each layer's share of the score is R.

    The sum itself grows by a factor a layer, past what a float holds; so it is taken in float64, and its logarithm given, which
    ranks the same. Batch normalisation takes its gathered statistics, 0 and 1 in a new network. No data are looked at: of tokens,
    the token 1 comes in at each position. Only of networks of linear layers and of activations that leave positive numbers as
    they are is it a sum over paths; layer normalisation, gates and softmax bound what flows, and the score is then the same sum
    without that meaning.

    −inf where no path leads through; None where the sum is too large for float64 too.
    """
    with lent(network, batch_statistics=False) as copy:
        inputs = batch.ones
        exact = inputs.device.type != "mps"  # which has no float64
        for tensors in (copy.parameters, copy.buffers):
            for name, tensor in tensors.items():
                if tensor.is_floating_point():
                    positive = tensor.detach().abs()
                    tensors[name] = (positive.double() if exact else positive).requires_grad_(tensor.requires_grad)
        if inputs.is_floating_point() and exact:
            inputs = inputs.double()
        weights = list(copy.weights.values())
        gradients = torch.autograd.grad(copy(inputs).sum(), weights, materialize_grads=True)
        flow = sum((gradient * weight).abs().sum() for gradient, weight in zip(gradients, weights, strict=True))
    return score_of(torch.log(torch.as_tensor(flow).detach().double().cpu()))
