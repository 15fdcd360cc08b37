"""How much worse one study is than another by one figure, and what may be said of it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from nas.records import figure_kind

Verdict = Literal["worse", "worse within the tolerance", "better", "equal", "not told apart", "luck not known"]


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One figure of A held against that of B."""

    what: Literal["winner", "pairs"]
    figure: str
    evidence: str
    """What it rests on, in words."""
    a: float
    b: float
    loss: float
    """How much worse B is, as a share of A; below 0 where it is better."""
    low: float | None
    """Lower end of the interval of the loss; None where luck is not known. Equal to `loss` where there is none."""
    high: float | None
    verdict: Verdict
    counts: bool = True
    """Whether a difference decides about the whole."""
    relative: bool = False
    """Whether `a` and `b` are multiples of the reference network's time, which was measured in between."""


@dataclass(frozen=True)
class Left:
    """Something that cannot be compared."""

    what: str
    why: str


@dataclass(frozen=True, kw_only=True)
class Loss:
    """A loss before its interval is made."""

    what: Literal["winner", "pairs"]
    figure: str
    evidence: str
    a: float
    b: float
    mean: float
    """On the scale on which it is spread evenly."""
    error: float | None
    """Standard error of the mean; None where luck is not known, 0 where there is none."""
    freedom: float
    share: Callable[[float], float]
    """From that scale to a share of A."""
    relative: bool = False

    def finding(self, confidence: float, tolerance: float, *, counts: bool) -> Finding:
        """What may be said of it, by the interval of that confidence: Student's t."""
        from scipy.special import stdtrit

        low = high = None
        if self.error is not None:
            width = float(stdtrit(self.freedom, (1 + confidence) / 2)) * self.error if self.error else 0.0
            low, high = (self.share(end) for end in (self.mean - width, self.mean + width))
        loss = self.share(self.mean)
        return Finding(
            what=self.what,
            figure=self.figure,
            evidence=self.evidence,
            a=self.a,
            b=self.b,
            loss=loss,
            low=low,
            high=high,
            verdict=verdict_of(low, high, tolerance),
            counts=counts,
            relative=self.relative,
        )


def verdict_of(low: float | None, high: float | None, tolerance: float) -> Verdict:
    """What the whole interval of a loss says."""
    if low is None or high is None:
        return "luck not known"
    if low == high == 0:
        return "equal"
    if low > tolerance:
        return "worse"
    if low > 0:
        return "worse within the tolerance"
    return "better" if high < 0 else "not told apart"


def share_of(a: float) -> Callable[[float], float]:
    """From a figure's unit to a share of A's; where that is 0, there are no shares, and the unit stays."""
    return lambda loss: loss / abs(a) if a else loss


def smallest_step(values: Sequence[float]) -> float:
    """The smallest step between two of them, since equal trainings do not show that there is no luck; 0 where all are equal."""
    ordered = sorted(values)
    return min((high - low for low, high in pairwise(ordered) if high - low > 1e-7 * abs(high)), default=0.0)


def is_exact(figure: str) -> bool:
    """Whether it follows from the architecture, and luck has no part in it."""
    kind = figure_kind(figure)
    return kind is not None and kind.known in {"reckoned", "counted"}
