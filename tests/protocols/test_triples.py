from pathlib import Path

import pytest
import torch
from graphs import PEOPLE, task, triples

from nas.benchmark import Features, Query, Signature
from nas.errors import BenchmarkError
from nas.protocols.triples import Triple, link_prediction, read_triples, split_triples
from nas.training import Split

CPU = torch.device("cpu")


def every_query() -> torch.Tensor:
    return torch.cartesian_prod(torch.arange(PEOPLE), torch.arange(6))


def test_a_triple_is_asked_for_from_both_ends() -> None:
    graph = task()
    assert graph.signature == Signature(Query(9, 3), Features(9))
    assert graph.relations == ("hates", "knows", "likes")
    asked = graph.examples("validation")
    assert asked.inputs.tolist() == [[0, 1], [1, 4], [0, 2], [2, 5]]
    assert asked.targets.tolist() == [1, 0, 2, 0]
    assert len(graph.examples("train")) == 2 * 23


@pytest.mark.parametrize(("split", "count"), [("train", 23), ("validation", 25), ("test", 27)])
def test_what_is_known_is_of_the_split_and_those_before_it(split: Split, count: int) -> None:
    graph = task()
    known = graph.known(split, CPU)
    answers = known.answers(every_query())
    expected = torch.zeros_like(answers)
    splits: tuple[Split, ...] = ("train", "validation", "test")
    for one in splits[: splits.index(split) + 1]:
        examples = graph.examples(one)
        expected[examples.inputs[:, 0] * 6 + examples.inputs[:, 1], examples.targets] = True
    assert answers.sum() == 2 * count
    assert torch.equal(answers, expected)
    everybody = torch.arange(PEOPLE).expand(len(answers), -1)
    assert torch.equal(known.holds(every_query(), everybody), expected)


def test_a_known_answer_does_not_compete_and_the_test_is_not_known_before_its_time() -> None:
    graph = task()
    asked = torch.tensor([[0, 1]])  # whom p0 knows: p1, of the validation
    others = torch.tensor([[0, 2]])  # whom p0 likes: p2, of the validation

    def ranked(split: Split, scores: list[float], query: torch.Tensor, right: int) -> float:
        return graph.filtered(split)(iter([(query, torch.tensor([scores]), torch.tensor([right]))]))["mrr"]

    first_is_p1 = [0.0, 9.0, 5.0, *[0.0] * 6]
    assert ranked("validation", first_is_p1, asked, 1) == 1
    assert ranked("validation", first_is_p1, asked, 2) == 1
    assert ranked("validation", first_is_p1, others, 2) == 0.5
    hidden = torch.tensor([[1, 1]])  # whom p1 knows: p2, which is in the test alone
    assert graph.examples("test").inputs.tolist()[2] == [1, 1]
    assert ranked("validation", [0.0, 0.0, 9.0, 5.0, *[0.0] * 5], hidden, 3) == 0.5
    assert ranked("test", [0.0, 0.0, 9.0, 5.0, *[0.0] * 5], hidden, 3) == 1


def test_training_triples_are_mixed_in_a_fixed_order_of_which_every_beginning_has_all_relations() -> None:
    first, again = task().examples("train"), task().examples("train")
    assert torch.equal(first.inputs, again.inputs)
    assert set(first.inputs[:6, 1].tolist()) == {0, 1, 2, 3, 4, 5}


def swapped(**changed: list[Triple]) -> dict[str, list[Triple]]:
    every = triples()
    return {"train": every[4:], "validation": every[:2], "test": every[2:4], **changed}


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"test": []}, r"needs triples in each split, test has none"),
        ({"test": triples()[:1]}, r"No triple stands in two splits, 'p0 knows p1' is in validation and test"),
        ({"test": [("p0", "knows", "nobody")]}, r"Every entity must be in a training triple, 'nobody' is in test alone"),
        ({"validation": [("p0", "owes", "p1")]}, r"Every relation must be in a training triple, 'owes' is in validation alone"),
    ],
)
def test_lists_that_are_no_task_are_refused(changed: dict[str, list[Triple]], message: str) -> None:
    with pytest.raises(BenchmarkError, match=message):
        link_prediction(**swapped(**changed))


def test_a_split_leaves_every_entity_in_training_and_no_inverse_behind() -> None:
    both_ways = [*triples(), *((tail, "known_by", head) for head, relation, tail in triples() if relation == "knows")]
    splits = split_triples(both_ways, validation=0.2, test=0.2)
    assert splits == split_triples(reversed(both_ways), validation=0.2, test=0.2)
    assert sorted(triple for split in splits for triple in split) == sorted(both_ways)
    assert {name for head, _, tail in splits[0] for name in (head, tail)} == {f"p{n}" for n in range(PEOPLE)}
    assert all(split for split in splits)
    pairs = [{frozenset((head, tail)) for head, _, tail in split} for split in splits]
    assert not pairs[0] & pairs[2]
    assert not pairs[0] & pairs[1]
    assert link_prediction(*splits).signature.input == Query(9, 4)
    assert split_triples(both_ways, validation=0.2, test=0.2, seed=1) != splits


@pytest.mark.parametrize(("validation", "test"), [(0, 0.1), (0.5, 0.5), (-1, 0.1)])
def test_shares_that_leave_nothing_are_refused(validation: float, test: float) -> None:
    with pytest.raises(BenchmarkError, match="Shares are above 0"):
        split_triples(triples(), validation=validation, test=test)


def test_too_few_triples_are_refused() -> None:
    with pytest.raises(BenchmarkError, match="too few"):
        split_triples([("a", "r", "b"), ("c", "r", "d")])


def test_triples_are_read_from_tabs(tmp_path: Path) -> None:
    file = tmp_path / "graph.tsv"
    file.write_text("a b\tr\tc\textra\n\nc\tr\td\n")
    assert read_triples(file) == [("a b", "r", "c"), ("c", "r", "d")]
    assert read_triples(file, columns=(2, 1, 0)) == [("c", "r", "a b"), ("d", "r", "c")]
    file.write_text("a,r,c\n")
    with pytest.raises(
        BenchmarkError, match=r"^graph.tsv, line 1: head, relation and tail with tabs between are wanted, got 'a,r,c'"
    ):
        read_triples(file)
    with pytest.raises(BenchmarkError, match=r"^none.tsv cannot be read as text"):
        read_triples(tmp_path / "none.tsv")
