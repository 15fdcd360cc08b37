import csv
import gzip
import json
import math
import os
import random
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import fmean

import pytest
from toys import TOY, toy_accuracy, toy_params, toy_record

from nas.benchmark import Budget, Objective
from nas.records import Epoch, Outcome, Record, Trial
from nas.space import Architecture
from nas.strategies import Guide, Proposal
from nas.strategies.pruning import ERRORS, MARGIN, SHARES, STARTUP, ParetoPruner
from nas.training.metrics import METRICS

ACCURACY = Objective("validation_accuracy", "maximize")
LOSS = Objective("validation_loss", "minimize")
PARAMS = Objective("params", "minimize")
LATENCY = Objective("latency_ms", "minimize")
EPOCHS = 8
BUDGET = Budget(epochs=EPOCHS)

DATA = Path(os.environ.get("NAS_DATA", Path(__file__).parents[2].parent / "shared/data"))
TABLE = DATA / "tables/nas-bench-201-cifar10.csv.gz"


def point(epoch: int, **figures: float) -> Epoch:
    return Epoch(epoch=epoch, train_loss=1.0, figures=figures, seconds=1.0)


def complete(figures: Mapping[str, float], accuracies: Sequence[float], outcome: Outcome = "complete") -> Record:
    """A training whose accuracy took this course to the last of them."""
    curve = tuple(point(n, validation_accuracy=accuracy) for n, accuracy in enumerate(accuracies, start=1))
    return toy_record(outcome, {**figures, "validation_accuracy": accuracies[-1]}, curve, 0, BUDGET)


# Against a twin that looks at everything.


def slow_dominated(costs: Sequence[float], others: Sequence[Sequence[float]]) -> bool:
    return any(
        all(x <= y for x, y in zip(other, costs, strict=True)) and any(x < y for x, y in zip(other, costs, strict=True))
        for other in others
    )


def slow_hopeless(trials: Sequence[Record], objectives: Sequence[Objective], known: Mapping[str, float], epoch: Epoch) -> bool:
    """The rule of the module, written down once more, for objectives without bounds."""
    told = {json.dumps([dict(trial.figures), [dict(p.figures) for p in trial.curve]], sort_keys=True): trial for trial in trials}
    finished = [trial for trial in told.values() if trial.outcome == "complete"]
    optimistic = []
    for objective in objectives:
        if objective.figure in known:
            optimistic.append(objective.cost(known[objective.figure]))
            continue
        moves = [
            objective.cost(there.figures[objective.figure]) - objective.cost(trial.figures[objective.figure])
            for trial in finished
            for there in trial.curve
            if there.epoch == epoch.epoch
        ]
        if len(moves) < STARTUP:
            return False  # without an end that it is held to, nothing dominates it
        optimistic.append(objective.cost(epoch.figures[objective.figure]) - MARGIN * max(0.0, *moves))
    return slow_dominated(optimistic, [[goal.cost(trial.figures[goal.figure]) for goal in objectives] for trial in finished])


QUALITY = Objective("validation_quality", "maximize")
DAMAGE = Objective("validation_damage", "minimize")


@pytest.mark.parametrize(
    "objectives", [(QUALITY, PARAMS), (PARAMS, DAMAGE, QUALITY), (QUALITY, DAMAGE), (LATENCY, PARAMS, DAMAGE)]
)
@pytest.mark.parametrize("digits", [1, 6], ids=["ties", "fine"])
def test_who_is_stopped_is_whom_the_rule_stops(objectives: Sequence[Objective], digits: int) -> None:
    drawing = random.Random(f"{objectives}{digits}")
    stopped = asked = 0
    for count in (STARTUP - 1, STARTUP, 20, 40):
        pruner, trials = ParetoPruner(objectives), list[Record]()
        for _ in range(count):
            trials.append(drawn_trial(drawing, digits, drawing.choice(["complete"] * 5 + ["pruned"])))
            pruner.learn(trials[-1])
        for _ in range(40):
            candidate = drawn_trial(drawing, digits, "complete")
            known = {name: candidate.figures[name] for name in ("params", "latency_ms")}
            epoch = drawing.choice(candidate.curve)
            expected = slow_hopeless(trials, objectives, known, epoch)
            assert pruner.hopeless(known, epoch) == expected
            stopped += expected
            asked += 1
    assert 0 < stopped < asked


