"""What several trainings of one candidate come to: the means of their figures and curves."""

from collections.abc import Mapping, Sequence
from statistics import fmean

from nas.records import Epoch


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
