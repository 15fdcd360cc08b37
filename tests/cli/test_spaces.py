import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import jsonschema
import pytest
from click.testing import CliRunner, Result
from ruamel.yaml import YAML

from nas import registry
from nas.cli import main
from nas.models import layer_kind
from nas.space import resolve_space, space_to_yaml
from nas.testing import SPACE_RULES

ROOT = Path(__file__).parents[2]
FILES = sorted([*ROOT.glob("search_spaces/*/space.yaml"), ROOT / "examples" / "tiny_cnn.yaml"])

TOY = """
name: toy
version: 1
accepts: image
summary: "a [bold]toy[/bold] \\e[31m"
choices: {width: [8, 16], edge_0_1: [conv, same], edge_0_2: [conv, same], edge_1_2: [conv, same]}
layers:
  - conv: {features: $width}
    name: stem
  - repeat: block
    times: {int: [1, 3]}
    choices: {kernel: [3, 5]}
    layers:
      - one_of: kind
        options:
          conv: {features: $width, kernel: $kernel}
          both: [conv: {features: $width}, squeeze_excite]
          skip: []
  - parallel: mix
    merge: [add, concatenate]
    branches:
      body: [conv: {features: 8}]
      skip: [conv: {features: 8, kernel: 1}]
  - conv: {features: 8}
  - cell: cell
    nodes: 3
    by: $edge
    operations: {conv: {features: 8}, same: []}
  - head: {dropout: {real: [0, 0.5]}}
limits: ["params <= 50e3"]
"""

Nas = Callable[..., Result]


@pytest.fixture
def run() -> Nas:
    return lambda *words: CliRunner().invoke(main, [str(word) for word in words])


@pytest.fixture
def toy(tmp_path: Path) -> Path:
    (tmp_path / "toy.yaml").write_text(TOY)
    (tmp_path / "README.md").write_text(
        "# toy\n\nA. Body, 2020, arXiv:2001.00326; again arXiv:2001.00326; B. Else, arXiv:1512.03385.\n"
    )
    return tmp_path / "toy.yaml"


def test_help_lists_what_can_be_done_with_a_space(run: Nas) -> None:
    text = run("spaces", "--help").output
    places = [text.index(f"\n  {name} ") for name in ("show", "check", "new", "schema")]
    assert places == sorted(places)


@pytest.mark.parametrize("command", ["show", "check", "new", "schema"])
def test_every_option_says_what_it_does(command: str) -> None:
    for parameter in main.commands["spaces"].commands[command].params:  # type: ignore[attr-defined]
        assert parameter.param_type_name == "argument" or getattr(parameter, "help", None), parameter.name


