import hashlib

import optuna
import pytest
from optuna.samplers import BaseSampler
from optuna.trial import TrialState

from nas.benchmark import Objective
from nas.space import Space, resolve_space
from nas.strategies import Guide, make_sampler, strategies
from nas.strategies.distributions import suggest
from nas.strategies.reseeding import STATELESS, can_reseed, reseed

SPACE = resolve_space("residual_cnn")
KEPT = sorted(name for name, sampler in strategies().items() if sampler in STATELESS)
ACCURACY = Objective("validation_accuracy", "maximize")


class Search:
    """A bare study that is asked with a sampler given for each proposal, and told what follows from the architecture alone."""

    def __init__(self, objectives: int) -> None:
        self.study = optuna.create_study(study_name="study", directions=["maximize"] * objectives)

    def propose(self, sampler: BaseSampler, space: Space = SPACE) -> str:
        self.study.sampler = sampler
        trial = self.study.ask()
        found = space.walk(lambda name, domain: suggest(trial, name, domain))
        digits = hashlib.sha256(found.id.encode()).digest()
        if not isinstance(sampler, optuna.samplers.CmaEsSampler):  # which warns that it looks away
            trial.set_constraint("limit", digits[0] / 256 - 0.7)
        values = [digits[1 + n] / 256 for n in range(len(self.study.directions))]
        if digits[9] % 5 == 0:
            self.study.tell(trial, state=TrialState.PRUNED)
        else:
            self.study.tell(trial, values)
        return found.id


@pytest.fixture(autouse=True)
def _quiet_optuna() -> None:
    optuna.logging.set_verbosity(optuna.logging.WARNING)


def test_optunas_plain_and_its_most_used_samplers_serve_again() -> None:
    assert KEPT == ["cmaes", "nsga2", "nsga3", "qmc", "random", "tpe:group", "tpe:independent", "tpe:optuna"]


@pytest.mark.parametrize(("name", "objectives"), [(name, n) for name in KEPT for n in (1, 2) if (name, n) != ("cmaes", 2)])
def test_a_sampler_seeded_again_proposes_what_one_newly_made_proposes(name: str, objectives: int) -> None:
    proposals = 130 if name.startswith("nsga") else 60  # beyond the second generation of 50 trials
    again, anew = Search(objectives), Search(objectives)
    sampler = make_sampler(name, seed=1)
    for number in range(proposals):
        if number % 13 == 12:  # the search draws by chance where a strategy repeats itself
            assert again.propose(make_sampler("random", number)) == anew.propose(make_sampler("random", number))
            continue
        reseed(sampler, number)
        assert again.propose(sampler) == anew.propose(make_sampler(name, number)), number


@pytest.mark.parametrize("name", KEPT)
def test_another_seed_draws_another_architecture(name: str) -> None:
    sampler = make_sampler(name, seed=0)
    found = set()
    for seed in (0, 1, 2, 0):
        reseed(sampler, seed)
        found.add(Search(1).propose(sampler))
    assert len(found) == 3


def test_a_guide_asks_the_sampler_it_has_again_where_that_is_the_same() -> None:
    for name in strategies():
        guide = Guide(SPACE, [ACCURACY], strategy=name)
        guide.ask(0)
        first = guide.study.sampler
        guide.ask(1)
        assert (guide.study.sampler is first) == can_reseed(first) == (name in KEPT)


def test_hyperband_which_shows_a_sampler_one_bracket_at_a_time_has_it_made_anew() -> None:
    guide = Guide(SPACE, [ACCURACY], strategy="tpe:optuna", pruner="hyperband")
    guide.ask(0)
    first = guide.study.sampler
    guide.ask(1)
    assert guide.study.sampler is not first
