"""Recurrent layers, on torch's RNN, LSTM and GRU.

Axes: N examples, L positions, C channels, F features that come out (of both directions where there are two).
"""

import warnings
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from nas.benchmark import Features, Sequence, Shape
from nas.models.layers.kind import Cost, Count, LayerKind, Share, looks_back


class _Recurrent(LayerKind):
    """Shared by the kinds below: what a state at each position is made of the input there and the state before it."""

    accepts: ClassVar[tuple[type[Shape], ...]] = (Sequence,)
    costless: ClassVar[frozenset[str]] = frozenset({"dropout"})
    cell: ClassVar[type[nn.RNNBase]]
    """torch's module."""
    gates: ClassVar[int]
    """How many vectors of `features` a step works out from input and state."""

    features: Count
    """Numbers of the state of each direction."""
    layers: Annotated[int, Field(ge=1, le=16)] = 1
    """Each runs over what the one before it gives."""
    bidirectional: bool = False
    """Whether a second direction runs from the end to the beginning (Schuster & Paliwal 1997), its states beside the first's.
    It is left out where the benchmark wants the next token, which it would see."""
    dropout: Share = 0.0
    """Between layers; one layer has none."""
    give: Literal["sequence", "final"] = "sequence"
    """What goes on: the state at each position, or the one vector of each direction's final state, which is at the last position
    forwards and at the first one backwards. Where the benchmark wants something at each position, it is always the sequence."""

    def output(self, given: Shape, wanted: Shape) -> Sequence | Features:
        """The state of each direction at each position, or the final one."""
        assert isinstance(given, Sequence)  # noqa: S101 - the planner has checked `accepts`
        features = self._directions(wanted) * self._state
        return Features(features) if self._final(wanted) else Sequence(given.length, features)

    def cost(self, given: Shape, wanted: Shape) -> Cost:
        """Of each layer and direction: a matrix from the input and one from the state to the gates, each used once a position.

        torch keeps two biases for each gate.
        """
        assert isinstance(given, Sequence)  # noqa: S101
        directions, width, total = self._directions(wanted), given.channels, Cost()
        for _ in range(self.layers):
            weights = directions * self._weights(width)
            total += Cost(params=weights + directions * 2 * self.gates * self.features, macs=weights * given.length)
            width = directions * self._state
        return total

    def plain(self, given: Shape, wanted: Shape) -> LayerKind:  # noqa: ARG002 - the same for every layer
        """Without the dropout of a single layer, a direction that is left out, and a `final` that is not given."""
        return self.model_copy(
            update={
                "dropout": self.dropout if self.layers > 1 else 0.0,
                "bidirectional": self._directions(wanted) == 2,
                "give": "final" if self._final(wanted) else "sequence",
            }
        )

    def build(self, given: Shape, wanted: Shape) -> nn.Module:
        """torch's module, of which the states go on and no memory is kept."""
        assert isinstance(given, Sequence)  # noqa: S101
        cell = self.cell(
            **self._torch,
            input_size=given.channels,
            hidden_size=self.features,
            num_layers=self.layers,
            bidirectional=self._directions(wanted) == 2,
            dropout=self.dropout if self.layers > 1 else 0.0,  # torch warns of one that nothing stands behind
            batch_first=True,
        )
        return States(cell, final=self._final(wanted))

    def _directions(self, wanted: Shape) -> int:
        return 2 if self.bidirectional and not looks_back(wanted) else 1

    def _final(self, wanted: Shape) -> bool:
        return self.give == "final" and not isinstance(wanted, Sequence)

    def _weights(self, width: int) -> int:
        """Of the matrices of one layer and direction that is given `width` channels."""
        return self.gates * self.features * (width + self._state)

    @property
    def _state(self) -> int:
        """How many numbers a direction gives at a position."""
        return self.features

    @property
    def _torch(self) -> Mapping[str, Any]:
        """Options of torch's module that other kinds lack."""
        return {}


class Rnn(_Recurrent):
    """h' = tanh(W x + U h + b) (Elman 1990), or relu (Le et al. 2015, arXiv:1504.00941)."""

    cell: ClassVar[type[nn.RNNBase]] = nn.RNN
    gates: ClassVar[int] = 1

    nonlinearity: Literal["tanh", "relu"] = "tanh"

    @property
    def _torch(self) -> Mapping[str, Any]:
        return {"nonlinearity": self.nonlinearity}


class Gru(_Recurrent):
    """A state that two gates open and reset (Cho et al. 2014, arXiv:1406.1078, eqs. 5 to 8; torch resets after the matrix)."""

    cell: ClassVar[type[nn.RNNBase]] = nn.GRU
    gates: ClassVar[int] = 3


class Lstm(_Recurrent):
    """A state beside a memory that gates write, keep and read (Hochreiter & Schmidhuber 1997; Gers et al. 2000 for keeping)."""

    cell: ClassVar[type[nn.RNNBase]] = nn.LSTM
    gates: ClassVar[int] = 4

    projection: Annotated[int, Field(ge=0, le=65_536)] = 0
    """The state is brought down to so many numbers, the memory keeps `features` (Sak et al. 2014, arXiv:1402.1128, eq. 7); 0 for
    not at all."""

    @model_validator(mode="after")
    def _projection_narrows(self) -> Self:
        if self.projection >= self.features:
            raise ValueError(f"projection must be smaller than features ({self.features}), got {self.projection}")
        return self

    def _weights(self, width: int) -> int:
        return super()._weights(width) + self.projection * self.features

    @property
    def _state(self) -> int:
        return self.projection or self.features

    @property
    def _torch(self) -> Mapping[str, Any]:
        return {"proj_size": self.projection}


class States(nn.Module):
    """What a recurrent cell says at each position, or at the end of each direction."""

    def __init__(self, cell: nn.RNNBase, *, final: bool) -> None:
        super().__init__()
        self.cell = cell
        self.final = final

    def forward(self, inputs_NLC: Tensor) -> Tensor:
        """(N, L, C) → (N, L, F), or (N, F)."""
        states_NLF = self._states(inputs_NLC)
        if not self.final:
            return states_NLF
        if not self.cell.bidirectional:
            return states_NLF[:, -1]
        forwards, backwards = states_NLF.chunk(2, dim=-1)
        return torch.cat([forwards[:, -1], backwards[:, 0]], dim=-1)

    def _states(self, inputs_NLC: Tensor) -> Tensor:
        states_NLF: Tensor
        if not self.cell.proj_size:
            states_NLF = self.cell(inputs_NLC)[0]
            return states_NLF
        with warnings.catch_warnings():  # torch says once that it has one way to compute projections, which is right
            warnings.filterwarnings("ignore", "LSTM with projections is not supported with oneDNN")
            states_NLF = self.cell(inputs_NLC)[0]
        return states_NLF

    def extra_repr(self) -> str:
        """What goes on."""
        return "final" if self.final else ""
