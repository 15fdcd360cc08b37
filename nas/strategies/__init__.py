"""Who chooses next: strategies by name, and the study as Optuna sees it."""

from nas.strategies.guide import Guide, Proposal
from nas.strategies.samplers import make_pruner, make_sampler, pruner_names, strategies

__all__ = ["Guide", "Proposal", "make_pruner", "make_sampler", "pruner_names", "strategies"]
