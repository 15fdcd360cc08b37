"""Networks that answer queries, as files of plain PyTorch."""

import pytest
import torch

from nas.benchmark import Features, Query, Signature
from nas.exporting.source import write_source
from nas.models import build, plan
from nas.space import parse_space

SIGNATURE = Signature(Query(11, 3), Features(11))


@pytest.mark.parametrize(
    "layer",
    ["rotate: {features: 8}", "tucker: {features: 8, norm: layer}", "conve: {features: 16}", "query_transformer: {features: 8}"],
)
def test_the_file_makes_the_same_network_and_knows_what_a_query_is(layer: str) -> None:
    space = parse_space(f"name: tiny\nversion: 1\naccepts: query\nlayers:\n  - softmax_loss\n  - {layer}\n")
    architecture = space.architecture({})
    model = build(space, architecture, SIGNATURE, seed=0).eval()
    source = write_source(model, SIGNATURE, title="a network", parts=plan(space, architecture, SIGNATURE))
    made: dict[str, object] = {"__name__": "written"}
    exec(compile(source.text, "written", "exec"), made)  # noqa: S102 - it was written here
    twin = made["network"]().eval()  # type: ignore[operator]
    twin.load_state_dict(model.state_dict())
    queries = made["example"](200)  # type: ignore[operator]
    assert queries[:, 0].max() == 10
    assert queries[:, 1].max() == 5
    with torch.no_grad():
        assert torch.allclose(model(queries), twin(queries), atol=1e-6)
    assert "ids of an entity below 11 and of a relation below 6" in source.text
