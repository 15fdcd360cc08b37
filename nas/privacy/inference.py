"""Was this example among those that the network was trained on? Two who guess, and how well they do.

    the loss of the example: the lower, the likelier (Yeom et al. 2018, arXiv:1709.01604, sec. 3.2)
    LiRA: its loss beside those of shadow networks that were trained with it, and without it (Carlini et al. 2022,
    arXiv:2112.03570, alg. 1)

Axes: N examples, M members, O others, S shadow networks.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from nas.device import Precision
from nas.errors import SearchError
from nas.training import Examples, Task, measure

Numbers = NDArray[np.float64]

RATE = 0.01
"""Of others who are taken for members, at which the share of members that are found is told."""

DRAWS = 1_000
"""Of examples again, for an interval."""

LEAST = 1e-12
"""The smallest loss that counts: float32 tells no smaller ones apart."""


@dataclass(frozen=True, kw_only=True)
class Standing:
    """How well members are told from others, with 95 % intervals over the examples of both."""

    auroc: float
    """The chance that a member is thought likelier than another: 0.5 by guessing, 1 where all are found."""
    auroc_low: float
    auroc_high: float
    found: float | None
    """Share of members that are found where at most RATE of the others are taken for some; None with too few others to tell."""
    found_low: float | None
    found_high: float | None


def losses_of(network: nn.Module, task: Task, examples: Examples, precision: Precision = "float32") -> Numbers:
    """(N,) The loss of each example by itself, without smoothing; the network is in evaluation mode for it, as after training."""
    found: list[float] = []

    def gather(answered: Iterable[tuple[Tensor, Tensor, Tensor]]) -> dict[str, float]:
        found.clear()
        for _, outputs, targets in answered:
            each = (task.loss(outputs[n : n + 1].double(), targets[n : n + 1], 0.0) for n in range(len(targets)))
            found.extend(loss.item() for loss in each)
        return {}

    measure(network, gather, examples, "members", precision)
    return np.array(found)


def signals(losses: Numbers) -> Numbers:
    """φ = log(p / (1 − p)) of the probabilities p that cross-entropies are of; it is nearly normal over networks (Carlini et al.
    2022, sec. IV-C).
    """
    kept = np.maximum(losses, LEAST)
    ratios: Numbers = -kept - np.log(-np.expm1(-kept))
    return ratios


def likelihood_ratios(target_N: Numbers, shadows_SN: Numbers, inside_SN: NDArray[np.bool_]) -> Numbers:
    """log of how much likelier each example's signal is of a network that was trained with it than of one that was not.

    Both are normal, around the mean over the example's own shadow networks, with deviations that all examples share, since there
    are few networks to tell each example's own (Carlini et al. 2022, sec. VI-C).

    Raises:
        SearchError: an example has fewer than two networks of a kind.
    """
    densities = []
    for chosen_SN in (inside_SN, ~inside_SN):
        count_N = chosen_SN.sum(0)
        if count_N.min() < 2:
            raise SearchError(
                f"Each example is in two shadow networks and out of two at least, got {int(count_N.min())}; ask for more."
            )
        mean_N = np.where(chosen_SN, shadows_SN, 0).sum(0) / count_N
        left_SN = np.where(chosen_SN, shadows_SN - mean_N, 0)
        variance = max(float((left_SN**2).sum() / (count_N - 1).sum()), LEAST)
        densities.append(-((target_N - mean_N) ** 2) / (2 * variance) - 0.5 * np.log(variance))
    ratios: Numbers = densities[0] - densities[1]
    return ratios


def standing(members_M: Numbers, others_O: Numbers, seed: int = 0) -> Standing:
    """How well a score, larger for whoever is thought a member, tells members from others."""
    rng = np.random.default_rng(seed)
    drawn = [
        (members_M[rng.integers(len(members_M), size=len(members_M))], others_O[rng.integers(len(others_O), size=len(others_O))])
        for _ in range(DRAWS)
    ]
    auroc_low, auroc_high = _percentiles(drawn, area)
    enough = len(others_O) * RATE >= 1
    found_low, found_high = _percentiles(drawn, share_found) if enough else (None, None)
    return Standing(
        auroc=area(members_M, others_O),
        auroc_low=auroc_low,
        auroc_high=auroc_high,
        found=share_found(members_M, others_O) if enough else None,
        found_low=found_low,
        found_high=found_high,
    )


def area(members_M: Numbers, others_O: Numbers) -> float:
    """The chance that a member's score is above another's; half of it where they are equal (Mann & Whitney 1947)."""
    ordered = np.sort(others_O)
    below = np.searchsorted(ordered, members_M, side="left") + np.searchsorted(ordered, members_M, side="right")
    return float(below.mean() / (2 * len(others_O)))


def share_found(members_M: Numbers, others_O: Numbers) -> float:
    """The share of members above the score that at most RATE of the others are above."""
    bound = np.sort(others_O)[::-1][int(RATE * len(others_O))]
    return float((members_M > bound).mean())


def _percentiles(drawn: list[tuple[Numbers, Numbers]], of: Callable[[Numbers, Numbers], float]) -> tuple[float, float]:
    low, high = np.quantile([of(*pair) for pair in drawn], [0.025, 0.975])
    return float(low), float(high)
