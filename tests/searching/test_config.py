from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks.digits import BENCHMARK
from nas.benchmark import Recipe
from nas.errors import DocumentError, NasError
from nas.records.ledger import STUDY_NAME
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

    assert name() == name(trials=99, threads=2, device="cpu", precision="bfloat16", compile="auto", loading="stream")
    others = [{"seed": 1}, {"strategy": "random"}, {"epochs": 3}, {"steps": 9}, {"flops": 1e9}, {"recipe": "mixup=0.2"}]
    others += [{"replicates": 2}, {"replicates": 3}, {"replicates": 3, "together": "always"}]
    assert name() == name(replicates=1) == name(together="always")
    assert len({name(), name(limits="params <= 5"), *(name(**other) for other in others)}) == 11
    assert name(study="mine") == "mine"


@pytest.mark.parametrize("strategy", ["tpe:optuna", "nni:tpe", f"optunahub:samplers/auto_sampler@{'0' * 40}"])
def test_every_strategy_gives_a_name_that_the_ledger_takes(folder: Path, strategy: str) -> None:
    def name(**options: object) -> str:
        return SearchConfig.make(space=folder / "tiny.yaml", on="digits", strategy=strategy, **options).study_name

    assert STUDY_NAME.fullmatch(name())
    assert name() != name(seed=1)  # what tells searches apart stands at the end of a long name too


def test_long_names_of_tables_leave_room_for_what_tells_searches_apart(tmp_path: Path) -> None:
    path = tmp_path / f"{'long_' * 9}.csv"
    path.write_text("choice:a,accuracy\n1,0.5\n2,0.6\n")
    names = {SearchConfig.make(on=path, seed=seed).study_name for seed in range(3)}
    assert len(names) == 3
    assert all(STUDY_NAME.fullmatch(name) for name in names)


def test_the_ledger_is_named_by_the_environment(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAS_LEDGER", "sqlite:///elsewhere.sqlite")
    assert SearchConfig.make(space=folder / "tiny.yaml", on="digits").ledger == "sqlite:///elsewhere.sqlite"


def test_a_needed_option_is_named(folder: Path) -> None:
    with pytest.raises(
        NasError, match=r"^A search needs 'on', a benchmark such as digits; `nas benchmarks` lists what there is\.$"
    ):
        SearchConfig.make(space=folder / "tiny.yaml")


def recipe_of(folder: Path, recipe: object) -> Recipe:
    return SearchConfig.make(space=folder / "tiny.yaml", on="digits", recipe=recipe).on.recipe


def test_a_recipe_is_the_benchmarks_with_what_is_asked_to_be_other(folder: Path) -> None:
    texts = ["optimizer=lamb", "mixup=0.2", "flip=true", "gradient_norm=1", "ema=null"]
    mapping = {"optimizer": "lamb", "mixup": 0.2, "flip": True, "gradient_norm": 1.0, "ema": None}
    expected = replace(BENCHMARK.recipe, **mapping)  # type: ignore[arg-type]
    assert recipe_of(folder, texts) == recipe_of(folder, mapping) == expected
    assert recipe_of(folder, {}) == recipe_of(folder, []) == BENCHMARK.recipe


@pytest.mark.parametrize(
    ("recipe", "message"),
    [
        ("mixup", r"^recipe: must be OPTION=VALUE, such as 'mixup=0.2'; 'mixup' has no '=', got 'mixup'\.$"),
        ("mixop=1", r"^A recipe has no option 'mixop'\. Did you mean 'mixup'\?"),
        ("mixup=much", r"^recipe: mixup: Input should be a valid number.*, got 'much'\.$"),
        ("mixup=-1", r"^A recipe's mixup is at least 0, got -1\.0\.$"),
        ("ema=1", r"^A recipe's ema is at least 0 and below 1, got 1\.0\.$"),
        ({"accumulation": 0}, r"^A recipe has at least 1 accumulation, got 0\.$"),
    ],
)
def test_a_wrong_recipe_is_one_line(folder: Path, recipe: object, message: str) -> None:
    with pytest.raises(NasError, match=message):
        recipe_of(folder, recipe)


def test_a_budget_is_the_benchmarks_with_what_is_asked_to_be_other(folder: Path) -> None:
    config = SearchConfig.make(space=folder / "tiny.yaml", on="digits", steps=100, flops=1e12)
    assert config.budget == replace(BENCHMARK.budget, steps=100, flops=1e12)
    assert str(config.budget) == f"{BENCHMARK.budget.epochs} epochs, at most 100 steps or 1e+12 FLOPs"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"replicates": 2, "compile": "auto"}, r"^Replicates are not compiled, got replicates 2 and compile 'auto'; leave one"),
        (
            {"replicates": 2, "pruner": "median"},
            r"^Each replicate is trained to its end, got replicates 2 and pruner 'median'; name",
        ),
        (
            {"pruner": "wilcoxon"},
            r"^The pruner 'wilcoxon' is not sure of .* fourth replicate, got replicates 1; give at least 5, or",
        ),
        (
            {"replicates": 4, "pruner": "wilcoxon"},
            r"^The pruner 'wilcoxon' is not sure of .*, got replicates 4; give at least 5, or",
        ),
        (
            {"replicates": 5, "pruner": "wilcoxon", "together": "auto"},
            r"^The pruner 'wilcoxon' stops between replicates, which then train one after .*, got together 'auto'; leave one",
        ),
    ],
)
def test_what_replicates_do_not_go_with_is_one_line(folder: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(NasError, match=message):
        SearchConfig.make(space=folder / "tiny.yaml", on="digits", **options)
