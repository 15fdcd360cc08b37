"""Equal networks under two names are one: trained once, counted once, and once on the leaderboard."""

from pathlib import Path

import pytest

import nas
from nas.models import network_id
from nas.searching import Event, RunEnded, TrialBegun, resolve_benchmark
from nas.space import Space, parse_space

TWINS = """
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
"""
"""Four architectures: the layer may stand in the first place or in the second, or in both, or in none."""


@pytest.fixture
def space() -> Space:
    return parse_space(TWINS)


def search(space: Space, folder: Path, trials: int, events: list[Event]) -> nas.Study:
    given = {"strategy": "bruteforce", "epochs": 1, "fraction": 0.1, "study": "s", "ledger": f"sqlite:///{folder}/nas.sqlite"}
    return nas.search(space, on="digits", trials=trials, on_event=events.append, **given)


@pytest.mark.parametrize("stops", [(4,), (1, 4), (2, 4)])
def test_an_equal_network_under_another_name_is_not_trained_again(space: Space, tmp_path: Path, stops: tuple[int, ...]) -> None:
    events: list[Event] = []
    for trials in stops:  # in one run, or going on
        study = search(space, tmp_path, trials, events)
    begun = [event for event in events if isinstance(event, TrialBegun)]
    assert len(begun) == 3
    ended = [event for event in events if isinstance(event, RunEnded)][-1]
    assert ended.progress.complete == 3
    assert ended.reason == "Every one of the 4 architectures of twins has been tried."
    signature = resolve_benchmark("digits").signature
    rows = study.tables[0].rows
    assert len({network_id(space, row.architecture, signature) for row in rows}) == len(rows) == 3
    assert len(study.trials) == 4
