import json
import math
import random
import re
import time
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from toy_spaces import random_spaces, toy

from nas.errors import DocumentError, SpaceError
from nas.space import (
    Categorical,
    Integer,
    Layer,
    Limit,
    OneOf,
    Real,
    Ref,
    Repeat,
    Space,
    digest,
    parse_space,
    read_space,
    space_from_data,
    space_to_data,
    space_to_yaml,
)

RESIDUAL_CNN = Path(__file__).parents[2] / "search_spaces/residual_cnn/space.yaml"

MIXER_YAML = """\
name: mixer
version: 2
accepts: image
summary: >-
  Every form that
  a declaration can take.
choices:
  width: [16, 32]
  norm: [batch, none]
  depth: 2
layers:
  - conv: {features: $width, kernel: 3, rate: {real: [0.0001, 1], log: true}, bias: [true, false], groups: null}
    name: stem
  - repeat: block
    times: {int: [1, 3]}
    choices: {kernel: [3, 5], units: {int: [8, 64], step: 8}}
    layers:
      - one_of: kind
        options:
          residual: {features: $width, kernel: $kernel}
          plain: [conv: {features: {int: [1, 64], log: true}}, pool]
          skip: []
          pool:
      - one_of: norm
        by: $norm
        options: {batch: [norm: {momentum: {real: [0, 0.5]}}], none: []}
      - dense: {units: $units}
  - repeat: tail
    times: $depth
    layers: [conv]
  - head
limits: ["params <= 200e3", "latency_ms < 5"]
"""

MIXER_TREE = Space(
    name="mixer",
    version=2,
    accepts="image",
    summary="Every form that a declaration can take.",
    choices={"width": [16, 32], "norm": Categorical("batch", "none"), "depth": 2},
    layers=(
        Layer(
            "conv",
            {
                "features": "$width",
                "kernel": 3,
                "rate": Real(1e-4, 1, log=True),
                "bias": Categorical(True, False),
                "groups": None,
            },
            name="stem",
        ),
        Repeat(
            "block",
            Integer(1, 3),
            (
                OneOf(
                    "kind",
                    {
                        "residual": Layer("residual", {"features": Ref("width"), "kernel": Ref("kernel")}),
                        "plain": (Layer("conv", {"features": Integer(1, 64, log=True)}), Layer("pool")),
                        "skip": (),
                        "pool": Layer("pool"),
                    },
                ),
                OneOf("norm", {"batch": (Layer("norm", {"momentum": Real(0, 0.5)}),), "none": ()}, by=Ref("norm")),
                Layer("dense", {"units": Ref("units")}),
            ),
            choices={"kernel": [3, 5], "units": Integer(8, 64, step=8)},
        ),
        Repeat("tail", Ref("depth"), (Layer("conv"),)),
        Layer("head"),
    ),
    limits=(Limit("params", "<=", 200e3), "latency_ms < 5"),
)


def test_yaml_and_the_same_tree_in_python_are_equal():
    space = parse_space(MIXER_YAML)
    assert space == MIXER_TREE
    assert digest(space) == digest(MIXER_TREE)


def test_the_digest_is_the_same_for_ever():
    assert digest(MIXER_TREE) == "1a5adbfee9f9c0de"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("name: mixer", "name: mixers"),
        ("version: 2", "version: 3"),
        ("width: [16, 32]", "width: [16, 64]"),
        ("depth: 2", "depth: 3"),
        ("kernel: 3,", "kernel: 5,"),
        ("groups: null", "groups: 0"),
        ("name: stem", "name: first"),
        ("times: {int: [1, 3]}", "times: {int: [1, 4]}"),
        ("by: $norm", "by: $norm2"),
        ("step: 8", "step: 4"),
        ("skip: []", "skip: [pool]"),
        ("  - head\n", "  - head\n  - pool\n"),
    ],
)
def test_whatever_changes_the_meaning_of_an_answer_changes_the_digest(old, new):
    text = MIXER_YAML.replace("norm: [batch, none]", "norm2: [batch, none]") if "norm2" in new else MIXER_YAML
    assert digest(parse_space(text.replace(old, new))) != digest(MIXER_TREE)


