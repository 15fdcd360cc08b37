"""A network's figures on examples: evaluation mode, no gradients, a batch at a time."""

import torch
from torch import nn

from nas.device import Precision, autocast
from nas.training.feeding import Feed, as_feed
from nas.training.task import Examples, Task

BATCH = 1_024
"""Examples of a batch; no figure depends on it."""


def evaluate(
    model: nn.Module, task: Task, examples: Feed | Examples, split: str, precision: Precision = "float32"
) -> dict[str, float]:
    """The task's figures of `model` on `examples`, named after `split`: "validation_accuracy"."""
    device = next(model.parameters()).device
    feed = as_feed(examples, device)
    meter = task.meter(device)
    model.eval()
    with torch.inference_mode(), autocast(device, precision):
        for inputs, targets in feed.batches(torch.split(torch.arange(len(feed)), BATCH)):
            meter.update(model(inputs), targets)
        figures = meter.compute()
    return {f"{split}_{name}": value for name, value in figures.items()}
