"""A small graph with a rule: nine people in a circle, each of whom knows the next and likes the one after that."""

from pathlib import Path

from nas.protocols.triples import LinkPrediction, Triple, link_prediction

PEOPLE = 9


def triples() -> list[Triple]:
    steps = {"knows": 1, "likes": 2, "hates": 4}
    return [(f"p{n}", relation, f"p{(n + by) % PEOPLE}") for n in range(PEOPLE) for relation, by in steps.items()]


def task() -> LinkPrediction:
    """27 triples, of which two are for validation and two for the test."""
    every = triples()
    return link_prediction(every[4:], every[:2], every[2:4])


def load(_: Path | None) -> LinkPrediction:
    """What a benchmark names."""
    return task()
