import numpy as np
import pytest
import torch
from torch import Tensor

from nas.benchmark import Recipe
from nas.training.augmentation import augment


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
