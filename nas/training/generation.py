"""Pictures made of noise: how near they come to real ones, in the features of a classifier that is fixed and the same for all.

Axes: N pictures, C channels, H height, W width, F features, K classes.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from nas.errors import BenchmarkError
from nas.training.kinds import Loaded
from nas.training.meters import NOTHING
from nas.training.metrics import choose

Judge = Callable[[Tensor], tuple[Tensor, Tensor]]
"""Pictures (N, C, H, W) on any device → a classifier's features (N, F) and logits (N, K)."""

NEIGHBOURS = 3
"""The k of precision and recall (Kynkäänniemi et al. 2019, arXiv:1904.06991, sec. 2)."""

NEAREST = 5
"""The k of density and coverage (Naeem et al. 2020, arXiv:2002.09797, sec. 3)."""

PRESENT = 0.1
"""A class is generated if its share of the generated pictures is at least so much of its share of the real ones."""


@dataclass(frozen=True, kw_only=True)
class Generation(Loaded):
    """Pictures like the targets, of rows of noise: inputs are (N, latent + K), of which the last K are 1 at a class, if any.

    It always measures frechet_distance, precision, recall and class_coverage; on request density and coverage. None asks which
    row belongs to which picture.
    """

    latent: int
    """Numbers of noise at the beginning of a row."""
    judge: Judge
    """Gives the features in which pictures are compared."""

    def __post_init__(self) -> None:
        self.measured()

    def measured(self) -> tuple[str, ...]:
        """The names of its figures."""
        always = ("frechet_distance", "precision", "recall", "class_coverage")
        return choose("Generation", always, ("density", "coverage"), self.metrics)

    def loss(self, outputs: Tensor, targets: Tensor, smoothing: float) -> Tensor:  # noqa: ARG002 - one signature for all
        """There is none.

        Raises:
            BenchmarkError: always.
        """
        raise BenchmarkError("Pictures made of noise have no loss of their own; give the benchmark the protocol 'adversarial'.")

    def meter(self, device: torch.device) -> "Likeness":  # noqa: ARG002
        """Of generated pictures and real ones, as many of each."""
        return Likeness(self.judge, self.measured())


class Likeness:
    """How near generated pictures come to real ones."""

    def __init__(self, judge: Judge, names: tuple[str, ...]) -> None:
        self._judge = judge
        self._names = names
        self._features: list[tuple[Tensor, Tensor]] = []
        """Of each batch, generated and real."""
        self._answers: list[tuple[Tensor, Tensor]] = []

    def update(self, outputs: Tensor, targets: Tensor) -> None:
        """Take in a batch of generated pictures and one of real ones."""
        (generated_NF, said_NK), (real_NF, known_NK) = (self._judge(images.float()) for images in (outputs, targets))
        self._features.append((generated_NF.double().cpu(), real_NF.double().cpu()))
        self._answers.append((said_NK.cpu(), known_NK.cpu()))

    def compute(self) -> dict[str, float]:
        """All that was asked for; not finite where a generated picture is not.

        Raises:
            BenchmarkError: there are not more pictures than neighbours that are looked at.
        """
        if not self._features:
            raise BenchmarkError(NOTHING)
        generated_NF, real_NF = (torch.cat(some) for some in zip(*self._features, strict=True))
        if len(real_NF) <= NEAREST:
            raise BenchmarkError(f"More than {NEAREST} pictures are compared, got {len(real_NF)}; give the split more.")
        if not generated_NF.isfinite().all():
            return dict.fromkeys(self._names, float("nan"))
        said_NK, known_NK = (torch.cat(some) for some in zip(*self._answers, strict=True))
        figures = {
            "frechet_distance": frechet_distance(generated_NF, real_NF),
            "class_coverage": class_coverage(said_NK, known_NK),
            **dict(zip(("precision", "recall"), precision_and_recall(generated_NF, real_NF), strict=True)),
        }
        if {"density", "coverage"} & {*self._names}:
            figures |= dict(zip(("density", "coverage"), density_and_coverage(generated_NF, real_NF), strict=True))
        return {name: figures[name] for name in self._names}


def frechet_distance(generated_NF: Tensor, real_NF: Tensor) -> float:
    """Squared Fréchet distance of the normal distributions with the means and covariances of two sets of features.

    |m1 − m2|² + tr(C1 + C2 − 2 (C1½ C2 C1½)½) (Dowson & Landau 1982, J. Multivariate Anal. 12, eq. 4; Heusel et al. 2017,
    arXiv:1706.08500, eq. 6, of Inception features). In 64 bits; roots are those of symmetric matrices, by eigenvalues. It is too
    large by what the number of pictures leaves uncertain, so that only figures of equally many can be compared.
    """
    means = generated_NF.mean(0), real_NF.mean(0)
    covariances = [torch.cov(features_NF.T).reshape(features_NF.shape[1], -1) for features_NF in (generated_NF, real_NF)]
    values_F, vectors_FF = torch.linalg.eigh(covariances[0])
    root_FF = vectors_FF * values_F.clamp(min=0).sqrt() @ vectors_FF.T
    product_FF = root_FF @ covariances[1] @ root_FF
    shared = torch.linalg.eigvalsh((product_FF + product_FF.T) / 2).clamp(min=0).sqrt().sum()
    distance = (means[0] - means[1]).square().sum() + covariances[0].trace() + covariances[1].trace() - 2 * shared
    return max(0.0, float(distance))


def precision_and_recall(generated_NF: Tensor, real_NF: Tensor, neighbours: int = NEIGHBOURS) -> tuple[float, float]:
    """The share of generated pictures that lie among the real ones, and of real ones that lie among the generated.

    One lies among others if it is no further from one of these than that one's nearest neighbours of its own kind
    (Kynkäänniemi et al. 2019, arXiv:1904.06991, eq. 1 to 3).
    """
    apart_NN = _distances(generated_NF, real_NF)
    within_real = apart_NN.le(_reach(real_NF, neighbours))
    within_generated = apart_NN.T.le(_reach(generated_NF, neighbours))
    return within_real.any(1).double().mean().item(), within_generated.any(1).double().mean().item()


def density_and_coverage(generated_NF: Tensor, real_NF: Tensor, neighbours: int = NEAREST) -> tuple[float, float]:
    """How many real neighbourhoods a generated picture lies in, as a share of `neighbours`, and the share of real pictures that
    have a generated one in theirs (Naeem et al. 2020, arXiv:2002.09797, eq. 4 and 5).
    """
    within = _distances(generated_NF, real_NF) <= _reach(real_NF, neighbours)
    return within.double().sum(1).mean().item() / neighbours, within.any(0).double().mean().item()


def class_coverage(said_NK: Tensor, known_NK: Tensor) -> float:
    """Of the classes that a classifier finds in real pictures, the share that it finds in generated ones too, if rarer."""
    said_K, known_K = (logits_NK.argmax(1).bincount(minlength=logits_NK.shape[1]) for logits_NK in (said_NK, known_NK))
    wanted_K = (PRESENT * known_K * (len(said_NK) / len(known_NK))).clamp(min=1)
    return (said_K >= wanted_K)[known_K > 0].double().mean().item()


def _distances(one_NF: Tensor, other_MF: Tensor) -> Tensor:
    return torch.cdist(one_NF, other_MF, compute_mode="donot_use_mm_for_euclid_dist")


def _reach(features_NF: Tensor, neighbours: int) -> Tensor:
    """How far the `neighbours`-th nearest of the others is from each (N,)."""
    return _distances(features_NF, features_NF).kthvalue(neighbours + 1, dim=1).values  # the nearest is itself
