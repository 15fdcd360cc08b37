"""Translation by a language model: supervised learning of the next token, measured by the texts that it writes, too.

Axes: N examples, L positions, V tokens.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, ClassVar, cast

import torch
from torch import Tensor, nn

from nas.benchmark import Benchmark, Recipe
from nas.chance import rand
from nas.device import Precision, autocast, send
from nas.errors import BenchmarkError, quote
from nas.training import IGNORED, Examples, Feed, Method, Protocol, Setup, as_feed
from nas.training.translation import BEGIN, END, FIRST, PADDING, UNKNOWN, Translation

TOGETHER = 256
"""Examples that are written out at once."""

ORDERS, BETA = 6, 2
"""Of chrF: the longest n-grams, and how many times as much recall counts as precision."""

UNLIKELY = 0.02
"""Tokens that the network has for less likely are not drawn (Freitag et al. 2023, arXiv:2305.09860, sec. 4)."""

_ALL_ORDERS = range(1, ORDERS + 1)


@dataclass(frozen=True, kw_only=True)
class Ways:
    """How texts are learned and written out."""

    written: int = 128
    """Examples of validation that are written out each epoch, the first ones; of the test all are."""
    samples: int = 0
    """Texts that are drawn of each source, of which the one counts that they agree on; 0 for the likeliest piece at each step."""
    forgotten: float = 0.0
    """Share of the target's pieces that the network is not shown in training, anew every epoch."""

    def __post_init__(self) -> None:
        for name in ("written", "samples"):
            least, value = int(name == "written"), getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise BenchmarkError(f"The protocol 'translation' has {name} of at least {least}, got {quote(value)}.")
        if not 0 <= self.forgotten < 1:
            raise BenchmarkError(
                f"The protocol 'translation' has forgotten of at least 0 and below 1, got {quote(self.forgotten)}."
            )


class Translating(Method):
    """Supervised learning that also measures what is written."""

    def __init__(self, task: Translation, recipe: Recipe, ways: Ways) -> None:
        super().__init__(task, recipe)
        self.ways = ways

    @property
    def identity(self) -> Mapping[str, Any]:
        """That of its steps; how texts are written out changes none."""
        return {**super().identity, "forgotten": self.ways.forgotten}

    def prepare(self, inputs: Tensor, targets: Tensor, chance: torch.Generator) -> tuple[Tensor, Tensor]:
        """A batch with pieces of the target forgotten, each by chance, so that more has to be read from the source (Bowman et al.
        2016, arXiv:1511.06349, sec. 3.1); what is to be said stays.
        """
        inputs_NL, targets_NL = super().prepare(inputs, targets, chance)
        if self.ways.forgotten:
            told = slice(cast(Translation, self.task).place + 1, None)
            drawn_NL = send(rand(inputs_NL[:, told].shape, chance) < self.ways.forgotten, inputs_NL.device)
            inputs_NL = inputs_NL.clone()
            inputs_NL[:, told] = inputs_NL[:, told].masked_fill(drawn_NL & (inputs_NL[:, told] >= FIRST), UNKNOWN)
        return inputs_NL, targets_NL

    def measure(self, trained: nn.Module, examples: Feed | Examples, split: str, precision: Precision) -> dict[str, float]:
        """The task's figures, and chrF from 0 to 100: "validation_chrf"."""
        figures = super().measure(trained, examples, split, precision)
        feed = as_feed(examples, next(trained.parameters()).device)
        count = min(self.ways.written, len(feed)) if split == "validation" else len(feed)
        task = cast(Translation, self.task)
        said: list[str] = []
        wanted: list[str] = []
        with torch.inference_mode(), autocast(next(trained.parameters()).device, precision):
            for inputs_NL, targets_NL in feed.batches(torch.split(torch.arange(count), TOGETHER)):
                said += self._write(trained, inputs_NL)
                wanted += task.read(targets_NL[:, task.place :].masked_fill(targets_NL[:, task.place :] == IGNORED, PADDING))
        return figures | {f"{split}_chrf": chrf(said, wanted)}

    def _write(self, trained: nn.Module, inputs_NL: Tensor) -> list[str]:
        task = cast(Translation, self.task)
        if not self.ways.samples:
            return task.read(write(trained, inputs_NL, task.place))
        chance = torch.Generator().manual_seed(0)
        drawn = [task.read(write(trained, inputs_NL, task.place, chance)) for _ in range(self.ways.samples)]
        return [agreed(texts) for texts in zip(*drawn, strict=True)]


