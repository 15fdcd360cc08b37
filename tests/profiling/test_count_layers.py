import gc
import weakref
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from nas.benchmark import Features, Image, Sequence, Shape, Tokens
from nas.errors import ModelError
from nas.profiling import Layer, count_layers
from nas.profiling.inputs import batch_of
from nas.profiling.layers import on_meta

FLOAT = 4
"""Bytes."""


class Attending(nn.Module):
    """Work of its own between its layers, as timm's attention has, and a weight of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.qkv = nn.Linear(8, 24)
        self.scale = nn.Parameter(torch.ones(8))

    def forward(self, given_NLC: Tensor) -> Tensor:
        query_NLC, key_NLC, value_NLC = (given_NLC * self.scale, *self.qkv(given_NLC).chunk(3, dim=-1)[1:])
        return (query_NLC @ key_NLC.transpose(1, 2)).softmax(-1) @ value_NLC


def rows(network: nn.Module | Callable[[], nn.Module], size: tuple[int, ...]) -> dict[str, Layer]:
    return {layer.name: layer for layer in count_layers(network, size).layers}


def test_work_between_layers_is_the_share_of_the_module_that_does_it() -> None:
    network = nn.Sequential(Attending(), nn.Flatten(), nn.Linear(56, 3))
    found = rows(network, (7, 8))
    assert list(found) == ["0", "0.qkv", "1", "2"]
    assert (found["0"].macs, found["0"].params) == (2 * 7 * 7 * 8, 8)
    assert (found["0.qkv"].macs, found["0.qkv"].params) == (7 * 8 * 24, 8 * 24 + 24)
    assert (found["2"].macs, found["2"].flops) == (56 * 3, 2 * 56 * 3)
    counts = count_layers(network, (7, 8))
    assert sum(layer.macs for layer in counts.layers) == counts.macs
    assert sum(layer.params for layer in counts.layers) == counts.params


def test_a_row_says_what_its_module_is_and_gives() -> None:
    conv, activation, pool = count_layers(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.MaxPool2d(2)), (3, 10, 8)).layers
    assert conv == Layer(
        name="0",
        kind="Conv2d",
        calls=1,
        output=(1, 4, 8, 6),
        output_bytes=4 * 8 * 6 * FLOAT,
        params=9 * 3 * 4 + 4,
        params_total=9 * 3 * 4 + 4,
        macs=8 * 6 * 9 * 3 * 4,
    )
    assert (activation.kind, activation.output, activation.params, activation.macs) == ("ReLU", (1, 4, 8, 6), 0, 0)
    assert (pool.kind, pool.output) == ("MaxPool2d", (1, 4, 4, 3))


def test_of_several_outputs_the_first_is_told_and_all_are_weighed() -> None:
    """An LSTM gives the states of all steps, the last state, and the last cell."""
    (lstm,) = count_layers(nn.LSTM(8, 16, batch_first=True), (7, 8)).layers
    assert (lstm.name, lstm.output, lstm.output_bytes) == ("", (1, 7, 16), (7 + 1 + 1) * 16 * FLOAT)


def test_a_layer_whose_weights_its_parent_uses_has_them_and_no_calls() -> None:
    found = rows(nn.TransformerEncoderLayer(8, 2, dim_feedforward=16, batch_first=True), (7, 8))
    out = found["self_attn.out_proj"]
    assert (out.calls, out.output, out.output_bytes, out.macs, out.params) == (0, None, 0, 0, 8 * 8 + 8)
    assert found["self_attn"].macs == 7 * 4 * 8 * 8 + 2 * 2 * 7 * 7 * 4
    assert found["self_attn"].params == 3 * 8 * 8 + 3 * 8


def test_a_module_that_runs_twice_has_one_row() -> None:
    layer = nn.Linear(8, 8)
    (row,) = count_layers(nn.Sequential(layer, layer), (8,)).layers
    assert (row.name, row.calls, row.params, row.macs, row.output_bytes) == ("0", 2, 8 * 8 + 8, 2 * 8 * 8, 2 * 8 * FLOAT)


def test_a_weight_of_two_modules_is_the_first_ones() -> None:
    network = nn.Sequential(nn.Linear(8, 8, bias=False), nn.Linear(8, 8, bias=False))
    network[1].weight = network[0].weight
    counts = count_layers(network, (8,))
    assert [layer.params for layer in counts.layers] == [64, 0]
    assert (counts.params, counts.weight_bytes) == (64, {"float32": 64 * FLOAT})


def test_frozen_parameters_count_in_the_total_alone() -> None:
    network = nn.Sequential(nn.Linear(8, 8), nn.Linear(8, 2))
    network[0].requires_grad_(False)
    counts = count_layers(network, (8,))
    assert (counts.params, counts.params_total) == (8 * 2 + 2, 8 * 8 + 8 + 8 * 2 + 2)
    assert [(layer.params, layer.params_total) for layer in counts.layers] == [(0, 72), (18, 18)]


def test_sizes_go_by_the_type_of_number() -> None:
    """Batch normalisation keeps two means of numbers, and how many batches it has seen."""
    counts = count_layers(nn.Sequential(nn.Linear(8, 4, bias=False), nn.BatchNorm1d(4)), (8,))
    assert counts.weight_bytes == {"float32": (8 * 4 + 4 + 4) * 4}
    assert counts.buffer_bytes == {"float32": (4 + 4) * 4, "int64": 8}
    assert counts.size_bytes == (8 * 4 + 4 + 4) * 4 + (4 + 4) * 4 + 8
    half = count_layers(nn.Linear(8, 4).half(), torch.zeros(1, 8, dtype=torch.float16))
    assert (half.weight_bytes, half.size_bytes) == ({"float16": (8 * 4 + 4) * 2}, 72)


@pytest.mark.parametrize(
    ("network", "inputs", "numbers"),
    [
        (nn.Linear(10, 20), (10,), 10 + 20),
        (nn.Sequential(nn.Linear(10, 20), nn.ReLU(), nn.Linear(20, 5)), (10,), 10 + 20 + 20),
        (nn.Sequential(nn.Linear(10, 20), nn.ReLU(inplace=True), nn.Linear(20, 5)), (10,), 10 + 20 + 5),
        (nn.Sequential(*(nn.Sigmoid() for _ in range(9))), (10,), 10 + 10 + 10),
        (nn.Sequential(nn.Conv2d(1, 4, 3), nn.MaxPool2d(2)), (1, 10, 10), 100 + 4 * 64 + 4 * 16 + 2 * 4 * 16),  # and int64 places
        (nn.Sequential(nn.Unflatten(1, (2, 5)), nn.Flatten()), (10,), 10),
        (nn.BatchNorm1d(10), (10,), 10 + 10),  # in inference a batch has no statistics: measured on the CPU, they are empty
        (nn.LayerNorm(10), (10,), 10 + 10 + 1 + 1),  # mean and deviation
        (nn.Embedding(50, 8), torch.zeros(1, 6, dtype=torch.int64), 2 * 6 + 6 * 8),
        (nn.Linear(10, 20), torch.zeros(32, 10), 32 * (10 + 20)),
    ],
)
def test_activations_take_what_is_alive_at_once(network: nn.Module, inputs: tuple[int, ...] | Tensor, numbers: int) -> None:
    assert count_layers(network, inputs).activation_bytes == numbers * FLOAT


def test_a_shortcut_is_alive_while_its_branch_runs() -> None:
    class Residual(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.branch = nn.Sequential(nn.Sigmoid(), nn.Sigmoid(), nn.Sigmoid())

        def forward(self, given: Tensor) -> Tensor:
            hidden = given + 1
            del given
            return hidden + self.branch(hidden)

    assert count_layers(Residual(), (10,)).activation_bytes == (10 + 10 + 2 * 10) * FLOAT


def test_scores_of_attention_are_never_alive() -> None:
    """Queries, keys and values of one matrix, what is gathered, and a logarithm for each position and head."""

    class Attention(nn.Module):
        def forward(self, given_NALD: Tensor) -> Tensor:
            return nn.functional.scaled_dot_product_attention(given_NALD, given_NALD, given_NALD)

    assert count_layers(Attention(), (2, 500, 4)).activation_bytes == (2 * 500 * 4 + 2 * 500 * 4 + 2 * 500) * FLOAT


def test_the_network_that_is_given_stays_as_it_is() -> None:
    network = nn.Sequential(nn.Linear(8, 8), nn.BatchNorm1d(8), nn.Dropout()).train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    count_layers(network, (8,))
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert all(module.training and not module._forward_hooks and not module._forward_pre_hooks for module in network.modules())


def test_no_weight_exists_and_none_is_copied() -> None:
    side = 2**19  # a tebibyte
    assert count_layers(lambda: nn.Linear(side, side, bias=False), (side,)).weight_bytes == {"float32": side**2 * FLOAT}
    with torch.device("meta"):
        built = nn.Linear(side, side, bias=False)
    assert count_layers(built, (side,)).macs == side**2


class Computing(nn.Module):
    """Made with numbers, which meta has not."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(8, int(torch.arange(5).sum().item()))

    def forward(self, given: Tensor) -> Tensor:
        return self.linear(given)  # type: ignore[no-any-return]


