"""Figures against hand counts. A convolution of k×k from C to D channels in g groups has k·k·C/g·D weights, and needs that many
multiply-adds for each pixel that comes out; the first factor of each product below is the number of those pixels.
"""

import random

import pytest
import torch
from torch import Tensor, nn

from nas import registry
from nas.benchmark import Features, Image, Modalities, NextTokens, Query, Sequence, Signature, Tokens, Waveform
from nas.models import Cost, build, count, example, layer_kind, parameters
from nas.profiling import count_layers, second_opinion
from nas.space import resolve_space
from search_spaces.residual_cnn import SPACE


@pytest.mark.parametrize(
    ("module", "shape", "expected"),
    [
        (nn.Conv2d(3, 8, 3, padding=1), Image(3, 8, 8), Cost(9 * 3 * 8 + 8, 64 * 9 * 3 * 8)),
        (nn.Conv2d(3, 8, 3), Image(3, 7, 5), Cost(9 * 3 * 8 + 8, 15 * 9 * 3 * 8)),
        (nn.Conv2d(4, 8, 5, stride=2, padding=2, bias=False), Image(4, 8, 8), Cost(25 * 4 * 8, 16 * 25 * 4 * 8)),
        (nn.Conv2d(4, 8, 3, padding=1, groups=2, bias=False), Image(4, 8, 8), Cost(9 * 2 * 8, 64 * 9 * 2 * 8)),
        (nn.Conv2d(8, 8, 3, padding=1, groups=8, bias=False), Image(8, 8, 8), Cost(9 * 8, 64 * 9 * 8)),
        (nn.Conv2d(8, 8, 1, bias=False), Image(8, 1, 1), Cost(8 * 8, 8 * 8)),
        (nn.Sequential(nn.Flatten(), nn.Linear(64, 10)), Image(1, 8, 8), Cost(64 * 10 + 10, 64 * 10)),
        (nn.Linear(8, 3, bias=False), Image(2, 5, 8), Cost(8 * 3, 2 * 5 * 8 * 3)),
        (nn.Sequential(nn.BatchNorm2d(4), nn.ReLU(), nn.AvgPool2d(2)), Image(4, 8, 8), Cost(2 * 4, 0)),
    ],
    ids=["plain", "unpadded", "strided", "grouped", "depthwise", "1x1", "linear", "linear-on-rows", "nothing-counted"],
)
def test_an_operator_costs_what_it_does_on_paper(module: nn.Module, shape: Image, expected: Cost) -> None:
    assert count(lambda: module.to("meta"), shape) == expected


NORM = 2
"""Parameters of batch normalisation, for each channel."""


