"""Corruptions: each does what its words say, the more the severer, and equally on every device for equal seeds."""

import math

import pytest
import torch
from torch import Tensor

from nas.errors import BenchmarkError
from nas.measures import CORRUPTIONS, SEVERITIES
from nas.robustness import Scale, Spelling, corrupt, kind_of

UNIT = Scale(low=0.0, high=1.0)

SPELLING = Spelling(lambda: ["[PAD]", "[UNK]", *"abcdefghijklmnopqrstuvwxyz", "good", "film", "bad", "go"], unknown=1)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def examples(kind: str) -> Tensor:
    chance = seeded(5)
    if kind == "image":
        return torch.rand((6, 2, 12, 12), generator=chance)
    if kind == "sequence":
        return torch.randn((6, 400, 1), generator=chance)
    tokens = torch.randint(28, 32, (6, 40), generator=chance)
    tokens[0, :30] = 0
    return tokens


EVERY = [(kind, name) for kind, names in CORRUPTIONS.items() for name in names]


@pytest.mark.parametrize(("kind", "name"), EVERY)
def test_a_corruption_follows_from_its_seed_keeps_shapes_and_grows_with_severity(kind: str, name: str) -> None:
    inputs = examples(kind)
    before = inputs.clone()
    scale = UNIT if kind == "image" else Scale()
    found = [corrupt(inputs, name, severity, seeded(), scale, SPELLING) for severity in SEVERITIES]
    assert torch.equal(inputs, before)
    assert torch.equal(found[2], corrupt(inputs, name, 3, seeded(), scale, SPELLING))
    assert all(one.shape == inputs.shape and one.dtype == inputs.dtype for one in found)
    if kind == "tokens":
        apart = [one.ne(inputs).double().mean().item() for one in found]
    else:
        apart = [(one - inputs).double().square().mean().item() for one in found]
    assert 0 < apart[0] < apart[2] < apart[4]


def test_inputs_are_of_the_kind_that_their_axes_say() -> None:
    assert [kind_of(examples(kind)) for kind in CORRUPTIONS] == [*CORRUPTIONS]
    assert kind_of(torch.zeros(2, 3)) == ""


def test_noise_has_the_deviation_that_it_says_in_the_raw_unit_and_stays_in_range() -> None:
    grey = torch.full((50, 1, 20, 20), 0.5)
    noisy = corrupt(grey, "noise", 5, seeded(), UNIT)
    assert (noisy - grey).std().item() == pytest.approx(0.10, rel=0.02)
    scale = Scale(mean=0.2, deviation=0.25, low=0.0, high=1.0)
    assert torch.allclose(scale.raw(corrupt((grey - 0.2) / 0.25, "noise", 5, seeded(), scale)), noisy, atol=1e-6)
    assert corrupt(torch.ones_like(grey), "noise", 5, seeded(), UNIT).max() <= 1


def test_blur_spreads_a_point_as_its_formula_says_and_leaves_evenness() -> None:
    point = torch.zeros(1, 1, 9, 9)
    point[0, 0, 4, 4] = 1
    blurred = corrupt(point, "blur", 5, seeded(), UNIT)[0, 0]
    assert blurred.sum().item() == pytest.approx(1.0, abs=1e-4)
    assert (blurred[4, 5] / blurred[4, 4]).item() == pytest.approx(math.exp(-1 / 2), rel=1e-4)
    assert torch.allclose(corrupt(torch.full((1, 3, 5, 5), 0.7), "blur", 3, seeded(), UNIT), torch.full((1, 3, 5, 5), 0.7))


def test_contrast_draws_each_channel_together_around_its_mean() -> None:
    picture = torch.tensor([0.0, 1.0]).view(1, 1, 1, 2)
    assert corrupt(picture, "contrast", 2, seeded(), UNIT).flatten().tolist() == pytest.approx([0.25, 0.75])


def test_shift_moves_what_is_in_a_picture_as_far_as_it_says() -> None:
    picture = torch.zeros(200, 1, 25, 25)
    picture[:, 0, 12, 12] = 1
    moved = corrupt(picture, "shift", 5, seeded(), UNIT)[:, 0]
    at = torch.arange(25.0)
    centres = torch.stack(((moved.sum(1) * at).sum(1), (moved.sum(2) * at).sum(1)), 1) / moved.sum((1, 2))[:, None]
    assert (centres - 12).norm(dim=1).tolist() == pytest.approx([0.16 * 25] * 200, abs=0.02)
    assert (centres - 12).mean(0).abs().max() < 0.6  # in all directions


