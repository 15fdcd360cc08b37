"""Two processes that torchrun starts train one network; what each tells is compared."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torchrun import torchrun

from nas.errors import SearchError
from nas.training import Ranks

Told = dict[str, Any]

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> tuple[Told, Told]:
    """What two processes told of their trainings; started once for all tests."""
    folder = tmp_path_factory.mktemp("ranks")
    done = torchrun(str(Path(__file__).with_name("ranks_at_work.py")), str(folder))
    assert done.returncode == 0, done.stderr
    return json.loads((folder / "0.json").read_text()), json.loads((folder / "1.json").read_text())


def test_weights_are_equal_in_all_processes_and_repeat_from_the_seed(told: tuple[Told, Told]) -> None:
    first, second = (one["weights"] for one in told)
    assert first == second
    assert first[0] == first[1] != first[2]


@pytest.mark.parametrize("protocol", ["fine_tune", "reconstruction", "link_prediction", "adversarial", "masked_patches"])
def test_weights_are_equal_to_the_bit_whatever_the_protocol(protocol: str, told: tuple[Told, Told]) -> None:
    first, second = (one["protocols"][protocol] for one in told)
    assert first == second
    assert first[0] == first[1] != first[2]


@pytest.mark.parametrize("learned", ["simclr", "masked_tokens", "same_text", "contrastive", "classified_rows", "retrieval"])
def test_two_processes_learn_what_one_does_but_for_rounding(learned: str, told: tuple[Told, Told]) -> None:
    (apart, by_seed, first), (_, _, second) = (one["alike"][learned] for one in told)
    assert apart < 1e-4 * by_seed
    assert first == second, "weights are equal to the bit in both"


def test_positions_weigh_alike_in_whatever_part_of_a_batch_they_are(told: tuple[Told, Told]) -> None:
    assert all(max(one["counted"]) < 1e-6 for one in told)


def test_what_is_gathered_is_the_whole_batch_and_gradients_reach_each_part(told: tuple[Told, Told]) -> None:
    assert [one["gathered"] for one in told] == [[True] * 6, [True] * 5], "of one example the second process has none"


def test_a_batch_of_one_example_is_compared_where_one_process_has_none(told: tuple[Told, Told]) -> None:
    assert told[0]["lonely"] == told[1]["lonely"]


def test_a_training_that_ended_within_an_epoch_goes_on_to_the_same_bits_in_all_processes(told: tuple[Told, Told]) -> None:
    for one in told:
        left, same, notes, _, elsewhere = one["resumed"]
        assert (left, same, elsewhere) == ("left", True, False)
        assert notes == ["Went on from a checkpoint after step 4 of 9."], "all hear in the step after that it is time"
    assert "it is of a training with another number of processes" in told[0]["resumed"][3][0]


def test_a_method_that_compares_examples_in_a_way_of_its_own_is_not_shared(told: tuple[Told, Told]) -> None:
    message = (
        "Examples of a batch are compared with each other, so that 2 processes cannot share it; train by one, or make Alien a "
        "nas.training.Comparing."
    )
    assert [one["compared"] for one in told] == [message] * 2


def test_the_gradient_is_that_of_one_process_on_the_whole_batch(told: tuple[Told, Told]) -> None:
    assert all(one["gradient"] < 1e-6 for one in told)


def test_a_layer_has_a_gradient_where_any_process_uses_it(told: tuple[Told, Told]) -> None:
    assert [one["unused"] for one in told] == [[True, True, False]] * 2


def test_rank_0_decides_alone_who_is_pruned(told: tuple[Told, Told]) -> None:
    assert [one["pruned"] for one in told] == [["pruned", 2]] * 2


def test_batches_smaller_than_there_are_processes_are_trained(told: tuple[Told, Told]) -> None:
    assert told[0]["small"] == told[1]["small"]


def test_a_loss_that_is_not_finite_in_one_process_ends_all(told: tuple[Told, Told]) -> None:
    assert [one["diverged"] for one in told] == [["diverged", "the loss was nan at step 5 of 9."]] * 2


def test_what_one_process_raises_ends_the_training_in_all_and_the_next_one_goes_well(told: tuple[Told, Told]) -> None:
    assert told[0]["raised"] == "OtherFailed: process 1: ValueError: not today"
    assert told[1]["raised"] == "ValueError: not today"


def test_memory_that_ends_in_one_process_halves_the_batches_of_all(told: tuple[Told, Told]) -> None:
    assert [one["halved"] for one in told] == [["Out of memory at step 1: batches are trained in 2 parts."]] * 2


def test_memory_that_is_never_enough_in_one_process_is_told_as_such(told: tuple[Told, Told]) -> None:
    assert told[0]["exhausted"] == "MemoryError: process 1: OutOfMemoryError: CUDA out of memory."


def test_memory_that_ends_before_a_comparison_lets_nobody_wait(told: tuple[Told, Told]) -> None:
    assert told[0]["uncompared"] == "MemoryError: process 1: OutOfMemoryError: CUDA out of memory."


def test_only_rank_0_validates_and_its_failure_is_known_to_all(told: tuple[Told, Told]) -> None:
    assert told[0]["unvalidated"] == "ValueError: no figures on cpu"
    assert told[1]["unvalidated"] == "OtherFailed: process 0: ValueError: no figures on cpu"


def test_a_signal_to_one_process_stops_all_where_they_meet_once_the_state_is_written_down(told: tuple[Told, Told]) -> None:
    assert [one["interrupted"] for one in told] == [["KeyboardInterrupt: ", [4]], ["KeyboardInterrupt: ", []]]


def test_a_process_alone_has_the_whole_batch_and_the_device_that_is_asked_for() -> None:
    alone = Ranks()
    assert alone.share(torch.arange(7)).tolist() == list(range(7))
    assert alone.device("cuda:1") == "cuda:1"


def test_one_of_several_processes_cannot_have_a_gpu_by_number() -> None:
    store = torch.distributed.HashStore()
    message = "Each of 2 processes takes a GPU of its own: give the device 'cuda', got 'cuda:0'."
    with pytest.raises(SearchError, match=message):
        Ranks(0, 2, 0, store).device("cuda:0")
    assert Ranks(1, 2, 1, store).device("cuda") == "cuda:1"
