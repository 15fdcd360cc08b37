"""Several inputs of one example: one taken out of the row they stand in, and those that were read apart fused into one vector.

Axes: N examples, F numbers of a row, M modalities, L positions, C channels, D features.
"""

from math import prod
from typing import Annotated, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from nas.benchmark import Features, Joined, Modalities, Shape, Tokens
from nas.errors import ModelError, did_you_mean
from nas.models.layers.kind import Cost, Count, LayerKind, TrainingKind


class Modality(LayerKind):
    """Take one of several inputs out of the row in which they stand, in its own shape: a branch of an encoder begins with it."""

    accepts: ClassVar[tuple[type[Shape], ...]] = (Modalities,)

    name: Annotated[str, Field(pattern="^[a-z][a-z0-9]*$")]
    """What the benchmark calls it."""

    def output(self, given: Shape, wanted: Shape) -> Shape:  # noqa: ARG002 - the same for every layer
        """The modality's shape.

        Raises:
            ModelError: there is none of that name.
        """
        assert isinstance(given, Modalities)  # noqa: S101 - the planner has checked `accepts`
        parts = dict(given.parts)
        if self.name not in parts:
            raise ModelError(f"no modality is called {self.name!r} here. {did_you_mean(self.name, given.names)}")
        return parts[self.name]

    def cost(self, given: Shape, wanted: Shape) -> Cost:  # noqa: ARG002
        """Nothing that counts."""
        return Cost()

    def build(self, given: Shape, wanted: Shape) -> nn.Module:
        """A stretch of the row, rolled up."""
        assert isinstance(given, Modalities)  # noqa: S101
        shape, span = self.output(given, wanted), given.span(self.name)
        return TakeModality(span.start, shape.axes, whole=isinstance(shape, Tokens))


class TakeModality(nn.Module):
    """The module of `Modality`: the numbers from `begin` on, in the shape `axes`; as ids of tokens where they are `whole`."""

    def __init__(self, begin: int, axes: tuple[int, ...], *, whole: bool) -> None:
        super().__init__()
        self.begin, self.axes, self.whole = begin, axes, whole

    def forward(self, rows_NF: Tensor) -> Tensor:
        """(N, F) → (N, …)."""
        part = rows_NF[:, self.begin : self.begin + prod(self.axes)].reshape(-1, *self.axes)
        return part.long() if self.whole else part

    def extra_repr(self) -> str:
        """Where it looks."""
        return f"begin={self.begin}, axes={self.axes}"


class ModalityFusion(LayerKind):
    """Make one vector of what encoders made of several inputs, joined end to end; each is first averaged over its positions.

    `concatenate`: one linear layer on all of them, and a rectifier. `gated`: each is squeezed by a linear layer and tanh, and
    weighed, number by number, by a gate that sees all of them (Arevalo et al. 2017, arXiv:1702.01992, fig. 2). `bilinear`: each
    goes through a linear layer and tanh, and they are multiplied, which is a bilinear form of low rank (Kim et al. 2017,
    arXiv:1610.04325; its last linear layer is the `head`).
    """

    accepts: ClassVar[tuple[type[Shape], ...]] = (Joined,)

    kind: Literal["concatenate", "gated", "bilinear"] = "concatenate"
    features: Count
    """Numbers that come out; of `bilinear`, the rank too."""

    def output(self, given: Shape, wanted: Shape) -> Features:  # noqa: ARG002
        """`features` numbers."""
        return Features(self.features)

    def cost(self, given: Shape, wanted: Shape) -> Cost:  # noqa: ARG002
        """Of the linear layers; gates see all modalities."""
        assert isinstance(given, Joined)  # noqa: S101
        modalities, weights = len(given.lengths), given.channels * self.features
        if self.kind == "concatenate":
            return Cost(params=modalities * weights + self.features, macs=modalities * weights)
        times = modalities + (modalities**2 if self.kind == "gated" else 0)
        biases = modalities * self.features * (2 if self.kind == "gated" else 1)
        return Cost(params=times * weights + biases, macs=times * weights)

    def build(self, given: Shape, wanted: Shape) -> nn.Module:  # noqa: ARG002
        """One of the modules below."""
        assert isinstance(given, Joined)  # noqa: S101
        module = {"concatenate": ConcatenatedFusion, "gated": GatedFusion, "bilinear": BilinearFusion}[self.kind]
        return module(given.lengths, given.channels, self.features)


class ConcatenatedFusion(nn.Module):
    """A linear layer on the averages of all modalities, and a rectifier."""

    def __init__(self, lengths: tuple[int, ...], channels: int, features: int) -> None:
        super().__init__()
        self.lengths = lengths
        self.linear = nn.Linear(len(lengths) * channels, features)

    def forward(self, joined_NLC: Tensor) -> Tensor:
        """(N, L, C) → (N, D)."""
        return torch.relu(self.linear(averages(joined_NLC, self.lengths).flatten(1)))


