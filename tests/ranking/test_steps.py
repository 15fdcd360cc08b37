"""Finalists and what was made of them, of records made by hand."""

from dataclasses import replace
from typing import Any

import pytest
from toys import TOY, toy_record

from nas.benchmark import Budget, Objective
from nas.ranking.steps import Step, spread, steps
from nas.records import Derived, Failure, Latency, StudyEntry, Trial
from nas.reports.steps import steps_table

WIDE = TOY.architecture({"width": 16, "stem.kernel": 3, "block.times": 0})
NARROW = TOY.architecture({"width": 8, "stem.kernel": 3, "block.times": 0})
ENTRY = StudyEntry(
    id=1,
    name="s",
    definition={
        "benchmark": {"name": "b", "version": 1},
        "objectives": [{"figure": "validation_accuracy", "direction": "maximize"}],
    },
    begun_at="",
)


def trial(number: int, stage: Any, accuracy: float, seed: int, architecture: Any = WIDE, **derived: Any) -> Trial:
    record = toy_record("complete", {"validation_accuracy": accuracy, "latency_ms": 2.0}, (), seed, Budget(epochs=1))
    if derived:
        told = {"method": "half", "options": {}, "words": "half", "file_bytes": 50, "parent_file_bytes": 100}
        record = replace(record, derived=Derived(**{**told, **derived}))
    return Trial(
        id=number,
        study="s",
        stage=stage,
        number=number,
        state="complete",
        architecture=architecture,
        evaluation=f"{stage}{number}",
        reused_from=None,
        begun_at="",
        ended_at="",
        proposal={},
        record=record,
    )


FINALS = [trial(n, "final", accuracy, seed=n) for n, accuracy in enumerate((0.90, 0.92, 0.97))]
"""Of three seeds."""


def children(**derived: Any) -> list[Trial]:
    """Two children, of the first and the last seed, in another order."""
    return [
        trial(1, "derived", 0.95, 2, NARROW, parent="final2", **derived),
        trial(0, "derived", 0.89, 0, NARROW, parent="final0", **derived),
    ]


def test_differences_are_of_equal_seeds() -> None:
    root, child = steps(ENTRY, [*FINALS, *children()])
    assert (root.words, root.parent, len(root.trials), root.differences) == ("", None, 3, {})
    assert (child.words, child.parent, child.architecture, len(child.trials)) == ("half", WIDE, NARROW, 2)
    found = child.differences["validation_accuracy"]
    # −0.01 and −0.02: mean −0.015, deviation 0.01 / √2, error 0.005, and Student's t of one degree of freedom is 12.706
    assert found.mean == pytest.approx(-0.015)
    assert (found.low, found.high) == (pytest.approx(-0.015 - 12.7062 * 0.005), pytest.approx(-0.015 + 12.7062 * 0.005))


def test_equal_children_do_not_show_that_there_is_no_luck() -> None:
    same = [trial(n, "derived", accuracy, n, parent=f"final{n}") for n, accuracy in ((0, 0.90), (1, 0.92))]
    _, child = steps(ENTRY, [*FINALS, *same])
    found = child.differences["validation_accuracy"]
    assert found.mean == 0
    assert found.high == pytest.approx(12.7062 * 0.02 / 6**0.5 / 2**0.5)  # as rounding to 0.02 alone would give


def test_equal_finalists_do_not_show_that_there_is_no_luck_either() -> None:
    finals = [trial(n, "final", 0.9, seed=n) for n in range(2)]
    other = [trial(n, "derived", accuracy, n, parent=f"final{n}") for n, accuracy in ((0, 0.90), (1, 0.92))]
    root, _ = steps(ENTRY, [*finals, *other])
    found = root.figures["validation_accuracy"]
    assert found.high == pytest.approx(0.9 + 12.7062 * 0.02 / 12**0.5 / 2**0.5)  # the finest step that the table shows


def test_one_seed_has_no_interval() -> None:
    assert (spread([0.5]).low, spread([0.5]).count) == (None, 1)


def test_a_finalist_of_which_nothing_was_made_is_left_out() -> None:
    assert steps(ENTRY, FINALS) == ()


@pytest.mark.parametrize(
    ("derived", "verdict"),
    [
        ({"turn_ms": 1.0, "parent_turn_ms": 2.0, "tied": False}, "smaller, faster"),
        ({"turn_ms": 3.0, "parent_turn_ms": 2.0, "tied": False}, "smaller, slower"),
        ({"turn_ms": 1.9, "parent_turn_ms": 2.0, "tied": True}, "smaller, not faster"),
        ({"turn_ms": 1.96, "parent_turn_ms": 2.0, "tied": False}, "smaller, not faster"),
        ({"file_bytes": 100, "turn_ms": 1.0, "parent_turn_ms": 2.0, "tied": False}, "not smaller, faster"),
        ({"file_bytes": None}, "size not known, not timed"),
    ],
)
def test_a_row_says_what_its_method_brings(derived: dict[str, Any], verdict: str) -> None:
    _, child = steps(ENTRY, [*FINALS, *children(**derived)])
    assert child.verdict == verdict


