"""Parameters and multiply-adds by both counters against hand counts, written out as they are done on paper.

A matrix of weights is used once for every position (pixel, step, token) that it is applied to. A convolution of k×k from C to D
channels in G groups is such a matrix of k·k·C/G × D for each pixel that comes out, or, transposed, for each that goes in.
"""

import warnings
from collections.abc import Callable

import pytest
import timm
import torch
from timm.layers import PatchEmbed
from torch import Tensor, nn

from nas.profiling import count_layers, second_opinion
from nas.profiling.inputs import Inputs


class Calls(nn.Module):
    """A function as a module, and the modules that it calls."""

    def __init__(self, function: Callable[..., object], *owned: nn.Module) -> None:
        super().__init__()
        self.function = function
        self.owned = nn.ModuleList(owned)

    def forward(self, *given: Tensor) -> object:
        return self.function(*self.owned, *given)


def attend(*shapes: tuple[int, ...], **options: bool) -> tuple[nn.Module, Inputs]:
    """Attention of queries, keys and values of these shapes, (N, heads, positions, size)."""
    return Calls(lambda *qkv: nn.functional.scaled_dot_product_attention(*qkv, **options)), [torch.zeros(s) for s in shapes]


def masked(*shapes: tuple[int, ...], mask: tuple[int, ...]) -> tuple[nn.Module, Inputs]:
    def attention(query: Tensor, key: Tensor, value: Tensor, bias: Tensor) -> Tensor:
        return nn.functional.scaled_dot_product_attention(query, key, value, attn_mask=bias)

    return Calls(attention), [torch.zeros(shape) for shape in (*shapes, mask)]


def contract(equation: str, *shapes: tuple[int, ...]) -> tuple[nn.Module, Inputs]:
    return Calls(lambda *operands: torch.einsum(equation, *operands)), [torch.zeros(shape) for shape in shapes]


def multi_head(query: int, key: int, **options: object) -> tuple[nn.Module, Inputs]:
    """nn.MultiheadAttention over 8 channels and 2 heads, of `query` positions that look at `key` ones."""
    layer = nn.MultiheadAttention(8, 2, batch_first=True, **options)  # type: ignore[arg-type]
    sizes = options.get("kdim", 8), options.get("vdim", 8)
    return layer, [torch.zeros(1, query, 8), *(torch.zeros(1, key, size) for size in sizes)]  # type: ignore[arg-type]


def spectrum(*shape: int) -> Inputs:
    """One example of complex numbers."""
    return torch.zeros(1, *shape, dtype=torch.complex64)


def stft(points: int, hop: int, **options: bool) -> nn.Module:
    return Calls(
        lambda given: torch.stft(
            given, points, hop, window=torch.ones(points, device=given.device), return_complex=True, **options
        )
    )


def packed(cell: nn.Module) -> nn.Module:
    """Of two sequences, of five steps and of three."""

    def run(layer: nn.Module, steps_NLC: Tensor) -> Tensor:
        steps = nn.utils.rnn.pack_padded_sequence(steps_NLC, torch.tensor([5, 3]), batch_first=True)
        return layer(steps)[0].data  # type: ignore[no-any-return]

    return Calls(run, cell)


NORM = 2
"""Parameters of a normalisation, for each channel."""