def test_summary_and_limits_leave_the_digest_alone():
    text = MIXER_YAML.replace("Every form", "Each form").replace("200e3", "300e3")
    assert parse_space(text) != MIXER_TREE
    assert digest(parse_space(text)) == digest(MIXER_TREE)


@pytest.mark.parametrize("space", [MIXER_TREE, read_space(RESIDUAL_CNN), toy(Layer("head"))], ids=lambda space: space.name)
def test_a_space_survives_being_written_and_read(space):
    data = json.loads(json.dumps(space_to_data(space)))
    for again in (space_from_data(data), parse_space(space_to_yaml(space))):
        assert again == space
        assert digest(again) == digest(space)


@settings(max_examples=40, deadline=None)
@given(space=random_spaces(reals=True))
def test_a_random_space_survives_being_written_and_read(space):
    for again in (space_from_data(space_to_data(space)), parse_space(space_to_yaml(space))):
        assert again == space
        assert digest(again) == digest(space)


PLAIN_VALUES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()


@settings(max_examples=100, deadline=None)
@example(values=["\x85"])
@example(values=["?>"])
@example(values=["a\x1f " * 40])
@example(values=[":" * 90, ":" * 90 + "\\ "])
@given(values=st.lists(PLAIN_VALUES, min_size=1, max_size=5, unique_by=lambda value: (isinstance(value, bool), value)))
def test_any_plain_value_survives_being_written_and_read(values):
    space = toy(Layer("conv", {"a": Categorical(*values)}), summary=" ".join(str(values).split()))
    again = parse_space(space_to_yaml(space))
    assert again == space
    assert digest(again) == digest(space)


@pytest.mark.parametrize("name", ["null", "true", "on", "yes", "no", "y", "inf"])
def test_a_name_that_yaml_could_take_for_a_value_survives(name):
    space = toy(Layer("conv", {name: Ref(name)}, name=f"{name}_"), choices={name: [name, None]})
    assert parse_space(space_to_yaml(space)) == space


def test_a_summary_is_brought_to_one_line():
    assert parse_space("{name: toy, version: 1, accepts: image, layers: [head], summary: 'a\n\n   b'}").summary == "a b"


def test_a_space_remembers_the_lines_that_it_was_read_from(tmp_path):
    path = tmp_path / "space.yaml"
    path.write_text(MIXER_YAML, encoding="utf-8")
    complaint = read_space(path).error(("layers", 1, "layers", 0, "options", "plain", 0, "conv", "features"), "is odd.")
    assert isinstance(complaint, DocumentError)
    assert str(complaint) == f"{path}:21: layers[1].layers[0].options.plain[0].conv.features: is odd."


def test_a_space_from_python_names_the_path_alone():
    complaint = MIXER_TREE.error(("layers", 3, "head"), "is odd.")
    assert isinstance(complaint, SpaceError)
    assert str(complaint) == "layers[3].head: is odd."


HEAD = "name: toy\nversion: 1\naccepts: image\nlayers:\n"
"""Four lines, so that what follows begins on line 5."""

ONE_KIND = "a layer has one kind and at most a `name`; further keys:"
NAME_RULE = "a name must be lower-case letters, digits and _, beginning with a letter, at most 40, got"