def test_hiss_has_the_power_that_its_decibels_say() -> None:
    sound = torch.sin(torch.arange(8_000) * 0.3).view(1, -1, 1) * 4
    for severity, decibel in zip(SEVERITIES, (25, 20, 15, 10, 5), strict=True):
        hiss = corrupt(sound, "noise", severity, seeded(), Scale()) - sound
        found = 10 * math.log10((sound.square().mean() / hiss.square().mean()).item())
        assert found == pytest.approx(decibel, abs=0.2)


def test_speed_makes_tones_higher_or_lower_by_its_share() -> None:
    sounds = torch.sin(2 * math.pi * 40 * torch.arange(1_000) / 1_000).view(1, -1, 1).expand(40, -1, 1)
    faster = corrupt(sounds, "speed", 5, seeded(), Scale())[:, :, 0]
    crossings = (faster[:, 100:900].sign().diff(dim=1) != 0).sum(1).double()
    assert {round(count.item() / 64, 1) for count in crossings} == {0.8, 1.2}


def test_gain_makes_louder_or_softer_by_its_decibels() -> None:
    sounds = torch.ones(40, 3, 1)
    louder = corrupt(sounds, "gain", 3, seeded(), Scale())
    assert {round(20 * math.log10(value), 3) for value in louder[:, 0, 0].tolist()} == {-6.0, 6.0}
    assert corrupt(sounds, "gain", 3, seeded(), Scale(low=-1.0, high=1.0)).max() == 1


def test_dropped_tokens_leave_the_rest_in_its_order_at_the_end() -> None:
    tokens = torch.arange(1, 101).expand(50, -1)
    left = corrupt(tokens, "drop", 5, seeded(), Scale())
    for row in left.tolist():
        words = [number for number in row if number]
        assert row == [0] * (100 - len(words)) + words == [0] * (100 - len(words)) + sorted(set(words))
    assert left.eq(0).double().mean().item() == pytest.approx(0.30, abs=0.02)
    assert corrupt(torch.tensor([[0, 0, 7]]), "drop", 5, seeded(), Scale()).tolist() == [[0, 0, 7]]


def test_typos_change_letters_and_are_read_again_by_the_vocabulary() -> None:
    words = torch.cat((torch.zeros(1, 400, dtype=torch.long), torch.full((1, 400), 28)), 1)  # "good", and room for more
    found = corrupt(words, "typos", 5, seeded(), Scale(), SPELLING)[0].tolist()
    assert 0.7 < found.count(28) / 400 < 0.9
    texts = {SPELLING.texts[number] for number in found} - {"good", "[PAD]"}
    assert {"o", "d", "go"} <= texts  # "godo", "god", "ood", …
    assert "film" not in texts
    letters = torch.full((1, 50), 5)
    assert torch.equal(corrupt(letters, "typos", 5, seeded(), Scale(), SPELLING), letters)  # of one letter nothing is wrong


def test_a_word_that_is_spelt_wrong_is_unknown_to_a_vocabulary_of_words() -> None:
    whole = Spelling(lambda: ["[PAD]", "[UNK]", "good", "film"], unknown=1, whole=True)
    found = corrupt(torch.full((1, 400), 2), "typos", 5, seeded(), Scale(), whole)[0].tolist()
    assert set(found) <= {1, 2}  # but where its two o's were swapped
    assert 0.1 < found.count(1) / 400 < 0.25


def test_what_inputs_do_not_have_is_refused() -> None:
    with pytest.raises(BenchmarkError, match=r"no corruption 'gain'; they have noise, blur, contrast, shift"):
        corrupt(torch.zeros(1, 1, 4, 4), "gain", 1, seeded(), UNIT)
    with pytest.raises(BenchmarkError, match="they have none"):
        corrupt(torch.zeros(1, 4), "noise", 1, seeded(), UNIT)
    with pytest.raises(BenchmarkError, match="give the task a `spelling`, or measure drop"):
        corrupt(torch.zeros(1, 4, dtype=torch.long), "typos", 1, seeded(), Scale())
