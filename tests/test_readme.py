"""What the README and the pages beside it say is so: their commands run, and their files are the files."""

import ast
import os
import re
import shlex
import subprocess
import sys
from contextlib import chdir
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from nas.cli import main

ROOT = Path(__file__).parents[1]
README = "README.md"
SPACES = "docs/how-to/write-a-space.md"
ONE_NETWORK = "docs/how-to/measure-one-network.md"
MANY = "docs/how-to/many-machines.md"
TABLES = "docs/how-to/compare-strategies.md"
FROM_OPTUNA = "docs/how-to/coming-from-optuna.md"
PLUGINS = "docs/how-to/plugins.md"
PAGES = [README, *sorted(f"{path.relative_to(ROOT)}" for path in ROOT.glob("docs/**/*.md") if "evidence" not in path.parts)]

FEWER = {"--trials 20": "--trials 2", "--top 3": "--top 1", "--seeds 2": "--seeds 1", "nas train": "nas train --epochs 2"}
"""The same commands, at a cost that a test can bear."""


def text(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text(page), flags=re.DOTALL)


def commands(page: str) -> list[str]:
    lines = [line.partition(" #")[0].strip() for block in blocks(page, "sh") for line in block.splitlines()]
    return [line for line in lines if line.startswith("nas ")]


def quick_start() -> list[str]:
    return commands(README)[:3]


def fewer(command: str) -> list[str]:
    for many, few in FEWER.items():
        command = command.replace(many, few)
    return shlex.split(command)[1:]


def nas(command: str, folder: Path) -> str:
    """What a command prints in `folder`, in this process, which has loaded what takes seconds to load."""
    with chdir(folder):
        done = CliRunner().invoke(main, fewer(command), env={"NAS_LEDGER": f"sqlite:///{folder}/nas.sqlite"})
    assert done.exit_code == 0, done.output
    return done.stdout


def nas_apart(command: str, folder: Path) -> str:
    """The same as a shell runs it."""
    words = [sys.executable, "-m", "nas", *fewer(command)]
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, env=environment(folder), check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def environment(folder: Path) -> dict[str, str]:
    return {**os.environ, "NAS_LEDGER": f"sqlite:///{folder}/nas.sqlite"}


@pytest.mark.slow
def test_the_quick_start_ends_in_a_page(tmp_path: Path) -> None:
    steps = quick_start()
    assert [step.split()[1] for step in steps] == ["search", "finals", "report"]
    for step in (f"{steps[0]} --epochs 2", *steps[1:]):
        output = nas_apart(step, tmp_path)
    assert output == "Wrote leaderboard.html.\n"
    assert (tmp_path / "leaderboard.html").stat().st_size > 10_000


@pytest.mark.slow
def test_the_example_space_is_searched_by_the_command_beside_it(tmp_path: Path) -> None:
    (tmp_path / "examples").mkdir()
    (tmp_path / "examples" / "tiny_cnn.yaml").write_text(text("examples/tiny_cnn.yaml"), encoding="utf-8")
    (command,) = (line for line in commands(README) if "tiny_cnn.yaml" in line)
    assert "5 of 5 architectures have a result." in nas(command, tmp_path)


@pytest.mark.slow
def test_the_example_text_space_is_searched_by_the_command_beside_it(tmp_path: Path) -> None:
    if not (data := find_data("train/tiny-shakespeare.txt")):
        pytest.skip("tiny-shakespeare.txt is in none of ../shared/data and NAS_DATA")
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    (command,) = (line for line in commands(SPACES) if "tiny_text.yaml" in line)
    less = command.replace("--trials 5", "--trials 1 --fraction 0.02") + f" --data {data}"
    assert "1 of 1 architectures have a result." in nas(less, tmp_path)


@pytest.mark.slow
def test_a_table_is_searched_written_and_compared_by_the_commands_in_their_order(tmp_path: Path) -> None:
    (tmp_path / "results").symlink_to(ROOT / "results")
    search = quick_start()[0]
    nas(f"{search} --epochs 1", tmp_path)
    less = {"--trials 100": "--trials 12", "--evaluations 100 --seeds 10": "--evaluations 12 --seeds 2 --workers 1"}
    for line in commands(TABLES):
        for many, few in less.items():
            line = line.replace(many, few)
        nas(line, tmp_path)
    assert (tmp_path / "digits.csv.gz").exists()
    assert (tmp_path / "comparison" / "comparison.html").stat().st_size > 10_000


