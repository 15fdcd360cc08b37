"""Tables of trained architectures: questions whose answers are known, so that a search costs a second."""

from nas.tables.reading import read_table
from nas.tables.table import Fidelity, Readings, Table

__all__ = ["Fidelity", "Readings", "Table", "read_table"]
