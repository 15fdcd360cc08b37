"""What the ledger says to its database, made once: to build a statement costs more than to run it in SQLite."""

from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles

from nas.records.schema import DIGESTED, STAGES, as_of, ledgers, logs, running, studies, sum_of, sums_as_of, trials


class now(sa.sql.functions.FunctionElement[float]):  # noqa: N801 - it stands in statements, as functions do
    """The database's clock in seconds since 1970, by which leases count; for SQLite this host's."""

    type = sa.Double()
    inherit_cache = True


@compiles(now, "sqlite")
def _sqlite_now(*_: Any, **__: Any) -> str:
    return "((julianday('now') - 2440587.5) * 86400.0)"


@compiles(now, "postgresql")
def _postgresql_now(*_: Any, **__: Any) -> str:
    return "CAST(EXTRACT(EPOCH FROM clock_timestamp()) AS DOUBLE PRECISION)"


_over = sa.case((trials.c.lease_until.is_(None) | (trials.c.lease_until < now()), 1), else_=0).label("over")
_lease = now() + sa.bindparam("seconds", type_=sa.Double)
_this = (trials.c.id == sa.bindparam("trial")) & (trials.c.fence == sa.bindparam("held"))
_of_study = studies.c.id == sa.bindparam("study")
_foreign = trials.c.holder.is_(None) | (trials.c.holder != sa.bindparam("us"))

FIND_VERSION = sa.select(ledgers.c.schema)

# Studies.

LOCK_LEDGER = sa.select(ledgers.c.studies).with_for_update()
"""So that studies are begun one after the other; SQLite has one writer anyway."""
FIND_STUDY = studies.select().where(studies.c.name == sa.bindparam("called"))
ADD_STUDY = studies.insert().returning(studies)
COUNT_STUDY = ledgers.update().values(studies=ledgers.c.studies + 1)
ADD_STOP = studies.update().where(_of_study).values(stops=studies.c.stops + 1)
STOPS = sa.select(studies.c.stops).where(_of_study)
REVISION = sa.select(studies.c.revision).where(_of_study)
RAISE_REVISION = studies.update().where(_of_study).values(revision=studies.c.revision + 1).returning(studies.c.revision)
"""Nobody else changes trials of the study, or takes one over, until the transaction is over."""
RAISE_REVISION_AND_SUM = {
    stage: RAISE_REVISION.values({sum_of(stage).name: sum_of(stage) + sa.bindparam("difference", type_=sa.BigInteger)})
    for stage in STAGES
}


def all_studies(version: int) -> sa.Select[Any]:
    """All studies beside how many there should be; one row without a study where there is none."""
    known = as_of(version, ledgers)[1].label("known")
    return sa.select(*as_of(version, studies), known).select_from(ledgers.outerjoin(studies, sa.true())).order_by(studies.c.id)


# Trials. Their columns come first, in the table's order.

_new: dict[str, Any] = {column.name: sa.bindparam(column.name) for column in list(trials.c)[1:14]} | {
    "holder": sa.bindparam("us"),
    "revision": sa.bindparam("revision"),
    "digest": sa.bindparam("digest"),
    "lease_until": _lease,
}
_unique = [trials.c.study_id, trials.c.stage, trials.c.number]
_begun = (trials.c.id, trials.c.lease_until)


@cache
def begin(dialect: str) -> Any:
    """No row comes back where the number is taken."""
    if dialect == "sqlite":
        from sqlalchemy.dialects.sqlite import insert
    else:
        from sqlalchemy.dialects.postgresql import insert  # type: ignore[assignment]  # it loads much that SQLite does not need
    return insert(trials).values(_new).on_conflict_do_nothing(index_elements=_unique).returning(*_begun)


