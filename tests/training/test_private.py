"""Training in private: what a step does by hand, what it costs by opacus' own accountant, and that neither is lost by a kill.

Axes: N examples, L positions, F features.
"""

import copy
import math
import warnings
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from nas.benchmark import Budget, Recipe
from nas.errors import BenchmarkError
from nas.training import Classification, Examples, Method, Ranks, Regression, Tagging, epsilon_of, noise_for, train, unserved
from nas.training.feeding import InMemory
from nas.training.loop import Loop
from nas.training.private import PrivateStepper, make_stepper
from nas.training.stepping import Stepper

opacus = pytest.importorskip("opacus")

CPU = torch.device("cpu")
RECIPE = Recipe(
    batch_size=8,
    learning_rate=0.1,
    optimizer="sgd",
    momentum=0.0,
    weight_decay=0.0,
    schedule="constant",
    warmup=0.0,
    privacy_noise=1.0,
)


def data(count: int = 40, seed: int = 0) -> Examples:
    chance = torch.Generator().manual_seed(seed)
    return Examples(torch.randn(count, 6, generator=chance), torch.randint(3, (count,), generator=chance))


TASK = Classification(lambda _: data())


def perceptron(seed: int = 0) -> nn.Sequential:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(6, 5), nn.LayerNorm(5), nn.ReLU(inplace=True), nn.Dropout(0.2), nn.Linear(5, 3))


def stepper_of(
    model: nn.Module, recipe: Recipe = RECIPE, task: Any = TASK, examples: int = 40, steps: int = 10
) -> PrivateStepper:
    made = make_stepper(model, Method(task, recipe))
    assert isinstance(made, PrivateStepper)
    made.settle(examples, steps)
    return made


def test_a_step_sums_cut_gradients_of_examples_and_divides_by_those_expected() -> None:
    model = perceptron().eval()  # without chance
    before = copy.deepcopy(model)
    examples = data(7)
    clip = 0.5
    step = stepper_of(model, replace(RECIPE, privacy_noise=1e-9, privacy_clip=clip))
    loss = step(examples.inputs, examples.targets)
    wanted = [torch.zeros_like(weight) for weight in before.parameters()]
    for n in range(7):
        one = TASK.loss(before(examples.inputs[n : n + 1]), examples.targets[n : n + 1], 0)
        gradients = torch.autograd.grad(one, list(before.parameters()))
        norm = math.sqrt(sum(float(part.square().sum()) for part in gradients))
        for summed, part in zip(wanted, gradients, strict=True):
            summed += part * min(1.0, clip / norm)
    for weight, old, summed in zip(model.parameters(), before.parameters(), wanted, strict=True):
        torch.testing.assert_close(weight, old - 0.1 * summed / 8)  # batch_size, and not the 7 that came
    torch.testing.assert_close(loss, TASK.loss(before(examples.inputs), examples.targets, 0))


def test_with_room_for_all_gradients_and_no_noise_it_is_an_ordinary_step() -> None:
    private, plain = perceptron().eval(), perceptron().eval()
    examples = data(8)
    stepper_of(private, replace(RECIPE, privacy_noise=1e-9, privacy_clip=1e3))(examples.inputs, examples.targets)
    Stepper(plain, Method(TASK, replace(RECIPE, privacy_noise=None)))(examples.inputs, examples.targets)
    for one, other in zip(private.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-4)


def test_noise_has_the_deviation_that_the_recipe_says() -> None:
    class Still(Regression):
        def loss(self, outputs: Tensor, targets: Tensor, smoothing: float) -> Tensor:
            return 0 * outputs.sum()

    torch.manual_seed(0)
    model = nn.Linear(100, 200, bias=False)
    before = model.weight.detach().clone()
    stepper_of(model, replace(RECIPE, privacy_noise=1.5, privacy_clip=2.0), Still(lambda _: data()))(
        torch.randn(4, 100), torch.zeros(4, 200)
    )
    moved = (model.weight - before).detach()
    assert float(moved.std()) == pytest.approx(0.1 * 1.5 * 2.0 / 8, rel=0.03)  # 20,000 numbers: to 0.5 %
    assert abs(float(moved.mean())) < 4 * float(moved.std()) / math.sqrt(20_000)


