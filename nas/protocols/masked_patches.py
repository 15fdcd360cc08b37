"""Pre-training without labels by hiding: squares of a picture or spectrogram are hidden, and a network fills them in.

    picture → some squares blank → trunk → one linear layer → picture        loss: mean squared error where it was hidden

As masked autoencoders learn (He et al. 2022, arXiv:2111.06377), but that hidden squares are blank rather than left out, and that
one linear layer decodes, as in SimMIM (Xie et al. 2022, arXiv:2111.09886), so that a trunk of convolutions can learn by it too.
The decoder is thrown away in the end.

Axes: N examples, C channels, H height, W width, S squares, R rows and K columns of them, L positions, F numbers of a position.
"""

import math
from collections.abc import Mapping
from typing import Annotated, Any

import torch
from pydantic import Field
from torch import Tensor, nn

from nas.benchmark import Image, Recipe, Sequence
from nas.device import Precision, autocast, send
from nas.errors import ModelError
from nas.models import Cost, Step, steps
from nas.models.layers.audio import LogMel
from nas.models.layers.patch import PatchEmbedding
from nas.protocols.pretext import Pretext, Trunk
from nas.training import Examples, Feed, Method, Setup, Task, as_feed, augment


class MaskedPatches(Pretext):
    """Fill in hidden squares: of pictures, and of the spectrograms that a trunk makes of sound."""

    size: Annotated[int, Field(ge=1, le=64)] = 4
    """Height and width of a square, in pixels."""
    hidden: Annotated[float, Field(gt=0, lt=1)] = 0.6
    """The share of squares that are hidden, at least one of them."""

    def module(self, trunk: Trunk, body: nn.Sequential) -> nn.Module:
        """The trunk between what hides and what fills in.

        Raises:
            ModelError: there is no picture to hide squares of, or the trunk's end does not say what stands where.
        """
        front, picture = _picture(trunk)
        grid = _grid(trunk, picture)
        assert isinstance(trunk.gives, Image | Sequence)  # noqa: S101 - there would be no grid
        return Masked(self, body[:front], body[front:], picture, trunk.gives, grid)

    def method(self, trunk: Trunk, setup: Setup, recipe: Recipe) -> "Filling":  # noqa: ARG002 - one signature for all
        """By the mean squared error of what was hidden."""
        return Filling(setup.task, recipe, self)

    def forward_flops(self, trunk: Trunk) -> float:
        """Of the trunk and the decoder."""
        _, picture = _picture(trunk)
        rows, columns = _grid(trunk, picture)
        assert isinstance(trunk.gives, Image | Sequence)  # noqa: S101 - there would be no grid
        filled = math.prod(_tile(picture, (rows, columns))) * picture.channels
        return (trunk.cost + Cost(macs=rows * columns * trunk.gives.channels * filled)).flops


class Masked(nn.Module):
    """A trunk between what hides squares and what fills them in: inputs → each example's mean squared error, (N,)."""

    def __init__(
        self,
        pretext: MaskedPatches,
        front: nn.Sequential,
        body: nn.Sequential,
        picture: Image,
        gives: Image | Sequence,
        grid: tuple[int, int],
    ) -> None:
        """`front` makes of an input the `picture`, of which the positions that `body` gives stand for `grid` rows and columns."""
        super().__init__()
        self.pretext, self.picture, self.grid = pretext, picture, grid
        self.rows, self.columns = (math.ceil(length / pretext.size) for length in (picture.height, picture.width))
        self.tile = _tile(picture, grid)
        self.front, self.body = front, body
        self.decoder = nn.Linear(gives.channels, picture.channels * math.prod(self.tile))

    def forward(self, inputs: Tensor, order_NS: Tensor | None = None) -> Tensor:
        """The error of each example; squares are hidden by `order_NS`, (N, S), the lowest first, or else by chance."""
        images_NCHW = self.front(inputs)
        if order_NS is None:
            order_NS = torch.rand(len(inputs), self.rows * self.columns, device=inputs.device)
        hidden_N1HW = self.hide(order_NS)
        features = self.body(images_NCHW.masked_fill(hidden_N1HW, 0.0))
        errors_NCHW = (self.fill(features).float() - images_NCHW).square() * hidden_N1HW
        error_N: Tensor = errors_NCHW.sum(dim=(1, 2, 3)) / (hidden_N1HW.sum(dim=(1, 2, 3)) * self.picture.channels)
        return error_N

    def hide(self, order_NS: Tensor) -> Tensor:
        """Which pixels are hidden, (N, 1, H, W): those of the squares that come first."""
        squares, size = order_NS.shape[1], self.pretext.size
        count = max(1, round(self.pretext.hidden * squares))
        first_NS = torch.zeros_like(order_NS, dtype=torch.bool).scatter_(1, order_NS.argsort(dim=1)[:, :count], value=True)
        first_NRK = first_NS.view(-1, self.rows, self.columns)
        hidden_NHW = first_NRK.repeat_interleave(size, dim=1).repeat_interleave(size, dim=2)
        return hidden_NHW[:, None, : self.picture.height, : self.picture.width]

    def fill(self, features: Tensor) -> Tensor:
        """The picture that the trunk's features (N, F, R, K) or (N, L, F) stand for, (N, C, H, W)."""
        (rows, columns), (height, width) = self.grid, self.tile
        if features.ndim == 4:
            features = features.flatten(2).transpose(1, 2)
        told = self.decoder(features[:, -rows * columns :])  # a class token stands before the patches
        told = told.view(-1, rows, columns, self.picture.channels, height, width).permute(0, 3, 1, 4, 2, 5)
        filled: Tensor = told.reshape(-1, self.picture.channels, rows * height, columns * width)
        return filled[:, :, : self.picture.height, : self.picture.width]


