import numpy as np
import pytest
import torch
from torch import Tensor

from nas.benchmark import Features, Image, Modalities, Recipe, Sequence, Tokens
from nas.training.augmentation import augment, augment_rows


def recipe(*, shift: int = 0, flip: bool = False) -> Recipe:
    return Recipe(batch_size=8, learning_rate=1.0, shift=shift, flip=flip)


def augmented(images_NCHW: Tensor, *, seed: int = 0, shift: int = 0, flip: bool = False) -> Tensor:
    return augment(images_NCHW, recipe(shift=shift, flip=flip), torch.Generator().manual_seed(seed))


def copies(count: int) -> Tensor:
    """The picture 0 1 2 / 3 4 5 / 6 7 8, `count` times."""
    return torch.arange(9.0).reshape(1, 1, 3, 3).repeat(count, 1, 1, 1)


def seen(images_NCHW: Tensor) -> set[tuple[float, ...]]:
    return {tuple(image.flatten().tolist()) for image in images_NCHW}


def test_a_recipe_without_changes_gives_the_images_themselves() -> None:
    images_NCHW = copies(2)
    assert augmented(images_NCHW) is images_NCHW


def test_a_shift_by_one_gives_each_of_the_nine_neighbours_and_nothing_else() -> None:
    padded = np.pad(np.arange(9.0).reshape(3, 3), 1, mode="edge")
    expected = {tuple(padded[row : row + 3, column : column + 3].flatten()) for row in range(3) for column in range(3)}
    assert len(expected) == 9
    assert seen(augmented(copies(400), shift=1)) == expected


def test_what_comes_in_at_the_rim_repeats_it() -> None:
    """Moved down and right by one; the corner 0 spreads."""
    assert (0, 0, 1, 0, 0, 1, 3, 3, 4) in seen(augmented(copies(400), shift=1))


def test_a_shift_may_be_larger_than_the_picture() -> None:
    outputs = augmented(copies(400), shift=5)
    assert outputs.shape == (400, 1, 3, 3)
    assert {(0.0,) * 9, (8.0,) * 9} <= seen(outputs)


def test_shifts_are_drawn_for_each_image_and_each_direction() -> None:
    outputs = augmented(copies(9_000), shift=1)
    rows, columns = outputs[:, 0, 1, 1].div(3).floor(), outputs[:, 0, 1, 1].remainder(3)
    for row in range(3):
        for column in range(3):
            share = ((rows == row) & (columns == column)).float().mean().item()
            assert share == pytest.approx(1 / 9, abs=0.015)


def test_all_channels_of_an_image_move_together() -> None:
    picture = copies(50)
    outputs = augmented(torch.cat([picture, picture + 100], dim=1), shift=2, flip=True)
    assert torch.equal(outputs[:, 1], outputs[:, 0] + 100)


def test_half_of_the_images_are_mirrored_left_to_right() -> None:
    plain, mirrored = (0, 1, 2, 3, 4, 5, 6, 7, 8), (2, 1, 0, 5, 4, 3, 8, 7, 6)
    outputs = augmented(copies(1_000), flip=True)
    assert seen(outputs) == {plain, mirrored}
    assert (outputs[:, 0, 0, 0] == 2).float().mean().item() == pytest.approx(0.5, abs=0.05)


def test_equal_generators_give_equal_images_and_others_others() -> None:
    images_NCHW = torch.rand(32, 3, 7, 5)
    once, again, other = (augmented(images_NCHW, seed=seed, shift=2, flip=True) for seed in (1, 1, 2))
    assert torch.equal(once, again)
    assert not torch.equal(once, other)


