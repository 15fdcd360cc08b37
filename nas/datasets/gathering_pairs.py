"""Pairs of texts, and pictures with captions → what a benchmark needs to know of them."""

from nas.datasets import pairs, texts
from nas.datasets.declaration import Captions, TextPairs
from nas.datasets.gathered import Gathered, Say, Told, Wishes, check_bytes, own_parts, refuse
from nas.datasets.gathering_files import see_pictures
from nas.datasets.grids import Grid
from nas.datasets.listing import Found, Listing, Part, digest_file, tables_of
from nas.datasets.pictures import with_moments
from nas.datasets.reading import captions_rowed, pairs_rowed, pairs_taken, read_rows
from nas.errors import BenchmarkError, quote


def gather_pairs(listing: Listing, wishes: Wishes, told: Told, say: Say) -> Gathered:
    """Pairs of texts, or, where a column names pictures of the folder, of a picture and its caption.

    Raises:
        BenchmarkError: columns are not to be found, or what is in them cannot be read.
    """
    files = tables_of(listing)
    grid, given = read_rows(listing.folder, files)
    pictured = pairs.Pictured(listing.files)
    if picture := pictured.column(grid):
        return _captions(listing, files, grid, given, pictured, picture, wishes, told, say)
    return _texts(files, grid, given, wishes, told)


def _texts(files: list[Found], grid: Grid, given: list[Part | None], wishes: Wishes, told: Told) -> Gathered:
    source, target = pairs.choose_pair(grid, wishes.text, wishes.target)
    both = [tuple(map(pairs.plain, pair)) for pair in zip(grid.column(source), grid.column(target), strict=True)]
    whole = [n for n, pair in enumerate(both) if all(pair)]
    if len(whole) < len(both):
        lacking = sorted(set(range(len(both))) - set(whole))
        refuse([f"line {grid.lines[n]} lacks a text" for n in lacking], f" of {len(both):,} pairs", wishes, told)
    place, said = (wishes.length or pairs.choose_length([len(both[n][side]) for n in whole]) for side in (0, 1))
    prepare = TextPairs(source=source, target=target, place=place, said=said, characters=1, sha256="")
    taken = pairs_taken(grid, prepare)
    if not taken:
        raise BenchmarkError(f"No pair of {grid.file} fits into {place} and {said} characters; read more by --length.")
    rowed = pairs_rowed(grid, given, prepare, taken)
    rows, _ = rowed.of("train")
    alphabet = pairs.make_alphabet((both[n][0], both[n][1]) for n in rows)
    longer = f" {len(whole) - len(taken):,} longer pairs are left out." if len(whole) > len(taken) else ""
    told.found.append(
        f"Texts in the column {quote(source)}, and what becomes of them in {quote(target)}, character by character: at most "
        f"{place} and {said}, of {len(alphabet):,} that stand in the training texts.{longer}"
    )
    prepare = prepare.model_copy(update={"characters": len(alphabet)})
    return Gathered(
        prepare, files, list(rowed.labels), list(rowed.parts), "pairs of texts", own_parts(files), vocabulary=alphabet
    )


def _captions(
    listing: Listing,
    files: list[Found],
    grid: Grid,
    given: list[Part | None],
    pictured: pairs.Pictured,
    picture: str,
    wishes: Wishes,
    told: Told,
    say: Say,
) -> Gathered:
    text = pairs.choose_caption(grid, picture, wishes.text)
    cells, captions = grid.column(picture), grid.column(text)
    lacking = [n for n, cell in enumerate(cells) if pictured.path(cell) is None or not texts.words_of(captions[n])]
    if lacking:
        problems = [f"line {grid.lines[n]} lacks a caption, or a picture that is there" for n in lacking]
        refuse(problems, f" of {len(cells):,} pairs", wishes, told)
    names = sorted({path for cell in cells if (path := pictured.path(cell)) is not None})
    pictures, pixels, left_out = see_pictures(listing, [Found(name, None) for name in names], wishes, told, say)
    pictured = pairs.Pictured(one.path for one in pictures)
    digests = {one.path: digest_file(listing.folder / one.path) for one in pictures}
    prepare = Captions(picture=picture, text=text, pixels=pixels, length=1, words=3, sha256="")
    rowed = captions_rowed(grid, given, prepare, digests)
    rows, _ = rowed.of("train")
    check_bytes(len(rowed.rows) * pixels.channels * pixels.height * pixels.width, "a smaller --size")
    trained = [texts.words_of(captions[n]) for n in rows]
    vocabulary = texts.make_vocabulary(trained)
    length = wishes.length or texts.choose_length(trained)
    shown = sorted({path for n in rows if (path := pictured.path(cells[n])) is not None})
    pixels = with_moments(pixels, (listing.folder / path for path in shown))
    prepare = prepare.model_copy(update={"pixels": pixels, "length": length, "words": len(vocabulary)})
    together = len(set(rowed.labels))
    told.found.append(
        f"Pictures named in the column {quote(picture)}, captions in {quote(text)}: the first {length} words of "
        f"{len(vocabulary):,}. {together:,} groups of what belongs together; each picture is to find its captions, and each "
        "caption its pictures."
    )
    all_files = [*files, *pictures]
    return Gathered(prepare, all_files, list(rowed.labels), list(rowed.parts), "captions", own_parts(files), left_out, vocabulary)
