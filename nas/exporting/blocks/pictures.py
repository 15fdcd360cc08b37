"""Blocks on pictures, in plain PyTorch.

Axes: N examples, C channels, H height, W width, L positions.
"""

import torch
from torch import Tensor, nn


class ConvNormAct(nn.Module):
    """Convolution, batch normalisation, activation; stride 1 keeps the picture's size."""

    def __init__(
        self,
        channels: int,
        features: int,
        kernel: int,
        *,
        stride: int = 1,
        dilation: int = 1,
        groups: int = 1,
        bias: bool = False,
        act: type[nn.Module] = nn.Identity,
    ) -> None:
        super().__init__()
        padding = (stride - 1 + dilation * (kernel - 1)) // 2
        self.conv = nn.Conv2d(channels, features, kernel, stride, padding, dilation, groups, bias)
        self.bn = nn.BatchNorm2d(features)
        self.act = act()

    def forward(self, images_NCHW: Tensor) -> Tensor:
        """(N, C, H, W) → (N, features, H / stride, W / stride)."""
        outputs: Tensor = self.act(self.bn(self.conv(images_NCHW)))
        return outputs


class BatchNormAct(nn.BatchNorm2d):
    """Batch normalisation and an activation."""

    def __init__(self, features: int, act: type[nn.Module], *, eps: float = 1e-5) -> None:
        super().__init__(features, eps)
        self.act = act()

    def forward(self, images_NCHW: Tensor) -> Tensor:
        """(N, C, H, W) → (N, C, H, W)."""
        outputs: Tensor = self.act(super().forward(images_NCHW))
        return outputs