class GatedFusion(nn.Module):
    """The sum of all modalities, each weighed by a gate that sees all of them (Arevalo et al. 2017, arXiv:1702.01992)."""

    def __init__(self, lengths: tuple[int, ...], channels: int, features: int) -> None:
        super().__init__()
        self.lengths = lengths
        self.values = nn.ModuleList(nn.Linear(channels, features) for _ in lengths)
        self.gates = nn.Linear(len(lengths) * channels, len(lengths) * features)

    def forward(self, joined_NLC: Tensor) -> Tensor:
        """(N, L, C) → (N, D)."""
        vectors_NMC = averages(joined_NLC, self.lengths)
        values_NMD = torch.stack([value(vectors_NMC[:, n]) for n, value in enumerate(self.values)], dim=1).tanh()
        gates_NMD = self.gates(vectors_NMC.flatten(1)).sigmoid().reshape(values_NMD.shape)
        sum_ND: Tensor = (gates_NMD * values_NMD).sum(dim=1)
        return sum_ND


class BilinearFusion(nn.Module):
    """The product of all modalities, each through a linear layer and tanh (Kim et al. 2017, arXiv:1610.04325)."""

    def __init__(self, lengths: tuple[int, ...], channels: int, features: int) -> None:
        super().__init__()
        self.lengths = lengths
        self.values = nn.ModuleList(nn.Linear(channels, features) for _ in lengths)

    def forward(self, joined_NLC: Tensor) -> Tensor:
        """(N, L, C) → (N, D)."""
        vectors_NMC = averages(joined_NLC, self.lengths)
        values_NMD = torch.stack([value(vectors_NMC[:, n]) for n, value in enumerate(self.values)], dim=1).tanh()
        product_ND: Tensor = values_NMD.prod(dim=1)
        return product_ND


def averages(joined_NLC: Tensor, lengths: tuple[int, ...]) -> Tensor:
    """The mean over the positions of each of the sequences that stand end to end, (N, M, C)."""
    return torch.stack([part_NLC.mean(dim=1) for part_NLC in torch.split(joined_NLC, list(lengths), dim=1)], dim=1)


class SharedVectors(LayerKind):
    """A vector of length 1 a modality, in one space: what each encoder made, averaged over its positions, through a linear layer
    of its own. The network ends in them, side by side (Radford et al. 2021, arXiv:2103.00020, fig. 3).
    """

    accepts: ClassVar[tuple[type[Shape], ...]] = (Joined,)

    def output(self, given: Shape, wanted: Shape) -> Features:
        """What the benchmark wants, in equal parts.

        Raises:
            ModelError: it wants no vectors of so many modalities.
        """
        assert isinstance(given, Joined)  # noqa: S101 - the planner has checked `accepts`
        if not isinstance(wanted, Features) or wanted.count % len(given.lengths):
            raise ModelError(
                f"a vector for each of {len(given.lengths)} modalities is not {wanted}; join as many as the benchmark compares."
            )
        return wanted

    def cost(self, given: Shape, wanted: Shape) -> Cost:
        """Of the linear layers."""
        assert isinstance(given, Joined)  # noqa: S101
        outputs = self.output(given, wanted).count
        return Cost(params=given.channels * outputs + outputs, macs=given.channels * outputs)

    def build(self, given: Shape, wanted: Shape) -> nn.Module:
        """A module of ours."""
        assert isinstance(given, Joined)  # noqa: S101
        return UnitVectors(given.lengths, given.channels, self.output(given, wanted).count // len(given.lengths))


class UnitVectors(nn.Module):
    """A linear layer a modality on the average of its positions, and division by the vector's length."""

    def __init__(self, lengths: tuple[int, ...], channels: int, features: int) -> None:
        super().__init__()
        self.lengths = lengths
        self.values = nn.ModuleList(nn.Linear(channels, features) for _ in lengths)

    def forward(self, joined_NLC: Tensor) -> Tensor:
        """(N, L, C) → (N, F), the modalities' vectors one after another."""
        vectors_NMC = averages(joined_NLC, self.lengths)
        values_NMD = torch.stack([value(vectors_NMC[:, n]) for n, value in enumerate(self.values)], dim=1)
        return functional.normalize(values_NMD, dim=-1).flatten(1)


class ModalityDropout(TrainingKind):
    """In training, each modality of an example is missing at `rate`, as zeros, but never all of them (Neverova et al. 2016,
    arXiv:1501.00102), so that the network can do without one.
    """

    rate: Annotated[float, Field(ge=0, lt=1)]


class SharedSpace(TrainingKind):
    """Encoders learn one space, in which what belongs together lies together (Radford et al. 2021, arXiv:2103.00020, fig. 3).

    Their ends, joined and averaged over positions, are compared across modalities in each batch.
    """

    weight: Annotated[float, Field(ge=0, le=1_000)] = 1.0
    """Of that loss beside the classifier's, which weighs 1."""
    temperature: Annotated[float, Field(gt=0, le=10)] = 0.1
    """By which cosines are divided; small ones look at the hardest pairs (Wu et al. 2018, arXiv:1805.01978, eq. 2)."""
