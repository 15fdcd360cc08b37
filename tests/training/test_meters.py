"""Figures against scikit-learn, torchmetrics or a count by hand; of whole splits, and of splits that come in parts."""

import math
import subprocess
import sys
import warnings
from collections.abc import Iterator, Sequence

import numpy as np
import pytest
import torch
from sklearn import metrics as sklearn
from torch import Tensor
from torch.nn import functional

from nas.errors import BenchmarkError
from nas.training.meters import IGNORED, make_meter

CPU = torch.device("cpu")


def figures(names: Sequence[str], outputs: Tensor, targets: Tensor, sizes: Sequence[int] = ()) -> dict[str, float]:
    """By a meter that is fed parts of these sizes; without sizes, all at once."""
    meter = make_meter(names, CPU)
    for pair in zip(outputs.split(list(sizes) or len(outputs)), targets.split(list(sizes) or len(targets)), strict=True):
        meter.update(*pair)
    return meter.compute()


def one(name: str, outputs: Tensor, targets: Tensor, sizes: Sequence[int] = ()) -> float:
    return figures([name], outputs, targets, sizes)[name]


def drawn(count: int, classes: int, seed: int, *, absent: bool = False, ties: bool = False) -> tuple[Tensor, Tensor]:
    """Logits and classes; without the last class where one is `absent`, with many equal rows where there are `ties`."""
    generator = torch.Generator().manual_seed(seed)
    logits_NK = 2 * torch.randn(count, classes, generator=generator)
    classes_N = torch.randint(classes - absent, (count,), generator=generator)
    logits_NK[torch.arange(count), classes_N] += 1
    if absent:
        logits_NK[:, -1] -= 50
    return (logits_NK.round() if ties else logits_NK), classes_N


def by_scikit(name: str, logits_NK: Tensor, classes_N: Tensor) -> float:
    truth, answers = classes_N.numpy(), logits_NK.argmax(1).numpy()
    probabilities_NK = logits_NK.double().softmax(1).numpy()
    labels = range(logits_NK.shape[1])
    if of := {"auroc": sklearn.roc_auc_score, "average_precision": sklearn.average_precision_score}.get(name):
        ranked = [1] if len(labels) == 2 else [label for label in labels if (truth == label).any()]
        return float(np.mean([of(truth == label, probabilities_NK[:, label]) for label in ranked]))
    return float(
        {
            "accuracy": lambda: sklearn.accuracy_score(truth, answers),
            "balanced_accuracy": lambda: sklearn.balanced_accuracy_score(truth, answers),
            "f1": lambda: sklearn.f1_score(truth, answers, average="macro"),
            "loss": lambda: sklearn.log_loss(truth, probabilities_NK, labels=list(labels)),
        }[name]()
    )


@pytest.mark.parametrize("sizes", [(), (100, 100, 97, 3), (1, 299)], ids=["whole", "parts", "one first"])
@pytest.mark.parametrize(
    ("classes", "absent", "ties"),
    [(2, False, False), (2, False, True), (3, False, False), (3, True, False), (10, True, False), (10, False, True)],
)
@pytest.mark.parametrize("name", ["accuracy", "balanced_accuracy", "f1", "auroc", "average_precision", "loss"])
def test_figures_of_classes_are_those_of_scikit_learn(
    name: str, classes: int, absent: bool, ties: bool, sizes: tuple[int, ...]
) -> None:
    logits_NK, classes_N = drawn(300, classes, seed=classes, absent=absent, ties=ties)
    assert one(name, logits_NK, classes_N, sizes) == pytest.approx(by_scikit(name, logits_NK, classes_N), abs=1e-6)


def test_scikit_learn_calls_the_mean_over_classes_macro_and_one_versus_rest() -> None:
    """So that what these tests take as the truth is what the table says."""
    logits_NK, classes_N = drawn(300, 4, seed=0)
    scores = sklearn.roc_auc_score(classes_N, logits_NK.double().softmax(1), multi_class="ovr", average="macro")
    assert by_scikit("auroc", logits_NK, classes_N) == pytest.approx(scores)


