"""The committed comparison of pruners is what its script reads, and its searches keep to the curves and to their epochs."""

import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from nas.models import cost
from nas.space import Limit

FOLDER = Path(__file__).parents[2] / "results" / "pruning"


@pytest.fixture(scope="module")
def compare() -> Iterator[ModuleType]:
    """The script, whose neighbours it finds as it does when it is run."""
    names = ("compare", "curves", "summary")  # of scripts, which others may have too
    before = {name: sys.modules.pop(name) for name in names if name in sys.modules}
    sys.path.insert(0, str(FOLDER))
    try:
        import compare

        yield compare
    finally:
        sys.path.remove(str(FOLDER))
        for name in names:
            sys.modules.pop(name, None)
        sys.modules.update(before)


@pytest.fixture(scope="module")
def config(compare: ModuleType) -> object:
    return compare.SearchConfig.make(**compare.QUESTION)


@pytest.fixture(scope="module")
def curves(compare: ModuleType, config: object) -> object:
    return compare.Curves(FOLDER / "curves.csv", config)


def test_its_architectures_are_of_todays_space_and_within_the_limits(config: object, curves: object) -> None:
    for curve in curves.known.values():
        costs = cost(config.space, curve.architecture, config.on.signature)
        assert (costs.params, costs.flops) == (curve.params, curve.flops)
        assert all(Limit.parse(str(limit)).allows(costs.flops) for limit in config.all_limits)
        assert all(0 < accuracy < 1 for accuracy in curve.accuracies)


def test_its_summary_and_its_picture_follow_from_its_trials(compare: ModuleType, tmp_path: Path) -> None:
    trials = compare.read_trials(FOLDER / "searches.csv")
    allowed = {arm.label: arm.epochs for arm in compare.ARMS}
    compare.write_rows(tmp_path / "summary.csv", compare.summarize(trials, allowed, "random"))
    assert (tmp_path / "summary.csv").read_bytes() == (FOLDER / "summary.csv").read_bytes()
    compare.write_trials(tmp_path / "searches.csv", trials)
    assert (tmp_path / "searches.csv").read_bytes() == (FOLDER / "searches.csv").read_bytes()
    assert compare.draw(trials, allowed, "random").startswith(b"<svg")


def test_every_search_is_there_and_spends_what_it_may(compare: ModuleType, curves: object) -> None:
    from summary import by_seed

    trials = compare.read_trials(FOLDER / "searches.csv")
    architectures = {(seed, name): curve for (seed, name), curve in curves.known.items()}
    for arm in compare.ARMS:
        seeds = by_seed(trials, arm.label)
        assert set(seeds) == set(compare.SEEDS)
        for seed, done in seeds.items():
            spent = 0
            for one in done:
                spent += one.epochs
                assert one.spent == spent <= arm.epochs
                curve = architectures[seed, one.architecture].accuracies
                assert one.accuracy == (curve[15] if one.state == "complete" else None)
            assert arm.epochs - spent < 16  # the trial under way as the epochs ran out is not in the list


def test_a_search_is_made_again_from_the_curves_alone(compare: ModuleType, curves: object) -> None:
    def train(*_: object, **__: object) -> None:
        raise AssertionError("every curve that this search asks for is known")

    wanted = [one for one in compare.read_trials(FOLDER / "searches.csv") if (one.search, one.seed) == ("random + asha", 1)]
    assert compare.one_search(compare.CHECKED, 1, curves, train) == wanted


def test_a_search_that_trained_every_candidate_came_to_what_the_curves_tell(compare: ModuleType) -> None:
    trials = compare.read_trials(FOLDER / "searches.csv")
    checked = compare.read_trials(FOLDER / "checked.csv")
    assert len(checked) > 20
    assert checked == [one for one in trials if (one.search, one.seed) == (compare.CHECKED.label, compare.SEEDS[0])]


def test_a_search_that_has_trained_none_to_the_end_has_no_best(compare: ModuleType) -> None:
    pruned = compare.Done("a", 0, 0, "x", "pruned", 1, 1, None)
    whole = compare.Done("a", 0, 1, "y", "complete", 16, 17, 0.8)
    better = compare.Done("a", 0, 2, "z", "complete", 16, 33, 0.9)
    trials = [pruned, whole, better]
    assert [compare.best_by(trials, spent) for spent in (1, 16, 17, 32, 33)] == [None, None, 0.8, 0.8, 0.9]
