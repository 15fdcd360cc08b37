"""What a network of a knowledge graph is trained to do: losses of queries and their answers, and what keeps vectors small.

Each is a choice of training that stands among a space's layers. A loss of your own subclasses TripleLoss.

Axes: N queries, K negatives, E entities.
"""

from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from nas.models import TrainingKind
from nas.models.layers import Share
from nas.protocols.triples import Known

Positive = Annotated[float, Field(gt=0, lt=1e6)]


class TripleLoss(TrainingKind):
    """Trains a network that answers queries by a loss of its own."""

    rate: Positive = 1.0
    """The learning rate, as a multiple of the benchmark's."""

    def of(self, network: nn.Module, queries_N2: Tensor, answers_N: Tensor, known: Known) -> Tensor:
        """The mean loss of a batch, a scalar; `known` are the training triples. Draws are from torch's global generators."""
        raise NotImplementedError(f"{type(self).__name__}.of")


class SoftmaxLoss(TripleLoss):
    """Cross-entropy over all entities, each triple by itself (Lacroix et al. 2018, arXiv:1806.07297, eq. 5)."""

    smoothing: Share = 0.0
    """Share of the wanted probability that is spread over all entities."""
    others: Literal["compete", "left_out"] = "compete"
    """Whether other known answers to the same query count as wrong ones."""

    def of(self, network: nn.Module, queries_N2: Tensor, answers_N: Tensor, known: Known) -> Tensor:
        """Mean cross-entropy of the scores of all entities."""
        scores_NE: Tensor = network(queries_N2)
        if self.others == "left_out":
            others_NE = known.answers(queries_N2).scatter(1, answers_N[:, None], value=False)
            scores_NE = scores_NE.masked_fill(others_NE, LOW)
            if self.smoothing:
                nats_NE = -scores_NE.log_softmax(1)
                spread_N = nats_NE.masked_fill(others_NE, 0).sum(1) / (~others_NE).sum(1)
                right_N = nats_NE.gather(1, answers_N[:, None]).squeeze(1)
                return ((1 - self.smoothing) * right_N + self.smoothing * spread_N).mean()
        return functional.cross_entropy(scores_NE, answers_N, label_smoothing=self.smoothing)


LOW = -1e4
"""A score that gets no probability, and is finite in every number format."""


class BinaryLoss(TripleLoss):
    """Binary cross-entropy of every entity, all known answers to a query being right (1-N scoring: Dettmers et al. 2018,
    arXiv:1707.01476, sec. 4.1).
    """

    smoothing: Share = 0.1
    """Answers are (1 − smoothing) · right + smoothing / entities."""
    of_each: Literal["triple", "query"] = "triple"
    """What counts as one: a triple, so that a query counts as often as it has answers; or a query, as in the paper."""

    def of(self, network: nn.Module, queries_N2: Tensor, answers_N: Tensor, known: Known) -> Tensor:  # noqa: ARG002
        """Mean binary cross-entropy over queries and entities, times the number of entities so that rates are alike."""
        scores_NE = network(queries_N2)
        right_NE = known.answers(queries_N2).to(scores_NE.dtype)
        wanted_NE = right_NE * (1 - self.smoothing) + self.smoothing / scores_NE.shape[1]
        losses_N = functional.binary_cross_entropy_with_logits(scores_NE, wanted_NE, reduction="none").sum(1)
        if self.of_each == "triple":
            return losses_N.mean()
        weights_N = 1 / right_NE.sum(1).clamp(min=1)
        return (weights_N * losses_N).sum() / weights_N.sum()


class Sampled(TripleLoss):
    """A loss of the right answer and of wrong ones that are drawn, equally likely, for each query; drawn ones that are known to
    be right do not count.
    """

    negatives: Annotated[int, Field(ge=1, le=4_096)] = 32
    """Wrong answers that are drawn for each right one."""
    margin: Annotated[float, Field(ge=0, lt=1e6)] = 1.0

    def of(self, network: nn.Module, queries_N2: Tensor, answers_N: Tensor, known: Known) -> Tensor:
        """Mean over the queries."""
        drawn_NK = torch.randint(known.shape.entities, (len(answers_N), self.negatives), device=answers_N.device)
        scores = network(torch.cat([queries_N2, answers_N[:, None], drawn_NK], dim=1))
        wrong_NK = ~known.holds(queries_N2, drawn_NK)
        return self.compare(scores[:, 0], scores[:, 1:], wrong_NK)

    def compare(self, right_N: Tensor, drawn_NK: Tensor, wrong_NK: Tensor) -> Tensor:
        """The mean loss of the scores of right answers and drawn ones, of which those count that are `wrong_NK`."""
        raise NotImplementedError(f"{type(self).__name__}.compare")


class MarginLoss(Sampled):
    """A right answer shall score higher than a wrong one by a margin (Bordes et al. 2013, NeurIPS, eq. 1)."""

    def compare(self, right_N: Tensor, drawn_NK: Tensor, wrong_NK: Tensor) -> Tensor:
        """Mean of what is missing."""
        missing_NK = (self.margin - right_N[:, None] + drawn_NK).relu() * wrong_NK
        return (missing_NK.sum(1) / wrong_NK.sum(1).clamp(min=1)).mean()


class SelfAdversarialLoss(Sampled):
    """Right answers shall score above −margin and wrong ones below, those that score high counting most (Sun et al. 2019,
    arXiv:1902.10197, eqs. 4 and 5).
    """

    temperature: Annotated[float, Field(ge=0, le=100)] = 1.0
    """What scores are multiplied by before a softmax over the drawn answers weighs them; 0 weighs all alike."""

    def compare(self, right_N: Tensor, drawn_NK: Tensor, wrong_NK: Tensor) -> Tensor:
        """Mean of both halves."""
        weights_NK = (self.temperature * drawn_NK.detach()).masked_fill(~wrong_NK, LOW).softmax(1) * wrong_NK
        right = -functional.logsigmoid(self.margin + right_N)
        wrong = -(weights_NK * functional.logsigmoid(-self.margin - drawn_NK)).sum(1)
        return (right + wrong).mean() / 2


class TriplePenalty(TrainingKind):
    """Keeps vectors small: the sizes of the numbers in a triple's vectors, to a power, are added to the loss, mean over triples.

    Power 3 is N3 (Lacroix et al. 2018, arXiv:1806.07297, eq. 5), power 2 is L2. Complex numbers count as one; phases do not.
    """

    power: Literal[2, 3] = 3
    weight: Positive = 0.01

    def of(self, squares: tuple[Tensor, ...]) -> Tensor:
        """Of the squares of sizes, each (N, numbers)."""
        return self.weight * torch.stack([(part ** (self.power / 2)).sum(1).mean() for part in squares]).sum()


class RelationLoss(TrainingKind):
    """Which relation joins head and tail is asked for too: cross-entropy over all relations, both ways, is added (Chen et
    al. 2021, arXiv:2110.02834).
    """

    weight: Positive = 0.1
    """Of it, beside the loss of entities."""

    def of(self, scores_NP: Tensor, relations_N: Tensor) -> Tensor:
        """Of what each relation scores between a query's entity and its answer, and the query's relation."""
        return self.weight * functional.cross_entropy(scores_NP, relations_N)
