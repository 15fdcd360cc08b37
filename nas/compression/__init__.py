"""Networks made smaller: weights on a grid of whole numbers, weights left out, channels cut, knowledge handed down.

Each is a derivation (see `nas.training.derivations`), found by the entry points `nas.derivations`. Parent → child.
"""

from nas.compression.cutting import Structured
from nas.compression.distilling import Distil
from nas.compression.pruning import Magnitude
from nas.compression.quantizing import Int4Weights, Int8Dynamic, Int8Static, Int8Weights, Qat
from nas.compression.trimming import Trim

__all__ = ["Distil", "Int4Weights", "Int8Dynamic", "Int8Static", "Int8Weights", "Magnitude", "Qat", "Structured", "Trim"]
