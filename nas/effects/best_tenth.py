"""What sets the best tenth of the trials apart, by Optuna: a second opinion on what matters.

PED-ANOVA (Watanabe et al. 2023, arXiv:2304.10255) holds how often each value stands among the best against how often it was
tried, so that it does not take what a strategy liked for good; in spaces with conditions as Optuna has it since version 5
(arXiv:2601.20800). It looks at each choice by itself, and adds up to 1 where nothing matters too.
"""

import warnings
from collections.abc import Mapping

from nas.effects.evidence import Evidence
from nas.space import Space

MOST_TRIALS = 1_000
"""That Optuna is given, drawn by chance from more: it takes half a second for them."""


def best_tenth(space: Space, evidence: Evidence, figure: str) -> Mapping[str, float]:
    """Choice → how much it sets the best tenth of the trials apart, as a share of what all choices do."""
    import numpy as np
    import optuna

    from nas.space.encoding import MAX_CHOICES
    from nas.strategies.distributions import distribution
    from nas.strategies.guide import quiet

    values_N = evidence.values(figure) * (-1.0 if evidence.direction(figure) == "maximize" else 1.0)
    kept = np.flatnonzero(~np.isnan(values_N))
    kept = np.sort(np.random.default_rng(0).permutation(kept)[:MOST_TRIALS])
    known = {name: distribution(domain) for name, domain in space.every_domain(MAX_CHOICES).items()}
    with warnings.catch_warnings(), quiet():
        warnings.simplefilter("ignore")  # of choices that few trials make
        study = optuna.create_study(storage=optuna.storages.InMemoryStorage())
        for n in kept:
            answers = evidence.trials[n].architecture.choices
            own = {name: known[name] for name in answers}
            study.add_trial(optuna.trial.create_trial(params=dict(answers), distributions=own, value=float(values_N[n])))
        found = optuna.importance.PedAnovaImportanceEvaluator().evaluate(study)
    total = sum(found.values())
    return {name: value / total for name, value in found.items()} if total else {}
