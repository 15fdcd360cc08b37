from pathlib import Path

import pytest

from nas.errors import PathError
from nas.files import whole_folder


def test_a_folder_is_there_once_all_is_in_it(tmp_path: Path) -> None:
    with whole_folder(tmp_path / "above" / "home") as folder:
        (folder / "a").write_text("a")
        assert not (tmp_path / "above" / "home").exists()
    assert [path.name for path in (tmp_path / "above").iterdir()] == ["home"]
    assert (tmp_path / "above" / "home" / "a").read_text() == "a"


def test_nothing_is_there_where_it_failed(tmp_path: Path) -> None:
    def fail(folder: Path) -> None:
        (folder / "a").write_text("a")
        raise RuntimeError

    with pytest.raises(RuntimeError), whole_folder(tmp_path / "home") as folder:
        fail(folder)
    assert [*tmp_path.iterdir()] == []


def test_an_empty_folder_is_filled_and_another_is_refused(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    with whole_folder(tmp_path / "home") as folder:
        (folder / "a").write_text("a")
    for taken in (tmp_path / "home", tmp_path / "home" / "a"):
        with pytest.raises(PathError, match="already; name a folder that is not there"), whole_folder(taken):
            pass
    assert (tmp_path / "home" / "a").read_text() == "a"
