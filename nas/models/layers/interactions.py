"""How answers to queries are scored: the vectors of an entity and a relation become one, which is compared with every entity's.

Axes: N queries, D numbers of an entity's vector, R of a relation's, E entities, K entities that stand beside a query, P
relations, both ways.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

DEVIATION = 0.1
"""Of the numbers that vectors begin with."""

SMALLEST = 1e-12
"""The least square of a distance, whose root has a gradient."""


class Scorer(nn.Module):
    """Scores of entities as the answers to queries, by inner product or by distance.

    (N, 2) ids of an entity and a relation → (N, E), a score for every entity. Entities that stand behind them are all that is
    scored: (N, 2 + K) → (N, K).
    """

    def __init__(
        self,
        entities: int,
        relations: int,
        combine: nn.Module,
        *,
        features: int,
        relation_features: int,
        before: nn.Module,
        after: nn.Module,
        distance: bool = False,
        biased: bool = False,
    ) -> None:
        super().__init__()
        self.entities = nn.Embedding(entities, features)
        self.relations = nn.Embedding(relations, relation_features)
        for table in (self.entities, self.relations):
            nn.init.normal_(table.weight, std=DEVIATION)
        self.before, self.combine, self.after = before, combine, after
        self.distance, self.biased = distance, biased
        self.bias = nn.Parameter(torch.zeros(entities if biased else 1)) if distance or biased else None

    def forward(self, queries_NQ: Tensor) -> Tensor:
        """(N, 2) → (N, E), or (N, 2 + K) → (N, K)."""
        head_ND, relation_NR = self.entities(queries_NQ[:, 0]), self.relations(queries_NQ[:, 1])
        return self.score(queries_NQ, head_ND, relation_NR, self.entities.weight)

    def score(self, queries_NQ: Tensor, head_ND: Tensor, relation_NR: Tensor, entities_ED: Tensor) -> Tensor:
        """What queries score by the vectors of their entities and relations, and of all entities."""
        head_ND, relation_NR = self.before(head_ND), self.before(relation_NR)
        sought_ND = self.after(self.combine(head_ND, relation_NR))
        if queries_NQ.shape[1] == 2:
            scores: Tensor = sought_ND @ entities_ED.t()
            squares = entities_ED.square().sum(1)
        else:
            some_NKD = functional.embedding(queries_NQ[:, 2:], entities_ED)
            scores = torch.bmm(some_NKD, sought_ND.unsqueeze(2)).squeeze(2)
            squares = some_NKD.square().sum(2)
        if self.distance:
            apart = sought_ND.square().sum(1, keepdim=True) + squares - 2 * scores
            scores = -apart.clamp(min=SMALLEST).sqrt()
        if self.bias is not None:
            scores = scores + (self.bias[queries_NQ[:, 2:]] if self.biased and queries_NQ.shape[1] > 2 else self.bias)
        return scores

    @property
    def relates(self) -> bool:
        """Whether it can tell what each relation scores between two entities at the cost of one query."""
        return hasattr(self.combine, "relate")

    def relation_scores(self, pairs_N2: Tensor) -> Tensor:
        """What each relation scores from one entity to another, (N, P); without what the query's vector goes through at last."""
        assert isinstance(self.combine, Product | ComplexProduct | Core)  # noqa: S101 - who asks has asked `relates`
        head_ND, tail_ND = self.before(self.entities(pairs_N2[:, 0])), self.entities(pairs_N2[:, 1])
        relations_PR: Tensor = self.before(self.relations.weight)
        return self.combine.relate(head_ND, tail_ND) @ relations_PR.t()

    def squares(self, triples_N3: Tensor) -> tuple[Tensor, ...]:
        """Squares of the sizes of the numbers, real or complex, in the vectors of triples; phases are left out."""
        head_N, relation_N, tail_N = triples_N3.unbind(1)
        vectors = [self.entities(head_N), self.entities(tail_N)]
        if not isinstance(self.combine, Rotation):
            vectors.append(self.relations(relation_N))
        if isinstance(self.combine, ComplexProduct | Rotation):
            return tuple(sum(part.square() for part in vector.chunk(2, dim=1)) for vector in vectors)
        return tuple(vector.square() for vector in vectors)

    def extra_repr(self) -> str:
        """How scores are made."""
        return f"distance={self.distance}, biased={self.biased}"


class Translation(nn.Module):
    """The entity's vector moved by the relation's (Bordes et al. 2013, eq. 1)."""

    def forward(self, head_ND: Tensor, relation_ND: Tensor) -> Tensor:
        """Their sum."""
        return head_ND + relation_ND


class Product(nn.Module):
    """Number by number (Yang et al. 2015, arXiv:1412.6575)."""

    def forward(self, head_ND: Tensor, relation_ND: Tensor) -> Tensor:
        """Their product."""
        return head_ND * relation_ND

    def relate(self, head_ND: Tensor, tail_ND: Tensor) -> Tensor:
        """That whose inner product with a relation's vector is the score."""
        return head_ND * tail_ND