BROKEN = [
    # The document as a whole
    ("- head", "1: must be a mapping (`key: value`), got ['head']."),
    ("version: 1\naccepts: image\nlayers: [head]", "1: a space needs 'name'; add it at the top."),
    ("name: toy\naccepts: image\nlayers: [head]", "1: a space needs 'version'; add it at the top."),
    ("name: toy\nversion: 1\nlayers: [head]", "1: a space needs 'accepts'; add it at the top."),
    ("name: toy\nversion: 1\naccepts: image", "1: a space needs 'layers'; add it at the top."),
    (
        HEAD + "  - head\nlayer: [pool]",
        "6: layer: unknown key. Did you mean 'layers'? Known: accepts, choices, layers, limits, name, summary, version.",
    ),
    (
        HEAD + '  - head\n"two\\nlines": 1',
        "6: 'two\\nlines': unknown key. Known: accepts, choices, layers, limits, name, summary, version.",
    ),
    (HEAD + "  - head\nsummary: [a]", "6: summary: must be text, got ['a']."),
    (HEAD + "  - head\nlimits: params <= 5", "6: limits: must be a list (`- item`), got 'params <= 5'."),
    (HEAD + "  - head\nlimits:", "6: limits: must be a list (`- item`), got None."),
    (
        HEAD + "  - head\nlimits:\n  - params <= 5\n  - params = 5",
        "8: limits[1]: a limit reads like 'params <= 50e3', got 'params = 5'.",
    ),
    (
        HEAD + "  - head\nlimits: [params <= 1e999]",
        "6: limits[0]: a limit is a figure, one of <=, <, >=, >, and a finite bound, got 'params <= inf'.",
    ),
    # Fields of the space
    (
        "version: 1\nname: My Toy\naccepts: image\nlayers: [head]",
        "2: name: a space's name is lower-case letters, digits and _, got 'My Toy'.",
    ),
    (
        "name: 7\nversion: 1\naccepts: image\nlayers: [head]",
        "1: name: a space's name is lower-case letters, digits and _, got 7.",
    ),
    (
        "name: toy\nversion: 0\naccepts: image\nlayers: [head]",
        "2: version: a version is an integer of at least 1, got 0.",
    ),
    (
        "name: toy\nversion: true\naccepts: image\nlayers: [head]",
        "2: version: a version is an integer of at least 1, got True.",
    ),
    (
        "name: toy\nversion: 1.0\naccepts: image\nlayers: [head]",
        "2: version: a version is an integer of at least 1, got 1.0.",
    ),
    (
        "name: toy\nversion: 1\naccepts: images\nlayers: [head]",
        "3: accepts: no input is called 'images'. Did you mean 'image'? "
        "Known: features, image, modalities, query, sequence, tokens, waveform.",
    ),
    (
        "name: toy\nversion: 1\naccepts: [image, tokens, image]\nlayers: [head]",
        "3: accepts: the kind 'image' stands twice; keep one.",
    ),
    (
        "name: toy\nversion: 1\naccepts: []\nlayers: [head]",
        "3: accepts: must be one or several of image, sequence, waveform, tokens, query, features, modalities, got [].",
    ),
    ("name: toy\nversion: 1\naccepts: image\nlayers: []", "4: layers: a space needs at least one layer."),
    (
        "name: toy\nversion: 1\naccepts: image\nlayers: head",
        "4: layers: must be a list (`- item`), got 'head'.",
    ),
    (
        HEAD + "  - repeat: a\n    times: 11\n    layers: [{repeat: b, times: {int: [1, 1000]}, layers: [conv]}]",
        "4: layers: an architecture may have at most 10,000 layers, this space allows 11,000.",
    ),
    (
        HEAD + "  - repeat: a\n    times: 1000\n"
        "    layers: [{repeat: b, times: $n, layers: [{one_of: c, options: {d: []}}]}]\nchoices: {n: [1, 1000]}",
        "4: layers: an architecture may have at most 10,000 layers, this space allows 1,000,000.",
    ),
    # Layers
    (HEAD + "  - head\n  - 5", "6: layers[1]: a layer reads like `- conv: {kernel: 3}`, got 5."),
    (HEAD + "  -", "5: layers[0]: a layer reads like `- conv: {kernel: 3}`, got None."),
    (HEAD + "  - [conv]", "5: layers[0]: a layer reads like `- conv: {kernel: 3}`, got ['conv']."),
    (HEAD + "  - {}", "5: layers[0]: a layer reads like `- conv: {kernel: 3}`, got {}."),
    (
        HEAD + "  - conv: {}\n    pool: {}\n    norm: {}",
        f"5: layers[0]: {ONE_KIND} 'pool', 'norm'. Begin each layer with `-`.",
    ),
    (
        HEAD + '  - conv: {}\n    "two\\nlines": {}',
        f"5: layers[0]: {ONE_KIND} 'two\\nlines'. Begin each layer with `-`.",
    ),
    (
        HEAD + "  - name: stem",
        f"5: layers[0]: {ONE_KIND} none. Begin each layer with `-`.",
    ),
    (HEAD + "  - conv: {}\n    name: 5", "6: layers[0].name: a name must be text, got 5."),
    (HEAD + "  - conv:\n      - 3", "5: layers[0].conv: must be a mapping (`key: value`), got [3]."),
    (HEAD + "  - Conv", f"5: layers[0]: {NAME_RULE} 'Conv'."),
    (HEAD + "  - conv: {}\n    name: 1st", f"5: layers[0]: {NAME_RULE} '1st'."),
    (HEAD + f"  - {'c' * 41}", f"5: layers[0]: {NAME_RULE} '{'c' * 41}'."),
    (HEAD + "  - größe", f"5: layers[0]: {NAME_RULE} 'größe'."),
    (
        HEAD + "  - conv\n  - pool\n  - conv",
        "7: layers[2]: the name 'conv' stands twice here; give one of them a `name:` of its own.",
    ),
    (
        HEAD + "  - conv: {width: $conv}\nchoices: {conv: [1, 2]}",
        "5: layers[0]: the name 'conv' stands twice here; give one of them a `name:` of its own.",
    ),
    (
        HEAD + "  - conv:\n      Kernel: 3",
        "5: layers[0].conv: an option's name must be lower-case letters, digits and _, beginning with a letter, "
        "at most 40, got 'Kernel'.",
    ),
    # Values of options
    (HEAD + "  - conv:\n      a: []", "6: layers[0].conv.a: a choice needs at least one value, got an empty list."),
    (
        HEAD + "  - conv:\n      a: [[1]]",
        "6: layers[0].conv.a: a value must be text, a number, true, false or null, got [1].",
    ),
    (
        HEAD + "  - conv:\n      a: [{int: [1, 2]}]",
        "6: layers[0].conv.a: a value must be text, a number, true, false or null, got {'int': [1, 2]}.",
    ),
    (HEAD + "  - conv:\n      a: [1, .inf]", "6: layers[0].conv.a: a value must be finite, got inf."),
    (HEAD + "  - conv:\n      a: [1, 2, 1]", "6: layers[0].conv.a: the value 1 stands twice; keep one of them."),
    (HEAD + "  - conv:\n      a: .nan", "6: layers[0].conv.a: must be finite, got nan."),
    (HEAD + "  - conv:\n      a: -1e999", "6: layers[0].conv.a: must be finite, got -inf."),
    (
        HEAD + "  - conv:\n      a: {int: [1.5, 2]}",
        "6: layers[0].conv.a: an integer range's low must be an integer, got 1.5.",
    ),
    (HEAD + "  - conv:\n      a: {int: [2, 1]}", "6: layers[0].conv.a: a range must run from low to high, got [2, 1]."),
    (
        HEAD + "  - conv:\n      a: {int: [1, 4], step: 2}",
        "6: layers[0].conv.a: [1, 4] cannot be cut in steps of 2; end it at 3.",
    ),
    (
        HEAD + "  - conv:\n      a: {real: [0, 1], log: true}",
        "6: layers[0].conv.a: a log range must begin above 0, got 0.0.",
    ),
    (
        HEAD + f"  - conv:\n      a: {{real: [0, {'9' * 400}]}}",
        f"6: layers[0].conv.a: a real range's high must be a finite number, got {'9' * 77}....",
    ),
    (
        HEAD + "  - conv:\n      a: {int: [1, 2, 3]}",
        "6: layers[0].conv.a: a range reads like {int: [1, 4]} or {real: [0, 0.5]}, got {'int': [1, 2, 3]}.",
    ),
    (
        HEAD + "  - conv:\n      a: {real: 1}",
        "6: layers[0].conv.a: a range reads like {int: [1, 4]} or {real: [0, 0.5]}, got {'real': 1}.",
    ),
    (
        HEAD + "  - conv:\n      a: {}",
        "6: layers[0].conv.a: a range reads like {int: [1, 4]} or {real: [0, 0.5]}, got {}.",
    ),
    (
        HEAD + "  - conv:\n      a:\n        int: [1, 4]\n        steps: 1",
        "8: layers[0].conv.a.steps: unknown key. Did you mean 'step'? Known: int, log, step.",
    ),
    (
        HEAD + "  - conv:\n      a:\n        real: [1, 4]\n        step: 1",
        "8: layers[0].conv.a.step: unknown key. Known: log, real.",
    ),
    (
        HEAD + "  - conv:\n      a:\n        int: [1, 4]\n        log: 1",
        "8: layers[0].conv.a.log: must be true or false, got 1.",
    ),
    # References and shared choices
    (
        HEAD + "  - conv:\n      a: $widht\nchoices: {width: [1, 2]}",
        "6: layers[0].conv.a: no choice is called 'widht' here. Shared choices: $width.",
    ),
    (HEAD + "  - conv:\n      a: $", "6: layers[0].conv.a: no choice is called '' here. Shared choices: none."),
    (
        HEAD + "  - conv: {a: $k}\n  - {repeat: r, times: 1, choices: {k: [1]}, layers: [conv: {a: $k}]}",
        "5: layers[0].conv.a: the choice 'k' is made inside another repeat; declare it in `choices` above this layer.",
    ),
    (
        HEAD + "  - conv: {a: $k}\n"
        "  - one_of: o\n    options: {p: [{repeat: r, times: 1, choices: {k: [1]}, layers: [conv: {a: $k}]}]}",
        "5: layers[0].conv.a: the choice 'k' is made inside another repeat; declare it in `choices` above this layer.",
    ),
    (HEAD + "  - head\nchoices: [width]", "6: choices: must be a mapping (`key: value`), got ['width']."),
    (HEAD + "  - head\nchoices:\n  Width: [1, 2]", f"7: choices.Width: {NAME_RULE} 'Width'."),
    (
        HEAD + "  - head\nchoices:\n  width: [1, 2]",
        "7: choices.width: nothing reads the choice 'width'; use $width in a layer or delete it.",
    ),
    (
        HEAD + "  - repeat: r\n    times: 2\n    choices:\n      width: [1, 2]\n    layers: [conv]",
        "8: layers[0].choices.width: nothing reads the choice 'width'; use $width in a layer or delete it.",
    ),
    (
        HEAD + "  - conv: {a: $a, b: $b}\nchoices:\n  a: [1, 2]\n  b: $a",
        "8: choices.b: a shared choice cannot be a reference; write its values.",
    ),
    (
        HEAD + "  - repeat: r\n    times: 2\n    choices: {k: [1]}\n    layers: [conv: {a: $k}]\nchoices: {k: [1]}",
        "7: layers[0].choices.k: the choice 'k' is declared twice; give one of them another name.",
    ),
    # Repeats
    (HEAD + "  - repeat: r\n    layers: [conv]", "5: layers[0]: a repeat needs 'times'."),
    (HEAD + "  - repeat: r\n    times: 2", "5: layers[0]: a repeat needs 'layers'."),
    (
        HEAD + "  - repeat: r\n    times: 2\n    layers: [conv]\n    name: s",
        "8: layers[0].name: unknown key. Known: choices, layers, repeat, times.",
    ),
    (HEAD + "  - repeat: 5\n    times: 2\n    layers: [conv]", f"5: layers[0]: {NAME_RULE} 5."),
    (HEAD + "  - repeat:\n    times: 2\n    layers: [conv]", f"5: layers[0]: {NAME_RULE} None."),
    (
        HEAD + "  - repeat: r\n    times: 2\n    layers: []",
        "5: layers[0]: the repeat 'r' has no layers; give it some or delete it.",
    ),
    (
        HEAD + "  - repeat: r\n    times: 2\n    layers: conv",
        "7: layers[0].layers: must be a list (`- item`), got 'conv'.",
    ),
    (
        HEAD + "  - repeat: r\n    times: {real: [0, 1]}\n    layers: [conv]",
        "6: layers[0].times: times must be integers, got the real range 0..1.",
    ),
    (
        HEAD + "  - repeat: r\n    times: $n\n    layers: [conv]\nchoices: {n: {real: [0, 1]}}",
        "6: layers[0].times: times must be integers, got the real range 0..1.",
    ),
    (
        HEAD + "  - repeat: r\n    times: $n\n    layers: [conv]",
        "6: layers[0].times: no choice is called 'n' here. Shared choices: none.",
    ),
    *(
        (
            HEAD + f"  - repeat: r\n    times: {times}\n    layers: [conv]",
            f"6: layers[0].times: times must be integers from 0 to 1000, got {shown}.",
        )
        for times, shown in [
            ("-1", "-1"),
            ("1001", "1001"),
            ("{int: [-1, 3]}", "-1"),
            ("{int: [1, 9007199254740992]}", "9007199254740992"),
            ("[1, 2.0]", "2.0"),
            ("[1, true]", "True"),
            ("often", "'often'"),
            ("null", "None"),
        ]
    ),
    # Alternatives
    (HEAD + "  - one_of: o", "5: layers[0].options: must be a mapping (`key: value`), got None."),
    (
        HEAD + "  - one_of: o\n    options: [conv]",
        "6: layers[0].options: must be a mapping (`key: value`), got ['conv'].",
    ),
    (HEAD + "  - one_of: o\n    options: {}", "6: layers[0].options: a one_of needs at least one option."),
    (
        HEAD + "  - one_of: o\n    option: {a: []}",
        "6: layers[0].option: unknown key. Did you mean 'options'? Known: by, one_of, options.",
    ),
    (HEAD + "  - one_of: [o]\n    options: {a: []}", f"5: layers[0]: {NAME_RULE} ['o']."),
    (HEAD + "  - one_of: o\n    options:\n      A: []", f"7: layers[0].options.A: {NAME_RULE} 'A'."),
    (
        HEAD + "  - one_of: o\n    options:\n      conv: 3",
        "7: layers[0].options.conv: must be a mapping (`key: value`), got 3.",
    ),
    (
        HEAD + "  - one_of: o\n    options:\n      a: [conv, conv]",
        "7: layers[0].options.a[1]: the name 'conv' stands twice here; give one of them a `name:` of its own.",
    ),
    (
        HEAD + "  - one_of: o\n    by: kind\n    options: {a: []}",
        "6: layers[0].by: `by` must be a reference such as $kind, got 'kind'.",
    ),
    (
        HEAD + "  - one_of: o\n    by: [a, b]\n    options: {a: [], b: []}",
        "6: layers[0].by: `by` must be a reference such as $kind, got ['a', 'b'].",
    ),
    (
        HEAD + "  - one_of: o\n    by: $k\n    options: {a: []}",
        "6: layers[0].by: no choice is called 'k' here. Shared choices: none.",
    ),
    *(
        (
            HEAD + f"  - one_of: o\n    by: $k\n    options: {{a: [], b: []}}\nchoices: {{k: {domain}}}",
            f"6: layers[0].by: $k can answer {shown}, which is no option here. Options: a, b.",
        )
        for domain, shown in [
            ("[a, c]", "'c'"),
            ("c", "'c'"),
            ("[a, 1]", "1"),
            ("{int: [1, 2]}", "'1..2'"),
            ("{real: [1, 2]}", "'1..2'"),
        ]
    ),
]


