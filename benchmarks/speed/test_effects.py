"""What each choice matters, with intervals, against one run of Optuna's evaluator without any, on the same trials.

In seconds of the processor: a report of a large study is to open soon on a machine that has other work too.
"""

import random
import time
import warnings
from collections.abc import Sequence

import optuna
import pytest
from made_up import evaluate
from turns import SideBySide

from nas.effects import effects_of
from nas.records import Record, StudyEntry, Trial
from nas.searching import SearchConfig
from nas.space import Architecture, resolve_space
from nas.strategies.distributions import distribution

pytestmark = [pytest.mark.benchmark(group="effects", timer=time.process_time), pytest.mark.timeout(900)]

MANY = 10_000


@pytest.fixture(scope="module")
def study() -> tuple[StudyEntry, Sequence[Trial]]:
    """A study of 10,000 trials of `residual_cnn`, 43 choices, whose figures follow from nothing."""
    config = SearchConfig.make(
        space="residual_cnn", on="digits", strategy="random", trials=MANY, ledger="sqlite:///unused.sqlite"
    )
    entry = StudyEntry(id=1, name="large", definition=config.definition(), begun_at="2026-11-01T00:00:00+00:00")
    rng = random.Random(0)  # noqa: S311 - reproducible, not secret
    trials = []
    for number in range(MANY):
        architecture = config.space.sample(rng)
        trials.append(_trial(number, architecture, evaluate(architecture, budget=config.budget, seed=0)))
    return entry, trials


def _trial(number: int, architecture: Architecture, record: Record) -> Trial:
    return Trial(
        id=number + 1,
        study="large",
        stage="search",
        number=number,
        state="complete",
        architecture=architecture,
        evaluation=f"{number:016x}",
        reused_from=None,
        begun_at="",
        ended_at="",
        proposal={},
        record=record,
    )


@pytest.fixture(scope="module")
def optunas(study: tuple[StudyEntry, Sequence[Trial]]) -> optuna.Study:
    """The same trials as Optuna keeps them."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    domains = {name: distribution(domain) for name, domain in resolve_space("residual_cnn").every_domain(1_000).items()}
    asked = optuna.create_study(storage=optuna.storages.InMemoryStorage())
    for trial in study[1]:
        answers, value = dict(trial.architecture.choices), -trial.record.figures["validation_accuracy"]
        own = {name: domains[name] for name in answers}
        asked.add_trial(optuna.trial.create_trial(params=answers, distributions=own, value=value))
    return asked


def test_effects_of_ten_thousand_trials_take_no_longer_than_one_importance_of_optunas(
    side_by_side: SideBySide, study: tuple[StudyEntry, Sequence[Trial]], optunas: optuna.Study
) -> None:
    """200 resamples, 800 flips of the noise, the means of each value, and Optuna's own opinion of 1,000 of the trials."""

    def theirs() -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            optuna.importance.PedAnovaImportanceEvaluator().evaluate(optunas)

    side_by_side("effects_of / PED-ANOVA, 10,000 trials", lambda: effects_of(*study), theirs, goal=1.25, rounds=5)
