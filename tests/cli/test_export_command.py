import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from toys import TOY

import nas
from nas.cli import main


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> str:
    url = f"sqlite:///{tmp_path_factory.mktemp('ledger')}/nas.sqlite"
    nas.search(TOY, on="digits", trials=1, study="s", ledger=url, epochs=1, fraction=0.1)
    return url


def run(ledger: str, *words: str) -> Result:
    return CliRunner().invoke(main, ["export", *words, "--ledger", ledger])


def test_a_winner_is_written_and_told(ledger: str, tmp_path: Path) -> None:
    done = run(ledger, "s", "--to", str(tmp_path / "home"), "--formats", "source")
    assert done.exit_code == 0, done.output
    assert "no weights are kept: training search trial 0 of study s again, 1 epoch" in done.output
    assert "epoch   1 of 1" in done.output
    assert "toy for digits: architecture " in done.output
    assert "The weights were trained again for this folder: bit for bit those that the record tells of." in done.output
    assert "model.py" in done.output
    assert (tmp_path / "home" / "model.py").exists()


def test_json_is_one_document(ledger: str, tmp_path: Path) -> None:
    done = run(ledger, "s:0", "--to", str(tmp_path / "home"), "--formats", "source", "--untrained", "--json")
    data = json.loads(done.output)
    assert data["files"] == ["README.md", "model.py", "weights.safetensors", "figures.json", "requirements.txt"]
    assert data["forms"][0]["difference"] <= 1e-5
    assert not data["trained"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["s", "--formats", "sauce"], "nas: No form of a network is called 'sauce'. Did you mean 'source'?"),
        (["s:7"], "nas: No search trial of s is '7'. There are search 0 to "),
        (["t"], "is called 't'. Known: s."),
    ],
)
def test_what_is_wrong_is_one_line(ledger: str, tmp_path: Path, words: list[str], message: str) -> None:
    done = run(ledger, *words, "--to", str(tmp_path / "home"))
    assert done.exit_code == 2
    assert message in done.output
    assert len(done.output.strip().splitlines()) == 1
    assert not (tmp_path / "home").exists()