@pytest.mark.parametrize(("text", "message"), BROKEN, ids=[message[:60] for _, message in BROKEN])
def test_a_broken_rule_is_told_in_one_line_with_file_line_and_path(text, message):
    with pytest.raises(DocumentError) as caught:
        parse_space(text, "space.yaml")
    assert str(caught.value) == f"space.yaml:{message}"
    assert_one_line(caught.value)


CONV = Layer("conv")

BROKEN_TREES = [
    (lambda: toy("conv"), "layers[0]: a layer, a repeat, a one_of, a parallel or a cell must stand here, got 'conv'."),
    (lambda: toy(Layer("conv", name="two\nlines")), f"layers[0]: {NAME_RULE} 'two\\nlines'."),
    (
        lambda: toy(Layer("conv", {"a": {1}})),
        "layers[0].conv.a: must be a plain value, a list of choices, a range or $name, got {1}.",
    ),
    (
        lambda: toy(Layer("conv", {5: 1})),
        "layers[0].conv: an option's name must be lower-case letters, digits and _, beginning with a letter, at most 40, got 5.",
    ),
    (
        lambda: toy(Layer("conv", {"a": Ref("k")}), choices={"k": object}),
        "choices.k: must be a plain value, a list of choices, a range or $name, got <class 'object'>.",
    ),
    (lambda: toy(Layer("conv", {"a": math.nan})), "layers[0].conv.a: must be finite, got nan."),
    (lambda: toy(OneOf("o", {"a": ()}, by="a")), "layers[0].by: `by` must be a reference such as $kind, got 'a'."),
    (
        lambda: toy(OneOf("o", {"a": CONV})),
        "layers[0].options.a: a single layer stands under its kind 'conv'; put it in a list to call it 'a'.",
    ),
    (
        lambda: toy(OneOf("o", {"conv": Layer("conv", name="a")})),
        "layers[0].options.conv: a single layer stands under its kind 'conv'; put it in a list to call it 'conv'.",
    ),
    (lambda: toy(), "layers: a space needs at least one layer."),
    (lambda: toy(CONV, name="Toy"), "name: a space's name is lower-case letters, digits and _, got 'Toy'."),
    (lambda: toy(CONV, limits=["params"]), "a limit reads like 'params <= 50e3', got 'params'."),
]


