"""Tables of trained architectures: questions whose answers are known, so that a search costs a second."""

from nas.tables.answering import TableBenchmark, TableEvaluator, make_benchmark
from nas.tables.exporting import Written, write_study
from nas.tables.files import is_table_file
from nas.tables.reading import read_table
from nas.tables.table import Fidelity, Readings, Table
from nas.tables.writing import write_table

__all__ = [
    "Fidelity",
    "Readings",
    "Table",
    "TableBenchmark",
    "TableEvaluator",
    "Written",
    "is_table_file",
    "make_benchmark",
    "read_table",
    "write_study",
    "write_table",
]
