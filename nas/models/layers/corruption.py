"""How inputs are spoilt before a network learns to give them back: a choice of training."""

from typing import Annotated

from pydantic import Field

from nas.models.layers.kind import Share, TrainingKind


class Corruption(TrainingKind):
    """What is done to each number of a training input that the network has to mend (Vincent et al. 2008, ICML, sec. 2.3).

    A network that is wide enough to pass on what it is given learns what is usual all the same. Inputs are standardised.
    """

    noise: Annotated[float, Field(ge=0, le=10)] = 0.0
    """Standard deviation of normal noise that is added, drawn anew at each step."""
    masked: Share = 0.0
    """Share of numbers that become 0, the mean, drawn anew at each step."""