@pytest.mark.slow
def test_zero_cost_scores_are_told_and_searched_within_by_the_commands(tmp_path: Path) -> None:
    score, search = (line for line in commands(ONE_NETWORK) if "nas score" in line or "--proxy" in line)
    assert "naswot" in nas(score.replace("--draw 20", "--draw 2"), tmp_path)
    assert "naswot" in nas(f"{search} --trials 1 --epochs 1", tmp_path)


@pytest.mark.slow
def test_a_study_of_several_workers_is_watched_told_and_stopped_by_the_commands_in_their_order(tmp_path: Path) -> None:
    search, *looks = [line for line in commands(MANY) if " many" in line and "1000" not in line]
    nas_apart(search.replace("--trials 200 --workers 8", "--trials 3 --workers 2 --epochs 1"), tmp_path)
    assert [look.split()[1] for look in looks] == ["watch", "trials", "stop"]
    watched, listed, stopped = [nas(look + " --once" * ("watch" in look), tmp_path) for look in looks]
    assert "3 evaluated" in watched
    assert listed.count("complete") == 3
    assert "many" in stopped


def find_data(file: str) -> Path | None:
    """The folder of shared data that holds `file`."""
    folders = [Path(os.environ.get("NAS_DATA") or ROOT), ROOT.parent / "shared" / "data"]
    return next((folder for folder in folders if (folder / file).is_file()), None)


@pytest.mark.slow
def test_a_space_is_begun_checked_shown_and_surveyed_by_the_commands_in_their_order(tmp_path: Path) -> None:
    looks = [line for line in commands(SPACES) if line.startswith(("nas spaces", "nas layers"))]
    told = {line.split()[2]: nas(line.replace("check my_space", "check my_space --samples 2"), tmp_path) for line in looks}
    assert list(told) == ["new", "check", "show", "feasibility", "conv", "schema"]
    assert "wrong" not in told["check"]
    survey = "\n".join(line.rstrip() for line in told["feasibility"].splitlines())
    assert f"```\n{survey}\n```" in text(SPACES)


MAKE = "from torch import nn\n\n\ndef make():\n    return nn.Conv2d(3, 4, 3)\n"


@pytest.mark.slow
def test_single_networks_are_profiled_and_trained_by_the_commands_in_their_order(tmp_path: Path) -> None:
    (tmp_path / "my_package").mkdir()
    (tmp_path / "my_package" / "models.py").write_text(MAKE, encoding="utf-8")
    search = quick_start()[0]
    nas(f"{search.replace('--trials 20', '--trials 4')} --epochs 1", tmp_path)
    profiles = [nas(line, tmp_path) for line in commands(ONE_NETWORK) if line.startswith("nas profile")]
    assert ["both counters agree" in told for told in profiles] == [True, False, True, True]
    assert "Kendall's tau" in profiles[1]
    assert (tmp_path / "layers.png").stat().st_size > 10_000
    for line in (line for line in commands(ONE_NETWORK) if line.startswith("nas train")):
        nas(line, tmp_path)
    assert {path.name for path in (tmp_path / "run").rglob("*.*")} == {"weights.safetensors", "record.json", "trace.json"}


def test_the_profile_that_is_shown_has_the_counts_that_are_held_elsewhere() -> None:
    page = text(ONE_NETWORK)
    shown = page[page.index("timm:resnet18 on 3×224×224") :][:600]
    assert "11,689,512" in shown
    assert "1,814,073,344 (3,628,146,688 FLOPs) of one example, both counters agree" in shown


