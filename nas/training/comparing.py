"""Learning by comparison: the loss is of a batch as a whole, whose examples are compared with each other.

examples → network → what it makes of each, wherever that was → all of a batch → compared → loss
"""

from abc import abstractmethod

from torch import Tensor, nn

from nas.training.method import Method


class Comparing(Method):
    """A method whose loss has two halves: what is made of each example by itself, and how these compare.

    Of several processes each does the first for its part of a batch and the second for all of it, so that an example is compared
    with as many others as one process would compare it with.
    """

    splits = False

    @abstractmethod
    def encode(self, network: nn.Module, inputs: Tensor, targets: Tensor) -> tuple[Tensor, ...]:
        """All that the comparison needs of each example; the first axis of each tensor counts the examples."""

    @abstractmethod
    def compare(self, *encoded: Tensor) -> Tensor:
        """The mean loss of a batch, a scalar, by what `encode` gives of all its examples."""

    def loss(self, network: nn.Module, inputs: Tensor, targets: Tensor) -> Tensor:
        """Of a batch that one process has as a whole."""
        return self.compare(*self.encode(network, inputs, targets))
