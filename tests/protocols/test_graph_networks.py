"""Graph networks learn links of a graph whose links they pass messages along, front to back."""

from pathlib import Path
from typing import Any

import pytest
import torch
from graphs import BENCHMARK, GRAPH, quick

from nas.benchmark import Budget
from nas.errors import Interrupted, ModelError
from nas.evaluation import Evaluator
from nas.exporting import load_source, write_forms
from nas.models import build, plan
from nas.models.layers.messages import Propagated
from nas.profiling.training_memory import predict_training_memory
from nas.records import Record
from nas.space import parse_space
from nas.training import Checkpoints, Setup, protocol_of, read_weights, write_weights
from search_spaces.graph_network import SPACE

__all__ = ["quick"]

pytestmark = pytest.mark.usefixtures("quick")

KINDS = [
    "compgcn: {features: 8, depth: 2, link_dropout: 0.2}",
    "rgcn: {features: 8, bases: 2, score: complex, dropout: 0.1}",
]


def evaluate(layer: str, *, budget: Budget = Budget(epochs=3), **given: Any) -> Record:  # noqa: B008 - frozen
    space = parse_space(f"name: tiny\nversion: 1\naccepts: query\nlayers:\n  - triple_penalty\n  - {layer}\n")
    return Evaluator(space, BENCHMARK, device="cpu")(space.architecture({}), budget=budget, seed=0, **given)


@pytest.mark.parametrize("layer", KINDS)
def test_a_training_goes_on_within_an_epoch_to_the_same_weights_and_its_file_is_as_large_as_was_foretold(
    layer: str, tmp_path: Path
) -> None:
    whole = evaluate(layer, weights=tmp_path / "whole.safetensors")
    assert whole.outcome == "complete", whole.error
    assert whole.curve[-1].train_loss < whole.curve[0].train_loss
    taken: list[object] = []
    with pytest.raises(Interrupted):
        evaluate(layer, on_step=taken.append, checkpoints=Checkpoints(tmp_path, 1e9), stopping=lambda: len(taken) == 4)
    found = evaluate(layer, checkpoints=Checkpoints(tmp_path, 1e9))
    assert found.weights_sha256 == whole.weights_sha256 is not None
    written = (tmp_path / "whole.safetensors").stat().st_size
    assert 0 <= written - whole.figures["size_bytes"] < 2_000, "but for the header"


def test_messages_pass_along_the_links_that_the_budget_lets_be_seen_and_no_others() -> None:
    space = parse_space(f"name: tiny\nversion: 1\naccepts: query\nlayers: [{KINDS[0]}]\n")
    network = build(space, space.architecture({}), BENCHMARK.signature, seed=0)
    for fraction in (1.0, 0.5):
        made = Setup(
            benchmark=BENCHMARK,
            task=GRAPH,
            parts=plan(space, space.architecture({}), BENCHMARK.signature),
            feed=GRAPH.examples,
            budget=Budget(epochs=1, fraction=fraction),
            seed=0,
        )
        protocol = protocol_of(BENCHMARK)(made)
        protocol.equip(network)
        (links,) = [part.links for part in network.modules() if isinstance(part, Propagated)]
        seen = GRAPH.examples("train").first(fraction)
        triples = torch.cat([seen.inputs, seen.targets[:, None]], dim=1)
        assert links.tolist() == [one for one in triples.tolist() if one[1] < len(GRAPH.relations)]
        assert protocol.equipment_bytes == 12 * len(links)


def test_a_network_goes_home_with_its_links(tmp_path: Path) -> None:
    layer = KINDS[1]
    record = evaluate(layer, weights=tmp_path / "w.safetensors")
    assert record.outcome == "complete", record.error
    space = parse_space(f"name: tiny\nversion: 1\naccepts: query\nlayers:\n  - {layer}\n")
    network = build(space, space.architecture({}), BENCHMARK.signature)
    read_weights(network, tmp_path / "w.safetensors")
    queries = GRAPH.examples("validation").inputs[:5]
    done = write_forms(network, BENCHMARK.signature, queries, tmp_path, forms=["source", "program"], title="A graph network.")
    assert [one.form for one in done.written] == ["source", "program"]
    assert torch.allclose(load_source(tmp_path)(queries), network(queries), atol=1e-6)


def test_the_memory_of_a_step_is_predicted_with_all_links() -> None:
    """Which of them are left out is drawn, and on meta nothing is."""

    def peak(layer: str) -> int:
        space = parse_space(f"name: tiny\nversion: 1\naccepts: query\nlayers: [{layer}]\n")
        network = build(space, space.architecture({}), BENCHMARK.signature)
        (graph,) = [part for part in network.modules() if isinstance(part, Propagated)]
        graph.take(torch.zeros(1_000, 3, dtype=torch.int32))
        return predict_training_memory(network, BENCHMARK.signature.input).peak_bytes

    assert peak("compgcn: {features: 8, link_dropout: 0.5}") == peak("compgcn: {features: 8}")


def test_the_space_of_graph_networks_is_built_at_its_smallest_and_largest() -> None:
    for choose in (lambda _, domain: next(iter(domain)), lambda _, domain: list(domain)[-1]):
        network = build(SPACE, SPACE.walk(choose), GRAPH.signature, seed=0)
        assert network(GRAPH.examples("test").inputs).shape == (len(GRAPH.examples("test")), GRAPH.shape.entities)


def test_weights_of_another_network_are_refused_though_links_may_be_more(tmp_path: Path) -> None:
    one, other = (
        build(space, space.architecture({}), BENCHMARK.signature)
        for space in (parse_space(f"name: t\nversion: 1\naccepts: query\nlayers: [rgcn: {{features: {n}}}]\n") for n in (4, 8))
    )
    write_weights(one, tmp_path / "w.safetensors")
    with pytest.raises(ModelError, match=r"holds the weights of another network: .rgcn\.scorer\.entities\.weight. is"):
        read_weights(other, tmp_path / "w.safetensors")
