"""`nas.training.train` against the same training written out by hand in plain PyTorch.

Same data in memory, same order and augmentation, same optimiser and schedule, validation after every epoch, the memory
layout that `place` chooses, one thread. The weights that come out are equal bit for bit: it is the same work.

Then against the script that most people write: a data set that gives one augmented picture at a time to a DataLoader.
"""

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset
from torchvision.transforms.v2 import RandomCrop
from turns import SideBySide

from nas.benchmark import Benchmark, Budget
from nas.device import place
from nas.models import build
from nas.searching import resolve_benchmark, resolve_space
from nas.space import Value
from nas.training import Examples, Method, Task, load_task, train
from nas.training.augmentation import augment

pytestmark = [pytest.mark.benchmark(group="training loop", timer=time.process_time), pytest.mark.timeout(600)]

SEED = 0
BUDGET = Budget(epochs=1)
CPU = torch.device("cpu")

CONVOLUTIONS: dict[str, Value] = {
    "stem.features": 16,
    "stem.kernel": 3,
    "stem.stride": 2,
    "activation": "silu",
    "stage.times": 1,
    "stage.0.reduce": "pool",
    "stage.0.reduce.pool.kind": "max",
    "stage.0.block.times": 1,
    "stage.0.block.0.kind": "conv",
    "stage.0.width": 64,
    "stage.0.kernel": 3,
    "head.pool": "max",
    "head.dropout": 0,
}
"""10,170 parameters in three layers: what is not computing weighs most here."""

INVERTED_RESIDUALS: dict[str, Value] = {
    "stem.features": 24,
    "stem.kernel": 3,
    "stem.stride": 2,
    "activation": "relu",
    "stage.times": 1,
    "stage.0.reduce": "conv",
    "stage.0.width": 48,
    "stage.0.kernel": 3,
    "stage.0.block.times": 2,
    "stage.0.block.0.kind": "inverted_residual",
    "stage.0.block.0.kind.inverted_residual.expansion": 4,
    "stage.0.squeeze_excite": 0,
    "stage.0.block.1.kind": "inverted_residual",
    "stage.0.block.1.kind.inverted_residual.expansion": 4,
    "head.pool": "average",
    "head.dropout": 0.2,
}
"""53,266 parameters in eight layers, with dropout."""

SMALL_RESIDUALS: dict[str, Value] = {**INVERTED_RESIDUALS, "stage.0.width": 32, "stem.features": 16}

NETWORKS = pytest.mark.parametrize("choices", [pytest.param(CONVOLUTIONS, id="10k"), pytest.param(INVERTED_RESIDUALS, id="53k")])


@dataclass(frozen=True)
class Digits:
    """The benchmark with its data in memory."""

    benchmark: Benchmark
    task: Task
    training: Examples
    validation: Examples

    def network(self, choices: dict[str, Value]) -> nn.Module:
        """A fresh network, placed as a search places it; equal weights every time."""
        space = resolve_space("residual_cnn")
        return place(build(space, space.architecture(choices), self.benchmark.signature, seed=SEED), CPU)