def test_the_images_that_are_given_and_the_global_random_state_stay() -> None:
    images_NCHW, before = copies(20), torch.get_rng_state()
    augmented(images_NCHW, shift=1, flip=True)
    assert torch.equal(images_NCHW, copies(20))
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("shape", [(1, 1, 8, 8), (5, 3, 7, 5), (2, 1, 1, 1)])
def test_shape_and_kind_of_number_stay(dtype: torch.dtype, shape: tuple[int, ...]) -> None:
    outputs = augmented(torch.zeros(shape, dtype=dtype), shift=1, flip=True)
    assert (outputs.shape, outputs.dtype) == (shape, dtype)


@pytest.mark.parametrize("channels", [1, 3])
def test_strides_stay_those_of_channels_first(channels: int) -> None:
    """Of one channel, torch calls other strides contiguous too, and then computes as if they were channels-last."""
    images_NCHW = torch.zeros(2, channels, 8, 8)
    assert augmented(images_NCHW, shift=1).stride() == images_NCHW.stride()


def test_a_shift_moves_a_sequence_along_its_positions_and_repeats_its_ends() -> None:
    sequences_NLC = torch.arange(1.0, 5).reshape(1, 4, 1).repeat(400, 1, 2) * torch.tensor([1.0, 10.0])
    outputs = augmented(sequences_NLC, shift=2)
    assert seen(outputs[:, :, :1]) == {(1, 1, 1, 2), (1, 1, 2, 3), (1, 2, 3, 4), (2, 3, 4, 4), (3, 4, 4, 4)}
    assert torch.equal(outputs[:, :, 1], 10 * outputs[:, :, 0])


def test_shifts_of_sequences_are_drawn_evenly_and_may_be_longer_than_they_are() -> None:
    outputs = augmented(torch.arange(5.0).reshape(1, 5, 1).repeat(9_000, 1, 1), shift=1)
    for first, share in ((0, 2 / 3), (1, 1 / 3)):
        assert (outputs[:, 0, 0] == first).float().mean().item() == pytest.approx(share, abs=0.02)
    assert seen(augmented(torch.arange(2.0).reshape(1, 2, 1).repeat(400, 1, 1), shift=5)) == {(0, 0), (0, 1), (1, 1)}


