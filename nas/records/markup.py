"""Values as small HTML tables, which notebooks show: whatever a cell says stays text, and there is no script and no style."""

from collections.abc import Iterable, Mapping, Sequence
from html import escape

from nas.errors import printable
from nas.space import Value

LONGEST = 300
"""Letters of one cell."""


def html_table(headings: Sequence[str], rows: Iterable[Sequence[object]], caption: str = "") -> str:
    """Rows of cells below their headings; without headings the first cell of a row is one."""
    head = f"<thead><tr>{''.join(f'<th>{told(name)}</th>' for name in headings)}</tr></thead>" if headings else ""
    body = "".join(f"<tr>{''.join(_cell(cell, not headings and n == 0) for n, cell in enumerate(row))}</tr>" for row in rows)
    title = f"<caption>{told(caption)}</caption>" if caption else ""
    return f"<table>{title}{head}<tbody>{body}</tbody></table>"


def _cell(value: object, heads: bool) -> str:
    return f"<th>{told(value)}</th>" if heads else f"<td>{told(value)}</td>"


def told(value: object) -> str:
    """A value as escaped text: numbers in six digits, nothing for None."""
    if value is None:
        return ""
    if isinstance(value, float) and not value.is_integer():
        text = f"{value:.6g}"
    elif isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e15:
        text = f"{value:,.0f}"
    else:
        text = printable(value)
    return escape(text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…")


def html_choices(choices: Mapping[str, Value]) -> str:
    """An architecture's answers, folded."""
    if not choices:
        return ""
    told_of = f"{len(choices)} choice{'s' * (len(choices) != 1)}"
    return f"<details><summary>{told_of}</summary>{html_table((), choices.items())}</details>"
