"""What was found and made, in words."""

import os
from collections import Counter
from collections.abc import Mapping, Sequence

from nas.datasets.choosing import UNEVEN
from nas.datasets.declaration import Captions, Declaration, Links, Pictures, Sounds, TextPairs, Texts
from nas.datasets.gathered import Gathered, Told
from nas.datasets.graphs import GRAPHS
from nas.datasets.listing import PARTS, PICTURES, SOUNDS, TABLES, Kind, Listing, Part
from nas.errors import printable


def warn_of_files_aside(listing: Listing, kind: Kind, told: Told) -> None:
    """Files that are no data of this kind."""
    read = {"images": PICTURES, "audio": SOUNDS, "triples": GRAPHS, "pairs": TABLES | PICTURES}.get(kind, TABLES)
    left = set(listing.files) - set(listing.of(read))
    aside = Counter(os.path.splitext(file)[1].lower() or "without ending" for file in left)
    if aside:
        ends = ", ".join(end for end, _ in aside.most_common(4))
        told.warned.append(f"{aside.total():,} other file{'s' if aside.total() > 1 else ''} ({ends}) left alone.")


def describe(
    gathered: Gathered, counts: Mapping[str, int], unevenness: float | None, sizes: Mapping[Part, int], told: Told
) -> None:
    """Examples, classes and splits."""
    total = sum(sizes.values())
    if counts:
        least, most = (by(counts, key=lambda name: (counts[name], name)) for by in (min, max))
        each = (
            f"{counts[least]:,} each"
            if counts[least] == counts[most]
            else f"from {counts[least]:,} ({printable(least)[:40]}) to {counts[most]:,} ({printable(most)[:40]})"
        )
        told.found.insert(0, f"{total:,} {gathered.what} in {len(counts)} classes, {each}.")
        if unevenness is not None and unevenness > UNEVEN:
            told.warned.append(
                f"Classes are uneven, {unevenness:.3g} to 1: accuracy would hide the small ones, and balanced_accuracy steers."
            )
    else:
        told.found.insert(0, f"{total:,} {gathered.what}.")
    drawn = [part for part in PARTS if part != "train" and part not in gathered.given]
    how = f"{' and '.join(drawn)} drawn with a fixed seed{', stratified' if counts else ''}" if drawn else "as the data part them"
    told.found.append(
        f"{sizes['train']:,} for training, {sizes['validation']:,} for validation, {sizes['test']:,} for the test: {how}."
    )
    if min(sizes["validation"], sizes["test"]) < 50:
        told.warned.append(
            f"A split of {min(sizes['validation'], sizes['test'])} examples tells little: more data would say more."
        )


def summary(gathered: Gathered, classes: Sequence[str]) -> str:
    """What examples are, and how many there are of them."""
    total, prepare = f"{len(gathered.labels):,} {gathered.what}", gathered.prepare
    of = f" in {len(classes)} classes" if classes else ""
    if isinstance(prepare, Pictures):
        return f"{total} of {summary_of(prepare)}{of}"
    if isinstance(prepare, Sounds):
        return f"{total} of {prepare.length / prepare.rate:.3g} s at {prepare.rate:,} Hz{of}"
    if isinstance(prepare, Texts):
        return f"{total}{of}, by their first {prepare.length} words of {prepare.words:,}"
    if isinstance(prepare, Links):
        return f"{total} of {prepare.relations:,} relations between {prepare.entities:,} entities"
    if isinstance(prepare, TextPairs):
        return f"{total}, of at most {prepare.place} and {prepare.said} of {prepare.characters:,} characters"
    if isinstance(prepare, Captions):
        pixels = prepare.pixels
        return f"{total} of pictures of {summary_of(pixels)}, by their first {prepare.length} words of {prepare.words:,}"
    return f"{total} of {len(prepare.columns)} columns{of or f', {printable(prepare.target)} to be told'}"


def summary_of(pictures: Pictures) -> str:
    """How large they are."""
    return f"{pictures.width}×{pictures.height} {'grey' if pictures.channels == 1 else 'coloured'} pixels"


def figures_text(figures: Mapping[str, float]) -> str:
    """Figures by name, on one line."""
    return ", ".join(f"{name} {value:g}" for name, value in figures.items())


def readme(declared: Declaration, sizes: Mapping[Part, int], counts: Mapping[str, int], told: Told) -> str:
    """What a benchmark says of itself to people."""
    lines = "".join(f"- {line}\n" for line in (*told.found, *told.warned))
    shares = "".join(f"| {printable(name).replace('|', '¦')} | {count:,} |\n" for name, count in counts.items())
    return f"""# {declared.name}

{declared.summary[0].upper()}{declared.summary[1:]}.

- **Data**: {declared.source}; licence: {declared.licence}. They are not copied: `files.tsv` has the SHA-256 of each file, and
  benchmark.yaml where they lie. A file that changes, comes or goes is told.
- **Splits** (version {declared.version}): {sizes["train"]:,} training, {sizes["validation"]:,} validation, {sizes["test"]:,} test
  examples; what the data do not part by themselves is drawn with a fixed seed, stratified.
- **Objective**: `{declared.objectives[0].figure}`.
- **Budget**: {declared.budget} in a search, {declared.final_budget} for finalists.
- **Floor**: {figures_text(declared.floor)}, by {declared.floor_by}.

{lines}
{f"| class | examples |{chr(10)}|---|---:|{chr(10)}{shares}" if counts else ""}
Changing the data, the splits, the recipe or the metric raises the version; `nas benchmarks new … --replace` makes the next one.
"""
