"""The vocabulary of layers: what a space can name. Other packages add to it by entry points in `nas.layers`."""

from nas.models.layers.kind import Activation, Cost, Count, Kernel, LayerKind, Share, Stride, TrainingKind

__all__ = ["Activation", "Cost", "Count", "Kernel", "LayerKind", "Share", "Stride", "TrainingKind"]
