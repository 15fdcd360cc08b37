"""How a network holds when its inputs change: attacks, corruptions, and whether its confidence can be believed.

Inputs + what is asked of them → other inputs; answers → figures. `nas.measures` has the names.
"""

from nas.robustness.attacks import Slope, perturb, start_of
from nas.robustness.calibration import Bin, Calibration, calibrate
from nas.robustness.corruptions import corrupt, kind_of
from nas.robustness.groups import Groups
from nas.robustness.scale import Scale
from nas.robustness.spelling import Spelling

__all__ = [
    "Bin",
    "Calibration",
    "Groups",
    "Scale",
    "Slope",
    "Spelling",
    "calibrate",
    "corrupt",
    "kind_of",
    "perturb",
    "start_of",
]