def test_a_class_that_is_answered_and_never_wanted_counts_in_f1_and_not_in_balanced_accuracy() -> None:
    """Wanted 0 0 1 1, answered 0 0 1 2: F1 of 1, 2/3 and 0; recall of 1 and 1/2."""
    logits_NK = 9.0 * functional.one_hot(torch.tensor([0, 0, 1, 2]), 4)
    found = figures(["f1", "balanced_accuracy"], logits_NK, torch.tensor([0, 0, 1, 1]))
    assert found == {"f1": pytest.approx(5 / 9), "balanced_accuracy": pytest.approx(3 / 4)}


def test_auroc_by_hand_counts_a_tie_half() -> None:
    """Of two of class 1 and two others: 1 > −1, 1 > 0, 0 > −1 and 0 = 0 are 3.5 of 4 pairs."""
    margin_N = torch.tensor([1.0, 0.0, 0.0, -1.0])
    assert one("auroc", torch.stack((-margin_N, margin_N), 1), torch.tensor([1, 1, 0, 0])) == pytest.approx(3.5 / 4)


def test_auroc_tells_sure_answers_apart_and_does_not_care_how_sure_a_part_is() -> None:
    """In 32 bits the probabilities of the first two would both be 1; the second part's logits all look like probabilities."""
    margin_N = torch.tensor([30.0, 25.0, 0.4, 0.2])
    logits_NK = torch.stack((torch.zeros(4), margin_N), 1)
    assert one("auroc", logits_NK, torch.tensor([1, 0, 1, 0]), (2, 2)) == pytest.approx(3 / 4)


def test_scores_of_any_size_are_ranked_as_they_are() -> None:
    """Beyond 1, below 0, huge and near each other; of ties each counts half."""
    scores_N = torch.tensor([1e9, 1e9 + 100, -5.0, 3.0, 3.0, 0.5, -1e30, 2.0])
    classes_N = torch.tensor([1, 0, 0, 1, 0, 1, 0, 1])
    found = figures(["auroc", "average_precision"], scores_N[:, None], classes_N, (3, 5))
    assert found["auroc"] == pytest.approx(sklearn.roc_auc_score(classes_N, scores_N))
    assert found["average_precision"] == pytest.approx(sklearn.average_precision_score(classes_N, scores_N))


def test_scores_that_are_no_numbers_have_figures_that_are_none() -> None:
    found = figures(["auroc", "auroc_low"], torch.tensor([[1.0], [math.nan]]), torch.tensor([0, 1]))
    assert all(map(math.isnan, found.values()))


def test_the_interval_of_an_area_is_told_of_two_classes_alone() -> None:
    logits_NK, classes_N = drawn(90, 2, seed=0)
    found = figures(["auroc", "auroc_low", "auroc_high"], logits_NK, classes_N)
    assert found["auroc_low"] < found["auroc"] < found["auroc_high"]
    with pytest.raises(BenchmarkError, match=r"^auroc_low is of two classes, got 3; name another metric\.$"):
        one("auroc_low", *drawn(90, 3, seed=0))


def test_auroc_of_a_single_class_is_refused() -> None:
    with pytest.raises(BenchmarkError) as caught:
        one("auroc", torch.zeros(3, 4), torch.tensor([2, 2, 2]))
    assert str(caught.value) == "auroc needs examples of two classes, all are of class 2; name another metric."


@pytest.mark.parametrize("names", [["loss"], ["f1"], ["auroc"], ["rmse"]], ids=lambda names: names[0])
def test_a_meter_that_was_fed_nothing_has_no_figures(names: list[str]) -> None:
    with pytest.raises(BenchmarkError) as caught:
        make_meter(names, CPU).compute()
    assert str(caught.value) == "Figures are those of one target at least, got none; give the split examples."


def test_a_meter_whose_targets_are_all_ignored_has_no_figures() -> None:
    for name in ("accuracy", "balanced_accuracy"):
        with pytest.raises(BenchmarkError, match="Figures are those of one target at least"):
            one(name, torch.zeros(2, 3, 4), torch.full((2, 3), IGNORED))


