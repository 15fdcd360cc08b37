"""Group normalisation in the place of batch normalisation, so that no example sees another: what private training needs.

    N, C, … → mean and deviation of each example by itself, over 8 channels each and all pixels   (Wu & He 2018, arXiv:1803.08494)

Weights keep their number, and what a pass costs is as counted: normalisation is not in it. Groups are of several channels, since
one channel of one pixel alone would come out as nothing. A file of such weights says so itself (see `nas.training.weights`).
"""

from collections import OrderedDict

from torch import nn

from nas.benchmark import Recipe

CHANNELS = 8
"""Of one group at least; where they do not divide a layer's channels, the next number that does."""


def suit(model: nn.Module, recipe: Recipe) -> nn.Module:
    """`model`, as it was just built, with the normalisation that `recipe` says; changed in place."""
    if recipe.batch_norm == "group":
        group(model)
    return model


def group(model: nn.Module) -> None:
    """Put group normalisation in the place of all batch normalisation in `model`; scales and shifts are kept."""
    for module in [*model.modules()]:
        for name, child in module.named_children():
            if isinstance(child, nn.modules.batchnorm._BatchNorm):
                setattr(module, name, _grouped(child))


def is_grouped(model: nn.Module) -> bool:
    """Whether `group` has changed something in it."""
    return any(getattr(module, "of_batches", False) for module in model.modules())


def groups_of(channels: int) -> int:
    """How many groups so many channels make."""
    return next(count for count in range(max(1, channels // CHANNELS), 0, -1) if channels % count == 0)


def _grouped(norm: nn.modules.batchnorm._BatchNorm) -> nn.Module:
    """In its place; with what timm's batch normalisation does beside, an activation."""
    made = nn.GroupNorm(groups_of(norm.num_features), norm.num_features, eps=norm.eps, affine=norm.affine)
    made.of_batches = True  # type: ignore[assignment]  # a plain attribute
    if norm.affine:
        made.weight, made.bias = norm.weight, norm.bias
    beside = [
        (name, getattr(norm, name)) for name in ("drop", "act") if not isinstance(getattr(norm, name, None), nn.Identity | None)
    ]
    return nn.Sequential(OrderedDict([("norm", made), *beside])) if beside else made
