import math

import pytest
import torch

from nas.benchmark import Image
from nas.models import count
from nas.profiling.reference import PASSES, Reference, reference

CPU = torch.device("cpu")


@pytest.fixture
def calm() -> Reference:
    """One whose best is 1 ms, whatever this machine is."""
    beside = Reference(CPU)
    beside.best_ms = 1.0
    return beside


def test_it_tells_nothing_where_it_ran_as_ever(calm: Reference) -> None:
    reading = calm.read([1.0] * 10)
    assert (reading.best_ms, reading.slowdown, reading.disturbed) == (1.0, 1.0, False)


def test_a_slower_clock_is_told(calm: Reference) -> None:
    reading = calm.read([1.2] * 10)
    assert (reading.best_ms, reading.slowdown) == (1.2, pytest.approx(1.2))
    assert reading.disturbed
    assert calm.best_ms == 1.0


def test_time_that_went_to_other_work_is_told_though_most_passes_were_left_alone(calm: Reference) -> None:
    reading = calm.read([1.0] * 9 + [11.0])
    assert (reading.best_ms, reading.slowdown, reading.disturbed) == (1.0, 2.0, True)


def test_a_better_best_is_remembered(calm: Reference) -> None:
    assert calm.read([0.8] * 10).slowdown == 1.0
    assert calm.best_ms == 0.8
    assert calm.read([1.0] * 10).slowdown == pytest.approx(1.25)


def test_one_lucky_pass_is_not_the_best(calm: Reference) -> None:
    assert calm.read([0.1] + [1.0] * 19).best_ms == 1.0


def test_a_new_one_knows_a_best_before_it_is_asked() -> None:
    assert 0 < Reference(CPU).best_ms < math.inf


def test_a_turn_is_so_many_passes() -> None:
    times = Reference(CPU).turn()
    assert len(times) == PASSES
    assert min(times) > 0


def test_a_process_has_one_for_each_device_and_number_of_threads() -> None:
    threads = torch.get_num_threads()
    here = reference(CPU)
    try:
        torch.set_num_threads(threads + 1)
        assert reference(CPU) is not here
    finally:
        torch.set_num_threads(threads)
    assert reference(torch.device("cpu")) is here


def test_it_leaves_random_numbers_as_they_were() -> None:
    before = torch.get_rng_state()
    Reference(CPU)
    assert torch.equal(torch.get_rng_state(), before)


def test_its_work_is_what_its_docstring_says() -> None:
    """16·27·1024 + 32·144·256 + 32·288·256 + 320 multiply-adds, and 14,666 weights of 4 bytes."""
    network = Reference(CPU)._network
    cost = count(lambda: torch.nn.Sequential(*network).to("meta"), Image(3, 32, 32))
    assert cost.macs == 16 * 27 * 1024 + 32 * 144 * 256 + 32 * 288 * 256 + 320 == 3_981_632
    assert 4 * cost.params == 4 * (3 * 9 * 16 + 16 + 16 * 9 * 32 + 32 + 32 * 9 * 32 + 32 + 330) == 58_664
