"""The fault suite at its full length: `make faults`, or `python tests/faults/long_form.py [--only ROW]`.

It writes results/reliability.md and results/reliability.json after every row. One that was interrupted goes on with the rows that
are left; a row that is asked for by name is run again, and takes its place in the table.
"""

import argparse
import json
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
TESTS = HERE.parent
sys.path[:0] = map(str, (HERE, TESTS, TESTS / "execution", TESTS / "records", ROOT / "benchmarks" / "speed", ROOT))

from frame import NotHere, Outcome, Row, Scene  # noqa: E402 - found by the line above
from reliability_page import page  # noqa: E402
from rows import ROWS  # noqa: E402

from nas.files import write_whole  # noqa: E402
from nas.records import commit, this_machine, versions  # noqa: E402

if TYPE_CHECKING:
    from postgres import Server

DATA = ROOT / "results" / "reliability.json"
PAGE = ROOT / "results" / "reliability.md"
USUAL_SECONDS = 60.0
"""Of a row that was never timed."""


class Servers:
    """One PostgreSQL server for all rows, started for the first that wants it."""

    def __init__(self, stack: ExitStack) -> None:
        self.stack = stack
        self.server: Server | None = None

    def __call__(self) -> "Server":
        if self.server is None:
            try:
                from postgres import NoServer, a_server
            except ModuleNotFoundError as error:
                raise NotHere(f"no PostgreSQL server can be had: {error}") from None
            try:
                self.server = self.stack.enter_context(a_server())
            except NoServer as error:
                raise NotHere(str(error)) from None
        return self.server


class Line:
    """What is under way, on one line of a terminal, or now and then on one of its own."""

    def __init__(self, row: Row, head: str, seconds_after: float) -> None:
        self.row, self.head, self.seconds_after = row, head, seconds_after
        self.begin = self.said_at = time.monotonic()

    def __call__(self, done: int) -> None:
        now = time.monotonic()
        if not sys.stderr.isatty() and now - self.said_at < 15 and done < self.row.long:
            return
        self.said_at = now
        spent = now - self.begin
        left = spent / done * max(0, self.row.long - done) if done else USUAL_SECONDS
        end = "\r" if sys.stderr.isatty() else "\n"
        text = f"{self.head} {done} of {self.row.long} · {clock(left)} left, all rows {clock(left + self.seconds_after)}"
        sys.stderr.write(f"{text:<100}{end}")
        sys.stderr.flush()


def clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def known() -> dict[str, Any]:
    """What the file holds; nothing where there is none."""
    found: dict[str, Any] = json.loads(DATA.read_text(encoding="utf-8")) if DATA.exists() else {}
    return {"rows": {}, "left": [], **found}


def keep(data: dict[str, Any]) -> None:
    data["rows"] = {row.name: data["rows"][row.name] for row in ROWS if row.name in data["rows"]}
    write_whole((json.dumps(data, indent=1, ensure_ascii=False) + "\n").encode(), DATA)
    write_whole(page(data, ROWS).encode(), PAGE)


def play(row: Row, servers: Servers, line: Line) -> Outcome | NotHere:
    """What comes of a row; a folder that it left is deleted."""
    folder = Path(tempfile.mkdtemp(prefix="nas-faults-"))
    try:
        scene = Scene(folder=folder, times=row.long, rng=random.Random(), tell=line, server=servers)
        return row.run(scene)
    except NotHere as reason:
        return reason
    except Exception as error:  # a row that breaks is a goal that was missed, and the others go on
        missed = f"the row broke: {type(error).__name__}: {' '.join(str(error).split())[:300]}"
        return Outcome(times=0, result="none", counts={}, missed=(missed.replace(str(folder), "FOLDER"),))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def told(row: Row, outcome: Outcome | NotHere, seconds: float) -> dict[str, Any]:
    """A row of the file."""
    when = {"date": datetime.now(UTC).isoformat(timespec="minutes"), "commit": commit(), "seconds": round(seconds, 1)}
    if isinstance(outcome, NotHere):
        return {"test": row.test, "goal": row.goal, "not_run": str(outcome), **when}
    came = {"times": outcome.times, "result": outcome.result, "counts": dict(outcome.counts)}
    return {"test": row.test, "goal": row.goal, **came, "passed": not outcome.missed, "missed": list(outcome.missed)[:20], **when}


@contextmanager
def going_on(data: dict[str, Any]) -> Iterator[None]:
    """Ctrl-C keeps what is done, and says how to go on."""
    try:
        yield
    except KeyboardInterrupt:
        then = f"; `make faults` goes on with {', '.join(data['left'])}" if data["left"] else ""
        sys.exit(f"\nInterrupted{then}.")


def main(words: Sequence[str] | None = None) -> int:
    """Run what is asked for; the exit status is 1 where a goal was missed."""
    rows = {row.name: row for row in ROWS}
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", choices=rows, metavar="ROW", help=f"run this row again: {', '.join(rows)}")
    parser.add_argument("--times", type=int, help="strike so often instead, and keep nothing: to try a row out")
    parser.add_argument("--page", action="store_true", help="write the page anew of what is known, and run nothing")
    given = parser.parse_args(words)
    data = known()
    if given.page:
        keep(data)
        return 0
    data["left"] = [name for name in rows if name in data["left"]]
    if not given.only and not data["left"]:
        data["left"] = list(rows)
    todo = given.only or list(data["left"])
    missed = False
    with going_on(data), ExitStack() as stack:
        servers = Servers(stack)
        for number, name in enumerate(todo):
            row = rows[name] if given.times is None else replace(rows[name], long=given.times)
            after = sum(data["rows"].get(one, {}).get("seconds", USUAL_SECONDS) for one in todo[number + 1 :])
            line = Line(row, f"{number + 1}/{len(todo)} {name}:", after)
            came = told(row, play(row, servers, line), time.monotonic() - line.begin)
            say(name, came)
            missed |= bool(came.get("missed"))
            if given.times is None:
                data["rows"][name] = came
                data["left"] = [one for one in data["left"] if one != name]
                data |= {"machine": vars(this_machine()), "versions": versions()}
                keep(data)
    return int(missed)


def say(name: str, came: Mapping[str, Any]) -> None:
    """What came of a row."""
    state = "not run" if "not_run" in came else "missed" if came["missed"] else "met"
    sys.stderr.write(f"{name}: {state}: {came.get('result') or came['not_run']}".ljust(100) + "\n")
    sys.stderr.writelines(f"    {sentence}\n" for sentence in came.get("missed", ()))


if __name__ == "__main__":
    sys.exit(main())
