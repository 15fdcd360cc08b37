"""The explainers that come with the harness, by captum: integrated gradients, occlusion, layer activations.

Axes: N examples, C channels, H height, W width, L positions, F frequencies, … an example's own.
"""

import math
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from nas.benchmark import Image, Sequence, Shape
from nas.errors import ExplainError
from nas.explaining.explainer import Asked, Says

STEPS = (32, 128, 512)
"""Points on the way from the baseline to the input at which gradients are taken: more, until attributions add up."""

CLOSE = 0.01
"""Share of the output's difference by which their sum may be off before more points are taken."""

SMALL = 0.05
"""Share of the sum of the attributions' sizes below which the output's difference counts as that."""

AT_ONCE = 64
"""Points that the network is given together."""

WINDOWS = 7
"""Windows that a side of a picture is covered by, at half a window's stride; a sequence is by the square of it and more."""


class IntegratedGradients:
    """The gradient's integral on the straight way from the baseline to the input, times the input's distance from it.

    Of tokens the way is between vectors of the embedding. Attributions add up to the difference of the output between input and
    baseline (Sundararajan et al. 2017, arXiv:1703.01365, sec. 3).
    """

    sums: ClassVar[bool] = True
    tells: ClassVar[str] = "how much a place adds to the answer"

    def __call__(self, asked: Asked) -> Tensor:
        """(N, …)."""
        wanted_N = asked.answer(asked.inputs) - asked.answer(asked.baseline)
        attributions = torch.zeros(0)
        for steps in STEPS:
            attributions = self.integrate(asked, steps)
            error_N = (attributions.flatten(1).sum(1) - wanted_N).abs()
            if (error_N <= CLOSE * wanted_N.abs().maximum(SMALL * attributions.flatten(1).abs().sum(1))).all():
                break
        return attributions

    def integrate(self, asked: Asked, steps: int) -> Tensor:
        """With gradients in the middles of so many stretches of the way."""
        attr = _captum()
        given = {
            "baselines": asked.baseline,
            "target": asked.outputs_N,
            "n_steps": steps,
            "method": "riemann_middle",
            "internal_batch_size": max(AT_ONCE, len(asked.inputs)),
        }
        if asked.is_of_tokens:
            of_vectors: Tensor = attr.LayerIntegratedGradients(asked.network, asked.embedding()).attribute(asked.inputs, **given)
            return of_vectors.sum(-1)
        found: Tensor = attr.IntegratedGradients(asked.network).attribute(asked.inputs, **given)
        return found


class Occlusion:
    """How much the output falls where a window of the input gives way to the baseline, mean over the windows that hold a place
    (Zeiler & Fergus 2014, arXiv:1311.2901, sec. 4.2).
    """

    sums: ClassVar[bool] = False
    tells: ClassVar[str] = "how much the answer loses without a place"

    def __call__(self, asked: Asked) -> Tensor:
        """(N, …)."""
        window = window_of(asked.signature.input)
        strides = tuple(math.ceil(side / 2) for side in window[-2:])
        if isinstance(asked.signature.input, Image):
            strides = (window[0], *strides)
        elif isinstance(asked.signature.input, Sequence):
            strides = (strides[0], window[1])
        with torch.no_grad():
            found: Tensor = (
                _captum()
                .Occlusion(asked.network)
                .attribute(
                    asked.inputs,
                    sliding_window_shapes=window,
                    strides=strides,
                    baselines=asked.baseline,
                    target=asked.outputs_N,
                    perturbations_per_eval=max(1, AT_ONCE // len(asked.inputs)),
                )
            )
        return found


def window_of(shape: Shape) -> tuple[int, ...]:
    """Sides of the window that gives way: all channels of a part of a picture or a sequence, one token, one number."""
    if isinstance(shape, Image):
        return (shape.channels, math.ceil(shape.height / WINDOWS), math.ceil(shape.width / WINDOWS))
    if isinstance(shape, Sequence):
        return (math.ceil(shape.length / 64), shape.channels)
    return (1,)


class Activations:
    """How strongly the last layer that keeps places apart answers at each: the norm over its channels (Zagoruyko & Komodakis
    2017, arXiv:1612.03928, sec. 3.1), spread over the input. It tells where there is something, and not for which output.
    """

    sums: ClassVar[bool] = False
    tells: ClassVar[str] = "how strongly the last layer with places answers at one, whatever the answer"

    def __call__(self, asked: Asked) -> Tensor:
        """(N, H, W) or (N, L)."""
        shape = asked.signature.input
        axes = shape.axes[1:] if isinstance(shape, Image) else shape.axes[:1]
        layer = self.layer(asked, axes)
        with torch.no_grad():
            answered: Tensor = _captum().LayerActivation(asked.network, layer).attribute(asked.inputs)
            norm = _in_places(answered, len(axes))
            assert norm is not None  # noqa: S101 - see `layer`
            spread = functional.interpolate(
                norm.unsqueeze(1), size=axes, mode="bilinear" if len(axes) == 2 else "linear", align_corners=False
            )
        return spread.squeeze(1)

    def layer(self, asked: Asked, axes: tuple[int, ...]) -> nn.Module:
        """The last child of the network whose outputs stand at places of the input.

        Raises:
            ExplainError: there is none.
        """
        network = asked.network.network if isinstance(asked.network, Says) else asked.network
        found: list[nn.Module] = []

        def look(module: nn.Module, _: Any, output: Any) -> None:
            if isinstance(output, Tensor) and _in_places(output, len(axes)) is not None:
                found.append(module)

        handles = [child.register_forward_hook(look) for child in network.children()]
        try:
            network(asked.inputs[:1])
        finally:
            for handle in handles:
                handle.remove()
        if not found:
            raise ExplainError(
                "Activations are shown at the places of the input, and no layer of this network keeps places apart; explain it "
                "by integrated-gradients or occlusion."
            )
        return found[-1]


def _in_places(output: Tensor, axes: int) -> Tensor | None:
    """The norm over channels of a layer's output at two or more places, (N, H, W) or (N, L); None where there are no places."""
    norm: Tensor | None = None
    if output.ndim == 4 and axes == 2:
        norm = output.norm(dim=1)
    elif output.ndim == 4:  # a spectrogram (N, C, F, L)
        norm = output.norm(dim=(1, 2))
    elif output.ndim == 3 and axes == 1:
        norm = output.norm(dim=2)
    elif output.ndim == 3 and math.isqrt(output.shape[1]) ** 2 == output.shape[1]:  # patches of a square, row by row
        side = math.isqrt(output.shape[1])
        norm = output.norm(dim=2).unflatten(1, (side, side))
    return norm if norm is not None and math.prod(norm.shape[1:]) > 1 else None


def _captum() -> Any:
    """captum's attributions.

    Raises:
        ExplainError: captum is not installed.
    """
    try:
        import captum.attr
    except ImportError as error:
        raise ExplainError("Explanations need captum; pip install 'nas-harness[explain]'.") from error
    return captum.attr
