"""Tables small enough to see through, as files; and the public ones where they are at hand."""

import itertools
import os
from pathlib import Path

import pytest

BESIDE = Path(__file__).resolve().parents[2].parent / "shared" / "data"

CONDITIONAL = """
summary: Four small networks
source: made up
licence: CC0-1.0
objective: {figure: validation_loss@4, direction: minimize}
space:
  name: little
  version: 2
  accepts: sequence
  layers:
    - repeat: block
      times: {int: [0, 2]}
      layers:
        - one_of: kind
          options:
            gru: {units: [8, 16]}
            skip: []
    - head
"""


def public(name: str) -> Path:
    """The public table in the file `name`; skips where there is none."""
    folder = Path(os.environ.get("NAS_DATA") or BESIDE)
    for place in (folder / "tables" / name, folder / name):
        if place.is_file():
            return place
    pytest.skip(f"{name} is not in {folder}; name a folder that holds it by NAS_DATA")


def write(path: Path, *lines: str, sidecar: str = "") -> Path:
    """A table of these lines, and what stands beside it."""
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    if sidecar:
        path.with_suffix(".yaml").write_text(sidecar, encoding="utf-8")
    return path


def noisy(path: Path) -> Path:
    """27 architectures of three choices: three trainings of 1, 2 and 4 epochs, sizes, a latency, a score and seconds.

    The accuracy after 4 epochs is 0.1 a step of each choice, weighed 1, 2 and 3, and 0.01 a training; after 1 epoch a quarter.
    """
    runs = [f"accuracy@{epochs}#{run}" for epochs in (1, 2, 4) for run in range(3)]
    head = ["choice:a", "choice:b", "choice:c", *runs, "test_f1@4", "train_seconds@1", "train_seconds@4", "params"]
    lines = [",".join([*head, "latency_ms:raspi4", "proxy:naswot"])]
    for a, b, c in itertools.product("xyz", (1, 2, 3), (0.5, 1.0, 1.5)):
        height = 0.1 * ("xyz".index(a) + 2 * (b - 1) + 6 * (c - 0.5))
        curve = [height * epochs / 4 + 0.01 * run for epochs in (1, 2, 4) for run in range(3)]
        size = 1000 * b
        score = "-inf" if (a, b, c) == ("x", 1, 0.5) else f"{100 * height}"
        lines.append(",".join(map(str, [a, b, c, *curve, height - 0.05, 2.5, 10, size, 1.5 * b + c, score])))
    return write(path, *lines)
