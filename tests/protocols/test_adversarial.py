"""A generator against a discriminator: what each step moves, what the losses are, and what comes of it."""

import base64
import io
import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import PngImagePlugin
from torch import Tensor, nn

from benchmarks.digits_generation import BENCHMARK, BY_CLASS, LATENT
from benchmarks.digits_generation.task import load
from nas.benchmark import Benchmark, Budget, Features
from nas.errors import BenchmarkError, Interrupted, SearchError
from nas.evaluation import Evaluator
from nas.models.layers.adversarial import Adversary, Discriminator
from nas.profiling import latency
from nas.protocols.adversarial import LOSSES, Adversarial, AdversarialProtocol, slope_penalty
from nas.protocols.samples import Samples
from nas.records import Picture, Record
from nas.space import Architecture, parse_space
from nas.training import Checkpoints, Examples, Loop, Setup, Stage, Stepper, stages_of

TINY = parse_space(
    """
name: tiny
version: 1
accepts: features
layers:
  - project_to_image: {features: 4, halvings: 1}
  - image_head
  - discriminator: {width: 4, depth: 2, norm: [spectral, batch, none]}
  - adversary: {loss: [non_saturating, hinge, wgan_gp], discriminator_steps: [1, 2], rate_ratio: [1, 4]}
"""
)
BUDGET = Budget(epochs=2, fraction=0.1)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(latency, "WARMUP_SECONDS", 0.0)
    monkeypatch.setattr(latency, "SAMPLE_SECONDS", 0.0)


def architecture(**answers: Any) -> Architecture:
    return TINY.walk(lambda name, domain: answers.get(name.rpartition(".")[2], next(iter(domain))))


def evaluator(benchmark: Benchmark = BENCHMARK, **options: Any) -> Evaluator:
    return Evaluator(TINY, benchmark, device="cpu", **options)


def examples(count: int = 8, classes: int = 0) -> Examples:
    generator = torch.Generator().manual_seed(0)
    rows = torch.randn(count, LATENT + classes, generator=generator)
    if classes:
        rows[:, LATENT:] = nn.functional.one_hot(torch.arange(count) % classes, classes)
    return Examples(rows, torch.rand(count, 1, 8, 8, generator=generator) * 2 - 1)


AVERAGED = replace(BENCHMARK, recipe=replace(BENCHMARK.recipe, ema=0.5))
"""By a running mean of the weights."""


def stage(
    classes: int = 0,
    adversary: Adversary | None = None,
    discriminator: Discriminator | None = None,
    benchmark: Benchmark = BENCHMARK,
) -> Stage:
    """That of a small generator, as the protocol makes it."""
    benchmark = BY_CLASS if classes else benchmark
    setup = Setup(benchmark=benchmark, task=load(None), parts=(), feed=lambda _: examples(classes=classes), budget=BUDGET, seed=0)
    protocol = AdversarialProtocol(setup)
    protocol.adversary = adversary or protocol.adversary
    protocol.discriminator = discriminator or Discriminator(width=4)
    torch.manual_seed(0)
    generator = nn.Sequential(nn.Linear(LATENT + classes, 64), nn.BatchNorm1d(64), nn.Unflatten(1, (1, 8, 8)))
    (found,) = stages_of(protocol, generator)
    return found


def weights(network: nn.Module) -> list[Tensor]:
    return [weight.detach().clone() for weight in network.parameters()]


def same(one: list[Tensor], other: list[Tensor]) -> bool:
    return all(torch.equal(*pair) for pair in zip(one, other, strict=True))


def test_the_generator_moves_after_as_many_steps_of_the_discriminator_as_are_asked_for() -> None:
    found = stage(adversary=Adversary(discriminator_steps=3))
    stepper = Stepper(found.trained.train(), found.method)
    batch = examples()
    moved = []
    for _ in range(7):
        before = weights(found.trained.generator), weights(found.trained.discriminator)
        stepper(batch.inputs, batch.targets)
        after = weights(found.trained.generator), weights(found.trained.discriminator)
        moved.append(tuple(not same(*pair) for pair in zip(before, after, strict=True)))
    assert moved == [(False, True)] * 3 + [(True, True)] + [(False, True)] * 2 + [(True, True)]


