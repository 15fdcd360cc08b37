"""Why a network says what it says: what each place of an input adds to an output, and whether that hangs on what was learned."""

from nas.explaining.checking import DEPTHS, check
from nas.explaining.drawing import view_of
from nas.explaining.explainer import Asked, Explainer, Says, find_explainer
from nas.explaining.explanation import Network, explain_network
from nas.explaining.similarity import rank_correlation, structural_similarity

__all__ = [
    "DEPTHS",
    "Asked",
    "Explainer",
    "Network",
    "Says",
    "check",
    "explain_network",
    "find_explainer",
    "rank_correlation",
    "structural_similarity",
    "view_of",
]
