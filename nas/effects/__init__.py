"""What a study's trials say of its choices: how much each matters to a figure, and what a higher cost buys.

Trials of a search are no random sample: a strategy looks where it found good ones. So each choice is held against trials that
differ in other choices too, with what these do taken off; and where nothing can be told from chance, that is said.
"""

from nas.effects.evidence import Evidence, evidence_of
from nas.effects.importance import FEWEST_TRIALS, Effect, Point, effects_of
from nas.effects.prices import Bound, Price, Step, prices_of
from nas.effects.sums import Sum, sums_of, total_of

__all__ = [
    "FEWEST_TRIALS",
    "Bound",
    "Effect",
    "Evidence",
    "Point",
    "Price",
    "Step",
    "Sum",
    "effects_of",
    "evidence_of",
    "prices_of",
    "sums_of",
    "total_of",
]
