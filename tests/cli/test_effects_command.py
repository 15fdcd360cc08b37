"""`nas effects` on a ledger of a planted study."""

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from planted import keep, study, trials

from nas import Study
from nas.cli import main
from nas.records import Ledger

Nas = Callable[..., Result]


def rule(choices: Any, rng: random.Random) -> dict[str, float]:
    latency = rng.uniform(0.5, 4.0)
    accuracy = 0.7 + 0.1 * (choices["stem.features"] == 32) + 0.03 * latency + rng.gauss(0, 0.005)
    return {"validation_accuracy": accuracy, "latency_ms": latency, "params": 100 * choices["stem.features"], "flops": 5e6}


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> str:
    url = f"sqlite:///{tmp_path_factory.mktemp('effects')}/nas.sqlite"
    with Ledger(url) as ledger:
        keep(ledger, trials(80, rule), study(limits=["latency_ms <= 4"]))
    return url


@pytest.fixture
def run(url: str) -> Nas:
    return lambda *words: CliRunner().invoke(main, ["effects", *words, "--ledger", url])


def test_the_choice_that_matters_is_told_with_its_values_and_the_others_as_without_effect(run: Nas) -> None:
    done = run()
    assert done.exit_code == 0
    lines = done.output.splitlines()
    assert lines[0] == "planted: 80 complete trials that compare"
    shares, means = done.output.split("\nMean validation accuracy of each value")
    seen, unseen = shares.split("no effect seen:\n")
    assert [line.split()[0] for line in seen.split("─\n")[1].splitlines()] == ["stem.features"]
    assert [line.split()[0] for line in unseen.splitlines()[:4]].count("stem.features") == 0
    assert "An effect counts as seen where chance alone gives any of all choices as much" in " ".join(unseen.split())
    values = [line.split() for line in means.split("─\n")[1].splitlines()[:4]]
    assert [words[0] for words in values] == ["stem.features", "8", "16", "32"]
    assert float(values[3][1]) > float(values[1][1]) + 0.08


def test_what_more_of_a_cost_buys_is_a_sentence(run: Nas) -> None:
    done = run("--cost", "latency_ms", "--more", "1")
    told = [line for line in done.output.splitlines() if line.startswith("From ")]
    assert len(told) in {2, 3}
    assert all("ms, 1 ms more buys +0.0" in line and "validation accuracy (95 %: 0.0" in line for line in told)
    assert "The study's limit is 4 ms; nothing was trained beyond." in done.output


def test_json_has_all_that_is_printed_and_the_choices_without_effect_too(run: Nas) -> None:
    told = json.loads(run("--json").output)
    assert told["study"] == "planted"
    assert (told["trials"], told["again"], told["left_out"]) == (80, 0, 0)
    assert told["all_choices"][0]["importance"] > 0.4
    assert [one["choice"] for one in told["effects"] if one["seen"]] == ["stem.features"]
    assert len(told["effects"]) == 5
    assert {"value", "upto", "mean", "low", "high", "plain", "count"} == set(told["effects"][0]["points"][0])
    assert [price["cost"] for price in told["prices"]] == ["latency_ms", "params"]
    assert told["prices"][0]["sentences"]


def test_a_cost_can_be_the_figure(run: Nas) -> None:
    told = json.loads(run("--figure", "params", "--json").output)
    assert [(one["choice"], one["figure"]) for one in told["effects"] if one["seen"]] == [("stem.features", "params")]
    assert told["prices"] == []


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--figure", "accuracy"], "No complete trial of planted has the figure 'accuracy'."),
        (["--cost", "wattage"], "No complete trial of planted has the figure 'wattage'."),
        (["--more", "1"], "--more is an amount above 0 of one --cost."),
        (["--cost", "latency_ms", "--more", "0"], "--more is an amount above 0 of one --cost."),
        (["--cost", "validation_accuracy"], "such as latency_ms, params, flops; got 'validation_accuracy'."),
        (["nobody"], "nobody"),
    ],
)
def test_what_cannot_be_told_is_one_line(run: Nas, words: list[str], complaint: str) -> None:
    done = run(*words)
    assert done.exit_code == 2
    assert complaint in done.output
    assert len(done.output.splitlines()) == 1


def test_too_few_trials_are_said_to_be_so(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/nas.sqlite"
    with Ledger(url) as ledger:
        keep(ledger, trials(3, rule), study())
    done = CliRunner().invoke(main, ["effects", "--ledger", url])
    assert done.exit_code == 0
    assert "3 complete trials compare, and of fewer than 10 nothing is said." in done.output


def test_a_script_has_the_same_values(url: str) -> None:
    held = Study("planted", url)
    assert held.effects()[0].choice == "stem.features"
    assert {effect.figure for effect in held.effects("params")} == {"params"}
    (price,) = held.prices(cost="latency_ms", more=1.0)
    assert [step.more for step in price.steps] == [1.0] * len(price.steps)


def test_one_trial_is_no_plural(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/nas.sqlite"
    with Ledger(url) as ledger:
        keep(ledger, trials(1, rule), study())
    done = CliRunner().invoke(main, ["effects", "--ledger", url])
    assert "1 complete trial compares, and of fewer than 10 nothing is said." in done.output
