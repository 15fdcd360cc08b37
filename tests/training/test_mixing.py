from dataclasses import replace

import numpy as np
import pytest
import torch
from timm.data import Mixup
from torch import Tensor

from nas.benchmark import Recipe
from nas.errors import BenchmarkError
from nas.training import Classification, mix
from nas.training.mixing import _cut

RECIPE = Recipe(batch_size=8, learning_rate=1.0)
MIXUP, CUTMIX, BOTH = replace(RECIPE, mixup=0.4), replace(RECIPE, cutmix=1.0), replace(RECIPE, mixup=0.4, cutmix=1.0)


def mixed(inputs: Tensor, targets: Tensor, recipe: Recipe, seed: int = 0, classes: int = 5) -> tuple[Tensor, Tensor]:
    return mix(inputs, targets, classes, recipe, torch.Generator().manual_seed(seed))


def numbered(count: int, *axes: int) -> Tensor:
    """Examples that hold nothing but their own number, from 0."""
    return torch.arange(float(count)).reshape(-1, *[1] * len(axes)).expand(count, *axes).clone()


def test_a_recipe_that_mixes_nothing_gives_the_batch_itself() -> None:
    inputs, targets = numbered(4, 1, 3, 3), torch.arange(4)
    kept = mixed(inputs, targets, RECIPE)
    assert kept[0] is inputs
    assert kept[1] is targets


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("axes", [(1, 4, 6), (7, 2), (9,)])
def test_mixup_mixes_each_example_and_its_class_with_the_one_before_in_equal_shares(axes: tuple[int, ...], seed: int) -> None:
    inputs, shares_NK = mixed(numbered(5, *axes), torch.arange(5), MIXUP, seed)
    share = shares_NK[1, 1].item()
    assert 0 <= share <= 1
    assert torch.allclose(shares_NK, share * torch.eye(5) + (1 - share) * torch.eye(5).roll(1, 0))
    expected_N = share * torch.arange(5.0) + (1 - share) * torch.tensor([4.0, 0, 1, 2, 3])
    assert torch.allclose(inputs, expected_N.reshape(-1, *[1] * len(axes)).expand(5, *axes), atol=1e-6)


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("axes", [(3, 8, 6), (1, 5, 5)])
def test_cutmix_puts_one_rectangle_of_the_picture_before_in_all_channels(axes: tuple[int, ...], seed: int) -> None:
    inputs, shares_NK = mixed(numbered(4, *axes), torch.arange(4), CUTMIX, seed)
    foreign_NCHW = inputs != numbered(4, *axes)
    assert torch.equal(inputs, torch.where(foreign_NCHW, numbered(4, *axes).roll(1, 0), numbered(4, *axes)))
    covered_HW = foreign_NCHW[0, 0]
    assert torch.equal(foreign_NCHW, covered_HW.expand_as(foreign_NCHW))
    rows, columns = covered_HW.any(1), covered_HW.any(0)
    assert torch.equal(covered_HW, rows[:, None] & columns)
    assert (rows.int().diff().abs().sum() <= 2) & (columns.int().diff().abs().sum() <= 2)  # spans without a gap
    assert shares_NK[2, 2].item() == pytest.approx(1 - covered_HW.float().mean().item(), abs=1e-6)
    assert torch.allclose(shares_NK.sum(1), torch.ones(4))


@pytest.mark.parametrize("seed", range(20))
def test_cutmix_of_a_sequence_is_a_span_along_it(seed: int) -> None:
    inputs, shares_NK = mixed(numbered(4, 12, 3), torch.arange(4), CUTMIX, seed)
    foreign_NLC = inputs != numbered(4, 12, 3)
    covered_L = foreign_NLC[0, :, 0]
    assert torch.equal(foreign_NLC, covered_L[:, None].expand_as(foreign_NLC))
    assert covered_L.int().diff().abs().sum() <= 2
    assert shares_NK[2, 2].item() == pytest.approx(1 - covered_L.float().mean().item(), abs=1e-6)