def test_batches_are_drawn_example_by_example() -> None:
    step = stepper_of(perceptron(), examples=200)
    batches = step.deal(200, 4_000, torch.Generator().manual_seed(0))
    sizes = torch.tensor([float(len(batch)) for batch in batches])
    assert step.chance == 8 / 200
    assert float(sizes.mean()) == pytest.approx(8, rel=0.03)
    assert float(sizes.var()) == pytest.approx(8 * (1 - 8 / 200), rel=0.1)  # a binomial's
    together = sum(1 for batch in batches if {0, 1} <= set(batch.tolist()))
    assert together == pytest.approx(4_000 * (8 / 200) ** 2, abs=4 * math.sqrt(6.4))  # of two examples each for itself
    assert all(len(batch) == len(set(batch.tolist())) for batch in batches)


def test_a_batch_may_be_empty_and_is_noise_alone() -> None:
    model = perceptron()
    before = copy.deepcopy(model.state_dict())
    step = stepper_of(model)
    assert step(torch.empty(0, 6), torch.empty(0, dtype=torch.long)).item() == 0
    assert step.steps == 1
    assert not torch.equal(model[0].weight, before["0.weight"])


def test_a_training_of_which_many_batches_are_empty_goes_on_to_its_end() -> None:
    few = Examples(data(3).inputs, data(3).targets)
    recipe = replace(RECIPE, batch_size=1, shift=0)
    done = train(perceptron(), Method(TASK, recipe), few, few, budget=Budget(epochs=12), seed=0)
    assert done.ended == "complete"
    assert done.steps == 36


class Mixed(nn.Module):
    """Layers for each of which opacus has a rule, or takes torch.func's way."""

    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(9, 8, padding_idx=0)
        self.place = nn.Parameter(0.1 * torch.randn(6, 8))
        self.conv = nn.Conv1d(8, 8, 3, padding=1, groups=2)
        self.norm = nn.GroupNorm(2, 8)
        self.head = nn.Linear(8, 3)

    def forward(self, ids_NL: Tensor) -> Tensor:
        vectors_NLC = self.words(ids_NL) + self.place
        return self.head(self.norm(self.conv(vectors_NLC.transpose(1, 2))).relu().mean(2))


class Listens(nn.Module):
    """An LSTM, for which opacus has no rule."""

    def __init__(self) -> None:
        super().__init__()
        self.cells = nn.LSTM(1, 4, batch_first=True)
        self.head = nn.Linear(4, 3)

    def forward(self, inputs_NF: Tensor) -> Tensor:
        return self.head(self.cells(inputs_NF.unsqueeze(2))[0][:, -1])