def test_a_constructor_that_needs_numbers_is_run_with_them_and_its_network_moved() -> None:
    before = torch.get_rng_state()
    counts = count_layers(Computing, (8,))
    assert (counts.params, counts.macs) == (8 * 10 + 10, 8 * 10)
    assert all(parameter.is_meta for parameter in on_meta(Computing).parameters())
    assert torch.equal(torch.get_rng_state(), before)


def test_tables_that_a_constructor_makes_elsewhere_are_moved() -> None:
    class Table(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("weights", torch.from_numpy(np.ones((8, 3), dtype=np.float32)))

        def forward(self, given: Tensor) -> Tensor:
            return given @ self.weights

    counts = count_layers(Table, (8,))
    assert (counts.macs, counts.buffer_bytes) == (8 * 3, {"float32": 8 * 3 * FLOAT})


def test_a_constructor_that_fails_anywhere_fails() -> None:
    def broken() -> nn.Module:
        raise ValueError("no such layer")

    with pytest.raises(ValueError, match=r"^no such layer$"):
        count_layers(broken, (8,))


def test_a_pass_that_fails_takes_its_hooks_away() -> None:
    with torch.device("meta"):
        network = nn.Linear(8, 8)
    with pytest.raises(RuntimeError):
        count_layers(network, (9,))
    assert not torch.nn.modules.module._global_forward_hooks
    assert not torch.nn.modules.module._global_forward_pre_hooks


def test_a_module_that_is_called_and_not_held_is_the_share_of_its_caller() -> None:
    class Borrowing(nn.Module):
        def forward(self, given: Tensor) -> Tensor:
            return borrowed(given)  # type: ignore[no-any-return]

    with torch.device("meta"):
        borrowed = nn.Linear(8, 4)
    (row,) = count_layers(Borrowing(), (8,)).layers
    assert (row.kind, row.params, row.macs) == ("Borrowing", 0, 8 * 4)


def test_nothing_of_the_network_stays_alive() -> None:
    kept: list[weakref.ref[nn.Module]] = []

    def make() -> nn.Module:
        network = nn.Linear(8, 8)
        kept.append(weakref.ref(network))
        return network

    count_layers(make, (8,))
    gc.collect()
    assert [ref() for ref in kept] == [None]


def test_operators_of_unknown_cost_are_told() -> None:
    class Spectrum(nn.Module):
        def forward(self, given: Tensor) -> Tensor:
            return torch.linalg.svdvals(given)

    assert count_layers(Spectrum(), (8, 3)).uncounted == {"_linalg_svd": 1}


@pytest.mark.parametrize(
    ("shape", "size", "dtype"),
    [
        (Image(3, 7, 5), (2, 3, 7, 5), torch.float32),
        (Sequence(7, 5), (2, 7, 5), torch.float32),
        (Tokens(7, 50), (2, 7), torch.int64),
        (Features(5), (2, 5), torch.float32),
        ((3, 7, 5), (2, 3, 7, 5), torch.float32),
        ([3, 7, 5], (2, 3, 7, 5), torch.float32),
    ],
)
def test_a_shape_or_a_size_becomes_a_batch(shape: Shape, size: tuple[int, ...], dtype: torch.dtype) -> None:
    (batch,) = batch_of(shape, "meta", batch_size=2)
    assert (batch.shape, batch.dtype, batch.is_meta) == (size, dtype, True)


def test_tensors_go_as_they_are() -> None:
    first, second = torch.ones(4, 3), torch.ones(4, 2, dtype=torch.int64)
    assert [given.shape for given in batch_of((first, second), "meta")] == [(4, 3), (4, 2)]
    assert batch_of(first, "cpu") == (first,)


@pytest.mark.parametrize("inputs", [(), (3, 0, 5), (3, True), (3, 5.0), (3, torch.zeros(2))])
def test_other_inputs_are_refused(inputs: tuple[object, ...]) -> None:
    with pytest.raises(
        ModelError, match=r"^Inputs are a shape, the size of one example such as \(3, 224, 224\), or tensors, got "
    ):
        batch_of(inputs, "cpu")  # type: ignore[arg-type]
