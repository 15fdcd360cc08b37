"""Losses of triples, against sums that are written out."""

import math
from typing import Any

import pytest
import torch
from graphs import task
from torch import Tensor, nn
from torch.nn import functional

from nas.protocols.triple_losses import (
    BinaryLoss,
    MarginLoss,
    RelationLoss,
    Sampled,
    SelfAdversarialLoss,
    SoftmaxLoss,
    TripleLoss,
    TriplePenalty,
)
from nas.protocols.triples import Known
from nas.training import Examples

KNOWN = task().known("train", torch.device("cpu"))
EXAMPLES = task().examples("train").first(0.3)


class Table(nn.Module):
    """Scores from a table, of all entities or of those behind the query."""

    def __init__(self) -> None:
        super().__init__()
        self.scores = nn.Parameter(torch.randn(9, 6, 9, generator=torch.Generator().manual_seed(0)))
        self.asked: list[Tensor] = []

    def forward(self, queries_NQ: Tensor) -> Tensor:
        self.asked.append(queries_NQ)
        scores = self.scores[queries_NQ[:, 0], queries_NQ[:, 1]]
        return scores if queries_NQ.shape[1] == 2 else scores.gather(1, queries_NQ[:, 2:])


def loss(asked: TripleLoss, table: Table | None = None) -> Tensor:
    return asked.of(table or Table(), EXAMPLES.inputs, EXAMPLES.targets, KNOWN)


def rows() -> list[tuple[list[float], int, list[int]]]:
    """Scores, right answer and all known answers of each query."""
    scores = Table()(EXAMPLES.inputs).tolist()
    known = [one.nonzero().flatten().tolist() for one in KNOWN.answers(EXAMPLES.inputs)]
    return list(zip(scores, EXAMPLES.targets.tolist(), known, strict=True))


@pytest.mark.parametrize("others", ["compete", "left_out"])
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_softmax_is_over_all_entities_or_all_but_other_known_answers(others: Any, smoothing: float) -> None:
    expected = []
    for scores, right, known in rows():
        heard = [n for n in range(9) if others == "compete" or n == right or n not in known]
        total = math.log(sum(math.exp(scores[n]) for n in heard))
        spread = sum(total - scores[n] for n in heard) / len(heard)
        expected.append((1 - smoothing) * (total - scores[right]) + smoothing * spread)
    found = loss(SoftmaxLoss(smoothing=smoothing, others=others))
    assert found.item() == pytest.approx(sum(expected) / len(expected), rel=1e-5)


@pytest.mark.parametrize("of_each", ["triple", "query"])
def test_the_binary_loss_wants_all_known_answers(of_each: Any) -> None:
    """Every second query has two answers: it counts half where each query counts as one."""
    twice = Examples(EXAMPLES.inputs[::2], (EXAMPLES.targets[::2] + 1) % 9)
    known = Known.of(KNOWN.shape, [EXAMPLES, twice])
    expected, weights = 0.0, 0.0
    for n, scores in enumerate(Table()(EXAMPLES.inputs).tolist()):
        right = known.answers(EXAMPLES.inputs[n : n + 1])[0].tolist()
        assert sum(right) == 2 - n % 2
        weight = 1 / sum(right) if of_each == "query" else 1
        weights += weight
        for score, is_right in zip(scores, right, strict=True):
            wanted = is_right * 0.9 + 0.1 / 9
            share = 1 / (1 + math.exp(-score))
            expected -= weight * (wanted * math.log(share) + (1 - wanted) * math.log(1 - share))
    found = BinaryLoss(smoothing=0.1, of_each=of_each).of(Table(), EXAMPLES.inputs, EXAMPLES.targets, known)
    assert found.item() == pytest.approx(expected / weights, rel=1e-5)


def test_a_loss_of_relations_is_cross_entropy_by_its_weight() -> None:
    scores = [[0.5, -1.0, 2.0], [0.0, 3.0, 1.0]]
    nats = [math.log(sum(map(math.exp, row))) - row[right] for row, right in zip(scores, (2, 0), strict=True)]
    found = RelationLoss(weight=0.3).of(torch.tensor(scores), torch.tensor([2, 0]))
    assert found.item() == pytest.approx(0.3 * sum(nats) / 2)


