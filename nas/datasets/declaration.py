"""A benchmark of one's own as a folder: benchmark.yaml, which is plain data, beside the list of the files that it is made of.

    NAME/benchmark.yaml   what is asked: classes, how examples are made of files, budgets, recipe, what a simple model reaches
    NAME/files.tsv        each file with its split, its class and its SHA-256, so that nothing changes unseen
    NAME/vocabulary.txt   of texts: the words in the order of their ids; of pairs of texts: the characters
    NAME/README.md        the same for people

The data stay where they are: benchmark.yaml names their folder, from its own folder on.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter, ValidationError

from nas.benchmark import (
    LINEAR,
    Benchmark,
    Budget,
    Features,
    Image,
    Modalities,
    NextTokens,
    Objective,
    Query,
    Recipe,
    Shape,
    Signature,
    Tokens,
    Waveform,
)
from nas.datasets.listing import PARTS, Found
from nas.documents import read_file, to_yaml
from nas.errors import BenchmarkError, DocumentError, did_you_mean, printable, quote
from nas.space.tree import NAME

FILE = "benchmark.yaml"
FILES = "files.tsv"
VOCABULARY = "vocabulary.txt"

MOST_CLASSES = 2_000
_TITLES = "split\tclass\tsha256\tpath"
_ALL = "all"
"""The split of a file whose rows stand in several."""
_LEFT_OUT = "left out"
"""That of a file which could not be read when the benchmark was made."""

TASK = "nas.datasets.task:load"

_HEAD = "# Written by `nas benchmarks new`, and yours to edit. Raise `version` when a score comes to mean something else.\n"


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Pictures(_Strict):
    """Pictures of one size: what is larger or smaller is scaled, and what then stands out is cut off on both sides."""

    kind: Literal["images"] = "images"
    channels: Literal[1, 3]
    height: Annotated[int, Field(ge=1, le=1_024)]
    width: Annotated[int, Field(ge=1, le=1_024)]
    mean: Annotated[list[float], Field(min_length=1, max_length=3)]
    """Of each channel of the training pictures, whose pixels run from 0 to 1."""
    deviation: Annotated[list[Annotated[float, Field(gt=0)]], Field(min_length=1, max_length=3)]


class Sounds(_Strict):
    """Sounds of one channel and one length: shorter ones in the middle of silence, of longer ones the loudest part."""

    kind: Literal["audio"] = "audio"
    rate: Annotated[int, Field(ge=1_000, le=192_000)]
    """Samples a second."""
    length: Annotated[int, Field(ge=1, le=10_000_000)]
    """Samples."""


class Texts(_Strict):
    """Texts as words of a vocabulary that was built of the training texts."""

    kind: Literal["text"] = "text"
    text: str
    """The column of the text."""
    label: str
    length: Annotated[int, Field(ge=1, le=100_000)]
    """Words of a text that are read, the first ones."""
    words: Annotated[int, Field(ge=3, le=1_000_000)]
    """Of the vocabulary, with padding (0) and the unknown (1)."""
    sha256: str
    """Of the vocabulary."""


class Column(_Strict):
    """A column of a table: a number, standardised by training rows, or a text that is one of some values."""

    name: str
    mean: float | None = None
    deviation: Annotated[float, Field(gt=0)] | None = None
    values: Annotated[list[str], Field(min_length=1, max_length=1_000)] | None = None


class Rows(_Strict):
    """Rows of a table."""

    kind: Literal["table"] = "table"
    target: str
    """The column that is to be told from the others."""
    columns: Annotated[list[Column], Field(min_length=1, max_length=5_000)]
    mean: float | None = None
    """Of the target in training rows, where it is a number; else it is a class."""
    deviation: Annotated[float, Field(gt=0)] | None = None
    unused: list[str] = Field(default_factory=list)
    """Columns with one value in all training rows, which give no feature."""


class Links(_Strict):
    """Triples of a knowledge graph."""

    kind: Literal["triples"] = "triples"
    entities: Annotated[int, Field(ge=2, le=10_000_000)]
    relations: Annotated[int, Field(ge=1, le=1_000_000)]


class TextPairs(_Strict):
    """Pairs of texts, character by character: what is said of the first is the second."""

    kind: Literal["text_pairs"] = "text_pairs"
    source: str
    """The column of what is given."""
    target: str
    """That of what is wanted."""
    place: Annotated[int, Field(ge=1, le=10_000)]
    """Characters of a source, at most; pairs of longer texts are left out."""
    said: Annotated[int, Field(ge=1, le=10_000)]
    """Characters of a target, at most."""
    characters: Annotated[int, Field(ge=1, le=1_000_000)]
    """Of the alphabet."""
    sha256: str
    """Of the alphabet."""


class Captions(_Strict):
    """Pictures and their captions, of which each is to find the other."""

    kind: Literal["captions"] = "captions"
    picture: str
    """The column that names a picture's file."""
    text: str
    """That of captions."""
    pixels: Pictures
    length: Annotated[int, Field(ge=1, le=100_000)]
    """Words of a caption that are read, the first ones."""
    words: Annotated[int, Field(ge=3, le=1_000_000)]
    """Of the vocabulary, with padding (0) and the unknown (1)."""
    sha256: str
    """Of the vocabulary."""


