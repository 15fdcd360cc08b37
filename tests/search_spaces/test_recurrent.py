import random
from typing import Any

import pytest
import torch

from nas.benchmark import Features, NextTokens, Sequence, Signature, Tokens
from nas.models import build, check_layers, cost, network_id
from nas.space import Architecture, size
from search_spaces.recurrent import SPACE

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
    """The answers, and the first value of every choice that they leave open; `cell` is the kind of every layer."""

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


def test_a_classifier_of_final_states_has_seen_the_whole_text_in_both_directions() -> None:
    found = architecture(cell="gru", give="final", bidirectional=True)
    model = build(SPACE, found, TEXTS, seed=0).eval()
    states = []
    model.get_submodule("cell-gru").register_forward_hook(lambda *call: states.append(call[-1]))
    one = inputs(TEXTS)
    other = one.clone()
    other[:, 0], other[:, -1] = (one[:, 0] + 1) % 65, (one[:, -1] + 1) % 65
    with torch.no_grad():
        model(one), model(other)
    forwards, backwards = (states[0] != states[1]).chunk(2, dim=1)
    assert forwards.any()
    assert backwards.any()
    width = found.choices["width"]
    assert states[0].shape == (3, 2 * width)


def test_directions_and_final_states_are_nothing_to_a_language_model() -> None:
    ids = {
        network_id(SPACE, architecture(cell="lstm", give=give, bidirectional=both), NEXT)
        for give in ("sequence", "final")
        for both in (False, True)
    }
    assert len(ids) == 1
    model = build(SPACE, architecture(cell="lstm", bidirectional=True), NEXT)
    assert not [name for name, _ in model.named_parameters() if name.endswith("_reverse")]


def test_the_size_is_what_the_readme_says() -> None:
    layers = 2 + 3 + 1  # an RNN of two kinds, an LSTM of three, a GRU
    ends = 2 + 1  # average, max; final
    assert size(SPACE) == 5 * 2 * 2 * 3 * ends * 4 * (layers + layers**2 + layers**3) == 185_760


LARGEST = {"width": 128, "norm": "layer", "embedding.features": 128, "times": 2, "cell": "lstm", "bidirectional": True}


@pytest.mark.parametrize(
    ("output", "smallest", "largest"), [(NextTokens(128, 65), 4_785, 413_761), (Features(2), 2_706, 1_065_090)]
)
def test_the_smallest_and_the_largest_are_what_the_readme_says(output: Any, smallest: int, largest: int) -> None:
    signature = Signature(Tokens(128, 65), output)
    found = [cost(SPACE, architecture(**answers), signature) for answers in ({}, LARGEST)]
    assert [one.params for one in found if one is not None] == [smallest, largest]
