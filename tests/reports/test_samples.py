"""What finalists made: on the page of their study, in the words of a trial, and as files."""

import base64
from pathlib import Path

import pytest
from books import Book, record
from click.testing import CliRunner
from trees import Element

from nas.cli import main
from nas.errors import ReportError
from nas.records import Picture, Record
from nas.reports import samples
from nas.reports.samples import write_pictures

PNG = b"\x89PNG of a digit"
PICTURES = tuple(Picture(title=title, png=base64.b64encode(PNG).decode()) for title in ("epoch 1", "epoch <b>7</b>"))


def finalists(book: Book, count: int, **changes: object) -> Book:
    book.add(record())
    for number in range(count):
        for seed in (2, 1):
            made = record(accuracy=0.9 - number / 10, seed=seed, pictures=PICTURES, **changes)  # type: ignore[arg-type]
            book.add(made, stage="final", choices={"conv.features": 8, "conv.kernel": number})
    return book


def images(page: Element) -> list[Element]:
    return [element for element in page.all("img") if element.attributes["src"].startswith("data:image/png")]


def test_the_page_shows_what_the_best_finalists_made_once_each(book: Book) -> None:
    found = images(finalists(book, 4).page())
    assert len(found) == samples.SHOWN * len(PICTURES)
    assert base64.b64decode(found[0].attributes["src"].partition(",")[2]) == PNG
    assert found[1].attributes["alt"].endswith("after epoch <b>7</b>")


def test_a_page_says_of_which_seed_its_pictures_are(book: Book) -> None:
    text = finalists(book, 1).page().text
    assert "What they made" in text
    assert "here of seed 1" in text


def test_a_page_of_a_study_without_pictures_has_no_such_section(book: Book) -> None:
    book.add(record(), stage="final")
    assert "What they made" not in book.page().text


def test_a_picture_that_is_too_large_for_a_page_is_left_out(book: Book, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(samples, "LARGEST", 3)
    assert images(finalists(book, 1).page()) == []


def test_a_record_with_pictures_comes_back_from_the_ledger_as_it_was(book: Book) -> None:
    kept = [trial.record for trial in finalists(book, 1).trials() if trial.stage == "final"]
    assert [record.pictures for record in kept if record] == [PICTURES] * 2


def test_a_record_of_before_there_were_pictures_has_none() -> None:
    data = record().to_data()
    del data["pictures"]
    assert Record.from_data(data).pictures == ()


def test_a_trial_names_its_pictures_and_writes_them_where_asked(book: Book, tmp_path: Path) -> None:
    finalists(book, 1)
    words = ["trial", "demo", "0", "--stage", "final", "--ledger", f"sqlite:///{book.folder}/nas.sqlite"]
    told = CliRunner().invoke(main, words).output
    assert "epoch 1, epoch <b>7</b>; --pictures DIR writes them" in told
    done = CliRunner().invoke(main, [*words, "--pictures", str(tmp_path / "out")])
    assert done.exit_code == 0, done.output
    assert [path.name for path in sorted((tmp_path / "out").iterdir())] == ["1-epoch-1.png", "2-epoch-b-7-b.png"]
    assert (tmp_path / "out" / "1-epoch-1.png").read_bytes() == PNG
    assert done.output.count("Wrote ") == 2


@pytest.mark.parametrize(
    ("pictures", "message"),
    [
        ((), r"^This trial has no pictures; finalists of a benchmark of generated pictures do\.$"),
        ((Picture(title="x", png="?!"),), r"^A picture of this trial is damaged: "),
    ],
)
def test_what_cannot_be_written_is_told_in_one_line(pictures: tuple[Picture, ...], message: str, tmp_path: Path) -> None:
    with pytest.raises(ReportError, match=message):
        write_pictures(record(pictures=pictures), tmp_path)


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ReportError, match="The pictures cannot be written to"):
        write_pictures(record(pictures=PICTURES), tmp_path / "file" / "folder")