@pytest.mark.parametrize(
    ("kind", "options", "channels", "expected"),
    [
        ("conv", {"features": 6, "kernel": 5, "stride": 2, "groups": 2}, 4, Cost(25 * 2 * 6 + NORM * 6, 16 * 25 * 2 * 6)),
        ("residual", {"features": 8}, 8, Cost(2 * (9 * 8 * 8 + NORM * 8), 2 * 64 * 9 * 8 * 8)),
        (
            "residual",  # the squeeze of 32 × 0.5 = 16 channels sees one pixel; the shortcut is 1×1
            {"features": 32, "stride": 2, "squeeze_excite": 0.5},
            8,
            Cost(
                (9 * 8 * 32 + NORM * 32) + (9 * 32 * 32 + NORM * 32) + (32 * 16 + 16) + (16 * 32 + 32) + (8 * 32 + NORM * 32),
                16 * 9 * 8 * 32 + 16 * 9 * 32 * 32 + 32 * 16 + 16 * 32 + 16 * 8 * 32,
            ),
        ),
        (
            "inverted_residual",  # 8 → 32 → 32 depthwise, squeezed to 32 × 0.5 = 16 → 8
            {"features": 8, "expansion": 4, "squeeze_excite": 0.5},
            8,
            Cost(
                (8 * 32 + NORM * 32) + (9 * 32 + NORM * 32) + (32 * 16 + 16) + (16 * 32 + 32) + (32 * 8 + NORM * 8),
                64 * 8 * 32 + 64 * 9 * 32 + 32 * 16 + 16 * 32 + 64 * 32 * 8,
            ),
        ),
        (
            "inverted_residual",  # the stride is the depthwise convolution's
            {"features": 24, "expansion": 2, "kernel": 5, "stride": 2},
            16,
            Cost(
                (16 * 32 + NORM * 32) + (25 * 32 + NORM * 32) + (32 * 24 + NORM * 24),
                64 * 16 * 32 + 16 * 25 * 32 + 16 * 32 * 24,
            ),
        ),
        (
            "inverted_residual",  # nothing is widened
            {"features": 24, "expansion": 1},
            16,
            Cost((9 * 16 + NORM * 16) + (16 * 24 + NORM * 24), 64 * 9 * 16 + 64 * 16 * 24),
        ),
        ("squeeze_excite", {"ratio": 0.5}, 32, Cost((32 * 16 + 16) + (16 * 32 + 32), 32 * 16 + 16 * 32)),
        ("pool", {}, 16, Cost(0, 0)),
        ("head", {}, 16, Cost(16 * 10 + 10, 16 * 10)),
    ],
)
def test_a_layer_costs_what_it_does_on_paper(kind: str, options: dict[str, object], channels: int, expected: Cost) -> None:
    picture = Image(channels, 8, 8)
    assert count(lambda: layer_kind(kind)(**options).build(picture, Features(10)), picture) == expected


def test_a_whole_architecture_costs_what_it_does_on_paper() -> None:
    """On 1×8×8: stem 5×5 to 16×8×8; a stage that halves to 24×4×4 and has one residual and one inverted-residual block."""
    architecture = SPACE.architecture(
        {
            "stem.features": 16,
            "stem.kernel": 5,
            "stem.stride": 1,
            "activation": "silu",
            "stage.times": 1,
            "stage.0.reduce": "conv",
            "stage.0.width": 24,
            "stage.0.kernel": 3,
            "stage.0.block.times": 2,
            "stage.0.block.0.kind": "residual",
            "stage.0.squeeze_excite": 0,
            "stage.0.block.1.kind": "inverted_residual",
            "stage.0.block.1.kind.inverted_residual.expansion": 2,
            "head.pool": "average",
            "head.dropout": 0.2,
        }
    )
    stem = 25 * 1 * 16
    reduce = 9 * 16 * 24
    residual = 2 * 9 * 24 * 24
    inverted_residual = 24 * 48 + 9 * 48 + 48 * 24
    head = 24 * 10
    norms = NORM * (16 + 24 + 2 * 24 + (48 + 48 + 24))
    assert count(lambda: build(SPACE, architecture, Signature(Image(1, 8, 8), Features(10))), Image(1, 8, 8)) == Cost(
        stem + reduce + residual + inverted_residual + head + 10 + norms,
        64 * stem + 16 * (reduce + residual + inverted_residual) + head,
    )


