import copy
import random
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import weight_norm

from nas.device import place
from nas.models import build, example
from nas.searching import resolve_benchmark, resolve_space
from nas.training import stacking
from nas.training.stacking import Stack, Unstackable, close, find_wholes

Make = Callable[[], nn.Module]
LENGTH, CHANNELS = 6, 8


class Added(nn.Module):
    """Numbers that are learnt, added to each position."""

    def __init__(self) -> None:
        super().__init__()
        self.table_LC = nn.Parameter(torch.randn(LENGTH, CHANNELS))

    def forward(self, inputs_NLC: Tensor) -> Tensor:
        return inputs_NLC + self.table_LC


class Bias(nn.Module):
    """Numbers that are learnt, given whatever the inputs are."""

    def __init__(self) -> None:
        super().__init__()
        self.table_L = nn.Parameter(torch.randn(LENGTH))

    def forward(self) -> Tensor:
        return self.table_L[:, None] - self.table_L


class Biased(nn.Module):
    """Attention to oneself, with a bias for each pair of positions."""

    def __init__(self) -> None:
        super().__init__()
        self.qkv = nn.Linear(CHANNELS, 3 * CHANNELS)
        self.bias = Bias()

    def forward(self, inputs_NLC: Tensor) -> Tensor:
        query, key, value = self.qkv(inputs_NLC).chunk(3, dim=-1)
        return functional.scaled_dot_product_attention(query, key, value, attn_mask=self.bias())


