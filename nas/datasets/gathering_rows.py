"""Tables of texts and of numbers → what a benchmark needs to know of them."""

from nas.datasets import tables, texts
from nas.datasets.declaration import Rows, Texts
from nas.datasets.gathered import Gathered, Say, Told, Wishes, own_parts, refuse
from nas.datasets.listing import Listing, tables_of
from nas.datasets.reading import Rowed, arrange, read_rows, texts_taken
from nas.datasets.twins import warn_of_equal_rows
from nas.errors import BenchmarkError, quote


def gather_texts(listing: Listing, wishes: Wishes, told: Told, say: Say) -> Gathered:  # noqa: ARG001 - as all kinds are gathered
    """Rows of texts by class, and the vocabulary of those that are trained on.

    Raises:
        BenchmarkError: columns are not to be found, or rows lack something.
    """
    files = tables_of(listing)
    grid, given = read_rows(listing.folder, files)
    text, label = texts.choose_columns(grid, wishes.text, wishes.target)
    taken, empty = texts_taken(grid, text, label)
    if empty:
        refuse([f"line {grid.lines[n]} lacks a text or a label" for n in empty], f" of {len(grid.rows):,} rows", wishes, told)
    rowed = arrange(grid, given, label, taken, same_by=[text])
    check_labels(rowed, label)
    rows, _ = rowed.of("train")
    column = grid.column(text)
    trained = [texts.words_of(column[n]) for n in rows]
    vocabulary = texts.make_vocabulary(trained)
    length = wishes.length or texts.choose_length(trained)
    prepare = Texts(text=text, label=label, length=length, words=len(vocabulary), sha256="")
    longer = sum(len(words) > length for words in trained) / len(trained)
    told.found.append(
        f"Texts in the column {quote(text)}, classes in {quote(label)}; a vocabulary of {len(vocabulary):,} words of the "
        f"training texts; of each text the first {length} words ({100 * longer:.2g} % have more)."
    )
    warn_of_equal_rows(rowed, [text], told)
    return Gathered(prepare, files, list(rowed.labels), list(rowed.parts), "texts", own_parts(files), vocabulary=vocabulary)


def gather_rows(listing: Listing, wishes: Wishes, told: Told, say: Say) -> Gathered:  # noqa: ARG001 - as all kinds are gathered
    """Rows of numbers with a class, or a number, that is to be told.

    Raises:
        BenchmarkError: columns are not to be found, are of no use, or rows lack something.
    """
    files = tables_of(listing)
    grid, given = read_rows(listing.folder, files)
    target = tables.choose_target(grid, wishes.target)
    for name in wishes.without:
        if name == target:
            raise BenchmarkError(f"The column {quote(name)} is the target and cannot be left out; name another by --target.")
    used = [name for name in grid.names if name not in wishes.without]
    lacking = tables.check_cells(grid, used)
    if lacking and not wishes.skip:
        raise BenchmarkError(
            f"{tables.lacking_words(grid, used, lacking)}. Fill them in, leave the rows out by --skip-unreadable, or the column "
            "by --without."
        )
    if lacking:
        told.warned.append(f"{tables.lacking_words(grid, used, lacking)}. Left out.")
    missing = set(lacking)
    taken = [n for n in range(len(grid.rows)) if n not in missing]
    if not taken:
        raise BenchmarkError(f"Every row of {grid.file} lacks a value; leave columns out by --without.")
    classes = tables.are_classes([grid.column(target)[n] for n in taken])
    rowed = arrange(grid, given, target, taken, same_by=grid.names, classes=classes)
    if classes:
        check_labels(rowed, target)
    rows, labels = rowed.of("train")
    columns, unused, said = tables.choose_features(grid, rows, target, wishes.without)
    mean, deviation = (None, None) if classes else tables.mean_and_deviation(labels)
    prepare = Rows(target=target, columns=columns, unused=unused, mean=mean, deviation=deviation)
    texts_of = sum(one.values is not None for one in columns)
    of_texts = f", {texts_of} of them texts that become a feature a value" if texts_of else ""
    told.found.append(
        f"Rows of {len(columns)} columns{of_texts}; {'the class' if classes else 'the number'} in {quote(target)} is to be told."
    )
    told.warned += said
    warn_of_equal_rows(rowed, [one.name for one in columns], told)
    return Gathered(prepare, files, list(rowed.labels), list(rowed.parts), "rows", own_parts(files))


def check_labels(rowed: Rowed, label: str) -> None:
    """Refuse a column of labels that are as good as all different.

    Raises:
        BenchmarkError: they are.
    """
    if len(set(rowed.labels)) > max(2, len(rowed.labels) // 3):
        raise BenchmarkError(
            f"The column {quote(label)} has {len(set(rowed.labels)):,} different values in {len(rowed.labels):,} rows, too many "
            "for classes; name another by --target."
        )
