"""What fusion gains over each modality alone, and how they find each other, as committed beside the leaderboards of networks of
several modalities."""

import json
import runpy
from itertools import combinations, permutations
from pathlib import Path
from statistics import mean
from typing import Any

import pytest
from scipy.stats import ttest_1samp, ttest_ind

from nas.models import cost
from nas.space import parse_space

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "results"
CODE = runpy.run_path(str(RESULTS / "cross_modal" / "alone.py"))
KEPT: list[Path] = CODE["told_files"]()

SPACE = parse_space("""
name: toy_of_two
version: 1
accepts: modalities
layers:
  - modality_dropout: {rate: [0, 0.5]}
  - parallel: encoders
    merge: join
    branches:
      image: [modality: {name: image}, patch_embedding: {size: [2, 4], features: 8}]
      series: [modality: {name: series}, embedding: {features: 8, dropout: [0, 0.1]}]
  - one_of: space
    options:
      separate: []
      shared_space: {weight: [0.3, 1], temperature: [0.1, 0.3]}
  - modality_fusion: {features: 8}
  - head
""")


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


def test_trainings_that_all_came_to_the_same_have_an_interval_of_no_width() -> None:
    assert CODE["interval"](CODE["figure"]([1.0, 1.0])) == {"mean": 1, "low": 1, "high": 1}


@pytest.mark.parametrize("by_class", [False, True], ids=["example", "class"])
def test_recall_in_a_drawn_order_is_what_all_orders_give(by_class: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    classes = [0, 0, 0, 1, 1, 2]
    monkeypatch.setitem(CODE["drawn"].__globals__, "RANKS", (1, 2, 5))
    found = CODE["drawn"]([3, 2, 1], by_class=by_class)
    for k in (1, 2, 5):
        belongs = [[one == other if not by_class else classes[one] == classes[other] for other in range(6)] for one in range(6)]
        hits = [any(belongs[one][place] for place in first) for one in range(6) for first in combinations(range(6), k)]
        assert found[f"recall_at_{k}"] == pytest.approx(mean(hits))


def test_encoders_are_trained_alone_and_all_in_one_space_and_no_training_is_done_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "tests" / "protocols"))
    from toy_rows import benchmark, task

    monkeypatch.setattr("nas.evaluation.candidate.load_task", lambda *_: task())
    choices = {
        "modality_dropout.rate": 0.5,
        "encoders.image.patch_embedding.size": 4,
        "encoders.series.embedding.dropout": 0.1,
        "space": "separate",
    }
    winner = {"architecture": "w", "choices": choices, "figures": {"test_accuracy": {"mean": 0.9, "deviation": 0.1, "count": 2}}}
    asked = (winner, SPACE, benchmark())
    first = list(CODE["trainings"](*asked, {"image": [0.5, 0.25]}, seeds=2, data=None))
    assert [{name: len(values) for name, values in found.items()} for found in first[-1:]] == [{"image": 2, "series": 2}]
    assert first[-1]["image"] == [0.5, 0.25], "what was known"
    *_, shared = CODE["in_one_space"](*asked, {}, seeds=2, data=None)
    ways = [f"recall_at_{k}{way}" for k in (1, 5, 10) for way in ("", "_image_to_series", "_series_to_image")]
    assert {name: len(values) for name, values in shared.items()} == dict.fromkeys(["accuracy", *ways], 2)
    assert list(CODE["in_one_space"](*asked, shared, seeds=2, data=None)) == [shared]
    told = CODE["tell"](winner, first[-1], shared, {"accuracy": 0.3})
    assert told["in_one_space"]["recall_at_1"]["mean"] == mean(shared["recall_at_1"])


MEMBERS = parse_space("""
name: toy_members
version: 1
accepts: modalities
choices: {width: [4, 8], dropout: [0, 0.1]}
layers:
  - own_losses
  - parallel: members
    branches:
      one:
        - parallel: encoders
          merge: join
          branches:
            image: [modality: {name: image}, patch_embedding: {size: [2, 4], features: $width}]
            series: [modality: {name: series}, embedding: {features: $width}]
        - modality_fusion: {features: 8}
        - head: {dropout: $dropout}
      other:
        - parallel: encoders
          merge: join
          branches:
            image: [modality: {name: image}, patch_embedding: {size: [1, 2], features: $width}]
            series: [modality: {name: series}, embedding: {features: $width}]
        - modality_fusion: {features: 8}
        - head: {dropout: $dropout}
""")


