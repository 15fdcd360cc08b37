"""Scores by name, on networks of real spaces; and that a network which was scored is what it was."""

import math
import random
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from toys import TOY

from benchmarks.digits import BENCHMARK as DIGITS
from nas.benchmark import Benchmark, Budget, Features, NextTokens, Objective, Recipe, Sequence, Signature, Tokens
from nas.device import place
from nas.errors import SearchError
from nas.models import build, cost
from nas.proxies import COSTS, EXAMPLES, NAMES, PROXIES, Batch, Scored, first_batch, score, score_network
from nas.records import SCORES
from nas.space import parse_space, resolve_space
from nas.strategies.surrogate import SurrogateSearch
from nas.training import Classification, Examples, NextToken, Task, load_task

CPU = torch.device("cpu")


def benchmark(name: str, given: Tokens | Sequence, wanted: Features | NextTokens) -> Benchmark:
    return Benchmark(
        name=name,
        version=1,
        summary="Drawn by chance.",
        signature=Signature(given, wanted),
        objectives=(Objective("validation_accuracy", "maximize"),),
        budget=Budget(epochs=1),
        final_budget=Budget(epochs=1),
        recipe=Recipe(batch_size=8, learning_rate=0.01),
        task=f"{__name__}:{name}",
        source="",
        licence="",
    )


def drawn(*shape: int) -> Tensor:
    return torch.randint(1, 11, shape, generator=torch.Generator().manual_seed(0))


def words(_data: Path | None) -> Task:
    return Classification(lambda _: Examples(drawn(80, 12), drawn(80) % 3))


def text(_data: Path | None) -> Task:
    return NextToken(lambda _: Examples(drawn(80, 12), drawn(80, 12)))


def signals(_data: Path | None) -> Task:
    return Classification(lambda _: Examples(torch.sin(drawn(80, 12, 4).float()), drawn(80) % 3))


WORDS = benchmark("words", Tokens(12, 11), Features(3))
TEXT = benchmark("text", Tokens(12, 11), NextTokens(12, 11))
SIGNALS = benchmark("signals", Sequence(12, 4), Features(3))


@pytest.mark.parametrize(
    ("space", "on", "undefined"),
    [
        ("residual_cnn", DIGITS, set()),
        ("cell_cnn", DIGITS, set()),
        ("mobile_cnn", DIGITS, set()),
        ("vision_transformer", DIGITS, {"zen"}),
        ("recurrent", SIGNALS, {"naswot", "zen"}),
        ("recurrent", TEXT, {"naswot", "zen"}),
        ("transformer_encoder", WORDS, {"zen"}),
    ],
)
def test_every_score_is_a_number_or_is_not_defined(space: str, on: Benchmark, undefined: set[str]) -> None:
    found = resolve_space(space)
    scores = score(found, found.sample(random.Random(3)), on)
    assert list(scores) == list(NAMES)
    assert {name for name, value in scores.items() if value is None} == undefined
    assert all(math.isfinite(value) for value in scores.values() if value is not None)


def test_an_lstm_with_dropout_between_its_layers_is_scored_without_chance() -> None:
    text = "name: deep\nversion: 1\naccepts: sequence\nlayers: [lstm: {features: 8, layers: 2, dropout: 0.5}, head]\n"
    space = parse_space(text)
    network = build(space, space.sample(random.Random(0)), SIGNALS.signature, seed=0)
    given = first_batch(load_task(SIGNALS, None), CPU)
    again = Batch(inputs=given.inputs, targets=given.targets, loss=given.loss, seed=1)
    names = ["snip", "grad_norm", "jacob_cov", "synflow"]
    assert score_network(network, names, given) == score_network(network, names, again)


def test_costs_are_those_of_the_formulas() -> None:
    architecture = TOY.sample(random.Random(0))
    reckoned = cost(TOY, architecture, DIGITS.signature)
    assert score(TOY, architecture, DIGITS, COSTS) == {"params": reckoned.params, "flops": reckoned.flops}


