"""A benchmark's files → arrays by split, each file checked against the digest that it was made with.

Axes: N examples.
"""

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from nas.datasets import keeping, pairs, tables, texts
from nas.datasets.declaration import (
    VOCABULARY,
    Captions,
    FolderBenchmark,
    Links,
    Pictures,
    Rows,
    Sounds,
    TextPairs,
    Texts,
    Worded,
    read_files,
)
from nas.datasets.graphs import read_graph
from nas.datasets.grids import Grid, read_grid
from nas.datasets.listing import PICTURES, SOUNDS, TABLES, Found, Part, digest_file, list_files
from nas.datasets.pictures import read_picture, standardise
from nas.datasets.sounds import read_sound
from nas.datasets.splits import split
from nas.datasets.unreadable import Unreadable
from nas.errors import BenchmarkError, DataMissing, printable, quote

if TYPE_CHECKING:
    from nas.protocols.triples import LinkPrediction

Inputs = NDArray[np.float32] | NDArray[np.int64]
Targets = NDArray[np.float32] | NDArray[np.int64]

_SUFFIXES = {"images": PICTURES, "audio": SOUNDS}


@dataclass(frozen=True)
class Rowed:
    """Rows of all files of a table, one after the other, and the split of each."""

    grid: Grid
    rows: tuple[int, ...]
    """Those that are taken, by position."""
    labels: tuple[str, ...]
    """Of each that is taken, what is wanted of it."""
    parts: tuple[Part, ...]

    def of(self, part: Part) -> tuple[list[int], list[str]]:
        """Rows and labels of a split."""
        chosen = [n for n, one in enumerate(self.parts) if one == part]
        return [self.rows[n] for n in chosen], [self.labels[n] for n in chosen]


def read_rows(folder: Path, files: Sequence[Found]) -> tuple[Grid, list[Part | None]]:
    """The rows of all files as one table, and the split that each was found in.

    Raises:
        BenchmarkError: a file cannot be read, or has other columns than the first.
    """
    grids = [read_grid(folder / one.path) for one in files]
    first = grids[0]
    for grid in grids[1:]:
        if set(grid.names) != set(first.names):
            odd = sorted(set(grid.names) ^ set(first.names))
            raise BenchmarkError(f"{grid.file} and {first.file} have different columns: {quote(odd[0])} stands in one alone.")
    rows: list[tuple[str, ...]] = []
    lines: list[int] = []
    parts: list[Part | None] = []
    for grid, one in zip(grids, files, strict=True):
        order = [grid.names.index(name) for name in first.names]
        rows += [tuple(row[n] for n in order) for row in grid.rows]
        lines += grid.lines
        parts += [one.part] * len(grid.rows)
    name = first.file if len(grids) == 1 else f"{folder.name}"
    return Grid(first.names, tuple(rows), tuple(lines), name), parts


def arrange(
    grid: Grid,
    given: Sequence[Part | None],
    target: str,
    taken: Sequence[int],
    *,
    same_by: Sequence[str],
    classes: bool = True,
) -> Rowed:
    """The rows called `taken`, each with its split; those that are equal in the columns `same_by` stay together.

    Raises:
        BenchmarkError: a class is too small for the splits.
    """
    labels = [grid.column(target)[n] for n in taken]
    places = [grid.names.index(name) for name in same_by]
    prints = ["\0".join(grid.rows[n][place] for place in places) for n in taken]
    parts = split([given[n] for n in taken], labels, prints, classes=classes)
    return Rowed(grid, tuple(taken), tuple(labels), tuple(parts))


def pairs_taken(grid: Grid, prepare: TextPairs) -> list[int]:
    """The rows whose two texts are there, and no longer than they may be."""
    both = zip(grid.column(prepare.source), grid.column(prepare.target), strict=True)
    lengths = [tuple(len(pairs.plain(text)) for text in pair) for pair in both]
    return [n for n, (given, said) in enumerate(lengths) if 0 < given <= prepare.place and 0 < said <= prepare.said]


