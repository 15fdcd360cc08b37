"""An evaluation of one's own that answers for networks, such as one that looks up curves of trainings that were made before."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from toys import TOY, toy_evaluate, toy_record

import nas
from nas.benchmark import Budget
from nas.errors import SearchError
from nas.records import Epoch, Record
from nas.space import Architecture, parse_space

TWINS = parse_space("""
name: twins
version: 1
accepts: image
layers:
  - conv: {features: 4, stride: 2}
  - one_of: one
    options: {identity: {}, conv: {features: 4}}
  - one_of: two
    options: {identity: {}, conv: {features: 4}}
  - head
""")
"""Four architectures, of which two are one network."""


class LookingUp:
    """Every architecture scores 0.5."""

    def __init__(self, trains: bool) -> None:
        self.trains = trains
        self.asked: list[str] = []

    def __call__(self, architecture: Architecture, *, budget: Budget, seed: int, **_: Any) -> Record:
        self.asked.append(architecture.id)
        return toy_record("complete", {"validation_accuracy": 0.5}, (), seed, budget)


@pytest.mark.parametrize(("trains", "times"), [(True, 3), (False, 4)])
def test_equal_networks_are_asked_for_once_where_networks_are_answered_for(trains: bool, times: int, tmp_path: Path) -> None:
    evaluate = LookingUp(trains)
    ledger = f"sqlite:///{tmp_path}/nas.sqlite"
    nas.search(TWINS, on="digits", evaluate=evaluate, strategy="bruteforce", trials=4, ledger=ledger)
    assert len(evaluate.asked) == times


def test_limits_that_no_network_keeps_to_are_refused_before_the_first_is_asked_for(tmp_path: Path) -> None:
    evaluate = LookingUp(trains=True)
    with pytest.raises(SearchError, match="params <= 10"):
        nas.search(TOY, on="digits", evaluate=evaluate, limits=["params <= 10"], ledger=f"sqlite:///{tmp_path}/nas.sqlite")
    assert not evaluate.asked


def test_a_search_sets_the_rungs_by_its_epochs(tmp_path: Path) -> None:
    """Of 2 epochs Hyperband makes one bracket, with a rung at 1; of the 3 that it would find by itself, a second without any."""
    ends: list[int] = []

    def evaluate(architecture: Architecture, *, report: Callable[[Epoch], bool], **rest: Any) -> Record:
        record = toy_evaluate(architecture, report=report, **rest)
        ends.append(len(record.curve))
        return record

    ledger = f"sqlite:///{tmp_path}/nas.sqlite"
    nas.search(TOY, on="digits", evaluate=evaluate, pruner="hyperband", strategy="random", epochs=2, trials=40, ledger=ledger)
    assert ends[0] == 2
    assert ends.count(2) < 18  # 14; by itself 22