class ComplexProduct(nn.Module):
    """Complex number by complex number (Trouillon et al. 2016, arXiv:1606.06357, eq. 9).

    The first half of a vector are real parts, the second imaginary ones, so that the inner product of two such vectors is the
    real part of that of one with the other's conjugate.
    """

    def forward(self, head_ND: Tensor, relation_ND: Tensor) -> Tensor:
        """Their product."""
        real_a, imaginary_a = head_ND.chunk(2, dim=1)
        real_b, imaginary_b = relation_ND.chunk(2, dim=1)
        real, imaginary = real_a * real_b - imaginary_a * imaginary_b, real_a * imaginary_b + imaginary_a * real_b
        return torch.cat([real, imaginary], dim=1)

    def relate(self, head_ND: Tensor, tail_ND: Tensor) -> Tensor:
        """That whose inner product with a relation's vector is the score: the tail's times the head's conjugate."""
        real, imaginary = head_ND.chunk(2, dim=1)
        return self.forward(tail_ND, torch.cat([real, -imaginary], dim=1))


class Rotation(nn.Module):
    """Complex numbers turned by the relation's phases, of which there are half as many (Sun et al. 2019, arXiv:1902.10197)."""

    def forward(self, head_ND: Tensor, phases_NR: Tensor) -> Tensor:
        """Those of `head_ND`, the first half real parts, turned."""
        real, imaginary = head_ND.chunk(2, dim=1)
        cosine, sine = phases_NR.cos(), phases_NR.sin()
        return torch.cat([real * cosine - imaginary * sine, real * sine + imaginary * cosine], dim=1)


class Core(nn.Module):
    """A matrix for each relation, a sum of as many as its vector has numbers (Balažević et al. 2019, arXiv:1901.09590)."""

    def __init__(self, features: int, relation_features: int) -> None:
        super().__init__()
        self.features = features
        self.weight = nn.Parameter(torch.empty(relation_features, features * features))
        nn.init.normal_(self.weight, std=1 / (DEVIATION * math.sqrt(features * relation_features)))

    def forward(self, head_ND: Tensor, relation_NR: Tensor) -> Tensor:
        """The entity's vector times the relation's matrix."""
        matrix_NDD = (relation_NR @ self.weight).reshape(-1, self.features, self.features)
        return torch.bmm(head_ND.unsqueeze(1), matrix_NDD).squeeze(1)

    def relate(self, head_ND: Tensor, tail_ND: Tensor) -> Tensor:
        """That whose inner product with a relation's vector is the score, (N, R)."""
        return (head_ND.unsqueeze(2) * tail_ND.unsqueeze(1)).flatten(1) @ self.weight.t()


class Convolved(nn.Module):
    """Both vectors as the halves of a picture, which is convolved (Dettmers et al. 2018, arXiv:1707.01476, eq. 1)."""

    def __init__(self, height: int, width: int, features: int, channels: int, kernel: int, dropout: float) -> None:
        super().__init__()
        self.height, self.width = height, width
        inside = channels * (2 * height - kernel + 1) * (width - kernel + 1)
        self.before = nn.BatchNorm2d(1)
        self.convolve = nn.Conv2d(1, channels, kernel)
        self.between = nn.Sequential(nn.BatchNorm2d(channels), nn.ReLU(), nn.Dropout2d(dropout), nn.Flatten())
        self.project = nn.Linear(inside, features)

    def forward(self, head_ND: Tensor, relation_ND: Tensor) -> Tensor:
        """What the convolution finds, as one vector."""
        picture_N1HW = torch.cat([head_ND, relation_ND], dim=1).reshape(-1, 1, 2 * self.height, self.width)
        found: Tensor = self.project(self.between(self.convolve(self.before(picture_N1HW))))
        return found

    def extra_repr(self) -> str:
        """The size of half a picture."""
        return f"height={self.height}, width={self.width}"


class Attended(nn.Module):
    """A mark, the entity and the relation, encoded by Transformer blocks; what becomes of the mark is the answer's vector (Wang
    et al. 2019, arXiv:1911.02168, sec. 3).
    """

    def __init__(self, features: int, blocks: nn.Module) -> None:
        super().__init__()
        self.places = nn.Parameter(torch.empty(3, features))
        nn.init.normal_(self.places, std=DEVIATION)
        self.blocks = blocks
        self.norm = nn.LayerNorm(features)

    def forward(self, head_ND: Tensor, relation_ND: Tensor) -> Tensor:
        """What stands at the mark in the end."""
        vectors_NLD = torch.stack([torch.zeros_like(head_ND), head_ND, relation_ND], dim=1) + self.places
        marks_ND: Tensor = self.norm(self.blocks(vectors_NLD)[:, 0])
        return marks_ND