def test_a_space_in_the_path_is_listed_beside_those_that_are_installed(
    run: Nas, toy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = {row["name"]: row for row in json.loads(run("spaces", "--json", "--space-path", toy.parent).output)}
    assert {"toy", "residual_cnn"} <= set(rows)
    monkeypatch.setenv("NAS_SPACE_PATH", str(toy.parent))
    assert "\ntoy " in run("spaces").output


def test_a_broken_space_is_named_and_hides_no_other(run: Nas, toy: Path) -> None:
    (toy.parent / "broken.yaml").write_text("name: broken")
    (toy.parent / "residual_cnn.yaml").write_text("name: residual_cnn")
    done = run("spaces", "--space-path", toy.parent)
    assert "\ntoy " in done.output
    first, second = done.stderr.splitlines()
    assert first.startswith("nas: ")
    assert first.endswith("broken.yaml:1: a space needs 'version'; add it at the top.")
    assert second.startswith(
        "nas: The search space 'residual_cnn' is claimed by nas-harness (search_spaces.residual_cnn:SPACE) and "
    )
    errors = {row["name"] for row in json.loads(run("spaces", "--json", "--space-path", toy.parent).output) if "error" in row}
    assert errors == {"broken", "residual_cnn"}


DRAWN = """\
toy  version 1, accepts image
a [bold]toy[/bold] \\x1b[31m
infinitely many architectures
papers: arXiv:2001.00326, arXiv:1512.03385

choices
├── $width  [8, 16]
├── $edge_0_1  [conv, same]
├── $edge_0_2  [conv, same]
└── $edge_1_2  [conv, same]
layers
├── stem  conv · features $width
├── block  repeat 1..3 times
│   ├── $kernel  [3, 5]
│   └── kind  one of
│       ├── conv  features $width · kernel $kernel
│       ├── both
│       │   ├── conv  features $width
│       │   └── squeeze_excite
│       └── skip
│           └── nothing: what comes in goes on
├── mix  side by side, merge [add, concatenate]
│   ├── body
│   │   └── conv  features 8
│   └── skip
│       └── conv  features 8 · kernel 1
├── conv  features 8
├── cell  cell of 3 nodes, 3 edges, by $edge_0_1 to $edge_1_2, each one of
│   ├── conv  features 8
│   └── same
│       └── nothing: what comes in goes on
└── head  dropout 0..0.5
limits
└── params <= 50000
"""


def test_a_space_is_drawn_with_all_that_is_in_it(run: Nas, toy: Path) -> None:
    assert run("spaces", "show", toy).output == DRAWN
    assert run("spaces", "show", "toy", "--space-path", toy.parent).output == DRAWN
    assert run("spaces", "--space-path", toy.parent, "show", "toy").output == DRAWN


def test_a_space_is_shown_as_json_that_is_its_declaration(run: Nas, toy: Path) -> None:
    shown = json.loads(run("spaces", "show", toy, "--json").output)
    assert shown.pop("architectures") == "infinitely many"
    assert shown.pop("papers") == ["arXiv:2001.00326", "arXiv:1512.03385"]
    from nas.space import space_from_data

    assert space_from_data(shown) == resolve_space(toy)


@pytest.mark.parametrize("name", ["residual_cnn"])
def test_a_size_is_written_out(run: Nas, name: str) -> None:
    assert "40,247,015,719,680 architectures" in run("spaces", "show", name).output


RULES = [str(rule) for rule in SPACE_RULES if "next token" not in str(rule)]
"""Those that a space of pictures is tried on."""


@pytest.fixture
def folder(toy: Path) -> Path:
    """The same as a package has it."""
    return toy.rename(toy.with_name("space.yaml"))


def test_check_prints_a_line_a_rule_that_is_tried(run: Nas, folder: Path) -> None:
    done = run("spaces", "check", folder, "--samples", "2")
    assert done.exit_code == 0, done.output
    assert done.output == "".join(f"ok     {rule}\n" for rule in RULES)


def test_check_tells_what_is_wrong_with_status_1(run: Nas, folder: Path) -> None:
    (folder.parent / "README.md").unlink()
    done = run("spaces", "check", folder, "--samples", "1")
    assert done.exit_code == 1
    (wrong,) = (line for line in done.output.splitlines() if not line.startswith("ok     "))
    assert wrong.startswith(f"wrong  a README stands beside it: {folder.parent}/README.md is missing or empty;")
    told = json.loads(run("spaces", "check", folder, "--samples", "1", "--json").output)
    assert [row["rule"] for row in told] == RULES
    assert [row["problem"] is None for row in told] == [True] * (len(told) - 1) + [False]


def test_check_on_a_benchmark_tries_its_question(run: Nas, tmp_path: Path) -> None:
    (tmp_path / "wide.yaml").write_text(
        "{name: wide, version: 1, accepts: image, layers: [head: {pool: [average, max]}], limits: [params <= 100]}"
    )
    (tmp_path / "README.md").write_text("# wide")
    assert run("spaces", "check", tmp_path / "wide.yaml", "--samples", "1", "--on", "digits").exit_code == 0
    done = run("spaces", "check", tmp_path / "wide.yaml", "--samples", "1", "--on", "spoken")
    assert (done.exit_code, done.stderr.count("\n")) == (2, 1)


@pytest.mark.parametrize("command", ["show", "check"])
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name: [", "not valid YAML"),
        ("{name: toy, version: 1, accepts: image, layers: []}", "layers: a space needs at least one layer."),
    ],
)
def test_what_cannot_be_read_is_one_line_and_status_2(run: Nas, tmp_path: Path, command: str, text: str, message: str) -> None:
    (tmp_path / "bad.yaml").write_text(text)
    done = run("spaces", command, tmp_path / "bad.yaml")
    assert done.exit_code == 2
    assert done.stderr.count("\n") == 1
    assert message in done.stderr


