"""A network's figures on examples: evaluation mode, no gradients, a batch at a time."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from nas.device import Precision, autocast, is_out_of_memory, release
from nas.training.feeding import Feed, as_feed
from nas.training.task import Examples, Task

BATCH = 1_024
"""Examples of a batch, halved for as long as memory does not suffice; no figure depends on it but for rounding."""


Answered = Iterator[tuple[Tensor, Tensor, Tensor]]
"""Batches of inputs, what a network makes of them, and targets."""


def evaluate(
    model: nn.Module, task: Task, examples: Feed | Examples, split: str, precision: Precision = "float32"
) -> dict[str, float]:
    """The task's figures of `model` on `examples`, named after `split`: "validation_accuracy"."""

    def gather(answered: Answered) -> dict[str, float]:
        meter = task.meter(next(model.parameters()).device)
        for _, outputs, targets in answered:
            meter.update(outputs, targets)
        return meter.compute()

    return measure(model, gather, examples, split, precision)


def measure(
    model: nn.Module,
    gather: Callable[[Answered], dict[str, float]],
    examples: Feed | Examples,
    split: str,
    precision: Precision = "float32",
) -> dict[str, float]:
    """The figures that `gather` makes of all batches, named after `split`; it is called again where memory did not suffice."""
    device = next(model.parameters()).device
    feed = as_feed(examples, device)
    model.eval()
    size = BATCH
    while True:
        try:
            with torch.inference_mode(), autocast(device, precision):
                figures = gather(_answered(model, feed, size))
        except Exception as error:
            if size == 1 or not is_out_of_memory(error):
                raise
        else:
            return {f"{split}_{name}": value for name, value in figures.items()}
        size = max(1, min(size, len(feed)) // 2)  # out of the handler, which holds the frames of the failed pass
        release(device)


def _answered(model: nn.Module, feed: Feed, size: int) -> Answered:
    for inputs, targets in feed.batches(torch.split(torch.arange(len(feed)), size)):
        yield inputs, model(inputs), targets
