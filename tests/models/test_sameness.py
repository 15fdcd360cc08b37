from itertools import product
from typing import Any

import pytest

from nas.benchmark import Features, Image, Signature
from nas.models import network_id
from nas.space import Architecture, Space, parse_space

DIGITS = Signature(Image(1, 8, 8), Features(10))


def space(layers: str) -> Space:
    return parse_space(f"name: toy\nversion: 1\naccepts: image\nlayers:\n{layers}\n")


def ids(of: Space, *choices: dict[str, Any]) -> list[str]:
    return [network_id(of, of.architecture(answers), DIGITS) for answers in choices]


def every(of: Space, names: list[str], values: list[str]) -> list[Architecture]:
    return [of.architecture(dict(zip(names, picked, strict=True))) for picked in product(values, repeat=len(names))]


def test_an_identity_commutes_and_other_layers_do_not() -> None:
    two = space("""
  - repeat: block
    times: 2
    layers:
      - one_of: kind
        options: {conv: {features: 4}, skip: []}
  - head""")
    first, second = "block.0.kind", "block.1.kind"
    one, other, both = ids(two, {first: "conv", second: "skip"}, {first: "skip", second: "conv"}, {first: "conv", second: "conv"})
    assert one == other != both


def test_stages_of_blocks_or_identities_are_as_many_networks_as_runs_of_blocks() -> None:
    """NAS-Bench-Macro's own count: 3^8 names of 3,969 networks, since an identity within a stage commutes."""
    blocks = """
      - one_of: kind
        options:
          small: [inverted_residual: {features: $width, expansion: 3}]
          large: [inverted_residual: {features: $width, expansion: 6}]
          skip: []
"""
    first = """
      - one_of: first
        options:
          small: [inverted_residual: {features: $width, expansion: 3, stride: 2}]
          large: [inverted_residual: {features: $width, expansion: 6, stride: 2}]
          reduce: [conv: {features: $width, kernel: 1, stride: 2}]
"""
    stages = "".join(
        f"  - repeat: stage{n}\n    times: 1\n    choices: {{width: {8 * (n + 1)}}}\n    layers:{first}"
        f"      - repeat: block\n        times: {rest}\n        layers:{blocks.replace(chr(10), chr(10) + '    ').rstrip()}\n"
        for n, rest in enumerate((1, 2, 2))
    )
    macro = space(f"{stages}  - head")
    found = set()
    choices = [["small", "large", "reduce"], ["small", "large", "skip"]]
    names = [
        f"stage{n}.0.{place}"
        for n, rest in enumerate((1, 2, 2))
        for place in ("first", *(f"block.{k}.kind" for k in range(rest)))
    ]
    for picked in product(*(choices[0] if name.endswith("first") else choices[1] for name in names)):
        found.add(network_id(macro, macro.architecture(dict(zip(names, picked, strict=True))), DIGITS))
    runs = 3 * (3), 3 * (1 + 2 + 4), 3 * (1 + 2 + 4)  # strided block, then the runs of up to 1, 2 and 2 blocks
    assert len(found) == runs[0] * runs[1] * runs[2] == 3_969


CELL = """
  - conv: {features: 4}
  - cell: cell
    nodes: 4
    operations: {none: [zero], skip: [], conv1: [conv: {features: 4, kernel: 1}], conv3: [conv: {features: 4}], pool: [POOL]}
  - head
"""


def test_an_edge_of_zeros_is_no_edge_and_an_edge_that_passes_on_is_its_beginning() -> None:
    cell = space(CELL.replace("POOL", "residual: {features: 4}").replace("nodes: 4", "nodes: 3"))
    direct, through, none, conv = ids(
        cell,
        {"cell.edge_0_1": "none", "cell.edge_0_2": "conv3", "cell.edge_1_2": "none"},
        {"cell.edge_0_1": "skip", "cell.edge_0_2": "none", "cell.edge_1_2": "conv3"},
        {"cell.edge_0_1": "none", "cell.edge_0_2": "none", "cell.edge_1_2": "none"},
        {"cell.edge_0_1": "none", "cell.edge_0_2": "conv1", "cell.edge_1_2": "none"},
    )
    assert direct == through
    assert len({direct, none, conv}) == 3


