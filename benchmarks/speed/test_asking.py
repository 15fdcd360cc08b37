"""What it takes to ask a strategy of ours for the next architecture, against Optuna's bare TPE, as more and more is known.

Both are asked of a study in memory over `residual_cnn` with so many finished trials, the same on both sides, drawn by chance.
What is proposed is told nothing, so that each round knows as much as the one before.
"""

import random
from collections.abc import Callable, Iterator
from statistics import median

import optuna
import pytest
from made_up import score
from pytest_benchmark.fixture import BenchmarkFixture
from turns import Clock, ratio, take_turns

from nas.space import Space, resolve_space
from nas.strategies import ChoosingSampler, LocalSearch, RegularizedEvolution, SurrogateSearch
from nas.strategies.distributions import distribution, suggest

pytestmark = [pytest.mark.benchmark(group="asking"), pytest.mark.timeout(900)]

KNOWN = (50, 200, 400, 3_000)
ROUNDS = 15

STRATEGIES: dict[str, type[ChoosingSampler]] = {
    "auto": SurrogateSearch,
    "local_search": LocalSearch,
    "regularized_evolution": RegularizedEvolution,
}
GOALS = {"auto": 2.0, "local_search": 1.0, "regularized_evolution": 1.0}
"""Times the bare TPE, at any number of trials known."""


@pytest.fixture(autouse=True)
def _quiet_optuna() -> Iterator[None]:
    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    yield
    optuna.logging.set_verbosity(level)


def study(space: Space, sampler: optuna.samplers.BaseSampler, known: int) -> optuna.Study:
    """One with so many finished trials, drawn by chance."""
    made = optuna.create_study(direction="maximize", sampler=sampler)
    chance = random.Random(0)  # noqa: S311 - no secret
    for _ in range(known):
        drawn = space.sample(chance)
        domains = {name: distribution(domain) for name, domain in space.domains(drawn).items()}
        made.add_trial(optuna.trial.create_trial(params=dict(drawn.choices), distributions=domains, value=score(drawn)))
    return made


def asking(space: Space, sampler: optuna.samplers.BaseSampler, known: int) -> Callable[[], None]:
    """Asks once, after a first time in which the sampler reads what is known."""
    asked = study(space, sampler, known)

    def ask() -> None:
        trial = asked.ask()
        space.walk(lambda name, domain: suggest(trial, name, domain))

    ask()
    return ask


@pytest.mark.parametrize("known", KNOWN)
@pytest.mark.parametrize("name", STRATEGIES)
def test_asking_takes_no_longer_the_more_is_known(
    benchmark: BenchmarkFixture, clock: Clock, lines: list[str], name: str, known: int
) -> None:
    space = resolve_space("residual_cnn")
    ours = asking(space, STRATEGIES[name](space, seed=0), known)
    theirs = asking(space, optuna.samplers.TPESampler(seed=0), known)
    seconds = take_turns(benchmark, ours, theirs, tuple, ROUNDS, clock)
    if benchmark.disabled:
        return
    found, mine = ratio(benchmark.stats.stats.data, seconds), median(benchmark.stats.stats.data)
    line = f"ask {name} / bare TPE, {known:5,} known: ratio {found:.2f} (goal <= {GOALS[name]:.2f}), {mine * 1e3:.1f} ms"
    benchmark.extra_info |= {"ratio": found, "goal": GOALS[name], "theirs_seconds": seconds}
    lines.append(line)
    assert found <= GOALS[name], line