@pytest.mark.parametrize(("make", "message"), BROKEN_TREES, ids=[message[:60] for _, message in BROKEN_TREES])
def test_a_rule_broken_in_python_is_told_in_one_line_with_the_path(make, message):
    with pytest.raises(SpaceError) as caught:
        make()
    assert str(caught.value) == message
    assert_one_line(caught.value)


def test_data_with_a_key_that_is_no_text_is_refused():
    with pytest.raises(DocumentError) as caught:
        space_from_data({"name": "toy", "version": 1, "accepts": "image", "layers": [{"conv": {3: 1}}]})
    assert str(caught.value) == "<data>: layers[0].conv: a key must be text, got 3."


def test_a_file_is_called_as_the_user_called_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("toy.yaml").write_text(HEAD + "  - 5", encoding="utf-8")
    for source in ("toy.yaml", Path("toy.yaml")):
        with pytest.raises(DocumentError, match=r"^toy\.yaml:5: layers\[0\]: a layer reads like"):
            read_space(source)


HOSTILE = {
    "an alias bomb": HEAD
    + "  - conv: {a: &a [1, 2, 3, 4, 5, 6, 7, 8, 9]}\n"
    + "".join(f"  - conv: &{new} [{', '.join([f'*{old}'] * 9)}]\n" for old, new in zip("abcdefgh", "bcdefghi", strict=True)),
    "an alias to itself": HEAD + "  - &a [*a]",
    "deep lists": HEAD + "  - " + "[" * 200,
    "deep mappings": HEAD + "  - " + "{a: " * 200,
    "deep blocks": "".join(" " * n + "a:\n" for n in range(200)),
    "deep keys": HEAD + "  " + "? " * 200,
    "a long number": HEAD + f"  - conv: {{a: {'9' * 10_000}}}",
    "a long float": HEAD + f"  - conv: {{a: 1.{'9' * 10_000}}}",
    "a tag for an object": HEAD + "  - conv: !!python/object/apply:os.system ['true']",
    "a tag for a value": HEAD + "  - conv: {a: !!python/name:os.system x}",
    "a tag of its own": HEAD + "  - conv: !mine {a: 1}",
    "a set": HEAD + "  - conv: {a: !!set {x, y}}",
    "a tag that its value does not fit": HEAD + "  - conv: {a: !!bool maybe}",
    "an integer of no digits": HEAD + "  - conv: {a: !!int ''}",
    "a NUL byte": HEAD + "  - conv: {a: \0}",
    "an escape of no character": HEAD + '  - conv: {a: "\\UFFFFFFFF"}',
    "a lone directive": "%",
    "an unknown anchor": HEAD + "  - *nobody",
    "two documents": HEAD + "  - conv\n---\n" + HEAD,
    "nothing": "",
    "nothing but a comment": "# nothing",
    "nothing but null": "null",
}