def _picture(trunk: Trunk) -> tuple[int, Image]:
    """How many of the trunk's layers make the picture that is hidden in part, and its shape.

    Raises:
        ModelError: none does.
    """
    made = [n for n, part in enumerate(trunk.parts) if isinstance(part, Step) and isinstance(part.placed.kind, LogMel)]
    front = made[0] + 1 if made else 0
    picture = trunk.parts[front - 1].gives if front else trunk.given
    if not isinstance(picture, Image):
        raise ModelError(
            f"Squares of pictures and of spectrograms are hidden, got {picture}; "
            "put a `log_mel` before it, or take another pretext."
        )
    return front, picture


def _grid(trunk: Trunk, picture: Image) -> tuple[int, int]:
    """Rows and columns of what stands at the trunk's end.

    Raises:
        ModelError: it does not say where in the picture it is.
    """
    if isinstance(trunk.gives, Image):
        return trunk.gives.height, trunk.gives.width
    cut = [step.placed.kind for step in steps(trunk.parts) if isinstance(step.placed.kind, PatchEmbedding)]
    if isinstance(trunk.gives, Sequence) and cut:
        rows, columns = (math.ceil(length / cut[0].size) for length in (picture.height, picture.width))
        if rows * columns <= trunk.gives.length <= rows * columns + 1:  # a class token may stand before them
            return rows, columns
    raise ModelError(
        f"What was hidden is filled in from an image, or from a sequence of all its patches, got {trunk.gives}; "
        "leave pooling to the `head`, or take another pretext."
    )


def _tile(picture: Image, grid: tuple[int, int]) -> tuple[int, int]:
    """Height and width of the pixels that one position stands for."""
    return math.ceil(picture.height / grid[0]), math.ceil(picture.width / grid[1])


class Filling(Method):
    """Learning to fill in: the loss is the mean of what `Masked` gives."""

    def __init__(self, task: Task, recipe: Recipe, pretext: MaskedPatches) -> None:
        super().__init__(task, recipe)
        self.pretext = pretext

    @property
    def identity(self) -> Mapping[str, Any]:
        """The pretext's options too."""
        return {**super().identity, **self.pretext.model_dump()}

    def prepare(self, inputs: Tensor, targets: Tensor, chance: torch.Generator) -> tuple[Tensor, Tensor]:
        """The batch as the recipe augments it."""
        return augment(inputs, self.recipe, chance), targets

    def loss(self, network: nn.Module, inputs: Tensor, targets: Tensor) -> Tensor:  # noqa: ARG002 - labels are not looked at
        """The mean over examples."""
        mean: Tensor = network(inputs).mean()
        return mean

    def measure(self, trained: nn.Module, examples: Feed | Examples, split: str, precision: Precision) -> dict[str, float]:
        """`hidden_mse`, the mean squared error of hidden pixels, the same ones each time."""
        assert isinstance(trained, Masked)  # noqa: S101 - it is the module of its pretext
        device = next(trained.parameters()).device
        feed = as_feed(examples, device)
        chance = torch.Generator().manual_seed(0)
        trained.eval()
        total = torch.zeros((), device=device)
        with torch.inference_mode(), autocast(device, precision):
            for inputs, _ in feed.batches(torch.split(torch.arange(len(feed)), self.recipe.batch_size)):
                order_NS = torch.rand(len(inputs), trained.rows * trained.columns, generator=chance)
                total += trained(inputs, send(order_NS, device)).sum()
        return {f"{split}_hidden_mse": (total / len(feed)).item()}
