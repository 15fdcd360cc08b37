"""How a figure is told, wherever it is: what it is called, in which unit people read it, and with how many digits."""

from collections.abc import Mapping
from dataclasses import dataclass

from nas.measures import Measure, measure_of
from nas.records import figure_kind


@dataclass(frozen=True)
class Face:
    """How one figure is told."""

    words: str
    """Its name in a sentence."""
    title: str
    """Over a column, with its unit, as short as a terminal needs it."""
    unit: str = ""
    """In which people read it; empty where it is a plain number."""
    scale: float = 1
    """What it is divided by for that unit."""
    digits: int = 4
    """After the point."""

    @property
    def label(self) -> str:
        """On an axis, or over a column of a paper: the name, with the unit in brackets."""
        return f"{self.words} ({self.unit})" if self.unit else self.words


_FACES: Mapping[str, Face] = {
    "params": Face("parameters", "params", digits=0),
    "macs": Face("multiply-adds", "MMACs", "M", 1e6, 2),
    "flops": Face("FLOPs", "MFLOPs", "M", 1e6, 2),
    "size_bytes": Face("size", "size MiB", "MiB", 2**20, 2),
    "activation_bytes": Face("activations", "activations MiB", "MiB", 2**20, 2),
    "latency_ms": Face("latency", "latency ms", "ms", digits=3),
    "peak_memory_bytes": Face("memory", "memory MiB", "MiB", 2**20, 2),
    "discriminator_params": Face("discriminator's parameters", "discriminator params", digits=0),
    "discriminator_macs": Face("discriminator's multiply-adds", "discriminator MMACs", "M", 1e6, 3),
    "train_seconds": Face("training time", "train s", "s", digits=2),
    "pretrain_flops": Face("FLOPs of pre-training", "pretrain TFLOPs", "T", 1e12, 4),
    "pretrain_seconds": Face("pre-training time", "pretrain s", "s", digits=2),
}


_WRITTEN = {
    "auroc": "AUROC",
    "chrf": "chrF",
    "f1": "F1",
    "frechet": "Fréchet",
    "mae": "MAE",
    "mrr": "MRR",
    "ndcg": "NDCG",
    "rmse": "RMSE",
}
"""How people write what names have in small letters."""


def face(name: str) -> Face:
    """How the figure `name` is told; `latency_ms:raspi4` is a latency, measured on a named device."""
    if asked := measure_of(name):
        return _of_measure(name, asked)
    base, _, device = name.partition(":") if figure_kind(name) else (name, "", "")
    plain = " ".join(_WRITTEN.get(word, word) for word in base.split("_"))
    found = _FACES.get(base, Face(plain, plain))
    if not device:
        return found
    return Face(f"{found.words} on {device}", f"{found.title} {device}", found.unit, found.scale, found.digits)


def _of_measure(name: str, asked: Measure) -> Face:
    """Accuracy under what is asked; of an interval's ends which one it is."""
    split, colon, _ = name.partition("_accuracy:")
    if colon:
        return Face(f"{split} accuracy, {asked.title}", f"{split} {asked.title}")
    split, _, figure = name.partition("_ece")
    end = next((f", {end} end" for end in ("low", "high") if figure.endswith(end)), "")
    return Face(f"{split} calibration error{' by equal mass' * ('mass' in figure)}{end}", f"{split} {asked.title}{end}")
