import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from sklearn.metrics import ndcg_score

from benchmarks.movielens import BENCHMARK
from nas.benchmark import Features, Recipe, Signature, Tokens
from nas.models import build, plan
from nas.protocols.recommendation import Recommendation, Recommending, mean_gain
from nas.space import Architecture
from nas.training import Checkpoints, Examples, Loop, Regression, Setup, Split, stages_of, train
from search_spaces.recommender import SPACE

torch.set_num_threads(1)

SIGNATURE = Signature(Tokens(2, 15), Features(1))
ARCHITECTURE = SPACE.walk(lambda name, domain: {"opinion.taste.meeting": "both", "dropout": 0.2}.get(name, next(iter(domain))))


def ratings(split: Split) -> Examples:
    """Of 6 users and 8 films: what a product of two hidden numbers says, in a half each."""
    generator = torch.Generator().manual_seed(0)
    hidden_V = torch.randn(15, generator=generator)
    pairs_N2 = torch.cartesian_prod(torch.arange(1, 7), torch.arange(7, 15))
    pairs_N2 = pairs_N2[torch.randperm(len(pairs_N2), generator=generator)]
    picked_N2 = {"train": pairs_N2[:24], "validation": pairs_N2[24:36], "test": pairs_N2[36:]}[split]
    return Examples(picked_N2, hidden_V[picked_N2].prod(1, keepdim=True))


def setup(**recipe: float) -> Setup:
    task = Regression(ratings)
    benchmark = replace(BENCHMARK, signature=SIGNATURE, recipe=Recipe(batch_size=5, learning_rate=0.05, **recipe))
    parts = plan(SPACE, ARCHITECTURE, SIGNATURE)
    return Setup(
        benchmark=benchmark, task=task, parts=parts, feed=task.examples, budget=replace(BENCHMARK.budget, epochs=4), seed=3
    )


def learn(network: torch.nn.Module, begin=lambda _: None, on_step=lambda _: None):
    (stage,) = stages_of(Recommendation(setup()), network)
    return train(
        network, stage.method, stage.training, stage.validation, budget=stage.budget, seed=3, begin=begin, on_step=on_step
    )


def built(architecture: Architecture = ARCHITECTURE, seed: int = 0) -> torch.nn.Module:
    return build(SPACE, architecture, SIGNATURE, seed=seed)


def test_a_training_tells_ratings_and_lists_each_epoch() -> None:
    found = learn(built())
    assert [set(point.figures) for point in found.curve] == [{"validation_rmse", "validation_ndcg_at_10"}] * 4
    assert found.figures["validation_rmse"] < found.curve[0].figures["validation_rmse"]
    assert 0 < found.figures["validation_ndcg_at_10"] <= 1


class Stopped(Exception):
    pass


def test_a_training_stopped_inside_an_epoch_goes_on_to_the_same_weights(tmp_path: Path) -> None:
    whole, other = built(), built(seed=7)
    learn(whole)
    kept = Checkpoints(tmp_path, 0)

    def on_step(loop: Loop) -> None:
        kept.on_step(loop)
        if loop.at.step == 7:  # five steps an epoch
            raise Stopped

    with pytest.raises(Stopped):
        learn(built(), kept.begin, on_step)
    learn(other, Checkpoints(tmp_path, 1e9).begin)
    assert all(torch.equal(one, two) for one, two in zip(whole.parameters(), other.parameters(), strict=True))


def test_figures_are_those_of_the_network_at_rest_whatever_the_batches() -> None:
    network = built()
    method = Recommending(Regression(ratings), Recipe(batch_size=5, learning_rate=0.1))
    examples = ratings("test")
    found = method.measure(network, examples, "test", "float32")
    with torch.no_grad():
        scores_N = network.eval()(examples.inputs)[:, 0]
    assert found["test_ndcg_at_10"] == mean_gain(examples.inputs[:, 0], scores_N.double(), examples.targets[:, 0].double())


@pytest.mark.parametrize("places", [1, 3, 10])
def test_the_gain_is_scikit_learns_user_by_user(places: int) -> None:
    generator = torch.Generator().manual_seed(places)
    users_N = torch.randint(7, (90,), generator=generator)
    stars_N = torch.randint(1, 6, (90,), generator=generator).double() - 3.5
    scores_N = torch.randn(90, generator=generator).double()
    stars_N[0] = -2.5  # so that the lowest is there
    gains_N = (2 ** (stars_N + 2.5) - 1).numpy()
    expected = [
        ndcg_score(gains_N[None, users_N == user], scores_N[None, users_N == user].numpy(), k=places)
        for user in users_N.unique()
        if gains_N[users_N == user].any()
    ]
    assert mean_gain(users_N, scores_N, stars_N, places) == pytest.approx(sum(expected) / len(expected))


def test_the_gain_by_hand() -> None:
    """Ratings 3, 1, 2 above a lowest of 0 are gains 7, 1 and 3; put in the order 1, 3, 2 where 3, 2, 1 would be best."""
    ratings_N, scores_N = torch.tensor([3.0, 1.0, 2.0, 0.0]), torch.tensor([0.5, 0.9, 0.1, 0.0])
    users_N = torch.tensor([4, 4, 4, 9])  # the other user's only item has the lowest rating, and no list is better than another
    found, best = 1 + 7 / math.log2(3) + 3 / 2, 7 + 3 / math.log2(3) + 1 / 2
    assert mean_gain(users_N, scores_N, ratings_N) == pytest.approx(found / best)


def test_scores_that_are_no_numbers_and_lists_that_are_all_alike_have_no_gain() -> None:
    users_N, alike_N = torch.tensor([1, 1]), torch.ones(2)
    assert math.isnan(mean_gain(users_N, torch.tensor([0.0, math.nan]), torch.tensor([1.0, 2.0])))
    assert math.isnan(mean_gain(users_N, torch.tensor([0.0, 1.0]), alike_N))
