"""Distillation: a smaller network learns from trained ones what they answer, beside what is right.

loss = (1 − weight) · the task's own + weight · T² · KL(teachers' answers, softened by T ‖ its own)    (Hinton et al. 2015)
     + features · mean square of (what a linear map makes of its last features − the teacher's)        (Romero et al. 2015)
"""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, cast

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from nas.benchmark import Budget, NextTokens, Signature
from nas.benchmark import Features as Vector
from nas.compression.narrowing import narrower
from nas.errors import BenchmarkError
from nas.space import Architecture, Space
from nas.training import Derivation, Lineage, Method, Unsupported
from nas.training.derivations import Family
from nas.training.hardening import harden
from nas.training.task import Task
from nas.training.teaching import Teacher, check_answers, softened, teachers_of


class Distil(Derivation):
    """A smaller network of the same space learns from scratch, from its parent and the other teachers (arXiv:1503.02531).

    Several teachers answer by the mean of their probabilities. With weight 0 and features 0 it is the student alone.
    """

    summary: ClassVar[str] = "a smaller network of the same space learns from the finalist and from --teacher"
    family: ClassVar[Family] = "compression"
    taught: ClassVar[bool] = True

    share: Annotated[float, Field(gt=0, lt=1)] = 0.5
    """Of the parent's parameters, that the student has at most: the parent with narrower layers; without `student` alone."""
    student: dict[str, Any] | None = None
    """The student's choices."""
    teacher: str | None = None
    """Teachers in files beside the parent, as a recipe has them: `winner/model.pt2`, `timm:resnet18:weights.safetensors`."""
    weight: Annotated[float, Field(ge=0, le=1)] = 0.7
    """Of the teachers' answers, beside what is right."""
    temperature: Annotated[float, Field(gt=0, le=100)] = 4.0
    """By which logits are divided, so that what is less likely is told too."""
    features: Annotated[float, Field(ge=0, le=1_000)] = 0.0
    """Weight of the hint: what the last layer is given shall, by a linear map that is learned too, be what the parent's is given
    (FitNets, arXiv:1412.6550, eq. 3)."""

    def child(self, space: Space, architecture: Architecture, signature: Signature) -> Architecture:
        """The student."""
        if self.student is not None:
            return space.architecture(self.student)
        return narrower(space, architecture, signature, self.share)

    def budget(self, final: Budget) -> Budget:
        """That of finalists."""
        return final

    def begin(self, network: nn.Module, lineage: Lineage) -> nn.Module:
        """Untrained; with the map of its features where they are asked for.

        Raises:
            Unsupported: what it answers are no logits.
        """
        _check_answers(lineage.setup.task, lineage.setup.benchmark.signature)
        if not self.features:
            return network
        ours, theirs = (_last_features(one.eval(), lineage.inputs)[1].shape[-1] for one in (network, lineage.parents[0]))
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(lineage.setup.seed)
            return _Hinted(network, nn.Linear(ours, theirs)).to(lineage.device)

    def method(self, method: Method, lineage: Lineage) -> Method:
        """With the teachers."""
        return _Taught(method, self, (*lineage.parents, *teachers_of(self.teacher, lineage.device)))

    def finish(self, network: nn.Module, lineage: Lineage) -> nn.Module:  # noqa: ARG002
        """The student alone."""
        return network.student if isinstance(network, _Hinted) else network


class _Hinted(nn.Module):
    """A student beside the map of its features."""

    def __init__(self, student: nn.Module, to_teacher: nn.Linear) -> None:
        super().__init__()
        self.student, self.to_teacher = student, to_teacher

    def forward(self, inputs: Tensor) -> Tensor:
        """The student's answers."""
        answers: Tensor = self.student(inputs)
        return answers


class _Taught(Method):
    """A method with teachers."""

    whole: ClassVar[bool] = False

    def __init__(self, method: Method, how: Distil, teachers: tuple[Teacher, ...]) -> None:
        super().__init__(method.task, method.recipe, method.classes)
        self.other, self.how, self.teachers = method, how, teachers
        self.kept = method.kept

    @property
    def identity(self) -> Mapping[str, Any]:
        return {**self.other.identity, "distil": self.how.model_dump(mode="json")}

    def counted(self, targets: Tensor) -> Tensor | None:  # noqa: ARG002 - answers are learned at each position
        return None

    def loss(self, network: nn.Module, inputs: Tensor, targets: Tensor) -> Tensor:
        student = network.student if isinstance(network, _Hinted) else network
        how = self.how
        if self.recipe.attack is not None:
            inputs = harden(student, self.task, inputs, targets, self.recipe.attack)
        if how.features and isinstance(network, _Hinted):
            answers, ours = _last_features(student, inputs)
            with torch.no_grad():
                _, theirs = _last_features(cast("nn.Module", self.teachers[0]), inputs)
            hint = how.features * functional.mse_loss(network.to_teacher(ours), theirs)
        else:
            answers, hint = student(inputs), torch.zeros((), device=inputs.device)
        total = hint + (1 - how.weight) * self.task.loss(answers, targets, self.recipe.label_smoothing)
        if how.weight:
            total = total + how.weight * softened(answers, self.teachers, inputs, how.temperature)
        return total


def _last_features(network: nn.Module, inputs: Tensor) -> tuple[Tensor, Tensor]:
    """What `network` answers, and what its last layer is given, the mean over pixels or positions: (N, F)."""
    met: list[Tensor] = []
    *_, last = network.children()
    hook = last.register_forward_pre_hook(lambda _, given: met.append(given[0]))
    try:
        answers = network(inputs)
    finally:
        hook.remove()
    given = met[0]
    features = given.mean(dim=(2, 3)) if given.ndim == 4 else given.mean(dim=1) if given.ndim == 3 else given
    return answers, features


def _check_answers(task: Task, signature: Signature) -> None:
    try:
        check_answers(task)
    except BenchmarkError as error:
        raise Unsupported(str(error).replace("; leave `teacher` out", "")) from None
    if not isinstance(signature.output, Vector | NextTokens):
        raise Unsupported(f"Students learn from a vector of logits, got {signature.output}.")
