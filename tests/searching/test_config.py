from pathlib import Path

import pytest

from nas.errors import DocumentError, NasError
from nas.searching import SearchConfig
from nas.space import Limit

TINY = """
name: tiny
version: 1
accepts: image
layers: [head: {pool: [average, max]}]
limits: ["params <= 1e6"]
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "tiny.yaml").write_text(TINY)
    return tmp_path


def test_a_file_says_all_that_a_command_can(folder: Path) -> None:
    path = folder / "search.yaml"
    path.write_text("space: tiny.yaml\non: digits\ntrials: 5\nlimits: ['params <= 50e3']\nobjectives: [params]\nfraction: 0.5\n")
    config = SearchConfig.make(**SearchConfig.options_of(path))
    assert config.space.name == "tiny"
    assert config.all_limits == (Limit("params", "<=", 1e6), Limit("params", "<=", 50e3))
    assert config.budget.fraction == 0.5
    assert [(objective.figure, objective.direction) for objective in config.steered_by] == [("params", "minimize")]


def test_an_unknown_option_in_a_file_names_the_line(folder: Path) -> None:
    path = folder / "search.yaml"
    path.write_text("space: tiny.yaml\non: digits\ntrails: 5\n")
    with pytest.raises(DocumentError, match=r"search\.yaml:3: trails: unknown option\. Did you mean 'trials'\?"):
        SearchConfig.options_of(path)


def test_a_file_that_is_no_mapping_is_refused(folder: Path) -> None:
    path = folder / "search.yaml"
    path.write_text("- space\n")
    with pytest.raises(DocumentError, match="a search file is a mapping of options"):
        SearchConfig.options_of(path)


def test_a_broken_space_file_names_its_line(folder: Path) -> None:
    (folder / "tiny.yaml").write_text(TINY + "choises: {}\n")
    with pytest.raises(NasError, match=r"tiny\.yaml:7: choises: unknown key\. Did you mean 'choices'\?"):
        SearchConfig.make(space=str(folder / "tiny.yaml"), on="digits")


def test_equal_searches_have_equal_names_and_others_have_others(folder: Path) -> None:
    def name(**options: object) -> str:
        return SearchConfig.make(space=folder / "tiny.yaml", on="digits", **options).study_name

    assert name() == name(trials=99, threads=2, device="cpu")
    assert len({name(), name(seed=1), name(strategy="random"), name(epochs=3), name(limits="params <= 5")}) == 5
    assert name(study="mine") == "mine"


def test_the_ledger_is_named_by_the_environment(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAS_LEDGER", "sqlite:///elsewhere.sqlite")
    assert SearchConfig.make(space=folder / "tiny.yaml", on="digits").ledger == "sqlite:///elsewhere.sqlite"


def test_a_needed_option_is_named(folder: Path) -> None:
    with pytest.raises(NasError, match=r"^A search needs 'on'\.$"):
        SearchConfig.make(space=folder / "tiny.yaml")
