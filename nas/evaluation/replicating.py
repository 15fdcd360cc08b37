"""One candidate trained from several seeds, at once or in turn, and what that comes to: the means of figures and curves."""

import math
from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import TYPE_CHECKING

from torch import nn

from nas.device import place
from nas.records import Epoch, Failure, Outcome, Replicate
from nas.training import (
    Report,
    Training,
    digest_network,
    train_replicates,
)

if TYPE_CHECKING:
    from nas.evaluation.running import Run


def mean_figures(replicates: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """The mean of each figure; all replicates have the same ones."""
    return {name: fmean(figures[name] for figures in replicates) for name in replicates[0]}


def mean_curve(curves: Sequence[Sequence[Epoch]]) -> tuple[Epoch, ...]:
    """The mean at each epoch that all have come to; seconds are summed, since all were spent."""
    return tuple(
        Epoch(
            epoch=points[0].epoch,
            train_loss=fmean(point.train_loss for point in points if point.train_loss is not None),
            figures=mean_figures([point.figures for point in points]),
            seconds=sum(point.seconds for point in points if point.seconds is not None),
        )
        for points in zip(*curves, strict=False)
    )


def train_together(run: "Run", model: nn.Module, report: Report) -> Outcome:
    """Train from each seed; a candidate that diverges from one of them has no mean."""

    def listened(number: int, epoch: Epoch) -> bool:
        if number == 0:
            report(epoch)
        return False

    def on_trained(number: int, training: Training) -> bool:
        return training.ended == "diverged" or run.on_replicate(number, training.figures)

    evaluator = run.evaluator
    run.others = [place(run.build(number), evaluator.device) for number in range(1, evaluator.replicates)]
    seeds = [run.seed + number for number in range(evaluator.replicates)]
    with evaluator.ranks.working(run.wanted()):
        trained = train_replicates(
            [model, *run.others],
            run.protocol.method(),
            evaluator.training,
            evaluator.validation,
            budget=run.budget,
            seeds=seeds,
            report=listened,
            on_trained=on_trained,
            on_step=lambda _: run.heed(),
            objective=evaluator.objective,
            forward_flops=run.figures["flops"],
            precision=evaluator.precision,
            ranks=evaluator.ranks,
            together=evaluator.together,
        )
    seeds = seeds[: len(trained)]
    run.gathered["loading"] = evaluator.training.kind
    run.gathered["replicates"] = tuple(
        Replicate(seed=seed, figures=one.figures, curve=tuple(one.curve), weights_sha256=digest_network(network))
        for seed, one, network in zip(seeds, trained, (model, *run.others), strict=False)  # a pruner may leave some untrained
    )
    run.gathered["weights_sha256"] = digest_network(model)
    run.gathered["curve"] = mean_curve([one.curve for one in trained])
    run.figures["train_seconds"] = math.fsum(one.seconds for one in trained)
    run.notes += dict.fromkeys(note for one in trained for note in one.notes)
    for seed, one in zip(seeds, trained, strict=True):
        if one.ended == "diverged":
            return run.fail("diverged", f"from seed {seed}, {one.problem}")
    run.figures |= {**mean_figures([one.figures for one in trained]), **trained[0].spent}
    return _ended(run, len(trained))


def train_in_turn(run: "Run", model: nn.Module, report: Report) -> Outcome:
    """Train from each seed, stage by stage, one after another: what a protocol knows of a training is of one seed alone."""
    evaluator, known = run.evaluator, dict(run.figures)
    runs: list[Run] = []
    ended: Outcome = "complete"
    for number in range(evaluator.replicates):
        one = run.sibling(number)
        one.figures = dict(known)
        if number == 0:
            one.protocol = run.protocol
        network = model if number == 0 else place(one.build(), evaluator.device)
        run.others += [network] if number else []
        runs.append(one)

        def first(epoch: Epoch, number: int = number) -> bool:
            if number == 0:
                report(epoch)
            return False

        ended = one.train(network, first)
        if ended == "failed" or run.on_replicate(number, one.figures):
            break
    run.trained_by = [one.protocol for one in runs]
    run.gathered |= {name: runs[0].gathered[name] for name in ("loading", "weights_sha256") if name in runs[0].gathered}
    run.gathered["replicates"] = tuple(one.as_replicate() for one in runs)
    curves = [one.curve for one in run.gathered["replicates"]]  # type: ignore[attr-defined]
    run.gathered["curve"] = mean_curve(curves)
    run.figures["train_seconds"] = math.fsum(one.figures["train_seconds"] for one in runs)
    run.notes += dict.fromkeys(note for one in runs for note in one.notes)
    if ended == "failed":
        error = runs[-1].gathered["error"]
        assert isinstance(error, Failure)  # noqa: S101 - what failed says why
        return run.fail(error.kind, f"from seed {runs[-1].seed}, {error.message}")
    run.figures |= {**mean_figures([one.figures for one in runs]), "train_seconds": run.figures["train_seconds"]}
    run.notes.append("Trained one after another: they are not trained by supervision alone.")
    return _ended(run, len(runs))


def _ended(run: "Run", trained: int) -> Outcome:
    """How it ended, where so many of its replicates were `trained`: a pruner may have left the rest."""
    wanted = run.evaluator.replicates
    if trained == wanted:
        return "complete"
    run.notes.append(f"It was stopped after {trained} of {wanted} replicates, of which figures are means.")
    return "pruned"
