import math
from typing import Any

import pytest
import torch
from torch import Tensor
from toy_pictures import BENCHMARK, architecture, evaluator, quick, trunk_of

from nas.benchmark import Budget
from nas.errors import BenchmarkError, Interrupted, ModelError
from nas.protocols.pretext import make_pretext
from nas.protocols.simclr import Contrast, SimCLR, matched, nt_xent
from nas.training import Checkpoints, Examples

__all__ = ["quick"]


def by_hand(projected: Tensor, temperature: float) -> float:
    """Chen et al. 2020, eq. 1 and alg. 1, one pair after the other."""
    rows = projected.tolist()

    def alike(i: int, j: int) -> float:
        dot = sum(a * b for a, b in zip(rows[i], rows[j], strict=True))
        return dot / math.sqrt(sum(a * a for a in rows[i]) * sum(b * b for b in rows[j]))

    total = 0.0
    for k in range(0, len(rows), 2):
        for i, j in ((k, k + 1), (k + 1, k)):
            others = sum(math.exp(alike(i, m) / temperature) for m in range(len(rows)) if m != i)
            total -= math.log(math.exp(alike(i, j) / temperature) / others)
    return total / len(rows)


@pytest.mark.parametrize("temperature", [0.1, 1.0])
@pytest.mark.parametrize("pairs", [1, 2, 5])
def test_nt_xent_is_that_of_the_paper(pairs: int, temperature: float) -> None:
    projected = torch.randn(2 * pairs, 3, generator=torch.Generator().manual_seed(pairs), dtype=torch.float64)
    assert nt_xent(projected, temperature).item() == pytest.approx(by_hand(projected, temperature), rel=1e-5, abs=1e-6)


def test_views_that_are_alike_and_far_from_others_cost_nothing_and_are_matched() -> None:
    apart = torch.eye(4).repeat_interleave(2, dim=0)
    assert nt_xent(apart, 0.05).item() < 1e-6
    assert matched(apart).item() == 1
    assert matched(apart[[0, 2, 1, 4, 3, 6, 5, 7]]).item() == 0
    turned = torch.cat([apart[:2], -apart[2:4], apart[:2] + 0.01, -apart[2:4]])
    assert nt_xent(turned, 0.05).item() > 0.5


@pytest.mark.parametrize("kind", ["pictures", "patches", "sounds", "spectrograms"])
def test_any_trunk_of_pictures_or_waveforms_gives_projections_that_learn(kind: str) -> None:
    trunk, body, given = trunk_of(kind)
    pretext = SimCLR(features=5)
    module = pretext.module(trunk, body)
    inputs = torch.randn(6, *given.axes)
    assert module(inputs).shape == (6, 5)
    nt_xent(module(inputs), 0.5).backward()
    assert all(weight.grad is not None for weight in body.parameters())


def test_a_class_token_is_what_is_projected() -> None:
    trunk, body, given = trunk_of("patches")
    module = SimCLR().module(trunk, body)
    inputs = torch.randn(2, *given.axes)
    module.eval()
    assert torch.equal(module[1](body(inputs)), body(inputs)[:, 0])


def test_flops_are_those_of_two_views_counted_by_hand() -> None:
    """A 3×3 convolution of stride 2 from 1 to 4 channels on 8×8, twice, and the projection 4 → 4 → 5."""
    trunk, _, _ = trunk_of("pictures")
    assert SimCLR(features=5).forward_flops(trunk) == 2 * 2 * (9 * 4 * 16 + 4 * 4 + 4 * 5)


