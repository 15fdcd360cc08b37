import json
from pathlib import Path

import optuna
import pytest
from click.testing import CliRunner, Result
from toys import TOY, toy_evaluate

import nas
from nas.cli import main
from nas.records import Ledger


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> str:
    url = f"sqlite:///{tmp_path_factory.mktemp('trackers')}/nas.sqlite"
    nas.search(TOY, on="digits", trials=3, evaluate=toy_evaluate, epochs=3, study="toy", ledger=url)
    return url


def run(ledger: str, *words: str) -> Result:
    return CliRunner().invoke(main, [*words, "--ledger", ledger])


def test_a_study_becomes_a_database_of_optunas(ledger: str, tmp_path: Path) -> None:
    path = tmp_path / "o.db"
    first = run(ledger, "optuna", "--to", str(path))
    assert first.output == f"Wrote 3 trials.\nLook at them:\n  optuna-dashboard sqlite:///{path}\n"
    again = run(ledger, "optuna", "toy", "--to", str(path), "--json")
    assert json.loads(again.output) == {"added": 0, "known": 3, "waiting": 0}
    assert len(optuna.load_study(study_name="toy", storage=f"sqlite:///{path}").trials) == 3


def test_a_study_becomes_files_for_tensorboard(ledger: str, tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    done = run(ledger, "tensorboard", "--to", str(tmp_path / "board"))
    assert done.output == f"Wrote 3 trials.\nLook at them:\n  tensorboard --logdir {tmp_path}/board\n"
    assert len(list((tmp_path / "board" / "toy").iterdir())) == 3


def test_where_nothing_is_written_there_is_nothing_to_look_at(ledger: str, tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    own = f"sqlite:///{tmp_path}/nas.sqlite"
    with Ledger(ledger) as book, Ledger(own) as other:
        other.begin_study("empty", book.study("toy").definition)
    assert run(own, "tensorboard", "--to", str(tmp_path / "board")).output == "Wrote 0 trials.\n"


@pytest.mark.parametrize("command", ["optuna", "tensorboard", "mlflow"])
def test_bad_input_is_one_line_and_exit_status_2(ledger: str, tmp_path: Path, command: str) -> None:
    for words in (["nobody", "--to", str(tmp_path / "there")], ["toy"]):
        done = run(ledger, command, *words)
        assert done.exit_code == 2, done.output
        assert len(done.stderr.splitlines()) == 1
    assert not list(tmp_path.iterdir())
