"""A network's figures on examples: evaluation mode, no gradients, a batch at a time."""

import torch
from torch import nn

from nas.device import Precision, autocast, is_out_of_memory, release
from nas.training.feeding import Feed, as_feed
from nas.training.task import Examples, Task

BATCH = 1_024
"""Examples of a batch, halved for as long as memory does not suffice; no figure depends on it but for rounding."""


def evaluate(
    model: nn.Module, task: Task, examples: Feed | Examples, split: str, precision: Precision = "float32"
) -> dict[str, float]:
    """The task's figures of `model` on `examples`, named after `split`: "validation_accuracy"."""
    device = next(model.parameters()).device
    feed = as_feed(examples, device)
    model.eval()
    size = BATCH
    while True:
        try:
            figures = _figures(model, task, feed, size, device, precision)
        except Exception as error:
            if size == 1 or not is_out_of_memory(error):
                raise
        else:
            return {f"{split}_{name}": value for name, value in figures.items()}
        size = max(1, min(size, len(feed)) // 2)  # out of the handler, which holds the frames of the failed pass
        release(device)


def _figures(model: nn.Module, task: Task, feed: Feed, size: int, device: torch.device, precision: Precision) -> dict[str, float]:
    meter = task.meter(device)
    with torch.inference_mode(), autocast(device, precision):
        for inputs, targets in feed.batches(torch.split(torch.arange(len(feed)), size)):
            meter.update(model(inputs), targets)
        return meter.compute()
