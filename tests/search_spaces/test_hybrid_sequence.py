from itertools import product
from typing import Any

import pytest
import torch
from sequence_questions import NEXT, TEXTS, architecture, inputs

from nas.benchmark import Features, NextTokens, Signature, Tokens
from nas.models import build, cost
from nas.space import size
from search_spaces.hybrid_sequence import SPACE

KINDS = ("convolution", "separable", "gru", "lstm", "attention", "feed_forward")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("signature", [TEXTS, NEXT], ids=["texts", "next"])
def test_a_block_adds_to_what_it_is_given(kind: str, signature: Signature) -> None:
    model = build(SPACE, architecture(SPACE, kind=kind, bidirectional=True), signature, seed=0).eval()
    block = model.get_submodule("block-0-residual")
    stream_NLC = model.embedding(inputs(signature))
    step_NLC = block.branches["body"](stream_NLC)
    assert torch.equal(block(stream_NLC), stream_NLC + step_NLC)
    assert step_NLC.min() < 0 < step_NLC.max()


def test_the_size_is_what_the_readme_says() -> None:
    # How many ways each kind of block has, and which shared choice it reads first of all blocks.
    ways = {"convolution": 9, "separable": 12, "gru": 1, "lstm": 1, "attention": 3, "feed_forward": 2}
    reads = {
        "convolution": "act",
        "separable": "act",
        "feed_forward": "act",
        "gru": "way",
        "lstm": "way",
        "attention": "positions",
    }
    values = {"act": 3, "way": 2, "positions": 3}
    total = 0
    for depth in range(2, 7):
        for kinds in product(KINDS, repeat=depth):
            once = 1
            for shared in {reads[kind] for kind in kinds}:
                once *= values[shared]
            for kind in kinds:
                once *= ways[kind]
            total += once
    widths, dropouts, pools = 5, 3, 2
    assert size(SPACE) == widths * dropouts * pools * total == 119_413_142_160


SMALLEST = {"kind": "feed_forward"}
LARGEST = {"kind": "lstm", "width": 96, "times": 6, "bidirectional": True}


@pytest.mark.parametrize(
    ("output", "smallest", "largest"), [(NextTokens(128, 65), 5_729, 516_737), (Features(2), 4_154, 1_012_898)]
)
def test_the_smallest_and_the_largest_are_what_the_readme_says(output: Any, smallest: int, largest: int) -> None:
    signature = Signature(Tokens(128, 65), output)
    found = [cost(SPACE, architecture(SPACE, **answers), signature) for answers in (SMALLEST, LARGEST)]
    assert [one.params for one in found if one is not None] == [smallest, largest]
