from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from benchmarks.emoji_names import BENCHMARK
from nas.benchmark import Budget, NextTokens, Recipe, Signature, Tokens
from nas.errors import BenchmarkError
from nas.models import build, plan
from nas.protocols.translation import TranslationProtocol, agreed, chrf, write
from nas.space import parse_space
from nas.training import Checkpoints, Classification, Examples, Loop, Setup, Split, Training, stages_of, train
from nas.training.meters import IGNORED
from nas.training.pieces import Pieces
from nas.training.translation import BEGIN, END, FIRST, UNKNOWN, Translation

torch.set_num_threads(1)

SPACE = parse_space("""
name: tiny
version: 1
accepts: tokens
layers:
  - embedding: {features: 24}
  - gru: {features: 48}
  - head
""")
SIGNATURE = Signature(Tokens(8, 8), NextTokens(8, 8))
"""Three positions of the source, one to begin, four more to write in."""


def nothing(split: Split) -> Examples:
    raise NotImplementedError(split)


def turned(split: Split) -> Examples:
    """Two letters and the same the other way round."""
    words = [one + two for one in "abcd" for two in "abcd"]
    picked = words if split == "train" else words[:: 3 if split == "test" else 5]
    return Examples(*TASK.tokens(picked, [word[::-1] for word in picked], 8))


TASK = Translation(turned, unit="character", pieces=Pieces("abcd"), place=3)


def setup(epochs: int = 2, **options: float) -> Setup:
    benchmark = replace(
        BENCHMARK,
        signature=SIGNATURE,
        recipe=Recipe(batch_size=4, learning_rate=0.02),
        protocol_options={"written": 2, **options},
    )
    parts = plan(SPACE, SPACE.architecture({}), SIGNATURE)
    return Setup(benchmark=benchmark, task=TASK, parts=parts, feed=TASK.examples, budget=Budget(epochs=epochs), seed=3)


def built(seed: int = 0) -> nn.Module:
    return build(SPACE, SPACE.architecture({}), SIGNATURE, seed=seed)


def learn(network: nn.Module, epochs: int = 2, begin=lambda _: None, on_step=lambda _: None) -> Training:
    (stage,) = stages_of(TranslationProtocol(setup(epochs)), network)
    return train(
        network, stage.method, stage.training, stage.validation, budget=stage.budget, seed=3, begin=begin, on_step=on_step
    )


def test_what_is_written_becomes_right_with_learning() -> None:
    network = built()
    found = learn(network, epochs=40)
    assert found.figures["validation_chrf"] == 100
    assert found.curve[0].figures["validation_chrf"] < 80
    assert set(found.figures) == {"validation_bits_per_character", "validation_accuracy", "validation_chrf"}
    inputs, _ = TASK.tokens(["ab", "dc"], ["", ""], 8)
    assert TASK.read(write(network.eval(), inputs, 3)) == ["ba", "cd"]


def test_texts_go_into_their_places_and_come_back() -> None:
    inputs, wanted = TASK.tokens(["ab", "dxb"], ["cab", ""], 8)
    a, b, c, d = range(FIRST, FIRST + 4)
    assert inputs.tolist() == [[0, a, b, BEGIN, c, a, b, 0], [d, UNKNOWN, b, BEGIN, 0, 0, 0, 0]]
    assert wanted.tolist() == [[IGNORED] * 3 + [c, a, b, END, IGNORED], [IGNORED] * 3 + [END] + [IGNORED] * 4]
    assert TASK.read(inputs[:, :3]) == ["ab", "d\ufffdb"]
    assert TASK.read(wanted[:, 3:].clamp(min=0)) == ["cab", ""]


