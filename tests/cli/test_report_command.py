"""`nas report`, once and while a study goes on."""

import json
import threading
import time
from pathlib import Path

import pytest
from click.testing import CliRunner
from toys import TOY, toy_evaluate

from nas.benchmark import Budget
from nas.cli.commands import main
from nas.records import Ledger
from nas.searching import watching


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    from nas.searching import SearchConfig

    url = f"sqlite:///{tmp_path}/nas.sqlite"
    config = SearchConfig.make(space=TOY, on="digits", trials=3, ledger=url)
    book = Ledger(url)
    entry = book.begin_study("toy", config.definition())
    for number, width in enumerate((8, 16)):
        architecture = TOY.architecture({"width": width, "stem.kernel": 3, "block.times": 0})
        trial = book.begin_trial(entry, "search", number, architecture, f"{number}")
        book.end_trial(trial, toy_evaluate(architecture, budget=Budget(epochs=2), seed=0))
    return book


def run(*words: str) -> str:
    done = CliRunner().invoke(main, list(words), catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def test_a_study_may_be_left_out_where_there_is_one(ledger: Ledger, tmp_path: Path) -> None:
    out = tmp_path / "page.html"
    assert run("report", "--out", str(out), "--ledger", ledger.shown) == f"Wrote {out}.\n"
    text = out.read_text(encoding="utf-8")
    assert 'http-equiv="refresh"' not in text
    assert 'id="age"' not in text


def test_json_says_what_was_written(ledger: Ledger, tmp_path: Path) -> None:
    out = tmp_path / "page.html"
    told = json.loads(run("report", "toy", "--out", str(out), "--ledger", ledger.shown, "--json"))
    assert told == {"report": str(out), "study": "toy", "bytes": out.stat().st_size, "goes_on": False}


def test_watching_writes_again_when_a_trial_ends_and_last_a_page_that_stays(
    ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "QUIET_SECONDS", 2.0)
    out = tmp_path / "page.html"
    entry = ledger.study("toy")
    architecture = TOY.architecture({"width": 8, "stem.kernel": 5, "block.times": 0})
    trial = ledger.begin_trial(entry, "search", 2, architecture, "2")
    seen: list[str] = []

    def end() -> None:
        while not out.exists():
            time.sleep(0.1)
        seen.append(out.read_text(encoding="utf-8"))
        ledger.end_trial(trial, toy_evaluate(architecture, budget=Budget(epochs=2), seed=0))

    worker = threading.Thread(target=end, daemon=True)
    worker.start()
    lines = run("report", "toy", "--out", str(out), "--ledger", ledger.shown, "--watch", "--every", "0.5").splitlines()
    worker.join()
    assert len(lines) >= 3
    assert lines[-1] == f"Wrote {out}."
    assert all("keeps itself fresh" in line for line in lines[:-1])
    assert '<noscript><meta http-equiv="refresh" content="2"></noscript>' in seen[0]
    assert "The study goes on." in seen[0]
    last = out.read_text(encoding="utf-8")
    assert "The study goes on." not in last
    assert architecture.id in last


def test_ctrl_c_leaves_a_page_that_stays(ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(watching.Watch, "look", interrupt)
    out = tmp_path / "page.html"
    assert run("report", "toy", "--out", str(out), "--ledger", ledger.shown, "--watch") == f"Wrote {out}.\n"
    assert "The study goes on." not in out.read_text(encoding="utf-8")
