import math

import pytest
import timm.optim
import torch
from little import RECIPE, examples, linear, network, trained
from torch import nn

from nas.benchmark import Recipe
from nas.errors import BenchmarkError
from nas.training.optimizing import Schedule, make_optimizer, pull_to_zero


def rates(recipe: Recipe, steps: int) -> list[float]:
    optimizer = make_optimizer(network(), recipe)
    schedule = Schedule(optimizer, recipe, steps)
    found = []
    for step in range(steps):
        schedule.set(step)
        assert len({group["lr"] for group in optimizer.param_groups}) == 1
        found.append(optimizer.param_groups[0]["lr"])
    return found


@pytest.mark.parametrize(
    ("step", "share"),
    [
        (0, 1 / 10),
        (4, 5 / 10),
        (9, 1),  # the warm-up ends
        (10, 1),
        (25, (1 + math.cos(math.pi / 6)) / 2),
        (55, 1 / 2),  # half-way down
        (85, (1 + math.cos(5 * math.pi / 6)) / 2),
        (99, (1 + math.cos(math.pi * 89 / 90)) / 2),  # 0.0003; the step after the last would be at 0
    ],
)
def test_the_learning_rate_rises_for_a_tenth_and_falls_by_a_cosine(step: int, share: float) -> None:
    recipe = Recipe(batch_size=16, learning_rate=0.02, warmup=0.1)
    assert rates(recipe, 100)[step] == pytest.approx(0.02 * share)


@pytest.mark.parametrize(("warmup", "shares"), [(0.0, [1, 1, 0.75, 0.25]), (1.0, [0.25, 0.5, 0.75, 1]), (0.5, [0.5, 1, 1, 0.5])])
def test_a_schedule_of_four_steps_by_hand(warmup: float, shares: list[float]) -> None:
    assert rates(Recipe(batch_size=16, learning_rate=1.0, warmup=warmup), 4) == pytest.approx(shares)


@pytest.mark.parametrize("warmup", [0.0, 0.1, 1.0])
def test_a_schedule_of_one_step_trains_at_the_full_rate(warmup: float) -> None:
    assert rates(Recipe(batch_size=16, learning_rate=0.5, warmup=warmup), 1) == [0.5]


@pytest.mark.parametrize(
    ("schedule", "shares"),
    [
        ("constant", [1 / 2, 1, 1, 1, 1, 1, 1, 1]),
        ("linear", [1 / 2, 1, 1, 5 / 6, 4 / 6, 3 / 6, 2 / 6, 1 / 6]),
        ("step", [1 / 2, 1, 1, 1, 0.1, 0.1, 0.01, 0.01]),
        ("multistep", [1 / 2, 1, 1, 1, 1, 0.1, 0.01, 0.01]),  # turns at 3 and 4.5, rounded to 4, of the six steps that are left
        ("poly", [1 / 2, 1, *((1 - done / 6) ** 0.5 for done in range(6))]),
        ("tanh", [1 / 2, 1, *((1 - math.tanh(-7 * (1 - done / 6) + 3 * done / 6)) / 2 for done in range(6))]),
    ],
)
def test_schedules_by_hand(schedule: str, shares: list[float]) -> None:
    """Eight steps, two of them warm-up."""
    recipe = Recipe(batch_size=16, learning_rate=0.3, warmup=0.25, schedule=schedule)
    assert rates(recipe, 8) == pytest.approx([0.3 * share for share in shares], rel=1e-4)


@pytest.mark.parametrize("schedule", ["cosine", "linear", "constant", "step", "multistep", "poly", "tanh"])
def test_the_rate_of_a_step_depends_on_no_other(schedule: str) -> None:
    recipe = Recipe(batch_size=16, learning_rate=0.3, schedule=schedule)
    whole = rates(recipe, 20)
    optimizer = make_optimizer(network(), recipe)
    late = Schedule(optimizer, recipe, 20)
    for step in (13, 3, 19):
        late.set(step)
        assert optimizer.param_groups[0]["lr"] == whole[step]


def test_an_unknown_schedule_is_refused() -> None:
    recipe = Recipe(batch_size=16, learning_rate=0.3, schedule="cosin")
    with pytest.raises(BenchmarkError, match=r"^There is no schedule 'cosin'. Did you mean 'cosine'\? Known: constant, cosine"):
        Schedule(make_optimizer(network(), recipe), recipe, 10)