def test_a_piece_has_the_size_that_its_share_asks_for_and_may_hang_over_the_rim() -> None:
    """A quarter of 8×6 is 4×3 where it fits, and down to its last quarter in a corner; a quarter of 12 positions is 3."""
    sizes = set()
    for seed in range(200):
        pictures, share = _cut(numbered(2, 1, 8, 6), 0.75, torch.Generator().manual_seed(seed))
        covered = int((pictures[0] != 0).sum())
        sizes.add(covered)
        assert share == 1 - covered / 48
    assert max(sizes) == 12
    assert min(sizes) == 2 * 2
    spans = {_cut(numbered(2, 12, 1), 0.75, torch.Generator().manual_seed(seed))[1] for seed in range(100)}
    assert spans == {1 - 3 / 12, 1 - 2 / 12}


@pytest.mark.parametrize("share", [0.0, 0.3, 0.75, 1.0])
@pytest.mark.parametrize("cutting", [False, True], ids=["mixup", "cutmix"])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_of_two_examples_it_does_what_timm_does(
    monkeypatch: pytest.MonkeyPatch, share: float, cutting: bool, smoothing: float
) -> None:
    """timm mixes the first with the last, which of two is the one before; its draws are set to ours."""
    recipe = CUTMIX if cutting else MIXUP
    monkeypatch.setattr(np.random, "beta", lambda *_, **__: share)
    monkeypatch.setattr("nas.training.mixing._draw_share", lambda *_: share)
    generator = torch.Generator().manual_seed(3)
    places = [int(torch.randint(size, (), generator=generator)) for size in (9, 7)]
    monkeypatch.setattr(np.random, "randint", lambda *_, **__: np.int64(places.pop(0)))
    inputs, targets = torch.rand(2, 3, 9, 7), torch.tensor([4, 1])
    ours, shares_NK = mixed(inputs, targets, recipe, seed=3)
    given = {"mixup_alpha": recipe.mixup, "cutmix_alpha": recipe.cutmix, "num_classes": 5, "label_smoothing": smoothing}
    theirs, wanted_NK = Mixup(**given)(inputs.clone(), targets)
    assert torch.allclose(ours, theirs, atol=1e-6)
    logits_NK = torch.randn(2, 5)
    expected = -(wanted_NK * logits_NK.log_softmax(1)).sum(1).mean()
    found = Classification(lambda _: pytest.fail("no data")).loss(logits_NK, shares_NK, smoothing)
    assert found.item() == pytest.approx(expected.item(), rel=1e-5)


@pytest.mark.parametrize("alpha", [0.2, 1.0, 4.0])
def test_shares_are_drawn_from_the_beta_distribution_of_the_recipe(alpha: float) -> None:
    """Of mean 1/2 and variance 1 / (4·(2·alpha + 1))."""
    generator = torch.Generator().manual_seed(0)
    recipe = replace(RECIPE, mixup=alpha)
    shares = [mix(numbered(2, 1), torch.arange(2), 2, recipe, generator)[1][0, 0].item() for _ in range(2_000)]
    assert np.mean(shares) == pytest.approx(0.5, abs=0.04)
    assert np.var(shares) == pytest.approx(1 / (4 * (2 * alpha + 1)), rel=0.1)


def test_half_of_the_batches_are_cut_where_a_recipe_asks_for_both() -> None:
    """Where examples hold their own number, a cut one holds whole numbers alone."""
    generator = torch.Generator().manual_seed(0)
    whole = [
        torch.equal(inputs, inputs.round())
        for inputs, _ in (mix(numbered(2, 1, 8, 8), torch.arange(2), 2, BOTH, generator) for _ in range(1_000))
    ]
    assert np.mean(whole) == pytest.approx(0.5, abs=0.05)


def test_each_of_both_draws_its_shares_as_the_recipe_says_for_it() -> None:
    """Mixed in halves, and cut in all sizes."""
    generator, recipe = torch.Generator().manual_seed(0), replace(RECIPE, mixup=1e6, cutmix=1.0)
    shares: dict[bool, list[float]] = {True: [], False: []}
    for _ in range(200):
        inputs, shares_NK = mix(numbered(2, 1, 30, 30), torch.arange(2), 2, recipe, generator)
        shares[torch.equal(inputs, inputs.round())].append(shares_NK[0, 0].item())
    assert np.abs(np.array(shares[False]) - 0.5).max() < 0.01
    assert min(shares[True]) < 0.4  # a cut of a half would leave more, at the rim much more


