"""A folder of a user's own data → a benchmark that runs: what is in it is found, said, split, and written down."""

import hashlib
import keyword
import os
import shutil
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from nas import registry
from nas.datasets import pairs, texts
from nas.datasets.choosing import choose
from nas.datasets.declaration import (
    FILE,
    FILES,
    MOST_CLASSES,
    VOCABULARY,
    AnyKind,
    Captions,
    Data,
    Declaration,
    FolderBenchmark,
    Links,
    TextPairs,
    Worded,
    benchmark_of,
    read_benchmark,
    write_declaration,
    write_files,
)
from nas.datasets.floor import Floor, linear_floor
from nas.datasets.floor_of_pairs import correlated, nearest
from nas.datasets.gathered import Gathered, Say, Told, Wishes, has_classes, refuse
from nas.datasets.gathering_files import gather_pictures, gather_sounds
from nas.datasets.gathering_links import gather_links
from nas.datasets.gathering_pairs import gather_pairs
from nas.datasets.gathering_rows import gather_rows, gather_texts
from nas.datasets.graphs import GRAPHS, is_graph, popularity
from nas.datasets.grids import read_grid
from nas.datasets.listing import (
    KINDS,
    PARTS,
    PICTURES,
    TABLES,
    Kind,
    Listing,
    Part,
    detect,
    digest_file,
    in_order,
    list_files,
    tables_of,
)
from nas.datasets.reading import Source
from nas.datasets.telling import describe, figures_text, readme, summary, warn_of_files_aside
from nas.datasets.twins import warn_of_twins
from nas.errors import BenchmarkError, NasError, did_you_mean, printable, quote
from nas.files import whole_folder
from nas.space.tree import NAME

_GATHER: Mapping[Kind, Callable[[Listing, Wishes, Told, Say], Gathered]] = {
    "images": gather_pictures,
    "audio": gather_sounds,
    "text": gather_texts,
    "table": gather_rows,
    "triples": gather_links,
    "pairs": gather_pairs,
}


SPACE = "space.yaml"
"""A space to begin with, where none that is installed takes what the benchmark feeds."""

_SPACE_OF_CAPTIONS = Path(__file__).with_name("space_of_captions.yaml")


@dataclass(frozen=True)
class Made:
    """A benchmark that was written, and what was found in its data."""

    benchmark: FolderBenchmark
    sizes: Mapping[Part, int]
    """Examples of each split."""
    counts: Mapping[str, int]
    """Examples of each class; none where a number is wanted."""
    found: tuple[str, ...]
    """What was found and chosen, a sentence each."""
    warned: tuple[str, ...]
    """What may be wrong with the data, a sentence each."""


def make_benchmark(
    name: str, place: Path, to: Path = Path(), *, replace: bool = False, wishes: Wishes | None = None, say: Say = lambda _: None
) -> Made:
    """Write the folder `name` under `to`: the benchmark whose data lie in the folder or file `place`.

    Where there is one of that name already, it is refused, or with `replace` made anew as its next version.

    Raises:
        NasError: the name, the data or a wish cannot be; nothing is written then.
    """
    wishes = wishes or Wishes()
    home = to / name
    version = _check_name(name, home, replace=replace)
    listing = list_files(place)
    told = Told()
    if listing.refused:
        refuse(listing.refused, "", wishes, told)
    kind = _kind(listing, wishes)
    say("looking at the data")
    gathered = _GATHER[kind](listing, wishes, told, say)
    warn_of_files_aside(listing, kind, told)
    counts = Counter(gathered.labels) if has_classes(gathered.prepare) else Counter()
    classes = in_order(counts)
    if len(classes) > MOST_CLASSES:
        raise BenchmarkError(
            f"There are {len(classes):,} classes, and at most {MOST_CLASSES:,} are told apart; take other labels."
        )
    trained = Counter(label for label, part in zip(gathered.labels, gathered.parts, strict=True) if part == "train")
    unevenness = max(trained.values()) / min(trained.values()) if counts else None
    sizes = {part: gathered.parts.count(part) for part in PARTS}
    chosen = choose(gathered.prepare, sizes["train"], unevenness)
    describe(gathered, counts, unevenness, sizes, told)
    beside = home.with_name(f".{name}.new") if replace and home.exists() else home
    with whole_folder(beside) as folder:
        files = [(one, digest_file(listing.folder / one.path)) for one in gathered.files]
        warn_of_twins(gathered, files, told)
        prepare = gathered.prepare
        if gathered.vocabulary is not None and isinstance(prepare, Worded):
            content = "".join(f"{word}\n" for word in gathered.vocabulary).encode()
            (folder / VOCABULARY).write_bytes(content)
            prepare = prepare.model_copy(update={"sha256": hashlib.sha256(content).hexdigest()})
        declared = Declaration(
            name=name,
            version=version,
            summary=summary(gathered, classes),
            source=f"the folder {printable(listing.folder.name)}" if place.is_dir() else f"the file {printable(place.name)}",
            licence=wishes.licence or "not told",
            data=Data(folder=_written(listing.folder, home), sha256=write_files(files, gathered.left_out, folder)),
            prepare=prepare,
            classes=list(classes),
            metrics=list(chosen.metrics),
            objectives=[chosen.objective],
            budget=chosen.budget,
            final_budget=chosen.final_budget,
            recipe=chosen.recipe,
            protocol_options=chosen.protocol_options,
        )
        say("fitting a simple model")
        source = Source(benchmark_of(declared, folder), listing.folder)
        floor = _floor(source, prepare, chosen.metrics)
        declared = declared.model_copy(update={"floor": dict(floor.figures), "floor_by": floor.by})
        write_declaration(declared, folder)
        if isinstance(prepare, Captions):
            shutil.copyfile(_SPACE_OF_CAPTIONS, folder / SPACE)
        (folder / "README.md").write_text(readme(declared, sizes, counts, told), encoding="utf-8")
        read_benchmark(folder)  # what is written can be read
    if beside != home:
        _put_in_place(beside, home)
    benchmark = read_benchmark(home)
    told.found += [
        f"{benchmark.floor_by[:1].upper()}{benchmark.floor_by[1:]} reaches {figures_text(floor.figures)} ({floor.by}).",
        f"A search trains an architecture for {chosen.budget} and steers by {chosen.objective.figure}, a finalist for "
        f"{chosen.final_budget}.",
    ]
    return Made(benchmark, sizes, dict(sorted(counts.items())), tuple(told.found), tuple(told.warned))