AT_NUMBER = trials.select().where(
    trials.c.study_id == sa.bindparam("study"),
    trials.c.stage == sa.bindparam("stage"),
    trials.c.number == sa.bindparam("number"),
)
AT_WORK = sa.select(trials.c.study_id, trials.c.stage, trials.c.number, trials.c.holder, _over).where(
    trials.c.evaluation == sa.bindparam("evaluation"), running, _foreign
)
"""Study and stage are looked at afterwards: SQLite, which does not know how few rows have one key, would go by these."""
HELD = sa.select(trials.c.holder, _over).where(running)
BEFORE_END = trials.select().where(trials.c.id == sa.bindparam("trial"))
END = (
    trials.update()
    .where(_this, running)
    .values(
        {name: sa.bindparam(f"new_{name}") for name in ("state", "evaluation", "ended_at", "record", "reused_from", "proposal")}
        | {"log": sa.bindparam("new_log"), "digest": sa.bindparam("new_digest"), "revision": sa.bindparam("new_revision")}
        | {"lease_until": None, "progress": None}
    )
)
NOTE = (
    trials.update()
    .where(trials.c.id == sa.bindparam("trial"))
    .values({name: sa.bindparam(f"new_{name}") for name in ("proposal", "digest", "revision")})
)
STUDY_OF = sa.select(trials.c.study_id).where(trials.c.id == sa.bindparam("trial"))
AMEND = (
    trials.update()
    .where(trials.c.id == sa.bindparam("trial"))
    .values({name: sa.bindparam(f"new_{name}") for name in ("record", "digest")})
)
ADD_LOG = logs.insert().values(trial_id=sa.bindparam("trial"), text=sa.bindparam("packed"))
FIND_LOG = sa.select(trials.c.log, logs.c.text).select_from(trials.outerjoin(logs)).where(trials.c.id == sa.bindparam("trial"))
_claimed = trials.update().where(_this, running, trials.c.lease_until.is_not(None))
RENEW = _claimed.values(lease_until=_lease)
RENEW_AND_TELL = _claimed.values(lease_until=_lease, progress=sa.bindparam("told"))
HOLDS = sa.select(trials.c.id).where(_this)
RETRY = (
    trials.update()
    .where(_this, running)
    .values(attempts=sa.bindparam("attempt"), lease_until=_lease, progress=None)
    .returning(trials.c.attempts, trials.c.lease_until)
)
GIVE_BACK = trials.update().where(_this, running).values(lease_until=None)
RUNNING = (
    sa.select(trials, _over).where(trials.c.study_id == sa.bindparam("study"), running).order_by(trials.c.stage, trials.c.number)
)
TAKE = (
    trials.update()
    .where(trials.c.id == sa.bindparam("trial"))
    .values(
        holder=sa.bindparam("us"),
        fence=trials.c.fence + 1,
        attempts=trials.c.attempts + sa.case((trials.c.lease_until.is_(None), 0), else_=1),
        lease_until=_lease,
        progress=None,
        revision=sa.bindparam("new_revision"),
    )
    .returning(trials)
)
CHANGED = (
    sa.select(trials, studies.c.revision.label("latest"))
    .select_from(
        studies.outerjoin(
            trials,
            (trials.c.study_id == studies.c.id) & (trials.c.revision > sa.bindparam("after", type_=sa.BigInteger)) & _foreign,
        )
    )
    .where(_of_study)
    .order_by(trials.c.revision, trials.c.id)
)


def trials_of(version: int, stage: str | None) -> sa.Select[Any]:
    """The trials of a study beside the sum that their digests should have; one row without a trial where there is none.

    It is one statement, so that it sees sum and trials at one moment.
    """
    joined = trials.c.study_id == studies.c.id
    if stage is not None:
        joined &= trials.c.stage == stage
    total: Any = sa.literal(0)
    if version >= DIGESTED:
        for column in sums_as_of(version, stage):
            total += column
    return (
        sa.select(*as_of(version, trials), total.label("total"))
        .select_from(studies.outerjoin(trials, joined))
        .where(_of_study)
        .order_by(trials.c.stage, trials.c.number)
    )


def first_complete(version: int) -> sa.Select[Any]:
    """The first trial that did an evaluation to its end."""
    return (
        sa.select(*as_of(version, trials))
        .where(trials.c.evaluation == sa.bindparam("evaluation"), trials.c.state == "complete", trials.c.reused_from.is_(None))
        .order_by(trials.c.id)
        .limit(1)
    )
