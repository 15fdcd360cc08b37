"""Knowledge-graph embedding: a network learns to tell which entity is at the other end of a link, and is ranked by it.

    queries, answers → the candidate's loss + its penalty → step;    scores → known answers taken out → ranks

Ranks are filtered and realistic: answers that are known to be right as well do not compete, and of equal scores none is first.
On validation those of training and validation are known, on the test all.

Axes: N queries, E entities.
"""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, cast

import torch
from torch import Tensor, nn

from nas.device import Precision
from nas.errors import BenchmarkError, quote
from nas.models import steps
from nas.models.layers.interactions import Scorer
from nas.models.layers.knowledge_graph import GraphNetwork
from nas.models.layers.messages import Propagated
from nas.protocols.triple_losses import RelationLoss, SoftmaxLoss, TripleLoss, TriplePenalty
from nas.protocols.triples import Known, LinkPrediction
from nas.training import Examples, Feed, Method, Protocol, Split, measure


class LinkPredictionMethod(Method):
    """Queries are answered; the loss is the candidate's, and figures are of filtered ranks."""

    task: LinkPrediction

    def __init__(self, protocol: "LinkPredictionProtocol") -> None:
        setup = protocol.setup
        if not isinstance(setup.task, LinkPrediction):
            raise BenchmarkError(
                f"The task of a link prediction is a nas.protocols.triples.LinkPrediction, that of {setup.benchmark.name} is "
                f"{quote(type(setup.task).__name__)}; make it by `link_prediction`."
            )
        super().__init__(setup.task, setup.benchmark.recipe)
        asked, penalty = setup.training(TripleLoss), setup.training(TriplePenalty)
        self.asked = asked if isinstance(asked, TripleLoss) else SoftmaxLoss(smoothing=self.recipe.label_smoothing)
        self.penalty = penalty if isinstance(penalty, TriplePenalty) else None
        relations = setup.training(RelationLoss)
        self.relations = relations if isinstance(relations, RelationLoss) else None
        self._trained_on: Known | None = None
        self._fraction = setup.budget.fraction

    @property
    def identity(self) -> Mapping[str, Any]:
        """With loss and penalty."""
        own = {
            "loss": [type(self.asked).__name__, self.asked.model_dump()],
            "penalty": self.penalty.model_dump() if self.penalty else None,
            "relations": self.relations.model_dump() if self.relations else None,
        }
        return {**super().identity, **own}

    def optimizers(self, trained: nn.Module) -> Mapping[str, torch.optim.Optimizer]:
        """The recipe's, at the loss's rate."""
        optimizers = super().optimizers(trained)
        for optimizer in optimizers.values():
            for group in optimizer.param_groups:
                group["lr_scale"] = self.asked.rate
        return optimizers

    def loss(self, network: nn.Module, inputs: Tensor, targets: Tensor) -> Tensor:
        """The candidate's loss of entities, and of relations, and its penalty."""
        loss = self.asked.of(network, inputs, targets, self.trained_on(inputs.device))
        if self.relations is not None:
            pairs_N2 = torch.stack([inputs[:, 0], targets], dim=1)
            loss = loss + self.relations.of(_relating(network).relation_scores(pairs_N2), inputs[:, 1])
        if self.penalty is None:
            return loss
        triples_N3 = torch.cat([inputs, targets[:, None]], dim=1)
        return loss + torch.stack([self.penalty.of(squares(triples_N3)) for squares in _squares(network)]).sum()

    def prepare(self, inputs: Tensor, targets: Tensor, chance: torch.Generator) -> tuple[Tensor, Tensor]:  # noqa: ARG002
        """A batch as it is."""
        return inputs, targets

    def measure(self, trained: nn.Module, examples: Feed | Examples, split: str, precision: Precision) -> dict[str, float]:
        """Mean reciprocal rank and hits, filtered by what is known where `split` is asked for."""
        names: dict[str, Split] = {"train": "train", "validation": "validation", "test": "test"}
        if split not in names:
            raise BenchmarkError(f"Ranks are filtered by what is known of train, validation or test, got {quote(split)}.")
        return measure(trained, self.task.filtered(names[split]), examples, split, precision)

    def trained_on(self, device: torch.device) -> Known:
        """The training triples that the budget lets be seen, on `device`."""
        if self._trained_on is None or self._trained_on.keys_M.device != device:
            self._trained_on = Known.of(self.task.shape, [self.task.examples("train").first(self._fraction)]).to(device)
        return self._trained_on


Squares = Callable[[Tensor], tuple[Tensor, ...]]
"""Ids of head, relation and tail, (N, 3) → squares of the sizes of the numbers in their vectors."""


def _squares(network: nn.Module) -> list[Squares]:
    found = [cast(Squares, part.squares) for part in network.modules() if callable(getattr(part, "squares", None))]
    if not found:
        raise BenchmarkError("A triple_penalty is of vectors, which no layer of this network tells by `squares`; leave it out.")
    return found


def _relating(network: nn.Module) -> Scorer:
    parts = [*network.modules()]
    found = [part for part in parts if isinstance(part, Scorer) and part.relates]
    if not found or any(isinstance(part, Propagated) for part in parts):
        raise BenchmarkError(
            "A relation_loss is of networks that score all relations at once: distmult, complex or tucker, and this is none; "
            "leave it out."
        )
    return found[-1]


class LinkPredictionProtocol(Protocol):
    """One stage, in which a network learns the links of a graph by the candidate's loss, rate and penalty."""

    stackable: ClassVar[bool] = False
    taught: ClassVar[bool] = False
    scored: ClassVar[bool] = False
    hardened: ClassVar[bool] = False

    @property
    def equipment_bytes(self) -> int:
        """Of the links that messages pass along."""
        links = any(isinstance(step.placed.kind, GraphNetwork) for step in steps(self.setup.parts))
        return self.links().nbytes if links else 0

    def equip(self, network: nn.Module) -> None:
        """Hand the links that are trained on to what passes messages along them."""
        for part in network.modules():
            if isinstance(part, Propagated):
                part.take(self.links())

    def links(self) -> Tensor:
        """Ids of head, relation and tail of the training triples that the budget lets be seen, (M, 3) of int32."""
        seen = self.setup.task.examples("train").first(self.setup.budget.fraction)
        return torch.cat([seen.inputs[::2], seen.targets[::2, None]], dim=1).int()  # of a triple's two queries the first

    def method(self) -> LinkPredictionMethod:
        """By which it is trained and measured."""
        return LinkPredictionMethod(self)