class Attending(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(CHANNELS, 2, batch_first=True)

    def forward(self, inputs_NLC: Tensor) -> Tensor:
        return self.attention(inputs_NLC, inputs_NLC, inputs_NLC, need_weights=False)[0]


class Recurring(nn.Module):
    def __init__(self, cell: type[nn.RNNBase]) -> None:
        super().__init__()
        self.cell = cell(CHANNELS, CHANNELS, batch_first=True, bidirectional=True)

    def forward(self, inputs_NLC: Tensor) -> Tensor:
        states, _ = self.cell(inputs_NLC)
        return states[:, -1] if self.cell.bidirectional else states


class Tied(nn.Module):
    """One matrix used at both ends."""

    def __init__(self) -> None:
        super().__init__()
        self.into = nn.Linear(CHANNELS, CHANNELS, bias=False)
        self.out = nn.Linear(CHANNELS, CHANNELS)
        self.out.weight = self.into.weight

    def forward(self, inputs_NLC: Tensor) -> Tensor:
        return self.out(functional.gelu(self.into(inputs_NLC)))


class Reading(nn.Module):
    """Uses the weights of a module inside, rather than calling it."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Conv1d(CHANNELS, CHANNELS, 3)

    def forward(self, inputs_NLC: Tensor) -> Tensor:
        return functional.conv1d(inputs_NLC.mT, self.inner.weight)


def attention() -> nn.Module:
    return nn.Sequential(Attending(), nn.LayerNorm(CHANNELS), nn.GELU())


def encoder() -> nn.Module:
    return nn.Sequential(Added(), nn.TransformerEncoderLayer(CHANNELS, 2, 16, dropout=0.0, batch_first=True), nn.Flatten())


NETWORKS: dict[str, tuple[Make, tuple[int, ...]]] = {
    "linear": (lambda: nn.Sequential(nn.Linear(CHANNELS, 5), nn.Tanh(), nn.Linear(5, 2, bias=False)), (CHANNELS,)),
    "normalised": (lambda: nn.Sequential(nn.LayerNorm(CHANNELS), nn.LayerNorm(CHANNELS, bias=False)), (LENGTH, CHANNELS)),
    "normalised over two axes": (lambda: nn.Sequential(nn.LayerNorm([LENGTH, CHANNELS]), nn.ReLU()), (LENGTH, CHANNELS)),
    "convolution": (
        lambda: nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(4, 3)),
        (1, 4, 4),
    ),
    "a bare layer": (lambda: nn.Linear(CHANNELS, 2), (CHANNELS,)),
    "a layer of its own weights": (lambda: weight_norm(nn.Linear(CHANNELS, 2)), (CHANNELS,)),
    "positions": (lambda: nn.Sequential(Added(), nn.Linear(CHANNELS, 2)), (LENGTH, CHANNELS)),
    "biased attention": (lambda: nn.Sequential(Biased(), nn.Linear(CHANNELS, 2)), (LENGTH, CHANNELS)),
    "torch's attention": (attention, (LENGTH, CHANNELS)),
    "torch's encoder": (encoder, (LENGTH, CHANNELS)),
    "gru": (lambda: nn.Sequential(Recurring(nn.GRU), nn.ReLU()), (LENGTH, CHANNELS)),
    "lstm": (lambda: nn.Sequential(Recurring(nn.LSTM), nn.ReLU()), (LENGTH, CHANNELS)),
    "tied": (lambda: nn.Sequential(Tied(), nn.Flatten()), (LENGTH, CHANNELS)),
    "a weight that is read": (lambda: nn.Sequential(Reading(), nn.ReLU()), (LENGTH, CHANNELS)),
}


def alike(make: Make, count: int = 3) -> list[nn.Module]:
    """Networks of equal shapes and different weights."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return [make() for _ in range(count)]


def batches(shape: tuple[int, ...], count: int = 3, size: int = 5) -> list[Tensor]:
    generator = torch.Generator().manual_seed(1)
    return [torch.randn(size, *shape, generator=generator) for _ in range(count)]


@pytest.mark.parametrize(("make", "shape"), NETWORKS.values(), ids=NETWORKS.keys())
def test_a_stack_gives_the_outputs_and_the_gradients_of_each_network(make: Make, shape: tuple[int, ...]) -> None:
    """In training mode, so that running means of batch normalisation move too."""
    models, inputs = alike(make), batches(shape)
    alone = copy.deepcopy(models)
    wholes = find_wholes(models, inputs)
    for model in models:
        model.train()
    found = Stack(models, wholes)(torch.cat(inputs))
    expected = torch.cat([model(batch) for model, batch in zip(alone, inputs, strict=True)])
    torch.testing.assert_close(found, expected)
    found.square().sum().backward()
    expected.square().sum().backward()
    for ours, theirs in zip(models, alone, strict=True):
        for (name, mine), weight in zip(ours.named_parameters(), theirs.parameters(), strict=True):
            torch.testing.assert_close(mine.grad, weight.grad, msg=lambda told, name=name: f"{name}: {told}")
        torch.testing.assert_close(list(ours.buffers()), list(theirs.buffers()))


def test_a_stack_has_no_weights_of_its_own() -> None:
    make, _ = NETWORKS["convolution"]
    stack = Stack(alike(make))
    assert not list(stack.parameters())
    assert not list(stack.buffers())


class Seeing(nn.Module):
    """Keeps how many rows it was given."""

    def __init__(self, seen: list[int]) -> None:
        super().__init__()
        self.seen = seen

    def __deepcopy__(self, _: object) -> "Seeing":
        return self

    def forward(self, inputs: Tensor) -> Tensor:
        self.seen.append(len(inputs))
        return inputs


def test_what_has_no_weights_is_called_once_for_all_networks() -> None:
    seen = list[int]()
    models = alike(lambda: nn.Sequential(nn.Linear(CHANNELS, 4), Seeing(seen), nn.Linear(4, 2)))
    Stack(models)(torch.cat(batches((CHANNELS,))))
    assert seen == [15]


@pytest.mark.parametrize(("largest", "rows"), [(16, [15]), (15, [5, 5, 5])])
def test_large_linear_layers_are_called_for_each_network(monkeypatch: pytest.MonkeyPatch, largest: int, rows: list[int]) -> None:
    monkeypatch.setattr(stacking, "LARGEST_JOINED", largest)
    seen = list[int]()
    models = alike(lambda: nn.Sequential(nn.Linear(4, 4), Seeing(seen), nn.Linear(4, 4)))
    found = Stack(models)(torch.cat(batches((4,))))
    assert seen == rows
    expected = torch.cat([model(batch) for model, batch in zip(models, batches((4,)), strict=True)])
    torch.testing.assert_close(found, expected)


def test_what_lies_between_layers_that_are_called_for_each_network_is_called_with_them() -> None:
    """First what is before them, then three times what is between, then what is after."""
    seen = list[int]()
    models = alike(
        lambda: nn.Sequential(
            *(Seeing(seen), nn.Conv2d(1, 2, 3), Seeing(seen), nn.BatchNorm2d(2), Seeing(seen)),
            *(nn.Flatten(), nn.Linear(8, 2)),
        )
    )
    Stack(models)(torch.cat(batches((1, 4, 4))))
    assert seen == [15, 5, 5, 5, 15]


@pytest.mark.parametrize(
    ("name", "wholes"),
    [
        ("convolution", set()),
        ("biased attention", {"0"}),
        ("lstm", set()),
    ],
)
def test_no_more_is_called_as_a_whole_than_must_be(name: str, wholes: set[str]) -> None:
    make, shape = NETWORKS[name]
    assert find_wholes(alike(make), batches(shape)) == wholes


class Centred(nn.Module):
    """Every example less the mean of its batch."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(CHANNELS, 2)

    def forward(self, inputs_NC: Tensor) -> Tensor:
        outputs: Tensor = self.linear(inputs_NC)
        return outputs - outputs.mean(0)


class Counting(nn.Module):
    """Refuses another batch than it knows."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(CHANNELS, 2)

    def forward(self, inputs_NC: Tensor) -> Tensor:
        outputs: Tensor = self.linear(inputs_NC)
        return outputs.view(5, 2)


class Summing(nn.Module):
    """Gives one number for the whole batch."""

    def __init__(self) -> None:
        super().__init__()
        self.weight_C = nn.Parameter(torch.ones(CHANNELS))

    def forward(self, inputs_NC: Tensor) -> Tensor:
        return (inputs_NC * self.weight_C).sum()


class Repeating(nn.Module):
    def forward(self, number: Tensor) -> Tensor:
        return number.expand(5, 1)


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (Centred, r"^an example's output depends on the others of its batch$"),
        (Counting, r"^they are not computed side by side \(RuntimeError: shape '\[5, 2\]' is invalid"),
        (
            lambda: nn.Sequential(nn.Linear(CHANNELS, CHANNELS), Summing(), Repeating()),
            r"^no part of them turns examples into examples$",
        ),
    ],
)
def test_networks_that_cannot_be_stacked_say_why(make: Make, why: str) -> None:
    with pytest.raises(Unstackable, match=why):
        find_wholes(alike(make), batches((CHANNELS,)))