def test_a_network_that_gives_no_numbers_has_figures_that_are_none() -> None:
    logits_NK = torch.full((4, 3), math.nan)
    found = figures(["accuracy", "loss", "perplexity", "f1", "auroc"], logits_NK, torch.tensor([0, 1, 2, 0]))
    assert math.isnan(found["loss"])
    assert math.isnan(found["perplexity"])
    assert math.isnan(figures(["rmse", "r2"], logits_NK, torch.randn(4, 3))["rmse"])


def test_perplexity_beyond_all_numbers_is_infinite() -> None:
    assert one("perplexity", torch.tensor([[0.0, 1e4]]), torch.tensor([0])) == math.inf


def test_bits_and_perplexity_by_hand() -> None:
    """Probabilities 1/2 and 1/8 are 1 and 3 bits, 2 in the mean; so that 4 tokens seem equally likely."""
    logits_NLK = torch.tensor([[[1.0, 1.0], [1.0, 7.0]]]).log()
    found = figures(["bits_per_byte", "perplexity", "accuracy"], logits_NLK, torch.tensor([[1, 0]]))
    assert found == {"bits_per_byte": pytest.approx(2.0), "perplexity": pytest.approx(4.0), "accuracy": 0.0}


def test_perplexity_is_torchmetrics() -> None:
    from torchmetrics.functional.text import perplexity

    generator = torch.Generator().manual_seed(0)
    logits_NLK, tokens_NL = torch.randn(7, 5, 11, generator=generator), torch.randint(11, (7, 5), generator=generator)
    tokens_NL[:, -2:] = IGNORED
    expected = perplexity(logits_NLK, tokens_NL, ignore_index=IGNORED).item()
    assert one("perplexity", logits_NLK, tokens_NL, (3, 4)) == pytest.approx(expected, rel=1e-6)


def test_ignored_positions_count_in_no_figure() -> None:
    names = ["accuracy", "loss", "balanced_accuracy", "f1"]
    logits_NK, classes_N = drawn(60, 4, seed=1)
    padded_NLK, padded_NL = logits_NK.reshape(20, 3, 4), classes_N.reshape(20, 3)
    padded_NLK = torch.cat((padded_NLK, torch.randn(20, 2, 4)), 1)
    padded_NL = torch.cat((padded_NL, torch.full((20, 2), IGNORED)), 1)
    assert figures(names, padded_NLK, padded_NL, (9, 11)) == pytest.approx(figures(names, logits_NK, classes_N), abs=1e-6)


def test_few_bits_are_summed_in_more() -> None:
    """Each loss is rounded by the network's 8 bits, and their sum is not."""
    logits_NK, classes_N = drawn(3_000, 10, seed=2)
    expected = functional.cross_entropy(logits_NK.bfloat16().double(), classes_N).item()
    assert one("loss", logits_NK.bfloat16(), classes_N, (1_000,) * 3) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("sizes", [(), (200, 90, 10)], ids=["whole", "parts"])
@pytest.mark.parametrize("scale", [1e-4, 1.0, 1e6])
@pytest.mark.parametrize("offset", [0.0, 1_000.0])
def test_figures_of_numbers_are_those_of_scikit_learn(sizes: tuple[int, ...], scale: float, offset: float) -> None:
    generator = torch.Generator().manual_seed(0)
    targets_NF = scale * (torch.randn(300, 3, generator=generator) + offset)
    outputs_NF = targets_NF + 0.3 * scale * torch.randn(300, 3, generator=generator)
    found = figures(["rmse", "mae", "r2"], outputs_NF, targets_NF, sizes)
    truth, answers = targets_NF.double().numpy(), outputs_NF.double().numpy()
    assert found["rmse"] == pytest.approx(sklearn.root_mean_squared_error(truth.ravel(), answers.ravel()), rel=1e-4)
    assert found["mae"] == pytest.approx(sklearn.mean_absolute_error(truth, answers), rel=1e-4)
    assert found["r2"] == pytest.approx(sklearn.r2_score(truth, answers), rel=1e-4)
    assert found["r2"] < 0.99


