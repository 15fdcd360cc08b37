"""Networks that answer queries to a knowledge graph: each a kind of layer, from the query to a score for every entity.

All have a vector for each entity and for each relation, whose inverse has one of its own (Lacroix et al. 2018, arXiv:1806.07297,
sec. 3.2). They differ in what becomes of the two vectors of a query before it is compared with those of all entities.
"""

from math import isqrt
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field
from torch import nn

from nas.benchmark import Features, Query, Sequence, Shape
from nas.errors import ModelError
from nas.models.layers import interactions, messages
from nas.models.layers.kind import Cost, Count, Kernel, LayerKind, Share
from nas.models.layers.transformer import EncoderBlock


class Interaction(LayerKind):
    """From a query to a score for every entity; others say how the vectors of entity and relation become one."""

    accepts: ClassVar[tuple[type[Shape], ...]] = (Query,)
    costless: ClassVar[frozenset[str]] = frozenset({"dropout", "hidden_dropout"})
    by_distance: ClassVar[bool] = False
    """Whether an entity scores by how near it is, rather than by an inner product."""
    biased: ClassVar[bool] = False
    """Whether each entity has a number of its own that is added to its score."""

    features: Count
    """Numbers of an entity's vector."""
    dropout: Share = 0.0
    """Of the vectors of entity and relation."""
    hidden_dropout: Share = 0.0
    """Of the vector that they become."""
    norm: Literal["none", "batch", "layer"] = "none"
    """Of the vector that they become."""

    @property
    def relation_features(self) -> int:
        """Numbers of a relation's vector."""
        return self.features

    def output(self, given: Shape, wanted: Shape) -> Features:
        """A score for each entity.

        Raises:
            ModelError: other than that is wanted.
        """
        assert isinstance(given, Query)  # noqa: S101 - the planner has checked `accepts`
        if wanted != Features(given.entities):
            raise ModelError(f"it gives a score for each of {given.entities:,} entities, {wanted} is wanted.")
        return Features(given.entities)

    def cost(self, given: Shape, wanted: Shape) -> Cost:  # noqa: ARG002
        """Of the vectors, of what makes one of two, and of an inner product with each entity's."""
        assert isinstance(given, Query)  # noqa: S101
        vectors = given.entities * self.features + 2 * given.relations * self.relation_features
        norm = 0 if self.norm == "none" else 2 * self.features
        bias = given.entities if self.biased else int(self.by_distance)
        return self.combining() + Cost(params=vectors + norm + bias, macs=given.entities * self.features)

    def build(self, given: Shape, wanted: Shape) -> nn.Module:  # noqa: ARG002
        """A Scorer."""
        assert isinstance(given, Query)  # noqa: S101
        return interactions.Scorer(
            given.entities,
            2 * given.relations,
            self.combine(),
            features=self.features,
            relation_features=self.relation_features,
            before=nn.Dropout(self.dropout) if self.dropout else nn.Identity(),
            after=self.after(),
            distance=self.by_distance,
            biased=self.biased,
        )

    def after(self) -> nn.Module:
        """What the one vector goes through before it is compared."""
        return nn.Sequential(*self.norms(), *self.drops())

    def norms(self) -> list[nn.Module]:
        """The normalisation of that vector, if there is one."""
        kinds: dict[str, type[nn.Module]] = {"batch": nn.BatchNorm1d, "layer": nn.LayerNorm}
        return [kinds[self.norm](self.features)] if self.norm != "none" else []

    def drops(self) -> list[nn.Module]:
        """Its dropout, if there is some."""
        return [nn.Dropout(self.hidden_dropout)] if self.hidden_dropout else []

    def combining(self) -> Cost:
        """What it costs to make one vector of two."""
        return Cost()

    def combine(self) -> nn.Module:
        """What makes one vector of two."""
        raise NotImplementedError(f"{type(self).__name__}.combine")


class TransE(Interaction):
    """A relation is a translation: the answer lies near the sum of the query's vectors (Bordes et al. 2013, NeurIPS), by
    Euclidean distance, to which a learnt number is added that is the same for all.
    """

    by_distance: ClassVar[bool] = True

    def combine(self) -> nn.Module:
        """Their sum."""
        return interactions.Translation()


class DistMult(Interaction):
    """The product of the query's vectors and the answer's, summed up (Yang et al. 2015, arXiv:1412.6575)."""

    def combine(self) -> nn.Module:
        """Their product."""
        return interactions.Product()


def even(number: int) -> int:
    """`number`, if it is even; raises ValueError otherwise."""
    if number % 2:
        raise ValueError("must be even, since half are real parts and half imaginary ones")
    return number


