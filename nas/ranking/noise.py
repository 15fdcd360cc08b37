"""How far one training of an architecture differs from the next by chance, and what that leaves open about rows of a table.

Axes: R rows, N trainings (of all rows, one after another), P pairs of rows, H hyperparameters, D draws. Less is better.

Each row has its own variance between seeds, and all of them come from one distribution, a scaled inverse chi-square with
`prior` degrees of freedom around `square` (Smyth 2004, doi:10.2202/1544-6115.1027, sec. 3). Both hyperparameters are averaged
over a grid by how well they explain the rows, where Smyth puts in one estimate, which three rows with two trainings each cannot
give. With equal variances this is the classical pooled variance. Trainings are taken to be independent and about normal: of the
best hundred of `results/tables/` no seed does anything to all rows alike.

A figure such as an accuracy moves in steps, so that equal trainings do not show that there is no noise: no variance is believed
to be smaller than that of rounding to the smallest step that the table shows (step²/12).
"""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import gammaln, stdtr

Floats = npt.NDArray[np.float64]

PRIORS = (2.0, 4.0, 8.0, 16.0, 64.0)
"""Degrees of freedom of the distribution of variances, equally probable before; few where rows differ much in theirs."""

RATIOS = np.geomspace(0.05, 50, 24)
"""How far true means are apart, as a multiple of the deviation of one training."""

NEGLIGIBLE = 1e-6
"""Hyperparameters that explain the rows less than this as well as the best do are left out."""

TAILS = 3
"""Degrees of freedom of how true means are spread: few, since finalists may have an outlier among them."""

DRAWS = 8192

LEAST_EFFECTIVE = 400
"""Draws that those weighed by importance must be worth (Kong's effective sample size); else Gibbs sampling takes their place."""

MOST_WEIGHED = 40
"""Rows of which draws are weighed at all: with so many the weights have collapsed."""

CHAINS = 512

WARM_UP = 60
"""Sweeps of each chain before any is kept."""

PAIRS_IN_ALL = 20_000_000
"""Draws of pairs after which a test ends, if each pair has FEWEST_DRAWS."""

FEWEST_DRAWS = 2000
"""Of each pair: a probability of 5 % is then known to half a point."""

PAIRS_AT_ONCE = 4_000_000
"""Numbers that are held for pairs of rows: 32 MB."""

ROUNDING = 1e-7
"""Differences below this share of the largest value are those of numbers in 32 bits."""


@dataclass(frozen=True)
class Spread:
    """What is known of each row's variance between trainings."""

    weight_H: Floats
    prior_H: Floats
    square_H: Floats
    squares_R: Floats
    """Sum of squared residuals of each row."""
    freedom_R: Floats
    """Its degrees of freedom."""

    @property
    def scales(self) -> Floats:
        """(R, H): the moderated variance of each row, were the hyperparameters known."""
        known_RH = self.prior_H * self.square_H + self.squares_R[:, None]
        return np.asarray(known_RH / (self.prior_H + self.freedom_R[:, None]))

    @property
    def typical(self) -> Floats:
        """(R,): one variance for each row, to weigh rows by."""
        with np.errstate(divide="ignore"):
            return np.asarray(1 / (self.weight_H / self.scales).sum(axis=1))

    def draw(self, rng: np.random.Generator, count: int | None = None) -> Floats:
        """(D, R): variances as they may be; DRAWS unless another `count` is given."""
        return self.draw_of(self.draw_cells(rng, DRAWS if count is None else count), rng)

    def draw_cells(self, rng: np.random.Generator, count: int) -> npt.NDArray[np.int64]:
        """(D,): hyperparameters as they may be."""
        return np.asarray(rng.choice(len(self.weight_H), size=count, p=self.weight_H))

    def draw_of(self, cell_D: npt.NDArray[np.int64], rng: np.random.Generator) -> Floats:
        """(D, R): variances as they may be, were the hyperparameters known."""
        freedom_DR = self.prior_H[cell_D, None] + self.freedom_R
        return np.asarray(self.scales.T[cell_D] * freedom_DR / rng.chisquare(freedom_DR))