def test_an_option_that_no_layer_has_is_one_line_and_status_2(run: Nas, tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("{name: toy, version: 1, accepts: image, layers: [conv: {featurs: 8}, head]}")
    done = run("spaces", "check", tmp_path / "bad.yaml")
    assert done.exit_code == 2
    assert "bad.yaml:1: layers[0].conv.featurs: conv has no option 'featurs'. Did you mean 'features'?" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("accepts", ["image", "sequence", "tokens", "waveform", "features"])
def test_a_new_space_passes_check_at_once(run: Nas, tmp_path: Path, accepts: str) -> None:
    done = run("spaces", "new", "my_own_space", "--accepts", accepts, "--to", tmp_path)
    folder = tmp_path / "my_own_space"
    assert done.output.startswith(f"Wrote {folder}. Next:\n  nas spaces check my_own_space --space-path {folder}\n")
    checked = run("spaces", "check", "my_own_space", "--space-path", folder, "--samples", "2")
    assert checked.exit_code == 0, checked.output


def test_a_new_space_brings_a_test_that_passes(run: Nas, tmp_path: Path) -> None:
    run("spaces", "new", "my_own_space", "--to", tmp_path)
    words = [sys.executable, "-m", "pytest", "-q", "-p", "no:benchmark", "-p", "no:randomly", "--rootdir", ".", "tests"]
    environment = {**__import__("os").environ, "PYTHONPATH": "."}
    done = subprocess.run(words, cwd=tmp_path / "my_own_space", env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert f"{len(RULES)} passed, 1 skipped" in done.stdout


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("My-Space", "A space's name is lower-case letters, digits and _, at most 40, and no word of Python's, got 'My-Space'."),
        ("class", "A space's name is lower-case letters, digits and _, at most 40, and no word of Python's, got 'class'."),
        ("../evil", "A space's name is lower-case letters, digits and _, at most 40, and no word of Python's, got '../evil'."),
        ("json", "A Python module is called 'json' already; choose another name."),
        ("torch", "A Python module is called 'torch' already; choose another name."),
        ("residual_cnn", "The name 'residual_cnn' is taken by the search space 'residual_cnn' of nas-harness (search_spaces.res"),
        ("there", "{folder}/there is there already; choose another name, or write elsewhere with --to."),
    ],
)
def test_a_new_space_overwrites_nothing_and_takes_no_name(run: Nas, tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / "there").mkdir()
    done = run("spaces", "new", name, "--to", tmp_path)
    assert done.exit_code == 2
    assert done.stderr.startswith(f"nas: {message.format(folder=tmp_path)}")
    assert done.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == [tmp_path / "there"]


def test_a_new_space_that_cannot_be_written_is_one_line(run: Nas, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = run("spaces", "new", "my_own_space", "--to", tmp_path / "file")
    assert (done.exit_code, done.stderr) == (2, f"nas: {tmp_path}/file/my_own_space cannot be written: Not a directory.\n")


@pytest.fixture(scope="module")
def schema() -> jsonschema.Draft202012Validator:
    data = json.loads(CliRunner().invoke(main, ["spaces", "schema"]).output)
    jsonschema.Draft202012Validator.check_schema(data)
    return jsonschema.Draft202012Validator(data)


def plain(text: str) -> object:
    return YAML(typ="safe", pure=True).load(text)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.parent.name)
def test_every_space_is_as_the_schema_says(schema: jsonschema.Draft202012Validator, file: Path) -> None:
    schema.validate(plain(file.read_text(encoding="utf-8")))
    schema.validate(plain(space_to_yaml(resolve_space(file))))


