"""NNI's tuners: the space in their words, equal seeds, and a study that goes on; against the real package."""

import importlib.util
import json
import math
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.samplers import BaseSampler
from optuna.testing.pytest_samplers import BasicSamplerTestCase
from toys import TOY, toy_accuracy, toy_evaluate, toy_params, toy_record

from nas.benchmark import Budget, Objective
from nas.errors import StrategyError
from nas.records import Failure, Record, Trial
from nas.space import Architecture, Limit, Space, parse_space, size
from nas.strategies import FromNni, Guide
from nas.strategies.distributions import suggest
from nas.strategies.from_nni import OUTSIDE, TUNERS, in_nnis_words

ACCURACY = Objective("validation_accuracy", "maximize")
BUDGET = Budget(epochs=1)
LIMIT = Limit.parse("params <= 400")


def missing(tuner: str) -> str:
    return next((package for package in TUNERS[tuner].packages if importlib.util.find_spec(package) is None), "")


def with_package(tuner: str) -> Any:
    return pytest.param(
        tuner, marks=pytest.mark.skipif(bool(missing(tuner)), reason=f"the package {missing(tuner)} is not installed")
    )


EACH = pytest.mark.parametrize("tuner", [with_package(tuner) for tuner in TUNERS])
needs_nni = pytest.mark.skipif(bool(missing("tpe")), reason="the package nni is not installed")

MIXED = parse_space("""
name: mixed
version: 1
accepts: image
choices:
  width: {int: [8, 64], step: 8}
layers:
  - one_of: op
    options:
      conv: {features: $width, kernel: [3, 5], bias: [true, 1, null]}
      linear: {rate: {real: [1e-4, 1], log: true}, drop: {real: [0, 0.5]}}
      pool: {}
  - repeat: block
    times: {int: [0, 2]}
    layers:
      - conv: {kernel: {int: [1, 100], log: true}}
""")
"""A choice of every kind, some inside of others."""


@pytest.fixture(autouse=True)
def _quiet() -> None:
    optuna.logging.set_verbosity(optuna.logging.WARNING)


@EACH
class TestContract(BasicSamplerTestCase):
    """Optuna's own contract of samplers."""

    @pytest.fixture
    def sampler(self, tuner: str) -> Callable[[], BaseSampler]:
        return lambda: FromNni(MIXED, tuner=tuner, seed=0)


def evaluate(proposal_architecture: Architecture) -> Record:
    """Some are infeasible, some fail, the rest has a score."""
    params = {"params": toy_params(proposal_architecture)}
    if not LIMIT.allows(params["params"]):
        return toy_record("infeasible", params, (), 0, BUDGET)
    if int(proposal_architecture.id[-1], 16) % 4 == 0:
        failed = toy_record("failed", params, (), 0, BUDGET)
        return replace(failed, error=Failure(kind="diverged", message="the loss was not finite in epoch 1."))
    return toy_evaluate(proposal_architecture, budget=BUDGET, seed=0)


def search(
    tuner: str, until: int, done: Sequence[Trial] = (), *, seed: int = 5, at_random: Sequence[int] = (), again: bool = False
) -> list[Trial]:
    """The trials of a study that goes on after `done`, as the ledger would give them back; `again`: the next was interrupted."""
    asking = Guide(TOY, (ACCURACY,), strategy=f"nni:{tuner}", seed=seed, limits=[LIMIT])
    trials = list(done)
    for trial in trials:
        asking.restore(trial)
    chosen = search(tuner, len(trials) + 1, seed=seed, at_random=at_random)[-1].architecture if again else None
    for number in range(len(trials), until):
        proposal = asking.ask(number, chosen=chosen if number == len(done) else None, at_random=number in at_random)
        record = evaluate(proposal.architecture)
        trials.append(
            Trial(
                id=number + 1,
                study="a",
                stage="search",
                number=number,
                state=record.outcome,
                architecture=Architecture.from_data(json.loads(json.dumps(proposal.architecture.to_data()))),
                evaluation=proposal.architecture.id,
                reused_from=None,
                begun_at="2026-01-01",
                ended_at="2026-01-02",
                proposal=json.loads(json.dumps(asking.tell(proposal, record), allow_nan=False)),
                record=record,
            )
        )
    return trials


