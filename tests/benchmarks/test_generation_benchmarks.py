"""Pictures that are to be made of noise: their rows, their splits, and the classifiers that judge them."""

from pathlib import Path

import pytest
import torch

from benchmarks import digits, digits_generation, fashion_mnist_generation
from benchmarks.digits_generation.task import CLASSIFIER, load, load_by_class, pictures
from benchmarks.fashion_mnist.task import DEBIAN
from benchmarks.fashion_mnist_generation import task as clothes
from benchmarks.generation import linear_figures, read_classifier
from nas.benchmark import Benchmark, Image
from nas.errors import BenchmarkError
from nas.registry import BENCHMARKS
from nas.registry import load as load_named
from nas.testing.benchmarks import check_benchmark
from nas.training import load_task

NAMES = ("digits_generation", "digits_generation_by_class", "fashion_mnist_generation", "fashion_mnist_generation_by_class")


@pytest.mark.parametrize("name", NAMES)
def test_a_benchmark_has_the_name_that_it_is_found_by(name: str) -> None:
    assert load_named(BENCHMARKS, name).name == name


@pytest.mark.parametrize("asked", [digits_generation.BENCHMARK, digits_generation.BY_CLASS], ids=lambda one: one.name)
def test_digits_keep_the_rules_of_benchmarks(asked: Benchmark) -> None:
    assert {rule: problem for rule, problem in check_benchmark(asked) if problem} == {}


def test_digits_are_those_of_the_classifiers_between_minus_one_and_one() -> None:
    of_classes = load_task(digits.BENCHMARK, None)
    for split in ("train", "validation", "test"):
        examples, known = load(None).examples(split), of_classes.examples(split)
        assert examples.targets.shape == known.inputs.shape
        assert examples.targets.min() == pytest.approx(-1, abs=1e-6)
        assert examples.targets.max() == pytest.approx(1, abs=1e-6)
        correlation = torch.corrcoef(torch.stack((examples.targets.flatten(), known.inputs.flatten())))[0, 1]
        assert correlation.item() == pytest.approx(1, abs=1e-4)


def test_a_row_is_noise_and_where_asked_the_class_of_its_picture() -> None:
    plain, by_class = load(None).examples("validation"), load_by_class(None).examples("validation")
    assert torch.equal(plain.inputs, by_class.inputs[:, :16])
    assert torch.equal(by_class.inputs[:, 16:].argmax(1), pictures(None)("validation").targets)
    assert plain.inputs.mean().abs() < 0.05
    assert plain.inputs.std().item() == pytest.approx(1, abs=0.05)
    assert not torch.equal(plain.inputs, load(None).examples("test").inputs[: len(plain)])


def test_the_classifier_knows_real_digits() -> None:
    known = pictures(None)("test")
    _, logits_NK = load(None).judge(known.inputs)
    assert (logits_NK.argmax(1) == known.targets).float().mean() > 0.95


def test_real_pictures_come_near_to_real_ones_and_noise_does_not() -> None:
    task = load(None)
    validation, training = task.examples("validation").targets, task.examples("train").targets[:360]
    found = []
    for images in (training, torch.rand(training.shape, generator=torch.Generator().manual_seed(0)) * 2 - 1):
        meter = task.meter(torch.device("cpu"))
        meter.update(images, validation)
        found.append(meter.compute())
    real, noise = found
    assert real["frechet_distance"] < 1 < 50 < noise["frechet_distance"]
    assert real["recall"] > 0.8 > 0.1 > noise["recall"]
    assert real["class_coverage"] == 1 > noise["class_coverage"]


def test_another_classifier_than_the_one_that_is_named_is_refused(tmp_path: Path) -> None:
    other = tmp_path / "classifier.safetensors"
    other.write_bytes(CLASSIFIER.read_bytes() + b" ")
    message = r"^classifier\.safetensors is not the classifier that distances are told in: its SHA-256 is [0-9a-f]{64}, not e5a8"
    with pytest.raises(BenchmarkError, match=message):
        read_classifier(other, digits_generation.CLASSIFIER_SHA256, Image(1, 8, 8))


def test_the_floor_is_what_a_linear_generator_reaches() -> None:
    found = linear_figures(load(None))
    assert found["test_frechet_distance"] == pytest.approx(digits_generation.BENCHMARK.floor["test_frechet_distance"], abs=0.01)
    assert found["validation_recall"] > 0.8


def test_reading_a_classifier_leaves_the_random_state_as_it_was() -> None:
    before = torch.get_rng_state()
    load(None)
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.skipif(not DEBIAN.is_dir(), reason="Debian's package dataset-fashion-mnist is not installed")
def test_clothes_are_compared_in_equal_numbers() -> None:
    task = clothes.load_by_class(None)
    examples = task.examples("validation")
    assert examples.inputs.shape == (1_000, 42)
    assert examples.targets.shape == (1_000, 1, 28, 28)
    _, logits_NK = task.judge(examples.targets)
    assert (logits_NK.argmax(1) == examples.inputs[:, 32:].argmax(1)).float().mean() > 0.85
    assert fashion_mnist_generation.BENCHMARK.signature.output.axes == (1, 28, 28)