class SameConv2d(nn.Conv2d):
    """Convolution of a picture padded as TensorFlow does it: evenly, and what is left over at the right and at the bottom."""

    def forward(self, images_NCHW: Tensor) -> Tensor:
        """(N, C, H, W) → (N, features, H / stride, W / stride), both rounded up."""
        sides = zip(images_NCHW.shape[2:], self.kernel_size, self.stride, self.dilation, strict=True)
        height, width = (max((-(-side // by) - 1) * by + apart * (kernel - 1) + 1 - side, 0) for side, kernel, by, apart in sides)
        padding = (width // 2, width - width // 2, height // 2, height - height // 2)
        return super().forward(nn.functional.pad(images_NCHW, padding))


class SqueezeExcite(nn.Module):
    """Weigh each channel by what all of them are like over the whole picture (Hu et al. 2018, arXiv:1709.01507)."""

    def __init__(self, channels: int, squeezed: int, act: type[nn.Module]) -> None:
        super().__init__()
        self.fc1 = nn.Conv2d(channels, squeezed, 1)
        self.act = act()
        self.fc2 = nn.Conv2d(squeezed, channels, 1)

    def forward(self, images_NCHW: Tensor) -> Tensor:
        """(N, C, H, W) → (N, C, H, W)."""
        means = images_NCHW.mean((2, 3), keepdim=True)
        return images_NCHW * torch.sigmoid(self.fc2(self.act(self.fc1(means))))


class ResidualBlock(nn.Module):
    """Convolutions one after the other beside a shortcut, and the activation of their sum (He et al. 2016, arXiv:1512.03385)."""

    def __init__(
        self,
        *convolutions: nn.Module,
        shortcut: nn.Module | None = None,
        squeeze_excite: nn.Module | None = None,
        act: type[nn.Module],
    ) -> None:
        super().__init__()
        self.names = [f"conv{n}" for n in range(1, len(convolutions) + 1)]
        for name, convolution in zip(self.names, convolutions, strict=True):
            self.add_module(name, convolution)
        self.squeeze_excite = squeeze_excite or nn.Identity()
        self.shortcut = shortcut or nn.Identity()
        self.act = act()

    def forward(self, images_NCHW: Tensor) -> Tensor:
        """(N, C, H, W) → (N, features, H / stride, W / stride)."""
        block = images_NCHW
        for name in self.names:
            block = self.get_submodule(name)(block)
        outputs: Tensor = self.act(self.squeeze_excite(block) + self.shortcut(images_NCHW))
        return outputs


class InvertedResidual(nn.Module):
    """Widen by 1×1, filter each channel by itself, narrow by 1×1; the input is added where the shape stays.

    Sandler et al. 2018, arXiv:1801.04381, fig. 3.
    """

    def __init__(
        self,
        channels: int,
        features: int,
        inside: int,
        kernel: int,
        *,
        stride: int = 1,
        act: type[nn.Module],
        squeeze_excite: nn.Module | None = None,
        same: bool = False,
        eps: float = 1e-5,
    ) -> None:
        super().__init__()
        filters, padding = (SameConv2d, 0) if same else (nn.Conv2d, (stride - 1 + kernel - 1) // 2)
        self.conv_pw = nn.Conv2d(channels, inside, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(inside, eps)
        self.conv_dw = filters(inside, inside, kernel, stride, padding, groups=inside, bias=False)
        self.bn2 = nn.BatchNorm2d(inside, eps)
        self.se = squeeze_excite or nn.Identity()
        self.conv_pwl = nn.Conv2d(inside, features, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(features, eps)
        self.act = act()
        self.adds_input = channels == features and stride == 1

    def forward(self, images_NCHW: Tensor) -> Tensor:
        """(N, C, H, W) → (N, features, H / stride, W / stride)."""
        wide = self.act(self.bn1(self.conv_pw(images_NCHW)))
        filtered = self.se(self.act(self.bn2(self.conv_dw(wide))))
        narrow: Tensor = self.bn3(self.conv_pwl(filtered))
        return narrow + images_NCHW if self.adds_input else narrow


class DepthwiseSeparable(nn.Module):
    """Filter each channel by itself, then mix channels by 1×1; the input is added where the shape stays.

    The inverted residual without its widening (Sandler et al. 2018, arXiv:1801.04381).
    """

    def __init__(
        self,
        channels: int,
        features: int,
        kernel: int,
        *,
        stride: int = 1,
        act: type[nn.Module],
        squeeze_excite: nn.Module | None = None,
        same: bool = False,
        eps: float = 1e-5,
    ) -> None:
        super().__init__()
        filters, padding = (SameConv2d, 0) if same else (nn.Conv2d, (stride - 1 + kernel - 1) // 2)
        self.conv_dw = filters(channels, channels, kernel, stride, padding, groups=channels, bias=False)
        self.bn1 = nn.BatchNorm2d(channels, eps)
        self.act = act()
        self.se = squeeze_excite or nn.Identity()
        self.conv_pw = nn.Conv2d(channels, features, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(features, eps)
        self.adds_input = channels == features and stride == 1

    def forward(self, images_NCHW: Tensor) -> Tensor:
        """(N, C, H, W) → (N, features, H / stride, W / stride)."""
        filtered = self.se(self.act(self.bn1(self.conv_dw(images_NCHW))))
        mixed: Tensor = self.bn2(self.conv_pw(filtered))
        return mixed + images_NCHW if self.adds_input else mixed


class LayerNorm2d(nn.LayerNorm):
    """Layer normalisation over the channels of each pixel."""

    def forward(self, images_NCHW: Tensor) -> Tensor:
        """(N, C, H, W) → (N, C, H, W)."""
        return super().forward(images_NCHW.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class PatchEmbedding(nn.Module):
    """Cut a picture into squares and make a vector of each, row by row (Dosovitskiy et al. 2021, arXiv:2010.11929, eq. 1)."""

    def __init__(self, channels: int, features: int, size: int) -> None:
        super().__init__()
        self.size = size
        self.proj = nn.Conv2d(channels, features, size, stride=size)

    def forward(self, images_NCHW: Tensor) -> Tensor:
        """(N, C, H, W) → (N, L, features); what is no multiple of `size` is filled up with zeros."""
        right, bottom = -images_NCHW.shape[3] % self.size, -images_NCHW.shape[2] % self.size
        patches: Tensor = self.proj(nn.functional.pad(images_NCHW, (0, right, 0, bottom)))
        return patches.flatten(2).transpose(1, 2)
