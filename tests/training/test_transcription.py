import math
from itertools import groupby, product

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from nas.benchmark import Budget, Recipe, Sequence, Signature, Waveform
from nas.errors import BenchmarkError
from nas.models import build
from nas.space import Layer, Space
from nas.training import IGNORED, Examples, Method, Split, Transcription, train
from nas.training.transcription import BLANK

CPU = torch.device("cpu")


def task(alphabet: str = "ab ", examples: Examples | None = None) -> Transcription:
    return Transcription(lambda _: examples or pytest.fail("no data"), alphabet=alphabet)


def target(*texts: str, length: int, alphabet: str = "ab ") -> Tensor:
    rows = [[alphabet.index(character) + 1 for character in text] for text in texts]
    return torch.tensor([row + [IGNORED] * (length - len(row)) for row in rows])


def spelled(*paths: str, alphabet: str = "ab ", sure: float = 20.0) -> Tensor:
    """Logits (N, L, K) whose likeliest classes are these, "-" being the blank."""
    return sure * nn.functional.one_hot(torch.tensor([[("-" + alphabet).index(one) for one in path] for path in paths]), 4)


@pytest.mark.parametrize(
    ("path", "text"),
    [("aab", "ab"), ("a-ab", "aab"), ("--a-", "a"), ("aaaa", "a"), ("----", ""), ("a  b", "a b"), ("-a--a-bb", "aab")],
)
def test_what_is_read_is_the_path_without_repeats_and_then_without_blanks(path: str, text: str) -> None:
    assert task().read(spelled(path)) == [text]


def test_paths_of_three_characters_are_read_as_by_hand() -> None:
    paths = ["".join(path) for path in product("-ab ", repeat=4)]
    expected = ["".join(one for one, _ in groupby(path)).replace("-", "") for path in paths]
    assert task().read(spelled(*paths)) == expected


def test_the_loss_is_the_chance_of_all_paths_that_spell_the_text() -> None:
    """All 64 paths of 3 positions, of which those that are read as "ab" count; divided by its two characters."""
    logits_NLK = torch.randn(1, 3, 4, generator=torch.Generator().manual_seed(0))
    chances_LK = logits_NLK[0].softmax(-1)
    paths = ["".join(path) for path in product("-ab ", repeat=3)]
    chances = [math.prod(chances_LK[n, "-ab ".index(one)].item() for n, one in enumerate(path)) for path in paths]
    said = [chance for path, chance in zip(paths, chances, strict=True) if task().read(spelled(path)) == ["ab"]]
    assert len(said) == 5  # aab, abb, a-b, -ab, ab-
    expected = -math.log(sum(said)) / 2
    assert task().loss(logits_NLK, target("ab", length=3), 0.0).item() == pytest.approx(expected, rel=1e-5)


def test_error_rates_by_hand_in_whole_and_in_parts() -> None:
    """Read "a b" for "a a": 1 of 2 words, 1 of 3 characters. Read "b" for "ab ab": 2 of 2 words, 4 of 5 characters. Read "ab"
    for "": 1 word and 2 characters too many. Of 4 words and 8 characters, 4 and 7 edits.
    """
    outputs = spelled("a b-----", "b-------", "ab------")
    targets = target("a a", "ab ab", "", length=8)
    for sizes in ([3], [1, 2], [1, 1, 1]):
        meter = task().meter(CPU)
        for pair in zip(outputs.split(sizes), targets.split(sizes), strict=True):
            meter.update(*pair)
        losses = [task().loss(outputs[n : n + 1], targets[n : n + 1], 0.0).item() for n in range(3)]
        assert meter.compute() == {
            "character_error_rate": pytest.approx(7 / 8),
            "word_error_rate": pytest.approx(1.0),
            "loss": pytest.approx(np.mean(losses), rel=1e-6),
        }


def test_a_split_without_a_word_is_refused() -> None:
    meter = task().meter(CPU)
    meter.update(spelled("a---"), target(" ", length=4))
    with pytest.raises(BenchmarkError) as caught:
        meter.compute()
    assert str(caught.value) == "word_error_rate needs a word, no text has one; give the split texts."


def test_a_meter_of_texts_that_was_fed_nothing_has_no_figures() -> None:
    with pytest.raises(BenchmarkError, match="Figures are those of one target at least, got none"):
        task().meter(CPU).compute()


