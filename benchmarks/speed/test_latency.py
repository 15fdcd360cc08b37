"""How well each way of timing repeats itself: the order of twenty networks, measured twice, beside 0, 1 and 2 busy processes.

Prints every protocol side by side: Kendall's tau between its two orders, and its seconds a network. The networks are the first
twenty that seed 0 draws from `residual_cnn`, on one image of digits, with one thread.
"""

import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from statistics import fmean

import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture
from torch import Tensor, nn
from torch.utils.benchmark import Timer

from nas.device import place
from nas.models import build, example
from nas.profiling import measure_latency
from nas.profiling.interleaving import concordance, rank_by_latency
from nas.profiling.timing import evaluating, passes_in, stopwatch, turn
from nas.searching import resolve_benchmark, resolve_space

pytestmark = [pytest.mark.benchmark(group="latency"), pytest.mark.timeout(1_800)]

MANY = 20
SEED = 0
CPU = torch.device("cpu")
Networks = list[nn.Module]
Protocol = Callable[[Networks, Tensor], list[float]]
"""A figure of each network."""


def interleaved(networks: Networks, inputs: Tensor) -> list[float]:
    standing = rank_by_latency(networks, inputs)
    return [place.p10_ms for place in sorted(standing.places, key=lambda place: place.network)]


def interleaved_minimum(networks: Networks, inputs: Tensor) -> list[float]:
    watches = [stopwatch(lambda network=network: network(inputs), CPU) for network in networks]  # type: ignore[misc]
    passes = [passes_in(3.0, min(once() for _ in range(5))) for once in watches]
    best = [float("inf")] * len(networks)
    end = time.perf_counter() + 0.1 * len(networks)
    while time.perf_counter() < end:
        best = [min(least, *turn(once, count)) for least, once, count in zip(best, watches, passes, strict=True)]
    return best


def reported(networks: Networks, inputs: Tensor) -> list[float]:
    return [measure_latency(network, inputs).median_ms for network in networks]


def blocked_autorange(networks: Networks, inputs: Tensor) -> list[float]:
    return [timer(network, inputs).blocked_autorange().median for network in networks]


def adaptive_autorange(networks: Networks, inputs: Tensor) -> list[float]:
    """With at most two seconds a network, of the ten that it may take where there is other work."""
    return [timer(network, inputs).adaptive_autorange(max_run_time=2.0).median for network in networks]


def mean_of_ten(networks: Networks, inputs: Tensor) -> list[float]:
    def mean(network: nn.Module) -> float:
        network(inputs)
        once = stopwatch(lambda: network(inputs), CPU)
        return fmean(once() for _ in range(10))

    return [mean(network) for network in networks]


def timer(network: nn.Module, inputs: Tensor) -> Timer:
    return Timer("network(inputs)", globals={"network": network, "inputs": inputs}, num_threads=1)


PROTOCOLS: dict[str, Protocol] = {
    "interleaved, low quantile (rank_by_latency)": interleaved,
    "interleaved, minimum": interleaved_minimum,
    "median of a report (measure_latency)": reported,
    "torch blocked_autorange": blocked_autorange,
    "torch adaptive_autorange": adaptive_autorange,
    "mean of ten passes": mean_of_ten,
}


@contextmanager
def busy(processes: int) -> Iterator[None]:
    """Within it, so many processes of ours do nothing but work."""
    command = [sys.executable, "-c", "while True: pass"]
    started = [subprocess.Popen(command) for _ in range(processes)]
    try:
        time.sleep(0.5)
        yield
    finally:
        for process in started:
            process.kill()
            process.wait()


@pytest.fixture(scope="module")
def inputs() -> Tensor:
    return example(resolve_benchmark("digits").signature.input, CPU)


@pytest.fixture
def networks() -> Iterator[Networks]:
    """In evaluation mode, without gradients, on one thread."""
    space, signature, rng = resolve_space("residual_cnn"), resolve_benchmark("digits").signature, random.Random(SEED)  # noqa: S311
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    made = nn.ModuleList(place(build(space, space.sample(rng), signature, seed=0), CPU) for _ in range(MANY))
    with evaluating(made):
        yield list(made)
    torch.set_num_threads(threads)


@pytest.mark.parametrize("processes", [0, 1, 2])
def test_an_order_repeats(
    benchmark: BenchmarkFixture, networks: Networks, inputs: Tensor, processes: int, lines: list[str]
) -> None:
    tau, seconds = {}, {}
    with busy(processes):
        for name, protocol in PROTOCOLS.items():
            begin = time.perf_counter()
            first = benchmark.pedantic(protocol, (networks, inputs)) if protocol is interleaved else protocol(networks, inputs)
            second = protocol(networks, inputs)
            seconds[name] = (time.perf_counter() - begin) / 2 / MANY
            tau[name] = concordance(first, second)
    beside = f"latency beside {processes} busy processes"
    lines += [f"{beside}, {name}: tau {tau[name]:.3f}, {seconds[name]:.3f} s a network" for name in PROTOCOLS]
    benchmark.extra_info |= {"tau": tau, "seconds_a_network": seconds}
    if benchmark.disabled:
        return
    ours, theirs = "interleaved, low quantile (rank_by_latency)", "torch adaptive_autorange"
    assert tau[ours] >= 0.95
    assert seconds[ours] <= min(0.5, 0.5 * seconds[theirs])


@pytest.mark.parametrize("processes", [0, 1, 2])
def test_intervals_of_repeated_reports_overlap(networks: Networks, inputs: Tensor, processes: int, lines: list[str]) -> None:
    with busy(processes):
        begin = time.perf_counter()
        first, second = ([measure_latency(network, inputs) for network in networks] for _ in range(2))
        seconds = (time.perf_counter() - begin) / 2 / MANY
    overlap = fmean(one.low_ms <= other.high_ms and other.low_ms <= one.high_ms for one, other in zip(first, second, strict=True))
    disturbed = fmean(one.disturbed is not None for one in (*first, *second))
    widths = sorted(one.relative_width or 0.0 for one in (*first, *second))
    lines.append(
        f"latency beside {processes} busy processes, reports: {overlap:.0%} of intervals overlap, "
        f"{widths[len(widths) // 2]:.0%} wide at the median, {disturbed:.0%} flagged, {seconds:.2f} s a network"
    )
    assert overlap >= 0.9
