"""What short pieces a text holds, wherever they stand: one vector of its n-grams.

Axes: N examples, L positions, G n-grams of a text, C channels.
"""

from typing import Annotated, ClassVar, Literal, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from nas.benchmark import Features, Shape, Tokens
from nas.errors import ModelError
from nas.models.layers.embedding import DEVIATION
from nas.models.layers.kind import Cost, Count, LayerKind, Share

PRIME = 2**31 - 1
"""Products of two numbers below it stay below 2^63."""
FACTOR, SPREAD = 48_271, 630_360_016
"""Multipliers of random number generators modulo PRIME (Park, Miller & Stockmeyer 1993, CACM 36(7); Payne et al.
1969, CACM 12(2))."""

Length = Annotated[int, Field(ge=1, le=16)]


class NgramBag(LayerKind):
    """One vector of all runs of `shortest` to `longest` tokens that a text holds, each looked up in a table of `buckets` vectors.

    The row of a run is its hash (Weinberger et al. 2009, arXiv:0902.2206, sec. 2), so that no list of runs is kept, and some
    share a row (Joulin et al. 2017, arXiv:1607.01759, sec. 2.2; of characters, Bojanowski et al. 2017, arXiv:1607.04606, sec.
    3.2). Runs with padding in them, id 0, are left out; of padding alone the vector is 0.
    """

    accepts: ClassVar[tuple[type[Shape], ...]] = (Tokens,)
    costless: ClassVar[frozenset[str]] = frozenset({"kind", "dropout"})

    features: Count
    shortest: Length = 1
    longest: Length = 4
    buckets: Annotated[int, Field(ge=1, le=1_000_000)] = 4_096
    kind: Literal["mean", "root"] = "root"
    """The sum of the vectors, divided by their number, or by its square root, which keeps it as large whatever the number is."""
    dropout: Share = 0.0
    """Of runs, which are left out in training; the others grow to match."""

    @model_validator(mode="after")
    def _runs_have_a_length(self) -> Self:
        if self.shortest > self.longest:
            raise ValueError(f"shortest must be at most longest ({self.longest}), got {self.shortest}")
        return self

    def output(self, given: Shape, wanted: Shape) -> Features:  # noqa: ARG002 - the same for every layer
        """`features` numbers.

        Raises:
            ModelError: no text is as long as the longest run.
        """
        assert isinstance(given, Tokens)  # noqa: S101 - the planner has checked `accepts`
        if self.longest > given.length:
            raise ModelError(f"longest must be at most the length of what comes in ({given.length}), got {self.longest}.")
        return Features(self.features)

    def cost(self, given: Shape, wanted: Shape) -> Cost:  # noqa: ARG002
        """Of the table; looking up and adding cost no multiply-adds."""
        return Cost(params=self.buckets * self.features)

    def build(self, given: Shape, wanted: Shape) -> nn.Module:  # noqa: ARG002
        """A module of ours."""
        bag = BagOfNgrams(
            self.buckets, self.features, self.shortest, self.longest, root=self.kind == "root", dropout=self.dropout
        )
        with torch.no_grad():
            bag.table.weight.mul_(DEVIATION)
        return bag


class BagOfNgrams(nn.Module):
    """The sum of the vectors of a text's n-grams, divided by their number or its square root."""

    def __init__(
        self, buckets: int, features: int, shortest: int, longest: int, *, root: bool = False, dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.shortest, self.longest, self.root = shortest, longest, root
        self.table = nn.Embedding(buckets, features)
        self.dropout = nn.Dropout(dropout)

    def forward(self, ids_NL: Tensor) -> Tensor:
        """(N, L) → (N, C)."""
        rows_NG, there_NG = hashed_ngrams(ids_NL, self.shortest, self.longest, self.table.num_embeddings)
        weights_NG = self.dropout(there_NG.to(self.table.weight.dtype))
        sums_NC: Tensor = (self.table(rows_NG) * weights_NG.unsqueeze(-1)).sum(dim=1)
        counts_N1 = there_NG.sum(dim=1, keepdim=True).clamp(min=1).to(sums_NC.dtype)
        return sums_NC / (counts_N1.sqrt() if self.root else counts_N1)

    def extra_repr(self) -> str:
        """Which n-grams."""
        return f"shortest={self.shortest}, longest={self.longest}, root={self.root}"


def hashed_ngrams(ids_NL: Tensor, shortest: int, longest: int, buckets: int) -> tuple[Tensor, Tensor]:
    """The row of each run of tokens in a table of `buckets` rows, and whether it is one: no token of it is 0; both (N, G)."""
    numbers_NL, there_NL = ids_NL, ids_NL.ne(0)
    rows, there = [], []
    for length in range(1, longest + 1):
        if length > 1:
            numbers_NL = (numbers_NL[:, :-1] * FACTOR + ids_NL[:, length - 1 :]) % PRIME
            there_NL = there_NL[:, :-1] & there_NL[:, 1:]
        if length >= shortest:
            rows.append(scattered(numbers_NL) % buckets)
            there.append(there_NL)
    return torch.cat(rows, dim=1), torch.cat(there, dim=1)


def scattered(numbers: Tensor) -> Tensor:
    """Other numbers below PRIME, far apart where those were near or in even steps.

    The fifth power takes no two of them to one, since 5 does not divide PRIME - 1; multiplying alone would leave even steps even.
    """
    spread = numbers * SPREAD % PRIME
    squared = spread * spread % PRIME
    return squared * squared % PRIME * spread % PRIME