EvenCount = Annotated[int, Field(ge=2, le=65_536), AfterValidator(even)]


class ComplEx(Interaction):
    """As DistMult, of complex numbers, so that a relation need not be symmetric (Trouillon et al. 2016, arXiv:1606.06357)."""

    features: EvenCount
    """Numbers of a vector: half are real parts, half imaginary ones."""

    def combine(self) -> nn.Module:
        """Their complex product."""
        return interactions.ComplexProduct()


class RotatE(Interaction):
    """A relation is a rotation of complex numbers: the answer lies near the entity's vector, turned (Sun et al. 2019,
    arXiv:1902.10197). Distances are Euclidean, as PyKEEN's are; the paper adds up the numbers' sizes.
    """

    by_distance: ClassVar[bool] = True

    features: EvenCount
    """Numbers of an entity's vector: half are real parts, half imaginary ones; a relation has half as many phases."""

    @property
    def relation_features(self) -> int:
        """Phases of a relation."""
        return self.features // 2

    def combine(self) -> nn.Module:
        """The rotation."""
        return interactions.Rotation()


class TuckER(Interaction):
    """The Tucker decomposition of the table of all triples: one core for all (Balažević et al. 2019, arXiv:1901.09590, eq. 3)."""

    relation_size: Count = 32
    """Numbers of a relation's vector."""

    @property
    def relation_features(self) -> int:
        """Numbers of a relation's vector."""
        return self.relation_size

    def combining(self) -> Cost:
        """Of the relation's matrix, and of its product with the entity's vector."""
        square = self.features**2
        return Cost(params=self.relation_size * square, macs=self.relation_size * square + square)

    def combine(self) -> nn.Module:
        """The core."""
        return interactions.Core(self.features, self.relation_size)


class ConvE(Interaction):
    """The query's vectors as a picture, convolved, and projected to the answer's vector, with a bias for each entity (Dettmers
    et al. 2018, arXiv:1707.01476). The convolution has batch normalisation around it; `norm` is that of the projection.
    """

    costless: ClassVar[frozenset[str]] = frozenset({"dropout", "hidden_dropout", "map_dropout"})
    biased: ClassVar[bool] = True

    channels: Count = 32
    kernel: Kernel = 3
    map_dropout: Share = 0.0
    """Of whole pictures after the convolution."""
    norm: Literal["none", "batch", "layer"] = "batch"

    @property
    def picture(self) -> tuple[int, int]:
        """Height and width that a vector is folded to, as near to a square as can be."""
        height = next(side for side in range(isqrt(self.features), 0, -1) if self.features % side == 0)
        return height, self.features // height

    @property
    def after_kernel(self) -> int:
        """Pixels of a picture of both vectors after the convolution."""
        height, width = self.picture
        return max(0, 2 * height - self.kernel + 1) * max(0, width - self.kernel + 1)

    def output(self, given: Shape, wanted: Shape) -> Features:
        """A score for each entity.

        Raises:
            ModelError: the picture is smaller than the kernel, or other than scores is wanted.
        """
        if not self.after_kernel:
            height, width = self.picture
            raise ModelError(
                f"a kernel of {self.kernel} does not fit into a picture of {2 * height}×{width}, which {self.features} features "
                "are folded to; give more features or a smaller kernel."
            )
        return super().output(given, wanted)

    def combining(self) -> Cost:
        """Of the convolution, the projection, and two normalisations."""
        pixels = self.after_kernel
        weights = self.channels * self.kernel**2
        projection = self.channels * pixels * self.features
        params = weights + self.channels + projection + self.features + 2 + 2 * self.channels
        return Cost(params=params, macs=weights * pixels + projection)

    def combine(self) -> nn.Module:
        """The convolution and the projection."""
        return interactions.Convolved(*self.picture, self.features, self.channels, self.kernel, self.map_dropout)

    def after(self) -> nn.Module:
        """Normalisation, a rectifier, dropout."""
        return nn.Sequential(*self.norms(), nn.ReLU(), *self.drops())


