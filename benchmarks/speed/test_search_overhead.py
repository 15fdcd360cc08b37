"""What a search costs beside its training, against a bare Optuna loop that keeps its study in a SQLite file too.

Both make 200 trials of `residual_cnn`, scored at once. The harness also names every architecture, looks for work done
before, and keeps a Record with its learning curve on the disk before it goes on. A round of tpe takes minutes, since the
bare loop opens a transaction for every choice; one is enough to tell a quarter from a tenth.
"""

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import optuna
import pytest
from made_up import evaluate, score
from turns import SideBySide

import nas
from nas.searching import resolve_space
from nas.space import Categorical, Domain, Integer, Value

pytestmark = [pytest.mark.benchmark(group="search overhead"), pytest.mark.timeout(900)]

TRIALS = 200
SEED = 0
SAMPLERS: dict[str, Callable[..., optuna.samplers.BaseSampler]] = {
    "random": optuna.samplers.RandomSampler,
    "tpe:optuna": optuna.samplers.TPESampler,
}


@pytest.fixture(autouse=True)
def _quiet_optuna() -> Iterator[None]:
    """Without its line a trial, which the harness's loop does not write either."""
    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    yield
    optuna.logging.set_verbosity(level)


def search_with_nas(strategy: str, file: Path) -> None:
    ledger = f"sqlite:///{file}"
    nas.search(
        "residual_cnn",
        on="digits",
        strategy=strategy,
        trials=TRIALS,
        proposals=TRIALS,
        seed=SEED,
        evaluate=evaluate,
        ledger=ledger,
    )


def search_with_optuna(strategy: str, file: Path) -> None:
    space = resolve_space("residual_cnn")

    def objective(trial: optuna.Trial) -> float:
        return score(space.walk(lambda name, domain: suggest(trial, name, domain)))

    sampler = SAMPLERS[strategy](seed=SEED)
    study = optuna.create_study(storage=f"sqlite:///{file}", sampler=sampler, direction="maximize")
    study.optimize(objective, n_trials=TRIALS)


def suggest(trial: optuna.Trial, name: str, domain: Domain) -> Value:
    if isinstance(domain, Categorical):
        return trial.suggest_categorical(name, domain.values)
    if isinstance(domain, Integer):
        return trial.suggest_int(name, domain.low, domain.high, step=domain.step, log=domain.log)
    return trial.suggest_float(name, domain.low, domain.high, log=domain.log)


@pytest.mark.parametrize(("strategy", "rounds"), [("random", 2), ("tpe:optuna", 1)])
def test_a_search_costs_a_quarter_of_a_bare_optuna_loop(
    side_by_side: SideBySide, strategy: str, rounds: int, tmp_path: Path
) -> None:
    numbers = itertools.count()
    side_by_side(
        f"nas.search / bare Optuna, {strategy}, {TRIALS} trials",
        search_with_nas,
        search_with_optuna,
        goal=0.25,
        rounds=rounds,
        prepare=lambda: (strategy, tmp_path / f"{next(numbers)}.sqlite"),
    )
