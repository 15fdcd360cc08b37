"""The committed table of three_families on digits is whole, of today's space and benchmark, and says what its README says."""

from pathlib import Path

import numpy as np
import pytest

from nas.models import build
from nas.profiling.layers import count_layers
from nas.searching import resolve_benchmark
from nas.space import architectures, digest, resolve_space
from nas.tables import Table, read_table

FOLDER = Path(__file__).parents[2] / "results" / "tables"
PATH = FOLDER / "digits-three_families.csv.gz"
README = (FOLDER / "README.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def table() -> Table:
    return read_table(PATH)


def test_it_is_small_and_holds_every_architecture_of_the_space_that_stands_beside_it(table: Table) -> None:
    assert PATH.stat().st_size < 1_000_000
    space = resolve_space("three_families")
    assert digest(table.space) == digest(space)
    assert [one.id for one in table.architectures] == [one.id for one in architectures(space)]


def test_every_training_is_there_with_its_whole_curve(table: Table) -> None:
    assert (table.objective.figure, table.objective.direction, table.fidelity) == ("validation_accuracy", "maximize", 16)
    assert set(table.metrics) == {"validation_accuracy", "validation_loss", "train_loss", "test_accuracy", "test_loss"}
    for name, known in table.metrics.items():
        assert list(known) == ([16] if name.startswith("test") else list(range(1, 17)))
        for readings in known.values():
            assert readings.runs.shape == (1_008, 3)
            assert not np.isnan(readings.runs).any()
            assert (readings.runs >= 0).all()
    seconds = np.stack([table.seconds[epoch].runs for epoch in range(1, 17)])
    assert (np.diff(seconds, axis=0) > 0).all()


@pytest.mark.parametrize(("figure", "pictures"), [("validation_accuracy", 360), ("test_accuracy", 359)])
def test_an_accuracy_is_a_share_of_so_many_pictures(table: Table, figure: str, pictures: int) -> None:
    for readings in table.metrics[figure].values():
        right = readings.runs * pictures
        assert np.abs(right - right.round()).max() < pictures * 0.5e-4 + 1e-9  # four decimals are kept
        assert (readings.runs <= 1).all()


def test_its_costs_are_what_torch_counts(table: Table) -> None:
    signature = resolve_benchmark("digits").signature
    for row in range(0, len(table), 97):
        counted = count_layers(lambda row=row: build(table.space, table.architectures[row], signature), signature.input)
        assert [table.figures[name][row] for name in ("params", "macs", "flops")] == [counted.params, counted.macs, counted.flops]


def test_families_noise_and_regret_are_those_of_the_readme(table: Table) -> None:
    family = np.array([one.choices["family"] for one in table.architectures])
    for name in ("cnn", "recurrent", "transformer"):
        rows = np.flatnonzero(family == name)
        best = rows[table.means[rows].argmax()]
        deviation = np.sqrt(table.trainings[rows].var(axis=1, ddof=1).mean())
        cells = [f"{value:.3f}" for value in (*np.quantile(table.means[rows], [0, 0.5]), table.means[best])]
        row = f"| `{name}` | {' | '.join(cells)} | {table.figures['params'][best]:,.0f} | {deviation:.3f} |"
        assert row in README
    regrets = table.expected_regret((20, 50, 100, 200), replacement=True)
    assert f"| {' | '.join(f'{regret:.4f}' for regret in regrets)} |" in README
