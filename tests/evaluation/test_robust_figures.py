"""What a trained network is asked beside its benchmark's figures, from the evaluator down to each answer."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from benchmarks.digits import BENCHMARK as DIGITS
from benchmarks.digits.task import load
from nas.benchmark import Budget
from nas.errors import BenchmarkError
from nas.evaluation import Evaluator, robustness
from nas.evaluation.robustness import Asking, check_task
from nas.robustness import Groups, Scale
from nas.space import parse_space
from nas.training import Classification, Examples, as_feed

SPACE = parse_space("name: tiny\nversion: 1\naccepts: image\nlayers:\n  - conv: {features: 8, stride: 2}\n  - head\n")


QUICK = Budget(epochs=1, fraction=0.1)


class Brightness(nn.Module):
    """Class 1 for pictures whose mean is above one half, by a margin; the weight is none of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.steepness = nn.Parameter(torch.tensor(8.0))

    def forward(self, inputs: Tensor) -> Tensor:
        score_N = self.steepness * (inputs.flatten(1).mean(1) - 0.5)
        return torch.stack((-score_N, score_N), 1)


def pictures(count: int = 600) -> Examples:
    """Even ones dark, at 0.3, odd ones bright, at 0.7; every tenth is called what it is not."""
    targets = torch.arange(count) % 2
    inputs = (0.3 + 0.4 * targets)[:, None, None, None].expand(-1, 1, 4, 4).clone()
    wrong = torch.arange(count) % 10 == 0
    return Examples(inputs, torch.where(wrong, 1 - targets, targets))


def asking(**options: Any) -> Asking:
    found = pictures()
    task = Classification(lambda _: found, scale=Scale(low=0.0, high=1.0), **options)
    return Asking(Brightness(), task, as_feed(found, torch.device("cpu")), "test")


def test_accuracy_falls_where_epsilon_reaches_the_border_and_not_before() -> None:
    names = ["pgd-linf-0", "pgd-linf-0.1", "pgd-linf-0.19", "pgd-linf-0.21", "fgsm-linf-0.21", "pgd-l2-0.79", "pgd-l2-0.85"]
    found = asking().figures(names)
    assert [*found] == [f"test_accuracy:{name}" for name in names]
    assert [*found.values()] == pytest.approx([0.9, 0.9, 0.9, 0, 0, 0.9, 0])  # 0.2 for each of 16 numbers is 0.8 in all


def test_more_restarts_never_help_the_network() -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = nn.Sequential(nn.Flatten(), nn.Linear(64, 16), nn.ReLU(), nn.Linear(16, 10))
    task = load(None)
    feed = as_feed(task.examples("validation"), torch.device("cpu"))
    found = Asking(network, task, feed, "validation").figures(["pgd-linf-0.02-2", "pgd-linf-0.02-2x4"])
    one, four = found.values()
    assert four <= one


def test_figures_do_not_depend_on_the_device_memory_or_on_who_asked_before(monkeypatch: pytest.MonkeyPatch) -> None:
    names = ["pgd-linf-0.21", "noise-5", "corruptions", "ece"]
    expected = asking().figures(names)
    torch.manual_seed(7)
    assert asking().figures(names[::-1]) == expected
    right = Asking._logits

    def small(self: Asking, inputs: Tensor) -> Tensor:
        if len(inputs) > 60:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return right(self, inputs)

    monkeypatch.setattr(Asking, "_logits", small)
    assert asking().figures(names) == expected


def test_the_network_and_the_random_state_stay_as_they_were() -> None:
    one = asking()
    one.model.train()
    before, state = [weight.clone() for weight in one.model.parameters()], torch.get_rng_state()
    one.figures(["pgd-linf-0.1", "noise-3", "ece"])
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(*pair) for pair in zip(before, one.model.parameters(), strict=True))
    assert all(weight.grad is None for weight in one.model.parameters())


