"""Triples of a knowledge graph: files of head, relation and tail, with tabs between, and what the most frequent answers reach.

Axes: N queries, E entities, R relations both ways.
"""

from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from nas.datasets.listing import CALLED, Found, Listing, Part
from nas.errors import BenchmarkError, quote

if TYPE_CHECKING:
    from nas.protocols.triples import LinkPrediction, Triple

GRAPHS = frozenset({".tsv", ".txt"})

_TITLES = {"head", "subject", "source", "h", "s", "from"}
"""What the first column is called where a file begins with names of columns, in small letters."""


def graphs_of(listing: Listing) -> list[Found]:
    """The files of triples: one, or one a split.

    Raises:
        BenchmarkError: there are none, or several that are no splits.
    """
    every = [file for file in listing.of(GRAPHS) if "/" not in file]
    names = [file for file in every if is_graph(listing.folder / file)]
    if not names and len(every) == 1:
        names = every  # which line of it is no triple is told when it is read
    if len(names) == 1:
        return [Found(names[0], None)]
    parts = {name: part for name in names if (part := CALLED.get(Path(name).stem.lower()))}
    if sorted(parts.values()) != ["test", "train", "validation"]:
        told = ", ".join(map(quote, names[:5])) or "none"
        raise BenchmarkError(
            f"Triples are one file of head, relation and tail with tabs between, or train, validation and test of them; "
            f"{quote(listing.folder.name)} has {told}. Name the file itself."
        )
    return [Found(name, part) for name, part in parts.items()]


def is_graph(path: Path) -> bool:
    """Whether the first lines of a file are three names each, with tabs between, and no texts; one of ten may be broken."""
    try:
        with path.open(encoding="utf-8") as file:
            lines = [line.rstrip("\n").split("\t") for line in islice(file, 50) if line.strip()]
    except (OSError, UnicodeDecodeError):
        return False
    triples = [line for line in lines if len(line) == 3]
    words = sum(cell.count(" ") for line in triples for cell in line)
    return bool(lines) and len(triples) >= 0.9 * len(lines) and words <= 2 * len(lines)


def read_graph(folder: Path, files: Sequence[Found]) -> "LinkPrediction":
    """The task of the triples in these files.

    Raises:
        BenchmarkError: a line is no triple, or the splits do not go together.
    """
    return graph_of(read_lists(folder, files))


def graph_of(lists: "Mapping[Part | None, list[Triple]]") -> "LinkPrediction":
    """The task of all triples, in the splits they have, or drawn with a fixed seed.

    Raises:
        BenchmarkError: the splits do not go together.
    """
    from nas.protocols.triples import link_prediction, split_triples

    if None in lists:
        return link_prediction(*split_triples(lists[None]))
    return link_prediction(lists["train"], lists["validation"], lists["test"])


def read_lists(folder: Path, files: Sequence[Found]) -> "dict[Part | None, list[Triple]]":
    """What stands in each, without a line of titles.

    Raises:
        BenchmarkError: a line is no triple.
    """
    from nas.protocols.triples import read_triples

    lists = {}
    for one in files:
        triples = read_triples(folder / one.path)
        titled = bool(triples) and triples[0][0].lower() in _TITLES
        lists[one.part] = triples[1:] if titled else triples
    return lists


def popularity(task: "LinkPrediction") -> dict[str, float]:
    """Filtered figures, on validation and test, of ranking entities by how often they answer a relation in training."""
    import torch

    from nas.training import Split, measure

    class Popularity(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            training, shape = task.examples("train"), task.shape
            counts_RE = torch.zeros(2 * shape.relations, shape.entities)
            counts_RE.index_put_((training.inputs[:, 1], training.targets), torch.ones(()), accumulate=True)
            degrees_E = counts_RE.sum(0)  # which part those that answer equally often
            self.scores = torch.nn.Parameter(counts_RE + degrees_E / (degrees_E.sum() + 1), requires_grad=False)

        def forward(self, queries_N2: torch.Tensor) -> torch.Tensor:
            return self.scores[queries_N2[:, 1]]

    splits: tuple[Split, ...] = ("validation", "test")
    found: dict[str, float] = {}
    for split in splits:
        found |= measure(Popularity(), task.filtered(split), task.examples(split), split)
    return {name: round(value, 4) for name, value in found.items()}