def drawn_trial(drawing: random.Random, digits: int, outcome: Outcome) -> Record:
    level, epochs = drawing.random(), drawing.randint(2, 4)

    def figures(progress: float) -> dict[str, float]:
        noise = drawing.gauss(0, 0.05)
        return {
            "validation_quality": round(level * progress + noise, digits),
            "validation_damage": round(1 - level * progress + drawing.gauss(0, 0.05), digits),
        }

    curve = tuple(point(n, **figures(n / epochs)) for n in range(1, epochs + 1))
    cheap = {"params": round(100 * drawing.random()), "latency_ms": round(drawing.random(), digits)}
    return toy_record(outcome, {**cheap, **curve[-1].figures}, curve, 0, BUDGET)


def test_the_order_of_trials_and_their_repetition_change_nothing() -> None:
    drawing = random.Random(1)
    trials = [drawn_trial(drawing, 1, "complete") for _ in range(30)]
    first, second = ParetoPruner((QUALITY, PARAMS)), ParetoPruner((QUALITY, PARAMS))
    for trial in trials:
        first.learn(trial)
    for trial in [*reversed(trials), *trials[:7]]:
        second.learn(trial)
    candidates = [drawn_trial(drawing, 1, "complete") for _ in range(60)]
    answers = [
        [pruner.hopeless({"params": one.figures["params"]}, one.curve[0]) for one in candidates] for pruner in (first, second)
    ]
    assert answers[0] == answers[1]
    assert {*answers[0]} == {False, True}


# By hand.


def taught(count: int = STARTUP, **figures: float) -> ParetoPruner:
    """Of networks with 100 parameters, which went from 0.50 to 0.60 and, one of them, from 0.50 to 0.70."""
    pruner = ParetoPruner((ACCURACY, PARAMS))
    for number in range(count):
        pruner.learn(
            complete({"params": 100, "latency_ms": number, **figures}, [0.5, 0.7 if number == 0 else 0.6 + number / 1000])
        )
    return pruner


@pytest.mark.parametrize(
    ("params", "accuracy", "stopped"),
    [
        (100, 0.44, True),  # 0.44 + 1.25 · 0.20 = 0.69 < 0.70
        (100, 0.46, False),
        (99, 0.44, False),  # nobody is as small
        (101, 0.44, True),
    ],
)
def test_a_candidate_is_granted_more_than_the_greatest_improvement_of_others(params: int, accuracy: float, stopped: bool) -> None:
    assert taught().hopeless({"params": params}, point(1, validation_accuracy=accuracy)) == stopped


def test_nothing_is_stopped_before_enough_have_told_of_that_epoch() -> None:
    assert not taught(STARTUP - 1).hopeless({"params": 1000}, point(1, validation_accuracy=0.1))
    assert not taught().hopeless({"params": 1000}, point(3, validation_accuracy=0.1))
    assert taught().hopeless({"params": 1000}, point(1, validation_accuracy=0.1))


def test_what_equals_the_front_is_not_stopped() -> None:
    pruner = ParetoPruner((ACCURACY, PARAMS))
    for number in range(STARTUP):
        pruner.learn(complete({"params": 100}, [0.5 + number / 1000, 0.5 + number / 1000]))
    best = 0.5 + (STARTUP - 1) / 1000
    assert not pruner.hopeless({"params": 100}, point(1, validation_accuracy=best))
    assert pruner.hopeless({"params": 101}, point(1, validation_accuracy=best))


def test_a_candidate_that_no_accuracy_brings_to_the_front_is_left_untrained() -> None:
    pruner = taught(1)
    assert not pruner.hopeless({"params": 101})
    pruner.learn(complete({"params": 100}, [0.5, 1.0]))
    assert pruner.hopeless({"params": 101})
    assert not pruner.hopeless({"params": 100})