def spread(squares_R: Floats, freedom_R: Floats, floor: float) -> Spread | None:
    """What sums of squared residuals say of variances, none of which is believed to lie far below `floor`.

    None where no row has two trainings.
    """
    if freedom_R.sum() < 1 - 1e-9:
        return None
    found = squares_R[freedom_R > 0] / freedom_R[freedom_R > 0]
    found = np.append(found[found > 0], floor) if floor > 0 else found[found > 0]
    if not len(found):  # all trainings of a row are equal, and so are all rows
        return Spread(np.ones(1), np.ones(1), np.zeros(1), squares_R, freedom_R)
    low, high = max(floor, found.min() * np.exp(-7)), found.max() * np.exp(14)
    square, prior = np.meshgrid(np.exp(np.arange(np.log(low), np.log(high), 0.5)), PRIORS)
    square_H, prior_H = square.ravel(), prior.ravel()
    told = freedom_R > 0
    half_RH = (prior_H + freedom_R[told, None]) / 2
    log_RH = (
        gammaln(half_RH)
        - gammaln(prior_H / 2)
        + prior_H / 2 * np.log(prior_H * square_H)
        - half_RH * np.log(prior_H * square_H + squares_R[told, None])
    )
    log_H = log_RH.sum(axis=0)
    weight_H = np.exp(log_H - log_H.max())
    kept_H = weight_H > NEGLIGIBLE
    return Spread(weight_H[kept_H] / weight_H[kept_H].sum(), prior_H[kept_H], square_H[kept_H], squares_R, freedom_R)


@dataclass(frozen=True)
class Trainings:
    """All trainings of a table's rows, by one figure."""

    value_N: Floats
    row_N: npt.NDArray[np.int64]
    seed_N: npt.NDArray[np.int64]

    @classmethod
    def of(cls, rows: Sequence[Mapping[int, float]]) -> "Trainings":
        """Each row's values by seed; each row has one at least."""
        cells = [(value, n, seed) for n, row in enumerate(rows) for seed, value in row.items()]
        value, row, seed = zip(*cells, strict=True)
        return cls(np.array(value, dtype=float), np.array(row), np.array(seed))

    @property
    def counts(self) -> npt.NDArray[np.int64]:
        """(R,): trainings of each row."""
        return np.bincount(self.row_N)

    @property
    def means(self) -> Floats:
        """(R,): the mean of each row."""
        return np.asarray(np.bincount(self.row_N, self.value_N) / self.counts)

    @property
    def floor(self) -> float:
        """The variance of rounding to the smallest step between two values; 0 where all are equal."""
        steps = np.diff(np.sort(self.value_N))
        steps = steps[steps > ROUNDING * np.abs(self.value_N).max()]
        return float(steps.min() ** 2 / 12) if len(steps) else 0.0

    def spread(self) -> Spread | None:
        """Of trainings around the mean of their row."""
        residual_N = self.value_N - self.means[self.row_N]
        squares_R = np.bincount(self.row_N, residual_N**2).astype(float)
        return spread(squares_R, self.counts.astype(float) - 1, self.floor)

    @property
    def are_paired(self) -> bool:
        """Whether every two rows are compared by seeds that they share, or that others share with both."""
        reached, left = {self.row_N[0]}, set(self.row_N.tolist())
        while new := {*self.row_N[np.isin(self.seed_N, self.seed_N[np.isin(self.row_N, [*reached])])].tolist()} - reached:
            reached |= new
        return reached >= left


def half_widths(trainings: Trainings, known: Spread, level: float = 0.95) -> Floats:
    """(R,): how far the `level` interval of each row's true mean reaches to either side of its mean.

    A mixture of Student's t over the hyperparameters; one interval at a time, not all of them together.
    """
    deviation_RH = np.sqrt(known.scales / trainings.counts[:, None])
    freedom_RH = known.prior_H + known.freedom_R[:, None]
    low_R, high_R = np.zeros(len(deviation_RH)), deviation_RH.max(axis=1) * 1e3
    if not high_R.any():
        return np.asarray(high_R)
    for _ in range(60):
        middle_R = (low_R + high_R) / 2
        inside_R = (known.weight_H * stdtr(freedom_RH, middle_R[:, None] / deviation_RH)).sum(axis=1)
        wide_R = inside_R > (1 + level) / 2
        low_R, high_R = np.where(wide_R, low_R, middle_R), np.where(wide_R, middle_R, high_R)
    return np.asarray(high_R)


