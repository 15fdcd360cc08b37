"""A study as a script holds it: its trials as a table, its best, its leaderboard, and the networks themselves."""

from collections import Counter
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nas.benchmark import Signature
from nas.effects import Effect, Price, effects_of, prices_of
from nas.errors import NasError, SearchError
from nas.ranking import Hypervolume, Row, Table, frame, hypervolume, leaderboard, rank
from nas.records import Ledger, StudyEntry, Trial, default_ledger, shown_url, trials_table, without_password
from nas.records.markup import html_table
from nas.space import Space

if TYPE_CHECKING:
    import pandas as pd
    from torch import nn

    from nas.exporting import HandedOver
    from nas.reports.pictures import Kind
    from nas.reports.pictures.style import Picture

MOST_TABLES = 4
"""Leaderboards that a notebook shows of a study by itself."""


class Study:
    """A study in a ledger; what it shows is read each time it is asked for, so that finals and later runs are in it."""

    def __init__(self, name: str, ledger: str | None = None) -> None:
        """`ledger` is a URL; NAS_LEDGER, or the file in this folder, if not given."""
        self.name = name
        self.ledger = without_password(ledger or default_ledger())

    @cached_property
    def entry(self) -> StudyEntry:
        """The study as the ledger keeps it, with its definition."""
        with Ledger(self.ledger, create=False) as ledger:
            return ledger.study(self.name)

    @cached_property
    def space(self) -> Space:
        """The space as it was when the study began."""
        return self.entry.space

    @property
    def tables(self) -> tuple[Table, ...]:
        """Its leaderboards: finalists first, then the search."""
        with Ledger(self.ledger, create=False) as ledger:
            return leaderboard(ledger, self.name)

    @property
    def trials(self) -> "pd.DataFrame":
        """All trials, one row each: stage (search, final, …), number, state, architecture, figures, choices."""
        with Ledger(self.ledger, create=False) as ledger:
            return trials_table(ledger.trials(self.entry))

    @property
    def leaderboard(self) -> "pd.DataFrame":
        """Its leaderboards as one DataFrame, a row each; `stage`, `budget`, `machine` tell rows apart that do not compare."""
        return frame(self.tables)

    @property
    def best(self) -> Row:
        """The first row of the first leaderboard: the best finalist, or without finalists the best of the search.

        Raises:
            SearchError: no trial is complete.
        """
        tables = self.tables
        if not tables:
            raise SearchError(f"The study {self.name!r} has no complete trial yet.")
        return tables[0].rows[0]

    def hypervolume(self, reference: Mapping[str, float] | None = None) -> Hypervolume:
        """How much the front of what the search found dominates, up to `reference` (figure → value) or one beyond its nadir.

        Two studies compare only where they are given one reference. Where not all rows compare, it is of the largest table.

        Raises:
            SearchError: no trial is complete.
            LedgerError: `reference` is not one number for each objective.
        """
        tables = [table for table in self.tables if table.stage == "search"]
        if not tables:
            raise SearchError(f"The study {self.name!r} has no complete trial yet.")
        table = max(tables, key=lambda table: len(table.rows))
        rows = [{name: summary.mean for name, summary in row.figures.items()} for row in table.rows]
        return hypervolume(rows, table.objectives, reference)

    def effects(self, *figures: str) -> tuple[Effect, ...]:
        """What each choice does to each of `figures`, or to the objectives, as far as the trials of the search tell.

        Raises:
            LedgerError: no complete trial has one of `figures`.
        """
        with Ledger(self.ledger, create=False) as ledger:
            return effects_of(self.entry, ledger.trials(self.entry, "search"), figures=figures or None)

    def prices(self, *figures: str, cost: str | None = None, more: float | None = None) -> tuple[Price, ...]:
        """What more of `cost`, or of latency, parameters and FLOPs, buys of each of `figures`, or of the objectives.

        Raises:
            LedgerError: no complete trial has one of `figures`, or `cost`; or `more` is not above 0.
        """
        with Ledger(self.ledger, create=False) as ledger:
            trials = ledger.trials(self.entry, "search")
        return prices_of(self.entry, trials, figures=figures or None, costs=[cost] if cost else None, more=more)

    def build(self, row: Row | Trial | None = None, *, seed: int | None = None) -> "nn.Sequential":
        """The untrained network of `row`, or of the best: an ordinary torch module. `weights_of` finds trained weights.

        Raises:
            SearchError: the study is on a table.
        """
        if "table" in self.entry.definition["benchmark"]:
            raise SearchError(f"The study {self.name!r} is on a table, which does not tell how its networks are built.")
        from nas.models import build
        from nas.training.grouping import group

        asked = self.entry.definition["benchmark"]
        network = build(self.space, (row or self.best).architecture, Signature.from_data(asked["signature"]), seed=seed)
        if asked["recipe"].get("batch_norm") == "group":
            group(network)
        return network

    def plot(self, kind: "Kind" = "pareto") -> "Picture":
        """One picture: pareto, anytime, curves, parallel, importance, marginals or funnel; a figure of Matplotlib's.

        Raises:
            ReportError: there is no such kind, or the trials do not give it.
        """
        from nas.reports.pictures import draw  # brings matplotlib and seaborn

        with Ledger(self.ledger, create=False) as ledger:
            return draw(self.entry, ledger.trials(self.entry), kind)

    def report(self, out: Path | str = "leaderboard.html") -> Path:
        """Write the study's page to `out`; returns its path."""
        from nas.reports import write_report  # brings matplotlib and pandas

        with Ledger(self.ledger, create=False) as ledger:
            return write_report(ledger, self.name, Path(out))

    def export(self, to: Path | str, trial: Row | Trial | None = None, **options: Any) -> "HandedOver":
        """Write the network of `trial`, or of the best, into the folder `to`: source, weights, program, ONNX graph and card.

        `options` are those of `nas.searching.export`: formats, untrained, weights, data, device, and so on.

        Raises:
            NasError: the trial is not complete, or cannot be written.
        """
        from nas.searching.handing_over import export

        chosen = trial.trials[0] if isinstance(trial, Row) else trial
        return export(chosen or self.name, Path(to), ledger=self.ledger, **options)

    def _repr_html_(self) -> str | None:
        """What a notebook shows: what was asked, how far it is, and the leaderboards; None where the ledger cannot be read."""
        try:
            with Ledger(self.ledger, create=False) as ledger:
                trials = ledger.trials(self.entry)
        except NasError:
            return None  # and its repr is shown
        given = self.entry.definition
        states = Counter(trial.state for trial in trials)
        asked = [
            ("study", self.name),
            ("space", f"{given['space']['name']} v{given['space']['version']}"),
            ("benchmark", f"{given['benchmark']['name']} v{given['benchmark']['version']}"),
            ("limits", ", ".join(given["limits"]) or "none"),
            ("trials", ", ".join(f"{count:,} {state}" for state, count in states.most_common()) or "none yet"),
        ]
        tables = rank((self.entry, trial) for trial in trials)
        return html_table((), asked) + "".join(table._repr_html_() for table in tables[:MOST_TABLES])

    def __repr__(self) -> str:
        return f"Study({self.name!r}, ledger={shown_url(self.ledger)!r})"
