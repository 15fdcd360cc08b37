"""Runs on disk: one JSON object a line, added as each ends, so that a kill loses no more than what was under way."""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from filelock import FileLock, Timeout

from nas.comparing.values import Cell, Run
from nas.errors import CompareError

RUNS = "runs.jsonl"
"""The name of the file in the folder of a comparison."""


class Book:
    """The runs in a folder, held by this process alone; the operating system lets go, however the process ends."""

    def __init__(self, folder: Path) -> None:
        """Open the book in `folder`, which is made where it does not exist.

        Raises:
            CompareError: it cannot be made, or another process has it.
        """
        self.path = folder / RUNS
        self.lock = FileLock(folder / f".{RUNS}.lock", timeout=0)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self.lock.acquire()
        except Timeout:
            raise CompareError(f"Another process compares in {folder}; wait for it, or name another --out.") from None
        except OSError as error:
            raise CompareError(f"The folder {folder} cannot be written: {error.strerror or type(error).__name__}.") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.lock.release()

    def runs(self) -> dict[tuple[str, Cell], Run]:
        """Key and cell → the run; lines that were cut short are passed over.

        Raises:
            CompareError: the file cannot be read.
        """
        found: dict[tuple[str, Cell], Run] = {}
        try:
            text = self.path.read_bytes()
        except FileNotFoundError:
            return found
        except OSError as error:
            raise self._error("read", error) from error
        for line in text.splitlines():
            try:
                data = json.loads(line)
                key, run = data.pop("key"), Run.from_data(data)
            except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
                continue
            found.setdefault((key, run.cell), run)
        return found

    @contextmanager
    def adding(self) -> Iterator[Callable[[str, Run], None]]:
        """What adds a run under a key, so that it is in the file when the call returns.

        Raises:
            CompareError: the file cannot be written.
        """
        try:
            with self.path.open("ab+") as file:
                end = file.seek(0, os.SEEK_END)
                if end:
                    file.seek(end - 1)
                    if file.read(1) != b"\n":  # the last line was cut short
                        file.write(b"\n")

                def add(key: str, run: Run) -> None:
                    file.write(json.dumps({"key": key, **run.to_data()}).encode() + b"\n")
                    file.flush()

                yield add
        except OSError as error:
            raise self._error("written", error) from error

    def _error(self, done: str, error: OSError) -> CompareError:
        return CompareError(f"The runs {self.path} cannot be {done}: {error.strerror or type(error).__name__}.")