@pytest.mark.parametrize(
    ("model", "by_rules"),
    [(perceptron, True), (Listens, False), (Mixed, True)],
    ids=["perceptron", "LSTM", "weights of its own"],
)
def test_gradients_are_those_of_examples_whichever_way_they_are_taken(model: Any, by_rules: bool) -> None:
    torch.manual_seed(1)
    network = model().eval()
    other = copy.deepcopy(network)
    inputs = torch.randint(0, 9, (5, 6)) if model is Mixed else data(5).inputs
    targets = data(5).targets
    recipe = replace(RECIPE, privacy_noise=1e-9)
    network.train()
    for one in network.modules():
        if isinstance(one, nn.Dropout):
            one.p = 0.0
    step, slow = stepper_of(network, recipe), stepper_of(other, recipe)
    slow.by_rules = False
    step(inputs, targets)
    slow(inputs, targets)
    assert step.by_rules is by_rules
    for one, wanted in zip(network.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(one, wanted, atol=1e-6, rtol=1e-4)


def test_a_network_is_an_ordinary_one_after_training() -> None:
    model = perceptron()
    train(model, Method(TASK, RECIPE), data(), data(), budget=Budget(epochs=1), seed=0)
    assert not any(one._forward_hooks or one._backward_hooks for one in model.modules())
    assert not any(hasattr(weight, "grad_sample") or hasattr(weight, "_forward_counter") for weight in model.parameters())
    copy.deepcopy(model)


def test_where_positions_count_each_examples_loss_is_its_own() -> None:
    """A mean over the positions of a batch would let one example change what another weighs."""
    torch.manual_seed(0)
    network = nn.Linear(2, 3)
    twin = copy.deepcopy(network)
    inputs_NLF = torch.randn(2, 4, 2)
    targets_NL = torch.tensor([[0, 1, 2, 0], [1, -100, -100, -100]])
    task = Tagging(lambda _: data())
    step = stepper_of(network, replace(RECIPE, privacy_noise=1e-9, privacy_clip=1e3), task)
    step(inputs_NLF, targets_NL)
    assert step.by_rules is False
    total = sum(task.loss(twin(inputs_NLF[n : n + 1]), targets_NL[n : n + 1], 0) for n in range(2))
    (wanted,) = torch.autograd.grad(total, [twin.weight])  # type: ignore[arg-type]
    torch.testing.assert_close(network.weight, twin.weight - 0.1 * wanted / 8, atol=1e-6, rtol=1e-4)


def loop_of(model: nn.Module, epochs: int = 3) -> Loop:
    recipe = replace(RECIPE, optimizer="adamw", momentum=0.9, privacy_noise=None, privacy_epsilon=4.0)
    feed = InMemory(data(), CPU)
    return Loop(make_stepper(model, Method(TASK, recipe)), feed, feed, budget=Budget(epochs=epochs), seed=3)


class Stopped(Exception):
    pass


def test_a_training_that_goes_on_has_the_weights_and_the_epsilon_of_one_that_never_stopped() -> None:
    torch.manual_seed(5)
    whole = perceptron()
    torch.manual_seed(7)
    expected = loop_of(whole).run()
    torch.manual_seed(5)
    model = perceptron()
    torch.manual_seed(7)
    kept: list[Any] = []

    def stop(loop: Loop) -> None:
        if loop.at.step == 8:  # inside the second epoch of five batches
            tensors, plain = loop.state()
            kept.extend([{name: value.clone() for name, value in tensors.items()}, copy.deepcopy(plain)])
            raise Stopped

    with pytest.raises(Stopped):
        loop_of(model).run(on_step=stop)
    torch.manual_seed(1234)  # another process
    other = perceptron(9)
    again = loop_of(other)
    again.restore(*kept)
    done = again.run()
    assert done.spent == expected.spent
    assert done.steps == expected.steps == 15
    for name, value in whole.state_dict().items():
        assert torch.equal(other.state_dict()[name], value), name


def test_epsilon_is_opacus_accountants_for_the_steps_that_were_taken() -> None:
    from opacus.accountants import RDPAccountant

    done = train(perceptron(), Method(TASK, RECIPE), data(), data(), budget=Budget(epochs=5, steps=17), seed=0)
    accountant = RDPAccountant()
    for _ in range(17):
        accountant.step(noise_multiplier=1.0, sample_rate=8 / 40)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that a finer grid of orders would tell a smaller ε
        wanted = accountant.get_epsilon(1e-5)
    assert done.steps == 17
    assert done.spent == {"privacy_epsilon": pytest.approx(wanted), "privacy_delta": 1e-5}
    (note,) = done.notes
    assert note.startswith(
        f"In private: ε {wanted:.4g} at δ 1e-05 for 17 steps of Poisson sampling with chance 0.2, noise 1 times"
    )


@pytest.mark.parametrize("epsilon", [0.5, 3.0])
def test_the_noise_for_an_epsilon_spends_it_and_no_more(epsilon: float) -> None:
    noise = noise_for(epsilon, 1e-5, 0.05, 200)
    assert 0.97 * epsilon <= epsilon_of(noise, 0.05, 200, 1e-5) <= epsilon
    done = train(
        perceptron(),
        Method(TASK, replace(RECIPE, privacy_noise=None, privacy_epsilon=epsilon)),
        data(),
        data(),
        budget=Budget(epochs=2),
        seed=0,
    )
    assert 0.97 * epsilon <= done.spent["privacy_epsilon"] <= epsilon


def test_nothing_is_spent_before_the_first_step() -> None:
    assert stepper_of(perceptron()).spent() == {"privacy_epsilon": 0.0, "privacy_delta": 1e-5}


class Normed(nn.Sequential):
    def __init__(self) -> None:
        super().__init__(nn.Linear(6, 3), nn.BatchNorm1d(3), nn.BatchNorm1d(3), nn.BatchNorm1d(3), nn.BatchNorm1d(3))


def test_layers_in_which_examples_see_each_other_are_named_before_training() -> None:
    told = unserved(Normed())
    assert told.startswith("Batches are normalised by 1 (BatchNorm1d), 2 (BatchNorm1d) and 2 more, and in private no example may")
    assert len(told) < 300  # a Record keeps no more
    assert unserved(perceptron()) == ""
    assert unserved(nn.InstanceNorm1d(3)) == ""
    assert unserved(nn.InstanceNorm1d(3, track_running_stats=True))
    with pytest.raises(BenchmarkError, match="no example may see another"):
        make_stepper(Normed(), Method(TASK, RECIPE))


class Two(Method):
    def optimizers(self, trained: nn.Module) -> Any:
        return {name: next(iter(super(Two, self).optimizers(trained).values())) for name in ("one", "other")}


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: make_stepper(perceptron(), Method(TASK, RECIPE), "bfloat16"), "in float32 and by one process"),
        (lambda: make_stepper(perceptron(), Two(TASK, RECIPE)), "of one network by its examples one by one"),
        (
            lambda: stepper_of(perceptron(), replace(RECIPE, privacy_delta=0.05)),
            "below 1/40, one of the training examples, got 0.05",
        ),
        (lambda: noise_for(1e-6, 1e-5, 1.0, 100_000), "No noise lets 100,000 steps spend ε 1e-06 at most"),
        (lambda: replace(RECIPE, privacy_noise=0.0), "privacy_noise is above 0, got 0.0"),
        (lambda: replace(RECIPE, privacy_clip=-1.0), "privacy_clip is above 0, got -1.0"),
        (lambda: replace(RECIPE, privacy_delta=1.0), "privacy_delta lies between 0 and 1, got 1.0"),
        (lambda: replace(RECIPE, privacy_epsilon=3.0), "Noise follows from ε, got privacy_noise 1 and privacy_epsilon 3"),
        (lambda: replace(RECIPE, adversarial="fgsm-linf-0.1"), "both in private and against attacks; leave `adversarial` out"),
        (lambda: replace(RECIPE, teacher="winner/model.pt2"), "no teacher may tell what it learned of examples itself"),
        (lambda: replace(RECIPE, mixup=0.2), "no example may change another's loss; leave `mixup` out"),
    ],
)
def test_what_no_accountant_knows_is_refused(make: Any, message: str) -> None:
    with pytest.raises(BenchmarkError, match=message.replace("(", r"\(")):
        make()


def test_several_processes_are_refused() -> None:
    class Several(Ranks):
        alone = False  # type: ignore[assignment]

    with pytest.raises(BenchmarkError, match="by one process"):
        make_stepper(perceptron(), Method(TASK, RECIPE), ranks=Several())
