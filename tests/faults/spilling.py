"""Candidates that tell all they can see of their environment, and a run that is struck from within.

`python spilling.py WHAT LEDGER TABLE` runs a search in which WHAT happens after its third trial, as said to and by files here.
"""

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import noted

import nas
import nas.searching.loop as loop
from nas.benchmark import Budget
from nas.records import Epoch, Ledger, Record
from nas.searching import Event, TrialEnded
from nas.space import Architecture

READY, GO_ON = Path("ready"), Path("go-on")
RETRY_SECONDS = 2.0


def _all_seen() -> Iterator[str]:
    """The environment, as this process and the one that began it have it."""
    yield json.dumps(dict(os.environ))
    for pid in ("self", str(os.getppid())):
        for name in ("environ", "cmdline"):
            yield Path(f"/proc/{pid}/{name}").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    for path in (os.environ.get("PGPASSFILE"), "~/.pgpass"):
        if path and (file := Path(path).expanduser()).exists():
            yield file.read_text()


def raises(architecture: Architecture, *, budget: Budget, seed: int, report: Callable[[Epoch], bool]) -> Record:
    raise RuntimeError(" ".join(_all_seen()))


def prints(architecture: Architecture, *, budget: Budget, seed: int, report: Callable[[Epoch], bool]) -> Record:
    for line in _all_seen():
        print(line, flush=True)  # noqa: T201 - what it prints is its log
    return noted.record(architecture, seed, budget)


def crashes(architecture: Architecture, *, budget: Budget, seed: int, report: Callable[[Epoch], bool]) -> Record:
    print(*_all_seen(), flush=True)  # noqa: T201 - as above
    os.kill(os.getpid(), signal.SIGSEGV)
    raise AssertionError


class Struck:
    """What happens after the third trial."""

    def __init__(self, what: str) -> None:
        self.what = what
        self.ended = 0

    def __call__(self, event: Event) -> None:
        self.ended += isinstance(event, TrialEnded)
        if self.ended != 3:
            return
        self.ended += 1
        if self.what == "waits":
            READY.touch()
            while not GO_ON.exists():
                time.sleep(0.02)
        elif self.what == "raises":
            raise ValueError("What listens is broken.")
        elif self.what == "aborts":
            os.abort()


def main(what: str, ledger: str, table: str) -> None:
    loop.Ledger = partial(Ledger, retry_seconds=RETRY_SECONDS)  # type: ignore[misc,assignment]
    options: dict[str, Any] = {"strategy": "random", "study": f"spilling-{what}-{os.getpid()}", "ledger": ledger}
    if what in {"waits", "raises", "aborts"}:
        nas.search(on=table, trials=6, on_event=Struck(what), **options)
    else:
        evaluate = {"raising": raises, "printing": prints, "crashing": crashes}[what]
        nas.search(noted.WIDE, on="digits", evaluate=evaluate, workers=1, trials=2, **options)


if __name__ == "__main__":
    main(*sys.argv[1:])
