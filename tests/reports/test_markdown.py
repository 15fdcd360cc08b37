import html
import re
from typing import Any

import pytest
from books import Book
from hostile import HOSTILE
from markdown_it import MarkdownIt
from test_tables import row, summary, table

from nas.benchmark import Objective
from nas.errors import printable
from nas.ranking import rank
from nas.reports.markdown import escaped, to_markdown
from nas.reports.sheets import leaderboard_sheets, trials_sheet


def parsed(text: str) -> str:
    """The HTML that a reader of GitHub's Markdown makes of it."""
    return MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).render(text)


def cells(text: str) -> list[list[str]]:
    """The first table's cells, as they are shown."""
    lines = re.findall(r"<tr>(.*?)</tr>", parsed(text), re.DOTALL)
    return [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", line, re.DOTALL) for line in lines]


def test_a_leaderboard_has_its_units_in_the_head_and_its_best_in_bold() -> None:
    first = row(1, on_front=True, figures={"validation_accuracy": summary(0.9, 0.01, 3), "flops": 2e6})
    second = row(2, figures={"validation_accuracy": summary(0.8, 0.02, 3), "flops": 1e6})
    head, *body = cells(to_markdown(leaderboard_sheets([table(first, second)])))
    assert head == ["#", "architecture", "validation accuracy", "FLOPs (M)", "trial"]
    code = [f"<code>{one.architecture.id}</code>" for one in (first, second)]
    assert body[0] == ["1 ◆", code[0], "<strong>0.9000 ± 0.0100</strong>", "2.00", "11"]
    assert body[1] == ["2", code[1], "0.8000 ± 0.0200", "<strong>1.00</strong>", "12"]


def test_nothing_is_bold_where_all_are_equal() -> None:
    assert "<strong>0.9000" not in parsed(to_markdown(leaderboard_sheets([table(row(1), row(2))])))


def test_less_is_the_better_where_the_objective_says_so() -> None:
    goal = Objective("validation_beauty", "minimize")
    rows = [row(rank, figures={"validation_beauty": value}) for rank, value in ((1, 1), (2, 2))]
    (_, first, second) = cells(to_markdown(leaderboard_sheets([table(*rows, objectives=(goal,))])))
    assert first[2] == "<strong>1.0000</strong>"
    assert second[2] == "2.0000"


def test_rows_that_are_left_out_are_counted_and_the_best_is_that_of_all() -> None:
    rows = [row(rank, figures={"validation_accuracy": 0.9, "params": 10 - rank}) for rank in range(1, 4)]
    text = to_markdown(leaderboard_sheets([table(*rows)], top=2))
    assert len(cells(text)) == 3
    assert "<strong>8" not in parsed(text)
    assert "1 more row is left out" in text


@pytest.mark.parametrize(
    "name", [*HOSTILE, "**bold**", "`code`", "a | b", "$x$", "#1", "@someone", "https://example.org", "www.x.org"]
)
def test_whatever_a_name_says_is_shown_and_nothing_else(name: str) -> None:
    page = parsed(escaped(f"x {name}"))
    text = re.fullmatch(r"<p>(.*)</p>\n", page, re.DOTALL)
    assert text, page
    assert html.unescape(text[1]) == printable(f"x {name}")


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_adds_no_cell_and_no_row(name: str) -> None:
    def shape(**given: Any) -> list[int]:
        return [len(line) for line in cells(to_markdown(leaderboard_sheets([table(row(1), row(2, **given))])))]

    assert shape(study=name) == shape(study="b")


def test_trials_are_told_with_what_befell_them(full: Book) -> None:
    text = to_markdown([trials_sheet(full.trials(), full.entry)])
    head, *body = cells(text)
    assert head[:4] == ["stage", "#", "state", "architecture"]
    assert len(body) == len(full.trials())
    (failed,) = (line for line in body if line[2] == "failed")
    assert failed[-1] == "out_of_memory: on cpu: no room"


def test_finalists_have_intervals_and_all_that_cannot_be_told_from_the_best_are_bold(full: Book) -> None:
    final = next(found for found in rank((full.entry, trial) for trial in full.trials()) if found.stage == "final")
    head, *body = cells(to_markdown(leaderboard_sheets([final])))
    place, chance = head.index("validation accuracy"), head.index("P(best)")
    for line, one in zip(body, final.rows, strict=True):
        assert one.certainty is not None
        ends = one.certainty.intervals["validation_accuracy"]
        mean = one.figures["validation_accuracy"].mean
        text = f"{mean:.4f} ± {max(mean - ends.low, ends.high - mean):.4f}"
        assert line[place] == (f"<strong>{text}</strong>" if one.rank == 1 else text)
        assert line[chance].endswith("%")


def test_rows_outside_a_limit_are_never_the_best_and_say_what_they_break() -> None:
    outside = row(2, figures={"validation_accuracy": 0.99, "params": 1}, broken=("params >= 5, got 1",))
    text = to_markdown(leaderboard_sheets([table(row(1, figures={"validation_accuracy": 0.9, "params": 9}), row(3), outside)]))
    *_, last = cells(text)
    assert last[2] == "0.9900"
    assert last[-1] == "params &gt;= 5, got 1"


def test_the_knee_has_a_sign_of_its_own() -> None:
    text = to_markdown(leaderboard_sheets([table(row(1, on_front=True, knee=True), row(2, on_front=True))]))
    assert [line[0] for line in cells(text)[1:]] == ["1 ◈", "2 ◆"]
    assert "◈ its knee." in text
