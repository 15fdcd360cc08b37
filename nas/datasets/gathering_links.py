"""Triples of a knowledge graph → what a benchmark needs to know of them."""

from nas.datasets.declaration import Links
from nas.datasets.gathered import Gathered, Say, Told, Wishes, own_parts
from nas.datasets.graphs import graph_of, graphs_of, read_lists
from nas.datasets.listing import PARTS, Listing, Part


def gather_links(listing: Listing, wishes: Wishes, told: Told, say: Say) -> Gathered:  # noqa: ARG001 - as all kinds are gathered
    """Triples, and how many entities and relations there are in them.

    Raises:
        BenchmarkError: there are none, or a line is none.
    """
    files = graphs_of(listing)
    lists = read_lists(listing.folder, files)
    task = graph_of(lists)
    labels: list[str] = []
    parts: list[Part] = []
    for part in PARTS:
        relations_N = task.examples(part).inputs[::2, 1].tolist()  # of the two queries of each
        labels += [task.relations[relation] for relation in relations_N]
        parts += [part] * len(relations_N)
    prepare = Links(entities=len(task.entities), relations=len(task.relations))
    told.found.append(
        f"Triples of {prepare.relations:,} relations between {prepare.entities:,} entities; each is asked for from both ends."
    )
    if repeated := sum(len(triples) - len(set(triples)) for triples in lists.values()):
        told.warned.append(f"Lines that repeat a triple count once; there are {repeated:,} of them.")
    return Gathered(prepare, files, labels, parts, "triples", own_parts(files))
