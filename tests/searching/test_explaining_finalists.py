"""`nas explain` of a finalist on the digits: in Python and by command, and what a report shows of it."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from toys import TOY

import nas
from nas.cli import main
from nas.errors import ExplainError
from nas.records import Ledger
from nas.reports.explanations import kept_explanations
from nas.searching import explain, train_one


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A study `s` with one finalist of one epoch."""
    from dataclasses import replace

    from benchmarks import digits

    url = f"sqlite:///{tmp_path_factory.mktemp('ledger')}/nas.sqlite"
    with pytest.MonkeyPatch.context() as patch:
        final = replace(digits.BENCHMARK.final_budget, epochs=1)
        patch.setattr(digits, "BENCHMARK", replace(digits.BENCHMARK, final_budget=final))
        nas.search(TOY, on="digits", trials=2, study="s", ledger=url, epochs=1, fraction=0.1)
        nas.finals("s", top=1, seeds=1, ledger=url)
    return url


def run(ledger: str, *words: str) -> Result:
    return CliRunner().invoke(main, ["explain", *words, "--ledger", ledger])


def test_a_finalist_is_explained_and_the_report_shows_it(ledger: str, tmp_path: Path) -> None:
    done = run(
        ledger, "s", "--examples", "3", "--method", "occlusion", "--method", "activations", "--to", str(tmp_path / "why.html")
    )
    assert done.exit_code == 0, done.output
    assert "occlusion of " in done.output
    assert "activations of " in done.output
    assert "rank correlation " in done.output
    assert f"Wrote {tmp_path / 'why.html'}." in done.output
    page = (tmp_path / "why.html").read_text(encoding="utf-8")
    assert "default-src &#39;none&#39;; style-src" in page
    assert "<script" not in page
    assert page.count("data:image/png;base64,") == 3 * 2 * 2
    assert "nas explain s --method occlusion --method activations --examples 3 --to why.html" in page
    with Ledger(ledger) as book:
        (final,) = [trial for trial in book.trials(book.study("s")) if trial.stage == "final"]
        kept = kept_explanations(book, final)
    assert {one.method for one in kept} >= {"activations", "occlusion"}
    report = tmp_path / "board.html"
    assert CliRunner().invoke(main, ["report", "s", "--out", str(report), "--ledger", ledger]).exit_code == 0
    assert report.read_text(encoding="utf-8").count("as it is fed") >= 3 * 2


def test_integrated_gradients_are_explained_as_json_with_their_completeness(ledger: str, tmp_path: Path) -> None:
    done = run(ledger, "s", "--examples", "2", "--to", str(tmp_path / "home"), "--json")
    (data,) = json.loads(done.output)
    assert data["method"] == "integrated-gradients"
    assert data["check"]["verdict"] in data["sentence"] or "cannot be told" in data["sentence"]
    for example in data["examples"]:
        assert example["total"] == pytest.approx(example["output"] - example["baseline"], abs=example["error"] + 1e-9)
        assert example["error"] <= 0.01 * abs(example["output"] - example["baseline"]) + 1e-4
    assert [example["number"] for example in data["examples"]] == [0, 180]  # evenly spread over the 359
    names = {path.name for path in (tmp_path / "home").iterdir()}
    assert names == {
        "index.html",
        "explanations.json",
        *(f"{n}{of}.png" for n in (0, 180) for of in ("", "-integrated-gradients")),
    }
    assert (tmp_path / "home" / "0.png").read_bytes().startswith(b"\x89PNG")


def test_equal_calls_explain_alike(ledger: str) -> None:
    first, second = (explain("s", methods=["occlusion"], examples=2, ledger=ledger) for _ in range(2))
    assert first == second


def test_weights_of_a_file_are_explained_and_not_kept(ledger: str, tmp_path: Path) -> None:
    with Ledger(ledger) as book:
        trial = book.trials(book.study("s"), "search")[0]
    out = tmp_path / "trained"
    train_one(TOY, on="digits", architecture=trial.architecture, out=out, epochs=1, fraction=0.1)
    with pytest.raises(ExplainError, match=r"No weights of the search trial 0 of study s are kept; `nas finals s` keeps"):
        explain(trial, ledger=ledger)
    (found,) = explain(trial, methods=["occlusion"], examples=1, weights=out / "weights.safetensors", ledger=ledger)
    assert found.examples[0].view.kind == "picture"
    with Ledger(ledger) as book:
        assert kept_explanations(book, trial) == []


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["s", "--method", "gradients"], "nas: No explainer is called 'gradients'."),
        (["s", "--examples", "0"], "nas: From 1 to 256 examples are explained, got 0."),
        (["s:0"], "are kept; `nas finals s` keeps those of finalists. A file of weights can be named too, by --weights."),
        (["s", "--weights", "nothing.safetensors"], "nas: nothing.safetensors cannot be read: No such file or directory."),
        (["t"], "is called 't'. Known: s."),
        (["s", "--to", "/dev/null/why"], "nas: No folder can be made at '/dev/null/why'"),
    ],
)
def test_what_is_wrong_is_one_line(ledger: str, words: list[str], message: str) -> None:
    done = run(ledger, *words)
    assert done.exit_code == 2
    assert message in done.output
    assert len(done.output.strip().splitlines()) == 1


def test_a_damaged_explanation_is_left_out(ledger: str) -> None:
    explain("s", methods=["occlusion"], examples=1, ledger=ledger)
    with Ledger(ledger) as book:
        (final,) = [trial for trial in book.trials(book.study("s")) if trial.stage == "final"]
        path = book.beside("explanations") / "s" / f"{final.evaluation}.occlusion.json"
        whole = path.read_bytes()
        path.write_bytes(whole[:100])
        assert "occlusion" not in [one.method for one in kept_explanations(book, final)]
        path.write_bytes(whole)
        kept = next(one for one in kept_explanations(book, final) if one.method == "occlusion")
    assert base64.b64decode(kept.examples[0].view.given).startswith(b"\x89PNG")