def pairs_rowed(grid: Grid, given: Sequence[Part | None], prepare: TextPairs, taken: Sequence[int]) -> Rowed:
    """The rows called `taken`, each with its split; those with one source stay together."""
    return arrange(grid, given, prepare.target, taken, same_by=[prepare.source], classes=False)


def captions_rowed(grid: Grid, given: Sequence[Part | None], prepare: Captions, digests: Mapping[str, str]) -> Rowed:
    """The rows with a caption and a picture that has a digest; the label of each is the number of its group.

    Pictures of one content, and captions of the same words, belong together, and so does what belongs to one of them.
    """
    pictured = pairs.Pictured(digests)
    paths, captions = [pictured.path(cell) for cell in grid.column(prepare.picture)], grid.column(prepare.text)
    taken = [n for n, path in enumerate(paths) if path is not None and texts.words_of(captions[n])]
    marks = [(digests[paths[n] or ""], " ".join(texts.words_of(captions[n]))) for n in taken]
    labels = [str(group) for group in pairs.groups(marks)]
    parts = split([given[n] for n in taken], labels, labels, classes=False)
    return Rowed(grid, tuple(taken), tuple(labels), tuple(parts))


def texts_taken(grid: Grid, text: str, label: str) -> tuple[list[int], list[int]]:
    """The rows with words and a label, and those without."""
    cells, labels = grid.column(text), grid.column(label)
    good = [n for n, cell in enumerate(cells) if texts.words_of(cell) and labels[n]]
    return good, sorted(set(range(len(cells))) - set(good))