CASES: dict[str, tuple[nn.Module, Inputs, int, int]] = {
    # convolutions
    "conv1d": (nn.Conv1d(3, 8, 5, padding=2), (3, 20), 5 * 3 * 8 + 8, 20 * 5 * 3 * 8),
    "conv1d strided": (nn.Conv1d(3, 8, 5, stride=2), (3, 20), 5 * 3 * 8 + 8, 8 * 5 * 3 * 8),
    "conv1d dilated": (nn.Conv1d(3, 8, 5, dilation=3), (3, 20), 5 * 3 * 8 + 8, (20 - 12) * 5 * 3 * 8),
    "conv1d grouped": (nn.Conv1d(4, 8, 3, groups=2), (4, 20), 3 * 2 * 8 + 8, 18 * 3 * 2 * 8),
    "conv1d depthwise": (nn.Conv1d(4, 4, 3, padding=1, groups=4, bias=False), (4, 20), 3 * 4, 20 * 3 * 4),
    "conv1d transposed": (nn.ConvTranspose1d(4, 6, 4, stride=2), (4, 10), 4 * 4 * 6 + 6, 10 * 4 * 4 * 6),
    "conv2d": (nn.Conv2d(3, 8, 3, padding=1), (3, 9, 7), 9 * 3 * 8 + 8, 63 * 9 * 3 * 8),
    "conv2d without bias": (nn.Conv2d(3, 8, 3, bias=False), (3, 9, 7), 9 * 3 * 8, 7 * 5 * 9 * 3 * 8),
    "conv2d of a rectangle": (nn.Conv2d(3, 8, (1, 5)), (3, 9, 7), 5 * 3 * 8 + 8, 9 * 3 * 5 * 3 * 8),
    "conv2d strided": (nn.Conv2d(3, 8, 3, stride=2, padding=1), (3, 9, 7), 9 * 3 * 8 + 8, 5 * 4 * 9 * 3 * 8),
    "conv2d dilated": (nn.Conv2d(3, 8, 3, dilation=2), (3, 9, 7), 9 * 3 * 8 + 8, 5 * 3 * 9 * 3 * 8),
    "conv2d grouped": (nn.Conv2d(6, 9, 3, groups=3), (6, 9, 7), 9 * 2 * 9 + 9, 7 * 5 * 9 * 2 * 9),
    "conv2d depthwise": (nn.Conv2d(6, 6, 5, padding=2, groups=6, bias=False), (6, 9, 7), 25 * 6, 63 * 25 * 6),
    "conv2d depthwise, two each": (nn.Conv2d(6, 12, 3, groups=6), (6, 9, 7), 9 * 12 + 12, 7 * 5 * 9 * 12),
    "conv2d pointwise": (nn.Conv2d(6, 12, 1, bias=False), (6, 9, 7), 6 * 12, 63 * 6 * 12),
    "conv2d transposed": (nn.ConvTranspose2d(4, 6, 3, stride=2), (4, 5, 5), 9 * 4 * 6 + 6, 25 * 9 * 4 * 6),
    "conv2d transposed, grouped": (nn.ConvTranspose2d(4, 6, 3, groups=2), (4, 5, 5), 9 * 4 * 3 + 6, 25 * 9 * 4 * 3),
    "conv3d": (nn.Conv3d(2, 4, 3), (2, 6, 6, 6), 27 * 2 * 4 + 4, 64 * 27 * 2 * 4),
    "conv3d depthwise": (nn.Conv3d(4, 4, 3, groups=4, bias=False), (4, 6, 6, 6), 27 * 4, 64 * 27 * 4),
    "conv3d transposed": (nn.ConvTranspose3d(2, 4, 2, stride=2, bias=False), (2, 3, 3, 3), 8 * 2 * 4, 27 * 8 * 2 * 4),
    # matrices
    "linear": (nn.Linear(12, 5), (12,), 12 * 5 + 5, 12 * 5),
    "linear at positions": (nn.Linear(12, 5, bias=False), (7, 12), 12 * 5, 7 * 12 * 5),
    "linear on one vector": (nn.Linear(12, 5), torch.zeros(12), 12 * 5 + 5, 12 * 5),
    "matmul": (Calls(torch.matmul), [torch.zeros(3, 4, 5), torch.zeros(3, 5, 6)], 0, 3 * 4 * 5 * 6),
    "matmul, one for all": (Calls(torch.matmul), [torch.zeros(3, 4, 5), torch.zeros(5, 6)], 0, 3 * 4 * 5 * 6),
    "matmul with a vector": (Calls(torch.matmul), [torch.zeros(4, 5), torch.zeros(5)], 0, 4 * 5),
    "dot": (Calls(torch.dot), [torch.zeros(5), torch.zeros(5)], 0, 5),
    "addmv": (Calls(torch.addmv), [torch.zeros(4), torch.zeros(4, 5), torch.zeros(5)], 0, 4 * 5),
    "addmm": (Calls(torch.addmm), [torch.zeros(4, 6), torch.zeros(4, 5), torch.zeros(5, 6)], 0, 4 * 5 * 6),
    "baddbmm": (Calls(torch.baddbmm), [torch.zeros(3, 4, 6), torch.zeros(3, 4, 5), torch.zeros(3, 5, 6)], 0, 3 * 4 * 5 * 6),
    "addbmm": (Calls(torch.addbmm), [torch.zeros(4, 6), torch.zeros(3, 4, 5), torch.zeros(3, 5, 6)], 0, 3 * 4 * 5 * 6),
    "tensordot": (Calls(lambda a, b: torch.tensordot(a, b, 2)), [torch.zeros(2, 3, 4), torch.zeros(3, 4, 5)], 0, 2 * 12 * 5),
    "einsum": (*contract("bqd,bkd->bqk", (2, 7, 4), (2, 9, 4)), 0, 2 * 7 * 9 * 4),
    "einsum with dots": (*contract("...ij,...jk->...ik", (2, 3, 4, 5), (5, 6)), 0, 2 * 3 * 4 * 5 * 6),
    "einsum without an arrow": (*contract("ij,jk", (4, 5), (5, 6)), 0, 4 * 5 * 6),
    "einsum that sums alone first": (*contract("ij,ik->k", (5, 4), (5, 6)), 0, 5 * 6),
    "einsum of three": (*contract("ij,jk,kl->il", (4, 5), (5, 6), (6, 7)), 0, 4 * 5 * 6 + 4 * 6 * 7),
    "einsum of elements": (*contract("i,j->ij", (4,), (5,)), 0, 0),
    # recurrent cells: gates × state × (input + state) at each step; torch keeps two biases
    "rnn": (nn.RNN(8, 16, batch_first=True), (7, 8), (8 + 16 + 2) * 16, 7 * (8 + 16) * 16),
    "rnn of relu": (nn.RNN(8, 16, nonlinearity="relu", batch_first=True), (7, 8), (8 + 16 + 2) * 16, 7 * (8 + 16) * 16),
    "lstm": (nn.LSTM(8, 16, batch_first=True), (7, 8), 4 * (8 + 16 + 2) * 16, 7 * 4 * (8 + 16) * 16),
    "lstm without bias": (nn.LSTM(8, 16, bias=False, batch_first=True), (7, 8), 4 * (8 + 16) * 16, 7 * 4 * (8 + 16) * 16),
    "lstm of two layers": (
        nn.LSTM(8, 16, num_layers=2, batch_first=True),
        (7, 8),
        4 * (8 + 16 + 2) * 16 + 4 * (16 + 16 + 2) * 16,
        7 * 4 * (8 + 16) * 16 + 7 * 4 * (16 + 16) * 16,
    ),
    "lstm of two directions": (
        nn.LSTM(8, 16, bidirectional=True, batch_first=True),
        (7, 8),
        2 * 4 * (8 + 16 + 2) * 16,
        7 * 2 * 4 * (8 + 16) * 16,
    ),
    "lstm with projection": (  # the state that goes on has 6 numbers, made of 16
        nn.LSTM(8, 16, proj_size=6, batch_first=True),
        (7, 8),
        4 * (8 + 6 + 2) * 16 + 16 * 6,
        7 * (4 * (8 + 6) * 16 + 16 * 6),
    ),
    "lstm of two layers and directions, with projection": (
        nn.LSTM(8, 16, num_layers=2, bidirectional=True, proj_size=6, batch_first=True),
        (7, 8),
        2 * (4 * (8 + 6 + 2) * 16 + 16 * 6) + 2 * (4 * (12 + 6 + 2) * 16 + 16 * 6),
        7 * 2 * (4 * (8 + 6) * 16 + 16 * 6) + 7 * 2 * (4 * (12 + 6) * 16 + 16 * 6),
    ),
    "lstm, packed": (packed(nn.LSTM(8, 16)), torch.zeros(2, 5, 8), 4 * (8 + 16 + 2) * 16, (5 + 3) * 4 * (8 + 16) * 16),
    "gru": (nn.GRU(8, 16, batch_first=True), (7, 8), 3 * (8 + 16 + 2) * 16, 7 * 3 * (8 + 16) * 16),
    "gru of two layers and directions": (
        nn.GRU(8, 16, num_layers=2, bidirectional=True, batch_first=True),
        (7, 8),
        2 * 3 * (8 + 16 + 2) * 16 + 2 * 3 * (32 + 16 + 2) * 16,
        7 * 2 * 3 * (8 + 16) * 16 + 7 * 2 * 3 * (32 + 16) * 16,
    ),
    "gru, packed": (packed(nn.GRU(8, 16)), torch.zeros(2, 5, 8), 3 * (8 + 16 + 2) * 16, (5 + 3) * 3 * (8 + 16) * 16),
    "lstm cell": (nn.LSTMCell(8, 16), (8,), 4 * (8 + 16 + 2) * 16, 4 * (8 + 16) * 16),
    "gru cell": (nn.GRUCell(8, 16), (8,), 3 * (8 + 16 + 2) * 16, 3 * (8 + 16) * 16),
    "rnn cell": (nn.RNNCell(8, 16), (8,), (8 + 16 + 2) * 16, (8 + 16) * 16),
    # attention: each of Q queries meets each of K keys in D numbers, and gathers as many values: 2 · heads · Q · K · D
    "attention": (*attend(*3 * [(1, 2, 7, 4)]), 0, 2 * 2 * 7 * 7 * 4),
    "attention, causal": (*attend(*3 * [(1, 2, 7, 4)], is_causal=True), 0, 2 * 2 * 7 * 7 * 4),
    "attention, cross": (*attend((1, 2, 7, 4), (1, 2, 5, 4), (1, 2, 5, 4)), 0, 2 * 2 * 7 * 5 * 4),
    "attention, values of another size": (*attend((1, 2, 7, 4), (1, 2, 5, 4), (1, 2, 5, 6)), 0, 2 * 7 * 5 * (4 + 6)),
    "attention with a mask": (*masked(*3 * [(1, 2, 7, 4)], mask=(1, 1, 7, 7)), 0, 2 * 2 * 7 * 7 * 4),
    "attention of three axes": (*attend(*3 * [(2, 7, 4)]), 0, 2 * 2 * 7 * 7 * 4),
    "multi-head attention": (  # queries, keys, values; scores and what they gather; out
        *multi_head(7, 7),
        3 * (8 + 1) * 8 + (8 + 1) * 8,
        7 * 3 * 8 * 8 + 2 * (7 * 7 * 4 + 7 * 7 * 4) + 7 * 8 * 8,
    ),
    "multi-head attention, cross": (
        *multi_head(7, 5),
        3 * (8 + 1) * 8 + (8 + 1) * 8,
        7 * 8 * 8 + 5 * 2 * 8 * 8 + 2 * (7 * 5 * 4 + 7 * 5 * 4) + 7 * 8 * 8,
    ),
    "multi-head attention, keys and values of other sizes": (
        *multi_head(7, 5, kdim=6, vdim=3),
        8 * 8 + 6 * 8 + 3 * 8 + 3 * 8 + (8 + 1) * 8,
        7 * 8 * 8 + 5 * 6 * 8 + 5 * 3 * 8 + 2 * (7 * 5 * 4 + 7 * 5 * 4) + 7 * 8 * 8,
    ),
    "encoder layer": (
        nn.TransformerEncoderLayer(8, 2, dim_feedforward=16, batch_first=True),
        (7, 8),
        4 * (8 + 1) * 8 + (8 + 1) * 16 + (16 + 1) * 8 + 2 * NORM * 8,
        7 * 4 * 8 * 8 + 2 * 2 * 7 * 7 * 4 + 7 * 8 * 16 + 7 * 16 * 8,
    ),
    "encoder layer, norm first": (
        nn.TransformerEncoderLayer(8, 2, dim_feedforward=16, batch_first=True, norm_first=True),
        (7, 8),
        4 * (8 + 1) * 8 + (8 + 1) * 16 + (16 + 1) * 8 + 2 * NORM * 8,
        7 * 4 * 8 * 8 + 2 * 2 * 7 * 7 * 4 + 7 * 8 * 16 + 7 * 16 * 8,
    ),
    "decoder layer": (  # attends to itself, then to five others
        nn.TransformerDecoderLayer(8, 2, dim_feedforward=16, batch_first=True),
        [torch.zeros(1, 7, 8), torch.zeros(1, 5, 8)],
        2 * 4 * (8 + 1) * 8 + (8 + 1) * 16 + (16 + 1) * 8 + 3 * NORM * 8,
        7 * 4 * 64 + 2 * 2 * 7 * 7 * 4 + (2 * 7 + 2 * 5) * 64 + 2 * 2 * 7 * 5 * 4 + 7 * 2 * 8 * 16,
    ),
    # Fourier transforms of n points: 2.5 n log2(n), of real numbers 1.25 n log2(n), rounded down for each; of n × m together
    "rfft": (Calls(torch.fft.rfft), (3, 256), 0, 3 * 2_560),
    "rfft, padded": (Calls(lambda given: torch.fft.rfft(given, n=16)), (3, 10), 0, 3 * 80),
    "rfft of points that are no power of two": (Calls(torch.fft.rfft), (2, 12), 0, 2 * 53),  # 1.25 · 12 · 3.585 = 53.77
    "rfft of as many as are given, which is odd": (Calls(lambda given: torch.fft.rfft(given, n=given.shape[-1])), (9,), 0, 35),
    "rfft of twice as many as are given": (Calls(lambda given: torch.fft.rfft(given, n=2 * given.shape[-1])), (8,), 0, 80),
    "irfft": (Calls(torch.fft.irfft), spectrum(3, 129), 0, 3 * 2_560),
    "irfft of an odd number of points": (Calls(lambda given: torch.fft.irfft(given, n=9)), spectrum(3, 5), 0, 3 * 35),  # 35.66
    "fft": (Calls(torch.fft.fft), spectrum(3, 16), 0, 3 * 160),
    "fft of real numbers": (Calls(torch.fft.fft), (3, 16), 0, 3 * 80),
    "ifft": (Calls(torch.fft.ifft), spectrum(3, 16), 0, 3 * 160),
    "fft along another axis": (Calls(lambda given: torch.fft.fft(given, dim=1)), spectrum(4, 3), 0, 3 * 20),
    "hfft": (Calls(torch.fft.hfft), spectrum(3, 9), 0, 3 * 80),
    "ihfft": (Calls(torch.fft.ihfft), (3, 16), 0, 3 * 80),
    "rfft2": (Calls(torch.fft.rfft2), (3, 4, 8), 0, 3 * 200),  # 1.25 · 32 · 5
    "rfft2, padded": (Calls(lambda given: torch.fft.rfft2(given, s=(4, 8))), (3, 3, 5), 0, 3 * 200),
    "irfft2": (Calls(torch.fft.irfft2), spectrum(3, 4, 5), 0, 3 * 200),
    "fft2": (Calls(torch.fft.fft2), spectrum(3, 4, 8), 0, 3 * 400),
    "fft2 of real numbers": (Calls(torch.fft.fft2), (3, 4, 8), 0, 3 * 400),  # torch makes them complex
    "ifft2": (Calls(torch.fft.ifft2), spectrum(3, 4, 8), 0, 3 * 400),
    "rfftn": (Calls(lambda given: torch.fft.rfftn(given, dim=(1, 2, 3))), (2, 4, 8), 0, 480),  # 1.25 · 64 · 6
    "rfftn, padded": (Calls(lambda given: torch.fft.rfftn(given, s=(4, 8))), (3, 3, 5), 0, 3 * 200),
    "irfftn": (Calls(torch.fft.irfftn), spectrum(2, 4, 5), 0, 480),
    "fftn": (Calls(torch.fft.fftn), spectrum(2, 4, 8), 0, 960),
    "ifftn": (Calls(torch.fft.ifftn), spectrum(2, 4, 8), 0, 960),
    "hfft2": (Calls(torch.fft.hfft2), spectrum(4, 5), 0, 5 * 20 + 4 * 30),  # 5 complex ones of 4, then 4 real ones of 8
    "ihfft2": (Calls(torch.fft.ihfft2), (4, 8), 0, 4 * 30 + 5 * 20),
    "stft": (stft(16, 4), (64,), 0, 17 * 80),  # frames about samples 0, 4, …, 64
    "stft of as many points as half of the samples": (
        Calls(lambda given, window: torch.stft(given, given.shape[-1] // 2, 4, window=window, center=False, return_complex=True)),
        [torch.zeros(32), torch.ones(16)],
        0,
        5 * 80,
    ),
    "stft of whole spectra": (stft(16, 4, onesided=False), (64,), 0, 17 * 80),
    "stft, not centred": (stft(16, 4, center=False), (64,), 0, 13 * 80),
    "stft of complex numbers": (stft(16, 4, onesided=False), spectrum(64), 0, 17 * 160),
    # what stands before and between
    "patch embedding": (
        PatchEmbed(img_size=32, patch_size=8, in_chans=3, embed_dim=12),
        (3, 32, 32),
        64 * 3 * 12 + 12,
        16 * 64 * 3 * 12,
    ),
    "embedding": (nn.Embedding(50, 8), torch.zeros(1, 7, dtype=torch.int64), 50 * 8, 0),
    "norms": (nn.Sequential(nn.BatchNorm1d(8), nn.LayerNorm(7), nn.GroupNorm(2, 8)), (8, 7), NORM * (8 + 7 + 8), 0),
    "pooling, activations, sums": (
        nn.Sequential(
            nn.MaxPool2d(2), nn.GELU(), nn.Hardswish(), nn.AdaptiveAvgPool2d(1), nn.Softmax(1), nn.Upsample(scale_factor=2)
        ),
        (3, 8, 8),
        0,
        0,
    ),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")
def test_both_counters_give_what_paper_gives(case: str) -> None:
    module, inputs, params, macs = CASES[case]
    counts = count_layers(module, inputs)
    assert (counts.params, counts.macs, counts.flops) == (params, macs, 2 * macs)
    assert counts.uncounted == {}
    assert second_opinion(module, inputs) == (macs, {})


def test_there_are_at_least_forty_of_them() -> None:
    assert len(CASES) >= 40


@pytest.mark.parametrize("training", [True, False])
def test_an_encoder_layer_counts_alike_in_train_and_eval_mode(training: bool) -> None:
    layer = nn.TransformerEncoderLayer(8, 2, dim_feedforward=16, dropout=0.3, batch_first=True).train(training)
    by_hand = 7 * 4 * 8 * 8 + 2 * 2 * 7 * 7 * 4 + 7 * 8 * 16 + 7 * 16 * 8
    assert count_layers(layer, (7, 8)).macs == second_opinion(layer, (7, 8))[0] == by_hand
    assert all(module.training is training for module in layer.modules())


@pytest.mark.parametrize(
    ("name", "params", "macs", "published_params", "published_gmacs"),
    [
        ("resnet18", 11_689_512, 1_814_073_344, 11.69, 1.81),
        ("mobilenetv3_large_100", 5_483_032, 216_589_760, 5.48, 0.22),
        ("vit_tiny_patch16_224", 5_717_416, 1_253_683_200, 5.72, 1.25),
    ],
)
def test_networks_of_timm_cost_what_is_published(
    name: str, params: int, macs: int, published_params: float, published_gmacs: float
) -> None:
    """Millions of parameters as in timm's results table; billions of multiply-adds as in the papers, rounded.

    Of ViT-Ti, 1.25 is 12 blocks · (12 · 197 · 192² + 2 · 197² · 192) + 196 · 768 · 192 + 192 · 1,000; timm's 1.26 counts five
    more for each number that a layer norm is given, and its 1.08 leaves out what scores and values cost.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # timm's, of what torch will deprecate
        model = timm.create_model(name)
        counts = count_layers(lambda: timm.create_model(name), (3, 224, 224))
    assert (counts.params, counts.macs, counts.uncounted) == (params, macs, {})
    assert second_opinion(model, (3, 224, 224)) == (macs, {})
    assert (round(counts.params / 1e6, 2), round(counts.macs / 1e9, 2)) == (published_params, published_gmacs)
    assert sum(layer.macs for layer in counts.layers) == macs
    assert sum(layer.params for layer in counts.layers) == params


def test_a_vision_transformer_costs_what_its_formula_gives() -> None:
    by_hand = 12 * (12 * 197 * 192**2 + 2 * 197**2 * 192) + 196 * 768 * 192 + 192 * 1_000
    assert count_layers(lambda: timm.create_model("vit_tiny_patch16_224"), (3, 224, 224)).macs == by_hand
