"""What a candidate is worth: counted, measured, trained and validated on one device. Architecture → Record."""

from nas.evaluation.candidate import Evaluator, load_task
from nas.evaluation.places import find_data
from nas.evaluation.task import Classification, Examples, NextToken, Split, Task, stratified_order
from nas.evaluation.training import Report, train

__all__ = [
    "Classification",
    "Evaluator",
    "Examples",
    "NextToken",
    "Report",
    "Split",
    "Task",
    "find_data",
    "load_task",
    "stratified_order",
    "train",
]
