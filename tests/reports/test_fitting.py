"""Tables in as many columns as there is room for."""

import io

import pytest
from rich.console import Console

from nas.reports.fitting import Column, Leaves, Look, fit

OBJECTIVE = Column(title="validation accuracy", cells=["0.9931 ± 0.0020"], interval=["0.9810–1.0000"])
COLUMNS = [
    Column(title="#", cells=["1="]),
    Column(title="architecture", cells=["191eb5f78e715e68"], right=False),
    OBJECTIVE,
    Column(title="test perplexity", cells=["12.25 ± 0.50"], interval=["12.00–12.50"], leaves=Leaves.LATE),
    Column(title="latency ms", cells=["0.401 ± 0.067"], leaves=Leaves.FIRST),
    Column(title="params", cells=["35,058"], leaves=Leaves.FIRST),
    Column(title="best", cells=["47 %"], leaves=Leaves.EARLY),
    Column(title="seeds", cells=["88"], leaves=Leaves.EARLY),
]


def drawn(width: int) -> tuple[str, list[str]]:
    grid, left_out = fit(COLUMNS, [""], width)
    stream = io.StringIO()
    Console(file=stream, width=width, color_system=None).print(grid)
    return stream.getvalue(), left_out


@pytest.mark.parametrize("width", range(36, 200, 2))
def test_what_is_first_and_its_interval_stay_whole_in_any_width(width: int) -> None:
    text, left_out = drawn(width)
    for cell in ("1=", "191eb5f78e715e68", "0.9931 ± 0.0020", "0.9810–1.0000"):
        assert cell in text
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= width
    for column in COLUMNS:
        assert (column.title in left_out) == (column.cells[0] not in text)


def test_a_wider_window_leaves_out_no_more() -> None:
    counts = [len(drawn(width)[1]) for width in (36, 50, 60, 80, 120, 200)]
    assert counts == sorted(counts, reverse=True)
    assert counts[0] == 5, "all but rank, architecture and the first objective"
    assert counts[-1] == 0


def test_columns_leave_in_their_order() -> None:
    """What follows from others before a further objective, costs before both."""
    assert drawn(54)[1] == ["latency ms", "params", "best", "seeds"]
    assert drawn(40)[1] == ["test perplexity", "latency ms", "params", "best", "seeds"]


@pytest.mark.parametrize("look", [Look(), Look(broken=True), Look(broken=True, close=True), Look(True, True, True)])
def test_a_table_is_as_wide_as_it_is_reckoned(look: Look) -> None:
    stream = io.StringIO()
    Console(file=stream, width=300, color_system=None).print(look.draw(COLUMNS, ["bold"]))
    assert max(map(len, stream.getvalue().splitlines())) == look.width(COLUMNS)


def test_words_may_go_on_below_and_numbers_may_not() -> None:
    outside = Column(title="outside", cells=["latency_ms <= 5, got 7 and a half"], right=False, wraps=True)
    grid, left_out = fit([OBJECTIVE, outside], [""], 50)
    stream = io.StringIO()
    Console(file=stream, width=50, color_system=None).print(grid)
    assert not left_out
    assert "0.9810–1.0000" in stream.getvalue()
    assert "latency_ms" in stream.getvalue()
