"""The floor: ranks of meanings by how often they answer a relation; `python -m benchmarks.wordnet.floor`."""

import sys
from pathlib import Path

from benchmarks.knowledge_graphs.floor import floor
from benchmarks.wordnet.task import load
from nas.protocols.triples import SPLITS


def main(data: Path | None) -> None:
    """Print the figures of validation and test; those of the test go to the README."""
    task = load(data)
    for split in SPLITS[1:]:
        print({figure: round(value, 4) for figure, value in floor(task, split).items()})  # noqa: T201


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else None)
