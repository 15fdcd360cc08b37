import math
import random

import numpy as np
import pytest
import torch

from nas.errors import BenchmarkError
from nas.protocols.ranks import Ranks


def figures(scores: list[list[float]], right: list[int]) -> dict[str, float]:
    ranks = Ranks()
    ranks.update(torch.tensor(scores), torch.tensor(right))
    return ranks.compute()


def test_ranks_are_those_of_a_sort() -> None:
    draw = random.Random(0)
    scores = [[draw.random() for _ in range(20)] for _ in range(40)]
    right = [draw.randrange(20) for _ in range(40)]
    ranks = [sorted(row, reverse=True).index(row[one]) + 1 for row, one in zip(scores, right, strict=True)]
    found = figures(scores, right)
    assert found["mrr"] == pytest.approx(sum(1 / rank for rank in ranks) / 40)
    for most in (1, 3, 10):
        assert found[f"hits_at_{most}"] == sum(rank <= most for rank in ranks) / 40


def test_of_equal_scores_the_rank_is_the_mean_of_the_best_and_the_worst() -> None:
    found = figures([[1.0, 2.0, 1.0, 1.0, 0.0]], [2])
    assert found == {"mrr": pytest.approx(1 / 3), "hits_at_1": 0, "hits_at_3": 1, "hits_at_10": 1}
    assert figures([[5.0] * 9], [0])["mrr"] == pytest.approx(1 / 5)


def test_what_scores_minus_infinity_does_not_compete() -> None:
    assert figures([[-math.inf, 0.0, 1.0, -math.inf]], [2])["hits_at_1"] == 1


@pytest.mark.parametrize("bad", [math.nan, -math.inf, math.inf])
def test_a_right_answer_without_a_finite_score_gives_no_figure(bad: float) -> None:
    assert all(math.isnan(value) for value in figures([[0.0, bad, 1.0], [0.0, 1.0, 2.0]], [1, 1]).values())


def test_a_score_that_is_no_number_is_no_rank_for_the_others_either() -> None:
    assert all(math.isnan(value) for value in figures([[0.0, 3.0, math.nan]], [1]).values())


def test_nothing_has_no_rank() -> None:
    with pytest.raises(BenchmarkError, match="nothing to rank"):
        Ranks().compute()


def test_figures_are_those_of_pykeen() -> None:
    evaluators = pytest.importorskip("pykeen.evaluation.rank_based_evaluator", reason="pykeen is not installed")
    scores_NE = torch.randint(0, 6, (50, 12), generator=torch.Generator().manual_seed(0)).float()
    right_N = torch.arange(50) % 12
    evaluator = evaluators.RankBasedEvaluator()
    triples_N3 = torch.stack([right_N, torch.zeros_like(right_N), right_N], dim=1)
    evaluator.process_scores_(triples_N3, "tail", scores_NE, true_scores=scores_NE.gather(1, right_N[:, None]))
    twin = evaluator.finalize()
    found = figures(scores_NE.tolist(), right_N.tolist())
    names = {"mrr": "inverse_harmonic_mean_rank", **{f"hits_at_{most}": f"hits_at_{most}" for most in (1, 3, 10)}}
    for mine, theirs in names.items():
        assert np.isclose(found[mine], twin.get_metric(f"tail.realistic.{theirs}"), atol=1e-6)
