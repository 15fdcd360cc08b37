"""What of a pre-trained network learns on, and what it is in the end."""

import pytest
import torch
from torch import nn
from toy_texts import ToyTexts, architecture, benchmark, space, texts

from nas.benchmark import Budget, Recipe
from nas.models import build, plan
from nas.models.layers.fine_tuning import FineTuning
from nas.protocols.adapting import Tuned
from nas.protocols.pretext import Trunk
from nas.training import train

SIGNATURE = benchmark().signature
RECIPE = Recipe(batch_size=8, learning_rate=0.01, warmup=0, schedule="constant")


def halves(seed: int = 0) -> tuple[nn.Sequential, nn.Sequential, nn.Sequential]:
    network = build(space(), architecture(), SIGNATURE, seed=seed)
    trunk = Trunk.of(plan(space(), architecture(), SIGNATURE), SIGNATURE.input)
    return network, trunk.within(network), trunk.beyond(network)


def changed(tuning: FineTuning) -> tuple[nn.Sequential, dict[str, bool]]:
    network, trunk, head = halves()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    tuned = Tuned(trunk, head, tuning)
    method = tuned.method(ToyTexts(), RECIPE, 2)
    train(network, method, texts(24, 0), texts(16, 1), budget=Budget(epochs=2), seed=0)
    tuned.finish()
    after = network.state_dict()
    assert list(after) == list(before), "the network is as it was built"
    assert all(parameter.requires_grad for parameter in network.parameters())
    layers = dict.fromkeys(name.partition(".")[0] for name in before)
    return network, {
        layer: any(not torch.equal(after[name], before[name]) for name in before if name.startswith(f"{layer}."))
        for layer in layers
    }


@pytest.mark.parametrize(
    ("frozen", "learns"), [(0.0, [True] * 4), (0.4, [False, True, True, True]), (1.0, [False, False, False, True])]
)
def test_the_first_layers_stay(frozen: float, learns: list[bool]) -> None:
    network, moved = changed(FineTuning(frozen=frozen))
    assert [name for name, _ in network.named_children()] == ["embedding", "encoder_block", "norm", "head"]
    assert list(moved.values()) == learns


def test_rates_fall_from_the_head_down() -> None:
    _, trunk, head = halves()
    tuned = Tuned(trunk, head, FineTuning(frozen=0.3, rate=0.5, decay=0.1))
    scales = [group["lr_scale"] for group in tuned.groups(RECIPE)]
    assert dict.fromkeys(scales) == {0.5: None, 0.05: None, 1.0: None}
    assert len({id(one) for group in tuned.groups(RECIPE) for one in group["params"]}) == len(
        [*network_parameters(trunk, head)]
    ) - len([*trunk[0].parameters()])


def network_parameters(*halves: nn.Module) -> list[nn.Parameter]:
    return [parameter for half in halves for parameter in half.parameters()]


def test_adapters_alone_learn_and_are_of_their_rank() -> None:
    plain, _, _ = halves()
    network, moved = changed(FineTuning(rank=2))
    assert moved == {"embedding": False, "encoder_block": True, "norm": False, "head": True}
    before, after = plain.state_dict(), network.state_dict()
    for name in before:
        if name.startswith("encoder_block"):
            if name.endswith("weight") and before[name].ndim == 2:
                assert torch.linalg.matrix_rank(after[name] - before[name]) == 2, name
            else:
                assert torch.equal(after[name], before[name]), name


def test_an_adapter_begins_as_nothing_and_ends_in_the_weights() -> None:
    network, trunk, head = halves()
    inputs = texts(4, 0).inputs
    network.eval()
    before = network(inputs)
    tuned = Tuned(trunk, head, FineTuning(rank=3))
    assert torch.equal(network(inputs), before)
    for linear in tuned.adapted:
        nn.init.normal_(linear.parametrizations.weight[0].up)  # type: ignore[union-attr, index]
    adapted = network(inputs)
    tuned.finish()
    assert type(trunk[1].get_submodule("attn.qkv")) is nn.Linear
    torch.testing.assert_close(network(inputs), adapted)


def test_what_stays_drops_nothing_while_the_rest_is_trained() -> None:
    network, trunk, head = halves()
    method = Tuned(trunk, head, FineTuning(frozen=1.0)).method(ToyTexts(), RECIPE, 2)
    examples = texts(8, 0)
    network.train()
    losses = {method.loss(network, examples.inputs, examples.targets).item() for _ in range(3)}
    assert len(losses) == 1