def test_inputs_of_which_there_are_no_views_are_refused() -> None:
    trunk, body, _ = trunk_of("vectors")
    with pytest.raises(
        ModelError, match=r"^SimCLR makes views of pictures and of waveforms, got a vector of 6 features; take an"
    ):
        SimCLR().module(trunk, body)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"temperature": 0.0}, "temperature"),
        ({"crop": 0.0}, "crop"),
        ({"noise": -1.0}, "noise"),
        ({"temperatur": 0.5}, "Did you mean 'temperature'"),
    ],
)
def test_a_wrong_option_is_refused_in_one_line(options: dict[str, Any], message: str) -> None:
    with pytest.raises(BenchmarkError, match=message) as raised:
        make_pretext("simclr", options)
    assert "\n" not in str(raised.value)


def test_a_batch_is_not_trained_in_parts() -> None:
    assert not Contrast.splits


def test_views_of_validation_are_the_same_each_time_and_move_no_generator() -> None:
    trunk, body, given = trunk_of("pictures")
    pretext = SimCLR(features=5)
    method = Contrast(None, BENCHMARK.recipe, pretext, pretext.view(given))  # type: ignore[arg-type]
    module = pretext.module(trunk, body)
    examples = Examples(torch.randn(20, *given.axes), torch.zeros(20, dtype=torch.long))
    before = torch.get_rng_state()
    one, other = (method.measure(module, examples, "validation", "float32") for _ in range(2))
    assert one == other
    assert one.keys() == {"validation_contrast", "validation_matched"}
    assert 0 <= one["validation_matched"] <= 1
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("pretext", ["simclr", "masked_patches"])
@pytest.mark.parametrize("steps", [1, 3, 5, 7])
def test_a_pre_training_that_was_stopped_goes_on_to_the_same_weights(pretext: str, steps: int, tmp_path: Any) -> None:
    """Four steps without labels, in two epochs, and four with labels."""
    whole = evaluator(pretext)(architecture(), budget=Budget(epochs=2), seed=0)
    assert whole.outcome == "complete", whole.error
    taken = 0

    def on_step(_: object) -> None:
        nonlocal taken
        taken += 1

    given = {"budget": Budget(epochs=2), "seed": 0}
    with pytest.raises(Interrupted):
        evaluator(pretext)(
            architecture(),
            on_step=on_step,
            checkpoints=Checkpoints(tmp_path, 1e9),
            stopping=lambda: taken == steps,
            **given,  # type: ignore[arg-type]
        )
    found = evaluator(pretext)(architecture(), checkpoints=Checkpoints(tmp_path, 1e9), **given)  # type: ignore[arg-type]
    assert any("Went on from a checkpoint" in note for note in found.notes)
    assert found.weights_sha256 == whole.weights_sha256


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("pretext", ["simclr", "masked_patches"])
def test_a_pre_training_that_is_not_finite_is_a_record_that_says_so(pretext: str) -> None:
    record = evaluator(pretext, recipe={"learning_rate": 1e30})(architecture(), budget=Budget(epochs=1), seed=0)
    assert record.error is not None
    assert record.error.kind == "diverged"
    assert record.error.message.startswith("pre-training: ")


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("pretext", ["simclr", "masked_patches"])
def test_a_pre_training_without_memory_is_a_record_that_says_so(pretext: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> Tensor:
        raise torch.OutOfMemoryError("out of memory")

    monkeypatch.setattr("nas.protocols.simclr.nt_xent", full)
    monkeypatch.setattr("nas.protocols.masked_patches.Masked.forward", full)
    record = evaluator(pretext)(architecture(), budget=Budget(epochs=1), seed=0)
    assert record.error is not None
    assert record.error.kind == "out_of_memory"


@pytest.mark.usefixtures("quick")
def test_what_a_pre_training_learned_and_cost_stands_beside_the_figures() -> None:
    figures = evaluator("simclr")(architecture(), budget=Budget(epochs=1), seed=0).figures
    assert figures["pretrain_validation_contrast"] > 0
    assert 0 <= figures["pretrain_validation_matched"] <= 1
    assert figures["pretrain_flops"] == 3 * 2 * 2 * (9 * 4 * 16 + 4 * 4 + 4 * 64) * 2 * 32  # three passes, two views, two epochs
