"""The frozen question is checked at the door, and written so that no two are taken for one."""

import json
from dataclasses import replace
from typing import Any

import pytest

from nas.benchmark import (
    Benchmark,
    Budget,
    Features,
    Image,
    Modalities,
    NextTokens,
    Objective,
    Recipe,
    Sequence,
    Shape,
    Signature,
    Tokens,
    Waveform,
)
from nas.errors import BenchmarkError

RECIPE = Recipe(batch_size=8, learning_rate=1e-3)


def benchmark(given: Shape, recipe: Recipe = RECIPE) -> Benchmark:
    return Benchmark(
        name="toy",
        version=1,
        summary="",
        signature=Signature(given, Features(2)),
        objectives=(Objective("validation_accuracy", "maximize"),),
        budget=Budget(epochs=1),
        final_budget=Budget(epochs=1),
        recipe=recipe,
        task="nowhere:load",
        source="",
        licence="",
    )


def test_classes_name_each_output_and_are_no_part_of_the_question() -> None:
    plain = benchmark(Features(4))
    named = replace(plain, classes=("no", "yes"))
    assert named.to_data() == plain.to_data()
    with pytest.raises(BenchmarkError) as caught:
        replace(plain, classes=("no", "yes", "perhaps"))
    assert str(caught.value) == "toy: classes name the outputs one by one, got 3 for a vector of 2 features."


@pytest.mark.parametrize(
    ("given", "change", "message"),
    [
        (Sequence(4, 3), {"flip": True}, "toy: only pictures are mirrored, got a sequence of 4×3; leave `flip` out."),
        (Tokens(4, 9), {"shift": 1}, "toy: pictures, sequences and sounds are shifted, got 4 tokens of 9; leave `shift` out."),
        (
            Features(4),
            {"shift": 1},
            "toy: pictures, sequences and sounds are shifted, got a vector of 4 features; leave `shift` out.",
        ),
        (
            Modalities.of(words=Tokens(4, 9), age=Features(1)),
            {"shift": 1},
            "toy: pictures, sequences and sounds are shifted, got a row of 4 tokens of 9 (words) and a vector of 1 features "
            "(age); leave `shift` out.",
        ),
        (
            Modalities.of(image=Image(1, 4, 4), words=Tokens(4, 9)),
            {"mixup": 0.2},
            "toy: pictures, sequences and sounds are mixed, got a row of an image of 1×4×4 (image) and 4 tokens of 9 (words); "
            "leave `mixup` out.",
        ),
    ],
)
def test_changes_that_do_not_fit_the_input_are_refused(given: Shape, change: dict[str, object], message: str) -> None:
    with pytest.raises(BenchmarkError) as caught:
        benchmark(given, replace(RECIPE, **change))
    assert str(caught.value) == message


@pytest.mark.parametrize(
    "given", [Image(1, 4, 4), Sequence(4, 3), Waveform(4, 1, rate=8), Modalities.of(words=Tokens(4, 9), image=Image(1, 4, 4))]
)
def test_changes_that_fit_are_taken(given: Shape) -> None:
    assert benchmark(given, replace(RECIPE, shift=1)).recipe.shift == 1


@pytest.mark.parametrize(
    ("given", "kinds"),
    [
        (Image(1, 4, 4), ("image",)),
        (Sequence(4, 3), ("sequence",)),
        (Waveform(4, 1, rate=8), ("sequence", "waveform")),
        (Tokens(4, 9), ("tokens",)),
    ],
)
def test_a_waveform_is_a_sequence_too(given: Shape, kinds: tuple[str, ...]) -> None:
    assert Signature(given, Features(2)).kinds == kinds


def test_shapes_of_equal_numbers_are_told_apart_in_data() -> None:
    outputs = [Sequence(4, 9), NextTokens(4, 9)]
    data = [Signature(Tokens(4, 9), output).to_data()["output"] for output in outputs]
    assert data == [{"kind": "sequence", "length": 4, "channels": 9}, {"kind": "nexttokens", "length": 4, "channels": 9}]


@pytest.mark.parametrize(
    ("shape", "axes"),
    [(Image(1, 2, 3), (1, 2, 3)), (Sequence(4, 3), (4, 3)), (Tokens(4, 9), (4,)), (Features(2), (2,))],
)
def test_axes_are_those_of_one_example(shape: Shape, axes: tuple[int, ...]) -> None:
    assert shape.axes == axes


@pytest.mark.parametrize("given", [Image(3, 8, 6), Sequence(7, 5), Waveform(100, 1, 8_000), Tokens(7, 50), Features(5)])
def test_a_signature_goes_through_json(given: Shape) -> None:
    signature = Signature(given, NextTokens(7, 50))
    assert Signature.from_data(json.loads(json.dumps(signature.to_data()))) == signature


SEVERAL = Modalities.of(image=Image(1, 2, 3), text=Tokens(4, 9), sound=Waveform(5, 1, rate=8))


def test_modalities_stand_one_after_another_in_a_row() -> None:
    assert SEVERAL.axes == (6 + 4 + 5,)
    assert [SEVERAL.span(name) for name in SEVERAL.names] == [slice(0, 6), slice(6, 10), slice(10, 15)]
    assert str(SEVERAL) == "a row of an image of 1×2×3 (image) and 4 tokens of 9 (text) and a waveform of 5×1 at 8 Hz (sound)"


def test_modalities_go_through_json_each_as_what_it_is() -> None:
    signature = Signature(SEVERAL, Features(3))
    assert Signature.from_data(json.loads(json.dumps(signature.to_data()))) == signature
    assert signature.kinds == ("modalities",)


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ((), "An example has one modality at least, got none."),
        (
            (("a", Features(1)), ("a", Features(2))),
            "Modalities have different names of lower-case letters and digits, got 'a'.",
        ),
        ((("an image", Features(1)),), "Modalities have different names of lower-case letters and digits, got 'an image'."),
        (
            (("both", Modalities.of(one=Features(1))),),
            "A modality is an image, a sequence, tokens or features, got Modalities(parts=(('one', Features(count=1)),)) as "
            "'both'.",
        ),
    ],
)
def test_modalities_that_are_none_are_refused(parts: Any, message: str) -> None:
    with pytest.raises(BenchmarkError) as caught:
        Modalities(parts)
    assert str(caught.value) == message


def test_a_modality_that_is_not_there_has_no_place() -> None:
    with pytest.raises(BenchmarkError, match=r"No modality is called 'txt'\. Did you mean 'text'"):
        SEVERAL.span("txt")
