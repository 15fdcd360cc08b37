"""Scores by name: of one network, of an architecture of a space, and as features that a strategy can learn from."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from torch import nn

from nas.benchmark import Benchmark
from nas.device import pick, place, seeded
from nas.errors import SearchError, did_you_mean, quote
from nas.models import build, cost
from nas.proxies.batch import Batch, first_batch
from nas.proxies.expressivity import zen
from nas.proxies.gradients import grad_norm
from nas.proxies.jacobian import jacob_cov
from nas.proxies.linear_regions import naswot
from nas.proxies.sensitivity import snip
from nas.proxies.synaptic_flow import synflow
from nas.space import Architecture, Space
from nas.training import load_task

PROXIES: Mapping[str, Callable[[nn.Module, Batch], float | None]] = {
    proxy.__name__: proxy for proxy in (synflow, naswot, snip, grad_norm, jacob_cov, zen)
}

COSTS = ("params", "flops")
"""By the layers' formulas, without building anything: what a score has to beat."""

NAMES = (*PROXIES, *COSTS)


def score_network(network: nn.Module, names: Iterable[str], batch: Batch) -> dict[str, float | None]:
    """The PROXIES called `names` of `network`, which lies where `batch` does and stays as it is; None where one is not defined.

    The global random state is left as it was.
    """
    with seeded(batch.seed, batch.inputs.device):
        return {name: PROXIES[name](network, batch) for name in names}


class Scored:
    """Scores an architecture of one space for one benchmark, each once: what it gives is kept.

    It is a callable as `SurrogateSearch` takes for `features`: `SurrogateSearch(space, features=Scored(space, benchmark,
    ["synflow", "flops"]))`.
    """

    def __init__(
        self,
        space: Space,
        benchmark: Benchmark,
        names: Iterable[str] = NAMES,
        *,
        seed: int = 0,
        data: Path | None = None,
        device: str | None = None,
    ) -> None:
        """Load the benchmark's first examples; weights, and what a score draws, come from `seed`.

        Raises:
            SearchError: a score or the device is not there.
            DataMissing: the data are nowhere.
        """
        self.names = tuple(names)
        for name in self.names:
            if name not in NAMES:
                raise SearchError(f"No score is called {quote(name)}. {did_you_mean(name, NAMES)}")
        self.space = space
        self.benchmark = benchmark
        self.device = pick(device)
        self.batch = first_batch(load_task(benchmark, data), self.device, seed)
        self._kept: dict[str, Mapping[str, float | None]] = {}

    def __call__(self, architecture: Architecture) -> dict[str, float]:
        """The scores that are defined for `architecture`, by name.

        Raises:
            ModelError: its layers do not fit.
        """
        return {name: value for name, value in self.all_of(architecture).items() if value is not None}

    def all_of(self, architecture: Architecture) -> Mapping[str, float | None]:
        """Each score by name, None where it is not defined for `architecture`."""
        if architecture.id not in self._kept:
            self._kept[architecture.id] = self._score(architecture)
        return self._kept[architecture.id]

    def _score(self, architecture: Architecture) -> Mapping[str, float | None]:
        signature = self.benchmark.signature
        scores: dict[str, float | None] = {}
        if any(name in COSTS for name in self.names):
            costs = cost(self.space, architecture, signature)
            scores |= {"params": costs.params, "flops": costs.flops}
        if wanted := [name for name in self.names if name in PROXIES]:
            network = place(build(self.space, architecture, signature, seed=self.batch.seed), self.device)
            scores |= score_network(network, wanted, self.batch)
        return {name: scores[name] for name in self.names}


def score(
    space: Space,
    architecture: Architecture,
    benchmark: Benchmark,
    names: Iterable[str] = NAMES,
    *,
    seed: int = 0,
    data: Path | None = None,
    device: str | None = None,
) -> dict[str, float | None]:
    """The scores called `names` of one architecture; None where one is not defined for it. For several, see `Scored`.

    Raises:
        NasError: a score or the device is not there, the data are missing, or the layers do not fit.
    """
    return dict(Scored(space, benchmark, names, seed=seed, data=data, device=device).all_of(architecture))
