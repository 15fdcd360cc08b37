import os

import pytest

from nas import registry
from nas.errors import DocumentError, RegistryError
from nas.space import known_spaces, resolve_space

TEXT = "{name: toy, version: 1, accepts: image, layers: [conv: {features: [8, 16]}, head]}"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "toy.yaml").write_text(TEXT)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "space.yaml").write_text(TEXT.replace("toy", "other"))
    (tmp_path / "notes.txt").write_text("no space")
    (tmp_path / "Not A Name.yaml").write_text(TEXT)
    return tmp_path


def told(name, folders):
    with pytest.raises(RegistryError) as caught:
        resolve_space(name, folders)
    assert str(caught.value).isprintable()
    return str(caught.value)


def test_a_file_and_a_folder_are_found_by_their_names(folder):
    assert [resolve_space(name, [folder]).name for name in ("toy", "other")] == ["toy", "other"]
    assert {"toy", "other", "residual_cnn"} <= set(known_spaces([folder]))
    assert not {"notes", "Not A Name"} & set(known_spaces([folder]))


def test_the_environment_names_folders_as_path_does(folder, tmp_path_factory, monkeypatch):
    empty = tmp_path_factory.mktemp("empty")
    monkeypatch.setenv("NAS_SPACE_PATH", os.pathsep.join([str(empty), "", str(folder)]))
    assert resolve_space("toy").name == "toy"


def test_folders_that_are_given_go_before_the_environment(folder, monkeypatch):
    monkeypatch.setenv("NAS_SPACE_PATH", str(folder))
    assert told("toy", []).startswith("No search space is called 'toy'. ")


def test_an_unknown_name_is_answered_with_the_names_of_the_path_too(folder):
    assert told("othr", [folder]).startswith("No search space is called 'othr'. Did you mean 'other'? Known: ")


def test_a_name_that_is_installed_and_in_the_path_is_refused_and_both_are_named(folder):
    (folder / "residual_cnn.yaml").write_text(TEXT)
    assert told("residual_cnn", [folder]) == (
        "The search space 'residual_cnn' is claimed by nas-harness (search_spaces.residual_cnn:SPACE) "
        f"and {folder}/residual_cnn.yaml; rename or remove one of them."
    )


def test_a_name_that_lies_in_the_path_twice_is_refused(folder):
    (folder / "toy").mkdir()
    (folder / "toy" / "space.yaml").write_text(TEXT)
    assert told("toy", [folder]) == (
        f"The search space 'toy' is claimed by {folder}/toy/space.yaml and {folder}/toy.yaml; rename or remove one of them."
    )
    (folder / "toy.yaml").unlink()
    assert resolve_space("toy", [folder, str(folder)]).name == "toy"  # one folder is one, however often it is named


def test_a_space_in_the_path_is_called_as_its_file(folder):
    (folder / "mine.yaml").write_text(TEXT)
    assert told("mine", [folder]) == f"The search space 'mine' of {folder}/mine.yaml calls itself 'toy'; give both one name."


def test_a_folder_that_is_not_there_is_named(folder):
    gone = folder / "\x1b[31mgone"
    assert told("toy", [gone]) == f"The space path's folder {folder}/\\x1b[31mgone cannot be read: No such file or directory."


def test_a_broken_file_says_what_is_wrong_only_when_it_is_asked_for(folder):
    (folder / "broken.yaml").write_text("name: broken")
    assert resolve_space("toy", [folder]).name == "toy"
    with pytest.raises(DocumentError, match=r"broken\.yaml:1: a space needs 'version'"):
        resolve_space("broken", [folder])


@pytest.mark.parametrize(
    ("source", "end"), [("SPACE = 3", "got 3."), ("class A:\n    def __repr__(self): 1 / 0\nSPACE = A()", "shown.")]
)
def test_what_is_no_space_is_told_with_its_package(tmp_path, monkeypatch, source, end):
    (tmp_path / "wrong_kind_plugin.py").write_text(source)
    info = tmp_path / "other_team-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: other-team\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[nas.search_spaces]\nwrong_kind = wrong_kind_plugin:SPACE\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(__import__("sys").modules, "wrong_kind_plugin", raising=False)
    registry.owners.cache_clear()
    try:
        message = told("wrong_kind", [])
    finally:
        registry.owners.cache_clear()
    assert message.startswith(
        "The search space 'wrong_kind' of other-team (wrong_kind_plugin:SPACE) must be a nas.space.Space, got "
    )
    assert message.endswith(end)
