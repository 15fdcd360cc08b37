"""The floor: bits per character of a bigram table and of a linear model; `python -m benchmarks.tiny_shakespeare.floor FILE`.

Axes: N windows, L positions, K characters back, V vocabulary.
"""

import math
import sys
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.tiny_shakespeare.task import ALPHABET, load
from nas.training import Examples

VOCABULARY = len(ALPHABET) + 1
_EPOCHS, _BATCH, _RATE = 10, 64, 0.02


class Linear(nn.Module):
    """Logits that are a sum of one row for each of the last `back` characters: multinomial logistic regression on their one-hots.

    Where a window has fewer behind a position, the row is that of id 0.
    """

    def __init__(self, back: int) -> None:
        super().__init__()
        self.back = back
        self.rows = nn.EmbeddingBag(back * VOCABULARY, VOCABULARY, mode="sum")
        self.bias = nn.Parameter(torch.zeros(VOCABULARY))
        nn.init.zeros_(self.rows.weight)

    def forward(self, ids_NL: Tensor) -> Tensor:
        """(N, L) → (N, L, V)."""
        last_NLK = functional.pad(ids_NL, (self.back - 1, 0)).unfold(1, self.back, 1)
        bags = last_NLK + VOCABULARY * torch.arange(self.back)
        logits: Tensor = self.rows(bags.flatten(0, 1)) + self.bias
        return logits.reshape(*ids_NL.shape, VOCABULARY)


def bits(model: nn.Module, examples: Examples) -> float:
    """Mean cross-entropy in bits."""
    with torch.no_grad():
        nats = [
            functional.cross_entropy(model(part.inputs).flatten(0, 1), part.targets.flatten()) * len(part)
            for part in examples.batches(64)
        ]
    return float(sum(nats)) / len(examples) / math.log(2)


def fit(training: Examples, back: int) -> Linear:
    """Ten epochs of Adam, its rate falling to 0 along a line; the loss is convex."""
    model = Linear(back)
    optimizer = torch.optim.Adam(model.parameters(), lr=_RATE)
    generator = torch.Generator().manual_seed(0)
    steps = _EPOCHS * math.ceil(len(training) / _BATCH)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 - step / steps)
    for _ in range(_EPOCHS):
        for picked in torch.split(torch.randperm(len(training), generator=generator), _BATCH):
            optimizer.zero_grad()
            loss = functional.cross_entropy(model(training.inputs[picked]).flatten(0, 1), training.targets[picked].flatten())
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
    return model


def bigrams(training: Examples, test: Examples) -> float:
    """Bits per character of a table of what follows each character, one added to every count."""
    counts = torch.ones(VOCABULARY, VOCABULARY)
    counts.index_put_((training.inputs.flatten(), training.targets.flatten()), torch.ones(()), accumulate=True)
    shares = counts / counts.sum(dim=1, keepdim=True)
    return -shares[test.inputs, test.targets].log2().mean().item()


def main(data: Path | None) -> None:
    """Print what the table and, by how far it looks back, the linear model reach."""
    task = load(data)
    training, validation, test = task.examples("train"), task.examples("validation"), task.examples("test")
    print(f"bigrams: {bigrams(training, test):.3f}")  # noqa: T201
    for back in (2, 4, 6, 8, 12, 16):
        model = fit(training, back)
        print(f"{back} back: validation {bits(model, validation):.3f}, test {bits(model, test):.3f}")  # noqa: T201


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else None)
