"""How one network is trained: what a step is, which optimiser moves which part, and what is measured.

    step → moves → each: the loss of a part → its gradients → its optimiser

Supervised learning is one move of one optimiser. An adversary's is several: some of the discriminator, one of the generator.
What a loss draws (noise, masks, negative examples) it draws from torch's global generators, which the loop seeds and a checkpoint
holds, so that equal seeds give equal weights here too.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from nas.benchmark import Recipe
from nas.device import Precision
from nas.training.augmentation import augment
from nas.training.feeding import Feed
from nas.training.hardening import corrupt_some, harden
from nas.training.mixing import mix
from nas.training.optimizing import make_optimizer
from nas.training.task import Counting, Examples, Task
from nas.training.teaching import check_answers, softened, teachers_of
from nas.training.validating import evaluate

Loss = Callable[[nn.Module, Tensor, Tensor], Tensor]
"""What is trained (or what is compiled in its place), inputs and targets on its device → the mean loss of the batch, a scalar."""


@dataclass(frozen=True)
class Move:
    """One step of one optimiser."""

    part: str
    """Whose: a name of `Method.optimizers`."""
    loss: Loss


class Method:
    """Supervised learning of one network by one optimiser; other methods override what they do otherwise."""

    splits: bool = True
    """Whether a batch's loss is the mean of those of its parts, so that a batch that does not fit into memory can be trained in
    parts, and several processes can share it. Not so where examples of a batch are compared with each other; such a method that
    is a `Comparing` can be shared all the same."""
    whole: ClassVar[bool] = True
    """Whether a loss calls what is trained as a whole, on the inputs alone, so that it may be compiled."""

    def __init__(self, task: Task, recipe: Recipe, classes: int = 0) -> None:
        """Of examples that are mixed, the targets become shares of `classes`."""
        self.task = task
        self.recipe = recipe
        self.classes = classes
        self.kept: dict[str, Tensor] = {}
        """What it learned of the training, such as samples; a checkpoint holds it."""

    @property
    def identity(self) -> Mapping[str, Any]:
        """Plain data that tell it from other methods; a training goes on from a checkpoint of an equal one alone."""
        return {"method": type(self).__name__}

    @property
    def effort(self) -> float:
        """What a step costs, as a multiple of a forward and a backward pass over its batch; an attack's step is two of the three
        passes' worth, since weights have no gradients there.
        """
        attack = self.recipe.attack
        return 1 + 2 / 3 * attack.steps if attack is not None else 1

    @property
    def alone(self) -> bool:
        """Whether a step's batch hangs on the network, so that several networks cannot take their steps as one."""
        return type(self) is not Method or self.recipe.attack is not None or self.recipe.teacher is not None

    def optimizers(self, trained: nn.Module) -> Mapping[str, torch.optim.Optimizer]:
        """Part → what moves its parameters, one at least; the first is the one that others may look at.

        A group's `lr_scale` is what its learning rate is, as a share of the recipe's.

        Raises:
            BenchmarkError: the recipe names an optimiser that there is not.
        """
        return {"": make_optimizer(trained, self.recipe)}

    def moves(self, step: int) -> Sequence[Move]:  # noqa: ARG002 - for methods whose steps differ
        """The moves of `step`, counted from 0, in their order; the loss of the last is the curve's."""
        return (Move("", self.loss),)

    def loss(self, network: nn.Module, inputs: Tensor, targets: Tensor) -> Tensor:
        """The task's loss of what the network makes of the inputs, as an attack makes them where the recipe says so.

        Where the recipe names teachers, a share of it is how far the answers are from theirs.
        """
        if self.recipe.attack is not None:
            inputs = harden(network, self.task, inputs, targets, self.recipe.attack)
        answers = network(inputs)
        loss = self.task.loss(answers, targets, self.recipe.label_smoothing)
        if teachers := teachers_of(self.recipe.teacher, inputs.device):
            check_answers(self.task)
            weight = self.recipe.teacher_weight
            loss = (1 - weight) * loss + weight * softened(answers, teachers, inputs, self.recipe.temperature)
        return loss

    def counted(self, targets: Tensor) -> Tensor | None:
        """Over how many things the loss of a batch with these targets is the mean, a scalar on their device; None for examples.

        By it the parts of a batch weigh, so that their losses come to that of the whole.
        """
        if self.recipe.teacher is not None or not isinstance(self.task, Counting):
            return None
        return self.task.counted(targets)

    def prepare(self, inputs: Tensor, targets: Tensor, chance: torch.Generator) -> tuple[Tensor, Tensor]:
        """A batch as it is trained on: augmented, corrupted and mixed, by what is drawn from `chance`, a generator on the CPU.

        What is drawn by `nas.chance` is the same however many processes share a batch.
        """
        inputs = self.augmented(inputs, chance)
        if self.recipe.corrupt:
            inputs = corrupt_some(inputs, self.task, self.recipe.corrupt, chance)
        return mix(inputs, targets, self.classes, self.recipe, chance)

    def augmented(self, inputs: Tensor, chance: torch.Generator) -> Tensor:
        """Inputs as the recipe changes them by chance, which leaves their targets as they are."""
        return augment(inputs, self.recipe, chance)

    def measure(self, trained: nn.Module, examples: Feed | Examples, split: str, precision: Precision) -> dict[str, float]:
        """Figures by name, which begins with the split's: "validation_accuracy". They draw from no generator but their own."""
        return evaluate(trained, self.task, examples, split, precision)
