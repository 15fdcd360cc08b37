"""The ledger's tables, their versions, and the digests by which damage is seen.

    ledger    one row: version of the tables, and how many studies there are
    studies   with a revision that every change of a trial raises, and sums of the trials' digests
    trials    one row a proposal
    logs      what a candidate printed, compressed

SQLite notices little of what a failing disk changes. Each row has a digest of what it says, and a study the sum of its trials'
digests, so that a row that is changed, missing or twice there is told from what was written.
"""

import zlib
from collections.abc import Iterable, Iterator, Mapping
from hashlib import blake2b
from typing import Any, Literal

import sqlalchemy as sa

from nas.errors import LedgerError

Stage = Literal["search", "confirm", "final", "audit", "derived"]

SCHEMA = 4
"""Version of the tables below; raised with every change of them."""

DIGESTED = 2
"""The first version with digests, leases and logs."""

STAGES: tuple[Stage, ...] = ("search", "confirm", "final", "audit", "derived")
"""Of a study's trials, in walking order."""

metadata = sa.MetaData()
ledgers = sa.Table(
    "ledger",
    metadata,
    sa.Column("schema", sa.Integer, nullable=False),
    sa.Column("studies", sa.Integer, nullable=False, server_default="0"),
)
studies = sa.Table(
    "studies",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("name", sa.String(80), nullable=False, unique=True),
    sa.Column("definition", sa.Text, nullable=False),
    sa.Column("begun_at", sa.String(32), nullable=False),
    sa.Column("digest", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("revision", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("stops", sa.Integer, nullable=False, server_default="0"),
    sa.Column("sum_search", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("sum_confirm", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("sum_final", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("sum_audit", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("sum_derived", sa.BigInteger, nullable=False, server_default="0"),
)
trials = sa.Table(
    "trials",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("study_id", sa.ForeignKey("studies.id"), nullable=False),
    sa.Column("stage", sa.String(16), nullable=False),
    sa.Column("number", sa.Integer, nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("architecture", sa.String(16), nullable=False, index=True),
    sa.Column("choices", sa.Text, nullable=False),
    sa.Column("evaluation", sa.String(16), nullable=False, index=True),
    sa.Column("reused_from", sa.ForeignKey("trials.id")),
    sa.Column("begun_at", sa.String(32), nullable=False),
    sa.Column("ended_at", sa.String(32)),
    sa.Column("proposal", sa.Text),
    sa.Column("record", sa.Text),
    sa.Column("log", sa.BigInteger),
    sa.Column("holder", sa.Text),
    sa.Column("fence", sa.Integer, nullable=False, server_default="1"),
    sa.Column("attempts", sa.Integer, nullable=False, server_default="1"),
    sa.Column("lease_until", sa.Double),
    sa.Column("progress", sa.Text),
    sa.Column("revision", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("digest", sa.BigInteger, nullable=False, server_default="0"),
    sa.UniqueConstraint("study_id", "stage", "number"),
)
sa.Index("trials_by_revision", trials.c.study_id, trials.c.revision)
running = trials.c.state == sa.literal_column("'running'")
"""Written out, since SQLite takes the index of few rows below only where it need not look into a parameter."""
_trials_running = sa.Index("trials_running", trials.c.study_id, sqlite_where=running)


def suit_postgresql() -> None:
    """Let PostgreSQL's index be of running trials alone as well; said apart, since to name the dialect is to load all of it."""
    _trials_running.dialect_options["postgresql"]["where"] = running


logs = sa.Table(
    "logs",
    metadata,
    sa.Column("trial_id", sa.ForeignKey("trials.id"), primary_key=True, autoincrement=False),
    sa.Column("text", sa.LargeBinary, nullable=False),
)

_SAYS = [column.name for column in trials.c][1:14]
"""The columns that say what a trial was and what came of it, in the table's order after its id."""
_BROUGHT: Mapping[int, Mapping[str, frozenset[str]]] = {
    2: {
        "ledger": frozenset({"studies"}),
        "studies": frozenset({"digest", "revision", "stops", "sum_search", "sum_confirm", "sum_final"}),
        "trials": frozenset({"log", "holder", "fence", "attempts", "lease_until", "progress", "revision", "digest"}),
    },
    3: {"studies": frozenset({"sum_audit"})},
    4: {"studies": frozenset({"sum_derived"})},
}
"""Version → table → the columns that came with it."""


def sum_of(stage: str) -> Any:
    """The column of `studies` with the sum of that stage's digests."""
    return studies.c[f"sum_{stage}"]


def sums_as_of(schema: int, stage: str | None) -> Iterator[Any]:
    """The columns of `studies` with the sums of that stage, or of all, as far as tables of that version have them."""
    lacking = _lacking_columns(schema, "studies")
    for name in STAGES if stage is None else (stage,):
        if sum_of(name).name not in lacking:
            yield sum_of(name)


def digest(values: Iterable[Any]) -> int:
    """A number of 40 bits that tells these values from others; a sum of millions of them fits a database's integer."""
    text = "\x1f".join(map(str, values))
    return int.from_bytes(blake2b(text.encode("utf-8", "surrogatepass"), digest_size=5).digest())


def trial_digest(row: Any) -> int:
    """Of a row whose first columns are those of the table of trials, in their order.

    A running trial's leaves out its id, which is known only once the row is there.
    """
    return digest(row[1 if row[4] == "running" else 0 : 14])


def digest_of_trial(values: Mapping[str, Any]) -> int:
    """Of a trial whose row says these values by name, and nothing else."""
    names = _SAYS if values["state"] == "running" else ["id", *_SAYS]
    return digest(values.get(name) for name in names)


def study_digest(name: str, definition: str, begun_at: str) -> int:
    """Of what a study's row says of the study itself."""
    return digest([name, definition, begun_at])


LONGEST_LOG = 64 * 2**20
"""Bytes of a log that are unpacked: those of a hostile ledger may stand for far more than they take."""


def pack(log: str) -> bytes:
    """A log as it is kept; it may hold what no database takes as text."""
    return zlib.compress(log.encode("utf-8", "surrogatepass"), 1)


def unpack(data: bytes, known: int | None) -> str:
    """The log that `pack` packed.

    Raises:
        ValueError: it is not as it was kept.
    """
    try:
        inflating = zlib.decompressobj()
        text = inflating.decompress(data, LONGEST_LOG).decode("utf-8", "surrogatepass")
    except (zlib.error, TypeError) as error:
        raise ValueError("no log") from error
    if inflating.unconsumed_tail or digest([text]) != known:
        raise ValueError("another log")
    return text


def as_of(schema: int, table: sa.Table) -> list[sa.ColumnElement[Any]]:
    """The columns of `table`, to be read from tables of an older version too: what that lacks is as at the beginning."""
    lacking = _lacking_columns(schema, table.name)
    return [_lacking(column) if column.name in lacking else column for column in table.c]


def _lacking_columns(schema: int, table: str) -> set[str]:
    """The columns that came after that version."""
    none: frozenset[str] = frozenset()
    return {name for version in range(schema + 1, SCHEMA + 1) for name in _BROUGHT[version].get(table, none)}


def _lacking(column: sa.Column[Any]) -> sa.ColumnElement[Any]:
    absent = sa.null() if column.nullable else sa.literal(1 if column.name in {"fence", "attempts"} else 0)
    return absent.label(column.name)


def create_tables(connection: sa.Connection) -> None:
    """Make the tables, in the transaction under way."""
    metadata.create_all(connection, checkfirst=False)
    connection.execute(ledgers.insert().values(schema=SCHEMA, studies=0))


def migrate(connection: sa.Connection, schema: int) -> None:
    """Bring tables of an older version to this one, in the transaction under way.

    What was running in those of version 1 has no holder, and may be taken over.

    Raises:
        LedgerError: there is no such version, or a row is damaged so that it cannot be read.
    """
    if not 1 <= schema < SCHEMA:
        raise LedgerError(f"Tables of version {schema} are unknown.")
    for table in (ledgers, studies, trials):
        lacking = _lacking_columns(schema, table.name)
        for column in table.c:
            if column.name in lacking:
                words = sa.schema.CreateColumn(column).compile(dialect=connection.dialect)
                connection.exec_driver_sql(f"ALTER TABLE {table.name} ADD COLUMN {words}")
    if schema < DIGESTED:
        _mark(connection)
    connection.execute(ledgers.update().values(schema=SCHEMA))


def _mark(connection: sa.Connection) -> None:
    """Give the rows of version 1 what version 2 brought: logs, indexes and digests."""
    logs.create(connection)
    for index in trials.indexes:
        index.create(connection, checkfirst=True)
    sums: dict[tuple[int, str], int] = {}
    marks = []
    for row in connection.execute(trials.select()):
        mark = trial_digest(row)
        sums[row.study_id, row.stage] = sums.get((row.study_id, row.stage), 0) + mark
        marks.append({"of": row.id, "mark": mark})
    if marks:
        query = trials.update().where(trials.c.id == sa.bindparam("of")).values(digest=sa.bindparam("mark"), lease_until=None)
        connection.execute(query, marks)
    known = connection.execute(studies.select()).all()
    for study in known:
        values = {"digest": study_digest(study.name, study.definition, study.begun_at)}
        for stage in STAGES:
            values[sum_of(stage).name] = sums.get((study.id, stage), 0)
        connection.execute(studies.update().where(studies.c.id == study.id).values(values))
    connection.execute(ledgers.update().values(studies=len(known)))
