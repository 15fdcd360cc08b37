"""What a limit saves on a real table: with it every training is of a network that keeps to it."""

import os
from pathlib import Path

import pytest

import nas
from nas.records import Ledger, Record
from nas.searching import Study
from nas.space import Limit

FOLDER = Path(os.environ.get("NAS_DATA") or Path(__file__).parents[3] / "shared" / "data") / "tables"
LIMIT = Limit.parse("params <= 1501674")
"""Two of five networks of NAS-Bench-Macro have no more."""


def trained(study: Study) -> list[Record]:
    with Ledger(study.ledger, create=False) as ledger:
        trials = ledger.trials(study.entry, "search")
    return [trial.record for trial in trials if trial.record and trial.state == "complete" and trial.reused_from is None]


@pytest.mark.parametrize("strategy", ["random", "auto"])
def test_a_limit_that_leaves_two_fifths_gives_twice_the_feasible_trainings(strategy: str, tmp_path: Path) -> None:
    table = FOLDER / "nas-bench-macro.csv.gz"
    if not table.exists():
        pytest.skip(f"{table.name} is not in {FOLDER}; name a folder that holds it by NAS_DATA")
    asked = {"on": table, "trials": 60, "confirm": 0, "strategy": strategy}
    filtered = trained(nas.search(**asked, limits=[str(LIMIT)], ledger=f"sqlite:///{tmp_path}/filtered.sqlite"))
    free = trained(nas.search(**asked, ledger=f"sqlite:///{tmp_path}/free.sqlite"))
    assert len(filtered) == len(free) == 60
    assert all(LIMIT.allows(record.figures["params"]) for record in filtered)
    assert sum(LIMIT.allows(record.figures["params"]) for record in free) <= 30
