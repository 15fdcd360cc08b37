from pathlib import Path

import pytest

from nas.training import find_data


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "train").mkdir()
    for name in ("a", "b", "train/a", "train/c"):
        (tmp_path / name).write_text("")
    return tmp_path


def test_files_are_found_in_the_folder_or_in_its_folder_train(folder: Path) -> None:
    assert find_data(folder, "a") == (folder / "a",)
    assert find_data(folder, "c") == (folder / "train" / "c",)
    assert find_data(folder, "d") is None


def test_files_that_belong_together_lie_in_one_folder(folder: Path) -> None:
    assert find_data(folder, "a", "b") == (folder / "a", folder / "b")
    assert find_data(folder, "a", "c") == (folder / "train" / "a", folder / "train" / "c")
    assert find_data(folder, "b", "c") is None


def test_a_file_that_is_named_is_the_one_whatever_its_name(folder: Path) -> None:
    assert find_data(folder / "a", "c") == (folder / "a",)
    assert find_data(folder / "a", "c", "d") is None


def test_the_environment_is_asked_only_where_nothing_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAS_DATA", str(folder))
    assert find_data(None, "c") == (folder / "train" / "c",)
    assert find_data(folder / "train", "b") is None
    monkeypatch.setenv("NAS_DATA", "")
    assert find_data(None, "c") is None
