"""What is drawn for the examples of a batch is the same whether one process has them all, or several share them."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor
from toy_texts import ToyTexts, architecture, benchmark, space

from nas.benchmark import Image, Modalities, Recipe, Sequence
from nas.chance import Shared, rand, randint, randn
from nas.models import plan
from nas.protocols.pretext import Trunk, make_pretext
from nas.protocols.views import view_pictures, view_sounds
from nas.robustness import Scale, Spelling, corrupt
from nas.training import Ranks, Setup, augment, mix
from nas.training.augmentation import augment_rows

OF = 7
SEED = torch.Generator().manual_seed(5)
PICTURES = torch.rand(OF, 2, 6, 6, generator=SEED)
SOUNDS = torch.rand(OF, 40, 1, generator=SEED)
TEXTS = torch.randint(1, 12, (OF, 20), generator=SEED)
ROWS = torch.rand(OF, 24, generator=SEED)
GIVEN = Modalities.of(picture=Image(1, 4, 4), series=Sequence(4, 2))
MOVED = Recipe(batch_size=8, learning_rate=0.1, shift=1, flip=True, erase=0.5)
SPELLING = Spelling(lambda: ("", *(letter + "xy" for letter in "abcdefghijk")), unknown=1)

Draw = Callable[[Tensor, torch.Generator], Tensor]


def masked(name: str, inputs: Tensor, chance: torch.Generator) -> Tensor:
    signature = benchmark().signature
    trunk = Trunk.of(plan(space(), architecture(), signature), signature.input)
    setup: Any = Setup(
        benchmark=benchmark(), task=ToyTexts(), parts=(), feed=ToyTexts().examples, budget=benchmark().budget, seed=0
    )
    method = make_pretext(name, {}).method(trunk, setup, benchmark().recipe)
    return torch.stack(method.prepare(inputs, inputs[:, 0], chance), dim=1)


DRAWS: dict[str, tuple[Tensor, Draw]] = {
    "pictures that are moved": (PICTURES, lambda inputs, chance: augment(inputs, MOVED, chance)),
    "sounds that are moved": (SOUNDS, lambda inputs, chance: augment(inputs, MOVED, chance)),
    "rows": (ROWS, lambda inputs, chance: augment_rows(inputs, GIVEN, MOVED, chance)),
    "views of pictures": (PICTURES, partial(view_pictures, crop=0.2, flip=True, jitter=0.4)),
    "views of sounds": (SOUNDS, partial(view_sounds, shift=0.1, speed=0.1, gain=6.0, noise=0.2)),
    "masked tokens": (TEXTS, partial(masked, "masked_tokens")),
    "pieces of texts": (TEXTS, partial(masked, "next_tokens")),
    **{
        f"{name} of {what}": (inputs, lambda inputs, chance, name=name: corrupt(inputs, name, 3, chance, Scale(), SPELLING))
        for what, inputs, names in (
            ("pictures", PICTURES, ("noise", "shift")),
            ("sounds", SOUNDS, ("noise", "speed", "gain")),
            ("texts", TEXTS, ("drop", "typos")),
        )
        for name in names
    },
}


def of_rank(rank: int, common: torch.Generator) -> torch.Generator:
    store = torch.distributed.HashStore()
    return Ranks(rank, 3, rank, store).chance(common, seed=4, step=2, of=OF)


@pytest.mark.parametrize("name", DRAWS)
def test_parts_of_a_batch_are_changed_as_the_whole_is(name: str) -> None:
    inputs, draw = DRAWS[name]
    alone = torch.Generator().manual_seed(9)
    whole = draw(inputs, alone)
    assert not torch.equal(whole, inputs), "nothing was drawn"
    parts = []
    for rank, part in enumerate(inputs.tensor_split(3)):
        common = torch.Generator().manual_seed(9)
        parts.append(draw(part, of_rank(rank, common)))
        assert torch.equal(common.get_state(), alone.get_state()), "what is drawn next is another"
    torch.testing.assert_close(torch.cat(parts), whole)


def test_what_is_drawn_once_for_a_batch_is_the_same_in_all_its_parts() -> None:
    recipe = Recipe(batch_size=8, learning_rate=0.1, mixup=0.4, cutmix=1.0)
    targets = torch.arange(OF) % 2
    alone = torch.Generator().manual_seed(3)
    mix(PICTURES, targets, 2, recipe, alone)
    for rank, (some, wanted) in enumerate(zip(PICTURES.tensor_split(3), targets.tensor_split(3), strict=True)):
        common = torch.Generator().manual_seed(3)
        mix(some, wanted, 2, recipe, of_rank(rank, common))
        assert torch.equal(common.get_state(), alone.get_state())


def test_what_knows_nothing_of_parts_draws_what_no_other_process_draws() -> None:
    common = torch.Generator().manual_seed(1)
    before = common.get_state()
    drawn = [torch.rand(3, generator=of_rank(rank, common)).tolist() for rank in (0, 1, 1)]
    assert drawn[0] != drawn[1] == drawn[2]
    assert torch.equal(common.get_state(), before)


def test_a_plain_generator_draws_as_torch_does() -> None:
    one, other = (torch.Generator().manual_seed(2) for _ in range(2))
    assert torch.equal(rand((2, 3), one, axis=1), torch.rand(2, 3, generator=other))
    assert torch.equal(randn((4,), one), torch.randn(4, generator=other))
    assert torch.equal(randint(2, 9, (4,), one), torch.randint(2, 9, (4,), generator=other))


def test_numbers_are_drawn_for_the_examples_at_hand() -> None:
    shared = Shared.made(torch.Generator(), seed=0, of=5, begin=2, count=3)
    assert rand((2, 3), shared, axis=1).shape == (2, 3)
    with pytest.raises(ValueError, match=r"^Numbers are drawn for the 3 examples at hand, got 2 along axis 0\.$"):
        rand((2, 3), shared)
