from pathlib import Path

import pytest
from by_hand import T, a_run

from nas.comparing.keeping import RUNS, Book
from nas.errors import CompareError


def keep(folder: Path, key: str, seed: int) -> None:
    with Book(folder) as book, book.adding() as add:
        add(key, a_run(T, "a", seed, (2.0, 1.0)))


def test_runs_come_back_by_key(tmp_path: Path) -> None:
    keep(tmp_path / "new", "k", 0)
    keep(tmp_path / "new", "other", 0)
    run = a_run(T, "a", 0, (2.0, 1.0))
    with Book(tmp_path / "new") as book:
        assert book.runs() == {("k", run.cell): run, ("other", run.cell): run}


@pytest.mark.parametrize("left", [1, 10, 60])
def test_a_line_that_was_cut_short_is_passed_over_and_spoils_no_other(tmp_path: Path, left: int) -> None:
    keep(tmp_path, "k", 0)
    keep(tmp_path, "k", 1)
    text = (tmp_path / RUNS).read_bytes()
    (tmp_path / RUNS).write_bytes(text[: text.index(b"\n") + 1 + left])
    keep(tmp_path, "k", 2)
    with Book(tmp_path) as book:
        assert [cell.seed for _, cell in book.runs()] == [0, 2]


def test_another_process_is_kept_out(tmp_path: Path) -> None:
    with (
        Book(tmp_path),
        pytest.raises(CompareError, match=r"Another process compares in .*; wait for it, or name another --out\."),
    ):
        Book(tmp_path)


def test_a_folder_that_cannot_be_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CompareError, match=r"The folder .*file/out cannot be written: Not a directory\."):
        Book(tmp_path / "file" / "out")


def test_runs_that_cannot_be_written_are_refused(tmp_path: Path) -> None:
    (tmp_path / RUNS).mkdir()
    with (
        Book(tmp_path) as book,
        pytest.raises(CompareError, match=r"The runs .*runs\.jsonl cannot be written: Is a directory\."),
        book.adding(),
    ):
        pass