class TranslationProtocol(Protocol):
    """Supervised learning of translations; what `protocol_options` may say is in `Ways`."""

    hardened: ClassVar[bool] = False
    options: ClassVar[Collection[str]] = tuple(one.name for one in fields(Ways))

    def __init__(self, setup: Setup) -> None:
        if not isinstance(setup.task, Translation):
            raise BenchmarkError(
                f"The protocol 'translation' is for tasks of the kind Translation, got {type(setup.task).__name__}."
            )
        super().__init__(setup)
        self.ways = Ways(**setup.benchmark.protocol_options)

    @classmethod
    def check(cls, benchmark: Benchmark) -> None:
        """Read the options."""
        Ways(**benchmark.protocol_options)

    def method(self) -> Method:
        """That of the only stage."""
        assert isinstance(self.setup.task, Translation)  # noqa: S101 - checked above
        return Translating(self.setup.task, self.setup.benchmark.recipe, self.ways)


def write(network: nn.Module, inputs_NL: Tensor, place: int, chance: torch.Generator | None = None) -> Tensor:
    """What the network says after each source, (N, L − place), the likeliest token at each position (greedy decoding).

    With `chance`, a generator on the CPU, each token is drawn as likely as the network has it. It is given what it wrote, and
    sees nothing of the target. A row that has an END is not looked at again.
    """
    written_NL = inputs_NL.clone()
    written_NL[:, place + 1 :] = PADDING
    length = inputs_NL.shape[1]
    said_NL = torch.full_like(written_NL[:, place:], PADDING)
    going_N = torch.arange(len(inputs_NL), device=inputs_NL.device)
    for position in range(place, length):
        logits_NV = network(written_NL[going_N])[:, position]
        logits_NV[:, [PADDING, BEGIN]] = -torch.inf
        next_N = logits_NV.argmax(1) if chance is None else _draw(logits_NV, chance)
        said_NL[going_N, position - place] = next_N
        if position + 1 < length:
            written_NL[going_N, position + 1] = next_N
        going_N = going_N[next_N != END]
        if not len(going_N):
            break
    return said_NL


def _draw(logits_NV: Tensor, chance: torch.Generator) -> Tensor:
    """A token of each row, of those that are not unlikely, the likeliest always among them (Hewitt et al. 2022, arXiv:2210.15191,
    sec. 4.1).
    """
    shares_NV = logits_NV.float().softmax(1).cpu()
    most_N1 = shares_NV.amax(1, keepdim=True)
    shares_NV = shares_NV.masked_fill((shares_NV < UNLIKELY) & (shares_NV < most_N1), 0)
    return torch.multinomial(shares_NV, 1, generator=chance).squeeze(1).to(logits_NV.device)


def agreed(texts: Sequence[str]) -> str:
    """Of texts that a network wrote of one source, the one whose chrF is best in the mean, by what all of them have in common.

    So the risk is least that it is far from what is wanted (Kumar & Byrne 2004, NAACL); the others count together, by the n-grams
    that they have in the mean (DeNero et al. 2009, ACL). Of equals the first.
    """
    counts = {text: [_grams(text, order) for order in _ALL_ORDERS] for text in texts}
    means = []
    for place in range(ORDERS):
        mean: dict[str, float] = {}
        for text in texts:
            for gram, count in counts[text][place].items():
                mean[gram] = mean.get(gram, 0.0) + count / len(texts)
        means.append(mean)
    return max(counts, key=lambda text: _score([_overlap(*both) for both in zip(counts[text], means, strict=True)]))


def chrf(said: Sequence[str], wanted: Sequence[str]) -> float:
    """Character n-gram F-score of a whole split, from 0 to 100, spaces left out (Popović 2015, WMT, sec. 2).

    As sacrebleu counts: n-grams of all texts together, and the mean over those n of which both sides have any; torchmetrics
    counts the others as 0, so that no short text is ever right.
    """
    overlaps = []
    for order in _ALL_ORDERS:
        told = known = met = 0.0
        for one, other in zip(said, wanted, strict=True):
            ours, theirs = _grams(one, order), _grams(other, order)
            more, all_of, both = _overlap(ours, theirs)
            told += more if theirs else 0
            known += all_of
            met += both
        overlaps.append((told, known, met))
    return 100 * _score(overlaps)


def _overlap(ours: Mapping[str, float], theirs: Mapping[str, float]) -> tuple[float, float, float]:
    """How many n-grams are said, how many are wanted, and how many of these are met."""
    met = sum(min(count, theirs.get(gram, 0)) for gram, count in ours.items())
    return sum(ours.values()), sum(theirs.values()), met


def _score(overlaps: Iterable[tuple[float, float, float]]) -> float:
    """The F-score, from 0 to 1, of the mean precision and recall of all orders that both sides have."""
    shares = [(met / told, met / known) for told, known, met in overlaps if told and known]
    if not any(precision for precision, _ in shares):
        return 0.0
    precision, recall = (float(sum(side)) / len(shares) for side in zip(*shares, strict=True))
    score: float = (1 + BETA**2) * precision * recall / (BETA**2 * precision + recall)
    return score


def _grams(text: str, order: int) -> Counter[str]:
    """The runs of `order` characters, spaces left out, and how often each is there."""
    letters = "".join(text.split())
    return Counter(letters[start : start + order] for start in range(len(letters) - order + 1))
