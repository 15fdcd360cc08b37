"""Translation by a language model: supervised learning of the next token, measured by the texts that it writes, too.

Axes: N examples, L positions, V tokens.
"""

from collections import Counter
from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn

from nas.benchmark import Recipe
from nas.device import Precision, autocast
from nas.errors import BenchmarkError
from nas.training import IGNORED, Examples, Feed, Method, Protocol, Setup, as_feed
from nas.training.translation import BEGIN, END, PADDING, Translation

TOGETHER = 256
"""Examples that are written out at once."""

ORDERS, BETA = 6, 2
"""Of chrF: the longest n-grams, and how many times as much recall counts as precision."""


class Translating(Method):
    """Supervised learning that also measures what is written."""

    def __init__(self, task: Translation, recipe: Recipe, written: int) -> None:
        """Of validation examples only the first `written` are written out; of others all."""
        super().__init__(task, recipe)
        self.written = written

    def measure(self, trained: nn.Module, examples: Feed | Examples, split: str, precision: Precision) -> dict[str, float]:
        """The task's figures, and chrF from 0 to 100: "validation_chrf"."""
        figures = super().measure(trained, examples, split, precision)
        feed = as_feed(examples, next(trained.parameters()).device)
        count = min(self.written, len(feed)) if split == "validation" else len(feed)
        task = cast(Translation, self.task)
        said: list[str] = []
        wanted: list[str] = []
        with torch.inference_mode(), autocast(next(trained.parameters()).device, precision):
            for inputs_NL, targets_NL in feed.batches(torch.split(torch.arange(count), TOGETHER)):
                said += task.read(write(trained, inputs_NL, task.place))
                wanted += task.read(targets_NL[:, task.place :].masked_fill(targets_NL[:, task.place :] == IGNORED, PADDING))
        return figures | {f"{split}_chrf": chrf(said, wanted)}


class TranslationProtocol(Protocol):
    """Supervised learning of translations; `protocol_options` may say how many of validation are `written` out each epoch."""

    def __init__(self, setup: Setup) -> None:
        if not isinstance(setup.task, Translation):
            raise BenchmarkError(
                f"The protocol 'translation' is for tasks of the kind Translation, got {type(setup.task).__name__}."
            )
        super().__init__(setup)

    def method(self) -> Method:
        """That of the only stage."""
        setup = self.setup
        assert isinstance(setup.task, Translation)  # noqa: S101 - checked above
        return Translating(setup.task, setup.benchmark.recipe, int(setup.benchmark.protocol_options.get("written", 128)))


def write(network: nn.Module, inputs_NL: Tensor, place: int) -> Tensor:
    """What the network says after each source, (N, L − place), the likeliest token at each position (greedy decoding).

    It is given what it wrote, and sees nothing of the target. Writing ends once every row has an END.
    """
    written_NL = inputs_NL.clone()
    written_NL[:, place + 1 :] = PADDING
    length = inputs_NL.shape[1]
    said_NL = torch.full_like(written_NL[:, place:], PADDING)
    done_N = torch.zeros(len(inputs_NL), dtype=torch.bool, device=inputs_NL.device)
    for position in range(place, length):
        logits_NV = network(written_NL)[:, position]
        logits_NV[:, [PADDING, BEGIN]] = -torch.inf
        next_N = logits_NV.argmax(1).masked_fill(done_N, PADDING)
        said_NL[:, position - place] = next_N
        done_N |= next_N == END
        if done_N.all():
            break
        if position + 1 < length:
            written_NL[:, position + 1] = next_N
    return said_NL


def chrf(said: Sequence[str], wanted: Sequence[str]) -> float:
    """Character n-gram F-score of a whole split, from 0 to 100, spaces left out (Popović 2015, WMT, sec. 2).

    As sacrebleu counts: n-grams of all texts together, and the mean over those n of which both sides have any; torchmetrics
    counts the others as 0, so that no short text is ever right.
    """
    precisions, recalls = [], []
    for order in range(1, ORDERS + 1):
        told = known = met = 0
        for one, other in zip(said, wanted, strict=True):
            ours, theirs = _grams(one, order), _grams(other, order)
            told += ours.total() if theirs else 0
            known += theirs.total()
            met += (ours & theirs).total()
        if told and known:
            precisions.append(met / told)
            recalls.append(met / known)
    if not sum(precisions):
        return 0.0
    precision, recall = sum(precisions) / len(precisions), sum(recalls) / len(recalls)
    return 100 * (1 + BETA**2) * precision * recall / (BETA**2 * precision + recall)


def _grams(text: str, order: int) -> Counter[str]:
    """The runs of `order` characters, spaces left out, and how often each is there."""
    letters = "".join(text.split())
    return Counter(letters[start : start + order] for start in range(len(letters) - order + 1))
