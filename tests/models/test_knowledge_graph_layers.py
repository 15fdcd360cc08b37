"""Layers that answer queries to a knowledge graph: by hand, against PyKEEN, and by what every layer keeps to."""

from typing import Any

import pytest
import torch
from layer_examples import make, shake
from torch import Tensor, nn

from nas.benchmark import Features, Query
from nas.errors import ModelError
from nas.models import Cost, count
from nas.models.layers.interactions import Scorer
from nas.testing import LayerContract, LayerTrial

QUERY, SCORES = Query(11, 3), Features(11)

KINDS: dict[str, dict[str, Any]] = {
    "transe": {},
    "distmult": {},
    "complex": {},
    "rotate": {},
    "tucker": {"relation_size": 5},
    "conve": {"channels": 3},
    "query_transformer": {"depth": 2, "heads": 2, "ratio": 2.0},
}


def layer(kind: str, **options: Any) -> Any:
    return make(kind, **{"features": 16, **KINDS[kind], **options})


def scorer(kind: str, **options: Any) -> Scorer:
    built = layer(kind, **options).build(QUERY, SCORES).eval()
    return shake(built)  # type: ignore[return-value]


def queries() -> Tensor:
    return torch.cartesian_prod(torch.arange(11), torch.arange(6))


class TestInteractions(LayerContract):
    @pytest.fixture(params=KINDS)
    def layer(self, request: pytest.FixtureRequest) -> LayerTrial:
        kind = layer(request.param)
        options = {"features": 16, **KINDS[request.param]}
        ways = [options, {**options, "norm": "batch", "dropout": 0.1, "hidden_dropout": 0.2}]
        ways += [{**options, "norm": norm} for norm in ("layer", "none")]
        return LayerTrial(kind=type(kind), options=ways, shapes=[QUERY], wanted=[SCORES])


@pytest.mark.parametrize(
    ("kind", "params", "macs"),
    [
        # 10 entities and 2 × 2 relations; a score is an inner product of 8 numbers with each entity
        ("distmult", 10 * 8 + 4 * 8, 10 * 8),
        ("complex", 10 * 8 + 4 * 8, 10 * 8),
        ("transe", 10 * 8 + 4 * 8 + 1, 10 * 8),
        ("rotate", 10 * 8 + 4 * 4 + 1, 10 * 8),
        # a core of 5 × 8 × 8: the relation's matrix, then its product with the entity's vector
        ("tucker", 10 * 8 + 4 * 5 + 5 * 8 * 8, 5 * 8 * 8 + 8 * 8 + 10 * 8),
        # 8 numbers are 2 × 4, so that a kernel of 3 finds 2 × 2 pixels in 4 × 4, on 3 channels
        (
            "conve",
            10 * 8 + 4 * 8 + 10 + (2 + 3 * 9 + 3 + 2 * 3) + (3 * 4 * 8 + 8) + 2 * 8,
            3 * 9 * 4 + 3 * 4 * 8 + 10 * 8,
        ),
    ],
)
def test_costs_are_those_counted_on_paper(kind: str, params: int, macs: int) -> None:
    one = layer(kind, features=8)
    assert one.cost(Query(10, 2), Features(10)) == Cost(params, macs)
    assert count(lambda: one.build(Query(10, 2), Features(10)), Query(10, 2)) == Cost(params, macs)


@pytest.mark.parametrize("kind", KINDS)
def test_entities_behind_a_query_are_scored_as_among_all(kind: str) -> None:
    model = scorer(kind)
    some = torch.tensor([[3, 0, 10], [7, 7, 1]])
    asked = torch.tensor([[2, 5], [9, 0]])
    with torch.no_grad():
        assert torch.allclose(model(torch.cat([asked, some], dim=1)), model(asked).gather(1, some), atol=1e-5)


@pytest.mark.parametrize("kind", ["transe", "distmult", "complex", "rotate", "tucker", "conve"])
def test_scores_are_those_of_pykeen(kind: str) -> None:
    modules = pytest.importorskip("pykeen.nn.modules", reason="pykeen is not installed")
    model = scorer(kind)
    head, relation = model.entities(queries()[:, 0])[:, None], model.relations(queries()[:, 1])[:, None]
    tail = model.entities.weight[None]
    with torch.no_grad():
        assert torch.allclose(model(queries()), _pykeens(modules, kind, model, head, relation, tail), atol=1e-4)


