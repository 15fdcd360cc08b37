"""A study as a database of Optuna's (SQLite), which optuna-dashboard opens and `optuna.load_study` reads.

The search is the study of the same name. Finals, what was confirmed and audited are trained otherwise, and are studies of their
own, NAME-final, NAME-confirm and NAME-audit, so that the best of each is the best of what compares.
"""

import json
import math
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from nas.errors import ReportError, printable
from nas.records import Ledger, Stage, StudyEntry, Trial
from nas.records.schema import STAGES
from nas.space import Limit, Space
from nas.trackers.told import Told, figures_of, identity, objectives, study_facts, trial_facts

MARK = "nas"
"""The note on a study that says which study of which ledger it is a copy of."""

TOGETHER = 500
"""Trials that are written in one transaction."""

LEDGER_ID = "ledger_id"
"""The note on a trial by which it is found again."""


def to_optuna(ledger: Ledger, study: str, path: Path) -> Told:
    """Write `study` into the database `path`, which is made where it is not; what is there of it already stays.

    A choice that does not apply is absent. Values are as the objectives say, in the study's directions; a learning curve is the
    intermediate values of the first. Complete, pruned and failed are what Optuna calls so; what lies outside a limit is pruned.
    Where there are limits the one constraint is the largest excess over one of them, as a share of its bound: above 0 outside.
    A trial under way is there as running, and later calls end it.

    Raises:
        ReportError: the file is something else than a database of Optuna's, has another study of that name, or cannot be written.
        LedgerError: there is no such study.
    """
    entry = ledger.study(study)
    trials = ledger.trials(entry)
    _check(path)
    with _open(path) as storage:
        parts = [
            _Writer(storage, entry, stage).write([trial for trial in trials if trial.stage == stage])
            for stage in STAGES
            if stage == "search" or any(trial.stage == stage for trial in trials)
        ]
    return Told(**{name: sum(getattr(part, name) for part in parts) for name in ("added", "known", "waiting")})


def _check(path: Path) -> None:
    """Refuse what is no database of Optuna's, before anything is written into it."""
    if not path.absolute().parent.is_dir():
        raise ReportError(f"The folder {path.parent} of the database does not exist; make it first.")
    if not path.exists():
        return
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            names = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    except sqlite3.Error as error:
        raise ReportError(f"{path} is no SQLite file; name another, or one that is not there yet.") from error
    if names and not names >= {"studies", "trials", "trial_params", "version_info"}:
        raise ReportError(f"{path} is a database, but none of Optuna's; name another file.")


@contextmanager
def _open(path: Path) -> Iterator[Any]:
    """Optuna's storage in `path`; what goes wrong with the file is told in one line."""
    import optuna

    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)  # it announces each study
    try:
        storage = optuna.storages.RDBStorage(f"sqlite:///{path.absolute()}")
        sa.event.listen(storage.engine, "connect", _fast)
        storage.engine.dispose()
        try:
            yield storage
        finally:
            storage.remove_session()
            storage.engine.dispose()
    except (sa.exc.SQLAlchemyError, optuna.exceptions.StorageInternalError, OSError) as error:
        raise ReportError(f"{path} cannot be written as a database of Optuna's: {printable(error)[:160]}.") from error
    except RuntimeError as error:  # of another version of Optuna
        raise ReportError(f"{path} is not for this version of Optuna: {printable(error)[:200]}") from error
    finally:
        optuna.logging.set_verbosity(level)


def _fast(connection: Any, _: Any) -> None:
    connection.execute("PRAGMA synchronous = OFF")  # a copy need not survive a power cut; the ledger does


