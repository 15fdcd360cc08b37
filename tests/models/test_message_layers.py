"""Graph networks: costs against torch's count, messages against slow twins, links that travel with the weights."""

from typing import Any

import pytest
import torch
from layer_examples import make, shake
from torch import Tensor

from nas.benchmark import Features, Query, Signature
from nas.models import build, cost, count
from nas.models.layers.messages import Based, Composed, Propagated, means
from nas.profiling.layers import count_layers
from nas.space import parse_space

GIVEN, WANTED = Query(7, 3), Features(7)
LINKS = torch.tensor([[0, 0, 1], [2, 0, 1], [1, 1, 3], [3, 2, 4], [4, 1, 0], [0, 2, 0]])
KINDS: list[tuple[str, dict[str, Any]]] = [
    ("compgcn", {"features": 6}),
    ("compgcn", {"features": 8, "depth": 2, "compose": "difference", "score": "complex", "norm": "batch", "dropout": 0.1}),
    ("rgcn", {"features": 6, "bases": 1}),
    ("rgcn", {"features": 4, "depth": 3, "bases": 5, "link_dropout": 0.3}),
]
QUERIES = torch.tensor([[0, 1], [5, 4], [3, 5]])


def network(kind: str, options: dict[str, Any]) -> Propagated:
    module = make(kind, **options).build(GIVEN, WANTED)
    assert isinstance(module, Propagated)
    shake(module)
    module.take(LINKS)
    return module


@pytest.mark.parametrize(("kind", "options"), KINDS)
def test_a_layer_costs_what_torch_counts_and_gives_a_score_for_each_entity(kind: str, options: dict[str, Any]) -> None:
    layer = make(kind, **options)
    assert layer.cost(GIVEN, WANTED) == count(lambda: layer.build(GIVEN, WANTED), GIVEN)
    module = network(kind, options).train()
    scores = module(QUERIES)
    assert scores.shape == (3, 7)
    scores.square().sum().backward()
    unused = {name for name, one in module.named_parameters() if one.grad is None}
    assert not unused


@pytest.mark.parametrize(("kind", "options"), KINDS)
def test_some_answers_score_as_among_all(kind: str, options: dict[str, Any]) -> None:
    module = network(kind, options).eval()
    some = torch.tensor([[6, 0], [1, 1], [2, 5]])
    assert torch.allclose(module(torch.cat([QUERIES, some], 1)), module(QUERIES).gather(1, some), atol=1e-5)


def test_a_mean_is_over_what_comes_and_zero_where_nothing_does() -> None:
    found = means(torch.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]), torch.tensor([2, 0, 2]), 4)
    assert found.tolist() == [[3, 4], [0, 0], [3, 4], [0, 0]]


@pytest.mark.parametrize("compose", ["product", "difference"])
def test_composed_messages_are_those_of_each_link_one_by_one(compose: str) -> None:
    layer = Composed(4, compose)
    shake(layer)
    entities, relations = torch.randn(7, 4), torch.randn(6, 4)
    found, became = layer(entities, relations, *LINKS.unbind(1))

    def message(entity: int, relation: int) -> Tensor:
        one, other = entities[entity], relations[relation]
        return one * other if compose == "product" else one - other

    for entity in range(7):
        forth = [message(h, r) for h, r, t in LINKS.tolist() if t == entity]
        back = [message(t, r + 3) for h, r, t in LINKS.tolist() if h == entity]
        expected = layer.own(entities[entity])
        for matrix, came in ((layer.forth, forth), (layer.back, back)):
            expected = expected + (matrix(torch.stack(came).mean(0)) if came else 0)
        assert torch.allclose(found[entity], expected / 3, atol=1e-5)
    assert torch.allclose(became, layer.relation(relations))


def test_messages_by_bases_are_those_of_each_relations_matrix() -> None:
    layer = Based(4, 6, 2)
    shake(layer)
    entities = torch.randn(7, 4)
    found, _ = layer(entities, torch.randn(6, 4), *LINKS.unbind(1))
    bases = layer.bases.weight.unflatten(1, (2, 4))  # out, basis, in
    matrices = torch.einsum("rb,obi->roi", layer.shares, bases)
    both = [(h, r, t) for h, r, t in LINKS.tolist()] + [(t, r + 3, h) for h, r, t in LINKS.tolist()]
    for entity in range(7):
        came = [matrices[r] @ entities[h] for h, r, t in both if t == entity]
        expected = layer.own(entities[entity]) + (torch.stack(came).mean(0) if came else 0)
        assert torch.allclose(found[entity], expected, atol=1e-5)


def test_links_that_are_dropped_pass_nothing_in_training_alone() -> None:
    module = network("rgcn", {"features": 4, "link_dropout": 0.5})
    whole = module.eval()(QUERIES)
    assert torch.equal(whole, module(QUERIES))
    torch.manual_seed(0)
    assert not torch.equal(module.train()(QUERIES), whole)


def test_a_network_brings_its_links_with_its_weights_and_depends_on_them() -> None:
    text = "name: g\nversion: 1\naccepts: query\nlayers: [compgcn: {features: 6}]\n"
    space = parse_space(text)
    signature = Signature(GIVEN, WANTED)
    trained, fresh = (build(space, space.architecture({}), signature, seed=seed).eval() for seed in (0, 1))
    alone = trained(QUERIES)
    next(one for one in trained.modules() if isinstance(one, Propagated)).take(LINKS)
    assert not torch.allclose(trained(QUERIES), alone)
    fresh.load_state_dict(trained.state_dict())
    assert torch.equal(fresh(QUERIES), trained(QUERIES))
    assert next(value for name, value in fresh.state_dict().items() if name.endswith("links")).dtype == torch.int32
    assert (
        count_layers(lambda: build(space, space.architecture({}), signature), GIVEN).macs
        == cost(space, space.architecture({}), signature).macs
    )
