import os
import sys
import traceback
import warnings
from collections.abc import Callable
from functools import wraps
from pathlib import Path

import pytest
import torch
from torch import nn

from nas.device import (
    accelerator,
    forget_resident_peak,
    is_out_of_memory,
    pick,
    place,
    release,
    resident_bytes,
    send,
    synchronize,
)
from nas.errors import SearchError

CPU = torch.device("cpu")


def test_a_device_is_picked_by_name() -> None:
    assert pick("cpu") == CPU


def test_without_a_name_it_is_the_gpu_where_there_is_one() -> None:
    expected = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    assert pick().type == expected


@pytest.mark.parametrize("name", ["meta", "mps:1", "gpu", "", "cuda:one", "cuda:-1", "CPU", "cpu:1"])
def test_a_name_that_is_no_device_is_refused(name: str) -> None:
    with pytest.raises(SearchError) as caught:
        pick(name)
    assert str(caught.value) == f"A device is 'cpu', 'cuda', 'cuda:N' or 'mps', got {name!r}."


@pytest.mark.skipif(torch.cuda.is_available(), reason="has a CUDA device")
@pytest.mark.parametrize("name", ["cuda", "cuda:0", "cuda:7"])
def test_a_gpu_that_is_not_there_is_refused(name: str) -> None:
    with pytest.raises(SearchError) as caught:
        pick(name)
    assert str(caught.value) == f"The device {name!r} is not there; this machine has no CUDA devices."


@pytest.mark.skipif(torch.backends.mps.is_available(), reason="has Apple's GPU")
def test_apples_gpu_that_is_not_there_is_refused() -> None:
    with pytest.raises(SearchError) as caught:
        pick("mps")
    assert str(caught.value) == "The device 'mps' is not there; it is the GPU of Apple's processors."


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_gpu_beyond_the_last_is_refused() -> None:
    count = torch.cuda.device_count()
    with pytest.raises(SearchError, match=rf"^The device 'cuda:{count}' is not there; this machine has {count} CUDA device"):
        pick(f"cuda:{count}")


def test_the_cpu_has_no_accelerator_and_nothing_to_wait_for() -> None:
    assert accelerator(CPU) is None
    synchronize(CPU)
    release(CPU)


def test_convolutions_on_the_cpu_lie_in_channels_last_order_with_equal_weights() -> None:
    model = nn.Conv2d(4, 8, 3)
    weight = model.weight.detach().clone()
    assert place(model, CPU) is model
    assert model.weight.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(model.weight, weight)


@pytest.mark.parametrize("shortcut", [nn.Conv2d(4, 8, 1, stride=2), nn.Conv2d(24, 24, 1, stride=2, groups=3)])
def test_a_network_that_onednn_would_crash_on_stays_in_channels_first_order(shortcut: nn.Module) -> None:
    model = place(nn.Sequential(nn.Conv2d(3, shortcut.in_channels, 3), shortcut), CPU)
    assert model[0].weight.is_contiguous()
    for _ in range(20):
        model(torch.randn(64, 3, 10, 10)).sum().backward()


def test_a_network_that_convolves_in_three_dimensions_is_placed_as_it_is() -> None:
    model = nn.ModuleDict({"flat": nn.Conv2d(3, 8, 3), "deep": nn.Conv3d(3, 8, 3)})
    assert place(model, CPU) is model
    assert model["flat"].weight.is_contiguous()


@pytest.mark.parametrize("shortcut", [nn.Conv2d(16, 8, 1, stride=2), nn.Conv2d(4, 8, 1), nn.Conv2d(4, 8, 3, stride=2)])
def test_a_network_with_convolutions_that_are_nearly_so_is_placed_like_any_other(shortcut: nn.Module) -> None:
    model = place(nn.Sequential(nn.Conv2d(3, shortcut.in_channels, 3), shortcut), CPU)
    assert model[0].weight.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize(
    ("error", "is_it"),
    [
        (torch.OutOfMemoryError("CUDA out of memory."), True),
        (MemoryError(), True),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 4096 bytes."), True),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), False),
        (ValueError("can't allocate memory"), False),
    ],
)
def test_out_of_memory_is_told_from_other_errors(error: Exception, is_it: bool) -> None:
    assert is_out_of_memory(error) is is_it


def test_a_host_without_enough_memory_is_recognised() -> None:
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**50)
    assert is_out_of_memory(caught.value)


def apart(check: Callable[[], None]) -> Callable[[], None]:
    """`check` in a fork of this process, in which nothing else happens: no other test's memory is freed meanwhile."""

    @wraps(check)
    def run() -> None:
        reading, writing = os.pipe()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # younger Pythons warn of threads, of which the fork uses none
            child = os.fork()
        if child == 0:
            try:
                check()
            except BaseException:
                os.write(writing, traceback.format_exc().encode()[-4_000:])
            finally:
                os._exit(0)
        os.close(writing)
        with open(reading, encoding="utf-8") as told:
            said = told.read()
        os.waitpid(child, 0)
        assert not said, said

    return run


@pytest.mark.skipif(sys.platform != "linux", reason="no other system tells")
@apart
def test_the_resident_set_follows_what_is_held_and_its_peak_begins_anew() -> None:
    before = resident_bytes()
    held = torch.ones(32, 2**20)  # 128 MB
    assert before is not None
    assert resident_bytes() > before + 100 * 2**20
    del held
    peak = resident_bytes(peak=True)
    assert peak > before + 100 * 2**20
    assert forget_resident_peak()
    assert resident_bytes(peak=True) < peak - 100 * 2**20


def test_a_system_without_such_figures_gives_none(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(*_: object) -> None:
        raise FileNotFoundError

    monkeypatch.setattr(Path, "read_text", absent)
    monkeypatch.setattr(Path, "write_text", absent)
    assert resident_bytes() is None
    assert resident_bytes(peak=True) is None
    assert not forget_resident_peak()


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the system does not tell how much memory a process holds")
@apart
def test_memory_between_what_is_still_used_goes_back_to_the_system() -> None:
    """Pieces too small to be mapped one by one, of which every tenth stays."""
    held = [torch.ones(16_000) for _ in range(2_000)]
    full = resident_bytes() or 0
    held = held[::10]
    release(torch.device("cpu"))
    assert full - (resident_bytes() or 0) > 0.7 * 2_000 * 64_000
    assert len(held) == 200


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_what_is_sent_to_the_gpu_arrives_though_it_is_gone_here_and_the_gpu_is_busy() -> None:
    device = torch.device("cuda:0")
    busy = torch.rand(4_000, 4_000, device=device)
    for _ in range(20):
        busy = busy @ busy / 4_000
    sent = []
    for number in range(200):
        values = torch.full((64,), float(number))
        sent.append(send(values, device))
        values.fill_(-1)
    assert [values[0].item() for values in sent] == [float(number) for number in range(200)]
