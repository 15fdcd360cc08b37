"""The floor: main components of pictures, mixed by noise; `python -m benchmarks.digits_generation.floor [DATA]`."""

import sys
from pathlib import Path

from benchmarks.digits_generation.task import load
from benchmarks.generation import linear_figures

if __name__ == "__main__":
    for name, value in linear_figures(load(Path(sys.argv[1]) if len(sys.argv) > 1 else None)).items():
        print(f"{name} {value:.3f}")  # noqa: T201 - it is a script
