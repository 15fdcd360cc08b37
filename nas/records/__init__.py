"""What was tried: records of evaluations, the machine they came from, and the ledger that keeps them."""

from nas.records.addresses import DEFAULT_URL, default_ledger, shown_url, without_password
from nas.records.definitions import meaning
from nas.records.derived import Derived, Descent, Parent
from nas.records.ledger import Ledger
from nas.records.machine import Machine, commit, this_machine, usable_cores, versions
from nas.records.record import (
    FIGURES,
    OF_MEMBERS,
    OF_PRIVACY,
    OF_PROTOCOLS,
    SCORES,
    Epoch,
    Failure,
    FigureKind,
    Latency,
    Outcome,
    Picture,
    Record,
    Replicate,
    figure_kind,
    usual_direction,
)
from nas.records.reproduction import Reproduction, Verdict, judge
from nas.records.schema import Stage
from nas.records.setting import LOOKED_UP, Setting
from nas.records.table import trials_table
from nas.records.trials import State, StudyEntry, Trial

__all__ = [
    "DEFAULT_URL",
    "FIGURES",
    "LOOKED_UP",
    "OF_MEMBERS",
    "OF_PRIVACY",
    "OF_PROTOCOLS",
    "SCORES",
    "Derived",
    "Descent",
    "Epoch",
    "Failure",
    "FigureKind",
    "Latency",
    "Ledger",
    "Machine",
    "Outcome",
    "Parent",
    "Picture",
    "Record",
    "Replicate",
    "Reproduction",
    "Setting",
    "Stage",
    "State",
    "StudyEntry",
    "Trial",
    "Verdict",
    "commit",
    "default_ledger",
    "figure_kind",
    "judge",
    "meaning",
    "shown_url",
    "this_machine",
    "trials_table",
    "usable_cores",
    "usual_direction",
    "versions",
    "without_password",
]