def sampled(asked: Sampled) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The loss, and the scores of right and drawn answers and which of these are wrong."""
    table = Table()
    torch.manual_seed(3)
    found = loss(asked, table)
    (row,) = table.asked
    assert torch.equal(row[:, 2], EXAMPLES.targets)
    drawn = row[:, 3:]
    wrong = torch.tensor([[n not in known for n in one] for one, (_, _, known) in zip(drawn.tolist(), rows(), strict=True)])
    assert not wrong.all()
    scores = table(row)
    return found, scores[:, 0], scores[:, 1:], wrong


def test_a_margin_is_wanted_of_drawn_answers_that_are_wrong() -> None:
    found, right, drawn, wrong = sampled(MarginLoss(negatives=12, margin=0.5))
    means = [
        sum(
            max(0.0, 0.5 - right[n].item() + score)
            for score, is_wrong in zip(drawn[n].tolist(), wrong[n], strict=True)
            if is_wrong
        )
        / wrong[n].sum().item()
        for n in range(len(right))
    ]
    assert found.item() == pytest.approx(sum(means) / len(means), rel=1e-5)


@pytest.mark.parametrize("temperature", [0.0, 1.5])
def test_hard_wrong_answers_weigh_most(temperature: float) -> None:
    found, right, drawn, wrong = sampled(SelfAdversarialLoss(negatives=12, margin=2.0, temperature=temperature))
    expected = []
    for n in range(len(right)):
        scores = drawn[n][wrong[n]]
        weights = (temperature * scores).softmax(0)
        expected.append(-functional.logsigmoid(2 + right[n]) - (weights * functional.logsigmoid(-2 - scores)).sum())
    assert found.item() == pytest.approx(torch.stack(expected).mean().item() / 2, rel=1e-5)


@pytest.mark.parametrize("asked", [MarginLoss(negatives=8), SelfAdversarialLoss(negatives=8)])
def test_what_is_drawn_is_drawn_from_the_global_state(asked: Sampled) -> None:
    found = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        found.append(loss(asked).item())
    assert found[0] == found[1] != found[2]


@pytest.mark.parametrize(
    "asked", [SoftmaxLoss(), SoftmaxLoss(others="left_out"), BinaryLoss(), MarginLoss(), SelfAdversarialLoss()], ids=repr
)
def test_a_step_down_each_loss_raises_the_right_answers_above_the_wrong_ones(asked: TripleLoss) -> None:
    table = Table()
    optimizer = torch.optim.SGD(table.parameters(), lr=1.0)

    def ahead() -> float:
        scores = table(EXAMPLES.inputs)
        right = scores.gather(1, EXAMPLES.targets[:, None])
        wrong = ~KNOWN.answers(EXAMPLES.inputs)
        return ((right - scores) * wrong).sum().item()

    before = ahead()
    for _ in range(10):
        optimizer.zero_grad()
        loss(asked, table).backward()
        optimizer.step()
    assert ahead() > before + 1


@pytest.mark.parametrize("power", [2, 3])
def test_a_penalty_is_the_sum_of_sizes_to_its_power_mean_over_triples(power: Any) -> None:
    sizes = [torch.tensor([[1.0, 2.0], [0.0, 3.0]]), torch.tensor([[2.0], [1.0]])]
    found = TriplePenalty(power=power, weight=0.1).of(tuple(part**2 for part in sizes))
    assert found.item() == pytest.approx(0.1 * (1 + 2**power + 3**power + 2**power + 1) / 2)


def test_a_penalty_of_zeros_has_a_gradient() -> None:
    vectors = torch.zeros(2, 3, requires_grad=True)
    TriplePenalty().of((vectors.square(),)).backward()
    assert vectors.grad is not None
    assert vectors.grad.isfinite().all()


def test_who_brings_no_loss_is_told_what_is_missing() -> None:
    class Silent(TripleLoss):
        pass

    class Half(Sampled):
        pass

    with pytest.raises(NotImplementedError, match=r"^Silent.of$"):
        loss(Silent())
    with pytest.raises(NotImplementedError, match=r"^Half.compare$"):
        loss(Half())
