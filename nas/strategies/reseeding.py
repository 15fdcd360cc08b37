"""A sampler that is used again draws as one newly made of another seed would, and keeps what it has read of the study.

Some samplers read all trials at their first proposal and only the new ones later; made anew for each proposal, they would read
more and more. Optuna lets nobody seed a sampler that is made, so that its random states, which it keeps private, are seeded here;
what is private is met in this module alone.
"""

from optuna.samplers import BaseSampler, CmaEsSampler, NSGAIIISampler, NSGAIISampler, QMCSampler, RandomSampler, TPESampler
from optuna.samplers._lazy_random_state import LazyRandomState

STATELESS: tuple[type[BaseSampler], ...] = (RandomSampler, TPESampler, NSGAIISampler, NSGAIIISampler, CmaEsSampler, QMCSampler)
"""Samplers whose proposals follow from the study and their random states alone; what else they keep, they could read again.

A sequence of `QMCSampler` has a seed that stays where it is scrambled, which none is that is made by name. Of the others
`GPSampler` begins a fit where its last one ended, `BruteForceSampler` would gain nothing, and those of OptunaHub are not known.
"""


def can_reseed(sampler: BaseSampler) -> bool:
    """Whether `sampler` may be used again for another proposal."""
    return type(sampler) in STATELESS


def reseed(sampler: BaseSampler, seed: int) -> None:
    """Let `sampler` draw as if it were newly made of `seed`, from which it seeds itself and the samplers that it asks."""
    for part in vars(sampler).values():
        if isinstance(part, LazyRandomState):
            part.rng.seed(seed)
        elif isinstance(part, BaseSampler):
            reseed(part, seed)
