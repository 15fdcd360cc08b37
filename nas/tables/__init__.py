"""Tables of trained architectures: questions whose answers are known, so that a search costs a second."""

from nas.tables.answering import TableBenchmark, TableEvaluator, make_benchmark
from nas.tables.files import is_table_file
from nas.tables.reading import read_table
from nas.tables.table import Fidelity, Readings, Table

__all__ = [
    "Fidelity",
    "Readings",
    "Table",
    "TableBenchmark",
    "TableEvaluator",
    "is_table_file",
    "make_benchmark",
    "read_table",
]