def test_equal_seeds_give_equal_scores_and_the_random_state_is_left_as_it_was() -> None:
    architecture = TOY.sample(random.Random(0))
    before = torch.get_rng_state()
    first = score(TOY, architecture, DIGITS, seed=5)
    assert torch.equal(torch.get_rng_state(), before)
    torch.rand(1)
    assert score(TOY, architecture, DIGITS, seed=5) == first
    other = score(TOY, architecture, DIGITS, seed=6)
    assert all(other[name] != first[name] for name in PROXIES)


class Drawing(nn.Module):
    """Draws where a dropout would, even as it validates."""

    def forward(self, inputs: Tensor) -> Tensor:
        return inputs * torch.rand(1)


def test_what_a_module_draws_follows_from_the_seed_too() -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(64, 10), Drawing())
    given = first_batch(load_task(DIGITS, None), CPU)
    assert score_network(network, ["snip"], given) == score_network(network, ["snip"], given)


@pytest.mark.parametrize("name", PROXIES)
def test_a_network_that_was_scored_is_what_it_was(name: str) -> None:
    network = place(build(TOY, TOY.sample(random.Random(2)), DIGITS.signature, seed=0), CPU)
    network.train()
    network[0].eval()
    modes = [module.training for module in network.modules()]
    state = {key: value.clone() for key, value in network.state_dict().items()}
    weights = list(network.parameters())
    score_network(network, [name], first_batch(load_task(DIGITS, None), CPU))
    assert [module.training for module in network.modules()] == modes
    assert all(torch.equal(value, state[key]) for key, value in network.state_dict().items())
    assert all(one is other and one.grad is None for one, other in zip(network.parameters(), weights, strict=True))
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in network.modules())


class Broken(nn.ReLU):
    def forward(self, inputs: Tensor) -> Tensor:
        raise RuntimeError("broken")


@pytest.mark.parametrize("name", PROXIES)
def test_a_network_that_raises_as_it_is_scored_is_what_it_was_too(name: str) -> None:
    network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), Broken())
    with pytest.raises(RuntimeError, match="broken"):
        score_network(network, [name], first_batch(load_task(DIGITS, None), CPU))
    assert all(module.training for module in network.modules())
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in network.modules())


def test_the_batch_is_the_first_training_examples_and_the_loss_the_task_s() -> None:
    task = load_task(DIGITS, None)
    given = first_batch(task, CPU, seed=7)
    train = task.examples("train")
    assert len(given.inputs) == EXAMPLES
    assert torch.equal(given.inputs, train.inputs[:EXAMPLES])
    assert torch.equal(given.targets, train.targets[:EXAMPLES])
    assert given.loss(torch.zeros(EXAMPLES, 10), given.targets).item() == pytest.approx(math.log(10))
    assert given.seed == 7


def test_an_architecture_is_scored_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setitem(PROXIES, "snip", lambda *_: asked.append("snip") or 1.5)  # type: ignore[arg-type, func-returns-value]
    scored = Scored(TOY, DIGITS, ["snip", "params"])
    architecture = TOY.sample(random.Random(0))
    assert scored(architecture) == scored(architecture) == {"snip": 1.5, "params": scored(architecture)["params"]}
    assert asked == ["snip"]


def test_what_is_not_defined_is_no_feature() -> None:
    space = resolve_space("recurrent")
    assert set(Scored(space, SIGNALS, ["naswot", "grad_norm"])(space.sample(random.Random(0)))) == {"grad_norm"}


def test_scores_are_features_of_the_surrogate() -> None:
    sampler = SurrogateSearch(TOY, features=Scored(TOY, DIGITS, ["synflow", "flops"]))
    assert sampler.features is not None
    assert set(sampler.features(TOY.sample(random.Random(0)))) == {"synflow", "flops"}


def test_an_unknown_score_is_refused() -> None:
    with pytest.raises(SearchError, match=r"No score is called 'synflaw'. Did you mean 'synflow'\?"):
        Scored(TOY, DIGITS, ["synflaw"])


def test_the_scores_are_those_that_records_know() -> None:
    assert set(PROXIES) == set(SCORES)
