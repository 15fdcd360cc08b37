"""What samplers note on the study: read out to be kept with the trial that is told next, and given back when a run goes on.

A note may tell of trials by their places in the study in memory, such as the parents of a generation. Kept it tells of them by
their numbers in the ledger, since places are others in another driver and in a later run.
"""

import re
from collections.abc import Mapping, MutableMapping
from typing import Any

from optuna.storages import InMemoryStorage

DROPPED = "nas-dropped"
"""What a trial is marked with that ended without a result, and that may run elsewhere."""

PARENTS = re.compile(r".*:parent:\d+")
"""The notes of evolutions: the trials that a generation descends from."""

COUNTERS = re.compile(r"qmc:.*")
"""The notes of sequences: how many points were drawn."""


class Notes:
    """What is noted on one study."""

    def __init__(self, storage: InMemoryStorage, study_id: int, numbers: MutableMapping[int, int]) -> None:
        """`numbers`: place in the study → number in the ledger."""
        self.storage = storage
        self.study_id = study_id
        self.numbers = numbers
        self.noted = dict(storage.get_study_system_attrs(study_id))
        self.waiting: dict[str, list[int]] = {}
        """Notes of trials of which not all are here yet."""

    def new(self) -> dict[str, Any]:
        """What was noted since this was asked last, as plain data to be kept."""
        notes = self.storage.get_study_system_attrs(self.study_id)
        new = {key: value for key, value in notes.items() if key not in self.noted or self.noted[key] != value}
        self.noted = dict(notes)
        kept = {
            key: [self.numbers[self._place(one)] for one in value] if PARENTS.fullmatch(key) else value
            for key, value in new.items()
        }
        return {"study": plain(kept)} if kept else {}

    def give(self, notes: Mapping[str, Any]) -> None:
        """Note what was kept. What this driver has noted of a generation stays, and a counter never goes back."""
        for key, value in notes.items():
            if PARENTS.fullmatch(key):
                self.waiting.setdefault(key, value)
            elif not COUNTERS.fullmatch(key) or value > self.noted.get(key, -1):
                self._set(key, value)

    def recall(self) -> None:
        """Note the parents of generations, now that trials have come."""
        if not self.waiting:
            return
        known = self.storage.get_study_system_attrs(self.study_id)
        places = {number: place for place, number in self.numbers.items()}
        for key, numbers in [*self.waiting.items()]:
            if key in known:
                del self.waiting[key]
            elif all(number in places for number in numbers):
                del self.waiting[key]
                self._set(key, [self.storage.get_trial_id_from_study_id_trial_number(self.study_id, places[n]) for n in numbers])

    def _set(self, key: str, value: Any) -> None:
        self.storage.set_study_system_attr(self.study_id, key, value)
        self.noted[key] = value

    def _place(self, trial_id: int) -> int:
        return self.storage.get_trial_number_from_id(trial_id)


def plain(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """What a sampler noted, as far as JSON can hold it."""
    kinds = (str, int, float, bool, list, dict, tuple, type(None))
    return {key: value for key, value in attributes.items() if isinstance(value, kinds)}
