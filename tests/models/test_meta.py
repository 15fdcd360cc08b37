import random
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from nas import registry
from nas.benchmark import Features, Image, Modalities, NextTokens, Query, Sequence, Signature, Tokens, Waveform
from nas.models import build, example, meta
from nas.models.counting import MultiplyAdds
from nas.models.meta import Remembering, weightless
from nas.space import resolve_space

SIGNATURES = {
    "image": Signature(Image(3, 33, 29), Features(7)),
    "sequence": Signature(Sequence(29, 12), Features(9)),
    "tokens": Signature(Tokens(16, 65), NextTokens(16, 65)),
    "waveform": Signature(Waveform(length=4_000, channels=1, rate=8_000), Features(10)),
    "features": Signature(Features(12), Features(3)),
    "modalities": Signature(Modalities.of(image=Image(3, 8, 8), text=Tokens(24, 100), sound=Image(1, 16, 16)), Features(10)),
    "query": Signature(Query(20, 5), Features(20)),
    "image_gan": Signature(Features(12), Image(1, 8, 8)),  # of noise
    "recommender": Signature(Tokens(2, 40), Features(1)),  # a space that gives no next token
    "shipped_texts": Signature(Tokens(24, 30_522), Features(2)),  # of BERT's pieces of words
}


def of_real_transforms(given: torch.Size, axes: list[int], *_: object, **__: object) -> int:
    """FLOPs of Fourier transforms of n points, 2^k of them: 2.5 k n each."""
    points = given[axes[0]]
    return given.numel() * 5 * (points.bit_length() - 1) // 2


LACKING = {torch.ops.aten._fft_r2c: of_real_transforms}
"""Formulas that torch's counter is to be given."""


def empty(*sizes: int, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.empty(*sizes, dtype=dtype, device="meta")


def form(tensor: Tensor) -> tuple[object, ...]:
    return tensor.shape, tensor.stride(), tensor.dtype, tensor.device


def test_a_network_is_built_without_weights_and_without_drawing_any() -> None:
    before = torch.get_rng_state()
    network = weightless(lambda: nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.LSTM(4, 4), nn.Embedding(5, 4)))
    assert all(tensor.is_meta for tensor in network.state_dict().values())
    assert not any(module.training for module in network.modules())
    assert torch.equal(torch.get_rng_state(), before)


def test_weights_that_are_made_on_the_cpu_all_the_same_are_drawn() -> None:
    """As a constructor may do that needs numbers, such as rates that rise from block to block."""
    kept = weightless(lambda: nn.Linear(3, 3, device="cpu"))
    assert kept.weight.device.type == "cpu"
    assert kept.weight.std() > 0
    assert torch.equal(nn.init.ones_(torch.empty(2)), torch.ones(2))


@pytest.mark.parametrize("name", sorted(registry.owners(registry.SEARCH_SPACES)))
def test_remembered_passes_give_the_count_and_the_shape_that_torch_gives(name: str) -> None:
    """Twice, so that the second pass is remembered from the first."""
    space, rng = resolve_space(name), random.Random(3)
    signature = SIGNATURES.get(name, SIGNATURES[space.accepts[0]])
    for _ in range(4):
        architecture = space.sample(rng)
        network = weightless(lambda a=architecture: build(space, a, signature))
        inputs = example(signature.input, "meta", batch_size=2)
        with torch.no_grad(), FlopCounterMode(display=False, custom_mapping=LACKING) as theirs:
            wanted = network(inputs)
        for _ in range(2):
            with torch.no_grad(), Remembering(), MultiplyAdds() as ours:
                given = network(inputs)
            assert 2 * ours.macs == theirs.get_total_flops()
            assert form(given) == form(wanted)


@pytest.mark.parametrize(
    "operator",
    [
        lambda: empty(4, 6).t() @ empty(4, 5),
        lambda: empty(2, 3) + 1,
        lambda: empty(2, 3, dtype=torch.int64) + 1,
        lambda: empty(2, 3, dtype=torch.int64) + 1.0,
        lambda: empty(2, 3, dtype=torch.int64) + True,
        lambda: empty(2, 3).transpose_(0, 1),
        lambda: empty(1, 3).squeeze_(0),
        lambda: empty(2, 3).relu_(),
        lambda: nn.functional.hardswish(empty(2, 3), inplace=True),
        lambda: empty(2, 3).resize_(6),
        lambda: empty(6, 2).unsafe_split(2)[1],
        lambda: empty(6, 2).max(dim=0).indices,
        lambda: torch.cat([empty(2, 3), empty(4, 3)]),
        lambda: torch.stack([empty(2, 3).t(), empty(3, 2)]),
        lambda: nn.functional.conv2d(empty(1, 3, 8, 8).to(memory_format=torch.channels_last), empty(4, 3, 3, 3)),
        lambda: torch.zeros(3).to("meta"),
        lambda: empty(2, 3)[torch.tensor([True, False])],
    ],
)
def test_what_is_remembered_is_what_torch_gives(operator: Callable[[], Tensor]) -> None:
    wanted = form(operator())
    for _ in range(3):
        with Remembering():
            assert form(operator()) == wanted


def test_what_shares_memory_with_its_source_does_so_each_time() -> None:
    for _ in range(3):
        numbers = empty(6, 2)
        with Remembering():
            parts = numbers.unsafe_split(2)
        assert {part.untyped_storage()._cdata for part in parts} == {numbers.untyped_storage()._cdata}


def test_results_that_were_remembered_are_tensors_of_their_own() -> None:
    numbers = empty(2, 3)
    with Remembering():
        first, second, third = (numbers.exp() for _ in range(3))
    assert len({given.untyped_storage()._cdata for given in (first, second, third)}) == 3


def test_gradients_flow_through_what_is_remembered() -> None:
    for _ in range(2):
        layer = nn.Linear(4, 3, device="meta")
        with Remembering():
            layer(empty(2, 4)).relu().sum().backward()
        assert form(layer.weight.grad) == form(layer.weight)


def test_numbers_are_never_remembered() -> None:
    for value in (1.0, 2.0):
        with Remembering():
            assert (torch.full((2,), value) + 1).tolist() == [value + 1] * 2


def test_no_more_is_remembered_than_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(meta, "MOST_REMEMBERED", 5)
    with Remembering():
        for size in range(1, 40):
            empty(size).exp()
    assert len(meta._REMEMBERED) <= 5