def test_each_network_has_its_own_learning_rate() -> None:
    found = stage(adversary=Adversary(rate_ratio=4.0))
    optimizers = found.method.optimizers(found.trained)
    scales = {part: {group.get("lr_scale", 1) for group in one.param_groups} for part, one in optimizers.items()}
    assert scales == {"discriminator": {4.0}, "generator": {1}}


def test_every_move_draws_noise_of_its_own_and_keeps_the_class() -> None:
    seen: list[Tensor] = []
    found = stage(classes=10)
    found.trained.generator.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    batch = examples(classes=10)
    found.method.discriminators_loss(found.trained, batch.inputs, batch.targets)
    found.method.generators_loss(found.trained, batch.inputs, batch.targets)
    one, other = seen
    assert not torch.equal(one[:, :LATENT], other[:, :LATENT])
    assert not torch.equal(one[:, :LATENT], batch.inputs[:, :LATENT])
    assert torch.equal(one[:, LATENT:], batch.inputs[:, LATENT:])


def test_the_generators_step_leaves_no_gradient_at_the_discriminator_and_its_weights_still_learn() -> None:
    found = stage()
    batch = examples()
    found.method.generators_loss(found.trained, batch.inputs, batch.targets).backward()
    assert all(weight.grad is None and weight.requires_grad for weight in found.trained.discriminator.parameters())
    assert all(weight.grad is not None for weight in found.trained.generator.parameters())


@pytest.mark.parametrize(
    ("loss", "discriminators", "generators"),
    [
        ("non_saturating", math.log1p(math.exp(-2)) + math.log1p(math.exp(0.5)), math.log1p(math.exp(-0.5))),
        ("hinge", 0 + 1.5, -0.5),
        ("wgan_gp", 0.5 - 2, -0.5),
    ],
)
def test_losses_are_those_of_the_papers(loss: str, discriminators: float, generators: float) -> None:
    real_N, made_N = torch.tensor([2.0]), torch.tensor([0.5])
    assert LOSSES[loss][0](real_N, made_N).item() == pytest.approx(discriminators)
    assert LOSSES[loss][1](made_N).item() == pytest.approx(generators)


def test_the_penalty_of_a_linear_discriminator_is_the_square_of_its_slope_less_one() -> None:
    linear = nn.Sequential(nn.Flatten(), nn.Linear(4, 1), nn.Flatten(0))
    with torch.no_grad():
        linear[1].weight.copy_(torch.tensor([[3.0, 0.0, 0.0, 4.0]]))
    told = slope_penalty(lambda images, _: linear(images), torch.zeros(2, 1, 2, 2), torch.ones(2, 1, 2, 2))
    assert told.item() == pytest.approx((5 - 1) ** 2)


@pytest.mark.parametrize("loss", ["non_saturating", "hinge", "wgan_gp"])
@pytest.mark.parametrize("norm", ["spectral", "batch", "layer", "none"])
def test_every_loss_and_normalisation_trains_both_networks(loss: Any, norm: Any) -> None:
    found = stage(classes=10, adversary=Adversary(loss=loss), discriminator=Discriminator(width=4, norm=norm))
    stepper = Stepper(found.trained.train(), found.method)
    before = weights(found.trained)
    batch = examples(classes=10)
    losses = [stepper(batch.inputs, batch.targets) for _ in range(2)]
    assert all(loss.isfinite() for loss in losses)
    named = dict(zip(dict(found.trained.named_parameters()), zip(before, weights(found.trained), strict=True), strict=True))
    still = [name for name, pair in named.items() if torch.equal(*pair)]
    assert still in ([], ["discriminator.linear.bias"])  # what is added to real and generated alike goes out of a difference


def test_a_candidate_has_the_figures_of_its_generator_and_the_costs_of_both() -> None:
    record = evaluator()(architecture(), budget=BUDGET, seed=0, final=True)
    assert record.outcome == "complete", record.error
    # Linear layer to 4×4×4, its normalisation; 3×3 convolution from 4 channels, used at 4×4 places, and a bias.
    assert record.figures["params"] == 16 * 64 + 2 * 4 + 9 * 4 + 1
    assert record.figures["macs"] == 16 * 64 + 9 * 4 * 16
    # Halvings to 4×4×4 and 2×2×8, each with biases; a linear layer from 32 numbers.
    assert record.figures["discriminator_params"] == (9 * 4 + 4) + (9 * 4 * 8 + 8) + 32 + 1
    assert record.figures["discriminator_macs"] == 9 * 4 * 16 + 9 * 4 * 8 * 4 + 32
    for split in ("validation", "test"):
        assert record.figures[f"{split}_frechet_distance"] > 0
        assert 0 <= record.figures[f"{split}_class_coverage"] <= 1
    assert any(note.startswith("Distances are in the features of the fixed classifier e5a86967798390aa") for note in record.notes)