def test_calibration_is_that_of_the_answers() -> None:
    """All have one confidence: that of a margin of 0.2."""
    found = asking().figures(["ece", "ece-mass"])
    confidence = torch.sigmoid(torch.tensor(2 * 8.0 * 0.2)).item()
    assert found["test_ece"] == found["test_ece_mass"] == pytest.approx(abs(0.9 - confidence), abs=1e-6)
    assert found["test_ece_low"] < found["test_ece"] < found["test_ece_high"]


def test_the_worst_group_is_the_one_that_is_served_worst() -> None:
    numbers = (torch.arange(600) % 10 == 0).long() * 2
    one = asking(groups=lambda split: Groups([f"{split} a", "nobody", "b"], numbers))
    assert one.by_group() == {"b": 0.0, "test a": 1.0}
    assert one.figures(["worst-group"]) == {"test_accuracy:worst-group": 0.0}


def test_an_evaluation_takes_what_it_is_asked_for_and_test_data_for_finalists_alone() -> None:
    evaluate = Evaluator(SPACE, DIGITS, device="cpu", measures=["pgd-linf-0.10", "noise-3", "ece"])
    names = {"accuracy:pgd-linf-0.1", "accuracy:noise-3", "ece", "ece_low", "ece_high"}
    assert evaluate.measures == ("pgd-linf-0.1", "noise-3", "ece")
    for final in (False, True):
        record = evaluate(SPACE.architecture({}), budget=QUICK, seed=0, final=final)
        assert record.outcome == "complete"
        assert {f"validation_{name}" for name in names} <= {*record.figures}
        assert {name for name in record.figures if name.startswith("test_") and name[5:] in names} == (
            {f"test_{name}" for name in names} if final else set()
        )
        assert record.figures["validation_accuracy:pgd-linf-0.1"] <= record.figures["validation_accuracy"]
        assert "validation_accuracy:pgd-linf-0.1" not in record.curve[-1].figures


def test_of_replicates_the_mean_is_told() -> None:
    evaluate = Evaluator(SPACE, DIGITS, device="cpu", measures=["noise-5"], replicates=2)
    kept: list[nn.Module] = []
    name, record = "validation_accuracy:noise-5", evaluate(SPACE.architecture({}), budget=QUICK, seed=0, keep=kept.append)
    first = Asking(kept[0], evaluate.task, evaluate.validation, "validation").figures(["noise-5"])[name]
    assert record.figures[name] != first  # of the first alone
    assert record.figures[name] == pytest.approx(first, abs=0.4)
    assert (record.figures[name] * 2 * len(evaluate.validation)) == pytest.approx(round(record.figures[name] * 718))


def test_what_a_task_is_not_made_for_is_refused_before_anything_is_trained() -> None:
    with pytest.raises(BenchmarkError, match="digits does not tell groups of examples, such as speakers; leave worst-group out"):
        Evaluator(SPACE, DIGITS, device="cpu", measures=["worst-group"])
    plain = Classification(lambda _: pytest.fail("they are given"))
    tagged = Examples(torch.zeros(2, 5, dtype=torch.long), torch.zeros(2, 5, dtype=torch.long))
    with pytest.raises(BenchmarkError, match=r"ece is of one class for each example, and b wants \(5,\) of each; leave it out"):
        check_task(plain, tagged, ["ece"], "b")
    texts = Examples(tagged.inputs, torch.zeros(2, dtype=torch.long))
    for name in ("typos-2", "corruptions"):
        with pytest.raises(BenchmarkError, match=f"b does not tell how its tokens are spelt, .*or leave {name} out"):
            check_task(plain, texts, [name], "b")
    check_task(plain, texts, ["drop-2", "ece"], "b")


def test_chunks_are_drawn_for_by_their_place(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two chunks have other noise, and a split that begins with the same examples the same."""
    first, second = (robustness._chance("noise", number).initial_seed() for number in (0, 1))
    assert first != second
    assert first == robustness._chance("noise", 0).initial_seed()
