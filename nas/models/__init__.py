"""What is built: layer kinds, what they cost, and the builder that turns an architecture into a torch module."""

from nas.models.builder import build
from nas.models.costing import CostFold, cost
from nas.models.costless import COSTLESS
from nas.models.counting import MultiplyAdds, count, example, parameters
from nas.models.feasibility import Idle, Survey, survey
from nas.models.fourier import transforms
from nas.models.layers import Cost, LayerKind, TrainingKind
from nas.models.limiting import Within
from nas.models.meta import Remembering, weightless
from nas.models.naming import module_name
from nas.models.planning import Fork, Graph, Part, Placed, Step, is_of_training, plan, steps
from nas.models.sameness import network_id
from nas.models.shares import Quartiles, Share
from nas.models.vocabulary import check_layers, layer_kind

__all__ = [
    "COSTLESS",
    "Cost",
    "CostFold",
    "Fork",
    "Graph",
    "Idle",
    "LayerKind",
    "MultiplyAdds",
    "Part",
    "Placed",
    "Quartiles",
    "Remembering",
    "Share",
    "Step",
    "Survey",
    "TrainingKind",
    "Within",
    "build",
    "check_layers",
    "cost",
    "count",
    "example",
    "is_of_training",
    "layer_kind",
    "module_name",
    "network_id",
    "parameters",
    "plan",
    "steps",
    "survey",
    "transforms",
    "weightless",
]
