"""What sets the best tenth of the trials apart, by Optuna: a second opinion on what matters.

PED-ANOVA (Watanabe et al. 2023, arXiv:2304.10255) holds how often each value stands among the best against how often it was
tried, so that it does not take what a strategy liked for good; in spaces with conditions as Optuna has it since version 5
(arXiv:2601.20800). It looks at each choice by itself, and adds up to 1 where nothing matters too.
"""

import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING

from nas.effects.evidence import Evidence
from nas.errors import SpaceError
from nas.space import Architecture, Domain, Space, Value
from nas.space.encoding import MAX_CHOICES

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

MOST_TRIALS = 1_000
"""That Optuna is given, drawn by chance from more: it takes half a second for them."""


def best_tenth(space: Space, evidence: Evidence, figure: str) -> Mapping[str, float]:
    """Choice → how much it sets the best tenth of the trials apart, as a share of what all choices do.

    Answers that the space does not allow, which only a ledger of others holds, are left out.

    Raises:
        SpaceError: the space has more than MAX_CHOICES choices.
    """
    import numpy as np
    import optuna

    from nas.strategies.guide import quiet

    values_N = evidence.values(figure) * (-1.0 if evidence.direction(figure) == "maximize" else 1.0)
    kept = np.flatnonzero(~np.isnan(values_N))
    kept = np.sort(np.random.default_rng(0).permutation(kept)[:MOST_TRIALS])
    domains = space.every_domain(MAX_CHOICES)
    with warnings.catch_warnings(), quiet():
        warnings.simplefilter("ignore")  # of choices that few trials make
        study = optuna.create_study(storage=optuna.storages.InMemoryStorage())
        for n in kept:
            study.add_trial(_trial(evidence.trials[n].architecture, domains, float(values_N[n])))
        found = optuna.importance.PedAnovaImportanceEvaluator().evaluate(study)
    total = sum(found.values())
    return {name: value / total for name, value in found.items()} if total else {}


def _trial(architecture: Architecture, domains: Mapping[str, Domain], cost: float) -> "FrozenTrial":
    import optuna

    from nas.strategies.distributions import distribution

    answers = {
        name: answer for name, answer in architecture.choices.items() if name in domains and _allowed(domains[name], answer)
    }
    own = {name: distribution(domains[name]) for name in answers}
    return optuna.trial.create_trial(params=answers, distributions=own, value=cost)


def _allowed(domain: Domain, answer: Value) -> bool:
    try:
        domain.canonical(answer)
    except SpaceError:
        return False
    return True
