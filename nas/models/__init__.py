"""What is built: layer kinds, what they cost, and the builder that turns an architecture into a torch module."""

from nas.models.builder import build
from nas.models.costing import cost
from nas.models.layers import Cost, LayerKind
from nas.models.planning import Fork, Graph, Part, Placed, Step, plan
from nas.models.sameness import network_id
from nas.models.vocabulary import check_layers, layer_kind

__all__ = [
    "Cost",
    "Fork",
    "Graph",
    "LayerKind",
    "Part",
    "Placed",
    "Step",
    "build",
    "check_layers",
    "cost",
    "layer_kind",
    "network_id",
    "plan",
]
