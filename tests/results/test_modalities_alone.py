"""What fusion gains over each modality alone, as committed beside the leaderboards of networks of several modalities."""

import json
import runpy
from pathlib import Path
from typing import Any

import pytest
from scipy.stats import ttest_1samp, ttest_ind

RESULTS = Path(__file__).parents[2] / "results"
KEPT = sorted(RESULTS.glob("*/*/*/alone.json"))
CODE = runpy.run_path(str(RESULTS / "cross_modal" / "alone.py"))


def read(file: Path) -> dict[str, Any]:
    return json.loads(file.read_text(encoding="utf-8"))


def test_intervals_are_those_of_students_and_of_welchs_t() -> None:
    one, other = [0.91, 0.93, 0.92, 0.95], [0.80, 0.84, 0.79]
    figure, interval = CODE["figure"], CODE["interval"]
    own, apart = interval(figure(one)), interval(figure(one), figure(other))
    wanted, wanted_apart = (
        test.confidence_interval(0.95) for test in (ttest_1samp(one, 0), ttest_ind(one, other, equal_var=False))
    )
    assert (own["low"], own["high"]) == pytest.approx((wanted.low, wanted.high))
    assert (apart["low"], apart["high"]) == pytest.approx((wanted_apart.low, wanted_apart.high))


@pytest.mark.parametrize("file", KEPT, ids=lambda file: file.parent.name)
class TestKept:
    def test_it_is_of_the_winner_and_tells_its_trainings(self, file: Path) -> None:
        told, winner = read(file), read(file.parent / "leaderboard.json")[0]["rows"][0]
        assert told["architecture"] == winner["architecture"]
        assert told == json.loads(json.dumps(CODE["tell"](winner, told["trainings"], told["chance"])))
        assert all(len(values) >= 5 for values in told["trainings"].values())

    def test_fusion_beats_the_best_modality_by_more_than_its_interval(self, file: Path) -> None:
        told = read(file)
        assert told["gain"]["low"] > 0
        assert told["gain"]["over"] == max(told["alone"], key=lambda modality: told["alone"][modality]["mean"])

    def test_with_a_modality_missing_it_stays_above_chance(self, file: Path) -> None:
        told = read(file)
        assert {f"without_{modality}" for modality in told["trainings"]} <= set(told["missing"])
        assert all(told["chance"] < left["low"] for left in told["missing"].values())