def pair_values(trainings: Trainings, rng: np.random.Generator) -> Floats:
    """(R, R): the probability by chance that two rows differ by so much, corrected for the number of pairs.

    Pairs are by seed: rows and seeds have additive effects, fitted by least squares, so that what a seed does to all rows alike
    does not count, and a seed that only some rows have counts for these. The correction is step-down by the largest of the
    statistics that are left (Romano & Wolf 2005, doi:10.1198/016214504000000539), as the noise, drawn anew from what is known of
    it, would give them: like Holm's it keeps the probability of any false difference, and since it knows that pairs have rows in
    common, a smaller difference is enough. Where not all rows are linked by common seeds, trainings are compared without pairs.
    """
    row_NR = np.eye(len(trainings.counts))[trainings.row_N]
    design = row_NR
    if trainings.are_paired:
        _, seed_N = np.unique(trainings.seed_N, return_inverse=True)
        design = np.hstack([row_NR, np.eye(seed_N.max() + 1)[seed_N][:, 1:]])
    solution = np.linalg.pinv(design)
    left_NN = np.eye(len(design)) - design @ solution
    squares_R, freedom_R = (left_NN @ trainings.value_N) ** 2 @ row_NR, np.diag(left_NN) @ row_NR
    known = spread(squares_R, np.where(freedom_R > 1e-9, freedom_R, 0.0), trainings.floor)
    weights_RN = solution[: row_NR.shape[1]]
    found = np.ones((len(weights_RN),) * 2)
    if known is None:
        return found
    one_P, other_P = np.array([*itertools.combinations(range(len(weights_RN)), 2)]).reshape(-1, 2).T
    contrast_PN = weights_RN[one_P] - weights_RN[other_P]
    error_P = np.sqrt(contrast_PN**2 @ known.typical[trainings.row_N])
    distance_P = np.abs(contrast_PN @ trainings.value_N)
    distance_P[distance_P < ROUNDING * np.abs(trainings.value_N).max()] = 0.0
    with np.errstate(divide="ignore", invalid="ignore"):
        seen_P = np.where(distance_P > 0, distance_P / error_P, 0.0)
    order_P = np.argsort(seen_P, kind="stable")  # the smallest first
    beyond_P = np.zeros(len(order_P))
    draws = min(DRAWS, max(FEWEST_DRAWS, PAIRS_IN_ALL // max(1, len(order_P))))
    deviation_DR = np.sqrt(known.draw(rng, draws))
    noise_DN = deviation_DR[:, trainings.row_N] * rng.standard_normal((draws, len(trainings.row_N)))
    chance_DR = noise_DN @ weights_RN.T
    at_once = max(1, PAIRS_AT_ONCE // max(1, len(order_P)))
    for begin in range(0, draws, at_once):
        some_DR = chance_DR[begin : begin + at_once]
        with np.errstate(divide="ignore", invalid="ignore"):
            by_chance_DP = np.abs(some_DR[:, one_P] - some_DR[:, other_P]) / error_P
        largest_DP = np.maximum.accumulate(by_chance_DP[:, order_P], axis=1)
        beyond_P += (largest_DP >= seen_P[order_P]).sum(axis=0)
    p_P = np.maximum.accumulate(((beyond_P + 1) / (draws + 1))[::-1])[::-1]  # none below that of a larger difference
    p_P[seen_P[order_P] == 0] = 1.0
    found[one_P[order_P], other_P[order_P]] = found[other_P[order_P], one_P[order_P]] = p_P
    return found


def draw_means(trainings: Trainings, known: Spread, rng: np.random.Generator) -> Floats:
    """(D, R): true means as they may be, given all trainings.

    The true means of a table's rows are taken to lie around a centre of their own, at a distance that is learnt from them too
    (Gelman et al. 2013, Bayesian Data Analysis, sec. 5.4; a half-Cauchy prior of the distance, in deviations of one training,
    sec. 5.7), so that the best of several noisy means, which is so by luck too, is drawn back towards the others; by Student's
    t with TAILS degrees of freedom, so that one that stands out is not (sec. 17.2).
    """
    mean_R = trainings.means
    if not known.scales.any():
        return np.broadcast_to(mean_R, (DRAWS, len(mean_R)))
    found = _weighed(trainings, known, rng) if len(mean_R) <= MOST_WEIGHED else None
    return _by_gibbs(trainings, known, rng) if found is None else found


def _weighed(trainings: Trainings, known: Spread, rng: np.random.Generator) -> Floats | None:
    """(D, R): draws of variances and of tails, weighed by how well they explain the means; None where too few of them do."""
    mean_R, variance_DR = trainings.means, known.draw(rng)
    typical_D = np.exp(np.log(variance_DR).mean(axis=1))
    noise_DR = variance_DR / trainings.counts
    square_DR = typical_D[:, None] * TAILS / rng.chisquare(TAILS, noise_DR.shape)
    log_DT = np.empty((DRAWS, len(RATIOS)))
    for n, ratio in enumerate(RATIOS):
        precision_DR = 1 / (noise_DR + ratio**2 * square_DR)
        total_D = precision_DR.sum(axis=1)
        centre_D = precision_DR @ mean_R / total_D
        misfit_D = (precision_DR * (mean_R - centre_D[:, None]) ** 2).sum(axis=1)
        log_DT[:, n] = _prior(ratio) + (np.log(precision_DR).sum(axis=1) - np.log(total_D) - misfit_D) / 2
    weight_DT = np.exp(log_DT - log_DT.max())
    weight_D = weight_DT.sum(axis=1)
    if weight_D.sum() ** 2 / (weight_D**2).sum() < min(LEAST_EFFECTIVE, DRAWS / 20):
        return None
    picked_D = rng.choice(weight_DT.size, size=DRAWS, p=(weight_DT / weight_DT.sum()).ravel())
    draw_D, ratio_D = np.divmod(picked_D, len(RATIOS))
    apart_DR = RATIOS[ratio_D, None] ** 2 * square_DR[draw_D]
    noise_DR = noise_DR[draw_D]
    precision_DR = 1 / (noise_DR + apart_DR)
    total_D = precision_DR.sum(axis=1)
    centre_D = precision_DR @ mean_R / total_D + rng.standard_normal(DRAWS) / np.sqrt(total_D)
    share_DR = apart_DR * precision_DR
    deviation_DR = np.sqrt(share_DR * noise_DR)
    return np.asarray(share_DR * mean_R + (1 - share_DR) * centre_D[:, None] + deviation_DR * rng.standard_normal(noise_DR.shape))


def _prior(ratio: Any) -> Any:
    """The logarithm of the half-Cauchy prior of a ratio, of equal steps of its logarithm."""
    return np.log(ratio / (1 + ratio**2))


def _by_gibbs(trainings: Trainings, known: Spread, rng: np.random.Generator) -> Floats:
    """(D, R): the same by Gibbs sampling, which is as good for many rows as for few (Gelman et al. 2013, sec. 11.1, 12.1).

    Each of CHAINS chains has hyperparameters of the variances as the trainings around their means tell them; what the distances
    of means add to that is little. In each sweep the ratio, by a Metropolis step, the centre and the true means are drawn
    together given variances and tails, and then these given the true means.
    """
    mean_R, count_R, rows = trainings.means, trainings.counts, len(trainings.counts)
    cell_C = known.draw_cells(rng, CHAINS)
    freedom_CR = known.prior_H[cell_C, None] + known.freedom_R
    squares_CR = known.scales.T[cell_C] * freedom_CR
    variance_CR = known.draw_of(cell_C, rng)
    typical_C = np.exp(np.log(variance_CR).mean(axis=1))[:, None]
    tail_CR = TAILS / rng.chisquare(TAILS, variance_CR.shape)
    step_C = rng.integers(len(RATIOS), size=CHAINS)
    kept: list[Floats] = []

    def weigh(steps_C: npt.NDArray[np.int64]) -> tuple[Floats, Floats, Floats]:
        apart_CR = RATIOS[steps_C, None] ** 2 * typical_C * tail_CR
        precision_CR = 1 / (variance_CR / count_R + apart_CR)
        total_C = precision_CR.sum(axis=1)
        centre_C = precision_CR @ mean_R / total_C
        misfit_C = (precision_CR * (mean_R - centre_C[:, None]) ** 2).sum(axis=1)
        log_C = _prior(RATIOS[steps_C]) + (np.log(precision_CR).sum(axis=1) - np.log(total_C) - misfit_C) / 2
        return np.asarray(log_C), total_C, centre_C

    while len(kept) < WARM_UP + -(-DRAWS // CHAINS):
        log_C, total_C, centre_C = weigh(step_C)
        asked_C = step_C + rng.integers(-4, 5, size=CHAINS)
        inside_C = (asked_C >= 0) & (asked_C < len(RATIOS))
        asked_C = np.where(inside_C, asked_C, step_C)
        other_C, other_total_C, other_centre_C = weigh(asked_C)
        taken_C = np.log(rng.random(CHAINS)) < other_C - log_C
        step_C = np.where(taken_C, asked_C, step_C)
        total_C, centre_C = np.where(taken_C, other_total_C, total_C), np.where(taken_C, other_centre_C, centre_C)
        centre_C1 = (centre_C + rng.standard_normal(CHAINS) / np.sqrt(total_C))[:, None]
        scale_C1 = RATIOS[step_C, None] ** 2 * typical_C
        noise_CR, apart_CR = variance_CR / count_R, scale_C1 * tail_CR
        share_CR = apart_CR / (noise_CR + apart_CR)
        true_CR = share_CR * mean_R + (1 - share_CR) * centre_C1
        true_CR = true_CR + np.sqrt(share_CR * noise_CR) * rng.standard_normal((CHAINS, rows))
        variance_CR = (squares_CR + count_R * (mean_R - true_CR) ** 2) / rng.chisquare(freedom_CR + 1)
        tail_CR = (TAILS + (true_CR - centre_C1) ** 2 / scale_C1) / rng.chisquare(TAILS + 1, (CHAINS, rows))
        kept.append(true_CR)
        if len(kept) <= WARM_UP:
            kept[-1] = true_CR[:0]
    return np.concatenate(kept)[:DRAWS]