def test_an_accuracy_in_percent_has_no_bound() -> None:
    pruner = ParetoPruner((ACCURACY, PARAMS))
    for number in range(STARTUP):
        pruner.learn(complete({"params": 100}, [50.0, 90.0 + number]))
    assert not pruner.hopeless({"params": 101})
    assert not pruner.hopeless({"params": 101}, point(1, validation_accuracy=70.0))
    assert pruner.hopeless({"params": 101}, point(1, validation_accuracy=30.0))


def test_objectives_that_are_all_known_decide_before_training() -> None:
    pruner = ParetoPruner((PARAMS, LATENCY))
    assert not pruner.hopeless({"params": 11, "latency_ms": 20})
    for number in range(3):
        pruner.learn(toy_record("complete", {"params": 10 + number, "latency_ms": 20 - number}, (), 0, BUDGET))
    assert pruner.hopeless({"params": 11, "latency_ms": 20})
    assert not pruner.hopeless({"params": 11, "latency_ms": 19})
    assert not pruner.hopeless({"params": 9, "latency_ms": 99}, point(1, validation_accuracy=0.1))


def test_an_objective_that_no_curve_tells_stops_nothing() -> None:
    pruner = ParetoPruner((Objective("train_seconds", "minimize"), PARAMS))
    for number in range(STARTUP):
        pruner.learn(complete({"params": 10, "train_seconds": 1 + number}, [0.5, 0.6]))
    assert not pruner.hopeless({"params": 99}, point(1, validation_accuracy=0.1))


def test_bounds_are_those_of_the_metrics() -> None:
    assert {name for name, metric in METRICS.items() if metric.unit == "share"} == {*SHARES}
    least = {name for name, metric in METRICS.items() if metric.direction == "minimize" and not name.startswith("bits_per_")}
    assert least == {*ERRORS}


# What it costs and saves.


def made_up(seed: int, count: int = 80) -> list[Record]:
    """Networks whose accuracy grows with their size, with luck and noise, and comes by a road of its own."""
    drawing = random.Random(seed)
    found = []
    for _ in range(count):
        size = 10 ** drawing.uniform(3, 6)
        end = 0.98 - 0.3 * (1e3 / size) ** 0.3 - abs(drawing.gauss(0, 0.08))
        speed = drawing.uniform(0.3, 1.2)
        course = [end * (1 - math.exp(-speed * epoch)) + drawing.gauss(0, 0.005) for epoch in range(1, EPOCHS + 1)]
        found.append(complete({"params": round(size)}, course))
    return found


def tabled(seed: int, count: int = 100) -> list[Record]:
    """NAS-Bench-201 on CIFAR-10 with what is known of a course: test accuracies of two trainings, of 12 and 200 epochs."""
    with gzip.open(TABLE, "rt", encoding="utf-8") as file:
        rows = random.Random(seed).sample(list(csv.DictReader(file)), count)
    found = []
    for row in rows:
        curve = tuple(point(epoch, validation_accuracy=float(row[f"test_accuracy@{epoch}"])) for epoch in (12, 200))
        figures = {"params": float(row["params"]), "latency_ms": float(row["latency_ms:pixel3"])}
        found.append(toy_record("complete", {**figures, **curve[-1].figures}, curve, 0, Budget(epochs=200)))
    return found


def trained(records: Sequence[Record], objectives: Sequence[Objective]) -> tuple[bool, float]:
    """Whether all of the front was trained to its end, and the share of epochs that were trained."""
    pruner, done, spent = ParetoPruner(objectives), list[bool](), 0
    for record in records:
        known = {name: value for name, value in record.figures.items() if name != "validation_accuracy"}
        stopped = next((there.epoch for there in record.curve[:-1] if pruner.hopeless(known, there)), None)
        done.append(stopped is None)
        spent += stopped or record.curve[-1].epoch
        if stopped is None:
            pruner.learn(record)
    costs = [[goal.cost(record.figures[goal.figure]) for goal in objectives] for record in records]
    same = all(kept or slow_dominated(own, costs) for kept, own in zip(done, costs, strict=True))
    return same, spent / sum(record.curve[-1].epoch for record in records)


