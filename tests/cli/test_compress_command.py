"""`nas compress`, `nas derive` and what comes after them, of real trainings on some digits."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from toys import TOY

import nas
from benchmarks import digits
from nas.cli import main
from nas.records import Ledger, Trial

PLAIN = digits.BENCHMARK


def brief() -> Any:
    """The digits, with finals of one epoch on a tenth."""
    return replace(PLAIN, final_budget=replace(PLAIN.final_budget, epochs=1, fraction=0.1))


@pytest.fixture(autouse=True)
def brief_finals(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(digits, "BENCHMARK", brief())


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a ledger: a search of one wide network, and its finals from two seeds."""
    folder = tmp_path_factory.mktemp("finished")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(digits, "BENCHMARK", brief())
        ledger = f"sqlite:///{folder}/nas.sqlite"
        limits = ["params >= 3000"]
        nas.search(TOY, on="digits", trials=1, limits=limits, study="s", ledger=ledger, epochs=1, fraction=0.1)
        nas.finals("s", top=1, seeds=2, ledger=ledger)
    return folder


@pytest.fixture
def ledger(finished: Path, tmp_path: Path) -> str:
    shutil.copytree(finished, tmp_path / "copy")
    return f"sqlite:///{tmp_path}/copy/nas.sqlite"


def run(ledger: str, *words: str) -> Result:
    return CliRunner().invoke(main, [*words, "--ledger", ledger])


def derived(ledger: str) -> list[Trial]:
    with Ledger(ledger) as book:
        return book.trials(book.study("s"), "derived")


def test_several_methods_stand_below_the_finalist(ledger: str) -> None:
    methods = ["int8-weights", "magnitude", "int4-weights"]
    how = [word for name in methods for word in ("--how", name)]
    refused = run(ledger, "compress", "s", *how, "--set", "epochs=0")
    assert (refused.exit_code, "int8-weights has no option 'epochs'. It has none." in refused.output) == (2, True)
    result = run(ledger, "compress", "s", "--how", "magnitude", "--set", "epochs=0")
    result = run(ledger, "compress", "s", "--how", "int8-weights", "--how", "int4-weights")
    assert result.exit_code == 0
    lines = result.output[result.output.index("Steps · s") :].splitlines()
    assert [line.split("  ")[0] for line in lines[3:7]] == ["the finalist", "magnitude epochs 0", "int8-weights", "int4-weights"]
    assert "smaller, " in lines[5]
    assert "not here" in lines[6]
    assert "Weights in 4 bits need an NVIDIA GPU, got cpu" in result.output
    told = run(ledger, "rank", "s").output
    assert told.endswith(result.output[result.output.index("Steps · s") :])
    states = [(trial.state, trial.record.derived.method) for trial in derived(ledger) if trial.record and trial.record.derived]
    assert (
        sorted(states) == [("complete", "int8-weights")] * 2 + [("complete", "magnitude")] * 2 + [("failed", "int4-weights")] * 2
    )


def test_steps_are_told_alone_with_what_was_asked_of_them(ledger: str) -> None:
    assert run(ledger, "steps").output.startswith("Nothing is made of finalists of s yet; `nas compress s --ledger ")
    run(ledger, "compress", "s", "--how", "int8-weights")
    run(ledger, "robustness", "s", "--measure", "noise-1", "--measure", "corruptions", "--measure", "pgd-linf-0.1-1")
    told = run(ledger, "steps", "s").output
    assert told.startswith("Steps · s")
    assert told == run(ledger, "rank", "s").output[-len(told) :]
    _, child = json.loads(run(ledger, "steps", "s", "--json").output)["steps"]
    asked = {"test_accuracy:noise-1", "test_accuracy:corruptions", "test_accuracy:pgd-linf-0.1-1"}
    assert {*child["figures"]} >= asked
    shown = told.splitlines()[1]
    assert shown.index("seeds") < shown.index("memory MiB")
    assert "noise 1" not in told
    assert "test corrupted; `nas steps --json` has all." in " ".join(told.split())


