from typing import Any

import pytest
import torch
from sequence_questions import NEXT, TEXTS, architecture, inputs

from nas.benchmark import Features, NextTokens, Signature, Tokens
from nas.models import build, cost, network_id
from nas.space import size
from search_spaces.recurrent import SPACE


def test_a_classifier_of_final_states_has_seen_the_whole_text_in_both_directions() -> None:
    found = architecture(SPACE, cell="gru", give="final", bidirectional=True)
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
        network_id(SPACE, architecture(SPACE, cell="lstm", give=give, bidirectional=both), NEXT)
        for give in ("sequence", "final")
        for both in (False, True)
    }
    assert len(ids) == 1
    model = build(SPACE, architecture(SPACE, cell="lstm", bidirectional=True), NEXT)
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
    found = [cost(SPACE, architecture(SPACE, **answers), signature) for answers in ({}, LARGEST)]
    assert [one.params for one in found if one is not None] == [smallest, largest]
