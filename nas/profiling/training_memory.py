"""The memory of a training step, predicted on the meta device: nothing is computed, and no weight exists."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from nas.models import Remembering
from nas.profiling.fused import FusedAttention
from nas.profiling.inputs import Inputs, batch_of
from nas.profiling.layers import Network, bytes_by_type, on_meta
from nas.profiling.storages import Storages

STEP_BYTES = 4
"""AdamW counts its steps in one float for each parameter."""


@dataclass(frozen=True, kw_only=True)
class TrainingMemory:
    """Bytes of a training step with AdamW, by what they are for."""

    weight_bytes: int
    """Of parameters and buffers, all along."""
    gradient_bytes: int
    """Of the trainable parameters, when the backward pass has ended."""
    optimizer_bytes: int
    """AdamW's two moments of each trainable parameter, and its count of steps, all along."""
    pass_bytes: int
    """The most alive at once during the forward and backward pass beside weights and moments: the batch, what the forward pass
    keeps for the backward one, and the gradients known by then."""

    @property
    def peak_bytes(self) -> int:
        """The most alive at once in the step: during the passes, or when the optimiser sets to work."""
        return self.weight_bytes + self.optimizer_bytes + max(self.pass_bytes, self.gradient_bytes)


def predict_training_memory(network: Network, inputs: Inputs, *, batch_size: int = 1) -> TrainingMemory:
    """What a training step of `network` takes, on a batch of `batch_size` of a shape or size, or on the tensors given.

    A forward pass in training mode and the backward pass of the sum of its outputs run on meta, where a tensor has a storage of
    its size and no numbers in it; the storages alive are added up operator by operator. The step is one after the first, so that
    the optimiser has its moments, and gradients of the step before are freed.

    The outputs and their gradient stand for the loss. Left out are what a loss keeps beside them (a few times the outputs),
    targets, scratch memory within an operator and within an optimiser that is not fused, what an allocator cannot use, and all
    that is no tensor. Recurrent layers are taken apart into their steps; fused kernels of devices may ask for more or less.

    Raises:
        ModelError: `inputs` are of no kind that is known.
    """
    model = on_meta(network).train()
    trainable = [parameter for parameter in model.parameters() if parameter.requires_grad]
    with Remembering(), Storages() as storages, FusedAttention():
        _pass(model, batch_of(inputs, "meta", batch_size))
    gradients = sum(bytes_by_type(trainable).values())
    return TrainingMemory(
        weight_bytes=sum(bytes_by_type(model.parameters()).values()) + sum(bytes_by_type(model.buffers()).values()),
        gradient_bytes=gradients,
        optimizer_bytes=2 * gradients + STEP_BYTES * len(trainable),
        pass_bytes=storages.peak,
    )


def _pass(model: nn.Module, batch: tuple[Tensor, ...]) -> None:
    outputs = [leaf for leaf in tree_leaves(model(*batch)) if isinstance(leaf, Tensor) and leaf.requires_grad]
    if outputs:
        torch.autograd.backward(outputs, [torch.empty_like(output) for output in outputs])
