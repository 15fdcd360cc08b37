import math
from typing import Any

import pytest
import torch
from torch import nn
from toy_pictures import BENCHMARK, trunk_of

from nas.benchmark import Image
from nas.errors import BenchmarkError, ModelError
from nas.protocols.masked_patches import Filling, Masked, MaskedPatches
from nas.protocols.pretext import make_pretext
from nas.training import Examples


def masked(kind: str, **options: Any) -> tuple[Masked, torch.Tensor]:
    trunk, body, given = trunk_of(kind)
    module = MaskedPatches(**options).module(trunk, body)
    assert isinstance(module, Masked)
    return module, torch.randn(5, *given.axes, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("kind", ["pictures", "patches", "averaged", "spectrograms"])
def test_any_trunk_that_keeps_places_learns_to_fill_in(kind: str) -> None:
    module, inputs = masked(kind, size=4, hidden=0.5)
    errors = module(inputs)
    assert errors.shape == (5,)
    errors.mean().backward()
    assert all(weight.grad is not None and weight.grad.any() for weight in module.body.parameters() if weight.ndim > 1)


def test_the_error_is_that_of_the_hidden_squares_alone() -> None:
    """By hand, for a trunk that is replaced by what gives nothing, so that the decoder's bias is what is filled in."""
    module, images = masked("pictures", size=4, hidden=0.5)
    nn.init.zeros_(module.decoder.weight)
    nn.init.constant_(module.decoder.bias, 0.25)
    order = torch.tensor([[0.1, 0.9, 0.8, 0.2]]).expand(5, 4)  # of squares in two rows of two, the first and the last are hidden
    hidden = torch.stack([images[:, 0, :4, :4], images[:, 0, 4:, 4:]], dim=1)
    assert torch.allclose(module(images, order), (hidden - 0.25).square().mean(dim=(1, 2, 3)))


def test_hidden_squares_are_not_seen() -> None:
    module, images = masked("pictures", size=4, hidden=0.25)
    seen: list[torch.Tensor] = []
    module.body.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    order = torch.tensor([[0.5, 0.1, 0.9, 0.8]]).expand(5, 4)
    module(images, order)
    expected = images.clone()
    expected[:, :, :4, 4:] = 0
    assert torch.equal(seen[0], expected)


@pytest.mark.parametrize(("hidden", "count"), [(0.01, 1), (0.5, 3), (0.99, 6)])
def test_as_many_squares_are_hidden_as_were_asked_for(hidden: float, count: int) -> None:
    """Two rows of three squares, the last ones cut off by the picture's edge."""
    module, _ = masked("patches", size=4, hidden=hidden)
    kept = module.hide(torch.rand(50, 6))
    assert kept.shape == (50, 1, 8, 10)
    squares = [kept[:, 0, 4 * row, 4 * column] for row in range(2) for column in range(3)]
    assert (torch.stack(squares).sum(dim=0) == count).all()


@pytest.mark.parametrize("kind", ["pictures", "patches"])
def test_each_position_fills_in_its_own_place(kind: str) -> None:
    """A position whose features are its number, and a decoder that repeats them, give a picture of numbers."""
    module, _ = masked(kind)
    rows, columns = module.grid
    nn.init.constant_(module.decoder.weight, 0.0)
    nn.init.constant_(module.decoder.bias, 0.0)
    module.decoder.weight.data[:, 0] = 1.0
    numbers = torch.arange(rows * columns, dtype=torch.float)
    channels = module.decoder.in_features
    if kind == "pictures":
        features = numbers.view(1, 1, rows, columns).expand(1, channels, rows, columns)
    else:
        features = torch.cat([torch.full((1,), 99.0), numbers])[None, :, None].expand(1, -1, channels)
    filled = module.fill(features)[0, 0]
    height, width = (math.ceil(length / size) for length, size in zip(filled.shape, module.grid, strict=True))
    for row in range(filled.shape[0]):
        for column in range(filled.shape[1]):
            assert filled[row, column] == columns * (row // height) + column // width


def test_of_sound_the_spectrogram_is_hidden() -> None:
    module, waveforms = masked("spectrograms")
    assert module.picture == Image(1, 8, 10)
    assert [type(layer).__name__ for layer in module.front] == ["Spectrogram"]
    assert module.front(waveforms).shape == (5, 1, 8, 10)


def test_flops_are_those_of_trunk_and_decoder_counted_by_hand() -> None:
    """A 3×3 convolution of stride 2 from 1 to 4 channels on 8×8; then 16 positions of 4 numbers become 2×2 pixels each."""
    trunk, _, _ = trunk_of("pictures")
    assert MaskedPatches().forward_flops(trunk) == 2 * (9 * 4 * 16 + 16 * 4 * 4)


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("sounds", "^Squares of pictures and of spectrograms are hidden, got a waveform of 400×1 at 8000 Hz; put a `log_mel`"),
        ("vectors", "^Squares of pictures and of spectrograms are hidden, got a vector of 6 features"),
        (
            "pooled",
            "^What was hidden is filled in from an image, or from a sequence of all its patches, got a vector of 4 features;",
        ),
    ],
)
def test_a_trunk_that_cannot_is_refused(kind: str, message: str) -> None:
    trunk, body, _ = trunk_of(kind)
    for ask in (lambda: MaskedPatches().module(trunk, body), lambda: MaskedPatches().forward_flops(trunk)):
        with pytest.raises(ModelError, match=message):
            ask()


@pytest.mark.parametrize(("options", "message"), [({"size": 0}, "size"), ({"hidden": 1.0}, "hidden"), ({"share": 1}, "share")])
def test_a_wrong_option_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(BenchmarkError, match=message):
        make_pretext("masked_patches", options)


def test_what_is_hidden_of_validation_is_the_same_each_time_and_moves_no_generator() -> None:
    module, images = masked("pictures")
    method = Filling(None, BENCHMARK.recipe, MaskedPatches())  # type: ignore[arg-type]
    examples = Examples(images.repeat(4, 1, 1, 1), torch.zeros(20, dtype=torch.long))
    before = torch.get_rng_state()
    one, other = (method.measure(module, examples, "validation", "float32") for _ in range(2))
    assert one == other
    assert one["validation_hidden_mse"] > 0
    assert torch.equal(before, torch.get_rng_state())


def test_a_picture_that_can_be_continued_is_learned_to_be() -> None:
    """Pictures of one grey: the visible squares say what the hidden ones are."""
    torch.manual_seed(0)
    trunk, body, _ = trunk_of("averaged")
    module = MaskedPatches(hidden=0.5).module(trunk, body)
    optimizer = torch.optim.AdamW(module.parameters(), lr=0.01)
    losses = []
    for _ in range(60):
        loss = module(torch.randn(32, 1, 1, 1).expand(32, 1, 8, 10)).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert sum(losses[-5:]) < 0.5 * sum(losses[:5])