MARKS = 4
"""Tokens of pairs of texts beside the alphabet: nothing, begin, end, unknown."""

VECTOR = 64
"""Numbers of a vector in the space that pictures and captions share."""

AnyKind = Pictures | Sounds | Texts | Rows | Links | TextPairs | Captions

Worded = Texts | TextPairs | Captions
"""Kinds with a vocabulary, or an alphabet."""

PROTOCOLS = {"triples": "link_prediction", "text_pairs": "translation", "captions": "retrieval"}
"""How networks are trained on a kind, where not as classifiers or for numbers."""

Prepare = Annotated[AnyKind, Field(discriminator="kind")]


_KINDS = frozenset(kind.model_fields["kind"].default for kind in get_args(AnyKind))


class Data(_Strict):
    """Where the files lie, and what tells them from others."""

    folder: Annotated[str, Field(min_length=1)]
    """From the folder of benchmark.yaml on; `~` is the home of whoever reads it."""
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    """Of files.tsv, which has that of each file."""


def _text(value: Any) -> Any:
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


class Declaration(_Strict):
    """benchmark.yaml."""

    name: Annotated[str, Field(pattern=f"^{NAME.pattern}$")]
    version: Annotated[int, Field(ge=1)]
    summary: Annotated[str, Field(min_length=1)]
    source: Annotated[str, Field(min_length=1)]
    licence: Annotated[str, Field(min_length=1)]
    data: Data
    prepare: Prepare
    classes: Annotated[list[Annotated[str, BeforeValidator(_text)]], Field(max_length=MOST_CLASSES)] = Field(default_factory=list)
    """In the order of the network's outputs; none where a number is wanted."""
    metrics: list[str] = Field(default_factory=list)
    """Measured beside those that such a task always measures."""
    objectives: Annotated[list[Objective], Field(min_length=1)]
    budget: Budget
    final_budget: Budget
    recipe: Recipe
    protocol_options: dict[str, int | float] = Field(default_factory=dict)
    """Of pairs of texts, what the protocol is told: `written`, `samples`, `forgotten`."""
    floor: dict[str, float] = Field(default_factory=dict)
    """What a simple model reaches."""
    floor_by: str = ""
    """How that was found."""

    @property
    def signature(self) -> Signature:
        """What networks are fed, and must give."""
        if isinstance(self.prepare, Links):
            return Signature(Query(self.prepare.entities, self.prepare.relations), Features(self.prepare.entities))
        if isinstance(self.prepare, TextPairs):
            length, tokens = self.prepare.place + 1 + self.prepare.said, self.prepare.characters + MARKS
            return Signature(Tokens(length, tokens), NextTokens(length, tokens))
        if isinstance(self.prepare, Captions):
            both = Modalities.of(image=_picture(self.prepare.pixels), text=Tokens(self.prepare.length, self.prepare.words))
            return Signature(both, Features(2 * VECTOR))
        return Signature(_shape(self.prepare), Features(len(self.classes) or 1))


def _picture(prepare: Pictures) -> Image:
    return Image(prepare.channels, prepare.height, prepare.width)


def _shape(prepare: Pictures | Sounds | Texts | Rows) -> Shape:
    if isinstance(prepare, Pictures):
        return _picture(prepare)
    if isinstance(prepare, Sounds):
        return Waveform(length=prepare.length, channels=1, rate=prepare.rate)
    if isinstance(prepare, Texts):
        return Tokens(prepare.length, prepare.words)
    return Features(sum(1 if column.values is None else len(column.values) for column in prepare.columns))


@dataclass(frozen=True, kw_only=True)
class FolderBenchmark(Benchmark):
    """The question that a folder with benchmark.yaml asks. Where it lies is no part of the question, and stands in no record."""

    home: Path = field(repr=False, compare=False)
    """The folder, in full."""
    declaration: Declaration = field(repr=False)

    def given(self, data: Path | None) -> tuple[Any, ...]:
        """What its task is called with: itself, and the folder that the data lie in, if not where it says."""
        return (self, None if data is not None and (data / FILE).is_file() else data)

    @property
    def readme(self) -> Path:
        """What it says of itself to people."""
        return self.home / "README.md"

    def to_data(self) -> dict[str, Any]:
        """Plain data, ready for JSON, without a place: of the data what tells them from others."""
        plain = Benchmark(**{one.name: getattr(self, one.name) for one in fields(Benchmark)}).to_data()
        told = self.declaration
        folder = {"sha256": told.data.sha256, "prepare": told.prepare.model_dump(exclude_none=True), "classes": told.classes}
        return {**plain, "folder": {**folder, **({"metrics": told.metrics} if told.metrics else {})}}


