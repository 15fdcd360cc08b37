import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from studies import begin_another, evaluate, searched, trials_of

import nas
from nas.benchmark import Budget
from nas.errors import ReportError
from nas.records import Ledger
from nas.trackers import Told, mlflow_runs, to_mlflow

needs_mlflow = pytest.mark.skipif("not __import__('importlib.util').util.find_spec('mlflow')", reason="mlflow is not installed")
# MLflow's tables are declared in a way that SQLAlchemy will drop, which it says once a process, wherever they are first used.
pytestmark = pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy is deprecated:DeprecationWarning")


def write(url: str, uri: str, **options: Any) -> Told:
    with Ledger(url) as book:
        return to_mlflow(book, "toy", uri, **options)


def runs(uri: str, experiment: str = "digits-v1") -> tuple[Any, list[Any]]:
    """The study's own run, and those below it in their order."""
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=uri)
    found = client.search_runs([client.get_experiment_by_name(experiment).experiment_id], order_by=["attributes.start_time"])
    (parent,) = (run for run in found if "nas.trial" not in run.data.tags)
    return parent, [run for run in found if run.data.tags.get("mlflow.parentRunId") == parent.info.run_id]


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with MLflow's tables and nothing else: to make them takes seconds."""
    from mlflow import MlflowClient

    path = tmp_path_factory.mktemp("mlflow") / "mlflow.db"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
        MlflowClient(tracking_uri=f"sqlite:///{path}").search_experiments()
    return path