class Counting(nn.Module):
    """Says the character after the last, and END after d; looks at what it is asked for alone."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[torch.Tensor] = []

    def forward(self, inputs_NL: torch.Tensor) -> torch.Tensor:
        self.seen.append(inputs_NL.clone())
        after = {BEGIN: FIRST, FIRST: FIRST + 1, FIRST + 1: FIRST + 2, FIRST + 2: FIRST + 3, FIRST + 3: END}
        said_NL = inputs_NL.clone().apply_(lambda one: after.get(one, END))
        return nn.functional.one_hot(said_NL, 8).float()


def test_writing_goes_on_from_what_was_written_and_never_sees_the_target() -> None:
    inputs, _ = TASK.tokens(["a"], ["dddd"], 8)
    network = Counting()
    assert TASK.read(write(network, inputs, 3)) == ["abcd"]
    assert len(network.seen) == 5
    assert network.seen[0][0, 4:].tolist() == [0, 0, 0, 0]
    assert network.seen[2][0, 4:].tolist() == [FIRST, FIRST + 1, 0, 0]
    assert torch.equal(inputs[0, 4:], torch.full((4,), FIRST + 3))


class Stopped(Exception):
    pass


def test_a_training_stopped_inside_an_epoch_goes_on_to_the_same_weights(tmp_path: Path) -> None:
    whole, other = built(), built(seed=7)
    learn(whole)
    kept = Checkpoints(tmp_path, 0)

    def on_step(loop: Loop) -> None:
        kept.on_step(loop)
        if loop.at.step == 6:  # four steps an epoch
            raise Stopped

    with pytest.raises(Stopped):
        learn(built(), begin=kept.begin, on_step=on_step)
    learn(other, begin=Checkpoints(tmp_path, 1e9).begin)
    assert all(torch.equal(one, two) for one, two in zip(whole.parameters(), other.parameters(), strict=True))


def test_pieces_of_the_target_are_forgotten_in_training_and_nothing_else_changes() -> None:
    method = TranslationProtocol(setup(forgotten=0.5)).method()
    inputs, targets = TASK.tokens(["abc"] * 50, ["abc"] * 50, 8)
    seen, wanted = method.prepare(inputs, targets, torch.Generator().manual_seed(0))
    assert torch.equal(wanted, targets)
    assert torch.equal(seen[:, :4], inputs[:, :4])
    assert torch.equal(seen[:, 7:], inputs[:, 7:])
    changed = seen[:, 4:7] != inputs[:, 4:7]
    assert (seen[:, 4:7][changed] == UNKNOWN).all()
    assert 0.35 < changed.float().mean() < 0.65
    assert torch.equal(inputs, TASK.tokens(["abc"] * 50, ["abc"] * 50, 8)[0])
    unchanged, _ = TranslationProtocol(setup()).method().prepare(inputs, targets, torch.Generator())
    assert torch.equal(unchanged, inputs)


class Doubting(nn.Module):
    """Says a with a chance of 0.59, b with 0.4 and c with 0.01, and END after it."""

    def forward(self, inputs_NL: torch.Tensor) -> torch.Tensor:
        shares_V = torch.zeros(8)
        shares_V[FIRST : FIRST + 3] = torch.tensor([0.59, 0.4, 0.01])
        logits_NLV = shares_V.log().expand(*inputs_NL.shape, 8).clone()
        logits_NLV[:, 4:] = -torch.inf
        logits_NLV[:, 4:, END] = 0.0
        return logits_NLV


def test_texts_are_drawn_as_likely_as_the_network_has_them_but_for_unlikely_pieces() -> None:
    inputs, _ = TASK.tokens(["a"] * 400, ["d"] * 400, 8)
    said = TASK.read(write(Doubting(), inputs, 3, torch.Generator().manual_seed(0)))
    assert set(said) == {"a", "b"}
    assert said.count("b") / 400 == pytest.approx(0.4 / 0.99, abs=0.08)


def test_samples_agree_on_the_text_that_has_most_in_common_with_all() -> None:
    assert agreed(["Teetasse", "Apfel", "Teekanne", "Teekanne"]) == "Teekanne"
    assert agreed(["", ""]) == ""
    assert agreed(["Quadrat", "rote Herzen", "rotes Herz", "rotes Herzchen"]) in {"rotes Herz", "rotes Herzchen"}


def test_a_protocol_with_samples_measures_what_they_agree_on() -> None:
    method = TranslationProtocol(setup(samples=4)).method()
    network = built().eval()
    examples = TASK.examples("test")
    first, second = (method.measure(network, examples, "test", "float32") for _ in range(2))
    assert first == second
    greedy = TranslationProtocol(setup()).method().measure(network, examples, "test", "float32")
    assert first["test_chrf"] != greedy["test_chrf"]
    assert first["test_bits_per_character"] == greedy["test_bits_per_character"]


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("written", 0, "has written of at least 1, got 0."),
        ("samples", -1, "has samples of at least 0, got -1."),
        ("samples", 1.5, "has samples of at least 0, got 1.5."),
        ("forgotten", 1.0, "has forgotten of at least 0 and below 1, got 1.0."),
    ],
)
def test_options_that_are_none_are_refused(option: str, value: float, words: str) -> None:
    with pytest.raises(BenchmarkError) as caught:
        TranslationProtocol(setup(**{option: value}))
    assert str(caught.value).startswith(f"The protocol 'translation' {words}")


def test_chrf_is_sacrebleus() -> None:
    sacrebleu = pytest.importorskip("sacrebleu")
    wanted = ["grinsendes Gesicht", "Flagge: Österreich", "Teekanne", "Apfel", "Hai", "a"]
    said = ["grinsende Katze", "Flagge: Irland", "Teetasse", "Apfel", "", "b"]
    assert chrf(said, wanted) == pytest.approx(sacrebleu.corpus_chrf(said, [wanted]).score)
    assert chrf(wanted, wanted) == pytest.approx(100)


@pytest.mark.parametrize(("source", "target"), [("abcd", "a"), ("a", "abcda")])
def test_a_text_that_does_not_fit_is_refused(source: str, target: str) -> None:
    with pytest.raises(BenchmarkError, match=r"^A source has at most 3 pieces and its target 4, got "):
        TASK.tokens([source], [target], 8)


def test_another_kind_of_task_is_refused() -> None:
    with pytest.raises(BenchmarkError, match=r"is for tasks of the kind Translation, got Classification\.$"):
        TranslationProtocol(replace(setup(), task=Classification(nothing)))