class QueryTransformer(Interaction):
    """The query's vectors and a mark, encoded by Transformer blocks; what becomes of the mark is the answer's vector (CoKE: Wang
    et al. 2019, arXiv:1911.02168).
    """

    costless: ClassVar[frozenset[str]] = frozenset({"dropout", "hidden_dropout", "block_dropout"})

    depth: Annotated[int, Field(ge=1, le=64)] = 1
    """Blocks."""
    heads: Annotated[int, Field(ge=1, le=256)] = 4
    ratio: Annotated[float, Field(gt=0, le=64)] = 4.0
    """Width inside a block's feed-forward network, as a multiple of `features`."""
    block_dropout: Share = 0.0
    """Of each block's attention and feed-forward network."""

    @property
    def block(self) -> EncoderBlock:
        """One of them."""
        return EncoderBlock(heads=self.heads, ratio=self.ratio, dropout=self.block_dropout)

    @property
    def encoded(self) -> Sequence:
        """The mark, the entity and the relation."""
        return Sequence(3, self.features)

    def output(self, given: Shape, wanted: Shape) -> Features:
        """A score for each entity.

        Raises:
            ModelError: the features are no multiple of the heads, or other than scores is wanted.
        """
        self.block.output(self.encoded, wanted)
        return super().output(given, wanted)

    def combining(self) -> Cost:
        """Of the blocks, what marks the three places, and the last normalisation."""
        blocks = sum((self.block.cost(self.encoded, self.encoded) for _ in range(self.depth)), Cost())
        return blocks + Cost(params=5 * self.features)

    def combine(self) -> nn.Module:
        """The blocks."""
        blocks = nn.Sequential(*(self.block.build(self.encoded, self.encoded) for _ in range(self.depth)))
        return interactions.Attended(self.features, blocks)


class GraphNetwork(Interaction):
    """An interaction of vectors that have taken in those of their neighbours, along the links that are trained on.

    All entities are encoded anew for every batch, so that a query costs as much as the whole graph.
    """

    costless: ClassVar[frozenset[str]] = frozenset({"dropout", "hidden_dropout", "link_dropout"})

    features: EvenCount
    depth: Annotated[int, Field(ge=1, le=8)] = 1
    """How often messages are passed: an entity knows of those that are so many links away."""
    score: Literal["distmult", "complex"] = "distmult"
    """By which product the encoded vectors answer."""
    link_dropout: Share = 0.0
    """Of the links, which pass no message in a step of the training."""

    def combining(self) -> Cost:
        """Nothing: what passes messages is no part of the two vectors' product."""
        return Cost()

    def cost(self, given: Shape, wanted: Shape) -> Cost:
        """With what becomes of all entities; adding messages up is no product of matrices, and counts nothing."""
        assert isinstance(given, Query)  # noqa: S101 - the planner has checked `accepts`
        return super().cost(given, wanted) + sum((self.passing(given) for _ in range(self.depth)), Cost())

    def passing(self, given: Query) -> Cost:
        """What it costs to pass messages once."""
        raise NotImplementedError(f"{type(self).__name__}.passing")

    def layer(self, given: Query) -> nn.Module:
        """What passes messages once."""
        raise NotImplementedError(f"{type(self).__name__}.layer")

    def combine(self) -> nn.Module:
        """The product."""
        return interactions.ComplexProduct() if self.score == "complex" else interactions.Product()

    def build(self, given: Shape, wanted: Shape) -> nn.Module:
        """A Scorer that waits for its links."""
        assert isinstance(given, Query)  # noqa: S101
        scorer = super().build(given, wanted)
        assert isinstance(scorer, interactions.Scorer)  # noqa: S101
        return messages.Propagated(scorer, [self.layer(given) for _ in range(self.depth)], self.link_dropout)


class CompGCN(GraphNetwork):
    """Messages are a neighbour's vector and the link's, composed; relations are encoded too (Vashishth et al. 2020,
    arXiv:1911.03082, eq. 4 and 5). Its means stand in the place of the paper's normalisation.
    """

    compose: Literal["product", "difference"] = "product"
    """How a neighbour's vector and the relation's become a message."""

    def passing(self, given: Query) -> Cost:
        """Of a matrix a direction, one of an entity itself, and one of relations."""
        square = self.features**2
        return Cost(params=4 * square + self.features, macs=3 * given.entities * square + 2 * given.relations * square)

    def layer(self, given: Query) -> nn.Module:  # noqa: ARG002 - other layers know how many relations there are
        """A layer of ours."""
        return messages.Composed(self.features, self.compose)


class RGCN(GraphNetwork):
    """Messages are a neighbour's vector times a matrix of the relation, a sum of as many `bases` (Schlichtkrull et al. 2018,
    arXiv:1703.06103, eq. 2 and 3), their mean over all neighbours.
    """

    bases: Annotated[int, Field(ge=1, le=256)] = 4
    """Matrices that those of all relations are sums of."""

    def passing(self, given: Query) -> Cost:
        """Of the bases, one matrix of an entity itself, and each relation's shares."""
        square = self.features**2
        return Cost(
            params=(self.bases + 1) * square + 2 * given.relations * self.bases + self.features,
            macs=(self.bases + 1) * given.entities * square,
        )

    def layer(self, given: Query) -> nn.Module:
        """A layer of ours."""
        return messages.Based(self.features, 2 * given.relations, self.bases)
