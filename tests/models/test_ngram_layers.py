"""A bag of n-grams: rows and vectors against slow twins, figures by hand, and what padding must not change."""

from typing import Any

import pytest
import torch
from layer_examples import make, shake
from pydantic import ValidationError
from torch import Tensor

from nas.benchmark import Features, Tokens
from nas.errors import ModelError
from nas.models import Cost
from nas.models.layers.ngrams import BagOfNgrams, NgramBag, hashed_ngrams
from nas.testing import LayerContract, LayerTrial

CLASSES = Features(3)
TEXT = Tokens(6, 20)


class TestNgramBag(LayerContract):
    @pytest.fixture
    def layer(self) -> LayerTrial:
        options: list[dict[str, Any]] = [
            {"features": 3},
            {"features": 2, "shortest": 2, "longest": 3, "buckets": 7, "kind": "mean", "dropout": 0.5},
            {"features": 5, "longest": 1, "buckets": 1},
        ]
        return LayerTrial(kind=NgramBag, options=options, shapes=[TEXT, Tokens(4, 300)])


def bag(**options: Any) -> BagOfNgrams:
    module = make("ngram_bag", features=3, **options).build(TEXT, CLASSES)
    assert isinstance(shake(module), BagOfNgrams)
    return module.eval()


def number(run: tuple[int, ...]) -> int:
    """The hash of a run of tokens, by Horner's rule in Python's integers, which do not overflow."""
    found = run[0]
    for token in run[1:]:
        found = (found * 48_271 + token) % (2**31 - 1)
    return pow(found * 630_360_016, 5, 2**31 - 1)


def runs(text: list[int], shortest: int, longest: int) -> list[tuple[int, ...]]:
    found = (tuple(text[n : n + length]) for length in range(shortest, longest + 1) for n in range(len(text) - length + 1))
    return [run for run in found if 0 not in run]


TEXTS = [[0, 0, 5, 7, 5, 7], [1, 2, 3, 4, 5, 6], [19, 0, 19, 19, 0, 3], [0, 0, 0, 0, 0, 9]]


@pytest.mark.parametrize(("shortest", "longest"), [(1, 1), (1, 4), (2, 3), (6, 6)])
def test_rows_are_those_of_a_slow_twin(shortest: int, longest: int) -> None:
    rows, there = hashed_ngrams(torch.tensor(TEXTS), shortest, longest, 1_000)
    for text, row, is_run in zip(TEXTS, rows, there, strict=True):
        assert row[is_run].tolist() == [number(run) % 1_000 for run in runs(text, shortest, longest)]


@pytest.mark.parametrize(("kind", "power"), [("mean", 1), ("root", 0.5)])
def test_a_text_is_the_sum_of_its_runs_by_their_number_or_its_root(kind: str, power: float) -> None:
    module = bag(kind=kind, shortest=2, longest=3, buckets=50)
    found = module(torch.tensor(TEXTS))
    for text, vector in zip(TEXTS, found, strict=True):
        held = runs(text, 2, 3)
        rows = [number(run) % 50 for run in held]
        expected = module.table.weight[rows].sum(0) / max(1, len(held)) ** power
        assert torch.allclose(vector, expected, atol=1e-6)


def test_hashes_are_spread_evenly_over_rows_and_the_same_on_every_machine() -> None:
    """Of 10,000 pairs of tokens, against what balls thrown into boxes leave empty; and one row written down."""
    first, second = torch.meshgrid(torch.arange(1, 101), torch.arange(1, 101), indexing="ij")
    rows, _ = hashed_ngrams(torch.stack([first.flatten(), second.flatten()], dim=1), 2, 2, 4_096)
    empty = 4_096 - len(rows.unique())
    assert empty / 4_096 == pytest.approx((1 - 1 / 4_096) ** 10_000, abs=0.02)
    assert hashed_ngrams(torch.tensor([[65_535, 1, 2]]), 3, 3, 10**6)[0].tolist() == [[number((65_535, 1, 2)) % 10**6]]
    assert number((65_535, 1, 2)) == 1_114_379_287


def test_padding_never_counts_and_a_text_of_padding_is_nothing() -> None:
    module = bag()
    shorter = make("ngram_bag", features=3).build(Tokens(4, 20), CLASSES).eval()
    shorter.load_state_dict(module.state_dict())
    text = torch.tensor([[3, 1, 2, 3]])
    padded = torch.tensor([[0, 0, 3, 1, 2, 3]])
    assert torch.allclose(module(padded), shorter(text), atol=1e-6)
    assert not module(torch.zeros(2, 6, dtype=torch.int64)).any()


def test_the_order_of_words_is_seen_within_runs_alone() -> None:
    one, other = torch.tensor([[1, 2, 9, 3, 4, 9]]), torch.tensor([[3, 4, 9, 1, 2, 9]])
    letters, pairs = bag(longest=1), bag(longest=2)
    assert torch.allclose(letters(one), letters(other), atol=1e-6)
    assert not torch.allclose(pairs(one), pairs(other))


def test_runs_are_dropped_in_training_and_what_is_left_stands_for_them() -> None:
    module = bag(dropout=0.5, kind="mean").train()
    text = torch.tensor([[1, 2, 3, 4, 5, 6]]).expand(4_000, -1)
    torch.manual_seed(0)
    found = module(text)
    assert len(found.unique(dim=0)) > 1_000
    assert torch.allclose(found.mean(0), module.eval()(text[0:1])[0], atol=0.02)


def test_its_cost_is_that_of_the_table() -> None:
    assert make("ngram_bag", features=8, buckets=100).cost(TEXT, CLASSES) == Cost(params=800)


def test_gradients_reach_the_rows_of_a_text_alone() -> None:
    module = bag(longest=2, buckets=64)
    module(torch.tensor([[0, 0, 0, 0, 5, 6]])).sum().backward()
    gradient = module.table.weight.grad
    assert isinstance(gradient, Tensor)
    assert set(gradient.any(dim=1).nonzero()[:, 0].tolist()) == {number(run) % 64 for run in [(5,), (6,), (5, 6)]}


def test_lengths_that_cannot_be_are_told() -> None:
    with pytest.raises(ValidationError, match=r"shortest must be at most longest \(2\), got 3"):
        make("ngram_bag", features=8, shortest=3, longest=2)
    with pytest.raises(ModelError) as caught:
        make("ngram_bag", features=8, longest=7).output(TEXT, CLASSES)
    assert str(caught.value) == "longest must be at most the length of what comes in (6), got 7."
