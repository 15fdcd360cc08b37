"""A comparison as CSV."""

from pathlib import Path

from nas.comparing.telling import Findings
from nas.reports.page import replace_file


def write_comparison(findings: Findings, folder: Path) -> Path:
    """Write the CSV into `folder`, all of it or nothing; returns the file.

    Raises:
        LedgerError: it cannot be written.
    """
    path = folder / "comparison.csv"
    replace_file(path, findings.csv().encode())
    return path
