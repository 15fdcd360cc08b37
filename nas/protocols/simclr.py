"""Pre-training without labels by contrast: a network learns to tell which two views are of one example (SimCLR).

    example → two views → trunk → projection → NT-Xent        Chen et al. 2020, arXiv:2002.05709

The projection is thrown away in the end.

Axes: N examples, V views (2 N, the two of an example side by side), F numbers of a projection.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Annotated, Any, ClassVar

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from nas.benchmark import Features, Image, Recipe, Sequence, Shape, Waveform
from nas.device import Precision, autocast
from nas.errors import ModelError
from nas.models import Cost, steps
from nas.models.layers.head import pooled
from nas.models.layers.kind import Count, Share, channels
from nas.models.layers.patch import ClassToken
from nas.protocols.pretext import Pretext, Trunk
from nas.protocols.views import view_pictures, view_sounds
from nas.training import Comparing, Examples, Feed, Setup, Task, as_feed

View = Callable[[Tensor, torch.Generator], Tensor]
"""A batch and a generator on the CPU → a view of each example."""


class SimCLR(Pretext):
    """Two views of one example shall be more alike than views of different examples: of pictures, and of waveforms."""

    passes: ClassVar[int] = 2

    temperature: Annotated[float, Field(gt=0, le=10)] = 0.2
    """Cosines are divided by it; the lower it is, the more the most alike of the others count."""
    features: Count = 64
    """Of the projection; its hidden layer is as wide as the trunk's end."""
    crop: Annotated[float, Field(gt=0, le=1)] = 0.2
    """Of pictures: the least share of the area that a view shows."""
    flip: bool = True
    """Of pictures: whether half the views are mirrored left to right."""
    jitter: Share = 0.4
    """Of pictures: how far contrast (as a share) and brightness (in the unit of the pixels) differ at the most."""
    shift: Share = 0.1
    """Of waveforms: the share of its length that a view is moved by at the most."""
    speed: Share = 0.15
    """Of waveforms: a view is played up to 1 + this times as fast, or as slow."""
    gain: Annotated[float, Field(ge=0, le=60)] = 6.0
    """Of waveforms: decibels by which a view is louder or softer at the most."""
    noise: Annotated[float, Field(ge=0, le=10)] = 0.2
    """Of waveforms: the strongest white noise, as a share of the sound's root mean square."""

    def module(self, trunk: Trunk, body: nn.Sequential) -> nn.Module:
        """The trunk, the mean over its pixels or positions (or its class token), and a projection of one hidden layer.

        Raises:
            ModelError: there are no views of what the network is fed.
        """
        self.view(trunk.given)
        width, gathered = channels(trunk.gives), any(isinstance(step.placed.kind, ClassToken) for step in steps(trunk.parts))
        projection = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, self.features))
        if isinstance(trunk.gives, Features):
            return nn.Sequential(body, projection)
        assert isinstance(trunk.gives, Image | Sequence)  # noqa: S101 - a trunk has weights, and no layer gives tokens
        return nn.Sequential(body, pooled(trunk.gives, "first" if gathered else "average"), projection)

    def method(self, trunk: Trunk, setup: Setup, recipe: Recipe) -> "Contrast":
        """By NT-Xent."""
        return Contrast(setup.task, recipe, self, self.view(trunk.given))

    def forward_flops(self, trunk: Trunk) -> float:
        """Of two views each, with their projections."""
        width = channels(trunk.gives)
        return 2 * (trunk.cost + Cost(macs=width * (width + self.features))).flops

    def view(self, given: Shape) -> View:
        """What makes views of inputs.

        Raises:
            ModelError: they are neither pictures nor waveforms.
        """
        if isinstance(given, Image):
            return partial(view_pictures, crop=self.crop, flip=self.flip, jitter=self.jitter)
        if isinstance(given, Waveform):
            return partial(view_sounds, shift=self.shift, speed=self.speed, gain=self.gain, noise=self.noise)
        raise ModelError(f"SimCLR makes views of pictures and of waveforms, got {given}; take another pretext.")