def ids(trials: Sequence[Trial]) -> list[str]:
    return [trial.architecture.id for trial in trials]


@EACH
def test_equal_seeds_give_equal_proposals(tuner: str) -> None:
    assert ids(search(tuner, 40)) == ids(undisturbed(tuner))
    if tuner != "gridsearch":  # which has no chance in it
        assert ids(search(tuner, 10)) != ids(search(tuner, 10, seed=6))


@cache
def undisturbed(tuner: str) -> list[Trial]:
    """A study of forty trials."""
    return search(tuner, 40)


@EACH
@pytest.mark.parametrize("again", [False, True], ids=["between", "amid"])
@pytest.mark.parametrize("stop", [7, 30])
def test_a_study_that_goes_on_proposes_what_one_without_a_break_proposes(tuner: str, stop: int, again: bool) -> None:
    whole = undisturbed(tuner)
    assert {trial.state for trial in whole} == {"complete", "infeasible", "failed"}
    assert ids(search(tuner, 40, whole[:stop], again=again)) == ids(whole)


@EACH
def test_proposals_at_random_in_between_change_nothing_about_going_on(tuner: str) -> None:
    whole = search(tuner, 30, at_random=(3, 4, 12))
    assert ids(search(tuner, 30, whole[:20], at_random=(3, 4, 12))) == ids(whole)


@needs_nni
def test_what_was_not_taken_up_is_proposed_next() -> None:
    undisturbed, disturbed = ids(search("gridsearch", 20)), ids(search("gridsearch", 20, at_random=(3,)))
    assert [one for one in undisturbed[:10] if one not in disturbed] == []


@EACH
def test_conditional_choices_are_asked_only_where_they_apply(tuner: str) -> None:
    study = optuna.create_study(sampler=FromNni(MIXED, tuner=tuner, seed=1), direction="maximize")
    kinds = set()

    def objective(trial: optuna.Trial) -> float:
        architecture = MIXED.walk(lambda name, domain: suggest(trial, name, domain))
        assert trial.relative_params == dict(architecture.choices)
        kinds.update((name, type(value)) for name, value in architecture.choices.items())
        return float(len(architecture.choices))

    study.optimize(objective, n_trials=60)
    assert {("op", str), ("block.times", int), ("block.1.conv.kernel", int)} <= kinds
    if tuner != "gridsearch":
        assert {("op.conv.bias", bool), ("op.conv.bias", int), ("op.conv.bias", type(None)), ("op.linear.rate", float)} <= kinds


@EACH
def test_no_architecture_is_proposed_twice_while_the_tuner_has_others(tuner: str) -> None:
    trials = ids(search(tuner, 25))
    assert len(set(trials)) >= 24  # evolution may come to nothing but what is known many times in a row


@pytest.mark.parametrize("tuner", [with_package(name) for name in ("tpe", "random", "gridsearch")])
def test_a_finite_space_is_gone_through_and_then_proposed_again(tuner: str) -> None:
    trials = ids(search(tuner, int(size(TOY)) + 3))
    assert len(set(trials)) == 52


@pytest.mark.parametrize("tuner", [with_package(name) for name in ("tpe", "evolution", "anneal", "hyperopt_tpe", "pbt")])
def test_what_is_told_steers_what_is_proposed(tuner: str) -> None:
    """The last of 100 proposals come nearer to the best of 4^6 architectures than the first, which are by chance.

    A range of reals keeps NNI's TPE from going on with a grid, from the first corner on, where it would repeat itself.
    """
    row = ", ".join(f"{name}: [0, 1, 2, 3]" for name in "abcdef")
    space = parse_space(f"{{name: row, version: 1, accepts: image, layers: [row: {{{row}, x: {{real: [0, 0.001]}}}}]}}")
    gains = []
    for seed in range(3):
        study = optuna.create_study(sampler=FromNni(space, tuner=tuner, seed=seed), direction="maximize")
        study.optimize(
            lambda trial: float(sum(space.walk(lambda name, domain: suggest(trial, name, domain)).choices.values())),  # type: ignore[arg-type]
            n_trials=100,
        )
        values = [trial.value for trial in study.trials if trial.value is not None]
        gains.append(sum(values[80:]) / 20 - sum(values[:10]) / 10)
    assert sum(gains) / 3 > 0.8  # a standard error of chance is 0.6 for one seed


