import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from nas.errors import BenchmarkError
from nas.training import IGNORED, Classification, Examples, FewLabels, NextToken, Regression, Split, Tagging, Task

CPU = torch.device("cpu")


def nothing(split: Split) -> Examples:
    raise NotImplementedError(split)


def measured(task: Task, outputs: Tensor, targets: Tensor) -> dict[str, float]:
    meter = task.meter(CPU)
    meter.update(outputs, targets)
    return meter.compute()


def test_a_split_is_loaded_once_and_only_when_asked_for() -> None:
    loaded: list[Split] = []

    def one(split: Split) -> Examples:
        loaded.append(split)
        return Examples(torch.zeros(1, 1, 1, 1), torch.zeros(1, dtype=torch.int64))

    task = Classification(one)
    assert loaded == []
    assert task.examples("train") is task.examples("train")
    assert loaded == ["train"]


def test_of_few_labels_the_first_are_read_and_the_rest_of_the_examples_are_there_without() -> None:
    task = FewLabels(lambda _: Examples(torch.arange(6.0), torch.arange(6) + 1), labelled=2)
    assert task.examples("train").targets.tolist() == [1, 2]
    assert task.examples("train").inputs.tolist() == [0, 1]
    assert task.examples("validation").targets.tolist() == [1, 2, 3, 4, 5, 6]
    assert task.unlabelled("train").inputs.tolist() == [0, 1, 2, 3, 4, 5]
    assert not task.unlabelled("train").targets.any()


@pytest.mark.parametrize("count", [0, 7])
def test_there_are_no_more_labels_than_examples(count: int) -> None:
    task = FewLabels(lambda _: Examples(torch.zeros(6), torch.zeros(6)), labelled=count)
    with pytest.raises(BenchmarkError, match=rf"^From 1 to 6 training examples have labels, got {count}\.$"):
        task.examples("train")


def test_the_loss_is_cross_entropy_and_label_smoothing_spreads_the_target() -> None:
    """Logits ln 3 and 0 are probabilities 3/4 and 1/4; smoothing by 0.2 asks for 0.9 and 0.1."""
    task = Classification(nothing)
    logits, targets = torch.tensor([[math.log(3), 0.0]]), torch.tensor([0])
    assert task.loss(logits, targets, 0.0).item() == pytest.approx(-math.log(0.75))
    assert task.loss(logits, targets, 0.2).item() == pytest.approx(-0.9 * math.log(0.75) - 0.1 * math.log(0.25))


def test_shares_of_classes_are_learnt_as_the_classes_are() -> None:
    logits, targets = torch.randn(4, 3), torch.tensor([0, 2, 1, 1])
    task = Classification(nothing)
    for smoothing in (0.0, 0.1):
        shares = task.loss(logits, functional.one_hot(targets, 3).float(), smoothing)
        assert shares.item() == pytest.approx(task.loss(logits, targets, smoothing).item(), rel=1e-6)


def test_accuracy_is_the_share_of_right_answers() -> None:
    logits = torch.tensor([[3.0, 0, 0], [0, 3, 0], [0, 3, 0], [0, 0, 3]])
    right, wrong = math.log(1 + 2 * math.exp(-3)), math.log(2 + math.exp(3))
    found = measured(Classification(nothing), logits, torch.tensor([0, 1, 2, 2]))
    assert found == {"accuracy": 0.75, "loss": pytest.approx((3 * right + wrong) / 4)}


def test_a_language_model_is_measured_in_bits_of_its_unit() -> None:
    logits, tokens = torch.zeros(2, 3, 8), torch.zeros(2, 3, dtype=torch.int64)
    assert measured(NextToken(nothing), logits, tokens) == {"bits_per_token": pytest.approx(3.0), "accuracy": 1.0}
    asked = NextToken(nothing, metrics=("perplexity",), unit="byte")
    assert measured(asked, logits, tokens) == {"bits_per_byte": pytest.approx(3), "accuracy": 1, "perplexity": pytest.approx(8)}
    assert asked.loss(logits, tokens, 0.0).item() == pytest.approx(math.log(8))


def test_an_unknown_unit_of_text_is_refused() -> None:
    with pytest.raises(BenchmarkError) as caught:
        NextToken(nothing, unit="letter")
    assert str(caught.value) == "A text's unit is one of token, character, byte, word, got 'letter'."


BY_POSITION = pytest.mark.parametrize("task", [Tagging(nothing), NextToken(nothing)], ids=["Tagging", "NextToken"])


@BY_POSITION
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_the_loss_is_that_of_the_positions_that_count(task: Task, smoothing: float) -> None:
    logits_NLK, tags_NL = torch.randn(3, 4, 5), torch.tensor([[0, 1, IGNORED, 2], [IGNORED] * 4, [3, 4, 0, IGNORED]])
    counted_NL = tags_NL != IGNORED
    expected = functional.cross_entropy(logits_NLK[counted_NL], tags_NL[counted_NL], label_smoothing=smoothing)
    assert task.loss(logits_NLK, tags_NL, smoothing).item() == pytest.approx(expected.item(), rel=1e-6)


@BY_POSITION
def test_a_batch_without_a_position_that_counts_is_no_loss_and_no_divergence(task: Task) -> None:
    logits_NLK = torch.randn(2, 3, 5, requires_grad=True)
    loss = task.loss(logits_NLK, torch.full((2, 3), IGNORED), 0.0)
    loss.backward()
    assert loss.item() == 0
    assert logits_NLK.grad is not None
    assert not logits_NLK.grad.any()


def test_the_loss_of_numbers_is_the_mean_square_and_their_figure_its_root() -> None:
    task = Regression(nothing)
    outputs, targets = torch.tensor([[1.0, 2.0], [3.0, 4.0]]), torch.tensor([[1.0, 0.0], [3.0, 0.0]])
    assert task.loss(outputs, targets, 0.0).item() == 5
    assert measured(task, outputs, targets) == {"rmse": pytest.approx(math.sqrt(5))}


def test_numbers_have_no_labels_to_smooth() -> None:
    with pytest.raises(BenchmarkError) as caught:
        Regression(nothing).loss(torch.zeros(1, 1), torch.zeros(1, 1), 0.1)
    assert str(caught.value) == "Regression has no labels to smooth, got label_smoothing 0.1; leave it out."


def learnt(task: Task, model: nn.Module, inputs: Tensor, targets: Tensor, steps: int = 150) -> dict[str, Any]:
    """The figures of `model` after so many steps on all examples."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.05)
    for _ in range(steps):
        optimizer.zero_grad()
        task.loss(model(inputs), targets, 0.0).backward()
        optimizer.step()
    return measured(task, model(inputs).detach(), targets)


def test_numbers_are_learnt() -> None:
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(60, 3, generator=generator)
    targets = inputs @ torch.randn(3, 2, generator=generator) + 1
    figures = learnt(Regression(nothing, metrics=("mae", "r2")), nn.Linear(3, 2), inputs, targets)
    assert figures["r2"] > 0.99
    assert figures["mae"] < figures["rmse"] < 0.1


def test_tags_are_learnt() -> None:
    """A token's tag is its third; every fifth position is padding, whose tag nobody knows."""
    tokens_NL = torch.randint(9, (20, 10), generator=torch.Generator().manual_seed(0))
    tags_NL = tokens_NL % 3
    tags_NL[:, ::5] = IGNORED
    model = nn.Sequential(nn.Embedding(9, 8), nn.Linear(8, 3))
    assert learnt(Tagging(nothing, metrics=("f1",)), model, tokens_NL, tags_NL)["f1"] == 1
