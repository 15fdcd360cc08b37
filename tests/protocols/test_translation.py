from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from benchmarks.emoji_names import BENCHMARK
from nas.benchmark import Budget, NextTokens, Recipe, Signature, Tokens
from nas.errors import BenchmarkError
from nas.models import build, plan
from nas.protocols.translation import TranslationProtocol, chrf, write
from nas.space import parse_space
from nas.training import Checkpoints, Classification, Examples, Loop, Setup, Split, Training, stages_of, train
from nas.training.meters import IGNORED
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


TASK = Translation(turned, unit="character", alphabet="abcd", place=3)


def setup(epochs: int = 2) -> Setup:
    benchmark = replace(
        BENCHMARK, signature=SIGNATURE, recipe=Recipe(batch_size=4, learning_rate=0.02), protocol_options={"written": 2}
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


def test_chrf_is_sacrebleus() -> None:
    sacrebleu = pytest.importorskip("sacrebleu")
    wanted = ["grinsendes Gesicht", "Flagge: Österreich", "Teekanne", "Apfel", "Hai", "a"]
    said = ["grinsende Katze", "Flagge: Irland", "Teetasse", "Apfel", "", "b"]
    assert chrf(said, wanted) == pytest.approx(sacrebleu.corpus_chrf(said, [wanted]).score)
    assert chrf(wanted, wanted) == pytest.approx(100)


@pytest.mark.parametrize(("source", "target"), [("abcd", "a"), ("a", "abcda")])
def test_a_text_that_does_not_fit_is_refused(source: str, target: str) -> None:
    with pytest.raises(BenchmarkError, match=r"^A source has at most 3 characters and its target 4, got "):
        TASK.tokens([source], [target], 8)


def test_another_kind_of_task_and_a_doubled_character_are_refused() -> None:
    with pytest.raises(BenchmarkError, match=r"is for tasks of the kind Translation, got Classification\.$"):
        TranslationProtocol(replace(setup(), task=Classification(nothing)))
    with pytest.raises(BenchmarkError, match=r"^An alphabet has each of its characters once, got 'aa'\.$"):
        Translation(nothing, alphabet="aa", place=3)