def test_the_cells_of_nas_bench_201_are_as_many_networks_as_a_brute_force_twin_finds() -> None:
    """The twin writes every node as a multiset of terms; a convolution of zeros is a constant that is learned, and is no zero."""
    cell = space(CELL.replace("POOL", "pool: {kind: average, size: 3, stride: 1}"))
    edges = [f"cell.edge_{start}_{end}" for end in (1, 2, 3) for start in range(end)]
    found, words = set(), set()
    for architecture in every(cell, edges, ["none", "skip", "conv1", "conv3", "pool"]):
        found.add(network_id(cell, architecture, DIGITS))
        nodes: list[tuple[tuple[str, ...], frozenset[tuple[str, str]]]] = [(("x",), frozenset())]
        for end in (1, 2, 3):
            terms: list[str] = []
            made_of: frozenset[tuple[str, str]] = frozenset()
            for start in range(end):
                edge = f"cell.edge_{start}_{end}"
                operation, (node, before) = architecture.choices[edge], nodes[start]
                if operation == "none" or (operation in {"skip", "pool"} and not node):
                    continue
                word = f"{operation}({'+'.join(node)})"
                terms += node if operation == "skip" else [word]
                made_of |= before | ({(word, edge)} if operation in {"conv1", "conv3"} else set())
            nodes.append((tuple(sorted(terms)), made_of))
        root, live = nodes[-1]
        words.add((root, tuple(sorted(word for word, _ in live))))
    assert len(found) == len(words) < 5**6


def test_a_layer_that_is_heard_twice_is_not_two_layers() -> None:
    cell = space(CELL.replace("POOL", "pool: {kind: average, size: 3, stride: 1}"))
    shared = dict.fromkeys([f"cell.edge_{start}_{end}" for end in (1, 2, 3) for start in range(end)], "none")
    shared |= {"cell.edge_0_1": "conv3", "cell.edge_1_2": "skip", "cell.edge_1_3": "skip", "cell.edge_2_3": "pool"}
    apart = shared | {"cell.edge_0_2": "conv3", "cell.edge_1_2": "none"}
    one, two = ids(cell, shared, apart)
    assert one != two


@pytest.mark.parametrize(
    ("merge", "equal"), [("add", True), ("multiply", True), ("concatenate", False)], ids=["add", "multiply", "concatenate"]
)
def test_the_order_of_branches_matters_where_they_are_concatenated(merge: str, equal: bool) -> None:
    branches = "  - conv: {features: 4}\n  - parallel: mix\n    merge: %s\n    branches: {a: [%s], b: [%s]}\n  - head"
    small, large = "conv: {features: 4, kernel: 1}", "conv: {features: 4, kernel: 3}"
    one = space(branches % (merge, small, large))
    other = space(branches % (merge, large, small))
    assert (ids(one, {}) == ids(other, {})) is equal


def test_networks_of_two_spaces_are_one_where_they_are_the_same() -> None:
    one = space("  - conv: {features: 4}\n  - head")
    other = parse_space(
        "{name: other, version: 3, accepts: image, layers: [{one_of: x, options: {conv: {features: [4, 8]}}}, head]}"
    )
    assert ids(one, {}) == ids(other, {"x": "conv", "x.conv.features": 4})
    assert ids(one, {}) != ids(other, {"x": "conv", "x.conv.features": 8})


def test_what_is_wanted_tells_networks_apart() -> None:
    one = space("  - conv: {features: 4}\n  - head")
    wanted = [Signature(Image(1, 8, 8), Features(count)) for count in (2, 3)]
    assert len({network_id(one, one.architecture({}), signature) for signature in wanted}) == 2
