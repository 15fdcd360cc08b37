"""What it takes to ask for the next architecture, as more and more is known: through the harness, against a bare Optuna study.

Both are asked of a study in memory over `residual_cnn` with so many finished trials, the same on both sides. The bare one is
asked as Optuna's users ask it, by a function that holds the space's choices and conditions; a strategy of Optuna's has the same
sampler on both sides, one of ours stands against bare TPE. Both are told what they proposed before they are asked again, which is
not timed. Seconds are the processor's, without the time in which other work ran. When all have been measured, `asking.svg` shows
how asking grows.
"""

import io
import random
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import optuna
import pytest
from made_up import score
from matplotlib.figure import Figure
from pytest_benchmark.fixture import BenchmarkFixture
from turns import Clock, ratio, take_turns

from nas.benchmark import Objective
from nas.space import Space, resolve_space
from nas.strategies import Guide, make_sampler
from nas.strategies.distributions import distribution, suggest
from nas.strategies.reseeding import can_reseed, reseed

pytestmark = [pytest.mark.benchmark(group="asking", timer=time.process_time), pytest.mark.timeout(900)]

KNOWN = (50, 200, 1_000, 3_000)

GOALS = {
    "random": 1.3,
    "tpe:optuna": 1.3,
    "nsga2": 1.3,
    "nsga3": 1.3,
    "qmc": 1.3,
    "cmaes": 1.3,
    "gp": 1.3,
    "auto": 2.0,
    "tpe": 1.0,
    "local_search": 1.0,
    "regularized_evolution": 1.0,
}
"""Times the bare study, at any number of trials known."""

OURS = {"auto", "tpe", "local_search", "regularized_evolution"}

NOTING = {"nsga2", "nsga3", "qmc", "cmaes"}
"""Samplers that keep notes with trials and study, so that what is known must be of their own proposing."""

CASES = [(name, known) for name in GOALS for known in KNOWN if name != "gp" or known <= 200]
"""GP needs minutes to ask at 1,000 known."""

Points = dict[tuple[str, int], tuple[float, float]]
"""(strategy, known) → the median seconds to ask of ours, and of the bare study."""


@pytest.fixture(autouse=True)
def _quiet_optuna() -> Iterator[None]:
    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    yield
    optuna.logging.set_verbosity(level)


@pytest.fixture(scope="module")
def points() -> Iterator[Points]:
    """What was measured; drawn where that is all of it."""
    found: Points = {}
    yield found
    if len(found) == len(CASES):
        Path(__file__).with_name("asking.svg").write_bytes(drawn(found))


def by_hand(trial: optuna.Trial) -> None:
    """`residual_cnn` as a user of Optuna writes it."""
    choose = trial.suggest_categorical
    choose("stem.features", [8, 16, 24, 32])
    choose("stem.kernel", [3, 5])
    choose("stem.stride", [1, 2])
    choose("activation", ["relu", "silu", "hard_swish"])
    for stage in range(trial.suggest_int("stage.times", 1, 3)):
        at = f"stage.{stage}"
        if choose(f"{at}.reduce", ["conv", "pool"]) == "conv":
            choose(f"{at}.width", [16, 24, 32, 48, 64, 96])
            choose(f"{at}.kernel", [3, 5])
        else:
            choose(f"{at}.reduce.pool.kind", ["max", "average"])
        for block in range(trial.suggest_int(f"{at}.block.times", 1, 3)):
            kind = choose(f"{at}.block.{block}.kind", ["conv", "residual", "inverted_residual"])
            choose(f"{at}.width", [16, 24, 32, 48, 64, 96])
            choose(f"{at}.kernel", [3, 5])
            if kind == "inverted_residual":
                choose(f"{at}.block.{block}.kind.inverted_residual.expansion", [2, 4])
            if kind != "conv":
                choose(f"{at}.squeeze_excite", [0, 0.25])
    choose("head.pool", ["average", "max"])
    choose("head.dropout", [0, 0.2])


def past(space: Space, name: str, known: int) -> optuna.Study:
    """A study of so many trials: proposed by the sampler of that name where it keeps notes, else by chance."""
    study = optuna.create_study(direction="maximize", sampler=make_sampler(name, 0) if name in NOTING else None)
    chance = random.Random(0)  # noqa: S311 - no secret
    for _ in range(known):
        if name in NOTING:
            trial = study.ask()
            study.tell(trial, score(space.walk(lambda name, domain, trial=trial: suggest(trial, name, domain))))  # type: ignore[misc]
        else:
            drawn = space.sample(chance)
            domains = {name: distribution(domain) for name, domain in space.domains(drawn).items()}
            study.add_trial(optuna.trial.create_trial(params=dict(drawn.choices), distributions=domains, value=score(drawn)))
    return study


