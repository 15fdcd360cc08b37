"""What notebooks show of a study, a trial, a leaderboard and a record."""

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from toys import TOY, toy_evaluate

import nas
from nas.records import Failure, Ledger, Trial
from nas.records.markup import html_table

HOSTILE = [
    "<script>alert(1)</script>",
    "</table><img src=x onerror=alert(1)>",
    "\" onmouseover='alert(1)",
    "&lt;b&gt;",
    "$x$ **y** [z](javascript:alert(1))",
    "\x1b[31m\u202e",
    "x" * 5_000,
]
TAGS = {"table", "caption", "thead", "tbody", "tr", "th", "td", "details", "summary", "p"}


class Shape(HTMLParser):
    """The tags, and the text that is shown."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text = ""
        self.attributes = 0
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.append(tag)
        self.attributes += bool(attrs)

    def handle_data(self, data: str) -> None:
        self.text += f" {data}"


@pytest.fixture
def study(tmp_path: Path) -> nas.Study:
    url = f"sqlite:///{tmp_path}/nas.sqlite"
    found = nas.search(TOY, on="digits", trials=14, evaluate=toy_evaluate, epochs=3, study="toy", ledger=url)
    return nas.finals("toy", ledger=url, top=2, seeds=2, evaluate=toy_evaluate) or found


def trials(study: nas.Study) -> list[Trial]:
    with Ledger(study.ledger) as book:
        return book.trials(study.entry)


def test_a_study_shows_what_was_asked_and_its_leaderboards(study: nas.Study) -> None:
    page = Shape(study._repr_html_() or "")
    assert set(page.tags) <= TAGS
    assert page.attributes == 0
    for words in ("toy v1", "digits v1", "18 complete", "final", "search", "4 more rows; to_frame() has all."):
        assert words in page.text
    for row in study.tables[0].rows:
        assert row.architecture.id in page.text


def test_a_leaderboard_shows_its_first_rows_and_says_how_many_more(study: nas.Study) -> None:
    table = study.tables[-1]
    page = Shape(table._repr_html_())
    assert page.tags.count("tr") == 11
    assert all(row.architecture.id in page.text for row in table.rows[:10])
    assert table.rows[10].architecture.id not in page.text
    assert len(table.to_frame()) == len(table.rows) == 14


def test_a_trial_shows_its_figures_and_its_choices(study: nas.Study) -> None:
    trial = trials(study)[0]
    page = Shape(trial._repr_html_())
    assert trial.title in page.text
    for name in (
        *trial.architecture.choices,
        "validation_accuracy",
        "params",
        "1 choice" if len(trial.architecture.choices) == 1 else "choices",
    ):
        assert name in page.text
    running = replace(trial, record=None, state="running")
    assert "running" in Shape(running._repr_html_()).text


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_text_is_shown_and_does_nothing(study: nas.Study, text: str) -> None:
    trial = trials(study)[0]
    assert trial.record is not None
    record = replace(trial.record, error=Failure(kind="raised", message=text), broken_limits=(text,), figures={text: 1.0})
    hostile = replace(trial, study=text, record=record, begun_at=text)
    plain = replace(
        trial,
        study="a",
        begun_at="b",
        record=replace(record, error=Failure(kind="raised", message="c"), broken_limits=("d",), figures={"e": 1.0}),
    )
    page = Shape(hostile._repr_html_())
    assert page.tags == Shape(plain._repr_html_()).tags
    assert page.attributes == 0
    assert len(hostile._repr_html_()) < 10_000
    table = replace(study.tables[0], benchmark=text, rows=(replace(study.tables[0].rows[0], study=text),))
    assert set(Shape(table._repr_html_()).tags) <= TAGS


def test_numbers_are_told_in_few_digits_and_nothing_for_what_was_not_measured() -> None:
    page = html_table(("a",), [(0.123456789,), (1_234_567,), (None,), (True,), (float("inf"),)])
    assert re.findall("<td>(.*?)</td>", page) == ["0.123457", "1,234,567", "", "True", "inf"]


def test_a_study_whose_ledger_is_away_shows_its_name(tmp_path: Path) -> None:
    assert nas.Study("toy", f"sqlite:///{tmp_path}/none.sqlite")._repr_html_() is None


def test_a_real_notebook_shows_them(study: nas.Study, tmp_path: Path) -> None:
    nbclient = pytest.importorskip("nbclient")
    nbformat = pytest.importorskip("nbformat")
    pytest.importorskip("ipykernel")
    code = [
        f"import nas\nstudy = nas.Study('toy', {study.ledger!r})\nstudy",
        "study.tables[0]",
        "study.leaderboard",
        "study.plot('anytime')",
    ]
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(text) for text in code])
    nbclient.NotebookClient(book, timeout=300, kernel_name="python3").execute(cwd=str(tmp_path))
    shown = [next(one.data for one in cell.outputs if "data" in one) for cell in book.cells]
    assert [kind in data for kind, data in zip(("text/html", "text/html", "text/html", "image/png"), shown, strict=True)] == [
        True
    ] * 4
    assert "digits v1" in shown[0]["text/html"]


def test_a_study_lies_where_searches_put_it_if_nobody_says(study: nas.Study, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAS_LEDGER", study.ledger)
    assert nas.Study("toy").best.architecture == study.best.architecture


def test_finals_show_how_sure_they_are_as_elsewhere(study: nas.Study) -> None:
    table = study.tables[0]
    text = Shape(table._repr_html_()).text
    assert "95 % interval of validation_accuracy" in text
    assert "P(best)" in text
    for row in table.rows:
        assert row.certainty is not None
        assert f" {row.place} " in text
        assert row.certainty.chance in text
    assert "P(best)" not in Shape(study.tables[-1]._repr_html_()).text
    first = table.rows[0]
    assert first.certainty is not None
    assert replace(first, certainty=replace(first.certainty, shared_by=2)).place == "1="
