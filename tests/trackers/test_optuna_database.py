import sqlite3
from contextlib import closing
from datetime import datetime
from pathlib import Path

import optuna
import pytest
from optuna.trial import TrialState
from studies import begin_another, evaluate, searched, trials_of

import nas
from nas.benchmark import Budget, Objective
from nas.errors import LedgerError, ReportError
from nas.records import Ledger
from nas.trackers import Told, to_optuna

STATES = {"complete": "COMPLETE", "pruned": "PRUNED", "infeasible": "PRUNED", "failed": "FAIL", "running": "RUNNING"}


def write(url: str, path: Path) -> Told:
    with Ledger(url) as book:
        return to_optuna(book, "toy", path)


def load(path: Path, name: str = "toy") -> optuna.Study:
    return optuna.load_study(study_name=name, storage=f"sqlite:///{path}")


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> str:
    found = searched(tmp_path_factory.mktemp("tracked"), trials=14)
    assert {trial.state for trial in trials_of(found)} == {"complete", "pruned", "infeasible", "failed"}
    return found


@pytest.fixture(scope="module")
def path(url: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("optuna") / "o.db"
    write(url, found)
    return found


def test_every_trial_is_there_with_its_answers_and_what_came_of_it(url: str, path: Path) -> None:
    study, trials = load(path), trials_of(url)
    assert [trial.number for trial in study.trials] == [trial.number for trial in trials]
    for told, trial in zip(study.trials, trials, strict=True):
        assert trial.record is not None
        assert told.state == TrialState[STATES[trial.state]]
        assert told.params == dict(trial.architecture.choices)
        assert set(told.distributions) == set(trial.architecture.choices)
        assert told.user_attrs["architecture"] == trial.architecture.id
        assert told.user_attrs["params"] == trial.record.figures["params"]
        assert told.intermediate_values == {one.epoch: one.figures["validation_accuracy"] for one in trial.record.curve}
        if trial.state == "complete":
            assert told.value == trial.record.figures["validation_accuracy"]
        assert told.datetime_start is not None
        assert told.datetime_complete is not None
        assert trial.ended_at is not None
        assert told.datetime_start.timestamp() == datetime.fromisoformat(trial.begun_at).timestamp()
        assert told.datetime_complete.timestamp() == datetime.fromisoformat(trial.ended_at).timestamp()


def test_a_choice_that_does_not_apply_is_absent(url: str, path: Path) -> None:
    shallow = [told for told in load(path).trials if told.params["block.times"] == 0]
    assert shallow
    assert not [name for told in shallow for name in told.params if name.startswith("block.0")]


def test_the_best_is_the_best_within_the_limits(url: str, path: Path) -> None:
    study = load(path)
    complete = [trial for trial in trials_of(url) if trial.state == "complete" and trial.record]
    best = max(complete, key=lambda trial: trial.record.figures["validation_accuracy"])  # type: ignore[union-attr]
    assert study.best_trial.user_attrs["architecture"] == best.architecture.id
    assert study.direction == optuna.study.StudyDirection.MAXIMIZE
    assert study.metric_names == ["validation_accuracy"]
    assert study.user_attrs["limits"] == "params <= 700"


def test_what_lies_outside_a_limit_has_an_excess_and_what_failed_its_error(path: Path) -> None:
    by_state = {told.user_attrs["state"]: told for told in load(path).trials}
    assert by_state["infeasible"].system_attrs["constraints"] == [pytest.approx(100 / 700)]
    assert by_state["complete"].system_attrs["constraints"][0] <= 0
    assert by_state["failed"].user_attrs["error"] == "raised: no <b>way</b>"


def test_nothing_names_a_host_or_a_folder(url: str, path: Path) -> None:
    holder = trials_of(url)[0].holder
    assert holder
    told = str([[one.user_attrs, one.system_attrs] for one in load(path).trials] + [load(path).user_attrs])
    assert holder not in told
    assert holder.split()[0] + " " not in told
    assert "/tmp" not in told  # noqa: S108 - where the ledger is


def test_to_write_again_adds_what_is_new_and_changes_nothing_else(tmp_path: Path) -> None:
    url, path = searched(tmp_path, trials=4), tmp_path / "o.db"
    first = write(url, path)
    before = load(path).trials
    assert first == Told(added=len(before), known=0, waiting=0)
    assert write(url, path) == Told(added=0, known=len(before), waiting=0)
    assert load(path).trials == before
    searched(tmp_path, trials=8)
    again = write(url, path)
    assert (again.known, again.added) == (len(before), len(load(path).trials) - len(before))
    assert again.added > 0
    assert load(path).trials[: len(before)] == before


def test_a_trial_under_way_is_running_and_ends_with_a_later_call(tmp_path: Path) -> None:
    url, path = searched(tmp_path, trials=3), tmp_path / "o.db"
    trial = begin_another(url)
    assert write(url, path).waiting == 1
    assert load(path).trials[-1].state == TrialState.RUNNING
    record = evaluate(trial.architecture, budget=Budget(epochs=3), seed=5, final=True)
    with Ledger(url) as book:
        ended = book.end_trial(trial, record).ended_at
    assert write(url, path).added == 1
    last = load(path).trials[-1]
    assert ended is not None
    assert last.datetime_complete is not None
    assert last.datetime_complete.timestamp() == datetime.fromisoformat(ended).timestamp()
    assert last.state == TrialState.COMPLETE
    assert last.value == record.figures["validation_accuracy"]
    assert len(last.intermediate_values) == 3


def test_finals_are_a_study_of_their_own(tmp_path: Path) -> None:
    url, path = searched(tmp_path), tmp_path / "o.db"
    nas.finals("toy", ledger=url, top=1, seeds=2, evaluate=evaluate)
    write(url, path)
    assert len(load(path, "toy-final").trials) == 2
    assert len(load(path).trials) == len(trials_of(url, "search"))


def test_several_objectives_keep_their_directions(tmp_path: Path) -> None:
    goals = [Objective("validation_accuracy", "maximize"), Objective("params", "minimize")]
    url, path = searched(tmp_path, trials=6, objectives=[goal.figure for goal in goals]), tmp_path / "o.db"
    write(url, path)
    study = load(path)
    assert [direction.name.lower() for direction in study.directions] == [goal.direction for goal in goals]
    (best,) = {tuple(told.values) for told in study.best_trials if told.values == study.best_trials[0].values}
    assert best[1] == study.best_trials[0].user_attrs["params"]


def test_what_is_no_database_of_optunas_is_left_as_it_is(tmp_path: Path) -> None:
    url = searched(tmp_path, trials=2)
    text, other = tmp_path / "notes.txt", tmp_path / "other.db"
    text.write_text("notes")
    with sqlite3.connect(other) as connection:
        connection.execute("CREATE TABLE mine (a INT)")
    connection.close()
    with pytest.raises(ReportError, match=r"notes\.txt is no SQLite file; name another, or one that is not there yet\."):
        write(url, text)
    with pytest.raises(ReportError, match=r"other\.db is a database, but none of Optuna's; name another file\."):
        write(url, other)
    with pytest.raises(ReportError, match=r"nas\.sqlite is a database, but none of Optuna's"):
        write(url, tmp_path / "nas.sqlite")
    with pytest.raises(ReportError, match=r"The folder .*nowhere of the database does not exist; make it first\."):
        write(url, tmp_path / "nowhere" / "o.db")
    assert text.read_text() == "notes"
    assert trials_of(url)


def test_another_study_of_that_name_is_not_mixed_with(tmp_path: Path) -> None:
    path = tmp_path / "o.db"
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    optuna.create_study(study_name="toy", storage=f"sqlite:///{path}")
    with pytest.raises(ReportError, match="The database has another study 'toy' already; name another file"):
        write(searched(tmp_path, trials=2), path)
    assert load(path).trials == []


def test_a_call_that_was_stopped_as_it_made_the_study_leaves_nothing_in_the_way(tmp_path: Path) -> None:
    path = tmp_path / "o.db"
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    optuna.create_study(study_name="mine", storage=f"sqlite:///{path}")
    stop = (
        "CREATE TRIGGER stop BEFORE INSERT ON study_user_attributes WHEN NEW.key = 'nas' BEGIN SELECT RAISE(ABORT, 'stop'); END"
    )
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(stop)
    url = searched(tmp_path, trials=2)
    with pytest.raises(ReportError, match="cannot be written"):
        write(url, path)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("DROP TRIGGER stop")
    assert write(url, path).added == len(trials_of(url))
    assert load(path).user_attrs["strategy"]


def test_another_study_beside_it_stays(tmp_path: Path) -> None:
    path = tmp_path / "o.db"
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    optuna.create_study(study_name="mine", storage=f"sqlite:///{path}").optimize(lambda trial: trial.suggest_float("x", 0, 1), 2)
    write(searched(tmp_path, trials=2), path)
    assert len(load(path, "mine").trials) == 2
    assert load(path).trials


def test_an_unknown_study_is_refused_before_a_file_is_made(tmp_path: Path) -> None:
    with Ledger(searched(tmp_path, trials=2)) as book, pytest.raises(LedgerError, match="nobody"):
        to_optuna(book, "nobody", tmp_path / "o.db")
    assert not (tmp_path / "o.db").exists()
