"""Candidates that learn a graph's links, front to back."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from graphs import BENCHMARK, GRAPH, quick, task
from torch import nn

from nas.benchmark import Benchmark, Budget
from nas.device import is_out_of_memory
from nas.errors import BenchmarkError, Interrupted, SearchError
from nas.evaluation import Evaluator
from nas.models import build, plan
from nas.models.layers.interactions import Scorer
from nas.protocols.triple_losses import BinaryLoss, SoftmaxLoss, TripleLoss, TriplePenalty
from nas.protocols.triples import LinkPrediction
from nas.records import Record
from nas.space import Space, parse_space
from nas.training import Checkpoints, Classification, Setup, Split, protocol_of, stages_of
from search_spaces.knowledge_graph import SPACE

__all__ = ["quick"]

LOSSES = ("softmax_loss", "binary_loss", "margin_loss", "self_adversarial_loss")

pytestmark = pytest.mark.usefixtures("quick")


def space(*layers: str) -> Space:
    return parse_space("name: tiny\nversion: 1\naccepts: query\nlayers:\n" + "".join(f"  - {one}\n" for one in layers))


def evaluate(*layers: str, benchmark: Benchmark = BENCHMARK, epochs: int = 3, **given: Any) -> Record:
    one = space(*layers)
    budget = given.pop("budget", Budget(epochs=epochs))
    return Evaluator(one, benchmark, device="cpu")(one.architecture({}), budget=budget, seed=0, **given)


def setup(*layers: str, **given: Any) -> Setup:
    one = space(*layers)
    parts = plan(one, one.architecture({}), BENCHMARK.signature)
    made = {"benchmark": BENCHMARK, "task": GRAPH, "feed": GRAPH.examples, "budget": Budget(epochs=1), "seed": 0, **given}
    return Setup(parts=parts, **made)


@pytest.mark.parametrize("loss", LOSSES)
def test_a_network_learns_the_rule_of_a_circle_by_any_loss(loss: str) -> None:
    options = "{negatives: 16, margin: 4, rate: 2}" if loss == "self_adversarial_loss" else "{rate: 2}"
    record = evaluate(f"{loss}: {options}", "complex: {features: 32}", "triple_penalty: {weight: 0.02}", epochs=60, final=True)
    assert record.outcome == "complete", record.error
    assert record.figures["test_mrr"] > 0.6
    assert record.figures["test_hits_at_10"] == 1
    assert record.curve[-1].train_loss < record.curve[0].train_loss
    assert {f"validation_{name}" for name in GRAPH.measured()} <= set(record.figures)


@pytest.mark.parametrize("steps", [1, 3, 4, 8])
@pytest.mark.parametrize("loss", LOSSES)
def test_a_training_goes_on_within_an_epoch_to_the_same_weights(loss: str, steps: int, tmp_path: Path) -> None:
    """Three steps an epoch, with dropout and draws of wrong answers."""
    layers = f"{loss}: {{}}", "triple_penalty: {weight: 0.01}", "tucker: {features: 8, relation_size: 4, dropout: 0.2}"
    whole = evaluate(*layers)
    taken = 0

    def count(_: object) -> None:
        nonlocal taken
        taken += 1

    with pytest.raises(Interrupted):
        evaluate(*layers, on_step=count, checkpoints=Checkpoints(tmp_path, 1e9), stopping=lambda: taken == steps)
    found = evaluate(*layers, checkpoints=Checkpoints(tmp_path, 1e9))
    assert found.weights_sha256 == whole.weights_sha256
    assert found.figures["validation_mrr"] == whole.figures["validation_mrr"]
    assert [point.train_loss for point in found.curve] == [point.train_loss for point in whole.curve]


def test_another_loss_or_penalty_goes_on_from_no_checkpoint() -> None:
    identities = [
        protocol_of(BENCHMARK)(setup(*layers)).method().identity
        for layers in (
            ("distmult: {features: 8}",),
            ("binary_loss", "distmult: {features: 8}"),
            ("binary_loss: {smoothing: 0.3}", "distmult: {features: 8}"),
            ("binary_loss", "triple_penalty", "distmult: {features: 8}"),
            ("binary_loss", "relation_loss", "distmult: {features: 8}"),
        )
    ]
    assert all(one != other for n, one in enumerate(identities) for other in identities[:n])


def test_a_loss_that_is_no_number_is_a_record() -> None:
    wild = replace(BENCHMARK, recipe=replace(BENCHMARK.recipe, learning_rate=1e30))
    record = evaluate("binary_loss: {rate: 1000}", "complex: {features: 8}", benchmark=wild)
    assert record.outcome == "failed"
    assert record.error is not None
    assert record.error.kind == "diverged"


def test_want_of_memory_is_a_record(monkeypatch: pytest.MonkeyPatch) -> None:
    def starve(*_: object) -> None:
        error = torch.OutOfMemoryError("no room for scores")
        assert is_out_of_memory(error)
        raise error

    monkeypatch.setattr(SoftmaxLoss, "of", starve)
    record = evaluate("softmax_loss", "complex: {features: 8}")
    assert record.error is not None
    assert record.error.kind == "out_of_memory"


def test_a_batch_that_does_not_fit_is_trained_in_halves(monkeypatch: pytest.MonkeyPatch) -> None:
    of = SoftmaxLoss.of

    def narrow(self: SoftmaxLoss, network: nn.Module, queries: Any, *rest: Any) -> Any:
        if len(queries) > 8:
            raise torch.OutOfMemoryError("no room for scores")
        return of(self, network, queries, *rest)

    monkeypatch.setattr(SoftmaxLoss, "of", narrow)
    record = evaluate("softmax_loss", "complex: {features: 8}")
    assert record.outcome == "complete"
    assert any("trained in 2 parts" in note for note in record.notes)


def test_the_test_is_not_read_before_a_candidate_is_final(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[Split] = []
    examples = LinkPrediction.examples
    monkeypatch.setattr(LinkPrediction, "examples", lambda self, split: read.append(split) or examples(self, split))
    monkeypatch.setattr("graphs.load", lambda _: task())
    evaluate("binary_loss", "distmult: {features: 8}")
    assert "test" not in read
    evaluate("binary_loss", "distmult: {features: 8}", final=True)
    assert "test" in read


def test_of_a_fraction_of_the_triples_the_rest_is_not_known_to_the_loss() -> None:
    for fraction, count in ((1.0, 46), (0.5, 23)):
        method = protocol_of(BENCHMARK)(
            setup("binary_loss", "distmult: {features: 8}", budget=Budget(epochs=1, fraction=fraction))
        ).method()
        assert len(method.trained_on(torch.device("cpu")).keys_M) == count


def test_a_candidate_may_ask_for_a_rate_and_gets_the_softmax_where_it_asks_for_no_loss() -> None:
    method = protocol_of(BENCHMARK)(setup("binary_loss: {rate: 3}", "distmult: {features: 8}")).method()
    assert isinstance(method.asked, BinaryLoss)
    assert {group["lr_scale"] for group in method.optimizers(nn.Linear(2, 2))[""].param_groups} == {3}
    smooth = replace(BENCHMARK, recipe=replace(BENCHMARK.recipe, label_smoothing=0.2))
    asked = protocol_of(BENCHMARK)(setup("distmult: {features: 8}", benchmark=smooth)).method().asked
    assert asked == SoftmaxLoss(smoothing=0.2)


def test_a_penalty_of_a_network_that_tells_no_vectors_is_refused() -> None:
    protocol = protocol_of(BENCHMARK)(setup("triple_penalty", "distmult: {features: 8}"))
    (stage,) = stages_of(protocol, nn.Embedding(9, 9))
    with pytest.raises(BenchmarkError, match="no layer of this network tells by `squares`"):
        stage.method.loss(lambda_network(), *_batch())


def test_relations_are_asked_for_between_a_querys_entity_and_its_answer() -> None:
    layers = "softmax_loss", "complex: {features: 8}"
    method, alone = (protocol_of(BENCHMARK)(setup(*more, *layers)).method() for more in (("relation_loss: {weight: 0.5}",), ()))
    one = space(*layers)
    network = build(one, one.architecture({}), BENCHMARK.signature, seed=0)
    inputs, targets = _batch()
    nats = []
    for (head, by), tail in zip(inputs.tolist(), targets.tolist(), strict=True):
        scores = torch.stack([network(torch.tensor([[head, other]]))[0, tail] for other in range(6)])
        nats.append(-scores.log_softmax(0)[by])
    more = method.loss(network, inputs, targets) - alone.loss(network, inputs, targets)
    assert more.item() == pytest.approx(0.5 * torch.stack(nats).mean().item(), rel=1e-4)


@pytest.mark.parametrize("layer", ["conve: {features: 16}", "rgcn: {features: 8}"])
def test_relations_are_not_asked_of_a_network_that_does_not_score_them_at_once(layer: str) -> None:
    one = space(layer)
    network = build(one, one.architecture({}), BENCHMARK.signature, seed=0)
    method = protocol_of(BENCHMARK)(setup("relation_loss", layer)).method()
    with pytest.raises(BenchmarkError, match=r"that score all relations at once: distmult, complex or tucker, and this is none"):
        method.loss(network, *_batch())


def test_a_penalty_counts_the_vectors_of_a_graph_network_once() -> None:
    one = space("rgcn: {features: 8}")
    network = build(one, one.architecture({}), BENCHMARK.signature, seed=0)
    method, alone = (protocol_of(BENCHMARK)(setup(*more, "rgcn: {features: 8}")).method() for more in (("triple_penalty",), ()))
    inputs, targets = _batch()
    (scorer,) = [part for part in network.modules() if isinstance(part, Scorer)]
    once = TriplePenalty().of(scorer.squares(torch.cat([inputs, targets[:, None]], dim=1)))
    more = method.loss(network, inputs, targets) - alone.loss(network, inputs, targets)
    assert more.item() == pytest.approx(once.item(), rel=1e-3)


def lambda_network() -> nn.Module:
    class Plain(nn.Module):
        def forward(self, queries: torch.Tensor) -> torch.Tensor:
            return torch.zeros(len(queries), 9)

    return Plain()


def _batch() -> tuple[torch.Tensor, torch.Tensor]:
    examples = GRAPH.examples("validation")
    return examples.inputs, examples.targets


def test_a_task_of_another_kind_is_refused() -> None:
    other = Classification(lambda _: GRAPH.examples("train"))
    with pytest.raises(BenchmarkError, match="that of circle is 'Classification'; make it by `link_prediction`"):
        protocol_of(BENCHMARK)(setup("distmult: {features: 8}", task=other)).method()


def test_figures_of_no_split_are_refused() -> None:
    method = protocol_of(BENCHMARK)(setup("distmult: {features: 8}")).method()
    with pytest.raises(BenchmarkError, match="train, validation or test, got 'warming'"):
        method.measure(lambda_network(), GRAPH.examples("validation"), "warming", "float32")


def test_replicates_train_one_after_another_and_scores_are_refused_in_one_line() -> None:
    one = space("distmult: {features: 8}")
    record = Evaluator(one, BENCHMARK, device="cpu", replicates=2)(one.architecture({}), budget=Budget(epochs=1), seed=0)
    assert record.outcome == "complete", record.error
    assert [replicate.seed for replicate in record.replicates] == [0, 1]
    with pytest.raises(SearchError, match="takes no zero-cost scores"):
        Evaluator(SPACE, BENCHMARK, device="cpu", proxies=["synflow"])


def test_every_loss_of_the_space_is_one_of_this_protocol() -> None:
    signature = BENCHMARK.signature
    architecture = SPACE.walk(lambda _, domain: next(iter(domain)))
    made = Setup(
        benchmark=BENCHMARK,
        task=GRAPH,
        parts=plan(SPACE, architecture, signature),
        feed=GRAPH.examples,
        budget=Budget(epochs=1),
        seed=0,
    )
    assert isinstance(made.training(TripleLoss), SoftmaxLoss)
    assert build(SPACE, architecture, signature)(torch.tensor([[0, 0]])).shape == (1, 9)
