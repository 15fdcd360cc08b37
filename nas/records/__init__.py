"""What was tried: records of evaluations, the machine they came from, and the ledger that keeps them."""

from nas.records.ledger import DEFAULT_URL, Ledger, Stage, State, StudyEntry, Trial
from nas.records.machine import Machine, commit, this_machine, versions
from nas.records.table import trials_table
from nas.records.record import FIGURES, Epoch, Failure, FigureKind, Latency, Outcome, Record

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
    "this_machine",
    "trials_table",
    "versions",
]