@pytest.fixture(scope="module")
def digits() -> Digits:
    benchmark = resolve_benchmark("digits")
    task = load_task(benchmark, None)
    return Digits(benchmark, task, task.examples("train").to(CPU), task.examples("validation").to(CPU))


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """As a search runs: on small networks a second thread costs more than it brings."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def train_with_nas(model: nn.Module, digits: Digits) -> None:
    train(model, Method(digits.task, digits.benchmark.recipe), digits.training, digits.validation, budget=BUDGET, seed=SEED)


def train_by_hand(model: nn.Module, digits: Digits) -> None:
    recipe = digits.benchmark.recipe
    images_NCHW, labels_N = digits.training.inputs, digits.training.targets
    torch.manual_seed(SEED)
    generator = torch.Generator().manual_seed(SEED)
    optimizer = torch.optim.AdamW(
        [
            {"params": [weight for weight in model.parameters() if weight.ndim > 1]},
            {"params": [weight for weight in model.parameters() if weight.ndim <= 1], "weight_decay": 0.0},
        ],
        lr=recipe.learning_rate,
        weight_decay=recipe.weight_decay,
        fused=True,
    )
    batches = math.ceil(len(labels_N) / recipe.batch_size)
    steps = BUDGET.epochs * batches
    rising = round(recipe.warmup * steps)
    step = 0
    curve = []
    for _ in range(BUDGET.epochs):
        begin = time.perf_counter()
        model.train()
        loss_sum = torch.zeros(())
        for picked in torch.randperm(len(labels_N), generator=generator).tensor_split(batches):
            share = (step + 1) / rising if step < rising else (1 + math.cos(math.pi * (step - rising) / (steps - rising))) / 2
            for group in optimizer.param_groups:
                group["lr"] = recipe.learning_rate * share
            inputs = augment(images_NCHW[picked], recipe, generator)
            loss = functional.cross_entropy(model(inputs), labels_N[picked], label_smoothing=recipe.label_smoothing)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            loss_sum += loss.detach() * len(picked)
            step += 1
        seconds = time.perf_counter() - begin
        curve.append((loss_sum.item() / len(labels_N), *validate_by_hand(model, digits.validation), seconds))


@torch.inference_mode()
def validate_by_hand(model: nn.Module, validation: Examples) -> tuple[float, float]:
    model.eval()
    logits: Tensor = model(validation.inputs)
    accuracy = (logits.argmax(dim=1) == validation.targets).float().mean().item()
    return accuracy, functional.cross_entropy(logits, validation.targets).item()


@NETWORKS
def test_both_sides_reach_the_same_weights(choices: dict[str, Value], digits: Digits) -> None:
    ours, theirs = digits.network(choices), digits.network(choices)
    train_with_nas(ours, digits)
    train_by_hand(theirs, digits)
    begun = digits.network(choices).state_dict()
    for name, weights in ours.state_dict().items():
        assert torch.equal(weights, theirs.state_dict()[name]), name
        assert not torch.equal(weights, begun[name]), name


@NETWORKS
def test_the_loop_costs_what_a_loop_by_hand_costs(
    side_by_side: SideBySide, request: pytest.FixtureRequest, choices: dict[str, Value], digits: Digits
) -> None:
    side_by_side(
        f"nas.training.train / by hand, {request.node.callspec.id} parameters",
        train_with_nas,
        train_by_hand,
        goal=1.03,
        rounds=40,
        prepare=lambda: (digits.network(choices), digits),
    )


class Pictures(Dataset[tuple[Tensor, Tensor]]):
    """One picture at a time, moved by chance, as tutorials have it."""

    def __init__(self, digits: Digits) -> None:
        self.images_NCHW, self.labels_N = digits.training.inputs, digits.training.targets
        shift, side = digits.benchmark.recipe.shift, self.images_NCHW.shape[-1]
        self.move = RandomCrop(side, padding=shift, padding_mode="edge")

    def __len__(self) -> int:
        return len(self.labels_N)

    def __getitem__(self, number: int) -> tuple[Tensor, Tensor]:
        return self.move(self.images_NCHW[number]), self.labels_N[number]


def train_by_script(model: nn.Module, digits: Digits) -> None:
    recipe = digits.benchmark.recipe
    model.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]  # as networks are before one knows better
    torch.manual_seed(SEED)
    loader = DataLoader(Pictures(digits), batch_size=recipe.batch_size, shuffle=True)
    optimizer = torch.optim.AdamW(model.parameters(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay)
    rising = max(1, round(recipe.warmup * len(loader)))
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, recipe.learning_rate, total_steps=len(loader), pct_start=rising / len(loader)
    )
    for _ in range(BUDGET.epochs):
        model.train()
        for images_NCHW, labels_N in loader:
            optimizer.zero_grad()
            loss = functional.cross_entropy(model(images_NCHW), labels_N, label_smoothing=recipe.label_smoothing)
            loss.backward()
            optimizer.step()
            schedule.step()
        validate_by_hand(model, digits.validation)


@pytest.mark.parametrize("choices", [pytest.param(CONVOLUTIONS, id="10k"), pytest.param(SMALL_RESIDUALS, id="34k")])
def test_the_loop_outruns_a_script_with_a_data_loader(
    side_by_side: SideBySide, request: pytest.FixtureRequest, choices: dict[str, Value], digits: Digits
) -> None:
    side_by_side(
        f"nas.training.train / script with a DataLoader, {request.node.callspec.id} parameters",
        train_with_nas,
        train_by_script,
        goal=1 / 1.5,
        rounds=20,
        prepare=lambda: (digits.network(choices), digits),
    )
