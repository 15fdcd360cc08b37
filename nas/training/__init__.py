"""A network learns: a benchmark's data and figures, and the loop that trains. Network + Examples → weights and a curve."""

from nas.training.augmentation import augment
from nas.training.loop import Report, Training, evaluate, make_optimizer, set_rate, take_step, train
from nas.training.places import find_data
from nas.training.task import Classification, Examples, NextToken, Split, Task, load_task, stratified_order

__all__ = [
    "Classification",
    "Examples",
    "NextToken",
    "Report",
    "Split",
    "Task",
    "Training",
    "augment",
    "evaluate",
    "find_data",
    "load_task",
    "make_optimizer",
    "set_rate",
    "stratified_order",
    "take_step",
    "train",
]
