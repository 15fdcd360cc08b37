"""Two processes pre-train a trunk together, which is kept once, and fine-tune it; one of them is killed."""

import json
import signal
from pathlib import Path
from typing import Any

import pytest
from torchrun import pair

SCRIPT = str(Path(__file__).with_name("pretraining_at_work.py"))

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What came of each candidate; two pairs of processes are started for all tests."""
    folder = tmp_path_factory.mktemp("together")
    first, second = pair(SCRIPT, "killed", str(folder))
    printed = second.communicate(timeout=240)[0]
    first.communicate(timeout=240)
    assert first.returncode == -signal.SIGKILL
    assert printed.startswith("One of 2 processes that train together has ended"), printed
    both = pair(SCRIPT, "gone_on", str(folder))
    for process in both:
        process.communicate(timeout=240)
    assert [process.returncode for process in both] == [0, 0]
    told: dict[str, Any] = json.loads((folder / "told.json").read_text())
    told["trunks"] = sorted(path.name for path in (folder / "trunks").glob("*.safetensors"))
    told["nobody's"] = (folder / "nobody's").exists()
    return told


def same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return [one[name] for name in ("outcome", "weights", "figures")] == [
        other[name] for name in ("outcome", "weights", "figures")
    ]


def test_a_candidate_is_pre_trained_and_fine_tuned_by_both(told: dict[str, Any]) -> None:
    whole = told["whole"]
    assert (whole["outcome"], whole["processes"], whole["steps"]) == ("complete", 2, 14), whole["error"]


def test_a_pre_training_of_which_a_process_was_killed_goes_on_to_the_same_bits(told: dict[str, Any]) -> None:
    assert same(told["gone_on"], told["whole"])
    assert told["gone_on"]["steps"] in {14 - 4, 14 - 5}, "what was written down is not trained again"
    assert any("Went on from a checkpoint after step" in note for note in told["gone_on"]["notes"])


def test_a_trunk_is_kept_once_by_the_first_and_used_again_by_both(told: dict[str, Any]) -> None:
    assert told["used_again"]["steps"] == 6
    assert same(told["used_again"], told["whole_again"])
    assert any("is used again" in note for note in told["used_again"]["notes"])
    assert not told["nobody's"]


def test_a_trunk_of_one_process_is_another(told: dict[str, Any]) -> None:
    assert told["alone"]["steps"] == 14
    assert len(told["trunks"]) == 2


def test_a_run_that_is_asked_to_stop_writes_down_the_state_of_all_and_goes_on_from_it(told: dict[str, Any]) -> None:
    assert told["left"]["left"] is True
    assert same(told["after"], told["whole"])
    assert told["left"]["steps"] + told["after"]["steps"] == 14
