"""What holds of every space of texts and other sequences."""

import random

import pytest
import torch
from sequence_questions import NEXT, SERIES, TAGS, TEXTS, inputs

from nas.benchmark import Signature, Tokens
from nas.models import build, check_layers
from nas.space import Space
from search_spaces import hybrid_sequence, recurrent, transformer_encoder

SPACES = [hybrid_sequence.SPACE, recurrent.SPACE, transformer_encoder.SPACE]


@pytest.fixture(params=SPACES, ids=lambda space: space.name)
def space(request: pytest.FixtureRequest) -> Space:
    found: Space = request.param
    return found


def test_every_value_of_every_option_is_one_that_its_layer_takes(space: Space) -> None:
    check_layers(space)


@pytest.mark.parametrize("signature", [TEXTS, NEXT, SERIES, TAGS], ids=["texts", "next", "series", "tags"])
def test_random_architectures_give_what_is_wanted_and_pass_gradients_back(space: Space, signature: Signature) -> None:
    rng = random.Random(0)
    for _ in range(20 if isinstance(signature.input, Tokens) else 10):
        found = space.sample(rng)
        model = build(space, found, signature, seed=0)
        logits = model(inputs(signature))
        assert logits.shape == (3, *signature.output.axes)
        logits.square().sum().backward()
        gradients = [parameter.grad for parameter in model.parameters()]
        assert all(gradient is not None and gradient.isfinite().all() for gradient in gradients), found.choices


def test_no_language_model_sees_a_bit_of_what_comes_later(space: Space) -> None:
    rng = random.Random(1)
    for _ in range(20):
        found = space.sample(rng)
        model = build(space, found, NEXT, seed=0).eval()
        one = inputs(NEXT)
        with torch.no_grad():
            first = model(one)
            for at in (1, 13, 31):
                other = one.clone()
                other[:, at] = (other[:, at] + 1) % 65
                second = model(other)
                assert torch.equal(first[:, :at], second[:, :at]), found.choices
                assert not torch.equal(first[:, at:], second[:, at:]), found.choices
