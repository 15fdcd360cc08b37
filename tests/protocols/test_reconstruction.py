from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from benchmarks.unknown_digit import BENCHMARK
from nas.benchmark import Budget, Features, Recipe, Signature
from nas.evaluation import Evaluator
from nas.models import build, plan
from nas.models.layers.corruption import Corruption
from nas.profiling import latency
from nas.protocols.reconstruction import Misfit, Reconstructing, Reconstruction
from nas.space import Architecture
from nas.training import Checkpoints, Detection, Examples, Loop, Setup, Split, stages_of, train
from search_spaces.autoencoder import SPACE

torch.set_num_threads(1)

SIGNATURE = Signature(Features(6), Features(6))


def rows(split: Split) -> Examples:
    """Usual rows have three numbers twice; others have six by chance."""
    generator = torch.Generator().manual_seed(len(split))
    usual = torch.randn(40, 3, generator=generator).repeat(1, 2)
    if split == "train":
        return Examples(usual, torch.zeros(40, dtype=torch.int64))
    return Examples(torch.cat((usual, torch.randn(20, 6, generator=generator))), torch.arange(60).ge(40).long())


def architecture(noise: float = 0.2, masked: float = 0.1) -> Architecture:
    answers = {"corruption.noise": noise, "corruption.masked": masked, "waist.features": 4, "inward.0.linear.features": 64}
    return SPACE.walk(lambda name, domain: answers.get(name, next(iter(domain))))


def setup(found: Architecture, epochs: int = 3) -> Setup:
    task = Detection(rows)
    recipe = Recipe(batch_size=8, learning_rate=0.02)
    benchmark = replace(BENCHMARK, signature=SIGNATURE, recipe=recipe)
    parts = plan(SPACE, found, SIGNATURE)
    return Setup(benchmark=benchmark, task=task, parts=parts, feed=task.examples, budget=Budget(epochs=epochs), seed=3)


def built(found: Architecture, seed: int = 0) -> nn.Module:
    return build(SPACE, found, SIGNATURE, seed=seed)


def learn(network: nn.Module, given: Setup, begin=lambda _: None, on_step=lambda _: None):
    (stage,) = stages_of(Reconstruction(given), network)
    return train(
        network, stage.method, stage.training, stage.validation, budget=stage.budget, seed=3, begin=begin, on_step=on_step
    )


def test_what_was_never_seen_is_found() -> None:
    found = architecture()
    learned = learn(built(found), setup(found, epochs=25))
    assert learned.curve[-1].train_loss < learned.curve[0].train_loss
    assert learned.figures["validation_auroc"] > 0.85
    assert set(learned.figures) == {"validation_auroc", "validation_average_precision"}


def test_the_candidate_says_how_inputs_are_spoilt() -> None:
    found = architecture(noise=0.5, masked=0.3)
    method = Reconstruction(setup(found)).method()
    assert isinstance(method, Reconstructing)
    assert method.identity == {"method": "Reconstructing", "noise": 0.5, "masked": 0.3}
    torch.manual_seed(0)
    ones = torch.ones(2_000, 5)
    spoilt = method.spoilt(ones)
    assert (spoilt == 0).float().mean().item() == pytest.approx(0.3, abs=0.02)
    assert spoilt[spoilt != 0].std().item() == pytest.approx(0.5, abs=0.02)
    assert torch.equal(Reconstructing(Detection(rows), Recipe(batch_size=2, learning_rate=1), Corruption()).spoilt(ones), ones)


def test_a_network_without_corruption_is_the_same_as_one_with() -> None:
    one, other = (built(architecture(noise=noise), seed=1) for noise in (0.0, 0.5))
    assert all(torch.equal(first, second) for first, second in zip(one.parameters(), other.parameters(), strict=True))


class Halves(nn.Module):
    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return inputs / 2


def test_the_loss_and_the_score_by_hand() -> None:
    """Half of (2, 4) is missing: squares of 1 and 4."""
    rows_NF = torch.tensor([[2.0, 4.0], [0.0, 0.0]])
    method = Reconstructing(Detection(rows), Recipe(batch_size=2, learning_rate=1), Corruption())
    assert Misfit(Halves())(rows_NF).tolist() == [[2.5], [0.0]]
    assert method.loss(Halves(), rows_NF, torch.tensor([0, 0])).item() == 1.25


class Stopped(Exception):
    pass


def test_a_training_stopped_inside_an_epoch_goes_on_to_the_same_weights(tmp_path: Path) -> None:
    found = architecture()
    whole, other = built(found), built(found, seed=7)
    learn(whole, setup(found))
    kept = Checkpoints(tmp_path, 0)

    def on_step(loop: Loop) -> None:
        kept.on_step(loop)
        if loop.at.step == 8:  # five steps an epoch
            raise Stopped

    with pytest.raises(Stopped):
        learn(built(found), setup(found), kept.begin, on_step)
    learn(other, setup(found), Checkpoints(tmp_path, 1e9).begin)
    assert all(torch.equal(one, two) for one, two in zip(whole.parameters(), other.parameters(), strict=True))


@pytest.fixture
def evaluator(monkeypatch: pytest.MonkeyPatch) -> Evaluator:
    monkeypatch.setattr(latency, "WARMUP_SECONDS", 0.0)
    monkeypatch.setattr(latency, "SAMPLE_SECONDS", 0.0)
    return Evaluator(SPACE, BENCHMARK, device="cpu")


def test_a_finalist_has_test_figures_and_counted_costs(evaluator: Evaluator) -> None:
    """64 numbers → 32 → a code of 2 → 32 → 64."""
    found = SPACE.walk(lambda _, domain: next(iter(domain)))
    record = evaluator(found, budget=Budget(epochs=2), seed=0, final=True)
    weights = 64 * 32 + 32 * 2 + 2 * 32 + 32 * 64
    assert record.figures["flops"] == 2 * weights
    assert record.figures["params"] == weights + 32 + 2 + 32 + 64
    assert {"test_auroc", "test_average_precision", "validation_auroc"} <= set(record.figures)


def test_errors_without_end_and_without_memory_are_records(evaluator: Evaluator, monkeypatch: pytest.MonkeyPatch) -> None:
    found = SPACE.walk(lambda _, domain: next(iter(domain)))

    def without_end(method: Reconstructing, network: nn.Module, inputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        return network(inputs).sum() * float("nan")

    def without_memory(method: Reconstructing, network: nn.Module, inputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        raise torch.OutOfMemoryError("no room")

    for loss, kind in ((without_end, "diverged"), (without_memory, "out_of_memory")):
        monkeypatch.setattr(Reconstructing, "loss", loss)
        record = evaluator(found, budget=Budget(epochs=1), seed=0)
        assert (record.outcome, record.error.kind) == ("failed", kind)
