import json
import os
import pickle
import subprocess
import sys

import pytest

from nas.errors import SpaceError
from nas.space import Architecture

CHOICES = {"width": 64, "stage.times": 2, "dropout": 0.1, "op": "größe", "bias": True, "norm": None}


def test_the_id_is_the_same_for_ever():
    assert Architecture("toy", 1, CHOICES).id == "6cd5ef5292d1e70b"


@pytest.mark.parametrize("seed", ["0", "1", "4242"])
def test_the_id_is_the_same_in_a_fresh_process_with_another_hash_seed(seed):
    program = f"from nas.space import Architecture; print(Architecture('toy', 1, {CHOICES!r}).id)"
    environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONIOENCODING": "utf-8"}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == Architecture("toy", 1, CHOICES).id


def test_the_order_of_the_answers_does_not_change_the_id():
    turned = dict(reversed(CHOICES.items()))
    assert list(turned) != list(CHOICES)
    assert Architecture("toy", 1, turned) == Architecture("toy", 1, CHOICES)
    assert len({Architecture("toy", 1, turned), Architecture("toy", 1, CHOICES)}) == 1


@pytest.mark.parametrize(
    "other",
    [
        Architecture("toys", 1, CHOICES),
        Architecture("toy", 2, CHOICES),
        Architecture("toy", 1, {**CHOICES, "width": 32}),
        Architecture("toy", 1, {**CHOICES, "bias": 1}),
        Architecture("toy", 1, {**CHOICES, "norm": "None"}),
        Architecture("toy", 1, {key: value for key, value in CHOICES.items() if key != "norm"}),
        "6cd5ef5292d1e70b",
    ],
)
def test_whatever_differs_makes_another_architecture(other):
    assert Architecture("toy", 1, CHOICES) != other


def test_an_architecture_survives_json():
    architecture = Architecture("toy", 1, CHOICES)
    again = Architecture.from_data(json.loads(json.dumps(architecture.to_data())))
    assert (again, again.choices) == (architecture, CHOICES)


@pytest.mark.parametrize("id_known", [False, True])
def test_an_architecture_survives_pickle(id_known):
    architecture = Architecture("toy", 1, CHOICES)
    if id_known:
        assert architecture.id
    again = pickle.loads(pickle.dumps(architecture))  # noqa: S301 - our own bytes
    assert (again, again.choices) == (architecture, CHOICES)


@pytest.mark.parametrize(
    ("data", "field", "shown"),
    [
        ({}, "space", "{}"),
        ({"space": "toy"}, "version", "{'space': 'toy'}"),
        ({"space": "toy", "version": "1"}, "version", "{'space': 'toy', 'version': '1'}"),
        ({"space": "toy", "version": 1}, "choices", "{'space': 'toy', 'version': 1}"),
        ({"space": "toy", "version": 1, "choices": []}, "choices", "{'space': 'toy', 'version': 1, 'choices': []}"),
        ({"space": 3, "version": 1, "choices": {}}, "space", "{'space': 3, 'version': 1, 'choices': {}}"),
        (["space"], "space", "['space']"),
        (None, "space", "None"),
    ],
)
def test_data_that_is_no_architecture_is_refused(data, field, shown):
    with pytest.raises(SpaceError) as caught:
        Architecture.from_data(data)
    assert str(caught.value) == f"An architecture needs space, version and choices; {field!r} is missing in {shown}."