@pytest.mark.parametrize("alphabet", ["", "aba"])
def test_an_alphabet_has_each_character_once(alphabet: str) -> None:
    with pytest.raises(BenchmarkError) as caught:
        task(alphabet)
    assert str(caught.value) == f"An alphabet has each of its characters once, got {alphabet!r}."


@pytest.mark.parametrize(
    "targets",
    [
        torch.tensor([[1, 4, IGNORED]]),  # no such character
        torch.tensor([[1, BLANK, 2]]),  # a blank is not said
        torch.tensor([[IGNORED, 1, 2]]),  # the text does not begin at the beginning
        torch.tensor([[1, IGNORED, 2]]),
        torch.tensor([1, 2]),
    ],
)
def test_targets_that_are_no_text_are_refused_as_they_are_loaded(targets: Tensor) -> None:
    wrong = task(examples=Examples(torch.zeros(len(targets), 3, 1), targets))
    for _ in range(2):
        with pytest.raises(BenchmarkError) as caught:
            wrong.examples("train")
        assert str(caught.value) == ("A text is classes from 1 to 3, then -100 up to the output's length; train has others.")


def test_a_text_that_the_output_cannot_say_is_refused() -> None:
    """Three characters and a blank between the two that are equal."""
    short = task(examples=Examples(torch.zeros(1, 3, 1), target("aab", length=3)))
    with pytest.raises(BenchmarkError) as caught:
        short.examples("validation")
    assert str(caught.value) == "The output has 3 positions, and a text of validation needs 4; make it longer."
    fits = Examples(torch.zeros(1, 4, 1), target("aab", length=4))
    assert task(examples=fits).examples("validation") is fits


def test_a_text_has_no_labels_to_smooth() -> None:
    with pytest.raises(BenchmarkError) as caught:
        task().loss(spelled("a"), target("a", length=1), 0.1)
    assert str(caught.value) == "Transcription has no label at a position to smooth, got label_smoothing 0.1; leave it out."


POSITIONS, SAMPLES = 24, 16
"""Of the output, and of the sound for each of them."""


def tones(split: Split) -> Examples:
    """Sounds of letters, each a tone of its own pitch that is held for 2 to 4 positions, spaces being silent; and the texts."""
    random = np.random.RandomState(("train", "validation", "test").index(split))
    sounds, texts = [], []
    for _ in range(96):
        text = "".join(random.choice(list("abc"), random.randint(1, 3))) + " " + "".join(random.choice(list("abc"), 2))
        pitch = {"a": 0.15, "b": 0.3, "c": 0.45, " ": 0.0}
        pieces = []
        for one in text:
            held = SAMPLES * random.randint(2, 5)
            pieces.append(np.append(np.sin(2 * math.pi * pitch[one] * np.arange(held)), np.zeros(8)))
        sound = 0.05 * random.randn(POSITIONS * SAMPLES)
        said = np.concatenate(pieces)[: len(sound)]
        sound[: len(said)] += said
        sounds.append(sound)
        texts.append(text)
    inputs_NLC = torch.tensor(np.array(sounds), dtype=torch.float32).unsqueeze(-1)
    return Examples(inputs_NLC, target(*texts, length=POSITIONS, alphabet="abc "))


LISTENER = Space(
    name="listener",
    version=1,
    accepts=("sequence",),
    layers=(
        Layer("conv1d", {"features": 32, "kernel": 15, "stride": 4}, name="near"),
        Layer("conv1d", {"features": 32, "kernel": 9, "stride": 4}, name="wide"),
        Layer("conv1d", {"features": 32, "kernel": 5}, name="far"),
        Layer("head"),
    ),
)


def test_tones_are_read_as_the_letters_that_they_spell() -> None:
    """No one says when a tone begins; texts that the network has not heard are read with few errors."""
    reading = Transcription(tones, alphabet="abc ")
    signature = Signature(Waveform(POSITIONS * SAMPLES, 1, 8_000), Sequence(POSITIONS, 5))
    model = build(LISTENER, LISTENER.architecture({}), signature, seed=0)
    training = train(
        model,
        Method(reading, Recipe(batch_size=16, learning_rate=0.01)),
        reading.examples("train"),
        reading.examples("validation"),
        budget=Budget(epochs=20),
        seed=0,
    )
    first, last = training.curve[0].figures, training.curve[-1].figures
    assert last["validation_loss"] < first["validation_loss"] / 5
    assert last["validation_character_error_rate"] < 0.1 < first["validation_character_error_rate"]
    assert last["validation_character_error_rate"] <= last["validation_word_error_rate"] < 0.3
