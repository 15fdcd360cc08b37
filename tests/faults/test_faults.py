"""The short form of the fault suite: every row, a few times. `make faults` is the long form."""

from pathlib import Path

import pytest
from frame import NotHere, Row, Scene
from rows import ROWS


@pytest.mark.timeout(1_800)  # each row has patience of its own, for many things that must come
@pytest.mark.parametrize(
    "row", [pytest.param(row, marks=pytest.mark.slow if row.slow else (), id=row.name) for row in ROWS if row.short]
)
def test_it_survives(row: Row, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    scene = Scene(folder=tmp_path, times=row.short, server=lambda: request.getfixturevalue("postgres_server"), short=True)
    try:
        outcome = row.run(scene)
    except NotHere as reason:
        pytest.skip(str(reason))
    assert not outcome.missed, outcome.result
    assert outcome.times >= row.short
