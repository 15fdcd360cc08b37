"""A knowledge graph as a task: triples of head, relation and tail, as queries both ways, and which answers are known.

    triples → link_prediction(train, validation, test) → a benchmark's task, and its signature

Axes: N queries, K answers of each, E entities, M known triples.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from nas.benchmark import Features, Query, Signature
from nas.errors import BenchmarkError, quote
from nas.protocols.ranks import Ranks
from nas.training import Answered, Examples, Meter, Split, stratified_order

Triple = tuple[str, str, str]
"""Head, relation and tail, by name."""

SPLITS: tuple[Split, ...] = ("train", "validation", "test")


@dataclass(frozen=True, eq=False)
class Known:
    """Triples that are known, to be looked up by their queries."""

    keys_M: Tensor
    """A number for each, sorted: (entity × relations both ways + relation) × entities + answer."""
    shape: Query

    @classmethod
    def of(cls, shape: Query, examples: Iterable[Examples]) -> "Known":
        """All triples of `examples`."""
        return cls(torch.unique(torch.cat([_keys(shape, one.inputs, one.targets) for one in examples])), shape)

    def to(self, device: torch.device) -> "Known":
        """The same on `device`."""
        return self if self.keys_M.device == device else replace(self, keys_M=self.keys_M.to(device))

    def answers(self, queries_N2: Tensor) -> Tensor:
        """Which entities are known to answer each query: (N, E), true or false."""
        begin_N = _keys(self.shape, queries_N2, torch.zeros_like(queries_N2[:, 0]))
        first_N, end_N = (torch.searchsorted(self.keys_M, begin_N + more) for more in (0, self.shape.entities))
        counts_N = end_N - first_N
        rows = torch.repeat_interleave(counts_N)
        places = first_N[rows] + torch.arange(len(rows), device=rows.device) - (counts_N.cumsum(0) - counts_N)[rows]
        found_NE = torch.zeros(len(queries_N2), self.shape.entities, dtype=torch.bool, device=queries_N2.device)
        found_NE[rows, self.keys_M[places] % self.shape.entities] = True
        return found_NE

    def holds(self, queries_N2: Tensor, answers_NK: Tensor) -> Tensor:
        """Which of some answers to each query are known: (N, K), true or false."""
        keys_NK = _keys(self.shape, queries_N2[:, None], answers_NK)
        places_NK = torch.searchsorted(self.keys_M, keys_NK).clamp(max=len(self.keys_M) - 1)
        return self.keys_M[places_NK] == keys_NK


def _keys(shape: Query, queries: Tensor, answers: Tensor) -> Tensor:
    return (queries[..., 0] * (2 * shape.relations) + queries[..., 1]) * shape.entities + answers


@dataclass(frozen=True)
class LinkPrediction:
    """Which entity is at the other end of a link: for each triple two queries, from either end, and their answers."""

    entities: tuple[str, ...]
    """Their names, by id."""
    relations: tuple[str, ...]
    """Their names, by id, without the inverses; the inverse of relation r is r + their number."""
    _examples: Mapping[Split, Examples] = field(repr=False)
    _known: dict[tuple[Split, torch.device], Known] = field(default_factory=dict, init=False, repr=False)

    @property
    def shape(self) -> Query:
        """What a network is asked."""
        return Query(len(self.entities), len(self.relations))

    @property
    def signature(self) -> Signature:
        """What a network is fed, and what it gives: a score for each entity."""
        return Signature(self.shape, Features(len(self.entities)))

    def examples(self, split: Split) -> Examples:
        """Queries (N, 2) and answers (N,), the two of a triple one after the other."""
        return self._examples[split]

    def known(self, split: Split, device: torch.device) -> Known:
        """What is taken for known where `split` is asked for: its triples, and those of the splits before it."""
        if (split, device) not in self._known:
            splits = SPLITS[: SPLITS.index(split) + 1]
            self._known[split, device] = Known.of(self.shape, map(self.examples, splits)).to(device)
        return self._known[split, device]

    def filtered(self, split: Split) -> Callable[[Answered], dict[str, float]]:
        """What makes figures of a network's scores for the queries of `split`: other known answers do not compete."""

        def gather(answered: Answered) -> dict[str, float]:
            ranks = Ranks()
            for queries_N2, scores_NE, answers_N in answered:
                others_NE = self.known(split, queries_N2.device).answers(queries_N2)
                others_NE = others_NE.scatter(1, answers_N[:, None], value=False)
                ranks.update(scores_NE.masked_fill(others_NE, -math.inf), answers_N)
            return ranks.compute()

        return gather

    def measured(self) -> tuple[str, ...]:
        """The names of its figures."""
        return Ranks.gives

    def loss(self, outputs: Tensor, targets: Tensor, smoothing: float) -> Tensor:
        """Cross-entropy of scores (N, E) and answers (N,), where a candidate says nothing else."""
        return functional.cross_entropy(outputs, targets, label_smoothing=smoothing)

    def meter(self, device: torch.device) -> Meter:  # noqa: ARG002 - it is where the outputs are
        """Of scores (N, E), those of other known answers being −inf, and answers (N,)."""
        return Ranks()


