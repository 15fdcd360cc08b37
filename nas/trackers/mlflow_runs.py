"""A study as runs of MLflow: one for the study, and below it one for each trial that has ended."""

import logging
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeVar

from nas.errors import ReportError, printable, quote
from nas.records import Ledger, Record, StudyEntry, Trial, shown_url, without_password
from nas.trackers.told import Told, figures_of, identity, study_facts, trial_facts

MARK = "nas.study"
"""The tag that says which study a run is of."""

WORK = "nas.trial"
"""The tag that says which trial, as STAGE:NUMBER; the study's own run has none."""

TOLD_AT = "nas.told_at"
"""The tag that says when a run was written, in milliseconds since 1970: its own times are the trial's."""

ABANDONED_SECONDS = 300
"""After which a trial's run that is not whole was left by a call that is no more; another call may be at a younger one."""

SERVED = "mlflow-artifacts:/"
"""Where an experiment's artifacts lie: with whatever server shows them. Else MLflow writes down the folder it is called in."""

STATUS: Mapping[str, str] = {"complete": "FINISHED", "pruned": "KILLED", "infeasible": "KILLED", "failed": "FAILED"}
"""A trial's state → MLflow's word."""

METRICS, PARAMS, TAGS = 1_000, 100, 100
"""The most that MLflow takes at once."""

LONGEST = 5_000
"""Letters of a tag or a parameter."""

Item = TypeVar("Item")


def to_mlflow(ledger: Ledger, study: str, uri: str, *, experiment: str | None = None) -> Told:
    """Write `study` to the tracking `uri`, into `experiment`, or that of its benchmark; what is there of it already stays.

    Choices are parameters, figures metrics, learning curves metrics by epoch below curve/; what names the trial, its machine and
    commit are tags. Nothing is asked of the network but by a `uri` that names a server.

    Raises:
        ReportError: MLflow is not installed, the URI is none, holds a password that is not the environment's, or
            cannot be written to.
        LedgerError: there is no such study.
    """
    if find_spec("mlflow") is None:
        raise ReportError("Writing for MLflow needs its package: pip install 'nas-harness[mlflow]'.")
    if without_password(uri) != uri and uri != os.environ.get("MLFLOW_TRACKING_URI"):
        raise ReportError(
            "A tracking URI holds no password, since others can read the command; set MLFLOW_TRACKING_URI, or "
            "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD."
        )
    _check(uri)
    entry = ledger.study(study)
    trials = ledger.trials(entry)
    benchmark = entry.definition["benchmark"]
    with _client(uri) as client:
        place = None if uri.startswith(("http", "databricks")) else SERVED  # a server knows by itself
        return _Writer(client, entry, experiment or f"{benchmark['name']}-v{benchmark['version']}", place).write(trials)


def _check(uri: str) -> None:
    """Refuse at the door what MLflow would try again and again.

    Raises:
        ReportError: `uri` is none, or a file of SQLite's that cannot be written to.
    """
    if ":" not in uri and uri != "databricks":
        raise ReportError(f"MLflow wants a tracking URI, such as sqlite:///mlflow.db or a server's; got {quote(uri)}.")
    if not uri.startswith("sqlite:///"):
        return
    path = Path(uri.removeprefix("sqlite:///").partition("?")[0]).absolute()
    if path.exists() and not os.access(path, os.W_OK):
        raise ReportError(f"{_shown(uri)} cannot be written to: its permissions do not allow it.")
    folder = next(parent for parent in path.parents if parent.exists())  # MLflow makes those that are missing
    if not os.access(folder, os.W_OK):
        raise ReportError(f"{_shown(uri)} cannot be written to: nothing can be written to its folder; name another file.")


