import tomllib
from importlib import import_module
from pathlib import Path

from books import SPACE

from nas.reports.drawing import MOST, OF_TRAINING, drawing
from nas.space import Architecture, parse_space


def words(space_text: str, choices: dict[str, object]) -> tuple[str, list[str]]:
    space = parse_space(space_text)
    found = drawing(space, Architecture(space.name, space.version, choices))  # type: ignore[arg-type]
    assert found is not None
    assert all(x >= 0 and x + width <= found.width for _, x, _, width, _ in found.rects)
    assert all(y >= 0 and y + height <= found.height for _, _, y, _, height in found.rects)
    return found.told, [text for _, _, _, text in found.texts]


def test_layers_stand_in_order_with_their_answers_between_input_and_output() -> None:
    found = drawing(SPACE, Architecture("toy", 1, {"conv.features": 16, "conv.kernel": 3}))
    assert found is not None
    assert found.told == "input, conv features 16, kernel 3, head, output"
    assert [text for _, _, _, text in found.texts] == ["input", "conv", "features 16, kernel 3", "head", "output"]


def test_equal_layers_in_a_row_are_one_box_with_their_number() -> None:
    told, texts = words(
        "{name: s, version: 1, accepts: image, layers: "
        "[{repeat: block, times: {int: [1, 5]}, layers: [{conv: {features: 8}}]}, head]}",
        {"block.times": 4},
    )
    assert told == "input, conv features 8, 4 times, head, output"
    assert "conv  ×4" in texts


def test_branches_stand_side_by_side_and_an_empty_one_passes_on() -> None:
    told, texts = words(
        "{name: s, version: 1, accepts: image, layers: "
        "[{parallel: mix, merge: add, branches: {body: [{conv: {features: 8}}, norm], skip: []}}, head]}",
        {},
    )
    assert told == "input, branches, merged by add (conv features 8 then norm beside passes on), head, output"
    assert "passes on" in texts


def test_what_says_how_a_network_is_trained_stands_beside_it() -> None:
    told, texts = words(
        "{name: s, version: 1, accepts: features, layers: "
        "[{project_to_image: {features: 8}}, image_head, {discriminator: {width: 8}}, {adversary: {loss: hinge}}]}",
        {},
    )
    layers, training = told.split(", output; how it is trained: ")
    assert layers.endswith(", image head")
    assert training == "discriminator width 8, adversary loss hinge"
    assert texts.index("output") < texts.index("how it is trained") < texts.index("discriminator")


def test_the_layers_that_say_how_are_known() -> None:
    from nas.models import TrainingKind

    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))
    layers = {name: point.split(":") for name, point in project["project"]["entry-points"]["nas.layers"].items()}
    kinds = {name: getattr(import_module(module), kind) for name, (module, kind) in layers.items()}
    assert {name for name, kind in kinds.items() if issubclass(kind, TrainingKind)} == OF_TRAINING


def test_a_cell_names_the_work_of_every_edge() -> None:
    _, texts = words(
        "{name: s, version: 1, accepts: image, layers: "
        "[{cell: cell, nodes: 3, operations: {conv: {features: 8}, skip: []}}, head]}",
        {"cell.edge_0_1": "conv", "cell.edge_0_2": "skip", "cell.edge_1_2": "conv"},
    )
    assert "0 → 1  conv features 8" in texts
    assert "0 → 2  passes on" in texts


def test_what_is_no_architecture_of_the_space_is_not_drawn() -> None:
    assert drawing(SPACE, Architecture("toy", 1, {"conv.features": 7, "conv.kernel": 3})) is None
    assert drawing(SPACE, Architecture("other", 1, {})) is None


def test_a_network_too_large_to_be_read_is_not_drawn() -> None:
    space = parse_space(
        "{name: s, version: 1, accepts: image, layers: [{repeat: block, times: 999, layers: [conv: {features: 8}, norm]}]}"
    )
    assert MOST < 2 * 999
    assert drawing(space, Architecture("s", 1, {})) is None