@needs_nni
def test_a_candidate_without_a_value_is_told_as_worse_than_all_others_and_never_as_nan() -> None:
    told: list[float] = []
    space = parse_space("{name: reals, version: 1, accepts: image, layers: [a: {r: {real: [0, 1]}}]}")
    sampler = FromNni(space, tuner="random", seed=0)
    receive = sampler.tuner.receive_trial_result
    sampler.tuner.receive_trial_result = lambda number, answer, cost: (told.append(cost), receive(number, answer, cost))
    study = optuna.create_study(sampler=sampler, direction="maximize")

    def tell(value: float | None, state: optuna.trial.TrialState | None = None, **constraints: float) -> None:
        trial = study.ask()
        space.walk(lambda name, domain: suggest(trial, name, domain))
        for name, excess in constraints.items():
            trial.set_constraint(name, excess)
        study.tell(trial, value, state)

    tell(0.75)
    tell(None, optuna.trial.TrialState.PRUNED)
    tell(0.9, params=0.5)
    tell(None, optuna.trial.TrialState.FAIL)
    tell(math.inf)
    study.ask().relative_params  # noqa: B018
    assert told == [-0.75, OUTSIDE, 1.5 * OUTSIDE, OUTSIDE, OUTSIDE]


def test_the_space_in_nnis_words() -> None:
    words = in_nnis_words(MIXED.every_domain(100), nested=True)
    three, two = {"_type": "choice", "_value": [0, 1, 2]}, {"_type": "choice", "_value": [0, 1]}
    assert words == {
        "op": {
            "_type": "choice",
            "_value": [
                {"_name": "0", "op.conv.kernel": two, "op.conv.bias": three},
                {
                    "_name": "1",
                    "op.linear.rate": {"_type": "loguniform", "_value": [1e-4, 1.0]},
                    "op.linear.drop": {"_type": "uniform", "_value": [0.0, 0.5]},
                },
                {"_name": "2"},
            ],
        },
        "width": {"_type": "quniform", "_value": [-0.5, 7.5, 1]},
        "block.times": {"_type": "quniform", "_value": [-0.5, 2.5, 1]},
        "block.0.conv.kernel": {"_type": "qloguniform", "_value": [0.5, 100.5, 1]},
        "block.1.conv.kernel": {"_type": "qloguniform", "_value": [0.5, 100.5, 1]},
    }
    flat = in_nnis_words(MIXED.every_domain(100), nested=False)
    assert flat["op"] == three
    assert list(flat) == list(reversed(MIXED.every_domain(100)))


NESTED = parse_space("""
name: nested
version: 1
accepts: image
layers:
  - parallel: p
    merge: [add, concatenate]
    branches:
      skip: []
      merge: [{add: {k: [0, 1]}}]
  - one_of: a
    options:
      x:
        - one_of: b
          options:
            u: {k: [0, 1]}
            v: {}
      y: []
""")


def test_alternatives_are_nested_one_level_deep_and_branches_are_not() -> None:
    words = in_nnis_words(NESTED.every_domain(100), nested=True)
    two = {"_type": "choice", "_value": [0, 1]}
    assert words["a"]["_value"] == [{"_name": "0", "a.x.b": two, "a.x.b.u.k": two}, {"_name": "1"}]
    assert words["p.merge.add.k"] == two  # it applies however the branches are merged


@EACH
def test_the_nested_space_is_walked(tuner: str) -> None:
    study = optuna.create_study(sampler=FromNni(NESTED, tuner=tuner, seed=0))
    study.optimize(lambda trial: float(len(NESTED.walk(lambda name, domain: suggest(trial, name, domain)).choices)), n_trials=12)
    assert all(trial.params for trial in study.trials)


@EACH
def test_integers_at_the_ends_of_a_range_come_as_often_as_others(tuner: str) -> None:
    if tuner not in {"random", "tpe", "anneal", "evolution"}:
        pytest.skip("it does not begin by chance alone")
    space = parse_space("{name: ints, version: 1, accepts: image, layers: [a: {k: {int: [1, 4]}, r: {real: [0, 1]}}]}")
    counts = dict.fromkeys(range(1, 5), 0)
    for seed in range(200):
        study = optuna.create_study(sampler=FromNni(space, tuner=tuner, seed=seed))
        counts[study.ask().relative_params["a.k"]] += 1
    assert min(counts.values()) > 25  # 50 each, with a deviation of 6


