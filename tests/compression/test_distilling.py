"""Distillation: the losses against hand counts, and what learns."""

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from nas.benchmark import Recipe
from nas.compression.distilling import Distil, _Hinted, _Taught
from nas.training import Classification, Examples, Method
from nas.training.teaching import softened


class Says(nn.Module):
    """Says the same logits to everything."""

    def __init__(self, *logits: float) -> None:
        super().__init__()
        self.logits = nn.Parameter(torch.tensor(logits))

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return self.logits.expand(len(inputs), -1)


INPUTS, TARGETS = torch.zeros(3, 2), torch.tensor([0, 1, 1])
TASK = Classification(lambda _: Examples(INPUTS, TARGETS))


def method() -> Method:
    recipe = Recipe(optimizer="sgd", learning_rate=0.1, batch_size=3)
    return Method(TASK, recipe, 2)


def test_softened_answers_are_compared_by_kullback_and_leibler() -> None:
    # At T = 2 the teacher says (e, 1) / (e + 1) = (0.7311, 0.2689), the student one half each.
    expected = 4 * (0.7311 * torch.log(torch.tensor(0.7311 / 0.5)) + 0.2689 * torch.log(torch.tensor(0.2689 / 0.5)))
    found = softened(Says(0.0, 0.0)(INPUTS), (Says(2.0, 0.0),), INPUTS, 2.0)
    assert found.item() == pytest.approx(expected.item(), abs=1e-3)


def test_several_teachers_answer_by_their_mean_probabilities() -> None:
    opposed = (Says(3.0, 0.0), Says(0.0, 3.0))
    assert softened(Says(1.0, 1.0)(INPUTS), opposed, INPUTS, 2.0).item() == pytest.approx(0.0, abs=1e-6)


def test_without_weight_it_is_the_student_alone() -> None:
    student = Says(0.3, -0.2)
    taught = _Taught(method(), Distil(weight=0.0), (Says(9.0, 0.0),))
    assert torch.equal(taught.loss(student, INPUTS, TARGETS), method().loss(student, INPUTS, TARGETS))


def test_the_teacher_does_not_learn() -> None:
    student, teacher = Says(0.3, -0.2), Says(9.0, 0.0)
    _Taught(method(), Distil(), (teacher,)).loss(student, INPUTS, TARGETS).backward()
    assert teacher.logits.grad is None
    assert student.logits.grad is not None


def test_a_hint_brings_features_together() -> None:
    torch.manual_seed(0)
    student, teacher = (nn.Sequential(nn.Linear(2, width), nn.Linear(width, 2)) for width in (3, 5))
    hinted = _Hinted(student, nn.Linear(3, 5))
    taught = _Taught(method(), Distil(weight=0.0, features=2.0), (teacher,))
    inputs = torch.randn(6, 2)
    wanted = (hinted.to_teacher(student[0](inputs)) - teacher[0](inputs)).square().mean()
    targets = torch.zeros(6, dtype=torch.int64)
    own = method().loss(student, inputs, targets)
    assert taught.loss(hinted, inputs, targets).item() == pytest.approx((2 * wanted + own).item(), rel=1e-5)


def test_teachers_in_files_answer_beside_the_parent(tmp_path: Path) -> None:
    """Of a parent and a program that say the opposite, the mean says nothing."""
    other = nn.Linear(2, 2)
    with torch.no_grad():
        other.weight.zero_()
        other.bias.copy_(torch.tensor([0.0, 3.0]))
    program = torch.export.export(other, (INPUTS[:2],), dynamic_shapes=({0: torch.export.Dim.DYNAMIC},))
    torch.export.save(program, tmp_path / "other.pt2")
    how = Distil(weight=1.0, temperature=2.0, teacher=str(tmp_path / "other.pt2"))
    lineage = SimpleNamespace(parents=(Says(3.0, 0.0),), device=torch.device("cpu"))
    taught = how.method(method(), lineage)  # type: ignore[arg-type]  # all that it looks at
    assert taught.loss(Says(1.0, 1.0), INPUTS, TARGETS).item() == pytest.approx(0.0, abs=1e-6)
    assert taught.identity["distil"]["teacher"] == how.teacher