class Rows(nn.Module):
    """Feeds the rows of an image of one channel to a layer for sequences: (N, 1, H, W) → (N, H, …)."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, images_NCHW: Tensor) -> Tensor:
        rows_NHW = images_NCHW.flatten(1, 2)
        attends = isinstance(self.layer, nn.MultiheadAttention)
        outputs: tuple[Tensor, ...] = self.layer(rows_NHW, rows_NHW, rows_NHW) if attends else self.layer(rows_NHW)
        return outputs[0]


@pytest.mark.parametrize(
    ("layer", "expected"),
    [
        (nn.LSTM(8, 16, batch_first=True), Cost(4 * (8 + 16 + 2) * 16, 7 * 4 * (8 + 16) * 16)),
        (
            nn.GRU(8, 16, num_layers=2, bidirectional=True, batch_first=True),
            Cost(2 * 3 * (8 + 16 + 2) * 16 + 2 * 3 * (32 + 16 + 2) * 16, 7 * 2 * 3 * (8 + 16) * 16 + 7 * 2 * 3 * (32 + 16) * 16),
        ),
        (
            nn.MultiheadAttention(8, 2, batch_first=True),  # queries, keys, values; 7×7 scores and their sums of values; out
            Cost(3 * (8 + 1) * 8 + (8 + 1) * 8, 7 * 3 * 8 * 8 + 2 * (7 * 7 * 4 + 7 * 7 * 4) + 7 * 8 * 8),
        ),
    ],
    ids=["lstm", "gru", "attention"],
)
def test_layers_for_sequences_cost_what_they_do_on_paper(layer: nn.Module, expected: Cost) -> None:
    """Seven steps of eight features; four gates an LSTM cell, three a GRU cell."""
    assert count(lambda: Rows(layer).to("meta"), Image(1, 7, 8)) == expected


def test_the_second_counter_agrees_on_random_architectures() -> None:
    rng = random.Random(0)
    for _ in range(15):
        architecture = SPACE.sample(rng)
        model = build(SPACE, architecture, Signature(Image(1, 8, 8), Features(10)), seed=0)  # whose weights fit any size
        for picture in (Image(1, 8, 8), Image(1, 28, 28)):
            counted = count(lambda a=architecture, p=picture: build(SPACE, a, Signature(p, Features(10))), picture)
            assert counted.flops == 2 * counted.macs
            theirs, _ = second_opinion(model, picture)
            assert theirs == counted.macs, architecture.choices


def test_the_second_counter_agrees_on_grouped_convolutions() -> None:
    grouped = nn.Conv2d(8, 12, 3, stride=2, padding=1, groups=4)
    assert second_opinion(grouped, Image(8, 7, 5))[0] == 12 * 9 * 2 * 12


class Unknown(nn.Module):
    """A product, and operators of whose cost neither counter knows."""

    def forward(self, images_NCHW: Tensor) -> Tensor:
        squares_NCHW: Tensor = Squares.apply(images_NCHW)  # type: ignore[no-untyped-call]
        return torch.linalg.svdvals(torch.cdist(squares_NCHW @ images_NCHW, images_NCHW)).sigmoid()


class Squares(torch.autograd.Function):
    @staticmethod
    def forward(_: object, given: Tensor) -> Tensor:
        return given * given


def test_operators_of_unknown_cost_are_listed_and_those_that_cost_nothing_are_not() -> None:
    assert second_opinion(Unknown(), Image(1, 8, 8)) == (
        8 * 8 * 8,
        {"cdist": 1, "linalg_svdvals": 1, "prim::PythonOp.Squares": 1},
    )


class Sound(nn.Module):
    """Samples out of spectra."""

    def forward(self, real_NBT: Tensor) -> Tensor:
        return torch.istft(torch.complex(real_NBT, real_NBT), n_fft=16, window=torch.ones(16))


def test_samples_out_of_spectra_of_frames_are_listed() -> None:
    assert second_opinion(Sound(), (9, 8)) == (0, {"istft": 1})


def test_the_fused_path_of_attention_is_off_while_it_is_traced_and_on_again_afterwards() -> None:
    seen = []
    layer = nn.TransformerEncoderLayer(8, 2, dim_feedforward=16, batch_first=True)
    layer.register_forward_hook(lambda *_: seen.append(torch.backends.mha.get_fastpath_enabled()))
    second_opinion(Rows(layer), Image(1, 7, 8))
    assert seen == [False]
    assert torch.backends.mha.get_fastpath_enabled()


def test_a_pass_that_fails_leaves_mode_and_fast_path_as_they_were() -> None:
    layer = nn.TransformerEncoderLayer(8, 2, dim_feedforward=16, batch_first=True).train()
    with pytest.raises(AssertionError, match="embedding dimension"):
        second_opinion(layer, (7, 9))
    assert layer.training
    assert torch.backends.mha.get_fastpath_enabled()


def test_a_part_in_another_mode_than_the_network_stays_in_it() -> None:
    network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2)).train()
    network[1].eval()
    second_opinion(network, Image(1, 8, 8))
    assert [module.training for module in network] == [True, False]


SPACES = sorted(registry.owners(registry.SEARCH_SPACES))

SIGNATURES = {
    "image": [Signature(Image(1, 8, 8), Features(10)), Signature(Image(3, 33, 29), Features(7))],
    "sequence": [Signature(Sequence(29, 12), Features(9))],
    "tokens": [Signature(Tokens(24, 100), Features(2)), Signature(Tokens(16, 65), NextTokens(16, 65))],
    "waveform": [Signature(Waveform(length=4_000, channels=1, rate=8_000), Features(10))],
    "features": [Signature(Features(12), Features(3))],
    "modalities": [Signature(Modalities.of(image=Image(3, 8, 8), text=Tokens(24, 100), sound=Image(1, 16, 16)), Features(10))],
    "query": [Signature(Query(20, 5), Features(20))],
    "image_gan": [Signature(Features(12), Image(1, 8, 8))],  # of noise
    "recommender": [Signature(Tokens(2, 40), Features(1))],  # a space that gives no next token
    "shipped_texts": [Signature(Tokens(24, 30_522), Features(2))],  # of BERT's pieces of words
}


@pytest.mark.parametrize("name", SPACES)
def test_both_counters_agree_on_every_space_and_know_every_operator(name: str) -> None:
    space, rng = resolve_space(name), random.Random(5)
    kinds = [name] if name in SIGNATURES else space.accepts
    signatures = [signature for kind in kinds for signature in SIGNATURES[kind]]
    for n in range(10):
        architecture, signature = space.sample(rng), signatures[n % len(signatures)]
        counts = count_layers(lambda a=architecture, s=signature: build(space, a, s), signature.input)
        macs, unknown = second_opinion(build(space, architecture, signature, seed=0), signature.input)
        assert macs == counts.macs, architecture.choices
        assert (unknown, counts.uncounted) == ({}, {})


@pytest.mark.parametrize("training", [True, False])
def test_counting_leaves_mode_weights_and_running_statistics_as_they_are(training: bool) -> None:
    picture = Image(1, 8, 8)
    architecture = SPACE.sample(random.Random(1))
    model = build(SPACE, architecture, Signature(picture, Features(10)), seed=0).train(training)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    second_opinion(model, picture)
    assert model.training is training
    assert all(module.training is training for module in model.modules())
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert not any(module._forward_hooks for module in model.modules())


def test_counting_draws_no_random_number() -> None:
    picture, before = Image(1, 8, 8), torch.get_rng_state()
    architecture = SPACE.sample(random.Random(1))
    count(lambda: build(SPACE, architecture, Signature(picture, Features(10))), picture)
    assert torch.equal(torch.get_rng_state(), before)


def test_counting_makes_no_weight() -> None:
    """A linear layer of a tebibyte costs nothing to count."""
    side = 2**19
    assert count(lambda: nn.Linear(side, side, bias=False), Image(1, 1, side)) == Cost(side**2, side**2)


def test_a_parameter_in_two_places_counts_once_and_a_frozen_one_does_not() -> None:
    model = nn.Sequential(nn.Linear(4, 4, bias=False), nn.Linear(4, 4, bias=False), nn.Linear(4, 2))
    model[1].weight = model[0].weight
    model[2].bias.requires_grad_(False)
    assert parameters(model) == 4 * 4 + 4 * 2


def test_an_example_is_a_batch_of_zeros() -> None:
    assert torch.equal(example(Image(3, 7, 5), "cpu", batch_size=2), torch.zeros(2, 3, 7, 5))
