"""How a network that was pre-trained is trained further: a choice of training, which stands between its trunk and its head."""

from typing import Annotated

from pydantic import Field

from nas.benchmark import Shape
from nas.models.layers.kind import LayerKind, TrainingKind

Part = Annotated[float, Field(ge=0, le=1)]
"""A share that may be all."""


class FineTuning(TrainingKind):
    """What of a pre-trained trunk learns on, and how fast. What comes before this layer is the trunk, what comes after the head.

    Layers are counted as the space has them: an `embedding`, a `position`, each block, a `norm`; those without weights do not
    count.
    """

    frozen: Part = 0.0
    """Share of the trunk's layers, the first ones, that stay as they were pre-trained, normalisation and all; 1 for all, so that
    the head alone learns."""
    rate: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Learning rate of the trunk's last layer that learns, as a share of the head's, which is the recipe's."""
    decay: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Learning rate of each layer as a share of that of the layer after it (Howard & Ruder 2018, arXiv:1801.06146, sec. 3.2)."""
    rank: Annotated[int, Field(ge=0, le=4_096)] = 0
    """Of low-rank adapters (Hu et al. 2022, arXiv:2106.09685, eq. 3) beside the linear layers of the trunk that learn, while all
    else in the trunk stays as it was pre-trained; 0 for none, so that the layers learn themselves. In the end they are added to
    the weights, so that the network is no larger."""

    def plain(self, given: Shape, wanted: Shape) -> LayerKind:  # noqa: ARG002 - one signature for all
        """Without rates, decay and adapters where nothing of the trunk learns."""
        return self if self.frozen < 1 else FineTuning(frozen=1.0)
