import itertools

import numpy as np
import pytest
import torch
from test_timing import Noting
from torch import nn

from nas.errors import SearchError
from nas.profiling import interleaving
from nas.profiling.interleaving import Place, concordance, rank_by_latency


@pytest.fixture
def _in_a_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interleaving, "TURN_MS", 0.0)  # one pass a turn


def wide(width: int) -> nn.Module:
    return nn.Sequential(nn.Linear(64, width), nn.Linear(width, 64))


def test_networks_stand_in_the_order_of_their_work() -> None:
    widths = [4_096, 64, 16_384, 1_024]  # each takes at least twice as long as the next
    standing = rank_by_latency([wide(width) for width in widths], torch.zeros(8, 64))
    assert standing.order == (1, 3, 0, 2)
    assert not any(place.tied for place in standing.places)
    assert standing.agreement == 1.0


def test_a_standing_says_how_it_was_made() -> None:
    standing = rank_by_latency([nn.Linear(3, 2), nn.Linear(3, 3)], torch.zeros(5, 3), seconds_a_network=0.01)
    assert (standing.batch_size, standing.device, standing.threads) == (5, "cpu", torch.get_num_threads())
    assert standing.backend == "eager"
    assert standing.rounds >= interleaving.MIN_ROUNDS
    assert standing.reading.best_ms > 0
    assert standing.seconds > 0
    for place in standing.places:
        assert 0 < place.low_ms <= place.p10_ms <= place.high_ms


class Telling(Noting):
    """Notes in a list that all share whose turn it is."""

    def __init__(self, name: str, told: list[str]) -> None:
        super().__init__()
        self.name, self.told = name, told

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        self.told.append(self.name)
        return super().forward(inputs)


@pytest.mark.usefixtures("_in_a_hurry")
def test_networks_take_turns() -> None:
    told: list[str] = []
    networks = [Telling(name, told) for name in "abc"]
    standing = rank_by_latency(networks, torch.zeros(1), seconds_a_network=0.001)
    rounds = "".join(told)[-3 * standing.rounds :]
    assert rounds == "abc" * standing.rounds


@pytest.mark.usefixtures("_in_a_hurry")
@pytest.mark.parametrize("training", [True, False])
def test_networks_come_back_as_they_were(training: bool) -> None:
    networks = [Noting().train(training), Noting().train(not training)]
    rank_by_latency(networks, torch.zeros(1), seconds_a_network=0.0)
    assert [network.training for network in networks] == [training, not training]
    assert {call for network in networks for call in network.calls} == {(False, False)}


@pytest.mark.usefixtures("_in_a_hurry")
def test_however_slow_networks_are_so_many_rounds_are_made() -> None:
    assert rank_by_latency([Noting()], torch.zeros(1), seconds_a_network=0.0).rounds == interleaving.MIN_ROUNDS


@pytest.mark.usefixtures("_in_a_hurry")
def test_rounds_go_on_for_as_long_as_was_said() -> None:
    standing = rank_by_latency([Noting()] * 3, torch.zeros(1), seconds_a_network=0.05)
    assert standing.seconds >= 0.15
    assert standing.rounds >= interleaving.ENOUGH_ROUNDS


@pytest.mark.usefixtures("_in_a_hurry")
def test_with_too_few_rounds_they_go_on_for_longer_but_not_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interleaving, "ENOUGH_ROUNDS", 1_000_000_000)
    standing = rank_by_latency([Noting()], torch.zeros(1), seconds_a_network=0.02)
    assert standing.seconds >= 0.02 * interleaving.LONGER


@pytest.mark.usefixtures("_in_a_hurry")
def test_a_single_network_agrees_with_nothing_and_is_tied_with_nothing() -> None:
    standing = rank_by_latency([Noting()], torch.zeros(1), seconds_a_network=0.0)
    assert (standing.agreement, standing.places[0].before_next, standing.places[0].tied) == (None, None, False)


def test_an_unknown_backend_is_refused() -> None:
    with pytest.raises(SearchError, match=r"^No backend is called 'fast'\. Known: compile, cuda_graph, eager, onnxruntime\.$"):
        rank_by_latency([nn.Identity()], torch.zeros(1), backend="fast")  # type: ignore[arg-type]


def places(*networks: list[float]) -> dict[int, Place]:
    return {place.network: place for place in interleaving._places(np.array(networks).T)}


def test_the_figure_is_a_low_quantile_and_not_the_luckiest_round() -> None:
    """Of 21 rounds the third least: a tenth of the way from the first to the last."""
    found = places([0.1, 1.0, 1.0, *[2.0] * 18], [0.5] * 21)
    assert found[0].p10_ms == 1.0
    assert found[1].p10_ms == found[1].low_ms == found[1].high_ms == 0.5


def test_networks_that_differ_in_every_round_are_told_apart() -> None:
    noise = np.random.default_rng(0).exponential(size=30)
    found = places((1.0 + noise).tolist(), (1.1 + noise).tolist())
    assert (found[0].before_next, found[0].tied) == (1.0, False)


def test_networks_that_differ_by_less_than_their_rounds_do_are_tied() -> None:
    draw = np.random.default_rng(0)
    found = places((1.0 + draw.exponential(size=30)).tolist(), (1.0 + draw.exponential(size=30)).tolist())
    (first,) = (place for place in found.values() if place.before_next is not None)
    assert first.before_next is not None
    assert first.before_next < 0.975
    assert first.tied


def test_equal_networks_are_tied() -> None:
    assert places([1.0] * 10, [1.0] * 10)[0].tied


def test_concordance_is_kendalls_tau() -> None:
    """Against every pair, one by one, for all orders of five."""
    first = [1.0, 2.0, 3.0, 4.0, 5.0]
    for second in itertools.permutations(first):
        pairs = list(itertools.combinations(range(5), 2))
        same = sum(second[i] < second[j] for i, j in pairs)
        assert concordance(first, second) == pytest.approx((2 * same - len(pairs)) / len(pairs))


def test_an_equal_pair_counts_for_neither_order() -> None:
    assert concordance([1.0, 2.0, 3.0], [1.0, 1.0, 2.0]) == pytest.approx(2 / 3)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_networks_on_the_gpu_stand_in_the_order_of_their_work() -> None:
    networks = [nn.Linear(8_192, 8_192).cuda(), nn.Linear(8_192, 64).cuda()]
    standing = rank_by_latency(networks, torch.zeros(8_192, 8_192, device="cuda"))
    assert standing.order == (1, 0)
    assert standing.device == "cuda:0"