@pytest.mark.parametrize("kind", ["distmult", "complex", "tucker"])
def test_what_all_relations_score_between_two_entities_is_what_each_query_scores(kind: str) -> None:
    model = scorer(kind)
    pairs = torch.tensor([[2, 7], [9, 0], [4, 4]])
    with torch.no_grad():
        found = model.relation_scores(pairs)
        one_by_one = [[model(torch.tensor([[head, by]]))[0, tail].item() for by in range(6)] for head, tail in pairs.tolist()]
    assert model.relates
    assert torch.allclose(found, torch.tensor(one_by_one), atol=1e-5)


@pytest.mark.parametrize("kind", ["transe", "rotate", "conve", "query_transformer"])
def test_other_networks_do_not_say_that_they_score_all_relations_at_once(kind: str) -> None:
    assert not scorer(kind).relates


def _pykeens(modules: Any, kind: str, model: Scorer, head: Tensor, relation: Tensor, tail: Tensor) -> Tensor:
    if kind == "transe":
        return modules.TransEInteraction(p=2)(head, relation, tail) + model.bias
    if kind == "distmult":
        return modules.DistMultInteraction()(head, relation, tail)
    if kind == "complex":
        return modules.ComplExInteraction()(*map(_complex, (head, relation, tail)))
    if kind == "rotate":
        turns = torch.polar(torch.ones_like(relation), relation)
        return modules.RotatEInteraction()(_complex(head), turns, _complex(tail)) + model.bias
    if kind == "tucker":
        twin = modules.TuckERInteraction(16, 5, apply_batch_normalization=False).eval()
        twin.core_tensor.copy_(model.combine.weight.view(5, 16, 16).transpose(0, 1))
        return twin(head, relation, tail)
    twin = modules.ConvEInteraction(output_channels=3, kernel_width=3, embedding_dim=16).eval()
    combine = model.combine
    for mine, theirs in (
        (combine.before, twin.hr2d[0]),
        (combine.convolve, twin.hr2d[2]),
        (combine.between[0], twin.hr2d[3]),
        (combine.project, twin.hr1d[0]),
        (model.after[0], twin.hr1d[2]),
    ):
        theirs.load_state_dict(mine.state_dict())
    scores = [twin(head[:, 0], relation[:, 0], (one[None], model.bias[n])) for n, one in enumerate(tail[0])]
    return torch.stack(scores, dim=1)


def _complex(vectors: Tensor) -> Tensor:
    return torch.complex(*vectors.chunk(2, dim=-1))


def test_the_sizes_of_a_triple_are_of_complex_numbers_where_there_are_some_and_never_of_phases() -> None:
    triples = torch.tensor([[0, 5, 1], [2, 0, 3]])
    for kind, parts, numbers in (("distmult", 3, 16), ("complex", 3, 8), ("rotate", 2, 8)):
        squares = scorer(kind).squares(triples)
        assert [tuple(part.shape) for part in squares] == [(2, numbers)] * parts
    model = scorer("complex")
    real, imaginary = model.entities.weight[0].chunk(2)
    assert torch.allclose(model.squares(triples)[0][0], real**2 + imaginary**2)


def test_each_relation_has_an_inverse_of_its_own() -> None:
    model = scorer("distmult")
    assert tuple(model.relations.weight.shape) == (6, 16)
    with torch.no_grad():
        forth, back = model(torch.tensor([[0, 1]])), model(torch.tensor([[0, 1 + 3]]))
    assert not torch.allclose(forth, back)


@pytest.mark.parametrize(
    ("kind", "options", "wanted", "message"),
    [
        ("distmult", {}, Features(4), "it gives a score for each of 11 entities, a vector of 4 features is wanted."),
        ("conve", {"kernel": 5, "features": 8}, SCORES, "a kernel of 5 does not fit into a picture of 4×4"),
        ("query_transformer", {"heads": 3}, SCORES, "3"),
    ],
)
def test_what_does_not_fit_is_told(kind: str, options: dict[str, Any], wanted: Features, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        layer(kind, **options).output(QUERY, wanted)


def test_an_odd_number_is_no_row_of_complex_numbers() -> None:
    with pytest.raises(ValueError, match="must be even"):
        layer("complex", features=7)


@pytest.mark.parametrize("norm", ["none", "batch", "layer"])
def test_a_convolution_ends_in_a_rectifier_behind_its_norm(norm: str) -> None:
    after = layer("conve", norm=norm, hidden_dropout=0.5).build(QUERY, SCORES).after
    assert [type(step) for step in after if not isinstance(step, nn.BatchNorm1d | nn.LayerNorm)] == [nn.ReLU, nn.Dropout]
    assert len(after) == (2 if norm == "none" else 3)
