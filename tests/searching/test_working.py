"""Where candidates are evaluated, by what the options say."""

import pytest
import torch

from nas.errors import SearchError
from nas.searching.places import Places
from nas.searching.retraining import places_of
from nas.searching.working import FEWEST_BYTES, gpus_of, usual_memory


@pytest.fixture
def four_gpus(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    return monkeypatch


def test_workers_share_out_all_gpus_unless_some_are_named(four_gpus: pytest.MonkeyPatch) -> None:
    assert gpus_of(Places(workers=4)) == ("0", "1", "2", "3")
    assert gpus_of(Places(workers=4, device="cuda")) == ("0", "1", "2", "3")
    assert gpus_of(Places(workers=2, gpus="1,3")) == ("1", "3")
    assert gpus_of(Places(workers=1, device="cuda:2")) == ("2",)
    assert gpus_of(Places(workers=1, device="cpu")) == ()


def test_gpus_where_there_are_none_are_refused() -> None:
    with pytest.raises(SearchError, match=r"^Candidates run on cpu, got gpus 0,1; leave them out, or give --device cuda\.$"):
        gpus_of(Places(workers=2, gpus="0,1", device="cpu"))


def test_gpus_are_named_as_the_environment_names_them(four_gpus: pytest.MonkeyPatch) -> None:
    four_gpus.setattr(torch.cuda, "device_count", lambda: 2)
    four_gpus.setenv("CUDA_VISIBLE_DEVICES", "5, GPU-8932f937")
    assert gpus_of(Places(workers=2)) == ("5", "GPU-8932f937")
    assert gpus_of(Places(workers=1, device="cuda:1")) == ("GPU-8932f937",)


def test_a_worker_sees_one_gpu_which_is_its_first() -> None:
    assert Places(workers=1, device="cuda:2").candidates_device == "cuda"
    assert Places(workers=0, device="cuda:2").candidates_device == "cuda:2"
    assert Places(workers=1, device="cpu").candidates_device == "cpu"
    assert Places(workers=1).candidates_device is None


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("4 GiB", 4 * 2**30),
        ("512MiB", 2**29),
        ("1.5 GB", 1_500_000_000),
        ("300000000", 300_000_000),
        (2**28, 2**28),
    ],
)
def test_memory_is_given_in_bytes_or_in_words(text: object, amount: int) -> None:
    assert places_of({"workers": 1, "memory_limit": text}).memory_limit == amount


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"memory_limit": "4 gigs", "workers": 1}, "memory_limit: must be bytes, as in 4000000000 or '4 GiB', got '4 gigs'."),
        ({"gpus": "0;1", "workers": 1}, "gpus: must be numbers of GPUs, such as '0,1', got '0;1'."),
        ({"memory_limit": 77, "workers": 1}, "memory_limit: Input should be greater than or equal to 268435456, got 77."),
        ({"workers": -1}, "workers: Input should be greater than or equal to 0, got -1."),
        (
            {"time_limit": 5.0},
            "A candidate in this process cannot be sent elsewhere or killed, got time_limit 5.0 and no workers; "
            "give workers of at least 1.",
        ),
        ({"cluster_address": "a:1", "workers": 1}, "The address 'a:1' is of no cluster; name one with on_cluster."),
    ],
)
def test_options_that_cannot_be_are_one_line(options: dict[str, object], message: str) -> None:
    with pytest.raises(SearchError) as caught:
        places_of(options)
    assert str(caught.value) == message


def test_what_torchrun_starts_has_no_workers_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"RANK": "0", "WORLD_SIZE": "2", "MASTER_ADDR": "localhost"}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SearchError, match=r"^Processes that torchrun starts train one candidate together, got workers 2;"):
        places_of({"workers": 2})


def test_a_candidate_may_hold_a_share_of_what_is_free() -> None:
    one, many = usual_memory(1), usual_memory(1_000)
    assert one is not None
    assert many is not None
    assert many == min(FEWEST_BYTES, one) or abs(many - min(FEWEST_BYTES, one)) < 2**30  # what is free changes by itself
