"""Examples that are the same as others: within a split they count double, across splits they make scores lie."""

from collections import defaultdict
from collections.abc import Sequence

from nas.datasets.declaration import Pictures, Sounds
from nas.datasets.gathered import Gathered, Told
from nas.datasets.listing import Found
from nas.datasets.reading import Rowed
from nas.errors import quote


def warn_of_twins(gathered: Gathered, files: Sequence[tuple[Found, str]], told: Told) -> None:
    """Files of equal content in several splits or classes."""
    if isinstance(gathered.prepare, Pictures | Sounds):
        _warn_of_equal([(digest, one.part, one.label, one.path) for one, digest in files], gathered.what, told)


def warn_of_equal_rows(rowed: Rowed, names: Sequence[str], told: Told) -> None:
    """Rows that are equal in the columns called `names`."""
    places = [rowed.grid.names.index(name) for name in names]
    found = []
    for n, part, label in zip(rowed.rows, rowed.parts, rowed.labels, strict=True):
        row = rowed.grid.rows[n]
        found.append(("\0".join(row[place] for place in places), part, label, f"line {rowed.grid.lines[n]}"))
    _warn_of_equal(found, "examples", told)


def _warn_of_equal(found: Sequence[tuple[str, str | None, str, str]], what: str, told: Told) -> None:
    groups: defaultdict[str, list[tuple[str | None, str, str]]] = defaultdict(list)
    for mark, part, label, name in found:
        groups[mark].append((part, label, name))
    across = [group for group in groups.values() if len({part for part, _, _ in group}) > 1]
    odd = [group for group in groups.values() if len({label for _, label, _ in group}) > 1]
    twins = sum(len(group) - 1 for group in groups.values())
    if across:
        first = across[0]
        told.warned.append(
            f"{sum(map(len, across)):,} {what} stand in several splits, such as {quote(first[0][2])} and {quote(first[1][2])}: "
            "scores on them say little of new ones."
        )
    elif twins:
        told.warned.append(f"{twins:,} {what} are the same as another; those that are the same are in one split.")
    if odd:
        first = odd[0]
        told.warned.append(
            f"{len(odd):,} time{'s' if len(odd) > 1 else ''} the same is of several classes, such as {quote(first[0][2])} and "
            f"{quote(next(name for _, label, name in first if label != first[0][1]))}."
        )
