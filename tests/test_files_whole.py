import os
import time
from pathlib import Path

import pytest

from nas.errors import PathError
from nas.files import ABANDONED_SECONDS, vacant, whole_folder


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


def test_the_empty_folder_one_stands_in_is_filled_and_stays_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "home").mkdir()
    monkeypatch.chdir(tmp_path / "home")
    with whole_folder(Path()) as folder:
        (folder / "a").write_text("a")
        (folder / "b").mkdir()
        (folder / "b" / "c").write_text("c")
    assert Path("a").read_text() == "a"
    assert Path("b/c").read_text() == "c"
    assert sorted(os.listdir(tmp_path / "home")) == ["a", "b"]
    assert [path.name for path in tmp_path.iterdir()] == ["home"]


@pytest.mark.parametrize("is_there", [False, True])
def test_what_a_killed_call_left_is_removed_once_it_is_surely_nobodys(tmp_path: Path, is_there: bool) -> None:
    home = tmp_path / "home"
    if is_there:
        home.mkdir()
    with whole_folder(tmp_path / "home") as folder:
        left = folder
    (left / "deep").mkdir(parents=True)
    os.utime(left, (time.time() - ABANDONED_SECONDS - 1,) * 2)
    under_way = tmp_path / "home.0123abcd.part"
    under_way.mkdir()
    with whole_folder(home) as folder:
        (folder / "a").write_text("a")
    assert os.listdir(home) == ["a"]
    assert sorted(os.listdir(tmp_path)) == ["home", "home.0123abcd.part"]


def test_where_no_folder_can_be_made_is_known_before(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(PathError, match=r"No folder can be made at .*; name one in a folder that you may write to"):
        vacant(tmp_path / "file" / "home")
    assert vacant(tmp_path / "new" / "home") == (tmp_path / "new" / "home").resolve()
    assert not (tmp_path / "new").exists()
