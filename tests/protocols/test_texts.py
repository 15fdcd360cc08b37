"""What is hidden of texts, and who may say what comes next."""

from dataclasses import replace

import pytest
import torch
from torch import nn
from toy_texts import VOCABULARY, ToyTexts, architecture, benchmark, evaluator, space, texts

from nas.benchmark import Budget, Features, Image
from nas.errors import ModelError
from nas.models import build, plan
from nas.profiling import latency
from nas.protocols.pretext import Trunk
from nas.protocols.texts import MaskedTokens, NextTokens, SameText, TokenModel
from nas.training import IGNORED, Examples, Setup

SIGNATURE = benchmark().signature


def setup(**chosen: object) -> tuple[Trunk, nn.Sequential, Setup]:
    one = architecture(**chosen)
    parts = plan(space(), one, SIGNATURE)
    trunk = Trunk.of(parts, SIGNATURE.input)
    task = ToyTexts()
    given = Setup(benchmark=benchmark(), task=task, parts=parts, feed=task.examples, budget=Budget(epochs=1), seed=0)
    return trunk, trunk.within(build(space(), one, SIGNATURE, seed=0)), given


def test_a_share_of_the_tokens_is_asked_for_hidden_changed_or_left() -> None:
    trunk, _, given = setup()
    method = MaskedTokens().method(trunk, given, benchmark().recipe)
    inputs_NL = torch.randint(2, VOCABULARY, (2_000, 8), generator=torch.Generator().manual_seed(0))
    inputs_NL[:, :3] = 0
    seen_NL, wanted_NL = method.prepare(inputs_NL, torch.zeros(2_000), torch.Generator().manual_seed(1))
    asked_NL = wanted_NL != IGNORED
    assert not asked_NL[:, :3].any(), "padding is never asked for"
    assert torch.equal(seen_NL[~asked_NL], inputs_NL[~asked_NL])
    assert torch.equal(wanted_NL[asked_NL], inputs_NL[asked_NL])
    count = asked_NL.sum().item()
    assert count == pytest.approx(0.15 * 10_000, rel=0.1)
    assert (seen_NL[asked_NL] == 1).sum() == pytest.approx(0.81 * count, rel=0.05)  # one in eleven is changed into 1
    assert (seen_NL[asked_NL] == inputs_NL[asked_NL]).sum() == pytest.approx(0.11 * count, rel=0.3)
    assert not (seen_NL[:, 3:] == 0).any(), "no token becomes padding"


def test_the_vector_of_padding_stays_zero_and_the_others_are_the_trunks_own() -> None:
    trunk, body, given = setup()
    model = MaskedTokens().module(trunk, body)
    method = MaskedTokens(share=0.5).method(trunk, given, benchmark().recipe)
    inputs, targets = method.prepare(*(lambda one: (one.inputs, one.targets))(texts(16, 0)), torch.Generator().manual_seed(0))
    method.loss(model, inputs, targets).backward()
    (table,) = [one.weight for one in body.modules() if isinstance(one, nn.Embedding)]
    assert isinstance(model, TokenModel)
    assert model.tokens is table
    assert table.grad is not None
    assert not table.grad[0].any()
    assert table.grad[1:].any(dim=1).all()


def test_the_next_token_is_asked_for_wherever_there_is_one() -> None:
    trunk, _, given = setup(causal=True)
    method = NextTokens().method(trunk, given, benchmark().recipe)
    text_NL = torch.tensor([[0, 0, 0, 0, 5, 3, 7, 2]])
    seen_NL, wanted_NL = method.prepare(text_NL, torch.zeros(1), torch.Generator())
    assert torch.equal(seen_NL, text_NL)
    assert wanted_NL.tolist() == [[IGNORED] * 4 + [3, 7, 2, IGNORED]]


def test_a_causal_trunk_learns_the_next_token_and_another_is_told_why_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(latency, "WARMUP_SECONDS", 0.0)
    monkeypatch.setattr(latency, "SAMPLE_SECONDS", 0.0)
    monkeypatch.setattr("nas.evaluation.candidate.load_task", lambda *_: ToyTexts())
    evaluate = evaluator(on=benchmark(pretext="next_tokens"))
    record = evaluate(architecture(causal=True), budget=Budget(epochs=1), seed=0)
    assert record.outcome == "complete", record.error
    other = evaluate(architecture(causal=False), budget=Budget(epochs=1), seed=0)
    assert other.error is not None
    assert other.error.kind == "wrong_shape"
    assert other.error.message.startswith("The next token is learned by networks of which each position sees earlier ones alone")


def test_what_is_no_text_is_refused() -> None:
    trunk, body, _ = setup()
    with pytest.raises(ModelError, match=r"^Tokens are learned from texts, got a benchmark that feeds an image of 1×8×8; take"):
        MaskedTokens().module(Trunk(trunk.parts, Image(1, 8, 8), trunk.gives), body)
    with pytest.raises(
        ModelError, match=r"^Texts are learned from at each of 8 positions, got a vector of 8 features before the head"
    ):
        MaskedTokens().module(Trunk(trunk.parts, trunk.given, Features(8)), body)


def test_the_halves_of_a_text_are_held_against_those_of_others() -> None:
    trunk, body, given = setup()
    pretext = SameText(fewest=2, temperature=1.0)
    model = pretext.module(trunk, body).eval()
    method = pretext.method(trunk, given, benchmark().recipe)
    long_NT = torch.randint(2, VOCABULARY, (5, 16), generator=torch.Generator().manual_seed(0))
    vectors = [[model(half[None])[0] for half in (text[:8], text[8:])] for text in long_NT]
    by_hand_NN = torch.stack([torch.stack([one @ other for _, other in vectors]) for one, _ in vectors])
    direct = sum(-torch.log_softmax(scores, 1).diagonal().mean() for scores in (by_hand_NN, by_hand_NN.T)) / 2
    torch.testing.assert_close(method.loss(model, long_NT, torch.zeros(5)), direct)


def test_texts_too_short_for_two_passages_are_left_out_and_pieces_are_cut_of_long_ones() -> None:
    trunk, _, given = setup()
    long_NT = torch.arange(1, 33).expand(40, 32).clone()
    long_NT[:10, :20] = 0

    class Long(ToyTexts):
        def unlabelled(self, split: str) -> Examples:
            return Examples(long_NT, torch.zeros(40))

    found = SameText(fewest=8).examples(replace(given, task=Long()), "train")
    assert isinstance(found, Examples)
    assert len(found) == 30
    method = NextTokens().method(trunk, given, benchmark().recipe)
    seen_NL, _ = method.prepare(found.inputs, found.targets, torch.Generator().manual_seed(0))
    assert seen_NL.shape == (30, 8)
    assert torch.equal(seen_NL, seen_NL[:, :1] + torch.arange(8)), "pieces are whole"
    assert len(seen_NL[:, 0].unique()) > 10, "and begin anywhere"
