"""What lies in a folder that a user names: its files in a fixed order, which of them are data, and how they are laid out.

    FOLDER/CLASS/**/FILE                 a file a class; of pictures and of sounds
    FOLDER/{train,validation,test}/…     the same, with splits of its own
    FOLDER/FILE, or the FILE itself      tables: CSV, TSV, JSONL; of texts and of numbers; train.csv and test.csv are splits too
    FOLDER/FILE and pictures below       a table that names them beside their captions

Nothing outside the folder is read: a link that leads out of it is refused, as is a name that no line can show.
"""

import hashlib
import os
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from nas.errors import BenchmarkError, did_you_mean, quote

Kind = Literal["images", "audio", "text", "table", "triples", "pairs"]
Part = Literal["train", "validation", "test"]

KINDS: tuple[Kind, ...] = ("images", "audio", "text", "table", "triples", "pairs")
PARTS: tuple[Part, ...] = ("train", "validation", "test")

PICTURES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".pgm", ".ppm"})
SOUNDS = frozenset({".wav", ".flac", ".ogg", ".mp3", ".aiff", ".aif"})
TABLES = frozenset({".csv", ".tsv", ".jsonl", ".ndjson"})

CALLED: Mapping[str, Part] = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("validation", "valid", "val", "dev"), "validation"),
    **dict.fromkeys(("test", "testing"), "test"),
}
"""What people call their splits, in small letters."""

MOST_FILES = 1_000_000


@dataclass(frozen=True)
class Found:
    """One file of data."""

    path: str
    """From the folder, with `/` between its parts."""
    part: Part | None
    """The split that it was found in; None where the folder has none of its own."""
    label: str = ""
    """The name of its class; none of a table's file, which has many."""


@dataclass(frozen=True)
class Listing:
    """A folder's files."""

    folder: Path
    files: tuple[str, ...]
    """From the folder, with `/` between their parts, in order; hidden ones are left out."""
    refused: tuple[str, ...]
    """What cannot be taken, each with the reason, in words."""

    def of(self, suffixes: frozenset[str]) -> list[str]:
        """Those that end so, in whatever case."""
        return [file for file in self.files if os.path.splitext(file)[1].lower() in suffixes]


def list_files(place: Path) -> Listing:
    """The files in the folder `place` and below; of a file, it alone, in its folder.

    Raises:
        BenchmarkError: there is nothing, or nothing that may be read.
    """
    if place.is_file():
        return Listing(place.parent.resolve(), (place.name,), ())
    if not place.is_dir():
        near = did_you_mean(place.name, (one.name for one in place.parent.iterdir())) if place.parent.is_dir() else ""
        hint = near.partition("Known:")[0].strip()
        raise BenchmarkError(f"There is no folder or file {quote(str(place))}.{' ' + hint if hint else ''}")
    home = place.resolve()
    files: list[str] = []
    refused: list[str] = []
    for folder, folders, names in os.walk(home, followlinks=False, onerror=_unreadable):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in [one for one in folders if Path(folder, one).is_symlink()]:
            folders.remove(name)
            refused.append(f"{quote(_from(home, folder, name))} is a link to a folder")
        for name in sorted(names):
            if name.startswith(".") or name in {"Thumbs.db", "desktop.ini"}:
                continue
            path = _from(home, folder, name)
            if not path.isprintable():
                refused.append(f"{quote(path)} has a name that cannot be written down")
            elif not Path(folder, name).resolve().is_relative_to(home):
                refused.append(f"{quote(path)} is a link that leads out of the folder")
            else:
                files.append(path)
        if len(files) > MOST_FILES:
            raise BenchmarkError(f"The folder {quote(place.name)} has more than {MOST_FILES:,} files; name a smaller one.")
    if not files and not refused:
        raise BenchmarkError(f"The folder {quote(str(place))} is empty; name one that holds data.")
    return Listing(home, tuple(files), tuple(refused))


def _unreadable(error: OSError) -> None:
    raise BenchmarkError(f"The folder {quote(str(error.filename))} cannot be read: {error.strerror or type(error).__name__}.")


