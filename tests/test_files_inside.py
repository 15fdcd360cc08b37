from pathlib import Path

import pytest

from nas.errors import PathError
from nas.files import inside


@pytest.mark.parametrize("name", ["one", "a.b-c_d", "0123456789abcdef", "..a", "ein Name", "x" * 255])
def test_a_plain_name_lies_in_the_folder(tmp_path: Path, name: str) -> None:
    assert inside(tmp_path, name) == tmp_path / name


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", "../x", "../../x", "a/b", "/etc", "a/..", "a\\b", "C:x", "a\0b", "a\nb", "\x1b[2J", "x" * 256, "é" * 128],
)
def test_a_name_that_leads_elsewhere_is_refused_in_one_line(tmp_path: Path, name: str) -> None:
    with pytest.raises(PathError, match="is one file's or folder's, got ") as caught:
        inside(tmp_path, name)
    assert str(caught.value).isprintable()
    assert str(tmp_path) not in str(caught.value)


@pytest.mark.parametrize("name", [None, 5, b"x"])
def test_what_is_no_text_is_no_name(tmp_path: Path, name: object) -> None:
    with pytest.raises(PathError, match="is one file's or folder's, got "):
        inside(tmp_path, name)  # type: ignore[arg-type]


def test_a_link_out_of_the_folder_is_refused_and_one_to_a_neighbour_is_not(tmp_path: Path) -> None:
    folder, elsewhere = tmp_path / "run", tmp_path / "elsewhere"
    folder.mkdir()
    elsewhere.mkdir()
    (folder / "out").symlink_to(elsewhere)
    (folder / "own").mkdir()
    (folder / "beside").symlink_to(folder / "own")
    with pytest.raises(PathError, match=r"The link 'out' leads out of the folder 'run'; remove it."):
        inside(folder, "out")
    assert inside(folder, "beside") == folder / "beside"


def test_links_in_a_circle_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to(tmp_path / "b")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    with pytest.raises(PathError, match=r"The name 'a' in the folder .* leads nowhere; remove it."):
        inside(tmp_path, "a")


def test_a_folder_that_is_a_link_itself_may_lie_anywhere(tmp_path: Path) -> None:
    (tmp_path / "large").mkdir()
    (tmp_path / "run").symlink_to(tmp_path / "large")
    assert inside(tmp_path / "run", "x") == tmp_path / "run" / "x"
