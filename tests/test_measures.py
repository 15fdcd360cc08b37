"""The names of measures: what they say is read, kept in one form, and found again in the figures that they give."""

from pathlib import Path

import pytest

from nas.errors import BenchmarkError
from nas.measures import CORRUPTIONS, SEVERITIES, check_measures, measure_of, measures_among, read_measure
from nas.records import usual_direction
from nas.reports.figures import face
from nas.space import Limit
from nas.tables.columns import Column, read_column, write_column

IMAGE = ("image",)


@pytest.mark.parametrize(
    ("name", "kept", "eps", "step"),
    [
        ("pgd-linf-8/255", "pgd-linf-8_255", 8 / 255, 2.5 * 8 / 255 / 20),
        ("pgd-linf-08_255", "pgd-linf-8_255", 8 / 255, 2.5 * 8 / 255 / 20),
        ("pgd-l2-0.50", "pgd-l2-0.5", 0.5, 0.0625),
        ("pgd-l2-1.0-50", "pgd-l2-1-50", 1.0, 0.05),
        ("pgd-linf-0.1-20x5", "pgd-linf-0.1-20x5", 0.1, 0.0125),
        ("pgd-linf-0.1-20", "pgd-linf-0.1", 0.1, 0.0125),
        ("fgsm-linf-0.1", "fgsm-linf-0.1", 0.1, 0.1),
        ("pgd-linf-0", "pgd-linf-0", 0.0, 0.0),
    ],
)
def test_an_attack_is_read_from_its_name_and_kept_in_one_form(name: str, kept: str, eps: float, step: float) -> None:
    found = read_measure(name)
    assert found.name == kept
    assert read_measure(kept) == found
    assert found.attack is not None
    assert found.attack.eps == pytest.approx(eps)
    assert found.attack.step == pytest.approx(step)


EVERY = [
    *("ece", "ece-mass", "worst-group", "corruptions", "pgd-linf-8/255", "pgd-l2-0.5-50x5", "fgsm-linf-0.1"),
    *(f"{name}-{severity}" for names in CORRUPTIONS.values() for name in names for severity in SEVERITIES),
]


@pytest.mark.parametrize("name", dict.fromkeys(EVERY))
def test_a_figure_tells_its_measure_its_direction_and_how_people_call_it(name: str) -> None:
    measure = read_measure(name)
    for figure in measure.figures:
        assert measure_of(f"validation_{figure}") == measure_of(f"test_{figure}") == measure
        assert usual_direction(f"validation_{figure}") == ("minimize" if "ece" in name else "maximize")
        assert Limit.parse(f"test_{figure} >= 0.5").figure == f"test_{figure}"
        assert measure.title in face(f"test_{figure}").title
    assert len({face(f"test_{figure}").words for figure in measure.figures}) == len(measure.figures)
    assert measure.meaning
    assert measure.source


def test_other_figures_are_of_no_measure() -> None:
    for figure in (
        "validation_accuracy",
        "latency_ms:raspi4",
        "validation_accuracy:raspi4",
        "test_f1:noise-3",
        "validation_piece",
    ):
        assert measure_of(figure) is None
    figures = [
        "validation_accuracy",
        "validation_ece",
        "validation_ece_low",
        "test_accuracy:noise-3",
        "validation_accuracy:noise-1",
    ]
    assert measures_among(figures) == ("ece", "noise-1")
    assert measures_among(figures, "test") == ("noise-3",)


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("pgd-linf", r"An attack is named METHOD-NORM-EPS, such as pgd-linf-8/255, .* got 'pgd-linf'"),
        ("pgd-l3-0.1", "An attack is named METHOD-NORM-EPS"),
        ("pgd-linf-8/0", "ε is a number of at least 0, got '8/0'"),
        ("pgd-linf-0.1-0", "PGD takes 1 to 1,000 steps and 1 to 100 restarts, got 0 and 1"),
        ("fgsm-linf-0.1-3", "FGSM takes one step, without restarts, got 3 and 1; name pgd for more"),
        ("noise-6", "A corruption's severity is 1 to 5, got 6 of noise"),
        ("fog-3", "No corruption is called 'fog'. Known: blur, "),
        ("eec", "No measure is called 'eec'. Did you mean 'ece'?"),
    ],
)
def test_a_name_that_is_none_is_told_with_the_way_out(name: str, complaint: str) -> None:
    with pytest.raises(BenchmarkError, match=complaint):
        read_measure(name)


@pytest.mark.parametrize(
    ("name", "kinds", "classes", "complaint"),
    [
        ("pgd-linf-0.1", ("tokens",), 2, "follows a gradient by the input, and b feeds tokens, which has none; measure typos-3"),
        ("noise-3", ("tokens",), 2, r"no corruption of what b feeds \(tokens\); there: typos, drop"),
        ("corruptions", ("features",), 2, r"no corruption of what b feeds \(features\); there: none"),
        ("ece", IMAGE, 1, "networks that give each example one of several classes, and those of b do not"),
        ("ece", IMAGE, None, "those of b do not"),
    ],
)
def test_what_a_benchmark_is_not_made_for_is_refused(
    name: str, kinds: tuple[str, ...], classes: int | None, complaint: str
) -> None:
    with pytest.raises(BenchmarkError, match=complaint):
        check_measures([name], kinds, classes, "b")


def test_what_it_is_made_for_is_kept_once() -> None:
    names = ["noise-3", "pgd-linf-8/255", "pgd-linf-8_255", "corruptions"]
    assert check_measures(names, IMAGE, 10, "b") == ("noise-3", "pgd-linf-8_255", "corruptions")
    assert check_measures(["speed-1"], ("sequence", "waveform"), 10, "b") == ("speed-1",)


def test_a_tables_column_of_an_answer_is_of_training_and_not_of_a_device() -> None:
    column = read_column("validation_accuracy:pgd-linf-8_255@12#1")
    assert column == Column("metric", "validation_accuracy:pgd-linf-8_255", 12, 1)
    assert write_column(column) == "validation_accuracy:pgd-linf-8_255@12#1"
    assert read_column("latency_ms:raspi4").kind == "figure"


def test_the_documentation_tells_the_severities_as_they_are() -> None:
    page = (Path(__file__).parents[1] / "docs/how-to/robustness.md").read_text(encoding="utf-8")
    for names in CORRUPTIONS.values():
        for name, corruption in names.items():
            shares = corruption.unit.startswith(("share of the tokens", "change of"))
            told = {", ".join(f"{100 * value:g}" for value in corruption.values) + " %" if shares else ""}
            told |= {", ".join(f"{value:.{digits}f}" for value in corruption.values) for digits in (0, 1, 2)}
            told |= {", ".join(f"{value:g}" for value in corruption.values)}
            assert any(f"{name} | {one} |" in page for one in told if one), name
