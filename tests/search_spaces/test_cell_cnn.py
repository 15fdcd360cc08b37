"""NAS-Bench-201's space, against its public tables (Dong & Yang 2020, arXiv:2001.00326)."""

import random

import pytest
import torch
from public_tables import rows

from nas.benchmark import Features, Image, Signature
from nas.models import build, cost, count
from nas.space import Architecture, size
from search_spaces.cell_cnn import SPACE

EDGES = ["edge_0_1", "edge_0_2", "edge_1_2", "edge_0_3", "edge_1_3", "edge_2_3"]
TABLES = [("nas-bench-201-cifar10.csv.gz", 10), ("nas-bench-201-cifar100.csv.gz", 100)]


def pictures(classes: int) -> Signature:
    return Signature(Image(3, 32, 32), Features(classes))


def architecture(row: dict[str, str]) -> Architecture:
    """Of a row: `choice:edge0-1` there is `edge_0_1` here, and the operations have the same names."""
    named = {key.removeprefix("choice:edge").replace("-", "_"): value for key, value in row.items() if key.startswith("choice:")}
    return SPACE.architecture({f"edge_{ends}": operation for ends, operation in named.items()})


def every_edge(operation: str) -> Architecture:
    return SPACE.architecture(dict.fromkeys(EDGES, operation))


def test_the_space_holds_the_architectures_of_its_table_and_no_more() -> None:
    assert size(SPACE) == 5**6 == 15_625
    assert len({architecture(row).id for row in rows(TABLES[0][0])}) == 15_625


def test_edges_are_decided_in_the_order_of_the_rows() -> None:
    row = rows(TABLES[0][0])[0]
    columns = [column for column in row if column.startswith("choice:")]
    assert list(SPACE.sample(random.Random(0)).choices) == EDGES
    assert columns == [f"choice:edge{start}-{end}" for end in (1, 2, 3) for start in range(end)]


@pytest.mark.parametrize(("name", "classes"), TABLES)
def test_200_rows_of_the_table_agree_in_parameters(name: str, classes: int) -> None:
    for row in random.Random(0).sample(rows(name), 200):
        found = cost(SPACE, architecture(row), pictures(classes))
        assert found is not None
        assert found.params == int(row["params"]), row


def test_built_networks_have_the_parameters_of_the_rows() -> None:
    for row in random.Random(1).sample(rows(TABLES[0][0]), 4):
        signature = pictures(10)
        found = count(lambda row=row, signature=signature: build(SPACE, architecture(row), signature), signature.input)
        assert found.params == int(row["params"]), row


def test_a_network_of_skips_costs_what_is_around_its_cells() -> None:
    stem = 9 * 3 * 16
    reduce = [9 * width * 2 * width + 9 * (2 * width) ** 2 + 2 * width**2 for width in (16, 32)]
    norms = 2 * (16 + 32 + 32 + 64 + 64 + 64)
    found = cost(SPACE, every_edge("skip_connect"), pictures(10))
    assert found is not None
    assert found.params == stem + sum(reduce) + norms + 650 == 73_306
    assert found.macs == 1_024 * stem + 256 * reduce[0] + 64 * reduce[1] + 640


@pytest.mark.parametrize(("operation", "weights"), [("nor_conv_1x1", 1), ("nor_conv_3x3", 9)])
def test_each_convolution_of_an_edge_stands_in_fifteen_cells(operation: str, weights: int) -> None:
    plain, convolved = (cost(SPACE, every_edge(name), pictures(10)) for name in ("skip_connect", operation))
    assert plain is not None
    assert convolved is not None
    cells = sum(5 * 6 * (weights * width**2 + 2 * width) for width in (16, 32, 64))
    assert convolved.params == plain.params + cells


def test_a_network_without_edges_sees_no_picture() -> None:
    batch = torch.randn(3, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    blind, seeing = (build(SPACE, every_edge(name), pictures(10), seed=0).eval() for name in ("none", "skip_connect"))
    with torch.no_grad():
        assert len(blind(batch).unique(dim=0)) == 1
        assert len(seeing(batch).unique(dim=0)) == 3


def test_cells_of_skips_add_up_the_ways_through_them() -> None:
    """Node 1 is the input, node 2 twice and node 3 four times the input; five cells are 4^5."""
    model = build(SPACE, every_edge("skip_connect"), pictures(10), seed=0).eval()
    cells = [module for name, module in model.named_children() if name.startswith("stage0")]
    assert len(cells) == 5
    maps = torch.rand(1, 16, 4, 4)
    outputs = maps
    for cell in cells:
        outputs = cell(outputs)
    torch.testing.assert_close(outputs, 4**5 * maps)
