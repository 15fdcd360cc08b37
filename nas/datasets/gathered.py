"""What a user says of data, and what is found in them: the values that lead to a benchmark."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from nas.datasets.declaration import AnyKind, Pictures, Rows, Sounds, Texts
from nas.datasets.listing import Found, Part
from nas.errors import BenchmarkError

MOST_BYTES = 4 * 2**30
"""Of all examples in memory."""

_NAMED = 3
"""So many files are named where many are meant."""

Say = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Wishes:
    """What a user says of the data; None where the data decide."""

    kind: str | None = None
    size: tuple[int, int] | None = None
    """Height and width of pictures."""
    channels: int | None = None
    """Of pictures: 1 for grey, 3 for colours."""
    rate: int | None = None
    """Samples of a sound a second."""
    seconds: float | None = None
    """Of a sound."""
    text: str | None = None
    """The column of texts: of pairs, of what is given, or of captions."""
    target: str | None = None
    """The column that is to be told."""
    length: int | None = None
    """Words of a text."""
    without: tuple[str, ...] = ()
    """Columns of a table that are left out."""
    skip: bool = False
    """Whether to leave out what cannot be read."""
    licence: str | None = None


@dataclass
class Told:
    """What is to be said of the data."""

    found: list[str] = field(default_factory=list)
    warned: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Gathered:
    """Of one kind of data, all that a benchmark needs to know."""

    prepare: AnyKind
    files: list[Found]
    labels: list[str]
    """Of each example."""
    parts: list[Part]
    what: str
    """What examples are called."""
    given: frozenset[Part]
    """The splits that the data have of their own."""
    left_out: list[str] = field(default_factory=list)
    """Files that cannot be read."""
    vocabulary: list[str] | None = None


def refuse(problems: Sequence[str], of: str, wishes: Wishes, told: Told) -> None:
    """Leave out what cannot be taken where that is wished for.

    Raises:
        BenchmarkError: it is not; names some.
    """
    more = f", and {len(problems) - _NAMED:,} more" if len(problems) > _NAMED else ""
    words = f"{len(problems):,}{of} cannot be read: {'; '.join(problems[:_NAMED])}{more}"
    if not wishes.skip:
        raise BenchmarkError(f"{words}. Mend them, or leave them out by --skip-unreadable.")
    told.warned.append(f"{words}. Left out.")


def own_parts(files: Sequence[Found]) -> frozenset[Part]:
    """The splits that files were found in."""
    return frozenset(one.part for one in files if one.part is not None)


def check_bytes(numbers: int, way_out: str) -> None:
    """Refuse more `numbers` than examples may have in all; `way_out` says what to choose instead.

    Raises:
        BenchmarkError: there are more.
    """
    if 4 * numbers > MOST_BYTES:
        raise BenchmarkError(
            f"All examples would take {4 * numbers / 2**30:.1f} GiB of memory, and {MOST_BYTES // 2**30} are taken at most; "
            f"choose {way_out}, or a part of the data."
        )


def has_classes(prepare: AnyKind) -> bool:
    """Whether classes are to be told, and no numbers, links or pairs."""
    return isinstance(prepare, Pictures | Sounds | Texts) or (isinstance(prepare, Rows) and prepare.mean is None)
