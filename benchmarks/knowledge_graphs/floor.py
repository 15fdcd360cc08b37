"""The floor: ranks of entities by how often they answer, whatever was asked; `python -m benchmarks.knowledge_graphs.floor`.

Axes: N queries, E entities, R relations both ways.
"""

import sys
from pathlib import Path

import torch
from torch import Tensor, nn

from benchmarks.knowledge_graphs.task import load_kinships, load_nations, load_umls
from nas.protocols.triples import SPLITS, LinkPrediction
from nas.training import Split, measure


class Popularity(nn.Module):
    """Scores each entity by how often it answers the query's relation in training, and of equals by its degree."""

    def __init__(self, task: LinkPrediction) -> None:
        super().__init__()
        training, shape = task.examples("train"), task.shape
        counts_RE = torch.zeros(2 * shape.relations, shape.entities)
        counts_RE.index_put_((training.inputs[:, 1], training.targets), torch.ones(()), accumulate=True)
        degrees_E = counts_RE.sum(0)
        self.scores = nn.Parameter(counts_RE + degrees_E / (degrees_E.sum() + 1), requires_grad=False)

    def forward(self, queries_N2: Tensor) -> Tensor:
        """(N, 2) → (N, E)."""
        return self.scores[queries_N2[:, 1]]


def floor(task: LinkPrediction, split: Split = "test") -> dict[str, float]:
    """Filtered, realistic figures of popularity."""
    return measure(Popularity(task), task.filtered(split), task.examples(split), split)


def main(data: Path | None) -> None:
    """Print the figures of each graph; those of the test go to the README."""
    for name, load in (("nations", load_nations), ("kinships", load_kinships), ("umls", load_umls)):
        task = load(data)
        for split in SPLITS[1:]:
            print(name, {figure: round(value, 4) for figure, value in floor(task, split).items()})  # noqa: T201


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else None)
