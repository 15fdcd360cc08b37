"""What is built: layer kinds, and the builder that turns an architecture into a torch module."""

from nas.models.builder import build
from nas.models.layers import LayerKind
from nas.models.vocabulary import check_layers, layer_kind

__all__ = ["LayerKind", "build", "check_layers", "layer_kind"]
