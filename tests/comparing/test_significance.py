import itertools
import math

import numpy as np
import pytest
from matplotlib.figure import Figure

from nas.comparing import significance as room
from nas.comparing.significance import draw_diagram, significance

pytest.importorskip("scikit_posthocs", reason="the tests of significance come with nas-harness[compare]")

BLOCKS = np.array([[0.1 * n, 0.1 * n + 0.01 * (n + 1), 5.0 + 0.3 * n + (n % 2)] for n in range(8)])
"""a is always before b, and b before c."""


def test_wilcoxons_probability_is_that_of_all_signs() -> None:
    differences = [0.3, -0.1, 0.7, 0.45, 0.2, 0.9]
    blocks = np.array([[0.0, d] for d in differences])
    ranks = np.abs(differences).argsort().argsort() + 1
    reached = sum(rank for rank, d in zip(ranks, differences, strict=True) if d < 0)
    sums = [sum(rank for rank, sign in zip(ranks, signs, strict=True) if sign) for signs in itertools.product((0, 1), repeat=6)]
    by_hand = 2 * sum(total <= reached for total in sums) / len(sums)
    assert significance(blocks, ["a", "b"]).p("a", "b") == pytest.approx(by_hand)


def test_holm_corrects_the_least_most() -> None:
    found = significance(BLOCKS, ["a", "b", "c"])
    alone = 2 / 2**8  # all eight signs alike
    assert found.p("a", "b") == found.p("b", "a") == pytest.approx(3 * alone)
    assert found.p("b", "c") == pytest.approx(3 * alone)  # never below the one before it
    assert found.p("a", "a") == 1


def test_friedmans_probability_is_that_of_its_formula() -> None:
    found = significance(BLOCKS, ["a", "b", "c"])
    statistic = 12 * 8 / (3 * 4) * sum((rank - 2) ** 2 for rank in (1, 2, 3))
    assert found.friedman == pytest.approx(math.exp(-statistic / 2))  # chi-squared with two degrees of freedom
    assert found.ranks == (1, 2, 3)
    assert found.first == "a"
    assert found.beside("a") == []


def test_equals_cannot_be_told_apart() -> None:
    found = significance(np.ones((9, 3)), ["a", "b", "c"])
    assert found.friedman == 1
    assert found.pairs == ((1.0,) * 3,) * 3
    assert set(found.beside("a")) == {"b", "c"}


def test_two_strategies_have_no_test_of_friedman() -> None:
    assert significance(BLOCKS[:, :2], ["a", "b"]).friedman is None


def test_the_diagram_joins_those_that_cannot_be_told_apart() -> None:
    rng = np.random.default_rng(0)
    blocks = np.column_stack([rng.random(30), rng.random(30), 5 + rng.random(30)])
    found = significance(blocks, ["a", "b", "c"])
    axes = Figure().subplots()
    draw_diagram(found, axes, ink="black")
    thick = [line for line in axes.lines if line.get_linewidth() == 3]
    assert [sorted(line.get_xdata()) for line in thick] == [sorted(found.ranks[:2])]
    assert {text.get_text().split()[0] for text in axes.texts} | {text.get_text().split()[-1] for text in axes.texts} >= {
        "a",
        "b",
        "c",
    }


def test_what_is_not_installed_is_not_available(monkeypatch: pytest.MonkeyPatch) -> None:
    assert room.available()
    monkeypatch.setattr(room, "find_spec", lambda _: None)
    assert not room.available()
