"""Architectures that two studies have both trained, each held against itself."""

from collections import defaultdict
from collections.abc import Sequence, Set
from math import expm1, log, sqrt
from statistics import fmean, geometric_mean, stdev

from nas.benchmark import Budget, Objective
from nas.ranking.changes import Side
from nas.ranking.loss import Left, Loss, is_exact, share_of, smallest_step
from nas.records import SCORES, Record, Setting, figure_kind, usual_direction


def pairs(a: Side, b: Side, left: list[Left]) -> list[Loss]:
    """Each figure that both have of the same architectures, each trained anew in both."""
    if a.entry.definition["space"]["digest"] != b.entry.definition["space"]["digest"]:
        left.append(Left("the same architectures", "the spaces are not the same, and neither are what their choices mean"))
        return []
    before, after = _by_architecture(a), _by_architecture(b)
    both = [key for key in before if key in after]
    if not both:
        left.append(Left("the same architectures", "the two have none in common that both trained for as long"))
        return []
    fresh = [key for key in both if not _shared(before[key], after[key])]
    if len(fresh) < len(both):
        left.append(Left(f"{len(both) - len(fresh)} of {len(both)} architectures in both", "one took over the other's result"))
    found = []
    why = elsewhere(*({record.setting for key in fresh for record in side[key]} for side in (before, after)))
    calm = [key for key in fresh if not any(_disturbed(record) for record in (*before[key], *after[key]))]
    timed = all(record.latency and record.latency.relative for key in calm for record in (*before[key], *after[key]))
    for name in _names([record for key in fresh for record in before[key]]):
        is_latency = name == "latency_ms"
        relative = timed and is_latency
        keys = calm if is_latency else fresh
        values = [(_mean(before[key], name, relative=relative), _mean(after[key], name, relative=relative)) for key in keys]
        told = [(one, other) for one, other in values if one is not None and other is not None]
        if told and why and is_measured(name):
            left.append(Left(name, why))
            continue
        if is_latency and len(calm) < len(fresh):
            left.append(Left(f"{name} of {len(fresh) - len(calm)} of {len(fresh)} architectures", DISTURBED))
        if told:
            found.append(_pair(name, told, _direction(a, name), relative=relative))
    return found


Key = tuple[str, Budget]


def _by_architecture(side: Side) -> dict[Key, list[Record]]:
    """Architecture's id and budget → its complete trainings, each once."""
    found: defaultdict[Key, list[Record]] = defaultdict(list)
    seen: set[tuple[Key, str]] = set()
    for trial in side.trials:
        if trial.record is None or trial.state != "complete":
            continue
        key = (trial.architecture.id, trial.record.budget)
        if (key, trial.evaluation) not in seen:
            seen.add((key, trial.evaluation))
            found[key].append(trial.record)
    return found


def _shared(a: Sequence[Record], b: Sequence[Record]) -> bool:
    """Whether a record of one is that of the other, which says nothing about a difference."""
    return any(one == other for one in a for other in b)


DISTURBED = "other work went on as it was measured, by which networks are not slowed alike"


def _disturbed(record: Record) -> bool:
    return record.latency is not None and record.latency.disturbed is not None


def _names(records: Sequence[Record]) -> list[str]:
    """Figures that can be held against each other, what it costs last."""
    known = dict.fromkeys(name for record in records for name in record.figures if name.partition(":")[0] not in SCORES)
    return sorted(known, key=lambda name: (figure_kind(name) is not None, name.startswith("test_"), list(known).index(name)))


def _mean(records: Sequence[Record], name: str, *, relative: bool) -> float | None:
    """Of the trainings of one architecture; `relative` latencies are multiples of the reference network's."""
    values = [record.latency.relative if relative and record.latency else record.figures.get(name) for record in records]
    known = [value for value in values if value is not None]
    return fmean(known) if known else None


def is_measured(name: str) -> bool:
    """Whether it hangs on the machine and how it is used."""
    kind = figure_kind(name)
    return kind is not None and not is_exact(name)


def elsewhere(before: Set[Setting], after: Set[Setting]) -> str:
    """Why figures of time and memory do not compare; empty where they do."""
    if before == after:
        return ""
    words = [" and ".join(sorted(str(setting) for setting in side)) for side in (before, after)]
    return f"it was measured on {words[0]} there, and on {words[1]} here"


def _direction(side: Side, name: str) -> Objective:
    goals = {goal.figure: goal for goal in side.goals}
    return goals.get(name) or Objective(name, "minimize" if figure_kind(name) else usual_direction(name))


def _pair(name: str, values: Sequence[tuple[float, float]], goal: Objective, *, relative: bool) -> Loss:
    """The mean of the differences, of figures of cost that of the ratios, with its error from architecture to architecture.

    Of measured costs `a` and `b` are geometric means, so that their ratio is the mean of the ratios.
    """
    cost = figure_kind(name) is not None and all(one > 0 and other > 0 for one, other in values)
    mean = geometric_mean if cost and not is_exact(name) else fmean
    a, b = mean([one for one, _ in values]), mean([other for _, other in values])
    losses = [log(other / one) if cost else goal.cost(other) - goal.cost(one) for one, other in values]
    sure = is_exact(name) or not any(losses)
    step = 0.0 if cost else smallest_step([value for pair in values for value in pair])
    deviation = max(stdev(losses), step / sqrt(6)) if len(losses) > 1 else None
    error = 0.0 if sure else deviation / sqrt(len(losses)) if deviation is not None else None
    return Loss(
        what="pairs",
        figure=name,
        evidence=f"{len(values)} architecture{'s' * (len(values) != 1)} in both, each trained anew",
        a=a,
        b=b,
        mean=fmean(losses),
        error=error,
        freedom=max(1, len(losses) - 1),
        share=expm1 if cost else share_of(a),
        relative=relative,
    )
