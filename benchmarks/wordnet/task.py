"""The links of WordNet between the meanings of common words, each pair of meanings once, in a fixed split."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from nas.errors import BenchmarkError, DataMissing
from nas.protocols.triples import LinkPrediction, Triple, link_prediction, split_triples
from nas.training import digest_tensors, find_data

FILES = ("data.noun", "data.verb", "data.adj", "data.adv", "cntlist.rev")

DEBIAN = Path("/usr/share/wordnet")
"""Where Debian's package wordnet-base lays them."""

RELATIONS: Mapping[str, str] = {
    "@": "hypernym",
    "@i": "instance_hypernym",
    "#m": "member_holonym",
    "#s": "substance_holonym",
    "#p": "part_holonym",
    "+": "derivationally_related_form",
    "!": "antonym",
    "=": "attribute",
    "*": "entailment",
    ">": "cause",
    "^": "also_see",
    "$": "verb_group",
    "&": "similar_to",
    "<": "participle_of_verb",
    "\\": "pertainym",
    ";c": "domain_topic",
    ";r": "domain_region",
    ";u": "domain_usage",
}
"""Pointers by their symbols in WordNet's files (wninput(5)); those that are another's inverse, such as hyponyms, are left out."""

TYPES = {"n": 1, "v": 2, "a": 3, "r": 4, "s": 5}
"""Parts of speech as sense keys number them (senseidx(5))."""

LEAST = 3
"""Links of each meaning that is kept, to others that are."""

DIGEST = "7134375ceee83632eed7cdd9788162b2e315e4836a42b69eb63fc12749b47b16"
"""SHA-256 of the examples of version 1."""


def load(data: Path | None) -> LinkPrediction:
    """The task, from the files of WordNet 3.0 in the folder `data`, else in NAS_DATA's folder, else where Debian lays them.

    Raises:
        DataMissing: the files are nowhere; says how to get them.
        BenchmarkError: they are no files of WordNet, or of another version.
    """
    found = find_data(data, *FILES) or (find_data(DEBIAN, *FILES) if data is None else None)
    if found is None:
        raise DataMissing(
            f"The files of WordNet 3.0 are not {f'in {data}' if data else 'on this machine'}; apt-get install wordnet-base, or "
            f"name the folder with {', '.join(FILES)} by --data."
        )
    task = link_prediction(*split_triples(links(found[0].parent)))
    if (seen := digest(task)) != DIGEST:
        raise BenchmarkError(
            f"{found[0].parent} holds other links than those of version 1 of wordnet ({seen[:12]}, not {DIGEST[:12]}); take the "
            "files of WordNet 3.0."
        )
    return task


def digest(task: LinkPrediction) -> str:
    """What tells its examples from others."""
    splits = {split: task.examples(split) for split in ("train", "validation", "test")}
    return digest_tensors({f"{name}.{part}": value for name, one in splits.items() for part, value in vars(one).items()})


@dataclass(frozen=True)
class Synset:
    """A meaning: what it is called, and where it points to."""

    name: str
    pointers: tuple[tuple[str, str], ...]
    """Symbol, and the place of the other meaning."""


def links(folder: Path) -> list[Triple]:
    """Links between meanings that occur in the texts in which people have told meanings apart (SemCor and others).

    Of meanings that several relations join, one way or both, one link is kept. Meanings with fewer than LEAST links are left out,
    and again, until all have as many (the 3-core).

    Raises:
        BenchmarkError: a file cannot be read, or is none of WordNet's.
    """
    try:
        synsets = dict(_synsets(folder))
    except (OSError, ValueError, IndexError) as error:
        raise BenchmarkError(f"{folder} holds no files of WordNet 3.0: {error}.") from error
    pairs: dict[tuple[str, ...], Triple] = {}
    for synset in synsets.values():
        for symbol, place in synset.pointers:
            other = synsets.get(place)
            if symbol in RELATIONS and other is not None and other.name != synset.name:
                triple = (synset.name, RELATIONS[symbol], other.name)
                both = tuple(sorted((synset.name, other.name)))
                pairs[both] = min(triple, pairs.get(both, triple))
    while True:
        counts = Counter(name for pair in pairs for name in pair)
        kept = {pair: triple for pair, triple in pairs.items() if min(counts[name] for name in pair) >= LEAST}
        if len(kept) == len(pairs):
            return sorted(pairs.values())
        pairs = kept


def _synsets(folder: Path) -> Iterator[tuple[str, Synset]]:
    """Place (offset and part of speech) → meaning, of those that were found in texts."""
    used = set(_used(folder / FILES[-1]))
    for file in FILES[:-1]:
        for line in (folder / file).read_text(encoding="utf-8").splitlines():
            if line.startswith("  "):
                continue  # the licence
            cells = line.partition(" | ")[0].split()
            offset, lexicographer, kind, words = *cells[:3], int(cells[3], 16)
            forms = [(cells[4 + 2 * n].partition("(")[0], int(cells[5 + 2 * n], 16)) for n in range(words)]
            keys = (f"{word.lower()}%{TYPES[kind]}:{lexicographer}:{number:02d}::" for word, number in forms)
            if used.isdisjoint(keys):
                continue
            begin = 5 + 2 * words
            points = (cells[begin + 4 * n : begin + 4 * n + 3] for n in range(int(cells[begin - 1])))
            part = "a" if kind == "s" else kind
            pointers = tuple((symbol, place + ("a" if other == "s" else other)) for symbol, place, other in points)
            yield offset + part, Synset(f"{forms[0][0]}.{part}.{offset}", pointers)


def _used(path: Path) -> Iterator[str]:
    """Keys of the senses that were found in texts (cntlist(5))."""
    for line in path.read_text(encoding="utf-8").splitlines():
        key, _, _ = line.split()
        yield key
