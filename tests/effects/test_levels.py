"""Choices as levels, of ledgers that others wrote too."""

from collections.abc import Iterable
from typing import Any

import pytest

from nas.effects.levels import ABSENT, Factor, factors_of
from nas.space import Architecture


def factors(*answers: dict[str, Any]) -> dict[str, Factor]:
    return {factor.choice: factor for factor in factors_of([Architecture("toy", 1, one) for one in answers])}


def values(factor: Factor) -> list[Any]:
    return [level.value for level in factor.levels]


def named(name: str, found: Iterable[Any]) -> list[dict[str, Any]]:
    return [{name: value} for value in found]


def test_values_stand_in_their_order_and_truth_is_not_one() -> None:
    found = factors(*named("a", [5, 1, 3, 1]))["a"]
    assert values(found) == [1, 3, 5]
    assert found.codes_N.tolist() == [2, 0, 1, 0]
    mixed = factors(*named("a", [True, 1, None, "x"]))["a"]
    assert sorted(map(repr, values(mixed))) == ["'x'", "1", "None", "True"]


def test_a_choice_that_is_not_made_is_absent_and_one_that_never_differs_is_left_out() -> None:
    found = factors({"a": 1, "b": 1}, {"a": 2, "b": 1}, {"b": 1})
    assert list(found) == ["a"]
    assert found["a"].codes_N.tolist() == [0, 1, ABSENT]


def test_many_numbers_become_stretches_that_hold_each_of_them() -> None:
    found = factors(*named("a", range(100)), {"b": 1})["a"]
    assert [(level.value, level.upto) for level in found.levels] == [(0, 19), (20, 39), (40, 59), (60, 79), (80, 99)]
    assert found.codes_N[-1] == ABSENT
    assert all(isinstance(level.value, int) for level in found.levels)


def test_a_range_that_was_hardly_left_is_told_all_the_same() -> None:
    found = factors(*named("a", [0.5] * 90), *named("a", [n / 10 for n in range(10)]))["a"]
    assert sum(found.codes_N == code for code in range(len(found.levels))).sum() == 100  # type: ignore[attr-defined]
    assert 2 <= len(found.levels) <= 5


def test_what_is_no_number_is_a_word_and_too_many_words_are_left_out() -> None:
    strange = [float("nan"), float("inf"), 10**400, "=1+1", -0.0]
    assert len(factors(*named("a", strange))["a"].levels) == 5
    assert factors(*named("a", map(str, range(101)))) == {}


def test_of_too_many_levels_those_of_the_choices_made_most_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nas.effects.levels.MOST_LEVELS", 4)
    assert list(factors({"a": 1, "b": 1, "c": 1}, {"a": 2, "b": 2, "c": 2}, {"b": 1, "c": 1})) == ["b", "c"]