@contextmanager
def _client(uri: str) -> Iterator[Any]:
    """MLflow's client of `uri`; what goes wrong there is told in one line."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # else it tells its makers of each use
    os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    logger = logging.getLogger("mlflow")
    level = logger.level
    logger.setLevel(logging.WARNING)  # it tells of each table that it makes
    try:
        yield MlflowClient(tracking_uri=uri)
    except (MlflowException, OSError) as error:
        raise ReportError(f"{_shown(uri)} cannot be written to: {printable(error).replace(uri, _shown(uri))[:200]}.") from error
    finally:
        logger.setLevel(level)


def _shown(uri: str) -> str:
    """`uri` for people."""
    bare = without_password(uri)
    return bare if ":" not in bare or bare.startswith(("http", "file")) else shown_url(bare)


class _Writer:
    """Writes one study."""

    def __init__(self, client: Any, entry: StudyEntry, experiment: str, artifacts: str | None) -> None:
        self.client = client
        self.entry = entry
        self.experiment = experiment
        self.artifacts = artifacts
        """Where those of an experiment that is made now lie; None where the server says."""
        self.mark = identity(entry)

    def write(self, trials: Sequence[Trial]) -> Told:
        """Write the trials that have ended and are not there yet."""
        found = self.client.get_experiment_by_name(self.experiment)
        place = found.experiment_id if found else self.client.create_experiment(self.experiment, self.artifacts)
        there: dict[str, Any] = {}
        elsewhere = set()
        for run in self.runs(place):
            work = run.data.tags.get(WORK, "")
            if not work or run.info.status != "RUNNING":
                there[work] = run
            elif _now() - int(run.data.tags.get(TOLD_AT, 0)) > 1_000 * ABANDONED_SECONDS:
                self.client.delete_run(run.info.run_id)
            else:
                elsewhere.add(work)
        parent = self.begin_study(place, there.get(""))
        ended = [trial for trial in trials if trial.state != "running"]
        new = [trial for trial in ended if _work(trial) not in {*there, *elsewhere}]
        for trial in new:
            self.write_trial(place, parent, trial)
        last = max((_milliseconds(trial.ended_at) for trial in ended if trial.ended_at), default=None)
        self.client.set_terminated(parent, "FINISHED", end_time=last)
        known = sum(_work(trial) in there for trial in ended)
        return Told(added=len(new), known=known, waiting=len(trials) - len(new) - known)

    def runs(self, experiment: str) -> Iterator[Any]:
        """What is there of the study."""
        page = None
        while True:
            found = self.client.search_runs([experiment], f"tags.`{MARK}` = '{self.mark}'", max_results=1_000, page_token=page)
            yield from found
            page = found.token
            if not page:
                return

    def begin_study(self, experiment: str, run: Any | None) -> str:
        """The run that the trials are below, `run` where it is there, with what a call that was killed did not come to."""
        if run is None:
            begun = _milliseconds(self.entry.begun_at)
            run = self.client.create_run(experiment, start_time=begun, run_name=self.entry.name, tags={MARK: self.mark})
        missing = {name: value for name, value in study_facts(self.entry).items() if _key(name) not in run.data.params}
        self.tell(run.info.run_id, params=missing, tags={}, metrics=[])
        return str(run.info.run_id)

    def write_trial(self, experiment: str, parent: str, trial: Trial) -> None:
        """Its run, whole or not at all; what a call that is killed leaves is running, which a later one deletes."""
        begun = _milliseconds(trial.begun_at)
        ended = _milliseconds(trial.ended_at or trial.begun_at)
        tags = {"mlflow.parentRunId": parent, MARK: self.mark, WORK: _work(trial), TOLD_AT: str(_now())}
        run = self.client.create_run(experiment, start_time=begun, run_name=f"{trial.stage} {trial.number}", tags=tags)
        facts = {f"nas.{key}": str(value) for key, value in trial_facts(trial).items() if key != "trial"}
        try:
            self.tell(run.info.run_id, params=trial.architecture.choices, tags=facts, metrics=[*_metrics(trial, begun, ended)])
            self.client.set_terminated(run.info.run_id, STATUS[trial.state], end_time=ended)
        except BaseException:
            with suppress(Exception):  # where it cannot be told, it cannot be deleted either
                self.client.delete_run(run.info.run_id)
            raise

    def tell(self, run: str, *, params: Mapping[str, Any], tags: Mapping[str, str], metrics: Sequence[Any]) -> None:
        """Log it in as many calls as it takes."""
        from mlflow.entities import Param, RunTag

        for some in _chunks([Param(_key(name), str(value)[:LONGEST]) for name, value in params.items()], PARAMS):
            self.client.log_batch(run, params=some)
        for few in _chunks([RunTag(name, value[:LONGEST]) for name, value in tags.items()], TAGS):
            self.client.log_batch(run, tags=few)
        for points in _chunks(metrics, METRICS):
            self.client.log_batch(run, metrics=points)


def _work(trial: Trial) -> str:
    return f"{trial.stage}:{trial.number}"


def _metrics(trial: Trial, begun: int, ended: int) -> Iterator[Any]:
    """Its figures, and its learning curve by epoch."""
    from mlflow.entities import Metric

    record: Record | None = trial.record
    for name, value in figures_of(record).items():
        yield Metric(_key(name), value, ended, 0)
    for point in record.curve if record else ():
        at = begun + round(1_000 * (point.seconds or 0.0))
        for name, value in point.told.items():
            yield Metric(f"curve/{_key(name)}", float(value), at, point.epoch)


def _key(name: str) -> str:
    """`name` in the letters that MLflow takes."""
    return "".join(sign if sign.isascii() and (sign.isalnum() or sign in "_-. :/") else "_" for sign in name)[:200]


def _now() -> int:
    return round(1_000 * time.time())


def _milliseconds(stamp: str) -> int:
    """A time stamp of the ledger in milliseconds since 1970."""
    moment = datetime.fromisoformat(stamp)
    return round(1_000 * (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())


def _chunks(items: Sequence[Item], size: int) -> Iterator[list[Item]]:
    for start in range(0, len(items), size):
        yield list(items[start : start + size])
