"""Folders of pictures and of sounds by class → what a benchmark needs to know of them."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from nas.datasets.declaration import Pictures
from nas.datasets.gathered import Gathered, Say, Told, Wishes, check_bytes, own_parts, refuse
from nas.datasets.listing import PICTURES, SOUNDS, Found, Listing, Part, by_class, digest_file
from nas.datasets.pictures import choose_size, look, with_moments
from nas.datasets.sounds import choose_form, listen
from nas.datasets.splits import split
from nas.datasets.unreadable import Unreadable
from nas.errors import BenchmarkError, quote

Seen = TypeVar("Seen")


def _looked_at(
    listing: Listing, files: list[Found], see: Callable[[Path], Seen], what: str, wishes: Wishes, told: Told, say: Say
) -> tuple[list[Found], list[Seen], list[str]]:
    """The files that can be read, what is seen in each, and the paths of the others."""
    good, seen, problems, left_out = [], [], [], []
    for n, one in enumerate(files):
        if n % 500 == 0:
            say(f"looking at {what}: {n:,} of {len(files):,}")
        try:
            seen.append(see(listing.folder / one.path))
            good.append(one)
        except Unreadable as error:
            problems.append(f"{quote(one.path)} ({error})")
            left_out.append(one.path)
    if problems and not good:
        raise BenchmarkError(f"None of {len(files):,} {what} can be read; the first is {problems[0]}.")
    if problems:
        refuse(problems, f" of {len(files):,} {what}", wishes, told)
    return good, seen, left_out


def _parted(listing: Listing, files: list[Found]) -> list[Part]:
    """The split of each file."""
    labels = [one.label for one in files]
    if bad := next((label for label in labels if not label.strip()), None):
        raise BenchmarkError(f"A class has a name that can be read, got {quote(bad)}.")
    prints = [digest_file(listing.folder / one.path) for one in files]
    return split([one.part for one in files], labels, prints)


def gather_pictures(listing: Listing, wishes: Wishes, told: Told, say: Say) -> Gathered:
    """Pictures by class, and the size, the channels, the mean and the deviation that serve them.

    Raises:
        BenchmarkError: there are none, or one cannot be read.
    """
    files, plain, left_out = see_pictures(listing, by_class(listing, PICTURES, "pictures"), wishes, told, say)
    parts = _parted(listing, files)
    check_bytes(len(files) * plain.channels * plain.height * plain.width, "a smaller --size")
    prepare = with_moments(plain, (listing.folder / one.path for one, part in zip(files, parts, strict=True) if part == "train"))
    named = [Found(one.path, part, one.label) for one, part in zip(files, parts, strict=True)]
    return Gathered(prepare, named, [one.label for one in files], parts, "pictures", own_parts(files), left_out)


def see_pictures(
    listing: Listing, files: list[Found], wishes: Wishes, told: Told, say: Say
) -> tuple[list[Found], Pictures, list[str]]:
    """The pictures that can be read, the size and the channels that serve them, and the paths of the others.

    Raises:
        BenchmarkError: one cannot be read.
    """
    files, looks, left_out = _looked_at(listing, files, look, "pictures", wishes, told, say)
    channels = wishes.channels or (1 if all(one.grey for one in looks) else 3)
    height, width = wishes.size or choose_size(looks)
    sizes = Counter((one.width, one.height) for one in looks)
    if len(sizes) > 1:
        widths, heights = [one.width for one in looks], [one.height for one in looks]
        how = f"from {min(widths)}×{min(heights)} to {max(widths)}×{max(heights)}"
        changed = f"; each is scaled to cover {width}×{height} and cut off evenly around it"
    else:
        how = f"all of {looks[0].width}×{looks[0].height}"
        changed = "" if (looks[0].width, looks[0].height) == (width, height) else f"; each is scaled to {width}×{height}"
    told.found.append(f"Pictures {'in grey' if channels == 1 else 'in colours'}, {how} (width×height){changed}.")
    return files, Pictures(channels=1 if channels == 1 else 3, height=height, width=width, mean=[0.0], deviation=[1.0]), left_out


def gather_sounds(listing: Listing, wishes: Wishes, told: Told, say: Say) -> Gathered:
    """Sounds by class, and the rate and the length that serve them.

    Raises:
        BenchmarkError: there are none, or one cannot be read.
    """
    files = by_class(listing, SOUNDS, "sounds")
    files, heard, left_out = _looked_at(listing, files, listen, "sounds", wishes, told, say)
    prepare = choose_form(heard, wishes.rate, wishes.seconds)
    check_bytes(len(files) * prepare.length, "fewer --seconds or a lower --rate")
    parts = _parted(listing, files)
    rates = Counter(one.rate for one in heard)
    seconds = [one.seconds for one in heard]
    at = "all at" if len(rates) == 1 else f"at {len(rates)} rates, most at"
    told.found.append(
        f"Sounds of {min(seconds):.2g} to {max(seconds):.2g} s, {at} {rates.most_common(1)[0][0]:,} Hz; each becomes "
        f"{prepare.length / prepare.rate:.3g} s at {prepare.rate:,} Hz, one channel: shorter ones amid silence, of longer ones "
        "the loudest part."
    )
    if silent := [one.path for one, ear in zip(files, heard, strict=True) if ear.silent]:
        told.warned.append(
            f"{len(silent):,} of {len(files):,} sounds are silent from beginning to end, {quote(silent[0])} first."
        )
    named = [Found(one.path, part, one.label) for one, part in zip(files, parts, strict=True)]
    return Gathered(prepare, named, [one.label for one in files], parts, "sounds", own_parts(files), left_out)
