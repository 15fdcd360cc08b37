"""A package with one search space, to begin with: it passes `nas spaces check` as it is, and pip installs it."""

import keyword
import sys
from importlib.util import find_spec
from pathlib import Path

from nas import registry
from nas.errors import SpaceError, printable, quote
from nas.space.tree import NAME

_SEQUENCE = """\
  - repeat: block
    times: {int: [1, 2]}
    layers:
      - one_of: kind
        options:
          conv1d: {features: $width, kernel: [3, 5]}
          gru: {features: $width, bidirectional: [false, true]}
  - head: {pool: [average, max]}
"""
"""The layers of a space of sequences; of tokens, an embedding stands before them."""

_LAYERS = {
    "image": """\
  - conv: {features: $width, kernel: [3, 5]}
  - repeat: block
    times: {int: [1, 3]}
    layers:
      - one_of: kind
        options:
          residual: {features: $width}
          inverted_residual: {features: $width, expansion: [2, 4]}
  - head: {pool: [average, max]}
""",
    "sequence": _SEQUENCE,
    "tokens": "  - embedding: {features: $width}\n" + _SEQUENCE,
    "query": """\
  - softmax_loss: {rate: [0.5, 1, 2]}
  - one_of: interaction
    options:
      distmult: {features: $width}
      complex: {features: $width, norm: [none, batch]}
""",
    "waveform": """\
  - conv1d: {features: $width, kernel: [9, 25], stride: [4, 8]}
  - repeat: block
    times: {int: [1, 3]}
    layers:
      - residual_conv1d: {features: $width, kernel: [3, 5], stride: [1, 2]}
  - head: {pool: [average, max]}
""",
    "features": """\
  - repeat: layer
    times: {int: [1, 3]}
    layers:
      - linear: {features: $width, activation: [relu, gelu]}
      - dropout: {rate: [0, 0.2]}
  - head
""",
}

_FILES = {
    "pyproject.toml": """\
[build-system]
requires = ["hatchling>=1.27"]
build-backend = "hatchling.build"

[project]
name = "{package}"
version = "0.1.0"
description = "The search space {name} for nas-harness."
readme = "{name}/README.md"
requires-python = ">=3.11"
dependencies = ["nas-harness"]

[project.entry-points."nas.search_spaces"]
{name} = "{name}:SPACE"

[tool.hatch.build.targets.wheel]
packages = ["{name}"]
""",
    "{name}/__init__.py": '''\
"""The search space {name}."""

from pathlib import Path

from nas.space import read_space

SPACE = read_space(Path(__file__).with_name("space.yaml"))
''',
    "{name}/space.yaml": """\
name: {name}
version: 1
accepts: {accepts}
summary: A first space to change
choices:
  width: [16, 32]
layers:
{layers}limits: ["params <= 1e6"]
""",
    "{name}/README.md": """\
# {name}

What the networks of this space are, in a few sentences.

- **Idea**: who had it: authors, title, year, arXiv number.
- **Size**: `nas spaces show {name}` counts it.
- **Accepts**: {accepts}
- **Known results**: what is known of it, and where from.

Raise `version` in space.yaml when a change alters what an answer means.
""",
    "tests/test_{name}.py": """\
import pytest

from {name} import SPACE
from nas.testing import SpaceContract


class Test{title}(SpaceContract):
    @pytest.fixture
    def space(self):
        return SPACE
""",
}


def write_space(name: str, accepts: str, to: Path) -> Path:
    """Write the folder `name` under `to`, with a space of networks that are fed `accepts`; returns it.

    Raises:
        SpaceError: the name cannot be a space's and a Python package's, is taken, or the folder is there already.
    """
    if not NAME.fullmatch(name) or keyword.iskeyword(name):
        raise SpaceError(
            f"A space's name is lower-case letters, digits and _, at most 40, and no word of Python's, got {quote(name)}."
        )
    if name in registry.owners(registry.SEARCH_SPACES):
        raise SpaceError(f"The name {name!r} is taken by the {registry.title(registry.SEARCH_SPACES, name)}; choose another.")
    if name in sys.stdlib_module_names or find_spec(name) is not None:
        raise SpaceError(f"A Python module is called {name!r} already; choose another name.")
    folder = to / name
    if folder.exists() or folder.is_symlink():
        raise SpaceError(f"{printable(folder)} is there already; choose another name, or write elsewhere with --to.")
    values = {
        "name": name,
        "package": f"{name.replace('_', '-')}-space",
        "title": "".join(part.capitalize() for part in name.split("_")),
        "accepts": accepts,
        "layers": _LAYERS[accepts],
    }
    try:
        for path, text in _FILES.items():
            file = folder / path.format(**values)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text.format(**values), encoding="utf-8")
    except OSError as error:
        raise SpaceError(f"{printable(folder)} cannot be written: {error.strerror or type(error).__name__}.") from error
    return folder
