"""How the finalists of a study hold, after the fact: networks that were trained and kept before are attacked and asked."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from nas.errors import SearchError, quote
from nas.ranking import rank
from nas.records import Ledger, StudyEntry, Trial, default_ledger
from nas.searching.asking import SPLITS, Asked, OnAsked, ask_trainings, every_corruption, told_of, usual_measures
from nas.searching.retraining import benchmark_of
from nas.searching.weights import KEPT


def ask(
    named: str,
    measures: Iterable[str] = (),
    *,
    each: bool = False,
    split: str = "test",
    top: int | None = None,
    ledger: str | None = None,
    data: Path | None = None,
    device: str | None = None,
    threads: int = 1,
    keep: bool = True,
    on_asked: OnAsked = lambda _, __, ___: None,
) -> Asked:
    """Ask the finalists of a study, or of STUDY:NUMBER or STUDY:ID the trainings of that architecture, what `measures` name.

    With them what was made of them is asked (see `nas.searching.derive`). Networks are those whose weights are kept. Without
    measures `usual_measures` are asked; with `each` every corruption of every severity too. With `keep` the figures join the
    Records in the ledger, training by training, so that a leaderboard has them; what a Record has already is not asked again.
    Test data are read, as in finals, unless `split` is "validation". `top` is how many architectures are asked.

    Raises:
        NasError: there is no such study or trial, none has kept weights, or the benchmark is not made for a measure.
    """
    if split not in SPLITS:
        raise SearchError(f"Finalists are asked on {' or '.join(SPLITS)} data, got {quote(split)}.")
    url = ledger or default_ledger()
    with Ledger(url, create=False) as book:
        entry, trials = _trainings(book, named, top)
        if "table" in entry.definition["benchmark"]:
            raise SearchError(f"The study {entry.name!r} is on a table, whose networks are not there to be asked.")
        benchmark = benchmark_of(entry, data)
        names = benchmark.ask_for([*measures, *(every_corruption(benchmark) if each else ())]) or usual_measures(benchmark)
    return ask_trainings(
        url,
        entry,
        benchmark,
        trials,
        names,
        split=split,
        data=data,
        device=device,
        threads=threads,
        keep=keep,
        on_asked=on_asked,
    )


def _trainings(book: Ledger, named: str, top: int | None) -> tuple[StudyEntry, list[Trial]]:
    """The study, and the complete trainings of its finalists, or of the architecture that is named, best first."""
    from nas.reports.finding import find_trial  # brings rich, which no search needs

    study, colon, which = named.partition(":")
    entry = book.study(study)
    trials = book.trials(entry)
    if colon:
        chosen = [find_trial(trials, which).architecture.id]
    else:
        tables = rank((entry, trial) for trial in trials if trial.stage == "final")
        chosen = list(dict.fromkeys(row.architecture.id for table in tables for row in table.rows))[:top]
    ended = [trial for trial in trials if trial.stage in KEPT and trial.state == "complete" and trial.record is not None]
    found = [trial for one in chosen for trial in ended if trial.stage == "final" and trial.architecture.id == one]
    made = {trial.evaluation: trial for trial in ended if trial.record and trial.record.derived}
    beside = [trial for trial in made.values() if _origin(trial, made) in {one.evaluation for one in found}]
    return entry, [*found, *sorted(beside, key=lambda trial: (told_of(trial), trial.number))]


def _origin(trial: Trial, made: Mapping[str, Trial]) -> str:
    """The work of the finalist that `trial` was made of, in one step or several."""
    derived = trial.record.derived if trial.record else None
    if derived is None:
        return trial.evaluation
    return _origin(made[derived.parent], made) if derived.parent in made else derived.parent
