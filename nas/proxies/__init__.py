"""Zero-cost scores: what an untrained network says of how well it will learn. Network + one batch → numbers; larger is better."""

from nas.proxies.batch import EXAMPLES, Batch, first_batch
from nas.proxies.expressivity import zen
from nas.proxies.gradients import grad_norm
from nas.proxies.jacobian import jacob_cov
from nas.proxies.linear_regions import naswot
from nas.proxies.scoring import COSTS, NAMES, PROXIES, Scored, score, score_network
from nas.proxies.sensitivity import snip
from nas.proxies.synaptic_flow import synflow

__all__ = [
    "COSTS",
    "EXAMPLES",
    "NAMES",
    "PROXIES",
    "Batch",
    "Scored",
    "first_batch",
    "grad_norm",
    "jacob_cov",
    "naswot",
    "score",
    "score_network",
    "snip",
    "synflow",
    "zen",
]
