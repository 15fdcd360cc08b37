import json
import random
from typing import Any

import pytest
from click.testing import CliRunner

from benchmarks.digits import BENCHMARK as DIGITS
from nas.cli import main
from nas.proxies import NAMES, Scored, linear_regions, score
from nas.records import SCORES
from nas.space import resolve_space

SPACE = resolve_space("residual_cnn")


def run(*words: str) -> str:
    done = CliRunner().invoke(main, ["score", *words])
    assert done.exit_code == 0, done.output
    return done.stdout


def data(*words: str) -> Any:
    return json.loads(run(*words, "--json"))


def complaint(*words: str) -> str:
    done = CliRunner().invoke(main, ["score", *words])
    assert done.exit_code == 2
    assert done.stderr.count("\n") == 1
    return done.stderr


def test_the_first_architecture_of_a_space_has_every_score() -> None:
    text = run("residual_cnn", "--on", "digits")
    assert text.startswith('{"stem.features": 8')
    assert all(name.replace("_", " ") in text for name in NAMES)
    assert "–" not in text


def test_as_json_scores_are_what_a_script_gets() -> None:
    architecture = SPACE.sample(random.Random(5))
    words = json.dumps(dict(architecture.choices))
    (found,) = data("residual_cnn", words, "--on", "digits", "--proxy", "naswot", "--proxy", "flops", "--seed", "3")[
        "architectures"
    ]
    assert found["id"] == architecture.id
    assert found["choices"] == dict(architecture.choices)
    assert found["scores"] == score(SPACE, architecture, DIGITS, ["naswot", "flops"], seed=3)


def test_drawn_architectures_are_different_and_follow_from_the_seed() -> None:
    def ids(seed: int) -> list[str]:
        found = data("residual_cnn", "--on", "digits", "--draw", "3", "--proxy", "params", "--seed", str(seed))
        return [row["id"] for row in found["architectures"]]

    assert len(set(ids(0))) == 3
    assert ids(0) == ids(0) != ids(1)


def test_what_is_not_defined_is_a_dash_and_null(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(linear_regions, "SIGNED", ())
    words = ("residual_cnn", "--on", "digits", "--proxy", "naswot")
    assert "–" in run(*words)
    assert data(*words)["architectures"][0]["scores"] == {"naswot": None}


def test_the_least_score_is_told_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Scored, "all_of", lambda *_: {"naswot": float("-inf")})
    words = ("residual_cnn", "--on", "digits", "--proxy", "naswot")
    assert "−inf" in run(*words)
    assert data(*words)["architectures"][0]["scores"] == {"naswot": None}  # JSON knows no infinity


def test_a_table_has_no_networks_to_score() -> None:
    assert "hill.csv is a table, whose networks are not built" in complaint("residual_cnn", "--on", "hill.csv")


def test_an_unknown_score_is_refused() -> None:
    assert "No score is called 'zwn'. Did you mean 'zen'?" in complaint("residual_cnn", "--on", "digits", "--proxy", "zwn")


def test_architectures_are_not_both_named_and_drawn() -> None:
    assert "named or drawn, got 1 and --draw 2" in complaint("residual_cnn", "{}", "--on", "digits", "--draw", "2")


def test_a_space_for_another_input_is_refused() -> None:
    assert "accepts image, 'japanese_vowels' feeds" in complaint("residual_cnn", "--on", "japanese_vowels")


def test_every_option_says_what_it_does() -> None:
    for parameter in main.commands["score"].params:
        assert parameter.param_type_name == "argument" or getattr(parameter, "help", None), parameter.name


def test_a_search_takes_proxies_by_option(tmp_path: Any) -> None:
    ledger = f"sqlite:///{tmp_path}/nas.sqlite"
    cheap = ("--trials", "1", "--epochs", "1", "--fraction", "0.05", "--device", "cpu", "--study", "scored", "--ledger", ledger)
    words = ["search", "residual_cnn", "--on", "digits", "--strategy", "random", *cheap]
    for name in SCORES:
        words += ["--proxy", name]
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 0, done.output
    ranked = json.loads(CliRunner().invoke(main, ["rank", "scored", "--json", "--ledger", ledger]).stdout)
    assert set(SCORES) <= set(ranked[0]["rows"][0]["figures"])
