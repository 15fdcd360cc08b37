"""Who chooses next: strategies by name, and the study as Optuna sees it."""

from nas.strategies.choosing import ChoosingSampler, Known, Seen
from nas.strategies.distributions import suggest
from nas.strategies.evolution import RegularizedEvolution
from nas.strategies.from_nni import FromNni
from nas.strategies.grid import Grid
from nas.strategies.guide import IDLE_BEFORE_CHANCE, Guide, Proposal
from nas.strategies.local_search import LocalSearch
from nas.strategies.parzen import ParzenSearch
from nas.strategies.samplers import make_pruner, make_sampler, pruner_names, strategies
from nas.strategies.surrogate import Features, SurrogateSearch

__all__ = [
    "IDLE_BEFORE_CHANCE",
    "ChoosingSampler",
    "Features",
    "FromNni",
    "Grid",
    "Guide",
    "Known",
    "LocalSearch",
    "ParzenSearch",
    "Proposal",
    "RegularizedEvolution",
    "Seen",
    "SurrogateSearch",
    "make_pruner",
    "make_sampler",
    "pruner_names",
    "strategies",
    "suggest",
]
