"""A password through everything that fails: what is printed, written and kept has none of it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
from frame import Outcome, Row, Scene
from full_disks import SPACE, TABLE
from starting import HERE, PATIENCE_SECONDS, Missed, until
from test_addresses import CANARY, wanting_a_password

from nas.records import Ledger

if TYPE_CHECKING:
    from postgres import Server

WRONG = f"{CANARY}w"
SEARCH = ("search", "--on", str(TABLE), "--strategy", "random", "--trials", "4", "--study", "s")
FILE = "pgpass"
AT_COMMAND_LINE = "the canary was in a command's words"


@dataclass
class Place:
    """Where a way is tried."""

    server: "Server"
    database: str
    """The URL of the database, as its superuser."""
    guest: Callable[[str], str]
    """A password → the URL with it, of somebody who needs one."""
    folder: Path


@dataclass(frozen=True, kw_only=True)
class Way:
    """A way to fail, or to look at what failed."""

    name: str
    words: tuple[str, ...] = SEARCH
    """Of the command `nas`; GUEST, BARE and HERE stand for the URL with the password, without, and the folder."""
    environment: Mapping[str, str] = field(default_factory=lambda: {"NAS_LEDGER": "GUEST"})
    """In which GUEST and BARE are put in their place too."""
    pgpass: str = ""
    """The password in a pgpass file."""
    mode: int = 0o600
    """Of that file."""
    status: tuple[int, ...] = (2,)
    says: str = ""
    """Words that show that it came to what it was to come to."""
    script: str = ""
    """What spilling.py is to do, instead of a command."""
    strike: Callable[[Place, subprocess.Popen[bytes]], None] | None = None
    """What is done to it while it runs."""
    before: Callable[["Place"], None] | None = None
    after: Callable[["Place"], None] | None = None
    given: bool = False
    """Whether whoever typed the command put the password there."""
    slow: bool = False


def _stop(place: Place) -> None:
    place.server.stop()


def _start(place: Place) -> None:
    place.server.start()


def _wait_for(place: Place, name: str) -> None:
    until(lambda: (place.folder / name).exists(), f"the file {name}", 60)


def _take_server_away(place: Place, process: subprocess.Popen[bytes]) -> None:
    _wait_for(place, "ready")
    place.server.stop()
    (place.folder / "go-on").touch()


def _drop_sessions(place: Place, process: subprocess.Popen[bytes]) -> None:
    _wait_for(place, "ready")
    place.server.drop_sessions()
    (place.folder / "go-on").touch()


def _lock_out(place: Place, process: subprocess.Popen[bytes]) -> None:
    """The password is another while the run goes on."""
    _wait_for(place, "ready")
    place.server.command(f"ALTER ROLE guest PASSWORD '{CANARY[::-1]}'")
    place.server.drop_sessions()
    (place.folder / "go-on").touch()


def _let_in(place: Place) -> None:
    place.server.command(f"ALTER ROLE guest PASSWORD '{CANARY}'")


def _interrupt(place: Place, process: subprocess.Popen[bytes]) -> None:
    out = place.folder / "stdout"
    until(lambda: b" 2/1000 " in out.read_bytes() or process.poll() is not None, "two trials", 60)
    process.send_signal(signal.SIGINT)


def _look(*words: str, **more: object) -> Way:
    return Way(name=f"look: nas {' '.join(words)}", words=words, status=(0,), **more)  # type: ignore[arg-type]


WAYS = (
    Way(name="a wrong password in NAS_LEDGER", environment={"NAS_LEDGER": "WRONG"}, says="authentication failed"),
    Way(
        name="a wrong NAS_LEDGER_PASSWORD",
        environment={"NAS_LEDGER": "BARE", "NAS_LEDGER_PASSWORD": WRONG},
        says="authentication failed",
    ),
    Way(name="a wrong PGPASSWORD", environment={"NAS_LEDGER": "BARE", "PGPASSWORD": WRONG}, says="authentication failed"),
    Way(name="a wrong password in pgpass", environment={"NAS_LEDGER": "BARE"}, pgpass=WRONG, says="authentication failed"),
    Way(
        name="a pgpass file that all can read",
        environment={"NAS_LEDGER": "BARE"},
        pgpass=CANARY,
        mode=0o644,
        says="no password supplied",
    ),
    Way(
        name="a password in --ledger", words=(*SEARCH, "--ledger", "GUEST"), environment={}, says="holds no password", given=True
    ),
    Way(
        name="a password in the query of --ledger",
        words=(*SEARCH, "--ledger", f"BARE&password={CANARY}"),
        environment={},
        says="holds no password",
        given=True,
    ),
    Way(name="a password in a configuration", words=("search", "--config", "HERE/run.yaml"), environment={}),
    Way(
        name="a host that nobody knows",
        environment={"NAS_LEDGER": f"postgresql://guest:{CANARY}@nowhere.invalid/nas"},
        says="ledger postgresql://guest@nowhere.invalid/nas",
    ),
    Way(
        name="a port that nobody listens at",
        environment={"NAS_LEDGER": f"postgresql://guest:{CANARY}@127.0.0.1:1/nas"},
        status=(75,),
        says="did not answer",
        slow=True,
    ),
    Way(name="a database that is not there", environment={"NAS_LEDGER": "MISSING"}, says="does not exist"),
    Way(
        name="a port that is no number",
        environment={"NAS_LEDGER": f"postgresql://guest@db:{CANARY}/nas"},
        says="A ledger is",
    ),
    Way(name="another kind of database", environment={"NAS_LEDGER": f"mysql://guest:{CANARY}@db/nas"}, says="A ledger is"),
    Way(name="a study that is not there", words=("rank", "none-such"), says="none-such"),
    Way(
        name="nas doctor, a wrong password",
        words=("doctor",),
        environment={"NAS_LEDGER": "WRONG"},
        status=(1,),
        says="authentication failed",
    ),
    Way(name="nas doctor as JSON", words=("doctor", "--json"), status=(0, 1), says="guest"),
    Way(name="nas watch, a wrong password", words=("watch", "s", "--once"), environment={"NAS_LEDGER": "WRONG"}),
    Way(name="nas stop, a wrong password", words=("stop", "s"), environment={"NAS_LEDGER": "WRONG"}),
    Way(name="the default in a command's help", words=("trials", "--help"), status=(0,), says="--ledger"),
    Way(name="a server that is away", before=_stop, after=_start, status=(75,), says="did not answer", slow=True),
    Way(
        name="a server that goes away in the middle, and the traceback",
        script="waits",
        strike=_take_server_away,
        after=_start,
        status=(1,),
        says="Parked",
    ),
    Way(name="sessions that are dropped in the middle", script="waits", strike=_drop_sessions, status=(0,)),
    Way(
        name="a password that changes in the middle",
        script="waits",
        strike=_lock_out,
        after=_let_in,
        status=(1,),
        says="authentication failed",
    ),
    Way(name="a traceback of a listener", script="raises", status=(1,), says="What listens is broken"),
    Way(name="an abort, and what faulthandler prints", script="aborts", status=(-signal.SIGABRT,), says="Fatal Python error"),
    Way(name="a candidate that raises its environment", script="raising", status=(0, 1), slow=True),
    Way(name="a candidate that prints its environment", script="printing", status=(0,), slow=True),
    Way(name="a candidate that prints it and crashes", script="crashing", status=(0, 1), slow=True),
    Way(
        name="the same, with NAS_LEDGER_PASSWORD",
        script="crashing",
        environment={"NAS_LEDGER": "BARE", "NAS_LEDGER_PASSWORD": CANARY},
        status=(0, 1),
        slow=True,
    ),
    Way(
        name="the same, with a pgpass file",
        script="crashing",
        environment={"NAS_LEDGER": "BARE"},
        pgpass=CANARY,
        status=(0, 1),
        slow=True,
    ),
    Way(
        name="Ctrl-C, and the command that goes on",
        words=("search", "HERE/little.yaml", "--on", "digits", "--steps", "2", "--trials", "1000", "--study", "interrupted"),
        strike=_interrupt,
        status=(130,),
        says="nas search",
        slow=True,
    ),
    Way(name="a search, as JSON", words=(*SEARCH, "--json"), status=(0,)),
    _look("trials", "s", "--json"),
    _look("trials", "s", "--csv"),
    _look("trial", "s", "0"),
    _look("watch", "s", "--once"),
    _look("rank", "s", "--json"),
    _look("rank", "s", "--csv"),
    _look("report", "s", "--out", "HERE/page.html", slow=True),
    _look("table", "s", "--out", "HERE/table.csv"),
)
"""Those that look come last, with what the others left in the ledger."""


class _Trying:
    """One way, and where its canary was seen."""

    def __init__(self, way: Way, place: Place) -> None:
        self.way, self.place = way, place
        self.seen: set[str] = set()

    def go(self) -> str:
        """Try it; returns why it did not come to what it was to come to, if it did not."""
        way, place = self.way, self.place
        place.folder.mkdir()
        environment = self._environment()
        out, err = place.folder / "stdout", place.folder / "stderr"
        words = [self._put(word) for word in way.words]
        if way.script:
            words = [str(HERE / "spilling.py"), way.script, self._put("BARE"), str(TABLE)]
        command = [sys.executable, *(["-X", "faulthandler"] if way.script else ["-m", "nas"]), *words]
        if way.before is not None:
            way.before(place)
        try:
            with out.open("wb") as stdout, err.open("wb") as stderr:
                process = subprocess.Popen(command, stdout=stdout, stderr=stderr, cwd=place.folder, env=environment)
                try:
                    if way.strike is not None:
                        way.strike(place, process)
                    self._watch(process)
                except Missed as error:
                    return str(error)
                finally:
                    process.kill()
                    process.wait()
        finally:
            if way.after is not None:
                way.after(place)
        self._search_files()
        told = out.read_text(errors="replace") + err.read_text(errors="replace")
        if process.returncode not in way.status or way.says not in told:
            return f"status {process.returncode}: {told[-300:]}"
        return ""

    def _put(self, text: str) -> str:
        place = self.place
        missing = place.guest(CANARY).replace("/ledger_", "/missing_")
        for name, value in {
            "GUEST": place.guest(CANARY),
            "WRONG": place.guest(WRONG),
            "MISSING": missing,
            "BARE": place.guest(""),
            "HERE": str(place.folder),
        }.items():
            text = text.replace(name, value)
        return text

    def _environment(self) -> dict[str, str]:
        folder = self.place.folder
        (folder / "home").mkdir()
        (folder / "tmp").mkdir()
        (folder / "little.yaml").write_text(SPACE)
        (folder / "run.yaml").write_text(f"on: digits\nledger: {self.place.guest(CANARY)}\n")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("NAS_", "PG"))}
        own = {
            "HOME": str(folder / "home"),
            "TMPDIR": str(folder / "tmp"),
            "PYTHONPATH": f"{HERE}:{HERE.parent}:{HERE.parents[1]}",
        }
        if self.way.pgpass:
            file = folder / FILE
            file.write_text(f"*:*:*:guest:{self.way.pgpass}\n")
            file.chmod(self.way.mode)
            own["PGPASSFILE"] = str(file)
        elif not any(name in self.way.environment for name in ("PGPASSWORD", "NAS_LEDGER_PASSWORD")):
            own["PGPASSFILE"] = "/dev/null"
        return {**kept, **own, **{name: self._put(value) for name, value in self.way.environment.items()}}

    def _watch(self, process: subprocess.Popen[bytes]) -> None:
        """Until it ends, look at the words of all commands of this machine, which everybody can read."""
        end = time.monotonic() + PATIENCE_SECONDS
        while process.poll() is None:
            if time.monotonic() > end:
                raise Missed(f"it did not end within {PATIENCE_SECONDS:.0f} s")
            if not self.way.given and any(CANARY.encode() in words for words in _command_lines()):
                self.seen.add(AT_COMMAND_LINE)
            time.sleep(0.05)

    def _search_files(self) -> None:
        for path in self.place.folder.rglob("*"):
            if path.is_file() and path.name not in {FILE, "run.yaml"} and CANARY.encode() in path.read_bytes():
                self.seen.add(f"in the file {path.relative_to(self.place.folder)}")


def _command_lines() -> Iterator[bytes]:
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            yield path.read_bytes()


def _in_ledger(place: Place) -> Iterator[str]:
    """Where the canary is in the database, in what the server says of it, and in logs as they are read."""
    with psycopg.connect(place.database, autocommit=True) as connection:
        tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        for (table,) in tables:
            rows = connection.execute(f'SELECT count(*) FROM "{table}" AS t WHERE t::text LIKE %s', [f"%{CANARY}%"]).fetchone()  # noqa: S608
            if rows is not None and rows[0]:
                yield f"in {rows[0]} rows of the table {table}"
    if CANARY in (place.server.folder / "log").read_text(errors="replace"):
        yield "in the server's log"
    with Ledger(place.database) as ledger:
        for entry in ledger.studies():
            for trial in ledger.trials(entry):
                if CANARY in ledger.log(trial):
                    yield f"in the log of {trial.title}"


@contextmanager
def _a_database(server: "Server", folder: Path) -> Iterator[Place]:
    with server.database() as url, wanting_a_password(server, url) as guest:
        yield Place(server=server, database=url, guest=guest, folder=folder)


def canary(scene: Scene) -> Outcome:
    """As many of the ways as asked for, in their order; among the tests none that takes long."""
    ways = [way for way in WAYS if not (scene.short and way.slow)]
    if scene.times < len(ways):
        chosen = set(scene.rng.sample(range(len(ways)), scene.times))
        ways = [way for number, way in enumerate(ways) if number in chosen]
    missed: list[str] = []
    seen, known = 0, set[str]()
    with _a_database(scene.server(), scene.folder) as place:
        made = _Trying(Way(name="a search", status=(0,)), Place(**{**vars(place), "folder": scene.folder / "first"}))
        if wrong := made.go():
            missed.append(f"the first search: {wrong}")
        for number, way in enumerate(ways):
            one = _Trying(way, Place(**{**vars(place), "folder": scene.folder / f"way-{number}"}))
            if wrong := one.go():
                missed.append(f"{way.name}: {wrong}".replace(CANARY, "CANARY"))
            one.seen.update(where for where in _in_ledger(place) if where not in known)
            known |= one.seen
            seen += len(one.seen)
            missed += [f"{way.name}: the canary was {where}" for where in sorted(one.seen)]
            scene.tell(number + 1)
    result = f"{len(ways)} paths: {seen} occurrences in output, files, command lines, the server's log and the ledger"
    return Outcome(times=len(ways), result=result, counts={"paths": len(ways), "occurrences": seen}, missed=missed)


ROWS = (
    Row(
        name="canary",
        test="a canary password through paths that fail",
        goal="0 occurrences anywhere",
        how=(
            "A PostgreSQL ledger wants a password, which comes in NAS_LEDGER, NAS_LEDGER_PASSWORD, PGPASSWORD, a pgpass file or "
            "where it must not be, and is right or wrong; servers and sessions go away, candidates tell their environment and "
            "crash, and all commands look at the study. After each, all output, files, words of commands, the server's log "
            "and each row of the ledger are searched for it."
        ),
        short=6,
        long=len(WAYS),
        run=canary,
        slow=True,
    ),
)