@pytest.mark.timeout(1)
@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_document_costs_a_message(text):
    with pytest.raises(DocumentError, match=r"^space\.yaml:") as caught:
        parse_space(text, "space.yaml")
    assert_one_line(caught.value)
    assert len(str(caught.value)) < 400


RESIDUAL_CNN_YAML = RESIDUAL_CNN.read_text(encoding="utf-8")
UNITS = {"line": r".*\n|.+", "word": r"[$\w.]+|[^$\w.]", "character": r"(?s:.)"}
NASTY = r"""
    { } [ ] : - ? , # & * ! | > ' " % @ ` \ &a *a !!int !!bool !!float !!set !a --- ... <<: $ $nobody null true 0 -1 1.5
    1e999 .nan 0x 1_ 1:30 2001-01-01 1001 %YAML one_of repeat by step log int real "\UFFFFFFFF" "\ud800" "a\nb" [] {}
    {int:[1,2]} {real:[0,1]}"""
SPACE = ["\n", "\t", "  ", "\n  - ", ": ", "\0", "\x1b", "\x85", "\u2028", "\ufeff", "\ud800"]
LONG = ["9" * 50, "9" * 500, "[" * 50]
SNIPPETS = st.sampled_from([*NASTY.split(), *SPACE, *LONG]) | st.characters()


