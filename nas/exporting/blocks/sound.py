"""From sound to a picture of it, in plain PyTorch.

Axes: N examples, L samples, C channels, T frames, S samples of a frame, B bins of the spectrum, M mel filters.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from nas.models.layers.audio import mel_filters


class Spectrogram(nn.Module):
    """The logarithm of how much energy each of `mels` bands holds in each frame; nothing is trained.

    Frames of `window` samples under a Hann window, one every `hop` samples, `pad` zeros (before, after); of each the power
    spectrum of `transformed` points, gathered by triangles that are equally wide on the mel scale.
    """

    window_S: Tensor
    filters_BM: Tensor

    def __init__(
        self, rate: int, *, window: int, hop: int, transformed: int, mels: int, pad: tuple[int, int], offset: float
    ) -> None:
        super().__init__()
        self.hop, self.transformed, self.pad, self.offset = hop, transformed, pad, offset
        window_S = torch.hann_window(window)
        # Divided by what the window lets through, so that noise has the energy of its samples in every bin (Parseval).
        self.register_buffer("window_S", window_S / window_S.square().sum().sqrt(), persistent=False)
        self.register_buffer("filters_BM", mel_filters(rate, transformed // 2 + 1, mels), persistent=False)

    def forward(self, samples_NLC: Tensor) -> Tensor:
        """(N, L, C) → (N, C, M, T)."""
        padded_NCL = functional.pad(samples_NLC.transpose(1, 2), self.pad)
        frames_NCTS = padded_NCL.unfold(-1, len(self.window_S), self.hop)
        spectrum_NCTB = torch.fft.rfft(frames_NCTS * self.window_S, n=self.transformed)
        energy_NCTM = spectrum_NCTB.abs().square() @ self.filters_BM
        image_NCMT: Tensor = (energy_NCTM / self.offset).log1p().transpose(2, 3)
        return image_NCMT.contiguous()