@pytest.mark.slow
def test_the_example_script_runs(tmp_path: Path) -> None:
    script = (ROOT / "examples" / "search_digits.py").read_text(encoding="utf-8")
    for many, few in {"trials=20": "trials=2, epochs=2", "top=3, seeds=2": "top=1, seeds=1"}.items():
        assert many in script
        script = script.replace(many, few)
    (tmp_path / "run.py").write_text(script, encoding="utf-8")
    words = [sys.executable, "run.py"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, env=environment(tmp_path), check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("Open leaderboard.html\n")


def test_the_example_script_is_short_and_stands_in_the_readme() -> None:
    script = (ROOT / "examples" / "search_digits.py").read_text(encoding="utf-8")
    assert len(script.splitlines()) <= 15
    assert script.partition('"""\n\n')[2].strip() in {block.strip() for block in blocks(README, "python")}


@pytest.mark.parametrize(("name", "page"), [("tiny_cnn", README), ("tiny_cnn", SPACES), ("tiny_text", SPACES)])
def test_an_example_space_is_short_and_stands_on_its_page(name: str, page: str) -> None:
    example = text(f"examples/{name}.yaml")
    assert len(example.splitlines()) <= 25
    assert example in blocks(page, "yaml")


def test_make_run_does_the_quick_start() -> None:
    recipe = (ROOT / "Makefile").read_text(encoding="utf-8").replace("\\\n\t\t", "")
    for step in quick_start():
        wanted = set(shlex.split(step)) - {"nas", "leaderboard.html"}
        made = [set(shlex.split(line)) for line in recipe.splitlines() if f"/nas {step.split()[1]}" in line]
        assert any(wanted <= words for words in made), step


def test_the_fashion_mnist_commands_are_those_that_made_the_leaderboard() -> None:
    kept = (ROOT / "results/fashion_mnist-v1/d0a2fd63/fashion/commands.sh").read_text(encoding="utf-8")
    for given, made in zip((line for line in commands(README) if "fashion" in line), kept.splitlines(), strict=True):
        assert numbers(given) == numbers(made)


def numbers(command: str) -> set[float]:
    return {float(number) for number in re.findall(r"(?<= )\d[\d.e]*\b", command.replace("'", " ").replace('"', " "))}


def test_every_linked_file_is_there() -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", text(README)):
        assert (ROOT / target).exists(), target


@pytest.mark.parametrize("page", PAGES)
def test_every_command_is_one_that_there_is_with_options_that_there_are(page: str) -> None:
    for line in commands(page):
        context, words = click.Context(main, info_name="nas"), shlex.split(line)[1:]
        while isinstance(context.command, click.Group):
            name, command, words = context.command.resolve_command(context, words)
            assert command is not None, line
            context = (
                command.make_context(name, list(words), parent=context)
                if not isinstance(command, click.Group)
                else (click.Context(command, parent=context, info_name=name))
            )


@pytest.mark.parametrize("page", PAGES)
def test_every_piece_of_python_is_python(page: str) -> None:
    for block in blocks(page, "python"):
        ast.parse(block)


def run_block(page: str, begins: str) -> dict[str, Any]:
    """What the one piece of Python on `page` that has `begins` in it defines; it runs at the top of the repository."""
    (block,) = (block for block in blocks(page, "python") if begins in block)
    defined: dict[str, Any] = {"__name__": "page"}
    with chdir(ROOT):
        exec(block, defined)  # noqa: S102 - what our page says
    return defined


def test_a_network_of_ones_own_is_a_layer_by_the_page_for_those_who_come_from_optuna() -> None:
    from nas.benchmark import Image
    from nas.testing.layers import LayerTrial, check_layer

    kind = run_block(FROM_OPTUNA, "class OurNetwork")["OurNetwork"]
    trial = LayerTrial(kind=kind, options=[{"width": 8}, {"width": 9, "depth": 3}], shapes=[Image(1, 8, 8), Image(3, 9, 7)])
    assert {rule: problem for rule, problem in check_layer(trial) if problem} == {}


def test_a_loop_of_ones_own_walks_a_space() -> None:
    study = run_block(FROM_OPTUNA, "study.optimize")["study"]
    assert len(study.trials) == 5
    assert all(trial.value > 0 and "stem.kernel" in trial.params for trial in study.trials)


def test_the_strategy_of_the_plugin_page_repeats_nothing_and_stays_near_the_best() -> None:
    import optuna

    from nas.space import read_space
    from nas.strategies import suggest

    space = read_space(ROOT / "examples/tiny_cnn.yaml")
    seen: list[str] = []

    def cost(trial: optuna.Trial) -> float:
        architecture = space.walk(lambda name, domain: suggest(trial, name, domain))
        seen.append(architecture.id)
        return float(sum(value for value in architecture.choices.values() if isinstance(value, int | float)))

    def last(sampler: optuna.samplers.BaseSampler) -> float:
        study = optuna.create_study(sampler=sampler)
        study.optimize(cost, n_trials=40)
        return sum(trial.value for trial in study.trials[20:])

    ours = last(run_block(PLUGINS, "class BestOrNew")["BestOrNew"](space, seed=0))
    assert len(set(seen)) == 40
    assert ours < 0.8 * last(optuna.samplers.RandomSampler(seed=0))
