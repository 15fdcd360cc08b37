import json
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner, Result
from torchrun import torchrun
from toys import TOY

from nas.cli import main
from nas.space import space_to_yaml

SHORT = ("--on", "digits", "--epochs", "2", "--fraction", "0.1")


@pytest.fixture
def toy(tmp_path: Path) -> str:
    (tmp_path / "toy.yaml").write_text(space_to_yaml(TOY))
    return str(tmp_path / "toy.yaml")


def run(*words: str) -> Result:
    return CliRunner().invoke(main, ["train", *words])


def test_epochs_figures_and_files_are_told(toy: str, tmp_path: Path) -> None:
    done = run(toy, *SHORT, "--out", str(tmp_path / "out"), "--trace", str(tmp_path / "t.json"))
    assert done.exit_code == 0
    assert "of toy on digits" in done.output
    assert "epoch   1 of 2  train_loss " in done.output
    assert " left\n" in done.output
    assert "validation_accuracy" in done.output
    assert "The dearest operators of the steps that were traced:" in done.output
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"record.json", "weights.safetensors"}


def test_json_is_one_document_and_a_record_is_trained_again_from_its_file(toy: str, tmp_path: Path) -> None:
    first = json.loads(run(toy, *SHORT, "--random", "3", "--json", "--out", str(tmp_path)).output)
    again = json.loads(run(toy, str(tmp_path / "record.json"), *SHORT, "--json").output)
    assert first["choices"] == again["choices"]
    assert first["record"]["figures"]["validation_loss"] == again["record"]["figures"]["validation_loss"]


def test_test_data_are_read_only_with_the_option(toy: str) -> None:
    assert "test_accuracy" not in run(toy, *SHORT).output
    assert "test_accuracy" in run(toy, *SHORT, "--test").output


def test_tensorboard_files_are_written(toy: str, tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    assert run(toy, *SHORT, "--tensorboard", str(tmp_path / "board")).exit_code == 0
    assert list((tmp_path / "board").glob("toy-digits-*/00000/events*"))


def test_a_search_is_written_for_tensorboard_too(toy: str, tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    words = ["search", toy, *SHORT, "--trials", "1", "--study", "s", "--tensorboard", str(tmp_path / "board")]
    assert CliRunner().invoke(main, words).exit_code == 0
    assert list((tmp_path / "board").glob("s/00000/events*"))


def test_a_training_that_fails_exits_with_1_and_says_why(toy: str) -> None:
    done = run(toy, *SHORT, "--recipe", "learning_rate=1e30")
    assert done.exit_code == 1
    assert "nas: The training failed: diverged: " in done.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--steps", "2", "--trace", "t.json"], "A trace needs a training of 3 steps at least, this one has 2;"),
        (["--trace", "none/t.json"], "The trace's folder none does not exist; make it first."),
        (['{"width": 9}'], "width must be in [8, 16], got 9"),
        (["--epochs", "0"], "epochs: Input should be greater than or equal to 1, got 0."),
    ],
)
def test_bad_input_is_one_line_and_exit_status_2(toy: str, words: list[str], message: str) -> None:
    done = run(toy, *SHORT, *words)
    assert done.exit_code == 2
    assert message in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.slow
def test_of_two_processes_one_prints_and_writes(toy: str, tmp_path: Path) -> None:
    done = torchrun("-m", "nas", "train", toy, *SHORT, "--device", "cpu", "--json", "--out", str(tmp_path / "out"))
    assert done.returncode == 0, done.stderr
    record = json.loads(done.stdout)["record"]
    assert (record["outcome"], record["processes"]) == ("complete", 2)
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"record.json", "weights.safetensors"}


@pytest.mark.gpu
@pytest.mark.slow
def test_each_of_two_processes_has_a_gpu_of_its_own(toy: str) -> None:
    if torch.cuda.device_count() < 2:
        pytest.skip("needs two CUDA devices")
    done = torchrun("-m", "nas", "train", toy, *SHORT, "--json")
    assert done.returncode == 0, done.stderr
    record = json.loads(done.stdout)["record"]
    assert (record["outcome"], record["processes"], record["device"]) == ("complete", 2, "cuda:0")