def _from(home: Path, folder: str, name: str) -> str:
    return Path(folder, name).relative_to(home).as_posix()


def by_class(listing: Listing, suffixes: frozenset[str], what: str) -> list[Found]:
    """The files with `suffixes`, each with the folder that it lies in as its class; `what` people call them.

    Raises:
        BenchmarkError: there are none, or they lie in no folders by class.
    """
    paths = [Path(file).parts for file in listing.of(suffixes)]
    if not paths:
        raise BenchmarkError(f"There are no {what} in {quote(listing.folder.name)}; they end in {', '.join(sorted(suffixes))}.")
    above = {parts[0].lower() for parts in paths if len(parts) > 1}
    split = "train" in {CALLED.get(name) for name in above} and above <= CALLED.keys()
    depth = 2 if split else 1
    loose = [parts for parts in paths if len(parts) <= depth]
    if loose:
        raise BenchmarkError(
            f"{what.capitalize()} lie in a folder for each class, such as cat/1.png; {len(loose):,} of {len(paths):,} lie in "
            f"none, {quote('/'.join(loose[0]))} first. Move them, or name another folder."
        )
    return [Found("/".join(parts), CALLED[parts[0].lower()] if split else None, parts[depth - 1]) for parts in paths]


def tables_of(listing: Listing) -> list[Found]:
    """The files of tables: one, or one a split.

    Raises:
        BenchmarkError: there are none, or several that are no splits.
    """
    names = [file for file in listing.of(TABLES) if "/" not in file]
    if len(names) == 1:
        return [Found(names[0], None)]
    parts = {name: CALLED.get(Path(name).stem.lower()) for name in names}
    known = Counter(part for part in parts.values() if part)
    if not names or any(part is None for part in parts.values()) or "train" not in known or max(known.values()) > 1:
        told = ", ".join(map(quote, names[:5])) or "none"
        raise BenchmarkError(
            f"A table is one CSV, TSV or JSONL file, or train, validation and test of one; {quote(listing.folder.name)} has "
            f"{told}. Name the file itself."
        )
    return [Found(name, part) for name, part in parts.items()]


def detect(listing: Listing) -> Kind | None:
    """What the folder holds by its files' names; None for tables and triples, whose columns decide.

    Raises:
        BenchmarkError: nothing that is known, or several kinds in like numbers.
    """
    counts: dict[Kind | None, int] = {"images": len(listing.of(PICTURES)), "audio": len(listing.of(SOUNDS))}
    most = max(counts, key=lambda kind: counts[kind])
    if counts[most]:
        if 2 * counts[most] <= sum(counts.values()):
            raise BenchmarkError(
                f"The folder {quote(listing.folder.name)} holds as many pictures as sounds; say which by --kind images or audio."
            )
        return most
    if listing.of(TABLES) or listing.of(frozenset({".txt"})):
        return None
    if listing.refused and not listing.files:
        raise BenchmarkError(f"There is nothing to read: {listing.refused[0]}.")
    ends = Counter(os.path.splitext(file)[1].lower() or "no ending" for file in listing.files)
    told = ", ".join(f"{count:,} with {quote(end)}" for end, count in ends.most_common(3))
    raise BenchmarkError(
        "Pictures, sounds (.wav), tables (.csv, .tsv, .jsonl) or triples (.tsv, .txt) are read; "
        f"{quote(listing.folder.name)} has {told}."
    )


def digest_file(path: Path) -> str:
    """SHA-256 of the bytes in a file.

    Raises:
        BenchmarkError: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise BenchmarkError(f"{quote(path.name)} cannot be read: {error.strerror or type(error).__name__}.") from error


def in_order(names: Iterable[str]) -> tuple[str, ...]:
    """Names of classes, each once, in order; whole numbers by their size."""
    known = set(names)
    if all(name.isascii() and name.isdigit() for name in known):
        return tuple(sorted(known, key=lambda name: (int(name), name)))
    return tuple(sorted(known))
