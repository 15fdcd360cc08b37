from collections.abc import Iterator
from typing import Any

import pytest
import torch
from little import AUGMENTED, RECIPE, TASK, equal, examples, network, trained
from torch import Tensor
from torch.utils.data import Dataset

from nas.benchmark import Budget
from nas.errors import BenchmarkError
from nas.training import Examples, Method, evaluate, feed, train
from nas.training import feeding as module

CPU = torch.device("cpu")


class OnDisk(Dataset[Any]):
    """Examples that are read one at a time; which ones were is kept."""

    def __init__(self, of: Examples) -> None:
        self.of = of
        self.read: list[int] = []

    def __len__(self) -> int:
        return len(self.of)

    def __getitem__(self, number: int) -> tuple[Tensor, Tensor]:
        self.read.append(number)
        return self.of.inputs[number], self.of.targets[number]


def test_examples_lie_in_memory_and_a_small_data_set_is_taken_there() -> None:
    assert feed(examples(), CPU).kind == "memory"
    dataset = OnDisk(examples())
    fed = feed(dataset, CPU)
    assert fed.kind == "memory"
    assert sorted(set(dataset.read)) == list(range(40))
    dataset.read.clear()
    (inputs, targets), *rest = fed.batches([torch.tensor([3, 1])])
    assert not rest
    assert torch.equal(inputs, examples().inputs[[3, 1]])
    assert torch.equal(targets, examples().targets[[3, 1]])
    assert dataset.read == []


@pytest.mark.parametrize(
    ("free", "kind"), [(4 * 40 * (16 * 4 + 8), "memory"), (4 * 40 * (16 * 4 + 8) - 1, "stream"), (None, "stream")]
)
def test_a_data_set_streams_where_it_would_fill_more_than_a_quarter_of_what_is_free(
    monkeypatch: pytest.MonkeyPatch, free: int | None, kind: str
) -> None:
    monkeypatch.setattr(module, "free_bytes", lambda _: free)
    assert feed(OnDisk(examples()), CPU).kind == kind


def test_a_stream_reads_what_is_asked_for_and_no_more() -> None:
    dataset = OnDisk(examples())
    fed = feed(dataset, CPU, "stream")
    assert (fed.kind, len(fed), len(fed.first(0.5))) == ("stream", 40, 20)
    batches = list(fed.first(0.5).batches([torch.tensor([7, 2]), torch.tensor([5])]))
    assert dataset.read == [7, 2, 5]
    assert [len(targets) for _, targets in batches] == [2, 1]
    assert list(fed.batches([])) == []


@pytest.mark.parametrize("loading", ["memory", "stream"])
def test_a_process_that_has_no_share_of_a_batch_is_given_no_example(loading: str) -> None:
    fed = feed(OnDisk(examples()), CPU, loading)  # type: ignore[arg-type]
    (none, no_targets), (one, _) = fed.batches([torch.tensor([], dtype=torch.int64), torch.tensor([3])])
    assert (tuple(none.shape), tuple(no_targets.shape)) == ((0, 1, 4, 4), (0,))
    assert torch.equal(one, examples().inputs[3:4])


@pytest.mark.parametrize("loading", ["memory", "stream"])
def test_a_network_learns_the_same_however_it_is_fed(loading: str) -> None:
    expected, found = network(), network()
    trained(expected, recipe=AUGMENTED)
    given = {"budget": Budget(epochs=3), "seed": 0}
    fed = [feed(OnDisk(data), CPU, loading) for data in (examples(), examples(20, seed=1))]  # type: ignore[arg-type]
    training = train(found, Method(TASK, AUGMENTED), *fed, **given)
    assert equal(found, expected)
    assert training.figures == evaluate(expected, TASK, examples(20, seed=1), "validation")


def test_processes_that_read_ahead_change_nothing() -> None:
    expected, found = network(), network()
    trained(expected)
    streamed = module.Streamed(OnDisk(examples()), CPU, workers=2)
    train(found, Method(TASK, RECIPE), streamed, examples(20, seed=1), budget=Budget(epochs=3), seed=0)
    assert equal(found, expected)


def test_data_of_unknown_length_are_refused() -> None:
    def endless() -> Iterator[int]:
        yield 1

    with pytest.raises(
        BenchmarkError, match=r"^A task gives Examples or a data set with a length that is read by number, got generator"
    ):
        feed(endless(), CPU)  # type: ignore[arg-type]


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("loading", ["memory", "stream"])
def test_examples_come_to_the_gpu(loading: str) -> None:
    fed = feed(examples(), torch.device("cuda:0"), loading)  # type: ignore[arg-type]
    for inputs, targets in fed.batches([torch.arange(8)]):
        torch.cuda.synchronize()
        assert inputs.device == targets.device == torch.device("cuda:0")
        assert torch.equal(inputs.cpu(), examples().inputs[:8])
