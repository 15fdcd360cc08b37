"""Whether differences between strategies are more than chance: tests over blocks, and the diagram of critical differences.

Demšar (2006), with Wilcoxon's test for pairs and Holm's correction in place of Nemenyi's test, as Benavoli et al. (2016) advise:
what is said of a pair then does not hang on which others are compared.
"""

import itertools
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING

import numpy as np

from nas.comparing.expectation import Floats

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ALPHA = 0.05
"""Differences less probable than this by chance are told."""

HINT = "pip install 'nas-harness[compare]' brings the tests"


def available() -> bool:
    """Whether the packages are installed that test and draw."""
    return find_spec("scikit_posthocs") is not None


@dataclass(frozen=True)
class Significance:
    """What the tests say of strategies over the same blocks."""

    names: tuple[str, ...]
    ranks: tuple[float, ...]
    """Mean rank of each, 1 the best."""
    friedman: float | None
    """The probability by chance that the ranks differ so much (Friedman 1937); None for fewer than three strategies."""
    pairs: tuple[tuple[float, ...], ...]
    """The probability by chance that two differ so much (Wilcoxon 1945), corrected for the number of pairs (Holm 1979)."""

    @property
    def first(self) -> str:
        """The best by mean rank; of equals the first."""
        return self.names[int(np.argmin(self.ranks))]

    def p(self, one: str, other: str) -> float:
        """The probability of the two."""
        return self.pairs[self.names.index(one)][self.names.index(other)]

    def beside(self, name: str) -> list[str]:
        """The others that cannot be told apart from `name`, best first."""
        others = [(rank, other) for other, rank in zip(self.names, self.ranks, strict=True) if other != name]
        return [other for _, other in sorted(others) if self.p(name, other) > ALPHA]


def significance(blocks: Floats, names: Sequence[str]) -> Significance:
    """The tests over `blocks` (blocks, strategies), in each of which less is better."""
    from scipy.stats import rankdata

    ranks = rankdata(blocks, axis=1).mean(axis=0)
    return Significance(tuple(names), tuple(float(rank) for rank in ranks), _friedman(blocks), _pairs(blocks))


def _friedman(blocks: Floats) -> float | None:
    from scipy.stats import friedmanchisquare

    if blocks.shape[1] < 3:
        return None
    if (blocks == blocks[:, :1]).all():
        return 1.0
    return float(friedmanchisquare(*blocks.T).pvalue)


def _pairs(blocks: Floats) -> tuple[tuple[float, ...], ...]:
    """Each pair's probability, corrected by Holm: the least times all pairs, the next times one less, and never below it."""
    count = blocks.shape[1]
    found = np.ones((count, count))
    alone = {pair: _wilcoxon(blocks[:, pair[0]] - blocks[:, pair[1]]) for pair in itertools.combinations(range(count), 2)}
    highest = 0.0
    for place, (pair, p) in enumerate(sorted(alone.items(), key=lambda item: item[1])):
        highest = max(highest, min(1.0, p * (len(alone) - place)))
        found[pair] = found[pair[::-1]] = highest
    return tuple(tuple(float(p) for p in row) for row in found)


def _wilcoxon(differences: Floats) -> float:
    """The probability by chance of differences so far from being symmetrical about 0, which themselves tell nothing."""
    from scipy.stats import wilcoxon

    left = differences[differences != 0]
    if not len(left):
        return 1.0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a word about small samples, which the probability tells as well
        return float(wilcoxon(left).pvalue)


def draw_diagram(found: Significance, axes: "Axes", *, ink: str) -> None:
    """Draw the critical-difference diagram: strategies by mean rank, and a bar over those that cannot be told apart."""
    import pandas as pd
    from scikit_posthocs import critical_difference_diagram

    names = list(found.names)
    ranks = pd.Series(found.ranks, index=names)
    pairs = pd.DataFrame(found.pairs, index=names, columns=names)
    critical_difference_diagram(
        ranks,
        pairs,
        ax=axes,
        alpha=ALPHA,
        label_fmt_left="{label} ({rank:.2f})",
        label_fmt_right="({rank:.2f}) {label}",
        marker_props={"s": 18},
        elbow_props={"color": ink, "linewidth": 1},
        crossbar_props={"color": ink, "linewidth": 3},
        text_h_margin=0.02,
    )
