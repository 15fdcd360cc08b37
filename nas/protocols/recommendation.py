"""Recommendation: a network learns how each user rates items, and is measured by how well it puts each user's items in order.

An example is a user and an item, two tokens, and its target a rating. Learning is supervised; what is added is a figure, for a
task's meter sees ratings and not whose they are.

Axes: N examples, U users, K places of a list.
"""

import math
from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor, nn

from nas.device import Precision, autocast
from nas.training import Examples, Feed, Method, Protocol, as_feed
from nas.training.validating import BATCH

PLACES = 10


class Recommending(Method):
    """Supervised learning that also measures lists."""

    def measure(self, trained: nn.Module, examples: Feed | Examples, split: str, precision: Precision) -> dict[str, float]:
        """The task's figures, and the mean over users of the gain of their lists: "validation_ndcg_at_10"."""
        figures = super().measure(trained, examples, split, precision)
        device = next(trained.parameters()).device
        feed = as_feed(examples, device)
        users, scores, ratings = [], [], []
        with torch.inference_mode(), autocast(device, precision):
            for inputs_N2, targets_N1 in feed.batches(torch.split(torch.arange(len(feed)), BATCH)):
                users.append(inputs_N2[:, 0].cpu())
                scores.append(trained(inputs_N2)[:, 0].double().cpu())
                ratings.append(targets_N1[:, 0].double().cpu())
        gain = mean_gain(torch.cat(users), torch.cat(scores), torch.cat(ratings))
        return figures | {f"{split}_ndcg_at_{PLACES}": gain}


class Recommendation(Protocol):
    """Supervised learning of ratings, measured by lists too."""

    hardened: ClassVar[bool] = False

    def method(self) -> Method:
        """That of the only stage."""
        setup = self.setup
        return Recommending(setup.task, setup.benchmark.recipe, setup.benchmark.signature.output.axes[-1])


def mean_gain(users_N: Tensor, scores_N: Tensor, ratings_N: Tensor, places: int = PLACES) -> float:
    """Normalised discounted cumulative gain of the first `places` of each user's items by score, the mean over users.

    The gain of an item is 2^r − 1 and its discount log2 of its place + 1 (Burges et al. 2005, ICML, sec. 6), r being its rating
    above the lowest of all. Only items that the user has rated in this split are in the list. Of equal scores the one that comes
    first in the data stands first. A user whose items all have the lowest rating has no list that is better than another, and is
    left out; NaN where a score is not finite, or no user is left.
    """
    if not scores_N.isfinite().all():
        return math.nan
    gains_N = 2 ** (ratings_N - ratings_N.min()) - 1
    by_score, by_gain = (_discounted(users_N, order_N, gains_N, places) for order_N in (scores_N, gains_N))
    found = [value / by_gain[user] for user, value in by_score.items() if by_gain[user]]
    return math.fsum(found) / len(found) if found else math.nan


def _discounted(users_N: Tensor, order_N: Tensor, gains_N: Tensor, places: int) -> Mapping[int, float]:
    """User → the discounted gain of the first `places` of its items, the largest of `order_N` first."""
    best_first_N = order_N.argsort(descending=True, stable=True)
    by_user_N = best_first_N[users_N[best_first_N].argsort(stable=True)]
    known_U, counts_U = users_N[by_user_N].unique_consecutive(return_counts=True)  # type: ignore[no-untyped-call]
    places_N = torch.cat([torch.arange(int(count)) for count in counts_U])
    worth_N = torch.where(places_N < places, gains_N[by_user_N] / (places_N + 2.0).log2(), 0)
    totals_U = [part.sum().item() for part in torch.split(worth_N, counts_U.tolist())]
    return dict(zip(known_U.tolist(), totals_U, strict=True))