@dataclass(frozen=True)
class Source:
    """The data of a benchmark, in the folder that they lie in."""

    benchmark: FolderBenchmark
    folder: Path

    @cached_property
    def _listed(self) -> tuple[list[tuple[Found, str]], set[str]]:
        return read_files(self.benchmark)

    @property
    def files(self) -> list[tuple[Found, str]]:
        """With the digest of each."""
        return self._listed[0]

    def graph(self) -> "LinkPrediction":
        """The task of triples, which has all splits at once, since what is known of one filters another's ranks.

        Raises:
            BenchmarkError: a file changed, or cannot be read.
        """
        for one, digest in self.files:
            self._check_file(self.folder / one.path, one, digest)
        return read_graph(self.folder, [one for one, _ in self.files])

    def check(self) -> None:
        """See that no file is missing, and none has come.

        Raises:
            DataMissing: the folder is not there.
            BenchmarkError: the files are others.
        """
        if not self.folder.is_dir():
            raise DataMissing(
                f"The data of {self.benchmark.name} are not in {quote(str(self.folder))}; name their folder by --data, or "
                f"correct `folder` in {printable(self.benchmark.home / 'benchmark.yaml')}."
            )
        kept = {one.path for one, _ in self.files}
        suffixes = _SUFFIXES.get(self.benchmark.declaration.prepare.kind)
        here = set(list_files(self.folder).of(suffixes)) if suffixes else {one for one in kept if (self.folder / one).is_file()}
        if missing := sorted(kept - here):
            if len(missing) == len(kept):
                raise DataMissing(
                    f"None of the files of {self.benchmark.name} is in {quote(str(self.folder))}; name their folder."
                )
            raise self._changed(_files(missing, "gone"))
        if new := sorted(here - kept - self._listed[1]):
            raise self._changed(_files(new, "new"))

    def _changed(self, what: str) -> BenchmarkError:
        return BenchmarkError(
            f"The data of {self.benchmark.name} changed since version {self.benchmark.version} was made: {what}. Bring them "
            "back, or make the next version by `nas benchmarks new --replace`."
        )

    def arrays(self, part: Part) -> tuple[Inputs, Targets]:
        """Inputs and targets of a split, in the order of the files or rows.

        Raises:
            BenchmarkError: a file changed, or cannot be read.
        """
        prepare = self.benchmark.declaration.prepare
        if isinstance(prepare, Pictures | Sounds | Captions):
            return self._decoded(prepare, part)
        if isinstance(prepare, Links | TextPairs):
            raise BenchmarkError(f"{self.benchmark.name} has no arrays of examples; ask for its graph, or its pairs.")
        rowed = self._rowed
        rows, labels = rowed.of(part)
        if isinstance(prepare, Texts):
            column = rowed.grid.column(prepare.text)
            inputs: Inputs = texts.encode([column[n] for n in rows], texts.read_vocabulary(self._words(prepare)), prepare.length)
            return inputs, self._classes(labels)
        inputs = tables.features(rowed.grid, rows, prepare.columns)
        return inputs, self._classes(labels) if prepare.mean is None else tables.numbers(labels, prepare)

    def _decoded(self, prepare: Pictures | Sounds | Captions, part: Part) -> tuple[Inputs, Targets]:
        """What is made of pictures or sounds, which is kept for the next command."""
        declared = self.benchmark.declaration
        decided_by = {
            "form": 1,
            "data": declared.data.sha256,
            "prepare": prepare.model_dump(),
            "classes": declared.classes,
            "part": part,
        }
        files = (one.path for one, _ in self.files if one.part in {part, None})
        called = keeping.name(self.folder, files, decided_by)
        if called is not None and (known := keeping.kept(called)) is not None:
            return known["inputs"], known["targets"]
        if isinstance(prepare, Captions):
            rows, labels = self._rowed.of(part)
            inputs: Inputs = self._captions(prepare, rows)
            targets: Targets = np.array(list(map(int, labels)), dtype=np.int64)
        else:
            inputs, targets = self._of_files(prepare, part)
        if called is not None:
            keeping.keep(called, {"inputs": inputs, "targets": targets})
        return inputs, targets

    def pairs(self, part: Part) -> list[tuple[str, str]]:
        """Sources and targets of a split of pairs of texts.

        Raises:
            BenchmarkError: a file changed, or cannot be read.
        """
        prepare = self.benchmark.declaration.prepare
        assert isinstance(prepare, TextPairs)  # noqa: S101 - the others have arrays
        sources, targets = (self._rowed.grid.column(name) for name in (prepare.source, prepare.target))
        return [(pairs.plain(sources[n]), pairs.plain(targets[n])) for n in self._rowed.of(part)[0]]

    def alphabet(self) -> str:
        """The characters that pairs of texts are made of.

        Raises:
            BenchmarkError: it is not the one that the benchmark was made with.
        """
        prepare = self.benchmark.declaration.prepare
        assert isinstance(prepare, TextPairs)  # noqa: S101
        return "".join(self._words(prepare).split("\n"))

    def _captions(self, prepare: Captions, rows: Sequence[int]) -> NDArray[np.float32]:
        """(N, F): pixels and ids of words, one after another."""
        digests = {one.path: (one, digest) for one, digest in self.files}
        pictured = pairs.Pictured(digests)
        cells, captions = self._rowed.grid.column(prepare.picture), self._rowed.grid.column(prepare.text)
        read: dict[str, NDArray[np.float32]] = {}
        paths = [pictured.path(cells[n]) or "" for n in rows]
        for path in sorted(set(paths)):
            self._check_file(self.folder / path, *digests[path])
            try:
                read[path] = read_picture(self.folder / path, prepare.pixels)
            except Unreadable as error:
                raise BenchmarkError(f"{quote(path)} of {self.benchmark.name} cannot be read: {error}.") from error
        pixels = standardise(np.stack([read[path] for path in paths]), prepare.pixels).reshape(len(rows), -1)
        words = texts.encode([captions[n] for n in rows], texts.read_vocabulary(self._words(prepare)), prepare.length)
        return np.concatenate([pixels, words.astype(np.float32)], axis=1)

    def _of_files(self, prepare: Pictures | Sounds, part: Part) -> tuple[Inputs, Targets]:
        found: list[NDArray[np.float32]] = []
        labels = []
        for one, digest in self.files:
            if one.part != part:
                continue
            path = self.folder / one.path
            self._check_file(path, one, digest)
            try:
                found.append(read_picture(path, prepare) if isinstance(prepare, Pictures) else read_sound(path, prepare))
            except Unreadable as error:
                raise BenchmarkError(f"{quote(one.path)} of {self.benchmark.name} cannot be read: {error}.") from error
            labels.append(one.label)
        inputs = np.stack(found)
        del found
        if isinstance(prepare, Pictures):
            return standardise(inputs, prepare), self._classes(labels)
        return inputs[:, :, None], self._classes(labels)

    def _check_file(self, path: Path, one: Found, digest: str) -> None:
        if not path.resolve().is_relative_to(self.folder.resolve()):
            raise BenchmarkError(f"{quote(one.path)} is a link that leads out of the data's folder; remove it.")
        if digest_file(path) != digest:
            raise self._changed(f"{quote(one.path)} has another content")

    @property
    def _tables(self) -> list[Found]:
        """The files of rows."""
        return [one for one, _ in self.files if os.path.splitext(one.path)[1].lower() in TABLES]

    @cached_property
    def _rowed(self) -> Rowed:
        prepare = self.benchmark.declaration.prepare
        written = {one.path for one in self._tables}
        for one, digest in self.files:
            if one.path in written:
                self._check_file(self.folder / one.path, one, digest)
        grid, given = read_rows(self.folder, self._tables)
        if isinstance(prepare, TextPairs):
            return pairs_rowed(grid, given, prepare, pairs_taken(grid, prepare))
        if isinstance(prepare, Captions):
            return captions_rowed(
                grid, given, prepare, {one.path: digest for one, digest in self.files if one.path not in written}
            )
        if isinstance(prepare, Texts):
            taken, _ = texts_taken(grid, prepare.text, prepare.label)
            return arrange(grid, given, prepare.label, taken, same_by=[prepare.text])
        assert isinstance(prepare, Rows)  # noqa: S101 - the other kinds are of files
        lacking = set(tables.check_cells(grid, [*(one.name for one in prepare.columns), *prepare.unused, prepare.target]))
        taken = [n for n in range(len(grid.rows)) if n not in lacking]
        return arrange(grid, given, prepare.target, taken, same_by=grid.names, classes=prepare.mean is None)

    def names(self) -> list[str]:
        """What the words of texts, by their ids, or the features of rows, by their places, are called; none of other files.

        Raises:
            BenchmarkError: the vocabulary is not the one that the benchmark was made with.
        """
        prepare = self.benchmark.declaration.prepare
        if isinstance(prepare, Texts):
            return texts.read_vocabulary(self._words(prepare))
        columns = prepare.columns if isinstance(prepare, Rows) else []
        return [f"{one.name}={value}" if value else one.name for one in columns for value in one.values or [""]]

    def _words(self, prepare: Worded) -> str:
        """What stands in the file of the vocabulary."""
        path = self.benchmark.home / VOCABULARY
        try:
            content = path.read_bytes()
        except OSError as error:
            raise BenchmarkError(f"{printable(path)} cannot be read: {error.strerror}; make the benchmark again.") from error
        if hashlib.sha256(content).hexdigest() != prepare.sha256:
            raise BenchmarkError(f"{printable(path)} is not the vocabulary that {self.benchmark.name} was made with.")
        return content.decode()

    def _classes(self, labels: Sequence[str]) -> NDArray[np.int64]:
        places = {name: n for n, name in enumerate(self.benchmark.declaration.classes)}
        for label in labels:
            if label not in places:
                raise BenchmarkError(f"The class {quote(label)} is none of those of {self.benchmark.name}; make it again.")
        return np.array([places[label] for label in labels], dtype=np.int64)


def source_of(benchmark: FolderBenchmark, data: Path | None = None) -> Source:
    """The data of `benchmark` in the folder `data`, or where it says that they lie."""
    folder = data or benchmark.home / Path(benchmark.declaration.data.folder).expanduser()
    return Source(benchmark, folder.absolute())  # test data are read by a candidate's process, which stands in another folder


def _files(names: Sequence[str], state: str) -> str:
    one = len(names) == 1
    return f"{len(names):,} file{' is' if one else 's are'} {state} ({quote(names[0])}{'' if one else ' first'})"