@pytest.mark.parametrize(
    ("space", "benchmark"),
    [
        *((space, "digits") for space in ("macro_cnn", "mobile_cnn", "cell_cnn", "residual_cnn", "vision_transformer")),
        *((space, "japanese_vowels") for space in ("hybrid_sequence", "recurrent", "transformer_encoder")),
        ("transformer_encoder", "tiny_shakespeare"),
        ("audio_cnn", "spoken_digits"),
    ],
)
def test_networks_of_every_space_can_be_stacked(space: str, benchmark: str) -> None:
    signature, declared = resolve_benchmark(benchmark).signature, resolve_space(space)
    architecture = declared.sample(random.Random(0))
    models = [place(build(declared, architecture, signature, seed=seed), torch.device("cpu")) for seed in range(2)]
    one = example(signature.input, torch.device("cpu"))
    inputs = [one.roll(number, -1).repeat(2, *[1] * (one.ndim - 1)) for number in range(2)]
    assert "" not in find_wholes(models, inputs)


@pytest.mark.parametrize(("found", "equal"), [(1.0005, True), (1.002, False), (float("nan"), False)])
def test_close_allows_for_rounding(found: float, equal: bool) -> None:
    assert close(torch.tensor([found, 0.0]), torch.tensor([1.0, 0.0])) is equal