def test_shares_are_of_the_file_and_of_a_pass_in_turns() -> None:
    _, child = steps(ENTRY, [*FINALS, *children(turn_ms=1.0, parent_turn_ms=4.0, tied=False)])
    assert (child.size_share, child.time_share) == (pytest.approx(0.5), pytest.approx(0.25))


def test_a_latency_beside_which_other_work_went_on_says_so() -> None:
    busy = children()[0]
    assert busy.record is not None
    latency = Latency(
        median_ms=2.0,
        low_ms=1.0,
        high_ms=2.1,
        p95_ms=3.0,
        samples=20,
        batch_size=1,
        device="cpu",
        threads=1,
        dtype="float32",
        disturbed="The reference network took twice its best.",
    )
    root, child = steps(ENTRY, [*FINALS, replace(busy, record=replace(busy.record, latency=latency)), children()[1]])
    assert (root.disturbed, child.disturbed) == (False, True)


def test_what_failed_says_why() -> None:
    failed = trial(2, "derived", 0.0, 1, parent="final1")
    assert failed.record is not None
    record = replace(failed.record, outcome="failed", figures={}, error=Failure(kind="unsupported", message="No GPU."))
    _, child = steps(ENTRY, [*FINALS, replace(failed, state="failed", record=record)])
    assert (child.failed, child.trials, child.verdict) == (("No GPU.",), (), "not here")


def test_a_child_of_a_child_stands_below_it() -> None:
    made = children()
    below = [
        trial(2, "derived", 0.88, 0, NARROW, parent="derived0", words="quarter"),
        trial(3, "derived", 0.8, 0, parent="final0", words="other"),
    ]
    found: tuple[Step, ...] = steps(ENTRY, [*FINALS, *made, *below])
    assert [step.words for step in found] == ["", "half", "quarter", "other"]
    assert found[2].parent == NARROW
    assert found[2].differences["validation_accuracy"].mean == pytest.approx(-0.01)


def test_children_of_two_that_look_alike_stay_apart() -> None:
    """Cut and taught networks may have one architecture; the 8-bit child of each is no other seed of the other's."""
    made = [
        trial(0, "derived", 0.89, 0, NARROW, parent="final0", words="cut"),
        trial(1, "derived", 0.88, 0, NARROW, parent="final0", words="taught"),
        trial(2, "derived", 0.87, 0, NARROW, parent="derived0", words="cut → int8"),
        trial(3, "derived", 0.86, 0, NARROW, parent="derived1", words="taught → int8"),
    ]
    found = steps(ENTRY, [*FINALS, *made])
    assert [step.words for step in found] == ["", "cut", "cut → int8", "taught", "taught → int8"]
    assert [round(step.differences["validation_accuracy"].mean, 9) for step in found[1:]] == [-0.01, -0.02, -0.02, -0.02]


def test_trainings_with_other_threads_are_a_row_of_their_own() -> None:
    def with_threads(one: Trial) -> Trial:
        assert one.record is not None
        return replace(one, record=replace(one.record, threads=4))

    others = [with_threads(trial(n, "final", 0.5, seed=n)) for n in (7, 8)]
    below = [with_threads(trial(9, "derived", 0.4, 7, parent="final7"))]
    found = steps(ENTRY, [*FINALS, *children(), *others, *below])
    assert [(step.words, step.elsewhere, len(step.trials)) for step in found] == [
        ("", "", 3),
        ("half", "", 2),
        ("", "threads 4", 2),
        ("half", "", 1),
    ]


def test_energy_is_told_of_children_beside_their_parent_and_of_the_finalist_as_it_was_measured_there() -> None:
    root, child = steps(ENTRY, [*FINALS, *children(turn_mj=3.0, parent_turn_mj=6.0)])
    assert (root.energy_mj, root.energy_share) == (6.0, None)
    assert (child.energy_mj, child.energy_share) == (3.0, pytest.approx(0.5))
    table = steps_table([root, child], [Objective("validation_accuracy", "maximize")])
    cells = [dict(zip(table.headers, row, strict=True)) for row in table.rows]
    assert [row["energy mJ"] for row in cells] == ["6.000", "3.000"]
    assert [row["energy, of parent"] for row in cells] == ["", "0.50×"]
    plain = steps_table(steps(ENTRY, [*FINALS, *children()]), [Objective("validation_accuracy", "maximize")])
    assert not [header for header in plain.headers if "energy" in header]  # nothing counts it there