def _floor(source: Source, prepare: AnyKind, metrics: tuple[str, ...]) -> Floor:
    """What a simple model reaches."""
    if isinstance(prepare, Links):
        return Floor(popularity(source.graph()), "entities by how often they answer the relation in training")
    if isinstance(prepare, TextPairs):
        return nearest({part: source.pairs(part) for part in PARTS})
    arrays = {part: source.arrays(part) for part in PARTS}
    return correlated(arrays, prepare) if isinstance(prepare, Captions) else linear_floor(arrays, prepare, metrics)


def _check_name(name: str, home: Path, *, replace: bool) -> int:
    """The version that a benchmark called `name` would have."""
    if not NAME.fullmatch(name) or keyword.iskeyword(name):
        raise BenchmarkError(
            f"A benchmark's name is lower-case letters, digits and _, at most 40, and no word of Python's, got {quote(name)}."
        )
    if name in registry.owners(registry.BENCHMARKS):
        raise BenchmarkError(f"The name {name!r} is taken by the {registry.title(registry.BENCHMARKS, name)}; choose another.")
    if not (home.exists() or home.is_symlink()):
        return 1
    if not (home / FILE).is_file():
        raise BenchmarkError(f"{printable(home)} is there already; choose another name, or write elsewhere with --to.")
    if not replace:
        raise BenchmarkError(
            f"{printable(home)} is a benchmark already; make its next version with --replace, or choose another name."
        )
    try:
        return read_benchmark(home).version + 1
    except NasError:
        return 1


def _put_in_place(new: Path, home: Path) -> None:
    """Bring what is in `new` into `home`; benchmark.yaml comes last, so that the old one stands until all else is there.

    A space that lies there, which may have been edited, stays.
    """
    for name in (FILES, VOCABULARY, SPACE, "README.md", FILE):
        if (new / name).exists() and not (name == SPACE and (home / name).exists()):
            (new / name).replace(home / name)
    shutil.rmtree(new)


def _written(folder: Path, home: Path) -> str:
    """How benchmark.yaml in `home` calls `folder`: from itself on where that is near, else from the user's home, or in full."""
    above = home.resolve().parent
    if folder.is_relative_to(above):
        return Path(os.path.relpath(folder, home.resolve())).as_posix()
    user = Path.home().resolve()
    return f"~/{folder.relative_to(user).as_posix()}" if folder.is_relative_to(user) else folder.as_posix()


def _kind(listing: Listing, wishes: Wishes) -> Kind:
    """The kind that is wished for, or found.

    Raises:
        BenchmarkError: there is no such kind, or none is found.
    """
    if wishes.kind is not None:
        found = next((kind for kind in KINDS if kind == wishes.kind), None)
        if found is None:
            raise BenchmarkError(f"No kind of data is called {quote(wishes.kind)}. {did_you_mean(wishes.kind, KINDS)}")
        return found
    if listing.of(PICTURES) and [one for one in listing.of(TABLES) if "/" not in one]:
        try:
            captions = any(pairs.has_captions(read_grid(listing.folder / one.path), listing) for one in tables_of(listing)[:1])
        except BenchmarkError:
            captions = False
        if captions:
            return "pairs"
    detected = detect(listing)
    if detected is not None:
        return detected
    if (
        wishes.text is None
        and wishes.target is None
        and any(is_graph(listing.folder / one) for one in listing.of(GRAPHS) if "/" not in one)
    ):
        return "triples"
    grid = read_grid(listing.folder / tables_of(listing)[0].path)
    if wishes.text is None and wishes.target is None and pairs.are_text_pairs(grid):
        return "pairs"
    return "text" if wishes.text is not None or texts.is_text(grid) else "table"
