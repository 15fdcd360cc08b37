import pytest

from nas.records import FIGURES, usual_direction
from nas.reports.figures import face


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("flops", "FLOPs (M)"),
        ("params", "parameters"),
        ("latency_ms", "latency (ms)"),
        ("latency_ms:raspi4", "latency on raspi4 (ms)"),
        ("peak_memory_bytes", "memory (MiB)"),
        ("train_seconds", "training time (s)"),
        ("validation_accuracy", "validation accuracy"),
        ("validation_frechet_distance", "validation Fréchet distance"),
        ("test_mrr", "test MRR"),
    ],
)
def test_a_label_names_the_figure_and_its_unit(name: str, label: str) -> None:
    assert face(name).label == label


def test_every_figure_that_an_evaluation_gives_has_a_unit_or_is_a_count() -> None:
    assert [name for name in FIGURES if not face(name).unit] == ["params"]


@pytest.mark.parametrize(
    ("name", "direction"),
    [
        ("validation_accuracy", "maximize"),
        ("test_loss", "minimize"),
        ("validation_bits_per_byte", "minimize"),
        ("validation_rmse", "minimize"),
        ("test_word_error_rate", "minimize"),
        ("r2", "maximize"),
        ("flops", "minimize"),
        ("params", "minimize"),
        ("latency_ms:raspi4", "minimize"),
        ("synflow", "maximize"),
        ("onerror", "maximize"),
    ],
)
def test_a_figure_gets_better_the_way_its_name_says(name: str, direction: str) -> None:
    assert usual_direction(name) == direction