def read_benchmark(place: Path | str) -> FolderBenchmark:
    """The benchmark in the folder `place`, or of the file benchmark.yaml itself; its data are not read.

    Raises:
        DocumentError: there is none, or it breaks a rule; names file, line and key.
    """
    path = Path(place)
    file = path / FILE if path.is_dir() else path
    if not file.is_file():
        raise DocumentError(f"{printable(path)} is no benchmark: there is no {FILE} in it; `nas benchmarks new` writes one.")
    document = read_file(file)
    if not isinstance(document.value, dict):
        raise document.error((), "a benchmark is a mapping, such as `name: pets`.")
    try:
        declared = TypeAdapter(Declaration).validate_python(document.value)
        return benchmark_of(declared, file.parent.absolute())  # a candidate's process stands in another folder
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = tuple(part for part in first["loc"] if part not in _KINDS or first["loc"][0] != "prepare")
        if first["type"] == "extra_forbidden":
            known = Declaration.model_fields if len(where) == 1 else ()
            raise document.error(where, f"unknown key. {did_you_mean(str(where[-1]), known) if known else ''}".rstrip()) from None
        said = first["msg"].removeprefix("Value error, ")
        got = "" if first["type"] == "missing" else f", got {quote(first['input'])}"
        raise document.error(where, f"{said}{got}.") from None
    except BenchmarkError as error:
        raise DocumentError(f"{printable(file)}: {error}") from None


FLOOR_BY = {"triples": "ranking by popularity", "text_pairs": "the nearest text's answer"}
"""The simple model, where it is none that is linear."""


def benchmark_of(declared: Declaration, home: Path) -> FolderBenchmark:
    """The benchmark that `declared` is, whose files lie in `home`.

    Raises:
        BenchmarkError: its parts do not go together.
    """
    if declared.protocol_options and not isinstance(declared.prepare, TextPairs):
        raise BenchmarkError(
            f"{declared.name}: of pairs of texts alone the protocol is told more, got {declared.prepare.kind}; leave "
            "`protocol_options` out."
        )
    return FolderBenchmark(
        name=declared.name,
        version=declared.version,
        summary=declared.summary,
        signature=declared.signature,
        objectives=tuple(declared.objectives),
        budget=declared.budget,
        final_budget=declared.final_budget,
        recipe=declared.recipe,
        task=TASK,
        source=declared.source,
        licence=declared.licence,
        floor=dict(declared.floor),
        floor_by=FLOOR_BY.get(declared.prepare.kind, LINEAR),
        protocol=PROTOCOLS.get(declared.prepare.kind, "supervised"),
        protocol_options=dict(declared.protocol_options),
        classes=tuple(declared.classes),
        home=home,
        declaration=declared,
    )


def write_declaration(declared: Declaration, home: Path) -> None:
    """Write benchmark.yaml into the folder `home`."""
    defaults: Mapping[str, Any] = {one.name: one.default for one in fields(Recipe)} | {
        one.name: one.default for one in fields(Budget)
    }
    data = declared.model_dump(exclude_none=True)
    for part in ("budget", "final_budget", "recipe"):
        data[part] = {name: value for name, value in data[part].items() if value != defaults.get(name)}
    for name in ("classes", "metrics", "protocol_options", "floor", "floor_by"):
        if not data[name]:
            del data[name]
    (home / FILE).write_text(_HEAD + to_yaml(data), encoding="utf-8")


def write_files(files: Sequence[tuple[Found, str]], left_out: Iterable[str], home: Path) -> str:
    """Write files.tsv: of each file its SHA-256 with it, and those that are left out; returns the SHA-256 of what is written."""
    lines = [_TITLES, *(f"{one.part or _ALL}\t{one.label}\t{digest}\t{one.path}" for one, digest in files)]
    lines += [f"{_LEFT_OUT}\t\t\t{path}" for path in left_out]
    content = ("\n".join(lines) + "\n").encode()
    (home / FILES).write_bytes(content)
    return hashlib.sha256(content).hexdigest()


def read_files(benchmark: FolderBenchmark) -> tuple[list[tuple[Found, str]], set[str]]:
    """The files that `benchmark` is made of, each with its SHA-256, and the paths of those that are left out.

    Raises:
        BenchmarkError: the list is missing, or is not the one that the benchmark was made with.
    """
    path = benchmark.home / FILES
    try:
        content = path.read_bytes()
    except OSError as error:
        raise BenchmarkError(f"{printable(path)} cannot be read: {error.strerror}; make the benchmark again.") from error
    if hashlib.sha256(content).hexdigest() != benchmark.declaration.data.sha256:
        raise BenchmarkError(
            f"{printable(path)} is not the list that {benchmark.name} was made with; make it again by "
            "`nas benchmarks new --replace`."
        )
    found = []
    left_out = set()
    for line in content.decode().split("\n")[1:-1]:
        part, label, digest, name = line.split("\t")
        if Path(name).is_absolute() or ".." in Path(name).parts:
            raise BenchmarkError(f"{FILES} of {benchmark.name} names a file outside its folder, {quote(name)}; take it out.")
        if part == _LEFT_OUT:
            left_out.add(name)
        else:
            found.append((Found(name, next((one for one in PARTS if one == part), None), label), digest))
    return found, left_out
