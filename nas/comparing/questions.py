"""Tables and limits → the questions of a comparison: each table as a whole, and within each limit."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from nas.comparing.arena import Arena, arena_of
from nas.comparing.values import Question
from nas.errors import CompareError, did_you_mean
from nas.space import Limit
from nas.tables import Table, read_table

_FOR_ONE = re.compile(r"\s*([a-z][a-z0-9_]*):\s+(.*)", re.DOTALL)
"""A limit for one table alone: `digits: params <= 50e3`. The blank tells it from a figure's device, as in latency_ms:raspi4."""


def read_limits(text: str) -> tuple[str | None, tuple[Limit, ...]]:
    """The table that `text` names before a colon, if any, and the limits that hold together, between commas.

    Raises:
        SpaceError: one is no limit.
    """
    match = _FOR_ONE.fullmatch(text) if isinstance(text, str) else None
    table, rest = (match[1], match[2]) if match else (None, text)
    parts = rest.split(",") if isinstance(rest, str) else [rest]
    return table, tuple(Limit.parse(part) for part in parts)


def read_tables(paths: Sequence[Path]) -> tuple[Table, ...]:
    """The tables in the files at `paths`.

    Raises:
        NasError: one cannot be read, or two have one name.
    """
    tables = tuple(map(read_table, paths))
    names = [table.name for table in tables]
    for name in names:
        if names.count(name) > 1:
            raise CompareError(f"Two tables are called {name!r}; rename one of the files.")
    return tables


def pose(
    tables: Sequence[Table], limits: Sequence[str], *, proxies: Sequence[str] = (), noise: bool = True
) -> Mapping[Question, Arena]:
    """Each table as a whole, and within each of `limits` that names it or none.

    Raises:
        NasError: a limit names no table, or a table lacks what is asked of it.
    """
    read = [read_limits(text) for text in limits]
    names = {table.name for table in tables}
    for name, _ in read:
        if name is not None and name not in names:
            raise CompareError(f"No table is called {name!r}, which a limit is for. {did_you_mean(name, names)}")
    found: dict[Question, Arena] = {}
    for table in tables:
        for some in [(), *(some for name, some in read if name in {None, table.name})]:
            arena = arena_of(table, some, proxies=proxies, noise=noise)
            found.setdefault(arena.question, arena)
    return found
