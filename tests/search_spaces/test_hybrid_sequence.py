import random
from itertools import product
from typing import Any

import pytest
import torch

from nas.benchmark import Features, NextTokens, Sequence, Signature, Tokens
from nas.models import build, check_layers, cost
from nas.space import Architecture, size
from search_spaces.hybrid_sequence import SPACE

torch.set_num_threads(1)

TEXTS = Signature(Tokens(24, 65), Features(2))
SERIES = Signature(Sequence(29, 12), Features(9))
TAGS = Signature(Sequence(29, 12), Sequence(29, 4))
NEXT = Signature(Tokens(32, 65), NextTokens(32, 65))


def inputs(signature: Signature) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    given = signature.input
    if isinstance(given, Tokens):
        return torch.randint(given.vocabulary, (3, *given.axes), generator=generator)
    return torch.randn(3, *given.axes, generator=generator)


def architecture(**answers: Any) -> Architecture:
    """The answers, and the first value of every choice that they leave open; `kind` is that of every block."""

    def choose(name: str, domain: Any) -> Any:
        last = name.rpartition(".")[2]
        return answers.get(name, answers.get(last, next(iter(domain))))

    return SPACE.walk(choose)


def test_every_value_of_every_option_is_one_that_its_layer_takes() -> None:
    check_layers(SPACE)


@pytest.mark.parametrize("signature", [TEXTS, NEXT, SERIES, TAGS], ids=["texts", "next", "series", "tags"])
def test_random_architectures_give_what_is_wanted_and_pass_gradients_back(signature: Signature) -> None:
    rng = random.Random(0)
    for _ in range(50 if isinstance(signature.input, Tokens) else 10):
        found = SPACE.sample(rng)
        model = build(SPACE, found, signature, seed=0)
        logits = model(inputs(signature))
        assert logits.shape == (3, *signature.output.axes)
        logits.square().sum().backward()
        gradients = [parameter.grad for parameter in model.parameters()]
        assert all(gradient is not None and gradient.isfinite().all() for gradient in gradients), found.choices


def test_no_language_model_sees_a_bit_of_what_comes_later() -> None:
    rng = random.Random(1)
    for _ in range(20):
        found = SPACE.sample(rng)
        model = build(SPACE, found, NEXT, seed=0).eval()
        one = inputs(NEXT)
        with torch.no_grad():
            first = model(one)
            for at in (1, 13, 31):
                other = one.clone()
                other[:, at] = (other[:, at] + 1) % 65
                second = model(other)
                assert torch.equal(first[:, :at], second[:, :at]), found.choices
                assert not torch.equal(first[:, at:], second[:, at:]), found.choices


KINDS = ("convolution", "separable", "gru", "lstm", "attention", "feed_forward")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("signature", [TEXTS, NEXT], ids=["texts", "next"])
def test_a_block_adds_to_what_it_is_given(kind: str, signature: Signature) -> None:
    model = build(SPACE, architecture(kind=kind, bidirectional=True), signature, seed=0).eval()
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
    found = [cost(SPACE, architecture(**answers), signature) for answers in (SMALLEST, LARGEST)]
    assert [one.params for one in found if one is not None] == [smallest, largest]