def erased(images_NCHW: Tensor, share: float, *, seed: int = 0) -> Tensor:
    recipe = Recipe(batch_size=8, learning_rate=1.0, erase=share)
    return augment(images_NCHW, recipe, torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(("share", "size"), [(0.3, (1, 16, 16)), (1.0, (3, 9, 20)), (1.0, (1, 2, 2))])
def test_a_share_of_the_images_has_one_rectangle_of_zeros_in_all_channels(share: float, size: tuple[int, int, int]) -> None:
    images_NCHW = torch.ones(2_000, *size)
    outputs = erased(images_NCHW, share)
    gone_NHW = outputs[:, 0] == 0
    assert torch.equal(outputs == 0, gone_NHW[:, None].expand_as(outputs))
    assert gone_NHW.any((1, 2)).float().mean().item() == pytest.approx(share, abs=0.03)
    rows_NH, columns_NW = gone_NHW.any(2), gone_NHW.any(1)
    assert torch.equal(gone_NHW, rows_NH[:, :, None] & columns_NW[:, None, :])
    for spans in (rows_NH, columns_NW):
        assert int(spans.int().diff(dim=1).abs().sum(1).max()) <= 2  # without a gap


def test_what_is_erased_is_2_to_40_percent_and_as_often_tall_as_wide() -> None:
    gone_NHW = erased(torch.ones(4_000, 1, 100, 100), 1.0)[:, 0] == 0
    areas = gone_NHW.float().mean((1, 2))
    assert 0.018 < areas.min().item() < 0.03
    assert 0.37 < areas.max().item() < 0.41
    assert areas.mean().item() == pytest.approx(0.21, abs=0.01)
    heights, widths = gone_NHW.any(2).sum(1), gone_NHW.any(1).sum(1)
    assert (heights > widths).float().mean().item() == pytest.approx(0.5, abs=0.04)
    assert (heights / widths).max().item() == pytest.approx(1 / 0.3, rel=0.1)


def test_no_place_is_spared() -> None:
    """Corners too, though the middle is covered more often."""
    gone_HW = (erased(torch.ones(4_000, 1, 8, 8), 1.0)[:, 0] == 0).float().mean(0)
    assert gone_HW.min().item() > 0.01
    assert gone_HW.max().item() < 0.5


def test_erasing_leaves_sequences_the_given_images_and_their_layout_as_they_are() -> None:
    images_NCHW = torch.ones(5, 1, 8, 8)
    outputs = erased(images_NCHW, 1.0)
    assert torch.equal(images_NCHW, torch.ones(5, 1, 8, 8))
    assert (outputs.dtype, outputs.stride()) == (images_NCHW.dtype, images_NCHW.stride())
    assert torch.equal(outputs, erased(images_NCHW, 1.0))
    sequences_NLC = torch.ones(5, 8, 2)
    assert erased(sequences_NLC, 1.0) is sequences_NLC


def test_erasing_nothing_draws_nothing_so_that_what_is_drawn_after_it_stays() -> None:
    generator, untouched = torch.Generator().manual_seed(0), torch.Generator().manual_seed(0)
    augment(copies(3), recipe(), generator)
    assert torch.equal(generator.get_state(), untouched.get_state())


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_images_are_changed_on_the_gpu_as_on_the_cpu() -> None:
    images_NCHW = torch.rand(50, 3, 8, 8)
    changes = Recipe(batch_size=8, learning_rate=1.0, shift=1, flip=True, erase=0.5)
    there, here = (augment(images, changes, torch.Generator().manual_seed(0)) for images in (images_NCHW.cuda(), images_NCHW))
    assert torch.equal(there.cpu(), here)


ROW = Modalities.of(image=Image(1, 3, 3), words=Tokens(4, 9), series=Sequence(3, 1), other=Image(1, 3, 3), age=Features(1))


def rows(count: int = 400) -> Tensor:
    """Pictures 0 to 8 and 10 to 18, the words 1 2 3 4, the series 20 21 22, and an age of 30."""
    one = [*range(9), 1, 2, 3, 4, 20, 21, 22, *range(10, 19), 30]
    return torch.tensor([one] * count, dtype=torch.float32)


def test_of_several_modalities_pictures_and_sequences_move_each_by_its_own_chance_and_nothing_else() -> None:
    before = rows()
    after = augment_rows(before, ROW, recipe(shift=1), torch.Generator().manual_seed(0))
    assert torch.equal(before, rows()), "in place of none"
    for name in ("words", "age"):
        assert torch.equal(after[:, ROW.span(name)], before[:, ROW.span(name)])
    pictures, others, series = (after[:, ROW.span(name)] for name in ("image", "other", "series"))
    alone = seen(augmented(copies(400), shift=1))
    assert seen(pictures) == alone
    assert seen(others - 10) == alone
    assert {tuple(row) for row in series.tolist()} == {(20, 20, 21), (20, 21, 22), (21, 22, 22)}
    assert not torch.equal(pictures, others - 10)


def test_of_several_modalities_pictures_alone_are_mirrored() -> None:
    after = augment_rows(rows(), ROW, recipe(flip=True), torch.Generator().manual_seed(0))
    assert seen(after[:, ROW.span("image")]) == seen(augmented(copies(400), flip=True))
    assert torch.equal(after[:, ROW.span("series")], rows()[:, ROW.span("series")])


def test_a_modality_that_is_missing_stays_so_and_without_changes_the_rows_are_what_they_were() -> None:
    lacking = rows(8)
    lacking[:, ROW.span("image")] = 0
    assert not augment_rows(lacking, ROW, recipe(shift=1), torch.Generator())[:, ROW.span("image")].any()
    assert augment_rows(lacking, ROW, recipe(), torch.Generator()) is lacking
