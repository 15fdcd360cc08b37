"""Neural architecture search without training: how differently the network's units answer to different examples.

Axes: N examples, U units.
"""

from contextlib import ExitStack
from typing import Any

import torch
from timm.layers import activations
from torch import Tensor, nn

from nas.proxies.batch import Batch
from nas.proxies.lending import lent

SIGNED = (
    *(nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.PReLU, nn.RReLU, nn.ELU, nn.SELU, nn.CELU, nn.GELU, nn.SiLU, nn.Mish, nn.Hardswish),
    *(nn.Tanh, nn.Hardtanh, nn.Softsign, nn.Hardshrink, nn.Softshrink, nn.Tanhshrink),
    *(activations.GELU, activations.GELUTanh, activations.QuickGELU, activations.Swish, activations.Mish),
    *(activations.HardSwish, activations.HardMish, activations.Tanh, activations.PReLU),
)
"""Activations that give what is positive for what is positive alone. A sigmoid always does: its code would tell nothing."""


def naswot(network: nn.Module, batch: Batch) -> float | None:
    """ln |K_H| of the units' binary codes; larger is better: the examples lie in regions that are easy to tell apart.

    A unit's bit says whether it is active, and K_H[i, j] = U − (bits that differ between examples i and j) (Mellor et al. 2021,
    arXiv:2006.04647, sec. 3, eq. 2), batch normalisation taking the batch's statistics as they do. The paper's units are ReLUs,
    whose bits name a linear region. Of smooth activations (GELU, SiLU, …) the bit is the sign of what comes out; of gates
    (sigmoid) none is taken. Only modules are seen, not functions that a module calls.

    −inf where K_H is singular, as where two examples have one code. None where no activation module stands in the network, as in
    one of recurrent cells alone.
    """
    codes_NU: list[Tensor] = []

    def note(_module: nn.Module, _inputs: Any, outputs: Tensor) -> None:
        if len(outputs) == len(batch.inputs):
            codes_NU.append((outputs.detach() > 0).flatten(1).float())

    with lent(network) as copy, ExitStack() as hooks, torch.no_grad():
        for module in network.modules():
            if isinstance(module, SIGNED):
                hooks.callback(module.register_forward_hook(note).remove)
        copy(batch.inputs)
    if not codes_NU:
        return None
    kernel_NN = sum((_alike(code).double().cpu() for code in codes_NU), torch.zeros(()))
    eigenvalues = torch.linalg.eigvalsh(kernel_NN)
    singular = float(eigenvalues[0]) <= float(eigenvalues[-1]) * len(eigenvalues) * torch.finfo(torch.float64).eps
    return float("-inf") if singular else float(eigenvalues.log().sum())


def _alike(code_NU: Tensor) -> Tensor:
    """In how many units two examples agree, (N, N); exact in float32 up to 16 million units."""
    other_NU = 1 - code_NU
    return code_NU @ code_NU.T + other_NU @ other_NU.T