@pytest.mark.parametrize("name", [name for name in timm.optim.list_optimizers() if name not in {"adamw", "sgd"}])
def test_each_of_timms_optimisers_trains_or_is_refused(name: str) -> None:
    """Some need a package of their own, a GPU, or second derivatives."""
    model = network()
    before = [parameter.detach().clone() for parameter in model.parameters()]
    recipe = Recipe(batch_size=16, learning_rate=1e-3, optimizer=name)
    try:
        make_optimizer(network(), recipe)
    except BenchmarkError as error:
        refused = str(error)
    else:
        refused = ""
        assert trained(model, recipe=recipe).ended == "complete"
    assert refused.startswith((f"The optimiser {name!r} ", f"There is no optimiser {name!r}")) or not all(
        map(torch.equal, before, model.parameters())
    )


def test_most_of_timms_optimisers_can_be_had() -> None:
    for name in ("lamb", "lion", "adafactor", "nadamw", "rmsprop", "radam", "adan", "muon"):
        make_optimizer(network(), Recipe(batch_size=16, learning_rate=1e-3, optimizer=name))


def test_an_unknown_optimiser_is_refused() -> None:
    with pytest.raises(BenchmarkError, match=r"^There is no optimiser 'adamm'. Did you mean 'adam'"):
        make_optimizer(network(), Recipe(batch_size=16, learning_rate=0.1, optimizer="adamm"))


def test_sgd_moves_as_nesterov_says() -> None:
    """With a slope of 1 and momentum 0.9: 1 + 0.9 × 1 at first, then 1 + 0.9 × (1 + 0.9 × 1) (Sutskever et al. 2013, sec. 2)."""
    weight = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(weight.weight)
    recipe = Recipe(batch_size=1, learning_rate=0.1, optimizer="sgd", weight_decay=0.0)
    optimizer = make_optimizer(weight, recipe)
    for _ in range(2):
        weight.weight.grad = torch.ones(1, 1)
        optimizer.step()
    assert weight.weight.item() == pytest.approx(-0.1 * (1.9 + 2.71))


def test_weights_are_pulled_to_zero_by_their_size_and_their_square() -> None:
    weight = nn.Parameter(torch.tensor([[2.0, -3.0, 0.0]]))
    weight.grad = torch.tensor([[1.0, 1.0, 1.0]])
    pull_to_zero([weight], Recipe(batch_size=1, learning_rate=0.1, l1=0.5, l2=0.1))
    assert weight.grad.tolist() == [pytest.approx([1 + 0.5 + 0.2, 1 - 0.5 - 0.3, 1.0])]


@pytest.mark.parametrize("pull", ["l1", "l2"])
def test_a_pull_leaves_biases_and_normalisation(pull: str) -> None:
    """With no gradient but the pull's, only weights move."""
    model = network()
    for parameter in model.parameters():
        parameter.data.fill_(1.0)
    recipe = Recipe(batch_size=40, learning_rate=1e-3, optimizer="sgd", momentum=0.0, weight_decay=0.0, **{pull: 100.0})
    free = network()
    free.load_state_dict(model.state_dict())
    trained(model, recipe=recipe)
    trained(free, recipe=Recipe(batch_size=40, learning_rate=1e-3, optimizer="sgd", momentum=0.0, weight_decay=0.0))
    pairs = zip(model.named_parameters(), free.parameters(), strict=True)
    shrunk = {name: bool((value < other - 0.01).all()) for (name, value), other in pairs}
    assert shrunk == {"0.weight": True, "0.bias": False, "1.weight": False, "1.bias": False, "4.weight": True, "4.bias": False}


def test_the_pull_is_not_in_the_loss_that_is_told() -> None:
    given = {"batch_size": 40, "learning_rate": 0.0}
    plain, pulled = (trained(linear(), recipe=Recipe(**given, l2=strength), on=examples()) for strength in (0.0, 1e3))
    assert plain.curve[0].train_loss == pulled.curve[0].train_loss


def test_weights_are_decayed_and_biases_and_normalisation_are_not() -> None:
    """Without a gradient, AdamW multiplies what it decays by 1 − rate × decay, and leaves the rest."""
    model = network()
    recipe = Recipe(batch_size=16, learning_rate=0.1, weight_decay=0.5)
    before = {name: value.detach().clone() for name, value in model.named_parameters()}
    optimizer = make_optimizer(model, recipe)
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    shrunk = {name: not torch.equal(value, before[name]) for name, value in model.named_parameters() if before[name].any()}
    assert shrunk == {"0.weight": True, "0.bias": False, "1.weight": False, "4.weight": True, "4.bias": False}
    assert torch.allclose(model[0].weight, before["0.weight"] * 0.95)


def test_every_parameter_is_trained() -> None:
    model = network()
    optimizer = make_optimizer(model, RECIPE)
    trained_ones = {id(parameter) for group in optimizer.param_groups for parameter in group["params"]}
    assert trained_ones == {id(parameter) for parameter in model.parameters()}
