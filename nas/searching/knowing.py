"""What a study knows: the results of its architectures, of equal networks under other names, and of other studies' trials."""

from collections.abc import Iterable
from dataclasses import replace
from functools import cached_property

from nas.errors import ModelError
from nas.records import Ledger, Record, Trial
from nas.searching.config import SearchConfig
from nas.space import Architecture, broken_limits


class Known:
    """The results of one study, so that nothing is trained twice."""

    def __init__(self, ledger: Ledger, config: SearchConfig, *, trains: bool) -> None:
        """Know nothing yet; where no network is built (not `trains`), nothing tells that two are equal."""
        self.ledger = ledger
        self.config = config
        self.trains = trains
        self.by_id: dict[str, Trial] = {}
        """Architecture's id → the trial of this study that has the result."""
        self.sources: set[int] = set()
        """The trials whose results this study has, its own and those of other studies."""

    def __len__(self) -> int:
        return len(self.by_id)

    def __contains__(self, architecture: Architecture) -> bool:
        return architecture.id in self.by_id

    @property
    def trials(self) -> Iterable[Trial]:
        """Those that have the results, in their order."""
        return self.by_id.values()

    def add(self, trial: Trial) -> None:
        """Know what came of `trial`, if that is not known already."""
        self.by_id.setdefault(trial.architecture.id, _slim(trial))
        self.sources.add(trial.reused_from or trial.id)
        if "networks" in vars(self):
            self.networks.setdefault(self.network(trial.architecture), trial)

    def repeats(self, trial: Trial) -> bool:
        """Whether the study had the result of `trial` before."""
        return trial.architecture in self or trial.reused_from in self.sources

    def by_source(self) -> Iterable[Trial]:
        """Of trials that share a result the first, so that each result is there once."""
        return {trial.reused_from or trial.id: trial for trial in reversed(self.by_id.values())}.values()

    def remembered(self, architecture: Architecture, key: str) -> tuple[Record | None, int | None]:
        """The Record of the same work done before, in this study or another, and the trial that did it.

        In this study an equal network under another name is the same work.
        """
        known = self.by_id.get(architecture.id) or self.twin(architecture)
        if known is not None:
            whole = self.ledger.find(known.evaluation) if known.state == "complete" else None
            return (whole[1] if whole else known.record), known.reused_from or known.id
        found = self.ledger.find(key)
        if found is None:
            return None, None
        trial_id, record = found
        broken = broken_limits(record.figures, self.config.all_limits)  # that study may have had other limits
        return (replace(record, outcome="infeasible", broken_limits=broken) if broken else record), trial_id

    def twin(self, architecture: Architecture) -> Trial | None:
        """The trial of this study that has the result of an equal network; None where there is none, or nothing can tell."""
        if not self.trains:
            return None
        return self.networks.get(self.network(architecture))

    @cached_property
    def networks(self) -> dict[str, Trial]:
        """Network's id → the trial of this study that has its result; made for the first new candidate, since it loads torch."""
        found: dict[str, Trial] = {}
        for trial in self.trials:
            found.setdefault(self.network(trial.architecture), trial)
        return found

    def network(self, architecture: Architecture) -> str:
        """What names the network of `architecture`; one whose layers do not fit is none, and has a name of its own."""
        from nas.models import network_id

        try:
            return network_id(self.config.space, architecture, self.config.on.signature)
        except ModelError:
            return architecture.id

    def last_error(self) -> str:
        """Of the candidate that failed last."""
        last = [trial for trial in self.trials if trial.state == "failed"][-1]
        assert last.record is not None and last.record.error is not None  # noqa: S101, PT018 - failed
        return f"{last.record.error.kind}: {last.record.error.message}"

    @property
    def from_others(self) -> str:
        """How many results other studies in the ledger had, in a sentence: no pruner stopped these, and no line told them."""
        own = {trial.id for trial in self.trials}
        taken = [trial for trial in self.trials if trial.reused_from is not None and trial.reused_from not in own]
        number = sum(trial.state != "infeasible" for trial in taken)
        if not number:
            return ""
        return f" {number:,} of the results {'was' if number == 1 else 'were'} known from other studies in this ledger."


def _slim(trial: Trial) -> Trial:
    """`trial` without its curves, which the ledger has, so that thousands can be known."""
    if trial.state != "complete" or trial.record is None:
        return trial
    return replace(trial, proposal={}, record=replace(trial.record, curve=(), replicates=()))
