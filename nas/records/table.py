"""A study as a table: one row a trial, in the columns that tabular benchmarks use too.

`choice:NAME` the architecture; `FIGURE` a figure, by its name in the Record; beside them what names the trial.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from nas.records.trials import Trial

if TYPE_CHECKING:
    import pandas as pd


def trials_table(trials: Iterable[Trial]) -> "pd.DataFrame":
    """One row a trial, in the order of their numbers; a figure that was not measured is missing, never 0."""
    import pandas as pd  # half a second that a leaderboard does not need

    return pd.DataFrame([_row(trial) for trial in trials])


def _row(trial: Trial) -> dict[str, Any]:
    record = trial.record
    row: dict[str, Any] = {
        "number": trial.number,
        "stage": trial.stage,
        "state": trial.state,
        "architecture": trial.architecture.id,
        "reused": trial.reused_from is not None,
    }
    if record is not None:
        row |= record.figures
        row |= {
            "seed": record.seed,
            "epochs": record.curve[-1].epoch if record.curve else 0,  # a table may know some epochs only
            "seconds": record.seconds,
            "device": record.device,
            "error": record.error.kind if record.error else None,
            "broken_limits": "; ".join(record.broken_limits) or None,
        }
    row |= {f"choice:{name}": value for name, value in trial.architecture.choices.items()}
    return row