def test_a_generator_that_learned_next_to_nothing_is_told_to_have_collapsed() -> None:
    record = evaluator()(architecture(), budget=Budget(epochs=1, steps=1), seed=0)
    assert record.figures["validation_class_coverage"] < 1
    (told,) = [note for note in record.notes if note.startswith("Mode collapse: ")]
    assert "of the classes are generated, recall is" in told


def test_equal_seeds_give_equal_generators_and_others_do_not() -> None:
    one, other, third = (evaluator()(architecture(), budget=BUDGET, seed=seed).weights_sha256 for seed in (0, 0, 1))
    assert one == other != third


def test_of_averaged_generators_the_running_mean_is_what_is_measured_with_its_buffers() -> None:
    found = stage(benchmark=AVERAGED, discriminator=Discriminator(width=4, norm="spectral"))
    stepper = Stepper(found.trained.train(), found.method)
    batch = examples()
    means: dict[str, Tensor] = {}
    for step in range(5):
        stepper(batch.inputs, batch.targets)
        share = 1 - min(0.5, 1 - (1 + step) ** (-2 / 3))  # the mean is young at first: timm's warm-up
        now = found.trained.generator.state_dict()
        means = {name: torch.lerp(means.get(name, value).double(), value.double(), share) for name, value in now.items()}
    averaged = stepper.validated
    for name, value in averaged.generator.state_dict().items():
        if value.is_floating_point():  # weights, and the means and variances of batch normalisation
            torch.testing.assert_close(value.double(), means[name], rtol=1e-5, atol=1e-6)
        else:
            assert (
                value == 5 + 4
            )  # batches seen: a count has no mean; one for each move of the discriminator and of the generator
    looked_at: list[nn.Module] = []
    found.method.samples.take = lambda generator, _: looked_at.append(generator)
    found.method.measure(averaged, examples(400), "validation", "float32")
    assert looked_at == [averaged.generator]
    assert not same(weights(averaged.generator), weights(found.trained.generator))


@pytest.mark.parametrize(
    ("loss", "norm", "benchmark"),
    [("hinge", "spectral", BENCHMARK), ("wgan_gp", "batch", BENCHMARK), ("hinge", "spectral", AVERAGED)],
)
def test_a_training_that_was_stopped_inside_an_epoch_goes_on_to_the_same_bits(
    tmp_path: Path, loss: str, norm: str, benchmark: Benchmark
) -> None:
    asked: dict[str, Any] = {"budget": Budget(epochs=2, fraction=0.15), "seed": 0}
    candidate = architecture(loss=loss, norm=norm, discriminator_steps=2)
    whole = evaluator(benchmark)(candidate, **asked)
    loops: list[Loop] = []
    with pytest.raises(Interrupted):
        evaluator(benchmark)(
            candidate,
            **asked,
            checkpoints=Checkpoints(tmp_path, 1_000),
            on_step=loops.append,
            stopping=lambda: len(loops) == 4,
        )
    assert loops[-1].at.batch == 1
    again = evaluator(benchmark)(candidate, **asked, checkpoints=Checkpoints(tmp_path, 1_000))
    assert "Went on from a checkpoint after step 4 of 6." in again.notes
    assert again.weights_sha256 == whole.weights_sha256
    assert [point.figures for point in again.curve] == [point.figures for point in whole.curve]


def test_losses_that_are_not_finite_are_a_record(monkeypatch: pytest.MonkeyPatch) -> None:
    loss = Adversarial.generators_loss
    monkeypatch.setattr(Adversarial, "generators_loss", lambda *given: loss(*given) * math.inf)
    record = evaluator()(architecture(), budget=BUDGET, seed=0)
    assert record.error is not None
    assert record.error.kind == "diverged"


def test_running_out_of_memory_is_a_record(monkeypatch: pytest.MonkeyPatch) -> None:
    def too_large(*_: Any) -> Tensor:
        raise torch.OutOfMemoryError("out of memory")

    monkeypatch.setattr(Adversarial, "discriminators_loss", too_large)
    record = evaluator()(architecture(), budget=BUDGET, seed=0)
    assert record.error is not None
    assert record.error.kind == "out_of_memory"


