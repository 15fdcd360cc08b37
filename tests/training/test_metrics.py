import pytest
import torch

from nas.errors import BenchmarkError
from nas.protocols.triples import LinkPrediction
from nas.training import METRICS, Classification, Detection, Examples, NextToken, Regression, Split, Tagging, Transcription
from nas.training.generation import Generation
from nas.training.metrics import choose, find_metric


def nothing(split: Split) -> Examples:
    raise NotImplementedError(split)


EVERY = {
    "Classification": Classification(nothing, metrics=("balanced_accuracy", "f1", "auroc")),
    "Detection": Detection(nothing, metrics=("auroc_low", "auroc_high")),
    "NextToken": NextToken(nothing, metrics=("loss", "perplexity")),
    "Tagging": Tagging(nothing, metrics=("balanced_accuracy", "f1")),
    "Regression": Regression(nothing, metrics=("mae", "r2")),
    "Transcription": Transcription(nothing, alphabet="ab"),
}
"""Each kind of task with all that it can measure."""


def test_every_metric_of_the_table_is_measured_by_a_kind_of_task() -> None:
    units = {f"bits_per_{unit}" for unit in ("character", "byte", "word")}
    made = Generation(load=nothing, latent=2, judge=nothing, metrics=("density", "coverage"))
    every = (*EVERY.values(), LinkPrediction((), (), {}), made)
    assert {name for task in every for name in task.measured()} | units == set(METRICS)


@pytest.mark.parametrize("name", METRICS)
def test_every_metric_says_what_it_is_and_where_that_is_from(name: str) -> None:
    metric = find_metric(name)
    assert metric.direction in ("maximize", "minimize")
    assert all(text.strip() for text in (metric.unit, metric.meaning, metric.source))


def test_an_unknown_metric_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(BenchmarkError) as caught:
        find_metric("acuracy")
    assert str(caught.value).startswith("No metric is called 'acuracy'. Did you mean 'accuracy'? Known: accuracy, auroc, ")


def test_a_metric_of_another_kind_of_task_is_refused() -> None:
    with pytest.raises(BenchmarkError) as caught:
        Classification(nothing, metrics=("rmse",))
    assert str(caught.value) == (
        "Classification does not measure 'rmse'; it measures accuracy, auroc, auroc_high, auroc_low, average_precision, "
        "balanced_accuracy, f1, loss."
    )


@pytest.mark.parametrize("kind", EVERY)
def test_every_kind_of_task_refuses_a_metric_that_nobody_knows(kind: str) -> None:
    task = EVERY[kind]
    more = {"alphabet": "ab"} if kind == "Transcription" else {}
    with pytest.raises(BenchmarkError, match="No metric is called 'beauty'"):
        type(task)(nothing, metrics=("beauty",), **more)


def test_what_is_asked_for_stands_behind_what_is_always_measured_and_nothing_twice() -> None:
    assert choose("A task", ("loss",), ("f1", "auroc"), ("f1", "loss", "f1")) == ("loss", "f1")


@pytest.mark.parametrize("kind", EVERY)
def test_a_meter_tells_the_figures_that_its_task_names_in_that_order(kind: str) -> None:
    generator = torch.Generator().manual_seed(0)
    targets = {
        "Classification": torch.arange(12) % 3,
        "Detection": torch.arange(12) % 2,
        "Regression": torch.randn(12, 2, generator=generator),
        "Transcription": torch.tensor([[1, 2, 1, -100]] * 12),
    }.get(kind, torch.arange(24).reshape(12, 2) % 3)
    shape = {"Regression": (12, 2), "Classification": (12, 3), "Detection": (12, 1), "Transcription": (12, 4, 3)}.get(
        kind, (12, 2, 3)
    )
    task = EVERY[kind]
    meter = task.meter(torch.device("cpu"))
    meter.update(torch.randn(shape, generator=generator), targets)
    assert tuple(meter.compute()) == task.measured()