def remember(study: optuna.Study, past: optuna.Study) -> None:
    """Let `study` know what `past` knows, with the notes of its sampler."""
    study.add_trials(past.get_trials(deepcopy=False))
    for key, value in past._storage.get_study_system_attrs(past._study_id).items():
        study._storage.set_study_system_attr(study._study_id, key, value)


class Sides:
    """The two studies, of so many trials each."""

    def __init__(self, space: Space, name: str, known: int) -> None:
        before = past(space, name, known)
        self.space = space
        self.guide = Guide(space, [Objective("validation_accuracy", "maximize")], strategy=name)
        self.bare = optuna.create_study(direction="maximize", sampler=make_sampler("tpe:optuna" if name in OURS else name, 0))
        self.asked: list[tuple[optuna.Study, optuna.Trial]] = []
        """What is still to be told."""
        for study in (self.guide.study, self.bare):
            remember(study, before)
        self.tell()
        self.ours()  # a first time, in which the samplers read what is known
        self.theirs()
        self.tell()

    def ours(self) -> None:
        self.asked.append((self.guide.study, self.guide.ask(len(self.guide.study.get_trials(deepcopy=False))).trial))

    def theirs(self) -> None:
        trial = self.bare.ask()
        by_hand(trial)
        self.asked.append((self.bare, trial))

    def tell(self) -> tuple[()]:
        """Tell what came of the last proposal; raises where it is no architecture of the space, as `by_hand` must make them.

        Where the bare sampler can be seeded as the guide seeds its own, both propose the same, of as many choices.
        """
        for study, trial in self.asked:
            study.tell(trial, score(self.space.architecture(trial.params)))
        self.asked.clear()
        if can_reseed(self.bare.sampler):
            reseed(self.bare.sampler, self.guide._seed(len(self.bare.get_trials(deepcopy=False))))
        return ()


@pytest.mark.parametrize(("name", "known"), CASES)
def test_asking_takes_about_as_long_as_asking_a_bare_study(
    benchmark: BenchmarkFixture, clock: Clock, lines: list[str], points: Points, name: str, known: int
) -> None:
    sides = Sides(resolve_space("residual_cnn"), name, known)
    rounds = 15 if name in {"tpe:optuna", "gp"} | OURS else 201
    seconds = take_turns(benchmark, sides.ours, sides.theirs, sides.tell, rounds, clock)
    if benchmark.disabled:
        return
    found, mine = ratio(benchmark.stats.stats.data, seconds), median(benchmark.stats.stats.data)
    points[name, known] = mine, median(seconds)
    of = "TPE" if name in OURS else name
    line = f"ask {name} / bare {of}, {known:5,} known: ratio {found:.2f} (goal <= {GOALS[name]:.2f}), {mine * 1e3:.1f} ms"
    benchmark.extra_info |= {"ratio": found, "goal": GOALS[name], "theirs_seconds": seconds}
    lines.append(line)
    assert found <= GOALS[name], line


def drawn(points: Points) -> bytes:
    """An SVG: a curve for each strategy, dashed where the bare study is asked."""
    figure = Figure(figsize=(9, 6), layout="constrained")
    axes = figure.subplots()
    for n, name in enumerate(GOALS):
        known = [count for strategy, count in points if strategy == name]
        axes.plot(known, [points[name, count][0] * 1e3 for count in known], f"C{n}o-", ms=3, label=name)
        if name not in OURS:
            axes.plot(known, [points[name, count][1] * 1e3 for count in known], f"C{n}--", lw=1)
    axes.set(xscale="log", yscale="log", xlabel="trials known", ylabel="ms to ask", xticks=KNOWN, xticklabels=map(str, KNOWN))
    axes.set_title("Asking for an architecture of residual_cnn; dashed: the same sampler in a bare Optuna study", fontsize=10)
    axes.minorticks_off()
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
    file = io.BytesIO()
    figure.savefig(file, format="svg", metadata={"Date": None})
    return file.getvalue()