def test_of_members_that_learn_apart_each_ones_encoders_are_trained_and_no_space_is_shared(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "tests" / "protocols"))
    from toy_rows import benchmark, task

    monkeypatch.setattr("nas.evaluation.candidate.load_task", lambda *_: task())
    place = "members.{}.encoders.image.patch_embedding.size"
    choices = {"width": 8, "dropout": 0.1, place.format("one"): 4, place.format("other"): 2}
    winner = {"architecture": "w", "choices": choices, "figures": {"test_accuracy": {"mean": 0.9, "deviation": 0.1, "count": 1}}}
    *_, found = CODE["trainings"](winner, MEMBERS, benchmark(), {}, seeds=1, data=None)
    assert {name: len(values) for name, values in found.items()} == {"image": 1, "series": 1}
    assert list(CODE["in_one_space"](winner, MEMBERS, benchmark(), {}, seeds=1, data=None)) == [{}]
    one = CODE["alone"](MEMBERS, "image")
    sizes = {f"members.{name}.patch_embedding.size": size for name, size in (("one", 4), ("other", 2))}
    by_hand = (16 * 8 + 8) + (4 * 8 + 8) + 2 * (8 * 3 + 3)
    assert cost(one, one.architecture({"width": 8, "dropout": 0.1, **sizes}), benchmark().signature).params == by_hand


def test_a_winner_that_has_one_space_is_not_trained_with_another() -> None:
    told = {"mean": 0.5, "deviation": 0.1, "count": 3}
    winner = {"architecture": "w", "choices": {}, "figures": {"test_accuracy": told, "test_recall_at_1": told}}
    assert list(CODE["in_one_space"](winner, SPACE, None, {}, seeds=2, data=None)) == [{}]
    found = CODE["tell"](winner, {}, {}, {"accuracy": 0.3})
    assert found["in_one_space"] == dict.fromkeys(("accuracy", "recall_at_1"), CODE["interval"](told))


def test_the_readme_tells_what_is_kept() -> None:
    assert CODE["tables"]() in (RESULTS / "cross_modal" / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("file", KEPT, ids=lambda file: file.parent.name)
class TestKept:
    def test_it_is_of_the_winner_and_tells_its_trainings(self, file: Path) -> None:
        told, winner = read(file), read(file.parent / "leaderboard.json")[0]["rows"][0]
        assert told["architecture"] == winner["architecture"]
        kept = told["trainings"], told["trainings_in_one_space"]
        assert told == json.loads(json.dumps(CODE["tell"](winner, *kept, told["chance"])))
        assert all(len(values) >= 5 for found in kept for values in found.values())

    def test_fusion_beats_the_best_modality_by_more_than_its_interval(self, file: Path) -> None:
        told = read(file)
        assert told["gain"]["low"] > 0
        assert told["gain"]["over"] == max(told["alone"], key=lambda modality: told["alone"][modality]["mean"])

    def test_with_a_modality_missing_it_stays_above_chance(self, file: Path) -> None:
        told = read(file)
        assert {f"without_{modality}" for modality in told["trainings"]} <= set(told["missing"])
        assert all(told["chance"]["accuracy"] < left["low"] for left in told["missing"].values())

    def test_in_one_space_each_modality_finds_each_other_one_more_often_than_chance(self, file: Path) -> None:
        told = read(file)
        if not any(name == "space" for name in read(file.parent / "leaderboard.json")[0]["rows"][0]["choices"]):
            assert "in_one_space" not in told, "members that learn apart have none"
            return
        ways = [f"{one}_to_{other}" for one, other in permutations(told["trainings"], 2)]
        found = told["in_one_space"]
        assert set(found) == {"accuracy", *(f"recall_at_{k}{way}" for k in (1, 5, 10) for way in ("", *(f"_{w}" for w in ways)))}
        assert all(found[f"recall_at_{k}_{way}"]["low"] > told["chance"][f"recall_at_{k}"] for k in (1, 5, 10) for way in ways)
