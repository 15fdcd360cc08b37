"""Attention on meta as devices do it: fused, so that the scores of all pairs never stand in memory."""

from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode


class FusedAttention(TorchFunctionMode):
    """Within it, scaled_dot_product_attention on meta is the fused operator that the CPU has, with the same shapes and gradients.

    Torch takes meta tensors the long way, through a matrix of scores. The long way is what devices take too where there is
    dropout, where a mask has gradients, or where values are of another size than keys; these go it here.
    """

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func is torch.nn.functional.scaled_dot_product_attention:
            fused = _fused(*args, **kwargs)
            if fused is not None:
                return fused
        return func(*args, **kwargs)


def _fused(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor | None:
    """(N, A, L, D), or None where no fused operator of the CPU does it."""
    learned = attn_mask is not None and attn_mask.requires_grad
    same = query.dim() == 4 and query.shape[:2] == key.shape[:2] and query.shape[-1] == key.shape[-1] == value.shape[-1]
    if not query.is_meta or dropout_p or learned or enable_gqa or not same:
        return None
    attend = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
    given: Tensor = attend(query, key, value, dropout_p, is_causal, attn_mask=attn_mask, scale=scale)[0]
    return given