@pytest.fixture
def uri(tables: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    shutil.copy(tables, tmp_path / "mlflow.db")
    return f"sqlite:///{tmp_path}/mlflow.db"


@needs_mlflow
def test_every_trial_that_ended_is_a_run_below_that_of_its_study(tmp_path: Path, uri: str) -> None:
    url = searched(tmp_path, trials=14)
    uri = f"{uri}.fresh"  # of which not even the tables are made
    told = write(url, uri)
    parent, below = runs(uri)
    trials = trials_of(url)
    assert {trial.state for trial in trials} == {"complete", "pruned", "infeasible", "failed"}
    assert told == Told(added=len(trials), known=0, waiting=0)
    assert parent.info.run_name == "toy"
    assert parent.info.status == "FINISHED"
    assert parent.data.params["limits"] == "params <= 700"
    by_name = {run.info.run_name: run for run in below}
    for trial in trials:
        assert trial.record is not None
        run = by_name[f"{trial.stage} {trial.number}"]
        assert run.data.params == {name: str(value) for name, value in trial.architecture.choices.items()}
        assert {name: run.data.metrics[name] for name in trial.record.figures} == dict(trial.record.figures)
        assert run.data.tags["nas.architecture"] == trial.architecture.id
        assert run.info.status == {"complete": "FINISHED", "failed": "FAILED"}.get(trial.state, "KILLED")


@needs_mlflow
def test_mlflow_tells_its_makers_nothing(tmp_path: Path, uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_DISABLE_TELEMETRY")
    write(searched(tmp_path, trials=2), uri)
    assert os.environ["MLFLOW_DISABLE_TELEMETRY"] == "true"


@needs_mlflow
def test_a_learning_curve_is_a_metric_by_epoch(tmp_path: Path, uri: str) -> None:
    from mlflow import MlflowClient

    url = searched(tmp_path, trials=14)
    write(url, uri)
    trial = next(trial for trial in trials_of(url) if trial.state == "complete")
    (run,) = (run for run in runs(uri)[1] if run.info.run_name == f"search {trial.number}")
    points = MlflowClient(tracking_uri=uri).get_metric_history(run.info.run_id, "curve/validation_accuracy")
    assert trial.record is not None
    assert [(point.step, point.value) for point in points] == [
        (one.epoch, one.figures["validation_accuracy"]) for one in trial.record.curve
    ]


@needs_mlflow
def test_to_write_again_adds_what_is_new_alone(tmp_path: Path, uri: str) -> None:
    url = searched(tmp_path, trials=3)
    trial = begin_another(url)
    first = write(url, uri)
    assert first.waiting == 1
    assert write(url, uri) == Told(added=0, known=first.added, waiting=1)
    with Ledger(url) as book:
        book.end_trial(trial, evaluate(trial.architecture, budget=Budget(epochs=3), seed=5, final=True))
    assert write(url, uri) == Told(added=1, known=first.added, waiting=0)
    assert len(runs(uri)[1]) == first.added + 1


@needs_mlflow
def test_a_call_that_was_interrupted_is_made_good(tmp_path: Path, uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    url = searched(tmp_path, trials=6)
    calls = []

    def stop(self: Any, run: str, **rest: Any) -> None:
        calls.append(run)
        if len(calls) == 3:
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(mlflow_runs._Writer, "tell", stop)
        with pytest.raises(KeyboardInterrupt):
            write(url, uri)
    trials = trials_of(url)
    assert write(url, uri).added == len(trials) - 1  # the one that the call came to the end of, if without its figures
    assert len(runs(uri)[1]) == len(trials)


@needs_mlflow
def test_the_studys_parameters_are_made_good_too(tmp_path: Path, uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(self: Any, run: str, **rest: Any) -> None:
        raise KeyboardInterrupt

    url = searched(tmp_path, trials=2)
    with monkeypatch.context() as patched:
        patched.setattr(mlflow_runs._Writer, "tell", stop)
        with pytest.raises(KeyboardInterrupt):
            write(url, uri)
    write(url, uri)
    assert runs(uri)[0].data.params["strategy"] == "random"


@needs_mlflow
def test_what_another_call_is_writing_is_left_to_it(tmp_path: Path, uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from mlflow import MlflowClient

    url = searched(tmp_path, trials=3)
    with monkeypatch.context() as patched:
        patched.setattr(MlflowClient, "set_terminated", lambda *_, **__: None)  # as if all were under way still
        first = write(url, uri)
    assert write(url, uri) == Told(added=0, known=0, waiting=first.added)
    assert len(runs(uri)[1]) == first.added
    monkeypatch.setattr(mlflow_runs, "ABANDONED_SECONDS", -1)
    assert write(url, uri) == Told(added=first.added, known=0, waiting=0)
    assert len(runs(uri)[1]) == first.added


@needs_mlflow
def test_an_experiment_names_no_folder_of_this_machine(tmp_path: Path, uri: str) -> None:
    from mlflow import MlflowClient

    write(searched(tmp_path, trials=2), uri)
    experiment = MlflowClient(tracking_uri=uri).get_experiment_by_name("digits-v1")
    assert experiment is not None
    assert experiment.artifact_location == "mlflow-artifacts:/"
    assert str(tmp_path) not in str([run.info for run in (runs(uri)[0], *runs(uri)[1])])


@needs_mlflow
def test_finals_and_an_experiment_of_ones_own(tmp_path: Path, uri: str) -> None:
    url = searched(tmp_path)
    nas.finals("toy", ledger=url, top=1, seeds=2, evaluate=evaluate)
    write(url, uri, experiment="mine")
    names = {run.info.run_name for run in runs(uri, "mine")[1]}
    assert {"final 0", "final 1", "search 0"} <= names


@needs_mlflow
def test_nothing_names_a_host_a_user_or_a_ledger(tmp_path: Path, uri: str) -> None:
    url = searched(tmp_path, trials=3)
    write(url, uri)
    holder = trials_of(url)[0].holder
    assert holder
    parent, below = runs(uri)
    told = str([[run.data.tags, run.data.params] for run in (parent, *below)])
    assert holder not in told
    assert "nas.sqlite" not in told
    assert {run.info.user_id for run in below} == {"unknown"}


@needs_mlflow
def test_a_place_that_cannot_be_written_to_is_one_line(tmp_path: Path, uri: str) -> None:
    with pytest.raises(ReportError, match=r"cannot be written to: .*") as told:
        write(searched(tmp_path, trials=2), "nonsense://somewhere")
    assert "\n" not in str(told.value)


def test_a_password_in_the_uri_is_refused_and_not_repeated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mlflow_runs, "find_spec", lambda _: object())
    with pytest.raises(ReportError, match="A tracking URI holds no password") as told:
        write(searched(tmp_path, trials=2), "https://me:hunter2@example.org")
    assert "hunter2" not in str(told.value)


def test_without_the_package_a_line_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mlflow_runs, "find_spec", lambda _: None)
    with pytest.raises(ReportError, match=r"needs its package: pip install 'nas-harness\[mlflow\]'"):
        write(searched(tmp_path, trials=2), "sqlite:///m.db")


@needs_mlflow
def test_a_folder_that_cannot_be_written_to_is_refused_before_mlflow_tries(
    tmp_path: Path, uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = searched(tmp_path, trials=2)
    locked = tmp_path / "locked"
    locked.mkdir()
    allowed = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != locked and allowed(path, mode))
    with pytest.raises(ReportError, match="nothing can be written to its folder") as told:
        write(url, f"sqlite:///{locked}/m.db")
    assert len(str(told.value).splitlines()) == 1
    assert not list(locked.iterdir())


@needs_mlflow
def test_a_file_name_is_no_tracking_uri(tmp_path: Path, uri: str) -> None:
    with pytest.raises(ReportError, match=r"wants a tracking URI, such as sqlite:///mlflow.db or a server's; got 'afile'\."):
        write(searched(tmp_path, trials=2), "afile")