@st.composite
def mutations(draw):
    """The text of residual_cnn after some lines, words or characters were deleted, doubled, swapped or replaced."""
    text = RESIDUAL_CNN_YAML
    for _ in range(draw(st.integers(1, 3))):
        pieces = re.findall(UNITS[draw(st.sampled_from(["line", "word", "word", "character"]))], text) or [""]
        solid = [n for n, piece in enumerate(pieces) if piece.strip()] or [0]
        at, other = draw(st.sampled_from(solid)), draw(st.sampled_from(solid))
        change = draw(st.sampled_from(["delete", "double", "swap", "copy", "replace"]))
        if change == "delete":
            pieces[at] = ""
        elif change == "double":
            pieces[at] *= 2
        elif change == "swap":
            pieces[at], pieces[other] = pieces[other], pieces[at]
        elif change == "copy":
            pieces[at] = pieces[other]
        else:
            pieces[at] = draw(SNIPPETS)
        text = "".join(pieces)
    return text


@settings(max_examples=200)
@given(text=mutations())
def test_a_mutated_declaration_is_read_or_refused_in_one_line_and_within_a_second(text):
    begun = time.thread_time()  # of the processor: whatever else is at work
    try:
        space = parse_space(text, "space.yaml")
    except DocumentError as error:
        assert_one_line(error)
    else:
        assert space_from_data(space_to_data(space)) == space
        architecture = space.sample(random.Random(0))
        assert space.architecture(architecture.choices) == architecture
    assert time.thread_time() - begun < 1


def assert_one_line(error):
    assert len(str(error).splitlines()) == 1
    assert str(error).isprintable()


def test_a_reference_inside_a_list_is_refused() -> None:
    with pytest.raises(DocumentError, match=r"layers\[0\]\.conv\.kernel: a list holds plain values, got the reference '\$k'"):
        parse_space("name: a\nversion: 1\naccepts: image\nchoices: {k: [1, 3]}\nlayers: [conv: {kernel: [$k, 5], features: $k}]")


@pytest.mark.parametrize("kind", ["repeat", "one_of", "name"])
def test_a_key_of_the_declaration_is_no_kind_of_layer(kind: str) -> None:
    with pytest.raises(SpaceError, match=f"no kind of layer can be called '{kind}'"):
        Space(name="a", version=1, accepts="image", layers=(Layer(kind),))
