"""What a trained network gives away of its training data: membership inference by losses and by shadow networks."""

from nas.privacy.inference import RATE, Standing, likelihood_ratios, losses_of, signals, standing
from nas.privacy.shadows import Shadow, pool_of, spread, train_shadows

__all__ = [
    "RATE",
    "Shadow",
    "Standing",
    "likelihood_ratios",
    "losses_of",
    "pool_of",
    "signals",
    "spread",
    "standing",
    "train_shadows",
]
