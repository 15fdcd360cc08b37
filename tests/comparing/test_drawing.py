import numpy as np
import pytest
from by_hand import T, a_run

from nas.comparing.drawing import points, regret_curves, style
from nas.comparing.standings import Standings


def drawn(*ends: float) -> str:
    runs = [a_run(T, "random", seed, [9.0 / n + end for n in range(1, 31)]) for seed, end in enumerate(ends)]
    found = Standings(runs, evaluations=30, strategies=["random"], expected={T: np.linspace(9.0, 0.1, 30)})
    return regret_curves(found, T, "val_accuracy").decode()


def test_a_curve_has_every_point_while_there_are_few_and_its_first_and_last_always() -> None:
    assert points(100).tolist() == list(range(1, 101))
    many = points(3000)
    assert len(many) <= 160
    assert many[:20].tolist() == list(range(1, 21))
    assert many[-1] == 3000


@pytest.mark.parametrize("ends", [(0.0,), (0.0, 0.5), (-9.0, -9.0)])
def test_curves_are_drawn_with_and_without_spread_and_down_to_0(ends: tuple[float, ...]) -> None:
    assert drawn(*ends).startswith("<svg")
    assert drawn(*ends) == drawn(*ends)


def test_strategies_differ_in_colour_or_dashes() -> None:
    names = [f"s{n}" for n in range(36)]
    assert len({str(style(names, name)) for name in names}) == 36


def test_up_to_seven_strategies_have_colours_that_stand_out_from_paper() -> None:
    names = [f"s{n}" for n in range(7)]
    assert all(contrast(style(names, name)[0]) > 1.9 for name in names)


def contrast(colour: tuple[float, float, float]) -> float:
    """Against white, by the formula of WCAG 2."""
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in colour]
    return 1.05 / (sum(part * weight for part, weight in zip(linear, (0.2126, 0.7152, 0.0722), strict=True)) + 0.05)
