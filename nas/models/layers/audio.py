"""From sound to a picture of it: spectrograms.

Axes: N examples, L samples, C channels (microphones), T frames, S samples of a frame, B bins of the spectrum, M mel filters.
"""

import math
from typing import Annotated, ClassVar, overload

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from nas.benchmark import Image, Shape, Waveform
from nas.errors import ModelError
from nas.models.fourier import transforms
from nas.models.layers.kind import Cost, LayerKind, Share, looks_back

Milliseconds = Annotated[float, Field(gt=0, le=1_000)]


class LogMel(LayerKind):
    """The logarithm of how much energy each of `mels` bands holds at each moment: a picture of `mels` × frames.

    Frames of `window_ms` under a Hann window, one every `hop_ms`; of each the power spectrum, gathered by overlapping triangles
    that are equally wide on the mel scale (O'Shaughnessy 1987, "Speech Communication", p. 150: 2595 · log10(1 + f / 700)), from
    0 Hz to half the rate. Nothing is trained. Low bands stand at the picture's top, and each channel is a channel.
    """

    accepts: ClassVar[tuple[type[Shape], ...]] = (Waveform,)

    costless: ClassVar[frozenset[str]] = frozenset({"offset"})

    mels: Annotated[int, Field(ge=4, le=256)] = 40
    window_ms: Milliseconds = 25.0
    """Length of a frame."""
    hop_ms: Milliseconds = 10.0
    """From the beginning of a frame to that of the next."""
    offset: Annotated[float, Field(gt=0, le=1_000)] = 0.01
    """Energy, as the mean square of the samples, below which a band counts as silent: it gives log(1 + energy / offset), so
    that silence is 0, which is also what convolutions pad with."""

    def output(self, given: Shape, wanted: Shape) -> Image:
        """A frame for every hop, the last one rounded up.

        Raises:
            ModelError: the next token is wanted, or a frame or hop is shorter than a sample.
        """
        if looks_back(wanted):
            raise ModelError(f"log_mel looks at what comes after each sample, got {wanted}; convolve the waveform by conv1d.")
        assert isinstance(given, Waveform)  # noqa: S101 - the planner has checked `accepts`
        window, hop = self._samples(given)
        if window < 2 or hop < 1:
            raise ModelError(
                f"a frame has at least 2 samples and a hop 1, got {window} and {hop} at {given.rate} Hz; "
                "make window_ms and hop_ms longer."
            )
        return Image(given.channels, self.mels, math.ceil(given.length / hop))

    def cost(self, given: Shape, wanted: Shape) -> Cost:
        """No parameters; multiply-adds of a real Fourier transform for each frame, and of the bands' matrix product."""
        assert isinstance(given, Waveform)  # noqa: S101
        frames, points = given.channels * self.output(given, wanted).width, self._transformed(given)
        return Cost(macs=transforms((frames, points), (1,), real=True) + frames * (points // 2 + 1) * self.mels)

    def build(self, given: Shape, wanted: Shape) -> nn.Module:  # noqa: ARG002
        """Frames, torch's FFT, a matrix product, a logarithm."""
        assert isinstance(given, Waveform)  # noqa: S101
        window, hop = self._samples(given)
        return Spectrogram(given, window, hop, self._transformed(given), self.mels, self.offset)

    def _samples(self, given: Waveform) -> tuple[int, int]:
        """Of a frame and of a hop."""
        return round(self.window_ms * given.rate / 1_000), round(self.hop_ms * given.rate / 1_000)

    def _transformed(self, given: Waveform) -> int:
        """Samples that are transformed: a frame and zeros, as many as make a power of 2 whose bins leave no band empty."""
        lowest = _hertz(_mel(given.rate / 2) / (self.mels + 1))
        return int(2 ** math.ceil(math.log2(max(self._samples(given)[0], given.rate / lowest))))


class Spectrogram(nn.Module):
    """The module of `LogMel`."""

    window_S: Tensor
    filters_BM: Tensor

    def __init__(self, given: Waveform, window: int, hop: int, transformed: int, mels: int, offset: float) -> None:
        super().__init__()
        self.rate, self.hop, self.transformed, self.offset = given.rate, hop, transformed, offset
        missing = (math.ceil(given.length / hop) - 1) * hop + window - given.length
        self.pad = (missing // 2, missing - missing // 2)  # below 0 where hops leave samples out
        window_S = torch.hann_window(window)
        # Divided by what the window lets through, so that noise has the energy of its samples in every bin (Parseval).
        self.register_buffer("window_S", window_S / window_S.square().sum().sqrt(), persistent=False)
        self.register_buffer("filters_BM", mel_filters(given.rate, transformed // 2 + 1, mels), persistent=False)

    def forward(self, samples_NLC: Tensor) -> Tensor:
        """(N, L, C) → (N, C, M, T)."""
        frames_NCTS = functional.pad(samples_NLC.transpose(1, 2), self.pad).unfold(-1, len(self.window_S), self.hop)
        power_NCTB = torch.fft.rfft(frames_NCTS * self.window_S, n=self.transformed).abs().square()
        energy_NCTM = power_NCTB @ self.filters_BM
        image_NCMT: Tensor = (energy_NCTM / self.offset).log1p().transpose(2, 3)
        return image_NCMT.contiguous()

    def extra_repr(self) -> str:
        """Its sizes."""
        return f"window={len(self.window_S)}, hop={self.hop}, mels={self.filters_BM.shape[1]}"


def mel_filters(rate: int, bins: int, mels: int) -> Tensor:
    """Triangles on the frequency axis, (B, M): each rises from the peak before it and falls to the one after, and sums to 1."""
    edges = _hertz(torch.linspace(0, _mel(rate / 2), mels + 2, dtype=torch.float64))
    bins_B1 = torch.linspace(0, rate / 2, bins, dtype=torch.float64)[:, None]
    rising_BM = (bins_B1 - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling_BM = (edges[2:] - bins_B1) / (edges[2:] - edges[1:-1])
    triangles_BM = torch.minimum(rising_BM, falling_BM).clamp(min=0)
    return (triangles_BM / triangles_BM.sum(dim=0)).float()


def _mel(hertz: float) -> float:
    return 2595 * math.log10(1 + hertz / 700)


@overload
def _hertz(mel: float) -> float: ...
@overload
def _hertz(mel: Tensor) -> Tensor: ...
def _hertz(mel: float | Tensor) -> float | Tensor:
    return 700 * (10 ** (mel / 2595) - 1)


class SpectrogramAugment(LayerKind):
    """In training, silence a band of frequencies and a stretch of time of each spectrogram (Park et al. 2019, arXiv:1904.08779).

    One of each, without the warping of time; their places and widths are drawn anew for every spectrogram (sec. 2).
    """

    accepts: ClassVar[tuple[type[Shape], ...]] = (Image,)

    costless: ClassVar[frozenset[str]] = frozenset({"frequency", "time"})

    frequency: Share = 0.2
    """The widest band, as a share of the height; widths are drawn evenly from 0 on."""
    time: Share = 0.2
    """The longest stretch, as a share of the width."""

    def output(self, given: Shape, wanted: Shape) -> Shape:  # noqa: ARG002
        """The shape that it is given."""
        return given

    def cost(self, given: Shape, wanted: Shape) -> Cost:  # noqa: ARG002
        """Nothing that counts."""
        return Cost()

    def plain(self, given: Shape, wanted: Shape) -> LayerKind | None:  # noqa: ARG002
        """Nothing where it silences nothing."""
        return self if self.frequency or self.time else None

    def build(self, given: Shape, wanted: Shape) -> nn.Module:  # noqa: ARG002
        """A mask that is off in evaluation."""
        return Masks(self.frequency, self.time)


class Masks(nn.Module):
    """In training, silences a band of rows and a stretch of columns of each picture (Park et al. 2019, arXiv:1904.08779)."""

    def __init__(self, *shares: float) -> None:
        super().__init__()
        self.shares = shares

    def forward(self, images_NCHW: Tensor) -> Tensor:
        """The same pictures; in training with rows and columns of zeros."""
        if not self.training:
            return images_NCHW
        for axis, share in zip((2, 3), self.shares, strict=True):
            size, draws = images_NCHW.shape[axis], torch.rand(2, len(images_NCHW), 1, device=images_NCHW.device)
            width_N1 = draws[0] * share * size
            place_N1 = draws[1] * (size - width_N1)
            positions = torch.arange(size, device=images_NCHW.device) + 0.5
            silent = (positions >= place_N1) & (positions < place_N1 + width_N1)
            images_NCHW = images_NCHW.masked_fill(silent[:, None, :, None] if axis == 2 else silent[:, None, None, :], 0.0)
        return images_NCHW

    def extra_repr(self) -> str:
        """How much it silences."""
        return "frequency={}, time={}".format(*self.shares)
