"""Covariance of the Jacobian: how differently the network's output answers to small changes of different examples.

Axes: N examples, D numbers of one example.
"""

from contextlib import ExitStack
from typing import Any

import torch
from torch import Tensor, nn

from nas.proxies.batch import Batch
from nas.proxies.lending import lent

K = 1e-5
"""Keeps the logarithm finite; the paper's."""


def jacob_cov(network: nn.Module, batch: Batch) -> float | None:
    """−Σᵢ [ln(σᵢ + k) + 1 / (σᵢ + k)] of the eigenvalues σ of the Jacobian's correlations; larger is better.

    A row of the Jacobian is the gradient of an example's outputs, summed, by its inputs; where the rows of all N examples are
    uncorrelated, every σ is 1 and the score the highest, about −N (Mellor et al. 2020, arXiv:2006.04647v1, sec. 3; `jacob_cov` in
    Abdelfattah et al. 2021, arXiv:2101.08134). Batch normalisation takes the batch's statistics. Tokens have no gradient: of
    them it is the one by what the first `nn.Embedding` gives. Of inputs of few numbers, no more than half as many examples are
    taken: more rows than columns are correlated whatever the network is.

    None where tokens are looked up otherwise, or where an example's gradient is the same everywhere, so that nothing correlates.
    """
    leaves: list[Tensor] = []

    def detach(_module: nn.Module, _inputs: Any, outputs: Tensor) -> Tensor:
        if leaves:
            return outputs
        leaves.append(outputs.detach().requires_grad_())
        return leaves[0]

    with lent(network) as copy, ExitStack() as hooks:
        inputs = batch.inputs
        if inputs.is_floating_point():
            few = max(1, min(len(inputs), inputs[0].numel() // 2))
            inputs = inputs[:few].detach().clone().requires_grad_()
            leaves.append(inputs)
        else:
            for module in network.modules():
                if isinstance(module, nn.Embedding):
                    hooks.callback(module.register_forward_hook(detach).remove)
        outputs = copy(inputs)
        if not leaves:
            return None
        (jacobian,) = torch.autograd.grad(outputs.sum(), leaves, materialize_grads=True)
    jacobian_ND = jacobian.flatten(1).double().cpu()
    spread_N1 = jacobian_ND.std(1, keepdim=True)
    if not bool(torch.isfinite(spread_N1).all() and (spread_N1 > 0).all()):
        return None
    sigma_N = torch.linalg.eigvalsh(torch.corrcoef(jacobian_ND)).clamp(min=0)  # rounding takes some below 0
    return float(-(torch.log(sigma_N + K) + 1 / (sigma_N + K)).sum())