@pytest.mark.parametrize("recipe", [MIXUP, CUTMIX, BOTH], ids=["mixup", "cutmix", "both"])
def test_equal_generators_give_equal_batches_and_nothing_else_is_touched(recipe: Recipe) -> None:
    inputs, targets = torch.rand(6, 3, 8, 8), torch.arange(6) % 5
    given, states = inputs.clone(), (torch.get_rng_state(), np.random.get_state()[1].tolist())
    once, again, other = (mixed(inputs, targets, recipe, seed) for seed in (1, 1, 2))
    assert all(torch.equal(*pair) for pair in zip(once, again, strict=True))
    assert not torch.equal(once[0], other[0])
    assert torch.equal(inputs, given)
    assert targets.tolist() == [0, 1, 2, 3, 4, 0]
    assert torch.equal(torch.get_rng_state(), states[0])
    assert np.random.get_state()[1].tolist() == states[1]


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("recipe", [MIXUP, CUTMIX], ids=["mixup", "cutmix"])
def test_shape_kind_of_number_and_layout_stay(recipe: Recipe, layout: torch.memory_format) -> None:
    inputs = torch.rand(4, 3, 8, 6, dtype=torch.float64).to(memory_format=layout)
    outputs, _ = mixed(inputs, torch.arange(4), recipe)
    assert (outputs.shape, outputs.dtype, outputs.stride()) == (inputs.shape, inputs.dtype, inputs.stride())


def test_a_single_example_is_mixed_with_itself() -> None:
    inputs = torch.rand(1, 1, 4, 4)
    outputs, shares_NK = mixed(inputs, torch.tensor([3]), MIXUP)
    assert torch.allclose(outputs, inputs)
    assert shares_NK.tolist() == [[0, 0, 0, 1, 0]]


def test_numbers_that_are_wanted_are_mixed_as_the_examples_are() -> None:
    inputs, targets_NF = numbered(4, 6, 1), numbered(4, 2)
    for recipe in (MIXUP, CUTMIX):
        outputs, mixed_NF = mixed(inputs, targets_NF, recipe)
        assert torch.allclose(outputs.mean((1, 2)), mixed_NF[:, 0], atol=1e-6)
        assert torch.equal(mixed_NF[:, 0], mixed_NF[:, 1])


@pytest.mark.parametrize(
    ("inputs", "targets", "recipe"),
    [
        (torch.ones(4, 6, dtype=torch.int64), torch.arange(4), MIXUP),  # tokens
        (numbered(4, 6, 2), torch.zeros(4, 6, dtype=torch.int64), MIXUP),  # a class for each position
        (numbered(4, 6), torch.arange(4), CUTMIX),  # features have no place
    ],
)
def test_what_cannot_be_mixed_is_refused(inputs: Tensor, targets: Tensor, recipe: Recipe) -> None:
    with pytest.raises(BenchmarkError) as caught:
        mixed(inputs, targets, recipe)
    assert str(caught.value) == (
        f"Pictures, sequences and sounds of one class each are mixed, or of a vector of numbers, got inputs of "
        f"{tuple(inputs.shape[1:])} in {inputs.dtype} and targets of {tuple(targets.shape[1:])}; leave mixup and cutmix out."
    )


def test_the_loss_of_shares_is_the_mean_of_both_losses_in_those_shares() -> None:
    """Zhang et al. 2018 train on either form."""
    task, logits_NK = Classification(lambda _: pytest.fail("no data")), torch.randn(4, 5)
    targets = torch.tensor([1, 1, 0, 4])
    _, shares_NK = mixed(numbered(4, 2), targets, MIXUP)
    share = shares_NK[2, 0].item()
    for smoothing in (0.0, 0.2):
        own, other = (task.loss(logits_NK, each, smoothing).item() for each in (targets, targets.roll(1, 0)))
        expected = share * own + (1 - share) * other
        assert task.loss(logits_NK, shares_NK, smoothing).item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("recipe", [MIXUP, CUTMIX, BOTH], ids=["mixup", "cutmix", "both"])
def test_a_batch_is_mixed_on_the_gpu_as_on_the_cpu(recipe: Recipe) -> None:
    inputs, targets = torch.rand(6, 3, 8, 8), torch.arange(6) % 5
    there, here = mixed(inputs.cuda(), targets.cuda(), recipe), mixed(inputs, targets, recipe)
    assert all(one.is_cuda and torch.allclose(one.cpu(), other) for one, other in zip(there, here, strict=True))