class _Writer:
    """Writes one stage of a study as one study of Optuna's."""

    def __init__(self, storage: Any, entry: StudyEntry, stage: Stage) -> None:
        self.storage = storage
        self.entry = entry
        self.name = entry.name if stage == "search" else f"{entry.name}-{stage}"
        self.mark = f"{identity(entry)}:{stage}"
        self.goals = objectives(entry)
        self.limits = [Limit.parse(text) for text in entry.definition["limits"]]
        self.space: Space = entry.space

    def write(self, trials: Sequence[Trial]) -> Told:
        """Write what is not there yet, and end what was running."""
        study_id = self.find()
        there = {
            trial.user_attrs.get(LEDGER_ID): (trial._trial_id, trial.state.is_finished())
            for trial in self.storage.get_all_trials(study_id, deepcopy=False)
        }
        added = known = 0
        new = []
        for trial in sorted(trials, key=lambda trial: trial.number):
            place, ended = there.get(trial.id, (None, False))
            if place is None:
                new.append(trial)
            elif not ended and trial.state != "running":
                self.end(place, trial)
            added += trial.state != "running" and not ended
            known += ended
        for start in range(0, len(new), TOGETHER):
            self.insert(study_id, len(there) + start, [self.frozen(trial) for trial in new[start : start + TOGETHER]])
        return Told(added=added, known=known, waiting=sum(trial.state == "running" for trial in trials))

    def find(self) -> int:
        """The study's id in the database; begun there if it is not."""
        for study in self.storage.get_all_studies():
            if study.study_name == self.name:
                if study.user_attrs.get(MARK) != self.mark:
                    raise ReportError(f"The database has another study {self.name!r} already; name another file.")
                return int(study._study_id)
        return self.begin()

    def begin(self) -> int:
        """Make the study with all that is told of it, or nothing: one without its mark would be somebody else's ever after."""
        from optuna.storages._rdb import models
        from optuna.study import StudyDirection

        directions = [StudyDirection.MAXIMIZE if goal.direction == "maximize" else StudyDirection.MINIMIZE for goal in self.goals]
        with self.storage.engine.begin() as connection:
            told = connection.execute(sa.insert(models.StudyModel).values(study_name=self.name))
            study_id = int(told.inserted_primary_key[0])

            def add(model: Any, **values: Any) -> None:
                connection.execute(sa.insert(model).values(study_id=study_id, **values))

            for objective, direction in enumerate(directions):
                add(models.StudyDirectionModel, direction=direction, objective=objective)
            names = json.dumps([goal.figure for goal in self.goals])
            add(models.StudySystemAttributeModel, key="study:metric_names", value_json=names)
            for name, value in {**study_facts(self.entry), MARK: self.mark}.items():
                add(models.StudyUserAttributeModel, key=name, value_json=json.dumps(value))
        return study_id

    def frozen(self, trial: Trial) -> Any:
        """The trial in Optuna's words."""
        from optuna.trial import create_trial

        from nas.strategies.distributions import distribution

        domains = self.space.domains(trial.architecture)
        state, values = self.outcome(trial)
        constraints = self.constraints(trial)
        found = create_trial(
            state=state,
            values=values,
            params=dict(trial.architecture.choices),
            distributions={name: distribution(domain) for name, domain in domains.items()},
            user_attrs={**figures_of(trial.record), **trial_facts(trial)},
            system_attrs={"constraints": constraints} if constraints else {},
            intermediate_values=self.steps(trial),
        )
        found.datetime_start = _local(trial.begun_at)
        found.datetime_complete = _local(trial.ended_at) if trial.ended_at and state.is_finished() else found.datetime_complete
        return found

    def insert(self, study_id: int, number: int, trials: Sequence[Any]) -> None:
        """Write `trials`, the first of which is the `number`-th, all of them or none.

        Optuna's own way asks the database once for each parameter, and takes longer the more trials there are.
        """
        from optuna.distributions import distribution_to_json
        from optuna.storages._rdb import models

        rows: dict[Any, list[dict[str, Any]]] = {}
        with self.storage.engine.begin() as connection:
            for place, trial in enumerate(trials, start=number):
                own = {"study_id": study_id, "number": place, "state": trial.state}
                times = {"datetime_start": trial.datetime_start, "datetime_complete": trial.datetime_complete}
                trial_id = connection.execute(sa.insert(models.TrialModel).values(own | times)).inserted_primary_key[0]

                def add(model: Any, trial_id: int = trial_id, **values: Any) -> None:
                    rows.setdefault(model, []).append({"trial_id": trial_id, **values})

                for name, kind in trial.distributions.items():
                    value = kind.to_internal_repr(trial.params[name])
                    add(models.TrialParamModel, param_name=name, param_value=value, distribution_json=distribution_to_json(kind))
                for objective, value in enumerate(trial.values or ()):
                    stored, how = models.TrialValueModel.value_to_stored_repr(value)
                    add(models.TrialValueModel, objective=objective, value=stored, value_type=how)
                for step, value in trial.intermediate_values.items():
                    model = models.TrialIntermediateValueModel
                    told, kind_of = model.intermediate_value_to_stored_repr(value)
                    add(model, step=step, intermediate_value=told, intermediate_value_type=kind_of)
                for key, value in trial.user_attrs.items():
                    add(models.TrialUserAttributeModel, key=key, value_json=json.dumps(value))
                for key, value in trial.system_attrs.items():
                    add(models.TrialSystemAttributeModel, key=key, value_json=json.dumps(value))
            for model, values in rows.items():
                connection.execute(sa.insert(model), values)

    def end(self, place: int, trial: Trial) -> None:
        """Tell what came of a trial that is there as running."""
        from optuna.storages._rdb.models import TrialModel

        found = self.frozen(trial)
        for name, value in found.user_attrs.items():
            self.storage.set_trial_user_attr(place, name, value)
        for name, value in found.system_attrs.items():
            self.storage.set_trial_system_attr(place, name, value)
        for step, value in found.intermediate_values.items():
            self.storage.set_trial_intermediate_value(place, step, value)
        self.storage.set_trial_state_values(place, found.state, found.values)
        times = {"datetime_start": found.datetime_start, "datetime_complete": found.datetime_complete}
        with self.storage.engine.begin() as connection:  # else it would have ended now
            connection.execute(sa.update(TrialModel).where(TrialModel.trial_id == place).values(times))

    def outcome(self, trial: Trial) -> tuple[Any, list[float] | None]:
        """Optuna's state, and the objectives' values where all are known."""
        from optuna.trial import TrialState

        figures = figures_of(trial.record)
        values = [figures[goal.figure] for goal in self.goals if goal.figure in figures]
        whole = values if len(values) == len(self.goals) else None
        if trial.state == "running":
            return TrialState.RUNNING, None
        if trial.state == "failed" or (trial.state == "complete" and whole is None):
            return TrialState.FAIL, None
        return (TrialState.COMPLETE if trial.state == "complete" else TrialState.PRUNED), whole

    def steps(self, trial: Trial) -> dict[int, float]:
        """The learning curve in the first objective."""
        figure = self.goals[0].figure
        curve = trial.record.curve if trial.record else ()
        known = {point.epoch: point.figures[figure] for point in curve if figure in point.figures}
        return {epoch: value for epoch, value in known.items() if math.isfinite(value)}

    def constraints(self, trial: Trial) -> list[float]:
        """The largest excess over a limit whose figure is known; nothing where none is."""
        figures = figures_of(trial.record)
        known = [limit.excess(figures[limit.figure]) for limit in self.limits if limit.figure in figures]
        return [max(known)] if known else []


def _local(stamp: str) -> datetime:
    """A time stamp of the ledger as Optuna has them: local, without a zone."""
    return datetime.fromisoformat(stamp).astimezone().replace(tzinfo=None)