def test_everything_a_declaration_can_say_is_in_the_schema(schema: jsonschema.Draft202012Validator) -> None:
    schema.validate(plain(TOY))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("name: toy", "name: Toy"),
        ("version: 1", "version: 0"),
        ("version: 1\n", ""),
        ("accepts: image", "accepts: picture"),
        ("features: $width}\n    name", "featurs: $width}\n    name"),
        ("  - conv: {features: 8}\n", "  - conv\n"),
        ("  - conv: {features: 8}\n", "  - konv: {features: 8}\n"),
        ("  - conv: {features: 8}\n", "  - conv: {features: 0}\n"),
        ("  - conv: {features: 8}\n", "  - conv: {features: [8, x]}\n"),
        ("  - conv: {features: 8}\n", "  - conv: {features: {int: [8]}}\n"),
        ("  - conv: {features: 8}\n", "  - conv: {features: {real: [8, 9]}}\n"),
        ("  - conv: {features: 8}\n", "  - {conv: {features: 8}, head: {}}\n"),
        ("  - conv: {features: 8}\n", "  - name: only\n"),
        ("times: {int: [1, 3]}", "times: -1"),
        ("times: {int: [1, 3]}", "tiems: 2"),
        ("merge: [add, concatenate]", "merge: subtract"),
        ("nodes: 3", "nodes: 1"),
        ("      skip: [conv: {features: 8, kernel: 1}]\n", ""),
        ("width: [8, 16]", "width: []"),
        ("width: [8, 16]", "Width: [8, 16]"),
        ("params <= 50e3", "params is small"),
        ("summary:", "sumary:"),
    ],
)
def test_what_is_broken_is_not_as_the_schema_says(schema: jsonschema.Draft202012Validator, old: str, new: str) -> None:
    assert old in TOY
    with pytest.raises(jsonschema.ValidationError):
        schema.validate(plain(TOY.replace(old, new, 1)))


def test_the_schema_documents_every_layer_and_option(schema: jsonschema.Draft202012Validator) -> None:
    definitions = schema.schema["$defs"]
    for name in registry.owners(registry.LAYERS):
        assert definitions[f"layer_{name}"]["description"]
        assert set(definitions[f"layer_{name}"]["properties"]) == set(layer_kind(name).model_fields)
    assert definitions["layer_conv"]["properties"]["kernel"]["description"]


def test_layers_are_listed_with_what_they_take(run: Nas) -> None:
    rows = {row["name"]: row for row in json.loads(run("layers", "--json").output)}
    assert set(rows) == set(registry.owners(registry.LAYERS))
    assert rows["squeeze_excite"]["accepts"] == "image"
    assert "\nsqueeze_excite " in run("layers").output


def test_a_layer_is_told_with_its_options(run: Nas) -> None:
    layer = json.loads(run("layers", "squeeze_excite", "--json").output)
    assert layer["package"] == "nas-harness (nas.models.layers.pooling:SqueezeExcite)"
    assert layer["options"] == [
        {
            "option": "ratio",
            "type": "number above 0..1",
            "default": "0.25",
            "documentation": "Width of the squeeze as a share of the channels, rounded to a multiple of 8 as timm does.",
        }
    ]
    text = run("layers", "conv").output
    assert text.startswith("conv  takes image, from nas-harness (")
    assert "\nfeatures " in text
    assert "integer 1..65536" in text
    assert "needed" in text


def test_an_unknown_layer_is_one_line(run: Nas) -> None:
    done = run("layers", "conf")
    assert done.exit_code == 2
    assert done.stderr.startswith("nas: No layer is called 'conf'. Did you mean 'conv'?")


@pytest.mark.parametrize(
    "words", [["spaces", "--help"], ["spaces"], ["spaces", "show", "residual_cnn"], ["spaces", "check", "--help"]]
)
def test_what_reads_declarations_only_loads_no_torch_and_no_optuna(words: list[str]) -> None:
    program = (
        "import sys\nfrom nas.cli import main\n"
        f"try:\n    main({words!r})\nexcept SystemExit:\n    pass\n"
        "print(sorted({'torch', 'timm', 'optuna', 'pandas', 'pydantic'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_a_space_of_ten_thousand_layers_is_shown_and_its_size_told(run: Nas, tmp_path: Path) -> None:
    layers = "{repeat: a, times: 99, layers: [{repeat: b, times: 101, layers: [conv: {features: [8, 16]}]}]}"
    (tmp_path / "deep.yaml").write_text(f"{{name: deep, version: 1, accepts: image, layers: [{layers}, head]}}")
    for words in (
        ["show", tmp_path / "deep.yaml", "--json"],
        ["show", tmp_path / "deep.yaml"],
        ["--space-path", tmp_path, "--json"],
    ):
        done = run("spaces", *words)
        assert done.exit_code == 0
        assert "1.0e3010" in done.output  # 2^9999


def test_a_new_space_is_installed_from_its_folder_and_not_by_its_name(
    run: Nas, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run("spaces", "new", "my_own_space").output.endswith("\n  pip install ./my_own_space\n")
    assert run("spaces", "new", "my_own_space", "--to", "new ones").output.endswith("\n  pip install 'new ones/my_own_space'\n")