def test_a_benchmark_that_feeds_no_noise_is_refused() -> None:
    with pytest.raises(
        BenchmarkError, match=r"^digits_generation: adversaries make pictures of rows of noise, got .* and a vector"
    ):
        protocol_on(replace(BENCHMARK, signature=replace(BENCHMARK.signature, output=Features(3))))


@pytest.mark.parametrize("latent", [None, 0, 17, True, "16"])
def test_a_benchmark_says_how_much_of_a_row_is_noise(latent: object) -> None:
    with pytest.raises(BenchmarkError, match=r"say by `latent` how many of a row's 16 numbers are noise, got"):
        protocol_on(replace(BENCHMARK, protocol_options={"latent": latent}))


def protocol_on(benchmark: Benchmark) -> AdversarialProtocol:
    return AdversarialProtocol(
        Setup(benchmark=benchmark, task=load(None), parts=(), feed=lambda _: examples(), budget=BUDGET, seed=0)
    )


def test_adversaries_take_no_zero_cost_scores() -> None:
    with pytest.raises(SearchError, match="protocol 'adversarial' of digits_generation takes no zero-cost scores"):
        evaluator(proxies=["synflow"])


def sheet(picture: Picture) -> PngImagePlugin.PngImageFile:
    return PngImagePlugin.PngImageFile(io.BytesIO(base64.b64decode(picture.png)))


def test_a_finalist_shows_what_it_made_of_the_same_noise_at_first_halfway_and_in_the_end() -> None:
    record = evaluator()(architecture(), budget=Budget(epochs=5, fraction=0.1), seed=0, final=True)
    assert [picture.title for picture in record.pictures] == ["epoch 1", "epoch 3", "epoch 5"]
    assert all((sheet(one).size, sheet(one).mode) == ((90, 36), "L") for one in record.pictures)
    assert len({one.png for one in record.pictures}) == 3
    assert Record.from_data(json.loads(json.dumps(record.to_data()))) == record
    assert evaluator()(architecture(), budget=BUDGET, seed=0).pictures == ()


def test_what_was_made_before_a_training_was_stopped_is_shown_too(tmp_path: Path) -> None:
    asked: dict[str, Any] = {"budget": Budget(epochs=3, fraction=0.1), "seed": 0, "final": True}
    whole = evaluator(BY_CLASS)(architecture(), **asked)
    steps: list[Loop] = []
    with pytest.raises(Interrupted):
        evaluator(BY_CLASS)(
            architecture(),
            **asked,
            checkpoints=Checkpoints(tmp_path, 1_000),
            on_step=steps.append,
            stopping=lambda: len(steps) == 3,
        )
    again = evaluator(BY_CLASS)(architecture(), **asked, checkpoints=Checkpoints(tmp_path, 1_000))
    assert again.pictures == whole.pictures
    assert [picture.title for picture in whole.pictures] == ["epoch 1", "epoch 2", "epoch 3"]


def test_pictures_of_a_class_stand_in_a_column() -> None:
    samples = Samples(1, 2)
    rows = torch.cat((torch.zeros(12, 2), torch.eye(3).repeat(4, 1)), dim=1)
    shown, columns = samples.shown(rows[torch.randperm(12, generator=torch.Generator().manual_seed(0))])
    assert columns == 3
    assert shown[:, 2:].argmax(1).tolist() == [0, 1, 2] * 4
    samples.take(nn.Sequential(nn.Linear(5, 4), nn.Unflatten(1, (1, 2, 2))), rows)
    assert sheet(samples.pictures()[0]).size == (3 * 3, 4 * 3)


def test_a_sheet_has_white_where_a_pixel_is_1_and_colours_where_pictures_have() -> None:
    samples = Samples(2, 3)
    samples.take(nn.Unflatten(1, (3, 1, 1)), torch.tensor([[-1.0, 1.0, 0.0], [2.0, -2.0, math.nan]]))
    (picture,) = samples.pictures()
    assert sheet(picture).mode == "RGB"
    row = [sheet(picture).getpixel((column, 0)) for column in range(4)]
    assert row == [(0, 255, 128), (128, 128, 128), (255, 0, 0), (128, 128, 128)]