def test_what_is_cut_is_exported_and_stands_in_the_report(ledger: str, tmp_path: Path) -> None:
    result = run(
        ledger, "compress", "s", "--how", "structured", "--set", "share=0.6", "--set", "epochs=1", "--seeds", "1", "--json"
    )
    *_, last = map(json.loads, result.output.splitlines())
    root, child = last["steps"]
    assert (child["step"], child["parent"]) == ("structured share 0.6, epochs 1", root["architecture"])
    assert child["figures"]["params"]["mean"] <= 0.6 * root["figures"]["params"]["mean"]
    assert child["smaller"]
    (made,) = derived(ledger)
    done = run(ledger, "export", f"s:id:{made.id}", "--to", str(tmp_path / "small"), "--formats", "source")
    assert done.exit_code == 0
    assert "bit for bit those that the record tells of" in done.output
    assert (tmp_path / "small" / "model.py").is_file()
    page = tmp_path / "page.html"
    assert run(ledger, "report", "s", "--out", str(page)).exit_code == 0
    text = page.read_text(encoding="utf-8")
    assert '<section id="steps"' in text
    assert "structured share 0.6, epochs 1" in text
    assert "nas derive s:" in text
    listed = run(ledger, "trials", "s", "--stage", "derived").output
    assert f"structured share 0.6, epochs 1, seed {made.record.seed if made.record else 0}, id:{made.id}" in listed
    (row,) = json.loads(run(ledger, "trials", "s", "--stage", "derived", "--json").output)
    assert row["derived"] == "structured share 0.6, epochs 1"
    told = run(ledger, "trial", f"s:id:{made.id}").output
    assert f"structured share 0.6, epochs 1, made of final trial 0 ({root['architecture']})" in told


@pytest.mark.parametrize(("how", "small"), [("int8-weights", True), ("magnitude", True), ("int8-static", False)])
def test_what_is_made_smaller_is_exported_as_small_where_source_unpacks_it(
    ledger: str, tmp_path: Path, how: str, small: bool
) -> None:
    options = ["--set", "epochs=0"] if how == "magnitude" else []
    run(ledger, "compress", "s", "--how", how, "--seeds", "1", *options)
    (made,) = derived(ledger)
    home = tmp_path / "small"
    done = run(ledger, "export", f"s:id:{made.id}", "--to", str(home), "--formats", "source,program" if small else "program")
    assert done.exit_code == 0
    assert made.record is not None
    assert made.record.derived is not None
    assert f"The weights are those that {made.record.derived.words} made of a finalist's: bit for bit" in done.output
    size, kept = (home / "weights.safetensors").stat().st_size, made.record.derived.file_bytes
    card = (home / "README.md").read_text()
    assert (kept is not None and size < 1.2 * kept, "weights are packed" in card) == (small, small)
    assert ("All files hold weights as 32-bit numbers" in card) != small
    assert not small or "--to small --formats source,program" in card
    refused = run(ledger, "explain", f"s:id:{made.id}")
    assert refused.exit_code == 2
    assert "and its weights are no plain ones; explain what it was made of." in refused.output


def test_weights_that_are_gone_are_told_in_one_line(ledger: str, tmp_path: Path) -> None:
    run(ledger, "compress", "s", "--how", "int8-weights", "--seeds", "1")
    (made,) = derived(ledger)
    shutil.rmtree(tmp_path / "copy" / "nas.sqlite.weights")
    gone = run(ledger, "export", f"s:id:{made.id}", "--to", str(tmp_path / "small"))
    assert (gone.exit_code, gone.output.count("\n")) == (2, 1)
    assert "or train them again: nas reproduce s:0 --stage derived --keep.\n" in gone.output
    again = run(ledger, "compress", "s", "--how", "magnitude")
    assert (again.exit_code, again.output.count("\n")) == (2, 1)
    assert "nas.sqlite.weights; bring s/" in again.output
    assert again.output.endswith("from where they were trained, or train them again: nas reproduce s:0 --stage final --keep.\n")


def test_finals_make_smaller_ones_in_the_same_run(ledger: str) -> None:
    result = run(ledger, "finals", "s", "--top", "1", "--seeds", "2", "--compress", "int8-weights")
    assert result.exit_code == 0
    assert "2 of 2 derived trials are complete." in result.output
    assert len(derived(ledger)) == 2
    assert run(ledger, "finals", "s", "--compress", "retrain").output == (
        "nas: retrain is no compression; `nas derive TRIAL --how retrain` does it.\n"
    )


def test_methods_are_listed_with_their_options() -> None:
    listed = json.loads(CliRunner().invoke(main, ["derive", "--list", "--json"]).output)
    ours = {"distil", "int4-weights", "int8-dynamic", "int8-static", "int8-weights", "magnitude", "qat", "retrain", "structured"}
    assert {row["method"] for row in listed} >= ours
    assert next(row for row in listed if row["method"] == "magnitude")["options"] == {"share": 0.75, "epochs": None}
    assert "retrain" not in CliRunner().invoke(main, ["compress", "--list"]).output


def test_a_command_without_a_method_says_what_is_missing() -> None:
    assert CliRunner().invoke(main, ["compress", "s"]).output == ("nas: Name a method with --how; `--list` names the methods.\n")
    assert CliRunner().invoke(main, ["compress"]).output == "nas: Name a finalist; `--list` names the methods.\n"
