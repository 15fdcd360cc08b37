"""Vectors of a graph's entities that take in those of their neighbours, before queries are answered by them.

Axes: N queries, D numbers of a vector, E entities, R relations both ways, M links, B bases.
"""

from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from nas.models.layers.interactions import Scorer


class Propagated(nn.Module):
    """A scorer whose vectors are those of its tables after messages were passed along all links, in both directions.

    Its links, (M, 3) ids of head, relation and tail, lie among its weights, so that whoever has these has the network. It begins
    without: `take` hands it some, and weights that are read bring theirs.
    """

    links: Tensor
    lists: ClassVar[tuple[str, ...]] = ("links",)
    """Buffers that weights which are read may bring longer."""

    def __init__(self, scorer: Scorer, layers: Sequence[nn.Module], link_dropout: float) -> None:
        super().__init__()
        self.scorer = scorer
        self.layers = nn.ModuleList(layers)
        self.link_dropout = link_dropout
        self.register_buffer("links", torch.empty(0, 3, dtype=torch.int32))

    def take(self, links_M3: Tensor) -> None:
        """Pass messages along `links_M3` from now on."""
        self.links = links_M3.to(self.links)

    def forward(self, queries_NQ: Tensor) -> Tensor:
        """(N, 2) → (N, E), or (N, 2 + K) → (N, K)."""
        entities_ED, relations_RD = self.encode()
        return self.scorer.score(queries_NQ, entities_ED[queries_NQ[:, 0]], relations_RD[queries_NQ[:, 1]], entities_ED)

    def encode(self) -> tuple[Tensor, Tensor]:
        """All entities and relations."""
        entities_ED, relations_RD = self.scorer.entities.weight, self.scorer.relations.weight
        head_M, relation_M, tail_M = self.links.long().unbind(1)
        if self.training and self.link_dropout and not head_M.is_meta:  # where nothing says which; all take the most
            kept_M = torch.rand(head_M.shape, device=head_M.device) >= self.link_dropout
            head_M, relation_M, tail_M = head_M[kept_M], relation_M[kept_M], tail_M[kept_M]
        for number, layer in enumerate(self.layers):
            if number:
                entities_ED = torch.tanh(entities_ED)
            entities_ED, relations_RD = layer(entities_ED, relations_RD, head_M, relation_M, tail_M)
        return entities_ED, relations_RD

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *rest: Any) -> None:
        """Make room for the links that come."""
        if prefix + "links" in state_dict:
            self.links = self.links.new_empty(state_dict[prefix + "links"].shape)
        super()._load_from_state_dict(state_dict, prefix, *rest)

    def extra_repr(self) -> str:
        """How many links it has."""
        return f"links={len(self.links)}, link_dropout={self.link_dropout}"


def means(messages_MD: Tensor, at_M: Tensor, entities: int) -> Tensor:
    """The mean of the messages that come to each entity, (E, D); zeros where none does."""
    sums_ED = messages_MD.new_zeros(entities, messages_MD.shape[1]).index_add(0, at_M, messages_MD)
    counts_E = messages_MD.new_zeros(entities).index_add(0, at_M, messages_MD.new_ones(len(at_M)))
    return sums_ED / counts_E.clamp(min=1)[:, None]


class Composed(nn.Module):
    """The means of what comes along links and against them, and the entity itself, each by a matrix of its own (Vashishth et al.
    2020, arXiv:1911.03082, eq. 4); relations by one (eq. 5).
    """

    def __init__(self, features: int, compose: str) -> None:
        super().__init__()
        self.compose = compose
        self.forth, self.back = nn.Linear(features, features, bias=False), nn.Linear(features, features, bias=False)
        self.own, self.relation = nn.Linear(features, features), nn.Linear(features, features, bias=False)

    def forward(
        self, entities_ED: Tensor, relations_RD: Tensor, head_M: Tensor, relation_M: Tensor, tail_M: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Entities and relations, as they were → as they become."""
        count, half = len(entities_ED), len(relations_RD) // 2
        forth_ED = means(self.message(entities_ED[head_M], relations_RD[relation_M]), tail_M, count)
        back_ED = means(self.message(entities_ED[tail_M], relations_RD[relation_M + half]), head_M, count)
        sums_ED = self.forth(forth_ED) + self.back(back_ED) + self.own(entities_ED)
        return sums_ED / 3, self.relation(relations_RD)

    def message(self, entity_MD: Tensor, relation_MD: Tensor) -> Tensor:
        """What goes along links."""
        return entity_MD * relation_MD if self.compose == "product" else entity_MD - relation_MD

    def extra_repr(self) -> str:
        """How messages are made."""
        return f"compose={self.compose}"


class Based(nn.Module):
    """The mean over neighbours of their vectors, each by a matrix of the relation that is a sum of bases, and the entity itself
    (Schlichtkrull et al. 2018, arXiv:1703.06103, eq. 2 and 3). Messages are added up basis by basis before they are multiplied.
    """

    def __init__(self, features: int, relations: int, bases: int) -> None:
        super().__init__()
        self.features = features
        self.shares = nn.Parameter(torch.empty(relations, bases))
        nn.init.normal_(self.shares, std=bases**-0.5)
        self.bases = nn.Linear(bases * features, features, bias=False)
        self.own = nn.Linear(features, features)

    def forward(
        self, entities_ED: Tensor, relations_RD: Tensor, head_M: Tensor, relation_M: Tensor, tail_M: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Entities, as they were → as they become; relations stay."""
        half = len(relations_RD) // 2
        from_, at = torch.cat([head_M, tail_M]), torch.cat([tail_M, head_M])
        shares_MB = self.shares[torch.cat([relation_M, relation_M + half])]
        messages_MF = (shares_MB[:, :, None] * entities_ED[from_][:, None]).flatten(1)
        return self.bases(means(messages_MF, at, len(entities_ED))) + self.own(entities_ED), relations_RD

    def extra_repr(self) -> str:
        """Its size."""
        return f"features={self.features}, relations={len(self.shares)}"
