"""The errors a user can meet, each one line: the rule, the value seen, the way out.

NasError
├── DocumentError    a YAML file cannot be read or breaks a rule; names file, line and path
├── SpaceError       a search space, or an answer to one of its choices, breaks a rule
├── PathError        a name that somebody else wrote would lead out of the folder that it belongs in
├── RegistryError    a name is unknown, owned twice, or its owner cannot be loaded
├── BenchmarkError   a benchmark's data is missing or does not fit
│   └── DataMissing  its files, or the package that reads them, are nowhere on this machine
├── TableError       a table of trained architectures cannot be read or written, or lacks what is asked of it
├── StrategyError    a strategy or pruner is unknown or cannot serve the study
├── ModelError       a layer does not fit the shape it is given
├── LedgerError      the ledger cannot be opened, is in use, or holds another study of that name
│   ├── NumberTaken  another driver of the study began a trial of that number
│   ├── AtWork       another driver of the study is at the same evaluation
│   ├── LeaseLost    another driver took the trial over; what the first one brings is left aside
│   └── Parked       the ledger is away or its disk is full; the same command goes on later
├── ReportError      a table, a plot or a page cannot be written as it is asked for
├── RankingError     trials cannot be put in order as it is asked for
├── ClusterError     machines that candidates shall run on cannot be had as they are asked for
├── SearchError      a search is asked for something that it cannot do
├── ExportError      a network cannot be handed over in the form that it is asked for
├── ExplainError     what a network says cannot be explained by the method that is asked for
└── CompareError     a comparison of strategies cannot be made as it is asked for, or its runs cannot be kept

A candidate that fails (out of memory, diverged, …) is no exception but a Record with `error`; one that is asked to stop before
its end raises `Interrupted`, which is no error.
"""

from collections.abc import Iterable
from difflib import get_close_matches


class NasError(Exception):
    """Base of every error that is the user's to mend; its text is one line."""


class DocumentError(NasError):
    """A YAML file cannot be read or breaks a rule."""


class SpaceError(NasError):
    """A search space, or an answer to one of its choices, breaks a rule."""


class PathError(NasError):
    """A name that somebody else wrote would lead out of the folder that it belongs in."""


class RegistryError(NasError):
    """A name is unknown, owned twice, or its owner cannot be loaded."""


class BenchmarkError(NasError):
    """A benchmark's data is missing or does not fit."""


class DataMissing(BenchmarkError):
    """A benchmark's files, or the package that reads them, are nowhere on this machine."""


class TableError(NasError):
    """A table of trained architectures cannot be read or written, or lacks what is asked of it."""


class StrategyError(NasError):
    """A strategy or pruner is unknown or cannot serve the study."""


class ModelError(NasError):
    """A layer does not fit the shape it is given."""


class LedgerError(NasError):
    """The ledger cannot be opened, is in use, or holds another study of that name."""


class NumberTaken(LedgerError):
    """Another driver of the study began a trial of that number."""


class AtWork(LedgerError):
    """Another driver of the study is at the same evaluation."""


class LeaseLost(LedgerError):
    """Another driver took the trial over, or ended it; what this one brings is left aside."""


class Parked(LedgerError):
    """The ledger is away or its disk is full; what is finished is kept, and the same command goes on later."""


class ReportError(NasError):
    """A table, a plot or a page cannot be written as it is asked for."""


class RankingError(NasError):
    """Trials cannot be put in order as it is asked for."""


class ClusterError(NasError):
    """Machines that candidates shall run on cannot be had as they are asked for."""


class SearchError(NasError):
    """A search is asked for something that it cannot do."""


class ExportError(NasError):
    """A network cannot be handed over in the form that it is asked for."""


class ExplainError(NasError):
    """What a network says cannot be explained by the method that is asked for."""


class CompareError(NasError):
    """A comparison of strategies cannot be made as it is asked for, or its runs cannot be kept."""


class Interrupted(BaseException):  # no Exception, so that nothing takes it for a failure of the candidate
    """An evaluation was asked to stop before its end, and did, after it wrote a checkpoint where it can; it has no Record."""


def quote(value: object) -> str:
    """`value` as it stands in a message: its repr on one line, cut at 80 characters."""
    try:
        text = printable(repr(value))
    except ValueError:  # an integer too long for Python to write
        text = f"a {type(value).__name__} too long to show"
    except Exception:  # the repr of a plugin's object may raise anything
        text = f"a {type(value).__name__} that cannot be shown"
    return text if len(text) <= 80 else text[:77] + "..."


def printable(text: object) -> str:
    """`text` on one line with what is no printable character escaped, so that no name or message steers a terminal."""
    line = " ".join(str(text).split())
    return line if line.isprintable() else "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in line)


SHORTEST_PART = 3
"""Letters of a name that is looked for in others."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """The end of an "unknown name" message: the nearest known name, or the shortest that has it in it, then all of them."""
    names = sorted(known)
    near = get_close_matches(str(name), names, n=1)
    if not near and len(str(name)) >= SHORTEST_PART:
        near = sorted((one for one in names if str(name) in one), key=len)[:1]
    suggestion = f"Did you mean {near[0]!r}? " if near else ""
    return f"{suggestion}Known: {', '.join(names) or 'none'}."