def over_seeds(make: Callable[[int], list[Record]], seeds: int) -> tuple[float, float]:
    """The share of seeds with the same front, and the mean share of epochs."""
    found = [trained(make(seed), (ACCURACY, PARAMS)) for seed in range(seeds)]
    return fmean(same for same, _ in found), fmean(spent for _, spent in found)


def test_the_front_is_nearly_always_the_one_without_a_pruner_for_fewer_epochs() -> None:
    same, spent = over_seeds(made_up, 40)
    assert same >= 0.9  # measured: 0.97
    assert spent <= 0.85  # measured: 0.82


@pytest.mark.skipif(not TABLE.exists(), reason=f"{TABLE} is not here; NAS_DATA names its folder")
def test_the_front_of_a_public_table_is_nearly_always_the_one_without_a_pruner() -> None:
    same, spent = over_seeds(tabled, 20)
    assert same >= 0.9
    assert spent <= 0.95


# Through the guide.


def toy_curve(architecture: Architecture, report: Callable[[Epoch], bool]) -> Record:
    """Accuracy that comes in four steps, so that many toys are far from it in the first."""
    figures = {"params": toy_params(architecture)}
    course: list[float] = []
    for number in range(1, EPOCHS + 1):
        course.append(toy_accuracy(architecture) * (1 - 0.5**number))
        if report(point(number, validation_accuracy=course[-1])) and number < EPOCHS:
            return complete(figures, course, "pruned")
    return complete(figures, course)


def study(
    until: int, done: Sequence[Trial] = (), again: Architecture | None = None, strategy: str = "nsga2", pruner: str = "pareto"
) -> list[Trial]:
    """The trials of a study that goes on after `done`."""
    guide = Guide(TOY, (ACCURACY, PARAMS), strategy=strategy, pruner=pruner, seed=2)
    trials = list(done)
    for trial in trials:
        guide.restore(trial)
    for number in range(len(trials), until):
        proposal = guide.ask(number, chosen=again if number == len(done) else None)
        guide.foresee(proposal, {"params": toy_params(proposal.architecture)})
        record = toy_curve(proposal.architecture, lambda epoch, proposal=proposal: guide.report(proposal, epoch))  # type: ignore[misc]
        trials.append(kept(proposal, record, guide.tell(proposal, record)))
    return trials


def kept(proposal: Proposal, record: Record, noted: Mapping[str, object]) -> Trial:
    """The trial as the ledger would give it back."""
    return Trial(
        id=proposal.number + 1,
        study="a",
        stage="search",
        number=proposal.number,
        state=record.outcome,
        architecture=proposal.architecture,
        evaluation=proposal.architecture.id,
        reused_from=None,
        begun_at="2026-01-01",
        ended_at="2026-01-02",
        proposal=json.loads(json.dumps(noted)),
        record=Record.from_data(json.loads(json.dumps(record.to_data()))),
    )


def told(trials: Sequence[Trial]) -> list[tuple[str, str, int]]:
    return [(trial.architecture.id, trial.state, len(trial.record.curve)) for trial in trials if trial.record]


@pytest.mark.parametrize("strategy", ["random", "tpe", "nsga2"])
@pytest.mark.parametrize("stop", [STARTUP, 20, 33])
@pytest.mark.parametrize("interrupted", [False, True], ids=["between", "amid"])
def test_a_study_that_goes_on_stops_whom_one_without_a_break_stops(strategy: str, stop: int, interrupted: bool) -> None:
    whole = study(40, strategy=strategy)
    assert {"complete", "pruned"} == {trial.state for trial in whole}
    again = whole[stop].architecture if interrupted else None
    assert told(study(40, whole[:stop], again, strategy)) == told(whole)


def test_the_guide_stops_nothing_without_a_pruner() -> None:
    assert {trial.state for trial in study(40, pruner="none")} == {"complete"}
