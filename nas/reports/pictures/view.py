"""What pictures are drawn from: a study, its trials and its leaderboards."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from nas.benchmark import Objective
from nas.errors import ReportError
from nas.ranking import Table, rank
from nas.records import StudyEntry, Trial
from nas.space import Limit


@dataclass(frozen=True)
class View:
    """A study as it is drawn."""

    entry: StudyEntry
    trials: Sequence[Trial]

    @cached_property
    def search(self) -> list[Trial]:
        """The trials of the search, as they were proposed."""
        return sorted((trial for trial in self.trials if trial.stage == "search"), key=lambda trial: trial.number)

    @cached_property
    def objectives(self) -> tuple[Objective, ...]:
        """What the study steers by."""
        return tuple(Objective(**objective) for objective in self.entry.definition["objectives"])

    @cached_property
    def limits(self) -> tuple[Limit, ...]:
        """What it keeps to."""
        return tuple(map(Limit.parse, self.entry.definition["limits"]))

    @cached_property
    def tables(self) -> tuple[Table, ...]:
        """Its leaderboards."""
        return rank((self.entry, trial) for trial in self.trials)

    def table(self, stage: str) -> Table | None:
        """The largest leaderboard of a stage, whose rows compare; None where it has none."""
        return max((table for table in self.tables if table.stage == stage), key=lambda table: len(table.rows), default=None)

    @property
    def board(self) -> Table:
        """The largest leaderboard of the search.

        Raises:
            ReportError: no trial is complete.
        """
        found = self.table("search")
        if found is None:
            raise ReportError("no trial is complete yet")
        return found
