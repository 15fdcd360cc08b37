"""An answer as it stands in a cell, and back: text as it is, numbers as Python writes them, true, false and null.

Text that a spreadsheet would take for a formula, or anybody for one of the others, has an apostrophe before it, which is taken
away again. An empty cell is a choice that does not apply.
"""

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

from nas.errors import TableError, quote
from nas.space import Categorical, Domain, Value

_FORMULA = re.compile(r"\s*[=+\-@]")

_WORDS = ("true", "false", "null")


def cell_of(value: Value) -> str:
    """`value` as text.

    Raises:
        TableError: it is text that no cell can hold: empty, or with characters that do not print.
    """
    if isinstance(value, str):
        if not value or not value.isprintable():
            raise TableError(f"A cell cannot hold the answer {quote(value)}; give the option a name that can be printed.")
        return f"'{value}" if _is_marked(value) else value
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return repr(value)


def answer_of(cell: Any, domain: Domain) -> Value:
    """The answer of `domain` that `cell` stands for: text as a file has it, or a value as Python has it.

    Raises:
        SpaceError: there is none.
    """
    if not isinstance(cell, str):
        return domain.canonical(cell)
    if isinstance(domain, Categorical):
        written = _written(domain)
        if cell in written:
            return written[cell]
        text = plain_text(cell)
        return text if text in domain.values else domain.canonical(_number(cell))
    return domain.canonical(_number(cell))


@lru_cache(maxsize=256)
def _written(domain: Categorical) -> dict[str, Value]:
    """Cell → the answer that it was written for."""
    return {
        cell_of(value): value for value in domain.values if value != "" and (not isinstance(value, str) or value.isprintable())
    }


def plain_text(cell: str) -> str:
    """The text of a cell without the apostrophe that says that it is text."""
    return cell[1:] if cell[:1] == "'" and _is_marked(cell) else cell


def _is_marked(text: str) -> bool:
    """Whether an apostrophe goes before `text`; apostrophes that it has are counted with it, so that each can be taken away."""
    bare = text.lstrip("'")
    return bool(_FORMULA.match(bare)) or bare in _WORDS or not isinstance(_number(bare), str)


def observed(cells: Sequence[Any]) -> Categorical:
    """The values of a column as a choice, in order: numbers where all are numbers, true and false where all are, else text."""
    values: Iterable[Any] = set(cells)
    if all(isinstance(value, str) for value in values):
        words = [str(value).lower() for value in values]
        if all(word in {"true", "false"} for word in words):
            return Categorical(*sorted({word == "true" for word in words}))
        numbers = [_number(str(value)) for value in values]
        if all(not isinstance(number, str) for number in numbers):
            return Categorical(*sorted(set(numbers)))
        return Categorical(*sorted({plain_text(str(value)) for value in values}))
    return Categorical(*sorted(values, key=lambda value: (str(type(value)), value)))


def observed_answer(cell: Any, domain: Categorical) -> Value:
    """The same for a choice that `observed` made, whose cells may be written in several ways (1 and 1.0, True and true)."""
    if isinstance(cell, str) and isinstance(domain.values[0], bool):
        return domain.canonical(cell.lower() == "true")
    return answer_of(cell, domain)


def _number(cell: str) -> Any:
    """An integer or a finite number, where `cell` is one; else `cell`. Python's 1_000 is none in a file: 3_3 is a name."""
    if "_" in cell:
        return cell
    for kind in (int, float):
        try:
            number = kind(cell)
        except ValueError:
            continue
        if kind is int or abs(number) < float("inf"):
            return number
    return cell
