"""Which trial of a study is meant: by its number, its id in the ledger, or the beginning of its architecture's id."""

import re
from collections.abc import Sequence

from nas.errors import LedgerError, quote
from nas.records import Stage, Trial
from nas.reports.trials import in_order

_NUMBER = re.compile(r"[0-9]{1,9}")
_ID = re.compile(r"id:([0-9]{1,18})")
_ARCHITECTURE = re.compile(r"[0-9a-f]{4,16}")


def find_trial(trials: Sequence[Trial], named: str, stage: Stage | None = None) -> Trial:
    """The trial that `named` means among those of a study, of one stage where asked.

    A number is that of a search's trial if no stage is asked for. Of an architecture that was tried several times it is the first
    trial that was evaluated.

    Raises:
        LedgerError: it means none, or the beginning of several architectures' ids.
    """
    study = trials[0].study if trials else "this study"
    trials = in_order(trials)
    if match := _ID.fullmatch(named):
        found = [trial for trial in trials if trial.id == int(match[1])]
    elif _NUMBER.fullmatch(named):
        found = [trial for trial in trials if trial.number == int(named) and trial.stage == (stage or "search")]
    elif _ARCHITECTURE.fullmatch(named):
        found = [trial for trial in trials if trial.architecture.id.startswith(named) and stage in {None, trial.stage}]
        if len(ids := dict.fromkeys(trial.architecture.id for trial in found)) > 1:
            raise LedgerError(f"Several architectures begin with {named!r}: {', '.join(list(ids)[:5])}; give more of the id.")
    else:
        raise LedgerError(f"A trial is its number, id:N, or the beginning of its architecture's id, got {quote(named)}.")
    if not found:
        kind = f"{stage} " if stage else "search " if _NUMBER.fullmatch(named) else ""
        raise LedgerError(f"No {kind}trial of {study} is {named!r}. {_there(trials)}")
    return next((trial for trial in found if trial.reused_from is None and trial.record is not None), found[0])


def _there(trials: Sequence[Trial]) -> str:
    """What there is, by stage."""
    stages: dict[str, list[int]] = {}
    for trial in trials:
        stages.setdefault(trial.stage, []).append(trial.number)
    ranges = [f"{stage} {min(numbers)} to {max(numbers)}" for stage, numbers in stages.items()]
    return f"There are {', '.join(ranges)}; see `nas trials`." if ranges else "Nothing has been tried yet."
