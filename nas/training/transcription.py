"""Sound, or any other sequence, read as text: CTC, which needs no word about where in the sequence a character lies.

Axes: N examples, L positions of the output, K characters of the alphabet and, before them, the blank.
"""

import math
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional

from nas.errors import BenchmarkError, quote
from nas.training.kinds import Loaded
from nas.training.meters import IGNORED, Meter, add_up, full
from nas.training.metrics import choose
from nas.training.task import Examples, Split

if TYPE_CHECKING:
    from torchmetrics.text import CharErrorRate, WordErrorRate

BLANK = 0


@dataclass(frozen=True)
class Transcription(Loaded):
    """The text of each example, by logits (N, L, 1 + characters) and targets (N, L): character and word error rate, CTC loss.

    Class 0 is the blank, class n the alphabet's n-th character. A target is the text's classes, then IGNORED up to L. Words
    stand between spaces.
    """

    alphabet: str = field(kw_only=True)
    """Each character once."""

    def __post_init__(self) -> None:
        if not self.alphabet or len(set(self.alphabet)) < len(self.alphabet):
            raise BenchmarkError(f"An alphabet has each of its characters once, got {quote(self.alphabet)}.")
        self.measured()

    def measured(self) -> tuple[str, ...]:
        """The names of its figures."""
        return choose("Transcription", ("character_error_rate", "word_error_rate", "loss"), (), self.metrics)

    def examples(self, split: Split) -> Examples:
        """The examples of `split`.

        Raises:
            BenchmarkError: a target is no text of the alphabet, or longer than L positions can say.
        """
        examples = super().examples(split)
        self._check(examples.targets, split)
        return examples

    def loss(self, outputs: Tensor, targets: Tensor, smoothing: float) -> Tensor:
        """Mean over texts of −ln of the chance of the text, divided by its characters (Graves et al. 2006, ICML, sec. 4.2).

        Raises:
            BenchmarkError: labels are to be smoothed, of which a position has none.
        """
        if smoothing:
            raise BenchmarkError(
                f"Transcription has no label at a position to smooth, got label_smoothing {smoothing:g}; leave it out."
            )
        return _losses(outputs, targets).mean()

    def meter(self, device: torch.device) -> Meter:  # noqa: ARG002
        """Of logits and targets, the texts being compared on the CPU."""
        return _Spelling(self)

    def read(self, logits_NLK: Tensor) -> list[str]:
        """The texts that the likeliest classes spell: those that repeat the one before are left out, then the blanks.

        Graves et al. 2006, sec. 3.2, best path decoding.
        """
        best_NL = logits_NLK.argmax(-1)
        repeats_NL = functional.pad(best_NL[:, 1:] == best_NL[:, :-1], (1, 0))
        return self.spell(best_NL.masked_fill(repeats_NL, BLANK))

    def spell(self, classes_NL: Tensor) -> list[str]:
        """The characters of each row; blanks and what is IGNORED are none."""
        return ["".join(self.alphabet[one - 1] for one in row if one > BLANK) for row in classes_NL.tolist()]

    def _check(self, targets_NL: Tensor, split: Split) -> None:
        text_NL = targets_NL != IGNORED
        ends = (text_NL[:, :-1] | ~text_NL[:, 1:]).all() if targets_NL.ndim == 2 else torch.tensor(False)
        known = ((targets_NL > BLANK) & (targets_NL <= len(self.alphabet)) | ~text_NL).all()
        if not (ends and known):
            raise BenchmarkError(
                f"A text is classes from 1 to {len(self.alphabet)}, then {IGNORED} up to the output's length; {split} has others."
            )
        doubled_NL = text_NL[:, 1:] & (targets_NL[:, 1:] == targets_NL[:, :-1])
        needed = int((text_NL.sum(1) + doubled_NL.sum(1)).max()) if len(targets_NL) else 0
        if needed > targets_NL.shape[1]:  # a blank stands between equal characters
            raise BenchmarkError(
                f"The output has {targets_NL.shape[1]} positions, and a text of {split} needs {needed}; make it longer."
            )


def _losses(outputs: Tensor, targets: Tensor) -> Tensor:
    """The CTC loss of each text by character, (N,); a text without characters counts as one of one."""
    chances_LNK = full(outputs).log_softmax(-1).transpose(0, 1)
    lengths_N = (targets != IGNORED).sum(1)
    positions_N = torch.full_like(lengths_N, len(chances_LNK))
    nats_N = functional.ctc_loss(chances_LNK, targets.clamp(min=0), positions_N, lengths_N, blank=BLANK, reduction="none")
    return nats_N / lengths_N.clamp(min=1)


class _Spelling:
    """Error rates by torchmetrics, which compares texts in Python, and the loss."""

    def __init__(self, task: Transcription) -> None:
        self._task = task
        self._losses: list[tuple[Tensor, ...]] = []

    @cached_property
    def _rates(self) -> "tuple[CharErrorRate, WordErrorRate]":
        from torchmetrics.text import CharErrorRate, WordErrorRate

        return CharErrorRate(), WordErrorRate()

    def update(self, outputs: Tensor, targets: Tensor) -> None:
        """Take in a batch."""
        read, said = self._task.read(outputs), self._task.spell(targets)
        for rate in self._rates:
            rate.update(read, said)
        self._losses.append((_losses(outputs, targets).sum(), torch.tensor(len(targets))))

    def compute(self) -> dict[str, float]:
        """All figures of a transcription."""
        loss, count = add_up(self._losses)
        characters, words = (rate.compute().item() for rate in self._rates)
        if not math.isfinite(words):  # there is no word to divide by; where there is one, there are characters too
            raise BenchmarkError("word_error_rate needs a word, no text has one; give the split texts.")
        return {"character_error_rate": characters, "word_error_rate": words, "loss": loss / count}