def test_torchmetrics_takes_small_errors_for_none() -> None:
    """Why R² is not torchmetrics' here; where this fails, it can be."""
    from torchmetrics.functional.regression import r2_score

    targets_N = 1e-4 * torch.arange(8.0)
    assert r2_score(targets_N.flip(0), targets_N).item() == 1
    assert one("r2", targets_N.flip(0)[:, None], targets_N[:, None]) == pytest.approx(-3)


def test_errors_by_hand() -> None:
    """Off by 1, −1, 3 and 1: squares of 12 and sizes of 6 over 4; of spreads 2 and 8, 10 and 2 are unexplained."""
    outputs_NF, targets_NF = torch.tensor([[2.0, -1.0], [6.0, 5.0]]), torch.tensor([[1.0, 0.0], [3.0, 4.0]])
    found = figures(["rmse", "mae", "r2"], outputs_NF, targets_NF)
    assert found == {"rmse": pytest.approx(math.sqrt(3)), "mae": pytest.approx(1.5), "r2": pytest.approx(1 - 5.25 / 2)}


def test_r2_of_a_number_that_never_changes_is_refused_and_other_errors_are_told() -> None:
    outputs_NF, targets_NF = torch.zeros(4, 2), torch.stack((torch.arange(4.0), torch.ones(4)), 1)
    assert one("mae", outputs_NF, targets_NF) == pytest.approx(10 / 8)
    with pytest.raises(BenchmarkError) as caught:
        one("r2", outputs_NF, targets_NF)
    assert str(caught.value) == "r2 needs targets that differ, one of their numbers is the same in all; name another metric."


def test_numbers_of_another_shape_are_refused_rather_than_repeated() -> None:
    with pytest.raises(BenchmarkError) as caught:
        one("rmse", torch.zeros(4, 1), torch.zeros(4))
    assert str(caught.value) == "Targets that are numbers have the outputs' shape, got (4,) for (4, 1); make both (N, F)."


def test_a_meter_keeps_scalars_of_logits_and_no_part_of_a_graph() -> None:
    """Of a language model, whose logits are the largest tensors there are."""
    meter = make_meter(["bits_per_token", "accuracy"], CPU)
    logits_NLK = torch.randn(5, 7, 11)
    meter.update(logits_NLK, torch.zeros(5, 7, dtype=torch.int64))
    kept = list(tensors(vars(meter)))
    assert kept
    assert all(tensor.numel() == 1 for tensor in kept)


def tensors(value: object) -> Iterator[Tensor]:
    """All that `value` holds, however deep."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, dict | list | tuple):
        for part in value.values() if isinstance(value, dict) else value:
            yield from tensors(part)
    elif hasattr(value, "__dict__"):
        yield from tensors(vars(value))


def test_accuracy_and_loss_load_no_torchmetrics() -> None:
    """It takes as long to import as torch."""
    script = (
        "import sys, torch; from nas.training.meters import make_meter; names = ['accuracy', 'loss', 'rmse'];"
        "meter = make_meter(names[:2], torch.device('cpu')); meter.update(torch.zeros(2, 3), torch.zeros(2, dtype=torch.int64));"
        "meter.compute(); sys.exit('torchmetrics' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


def test_no_figure_warns() -> None:
    """A class without examples, of which torchmetrics would."""
    logits_NK, classes_N = drawn(50, 5, seed=0, absent=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figures(["accuracy", "loss", "balanced_accuracy", "f1", "auroc"], logits_NK, classes_N, (20, 30))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_figures_on_the_gpu_are_those_on_the_cpu() -> None:
    names = ["accuracy", "loss", "balanced_accuracy", "f1", "auroc"]
    logits_NK, classes_N = drawn(300, 10, seed=3)
    meter = make_meter(names, torch.device("cuda"))
    for pair in zip(logits_NK.cuda().split(100), classes_N.cuda().split(100), strict=True):
        meter.update(*pair)
    assert meter.compute() == pytest.approx(figures(names, logits_NK, classes_N), abs=1e-6)
