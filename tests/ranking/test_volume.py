import math
import subprocess
import sys
from collections.abc import Mapping, Sequence
from itertools import combinations
from random import Random

import pytest

from nas.benchmark import Direction, Objective
from nas.errors import LedgerError
from nas.ranking import hypervolume

ACCURACY = Objective("accuracy", "maximize")
PARAMS = Objective("params", "minimize")


def slow(rows: Sequence[Mapping[str, float]], objectives: Sequence[Objective], reference: Mapping[str, float]) -> float:
    """By inclusion and exclusion: what boxes cover, less what pairs share, and so on (Wu & Azarm 2001)."""
    bound = [objective.cost(reference[objective.figure]) for objective in objectives]
    points = {tuple(objective.cost(row[objective.figure]) for objective in objectives) for row in rows}
    total = 0.0
    for count in range(1, len(points) + 1):
        for several in combinations(points, count):
            sides = [max(0.0, high - max(axis)) for high, axis in zip(bound, zip(*several, strict=True), strict=True)]
            total += (-1) ** (count + 1) * math.prod(sides)
    return total


@pytest.mark.parametrize("seed", range(40))
def test_it_is_what_inclusion_and_exclusion_find(seed: int) -> None:
    drawing = Random(seed)
    directions: list[Direction] = ["maximize", "minimize"]
    objectives = [Objective(f"figure{n}", drawing.choice(directions)) for n in range(1 + seed % 5)]
    digits = drawing.choice([1, 1, 6])  # with ties, equal points and dominated ones
    rows = [
        {objective.figure: round(drawing.uniform(-1, 1), digits) for objective in objectives}
        for _ in range(drawing.randint(1, 9))
    ]
    given = {objective.figure: round(drawing.uniform(-1, 1), digits) for objective in objectives}  # some points lie beyond it
    for reference in (None, given):
        found = hypervolume(rows + rows[:2], objectives, reference)
        assert reference is None or found.reference == reference
        assert found.value == pytest.approx(slow(rows, objectives, found.reference), abs=1e-12)
        assert 0 <= found.share <= 1 + 1e-12


def test_two_points_by_hand() -> None:
    """Best 0.9 and 100, up to 0.5 and 400: a box of 0.4 by 100 beside one of 0.2 by 200 more."""
    rows = [{"accuracy": 0.9, "params": 300}, {"accuracy": 0.7, "params": 100}, {"accuracy": 0.6, "params": 350}]
    found = hypervolume(rows, [ACCURACY, PARAMS], {"accuracy": 0.5, "params": 400})
    assert found.value == pytest.approx(0.4 * 100 + 0.2 * 200)
    assert found.share == pytest.approx(80 / (0.4 * 300))


def test_without_a_reference_it_lies_a_tenth_of_the_fronts_range_beyond_the_nadir() -> None:
    rows = [{"accuracy": 0.9, "params": 300}, {"accuracy": 0.7, "params": 100}, {"accuracy": 0.1, "params": 900}]
    found = hypervolume(rows, [ACCURACY, PARAMS])
    assert found.reference == pytest.approx({"accuracy": 0.68, "params": 320})
    assert found.value == pytest.approx(0.02 * 220 + 0.2 * 20)


def test_a_front_of_one_point_has_a_volume() -> None:
    found = hypervolume([{"accuracy": 0.9, "params": 0}], [ACCURACY, PARAMS])
    assert found.reference == pytest.approx({"accuracy": 0.81, "params": 1})
    assert (found.value, found.share) == (pytest.approx(0.09), pytest.approx(1))


def test_of_one_objective_it_is_the_distance_from_the_reference() -> None:
    found = hypervolume([{"accuracy": 0.9}, {"accuracy": 0.8}], [ACCURACY], {"accuracy": 0.5})
    assert found.value == pytest.approx(0.4)


def test_a_reference_that_nothing_reaches_leaves_nothing() -> None:
    found = hypervolume([{"accuracy": 0.9, "params": 300}], [ACCURACY, PARAMS], {"accuracy": 0.95, "params": 400})
    assert (found.value, found.share) == (0.0, 0.0)


@pytest.mark.parametrize(
    "reference",
    [
        {"accuracy": 0.5},
        {"accuracy": 0.5, "params": 1, "flops": 1},
        {"accuracy": math.nan, "params": 1},
        {"accuracy": "0.5", "params": 1},
    ],
)
def test_a_wrong_reference_is_one_line(reference: Mapping[str, float]) -> None:
    message = r"^A reference point has a number for each of accuracy, params and no other, got \{.*\}\.$"
    with pytest.raises(LedgerError, match=message):
        hypervolume([{"accuracy": 0.9, "params": 300}], [ACCURACY, PARAMS], reference)


def test_no_row_has_no_volume() -> None:
    with pytest.raises(LedgerError, match=r"^A hypervolume is of at least one complete trial, got none\.$"):
        hypervolume([], [ACCURACY])


def test_what_computes_it_is_loaded_when_it_is_needed() -> None:
    script = "import sys, nas.ranking; assert not {'moocore', 'numpy'} & {*sys.modules}"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
