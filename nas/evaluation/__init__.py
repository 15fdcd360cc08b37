"""What a candidate is worth: counted, measured, trained and validated on one device. Architecture → Record."""

from nas.evaluation.candidate import Evaluator

__all__ = ["Evaluator"]
