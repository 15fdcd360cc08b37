import pytest
import torch
from little import TASK, examples, linear
from torch import Tensor, nn

from nas.training import evaluate


class Narrow(nn.Module):
    """A network for which memory suffices up to a batch of `most`."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self.most = most
        self.inner = linear()
        self.sizes: list[int] = []

    def forward(self, inputs: Tensor) -> Tensor:
        self.sizes.append(len(inputs))
        if len(inputs) > self.most:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        outputs: Tensor = self.inner(inputs)
        return outputs


def test_batches_that_do_not_fit_into_memory_are_halved_and_the_figures_are_those_of_all_examples() -> None:
    narrow = Narrow(12)
    figures = evaluate(narrow, TASK, examples(50), "validation")
    assert narrow.sizes == [50, 25, 12, 12, 12, 12, 2]
    assert figures == pytest.approx(evaluate(linear(), TASK, examples(50), "validation"), rel=1e-6)


@pytest.mark.parametrize("count", [1, 50])
def test_where_not_even_one_example_fits_that_is_told(count: int) -> None:
    narrow = Narrow(0)
    with pytest.raises(torch.OutOfMemoryError):
        evaluate(narrow, TASK, examples(count), "validation")
    assert narrow.sizes[-1] == 1


def test_another_error_is_not_tried_again() -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(3, 2))
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        evaluate(network, TASK, examples(), "validation")
