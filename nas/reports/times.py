"""Where the time of a study went: what its evaluations did, and what the clock showed meanwhile."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from nas.records import Trial

PAUSE = 60.0
"""Seconds without a trial under way from which on nobody is taken to have worked at the study."""


@dataclass(frozen=True)
class Part:
    """Seconds that went into one thing."""

    label: str
    seconds: float
    meaning: str


def work(trials: Sequence[Trial]) -> tuple[Part, ...]:
    """What evaluations did, summed over workers; nothing where no trial tells its seconds.

    Training is known by itself. The rest of an evaluation is one figure: building, counting, measuring and validating.
    """
    own = [trial for trial in trials if trial.reused_from is None and trial.record and trial.record.seconds is not None]
    trained = {trial.id: trial.record.figures.get("train_seconds", 0.0) for trial in own if trial.record}
    whole = {trial.id: trial.record.seconds or 0.0 for trial in own if trial.record}

    def training(label: str, meaning: str, some: Iterable[Trial]) -> Part:
        return Part(label, math.fsum(min(trained[trial.id], whole[trial.id]) for trial in some), meaning)

    parts = [
        training(
            "training", "of the search's complete trials", (t for t in own if t.stage == "search" and t.state == "complete")
        ),
        training("training that was cut short", "pruned or failed", (t for t in own if t.state in {"pruned", "failed"})),
        training("confirming", "training the best again from other seeds", _complete(own, "confirm")),
        training("finals", "training finalists", _complete(own, "final")),
        training("audit", "training a sample again", _complete(own, "audit")),
        Part(
            "around training",
            math.fsum(max(0.0, whole[trial.id] - trained[trial.id]) for trial in own),
            "building, counting, measuring latency and memory, validating",
        ),
    ]
    return tuple(part for part in parts if part.seconds > 0)


def _complete(trials: Iterable[Trial], stage: str) -> Iterable[Trial]:
    return (trial for trial in trials if trial.stage == stage and trial.state == "complete")


def clock(trials: Sequence[Trial]) -> tuple[Part, ...]:
    """What the clock showed from the first trial's begin to the last one's end; nothing where no time can be read."""
    spans = sorted(span for trial in trials if (span := _span(trial)) is not None)
    if not spans:
        return ()
    busy = between = paused = 0.0
    begin, end = spans[0]
    for start, stop in spans[1:]:
        if start > end:
            busy += end - begin
            gap = start - end
            between, paused = (between, paused + gap) if gap > PAUSE else (between + gap, paused)
            begin, end = start, stop
        else:
            end = max(end, stop)
    busy += end - begin
    parts = [
        Part("trials under way", busy, "at least one candidate was evaluated"),
        Part("between trials", between, "asking the strategy, reading and writing"),
        Part("nobody at work", paused, f"gaps of more than {PAUSE:.0f} s"),
    ]
    return tuple(part for part in parts if part.seconds > 0)


def _span(trial: Trial) -> tuple[float, float] | None:
    try:
        begun, ended = datetime.fromisoformat(trial.begun_at), datetime.fromisoformat(trial.ended_at or "")
        return (begun.timestamp(), ended.timestamp()) if begun <= ended else None
    except (ValueError, TypeError, OverflowError):
        return None