class Contrast(Comparing):
    """Learning by contrast: the loss is NT-Xent of what is trained, which takes views and gives projections."""

    def __init__(self, task: Task, recipe: Recipe, pretext: SimCLR, view: View) -> None:
        """Two views of each example of a batch are drawn anew each time."""
        super().__init__(task, recipe)
        self.pretext = pretext
        self.view = view

    @property
    def identity(self) -> Mapping[str, Any]:
        """The pretext's options too."""
        return {**super().identity, **self.pretext.model_dump()}

    def prepare(self, inputs: Tensor, targets: Tensor, chance: torch.Generator) -> tuple[Tensor, Tensor]:
        """Two views of each example, (N, 2, …), in place of what the recipe augments and mixes."""
        return torch.stack([self.view(inputs, chance) for _ in range(2)], dim=1), targets

    def encode(self, network: nn.Module, inputs: Tensor, targets: Tensor) -> tuple[Tensor]:  # noqa: ARG002 - labels are not looked at
        """The projections of the views (N, 2, …), (N, 2, F)."""
        return (network(inputs.flatten(0, 1)).unflatten(0, (-1, 2)),)

    def compare(self, *encoded: Tensor) -> Tensor:
        """NT-Xent of projections (N, 2, F)."""
        (projected_N2F,) = encoded
        return nt_xent(projected_N2F.flatten(0, 1), self.pretext.temperature)

    def measure(self, trained: nn.Module, examples: Feed | Examples, split: str, precision: Precision) -> dict[str, float]:
        """`contrast`, the mean NT-Xent, and `matched`, the share of views that are most like their other one.

        Of the same views each time, in batches about as large as in training, which both depend on.
        """
        device = next(trained.parameters()).device
        feed = as_feed(examples, device)
        chance = torch.Generator().manual_seed(0)
        trained.eval()
        sums = torch.zeros(2, device=device)
        batches = torch.arange(len(feed)).tensor_split(max(1, len(feed) // self.recipe.batch_size))
        with torch.inference_mode(), autocast(device, precision):
            for inputs, targets in feed.batches(batches):
                views, _ = self.prepare(inputs, targets, chance)
                projected_VF = trained(views.flatten(0, 1))
                told = nt_xent(projected_VF, self.pretext.temperature), matched(projected_VF)
                sums += len(targets) * torch.stack(told)
        contrast, share = (sums / len(feed)).tolist()
        return {f"{split}_contrast": contrast, f"{split}_matched": share}


def nt_xent(projected_VF: Tensor, temperature: float) -> Tensor:
    """The normalised temperature-scaled cross-entropy of a batch, a scalar (Chen et al. 2020, eq. 1 and alg. 1).

    Of each view −log of the share that its example's other view has in its likeness to all views but itself, and of those the
    mean. Likeness is exp(cosine / temperature). Views 2n and 2n + 1 are of one example.
    """
    logits_VV, other_V = _likeness(projected_VF, temperature)
    return functional.cross_entropy(logits_VV, other_V)


def matched(projected_VF: Tensor) -> Tensor:
    """The share of views to which, of all but itself, their example's other view is most alike."""
    logits_VV, other_V = _likeness(projected_VF, 1.0)
    return (logits_VV.argmax(dim=1) == other_V).float().mean()


def _likeness(projected_VF: Tensor, temperature: float) -> tuple[Tensor, Tensor]:
    """Cosines / temperature, −∞ of a view with itself; and where each view's other one stands."""
    unit_VF = functional.normalize(projected_VF.float(), dim=1)
    logits_VV = (unit_VF @ unit_VF.T / temperature).fill_diagonal_(-torch.inf)
    return logits_VV, torch.arange(len(unit_VF), device=unit_VF.device) ^ 1
