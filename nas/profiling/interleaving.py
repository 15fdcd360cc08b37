"""Latency for ranking: networks timed in turns, A B C … A B C …, so that what else goes on meets all of them alike.

rounds of short turns → the least pass of each turn → a low quantile over the rounds → an order, and how sure it is
"""

import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from nas.profiling.backends import Backend, Given, arguments, prepare
from nas.profiling.reference import LOW_QUANTILE, Reading, reference
from nas.profiling.timing import Once, evaluating, passes_in, stopwatch, turn

SECONDS_A_NETWORK = 0.1
"""20 rounds or more of networks of less than 4 ms on a processor of their own."""
LONGER = 3
"""Times as long it may take where other work leaves so little of the processor that there are fewer than ENOUGH_ROUNDS."""
ENOUGH_ROUNDS = 12
MIN_ROUNDS = 5
"""However long they take."""
TURN_MS = 3.0
"""Shorter turns meet their network's weights out of the cache, longer ones leave fewer rounds."""
WARMUP_PASSES = 3
RESAMPLES = 1_000


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where one network stands; the fastest first."""

    network: int
    """Its position among the networks that were given."""
    p10_ms: float
    """The 10 % quantile, over the rounds, of the least pass of its turn."""
    low_ms: float
    """Lower end of the 95 % interval of `p10_ms`, by bootstrap over the rounds (Efron 1979, doi:10.1214/aos/1176344552)."""
    high_ms: float
    """Upper end of it."""
    before_next: float | None
    """Share of the bootstrap in which it is faster than the next; None for the last."""

    @property
    def tied(self) -> bool:
        """Whether it and the next cannot be told apart: less than 97.5 % say which is the faster."""
        return self.before_next is not None and self.before_next < 0.975


@dataclass(frozen=True, kw_only=True)
class Standing:
    """Networks in the order of their latency, and how sure the order is."""

    places: tuple[Place, ...]
    agreement: float | None
    """Kendall's tau between the orders by the odd and by the even rounds: what repeating half of it would give, on average;
    None for a single network."""
    rounds: int
    seconds: float
    """Wall-clock time of all of it."""
    batch_size: int
    device: str
    threads: int
    backend: str
    reading: Reading
    """Of the reference network, which has a turn in every round."""

    @property
    def order(self) -> tuple[int, ...]:
        """The networks' positions, the fastest first."""
        return tuple(place.network for place in self.places)


def rank_by_latency(
    networks: Sequence[nn.Module],
    inputs: Given,
    *,
    backend: Backend = "eager",
    seconds_a_network: float = SECONDS_A_NETWORK,
) -> Standing:
    """The order of `networks` by the time of a pass on `inputs`, in evaluation mode, without gradients.

    In every round each network has a turn of about TURN_MS of passes, at least one, before which one is not counted where there
    are more. Rounds go on for `seconds_a_network` each, warm-up included, and then up to LONGER times that until there are
    ENOUGH_ROUNDS; MIN_ROUNDS are made in any case. Preparing the backend is not in it. All networks lie in memory at once.

    Contention only adds time. So a turn counts by its least pass, which was not interrupted and found its weights in the cache,
    and a network by the 10 % quantile of its turns, since the least of all is one lucky round. Of medians, means, quantiles and
    minima of each, this repeats an order best: Kendall's tau 0.99 for 20 small networks on two cores, 0.97 beside six other
    processes, where medians of turns give 0.90 (November 2026, residual_cnn).

    Raises:
        SearchError: the backend is not there, or cannot run one of the networks.
    """
    first = arguments(inputs)[0]
    device = first.device
    with ExitStack() as stack:
        for network in networks:
            stack.enter_context(evaluating(network))
        watches = [stopwatch(prepare(network, inputs, backend), device) for network in networks]
        beside = reference(device)
        begin = time.perf_counter()
        passes = [passes_in(TURN_MS, _warm_up(once)) for once in watches]
        rounds: list[list[float]] = []
        beside_ms: list[float] = []
        seconds = 0.0
        least = seconds_a_network * len(networks)
        while len(rounds) < MIN_ROUNDS or seconds < (least if len(rounds) >= ENOUGH_ROUNDS else LONGER * least):
            beside_ms += beside.turn()
            rounds.append([min(turn(once, number)) for once, number in zip(watches, passes, strict=True)])
            seconds = time.perf_counter() - begin
    turns_RN = np.array(rounds)
    return Standing(
        places=_places(turns_RN),
        agreement=concordance(_low(turns_RN[::2]), _low(turns_RN[1::2])) if len(networks) > 1 else None,
        rounds=len(rounds),
        seconds=seconds,
        batch_size=first.shape[0],
        device=str(device),
        threads=torch.get_num_threads(),
        backend=backend,
        reading=beside.read(beside_ms),
    )


def concordance(first: Sequence[float] | NDArray[np.float64], second: Sequence[float] | NDArray[np.float64]) -> float:
    """Kendall's tau: the share of pairs in the same order less that in opposite orders; equal ones are in neither."""
    signs = [np.sign(np.subtract.outer(values, values)) for values in (np.asarray(first), np.asarray(second))]
    pairs = len(signs[0]) * (len(signs[0]) - 1)
    return float((signs[0] * signs[1]).sum() / pairs)


def _warm_up(once: Once) -> float:
    for _ in range(WARMUP_PASSES):
        once()
    return min(once() for _ in range(WARMUP_PASSES))


def _low(turns_RN: NDArray[np.float64]) -> NDArray[np.float64]:
    """The low quantile of each network over the rounds R."""
    return np.asarray(np.quantile(turns_RN, LOW_QUANTILE, axis=0))


def _places(turns_RN: NDArray[np.float64]) -> tuple[Place, ...]:
    rounds = len(turns_RN)
    figures_N = _low(turns_RN)
    drawn_BR = np.random.default_rng(0).integers(rounds, size=(RESAMPLES, rounds))  # the same rounds for all, as they were timed
    resampled_BN = np.stack([np.quantile(turns_R[drawn_BR], LOW_QUANTILE, axis=1) for turns_R in turns_RN.T], axis=1)
    low_N, high_N = np.quantile(resampled_BN, (0.025, 0.975), axis=0)
    order = np.argsort(figures_N, kind="stable").tolist()
    followers = [*order[1:], None]
    return tuple(
        Place(
            network=here,
            p10_ms=float(figures_N[here]),
            low_ms=float(low_N[here]),
            high_ms=float(high_N[here]),
            before_next=None if then is None else float((resampled_BN[:, here] < resampled_BN[:, then]).mean()),
        )
        for here, then in zip(order, followers, strict=True)
    )