def link_prediction(train: Sequence[Triple], validation: Sequence[Triple], test: Sequence[Triple]) -> LinkPrediction:
    """The task of three lists of triples; entities and relations are numbered in the order of their names.

    A triple that stands in a list twice counts once. The training triples are in a fixed mixed order of which every beginning
    has relations in nearly their overall shares.

    Raises:
        BenchmarkError: a list is empty, a triple stands in two of them, or training lacks an entity or a relation.
    """
    lists: dict[Split, list[Triple]] = {
        split: list(dict.fromkeys(map(tuple, triples)))  # type: ignore[arg-type]
        for split, triples in zip(SPLITS, (train, validation, test), strict=True)
    }
    _check(lists)
    entities = sorted({name for head, _, tail in lists["train"] for name in (head, tail)})
    relations = sorted({relation for _, relation, _ in lists["train"]})
    entity, relation = ({name: n for n, name in enumerate(names)} for names in (entities, relations))

    def examples(triples: list[Triple], *, mixed: bool) -> Examples:
        ids_N3 = np.array([(entity[head], relation[by], entity[tail]) for head, by, tail in triples], dtype=np.int64)
        if mixed:
            ids_N3 = ids_N3[stratified_order(ids_N3[:, 1])]
        head_N, by_N, tail_N = torch.from_numpy(ids_N3).unbind(1)
        forth, back = torch.stack([head_N, by_N], 1), torch.stack([tail_N, by_N + len(relations)], 1)
        return Examples(torch.stack([forth, back], 1).flatten(0, 1), torch.stack([tail_N, head_N], 1).flatten())

    made = {split: examples(triples, mixed=split == "train") for split, triples in lists.items()}
    return LinkPrediction(tuple(entities), tuple(relations), made)


def _check(lists: Mapping[Split, list[Triple]]) -> None:
    seen: dict[Triple, Split] = {}
    train = lists["train"]
    known = {name for head, _, tail in train for name in (head, tail)}, {relation for _, relation, _ in train}
    for split, triples in lists.items():
        if not triples:
            raise BenchmarkError(f"A knowledge graph needs triples in each split, {split} has none.")
        for triple in triples:
            if triple in seen:
                raise BenchmarkError(
                    f"No triple stands in two splits, {quote(' '.join(triple))} is in {seen[triple]} and {split}."
                )
            head, relation, tail = triple
            for what, name, names in (("entity", head, known[0]), ("relation", relation, known[1]), ("entity", tail, known[0])):
                if name not in names:
                    raise BenchmarkError(
                        f"Every {what} must be in a training triple, {quote(name)} is in {split} alone; leave that triple out, "
                        "or split the triples by nas.protocols.triples.split_triples."
                    )
        seen |= dict.fromkeys(triples, split)


def split_triples(
    triples: Iterable[Triple], *, validation: float = 0.1, test: float = 0.1, seed: int = 0
) -> tuple[list[Triple], list[Triple], list[Triple]]:
    """Training, validation and test triples, so that every entity and relation is in training, as far as the shares allow.

    Triples that join the same two entities, in either direction and by whatever relation, go into the same split: so no inverse
    of a triple of the test has been trained on. The order is fixed by `seed` and the names, equal on every machine.

    Raises:
        BenchmarkError: shares are not above 0, or leave nothing to train on; or there are too few triples.
    """
    if not (validation > 0 and test > 0 and validation + test < 1):
        raise BenchmarkError(f"Shares are above 0 and below 1 together, got {quote(validation)} and {quote(test)}.")
    pairs: dict[tuple[str, ...], list[Triple]] = {}
    for triple in sorted(set(triples)):
        pairs.setdefault(tuple(sorted({triple[0], triple[2]})), []).append(triple)
    whole = sum(map(len, pairs.values()))
    groups = list(pairs.values())
    left: dict[tuple[int, str], int] = {}
    for group in groups:
        for name in _names(group):
            left[name] = left.get(name, 0) + 1
    splits: list[list[Triple]] = [[], [], []]
    wanted = (whole, round(validation * whole), round(test * whole))
    for number in np.random.RandomState(seed).permutation(len(groups)):
        group = groups[number]
        held = next((n for n in (2, 1) if len(splits[n]) + len(group) <= wanted[n]), 0)
        if held and all(left[name] > 1 for name in _names(group)):
            for name in _names(group):
                left[name] -= 1
        else:
            held = 0
        splits[held] += group
    if not all(splits):
        raise BenchmarkError(f"{whole:,} triples are too few for a split in which every entity is in training; give more.")
    return splits[0], splits[1], splits[2]


def _names(group: Iterable[Triple]) -> set[tuple[int, str]]:
    """Entities and relations of some triples, told apart."""
    return {name for head, relation, tail in group for name in ((0, head), (1, relation), (0, tail))}


def read_triples(path: Path, *, columns: tuple[int, int, int] = (0, 1, 2)) -> list[Triple]:
    """The triples of a text file: a line each, with a tab between head, relation and tail.

    Raises:
        BenchmarkError: the file cannot be read as UTF-8, or a line has too few columns; names it.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise BenchmarkError(f"{path.name} cannot be read as text: {error}.") from error
    triples: list[Triple] = []
    for number, line in enumerate(lines, start=1):
        cells = line.split("\t")
        if line.strip() and len(cells) <= max(columns):
            raise BenchmarkError(
                f"{path.name}, line {number}: head, relation and tail with tabs between are wanted, got {quote(line)}."
            )
        if line.strip():
            head, relation, tail = (cells[column].strip() for column in columns)
            triples.append((head, relation, tail))
    return triples
