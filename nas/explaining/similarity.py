"""How alike two maps of attributions are.

Axes: H height, W width.
"""

import torch
from scipy import stats
from torch import Tensor
from torch.nn import functional

SIDE = 7
"""Of the window in which structure is compared; smaller where a picture is."""


def rank_correlation(one: Tensor, other: Tensor) -> float:
    """Spearman's, over all places, equal values sharing a rank: 1 where both order places alike, 0 where they have nothing
    to do with each other. Equal maps are alike, even if all their places are; a map of equal places is like no other.
    """
    if torch.equal(one, other):
        return 1.0
    if one.numel() < 2 or one.min() == one.max() or other.min() == other.max():
        return 0.0
    return float(stats.spearmanr(one.flatten().numpy(), other.flatten().numpy()).statistic)


def structural_similarity(one_HW: Tensor, other_HW: Tensor) -> float:
    """Mean SSIM of the sizes of two maps, each scaled to a largest of 1 (Wang et al. 2004, eq. 13, on windows of equal weights):
    1 where they are alike. Signs are left out, so that what is in the picture itself counts most.
    """
    if torch.equal(one_HW, other_HW):
        return 1.0
    one, other = (_scaled(values).unsqueeze(0).unsqueeze(0) for values in (one_HW, other_HW))
    side = min(SIDE, *one_HW.shape)

    def mean(values: Tensor) -> Tensor:
        return functional.avg_pool2d(values, side, stride=1)

    means = mean(one), mean(other)
    variances = mean(one**2) - means[0] ** 2, mean(other**2) - means[1] ** 2
    covariance = mean(one * other) - means[0] * means[1]
    small, smaller = 0.01**2, 0.03**2
    alike = (2 * means[0] * means[1] + small) * (2 * covariance + smaller)
    of = (means[0] ** 2 + means[1] ** 2 + small) * (variances[0] + variances[1] + smaller)
    return float((alike / of).mean())


def _scaled(values: Tensor) -> Tensor:
    sizes = values.abs().double()
    largest = sizes.max()
    return sizes / largest if largest > 0 else sizes
