"""What of a pre-trained network learns on: layers that stay, rates by layer, and low-rank adapters that end in the weights."""

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from nas.benchmark import Recipe
from nas.models.layers.fine_tuning import FineTuning
from nas.models.layers.shipped import Backbone
from nas.training import Method, Task, optimizer_of

Block = tuple[float, nn.Module]
"""Learning rate, as a share of the recipe's, and whose weights learn at it."""


class Adapter(nn.Module):
    """Adds to a weight W (out, in) a product B A of rank r, which alone learns (Hu et al. 2022, arXiv:2106.09685, eq. 3).

    B begins at 0, so that at first nothing is added. There is no further factor: the learning rate does its work.
    """

    def __init__(self, weight: Tensor, rank: int) -> None:
        super().__init__()
        outward, inward = weight.shape
        down = torch.empty(rank, inward)
        nn.init.kaiming_uniform_(down, a=5**0.5)
        self.down = nn.Parameter(down.to(weight.device))
        self.up = nn.Parameter(torch.zeros(outward, rank, device=weight.device))

    def forward(self, weight: Tensor) -> Tensor:
        """(out, in) → (out, in)."""
        return weight + self.up @ self.down


class Tuned:
    """A pre-trained network made ready to be trained further as a candidate asks: `trunk` and `head` are its two halves.

    Adapters are drawn from torch's global generator. What stays as it is, is in evaluation mode while the rest is trained.
    """

    def __init__(self, trunk: nn.Sequential, head: nn.Module, tuning: FineTuning) -> None:
        each = [one for layer in trunk for one in (layer if isinstance(layer, Backbone) else [layer])]
        layers = [layer for layer in each if next(layer.parameters(), None) is not None]
        stay = round(tuning.frozen * len(layers))
        self.still: list[nn.Module] = layers[:stay]
        self.adapted: list[nn.Linear] = []
        self.blocks: list[Block] = []
        """From the head down."""
        scale = tuning.rate
        for layer in reversed(layers[stay:]):
            self.blocks.append((scale, layer))
            scale *= tuning.decay
        self.blocks.append((1.0, head))
        for layer in layers[stay:] if tuning.rank else ():
            layer.requires_grad_(False)
            for linear in [module for module in layer.modules() if isinstance(module, nn.Linear)]:
                parametrize.register_parametrization(linear, "weight", Adapter(linear.weight, tuning.rank))
                self.adapted.append(linear)
        for layer in self.still:
            layer.requires_grad_(False)
        self.trunk = trunk

    def groups(self, recipe: Recipe) -> Iterator[dict[str, Any]]:
        """The weights that learn, each with its share of the learning rate; weights decay, biases and normalisation do not."""
        for scale, module in self.blocks:
            learning = [parameter for parameter in module.parameters() if parameter.requires_grad]
            for decay, some in (
                (recipe.weight_decay, [one for one in learning if one.ndim > 1]),
                (0.0, [one for one in learning if one.ndim <= 1]),
            ):
                if some:
                    yield {"params": some, "weight_decay": decay, "lr_scale": scale}

    def method(self, task: Task, recipe: Recipe, classes: int) -> Method:
        """Supervised learning of what learns."""
        return _FineTuning(self, task, recipe, classes)

    def finish(self) -> None:
        """Add the adapters to the weights, and leave a plain network, all of which can learn."""
        for linear in self.adapted:
            parametrize.remove_parametrizations(linear, "weight", leave_parametrized=True)
            bias = linear.bias
            del linear.bias  # which stood after the weight
            linear.register_parameter("bias", bias)
        self.trunk.requires_grad_(True)


class _FineTuning(Method):
    """Supervised learning of a part of the network."""

    def __init__(self, tuned: Tuned, task: Task, recipe: Recipe, classes: int) -> None:
        super().__init__(task, recipe, classes)
        self.tuned = tuned

    def optimizers(self, trained: nn.Module) -> Mapping[str, torch.optim.Optimizer]:  # noqa: ARG002 - it knows its parts
        """One, of what learns."""
        return {"": optimizer_of(list(self.tuned.groups(self.recipe)), self.recipe)}

    def loss(self, network: nn.Module, inputs: Tensor, targets: Tensor) -> Tensor:
        """The task's, where what stays as it is does as it does in use."""
        for layer in self.tuned.still:
            layer.eval()
        return super().loss(network, inputs, targets)