@EACH
def test_a_space_without_a_choice_has_one_proposal(tuner: str) -> None:
    space = parse_space("{name: none, version: 1, accepts: image, layers: [conv: {a: 1}]}")
    guide = Guide(space, (ACCURACY,), strategy=f"nni:{tuner}")
    assert [guide.ask(number).architecture.choices for number in range(3)] == [{}, {}, {}]


@EACH
def test_several_proposals_may_be_open_at_once(tuner: str) -> None:
    study = optuna.create_study(sampler=FromNni(TOY, tuner=tuner, seed=0), direction="maximize")
    for _ in range(2):
        trials = [study.ask() for _ in range(12)]
        found = [TOY.walk(lambda name, domain, trial=trial: suggest(trial, name, domain)) for trial in trials]  # type: ignore[misc]
        for trial, architecture in zip(trials, found, strict=True):
            study.tell(trial, toy_accuracy(architecture))


@EACH
def test_several_objectives_are_refused(tuner: str) -> None:
    with pytest.raises(
        StrategyError, match=rf"^The strategy 'nni:{tuner}' serves one objective, this study has 2; name another\.$"
    ):
        Guide(TOY, (ACCURACY, Objective("params", "minimize")), strategy=f"nni:{tuner}")


@pytest.mark.parametrize("package", ["nni", "hyperopt"])
def test_without_the_package_the_name_says_how_to_get_it(package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if package == "hyperopt" and missing("tpe"):
        pytest.skip("the package nni is not installed")
    monkeypatch.setitem(sys.modules, package, None)
    needs = rf"^The strategy 'nni:anneal' needs the package '{package}', which is not installed; "
    with pytest.raises(StrategyError, match=needs + r'pip install "nas-harness\[nni\]"\.$'):
        Guide(TOY, (ACCURACY,), strategy="nni:anneal")


def test_an_unknown_tuner_is_met_with_the_nearest_one() -> None:
    with pytest.raises(
        StrategyError, match=r"^No tuner of NNI's is called 'evolutoin'\. Did you mean 'evolution'\? Known: anneal, "
    ):
        FromNni(TOY, tuner="evolutoin")
    with pytest.raises(StrategyError, match=r"^No strategy is called 'nni:evolutoin'\. Did you mean 'nni:evolution'\? Known: "):
        Guide(TOY, (ACCURACY,), strategy="nni:evolutoin")


@needs_nni
def test_nothing_is_printed_served_or_left_behind(tmp_path: Path) -> None:
    code = f"""
import threading, psutil
from toys import TOY, toy_evaluate
from nas.benchmark import Budget, Objective
from nas.strategies import Guide
for tuner in {[tuner for tuner in TUNERS if not missing(tuner)]}:
    guide = Guide(TOY, (Objective("validation_accuracy", "maximize"),), strategy="nni:" + tuner)
    for number in range(12):
        proposal = guide.ask(number)
        guide.tell(proposal, toy_evaluate(proposal.architecture, budget=Budget(epochs=1), seed=0))
    assert threading.active_count() == 1, tuner
    assert psutil.Process().net_connections() == psutil.Process().children() == [], tuner
"""
    here = Path(__file__).parent.parent
    environment = {"HOME": str(tmp_path), "PYTHONPATH": f"{here}:{here.parent}", "PATH": "", "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert list(tmp_path.iterdir()) == []


@needs_nni
def test_an_empty_study_needs_no_tuner_yet() -> None:
    code = "import sys, nas.strategies; assert not {'nni', 'hyperopt'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_space_too_wide_is_refused() -> None:
    space = Space(
        name="wide",
        version=1,
        accepts="image",
        layers=parse_space("""
name: wide
version: 1
accepts: image
layers:
  - repeat: outer
    times: {int: [0, 100]}
    layers: [{repeat: inner, times: {int: [0, 99]}, layers: [conv: {k: [1, 2]}]}]
""").layers,
    )
    if missing("tpe"):
        pytest.skip("the package nni is not installed")
    with pytest.raises(Exception, match=r"^'wide' has more than 10,000 choices that can apply"):
        FromNni(space)
