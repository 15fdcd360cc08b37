"""What was tried: records of evaluations, the machine they came from, and the ledger that keeps them."""

from nas.records.ledger import DEFAULT_URL, Ledger, Stage, State, StudyEntry, Trial, meaning
from nas.records.machine import Machine, commit, this_machine, versions
from nas.records.record import FIGURES, Epoch, Failure, FigureKind, Latency, Outcome, Record, conditions
from nas.records.table import trials_table

__all__ = [
    "DEFAULT_URL",
    "FIGURES",
    "Epoch",
    "Failure",
    "FigureKind",
    "Latency",
    "Ledger",
    "Machine",
    "Outcome",
    "Record",
    "Stage",
    "State",
    "StudyEntry",
    "Trial",
    "commit",
    "conditions",
    "meaning",
    "this_machine",
    "trials_table",
    "versions",
]
