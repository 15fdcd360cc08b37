"""The hypervolume of a study's front, in a script and in its leaderboards."""

import json
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console
from toys import TOY, toy_accuracy, toy_evaluate, toy_params

import nas
from nas.errors import LedgerError, SearchError
from nas.records import Ledger
from nas.reports.tables import print_tables, tables_data
from nas.searching import Study

WAYS = ["validation_accuracy", "params"]


@pytest.fixture
def study(tmp_path: Path) -> Study:
    ledger = f"sqlite:///{tmp_path}/nas.sqlite"
    return nas.search(
        TOY, on="digits", evaluate=toy_evaluate, strategy="random", epochs=3, trials=15, objectives=WAYS, ledger=ledger
    )


def by_hand(study: Study, accuracy: float, params: float) -> float:
    """A staircase: from the smallest network on, what each better one adds up to the reference."""
    with Ledger(study.ledger, create=False) as book:
        points = sorted((toy_params(trial.architecture), -toy_accuracy(trial.architecture)) for trial in book.trials(study.entry))
    total, height = 0.0, accuracy
    for width, negative in points:
        if -negative > height and width < params:
            total += (params - width) * (-negative - height)
            height = -negative
    return total


def test_a_study_tells_its_hypervolume(study: Study) -> None:
    found = study.hypervolume()
    assert found.value == pytest.approx(by_hand(study, *found.reference.values()))
    given = study.hypervolume({"params": 500, "validation_accuracy": 0.25})
    assert given.value == pytest.approx(by_hand(study, 0.25, 500))
    assert found.value > 0 < given.value


def test_leaderboards_of_several_objectives_tell_it_too(study: Study, tmp_path: Path) -> None:
    found, tables = study.hypervolume(), study.tables
    assert tables[0].hypervolume == found
    (data,) = json.loads(json.dumps(tables_data(tables)))
    assert data["hypervolume"] == {"value": found.value, "share": found.share, "reference": dict(found.reference)}
    stream = StringIO()
    print_tables(tables, Console(file=stream, width=300))
    words = (
        f"Hypervolume of validation_accuracy, params: {found.value:.4g}, {found.share:.1%} of the box up to validation_accuracy "
    )
    assert words in stream.getvalue()
    assert words in study.report(tmp_path / "page.html").read_text()


def test_a_leaderboard_of_one_objective_has_none(tmp_path: Path) -> None:
    ledger = f"sqlite:///{tmp_path}/nas.sqlite"
    study = nas.search(TOY, on="digits", evaluate=toy_evaluate, epochs=3, trials=3, ledger=ledger)
    assert study.tables[0].hypervolume is None
    assert tables_data(study.tables)[0]["hypervolume"] is None
    best = study.best.figures["validation_accuracy"].mean
    assert study.hypervolume({"validation_accuracy": 0}).value == pytest.approx(best)
    stream = StringIO()
    print_tables(study.tables, Console(file=stream, width=300))
    assert "ypervolume" not in stream.getvalue()


def test_a_wrong_reference_or_an_empty_study_is_one_line(study: Study) -> None:
    with pytest.raises(
        LedgerError, match=r"^A reference point has a number for each of validation_accuracy, params and no other, got"
    ):
        study.hypervolume({"params": 1})
    with Ledger(study.ledger) as book:
        book.begin_study("empty", dict(study.entry.definition))
    with pytest.raises(SearchError, match=r"^The study 'empty' has no complete trial yet\.$"):
        Study("empty", study.ledger).hypervolume()
