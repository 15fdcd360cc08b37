"""What a candidate is worth: counted, measured, trained and validated on one device. Architecture → Record."""

from nas.evaluation.candidate import Evaluator
from nas.evaluation.foreseeing import infeasible_record, reckoned_figures, setting_of

__all__ = ["Evaluator", "infeasible_record", "reckoned_figures", "setting_of"]
