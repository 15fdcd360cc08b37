"""How far the order of a search may be trusted: Kendall's τ between its cheap figures and those of training in full.

An audit trains a sample of all that a search found again, from scratch and in full (see `nas.ranking.sampling`). From it follow:

    τ           between the search's order of all its architectures and the order after full training: Kendall's τ-b (1945,
                doi:10.1093/biomet/33.3.239), its pairs weighed by the inverse of the probability that the sample has them
    interval    on the scale of Fisher's z, by a bootstrap over architectures within their strata (Rao & Wu 1988,
                doi:10.1080/01621459.1988.10478591), in which luck of training is drawn anew with them; never narrower than what
                Fieller, Hartley & Pearson (1957, doi:10.1093/biomet/44.3-4.470) found for so many
    ceiling     the τ that a perfect order would reach, since full training has luck too; where something was trained twice
    regret      how much better the best that was audited is than what the search puts first
    budgets     τ of the order after so many epochs of full training with that at its end
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import fmean
from typing import TYPE_CHECKING, Any

from nas.benchmark import Budget, Objective
from nas.errors import LedgerError
from nas.ranking.concordance import best_by_luck, interval, pooled_deviation, reliability, tau_b, tau_of_truth, without_luck
from nas.ranking.leaderboard import Row, Table, leaderboard
from nas.ranking.sampling import Stratum, draw, lots, observed, pair_weights, places
from nas.records import SCORES, Ledger, Record, Setting, StudyEntry, Trial, figure_kind
from nas.space import Architecture

if TYPE_CHECKING:
    import numpy as np

    Floats = np.ndarray[Any, np.dtype[np.float64]]

ENOUGH = 0.8
"""The τ from which a budget is said to order as full training does."""

CLOSE = 0.5
"""The τ above which an order agrees, and below which it agrees in part."""

LEAST = 6
"""Architectures below which nothing is said."""


@dataclass(frozen=True, kw_only=True)
class Audited:
    """One architecture that was trained in full."""

    number: int
    """Of its trial in the search."""
    architecture: Architecture
    cheap: float
    """What the search found; of one that it pruned, the last that it saw."""
    cheap_rank: int | None
    """Among all of the search, from 1; None for one that it pruned."""
    real: float
    """After full training, the mean over seeds."""
    real_rank: int
    """Among those audited, from 1."""
    seeds: int
    weight: float
    """How many architectures of the search it stands for; 1 for those taken with certainty, and for pruned ones 0."""
    curve: Mapping[int, float]
    """Epochs of full training → the figure after them, the mean over seeds."""


@dataclass(frozen=True, kw_only=True)
class Reading:
    """How the order after some epochs of full training agrees with that at its end."""

    epochs: int
    tau: float


@dataclass(frozen=True, kw_only=True)
class Audit:
    """What an audit tells of a search."""

    study: str
    cheap: Objective
    """What the search ordered by."""
    real: Objective
    """What full training is ordered by; another than `cheap` where the search went by a score that needs no training."""
    cheap_budget: str
    real_budget: str
    architectures: int
    """That the search found complete, and that τ is about."""
    wanted: int
    """Of the sample; more than `rows` where some are not trained yet, or failed."""
    failed: int
    elsewhere: int
    """Of the sample, trained in another setting alone, which does not compare."""
    rows: tuple[Audited, ...]
    """In the search's order."""
    pruned: tuple[Audited, ...]
    """Of those that the search pruned; they count for the regret alone."""
    tau: float | None
    """None where fewer than three are known, or all are equal."""
    low: float | None
    """Lower end of the 95 % interval."""
    high: float | None
    noise: float | None
    """Standard deviation of one full training's figure from seed to seed, pooled; None where nothing was trained twice."""
    ceiling: float | None
    """The τ of full training with what it is in the mean of many seeds, for figures that are spread normally."""
    corrected: float | None
    """The τ with what full training is in the mean of many seeds (Spearman 1904), as `ceiling`."""
    first: Audited | None
    """What the search puts first; None where it is not known."""
    best: Audited
    regret: float | None
    """How much better `best` is than `first`, in the figure's unit; at least 0."""
    margin: float | None
    """How much the best of so many is above `first` by luck of training alone, were all equal, in 95 of 100 audits at most; None
    where that is not known."""
    tops: tuple[tuple[int, float], ...]
    """k, and how much better `best` is than the best of the search's first k, as far as all of these are known."""
    readings: tuple[Reading, ...]
    """By epochs; empty where full training tells no curve."""
    enough: int | None
    """The fewest epochs of full training from which on the order agrees by ENOUGH; None where there are none."""

    @property
    def within(self) -> float | None:
        """τ among the search's first, as far as all of these are known; None for fewer than four."""
        count = max((k for k, _ in self.tops), default=0)
        some = [row for row in self.rows if row.cheap_rank is not None and row.cheap_rank <= count]
        if count < 4:
            return None
        import numpy as np

        return tau_b(
            _costs(self.cheap, [row.cheap for row in some]),
            _costs(self.real, [row.real for row in some]),
            1.0 - np.eye(len(some)),
        )

    @property
    def told(self) -> bool:
        """Whether the sample tells how the order agrees, rather than being too small to say."""
        if len(self.rows) < LEAST or self.low is None or self.high is None:
            return False
        return self.low > 0 or self.high < CLOSE

    @property
    def sentence(self) -> str:
        """Whether this search may be believed."""
        of = f"{len(self.rows)} of {self.architectures:,} architectures"
        if len(self.rows) < LEAST or self.tau is None or self.low is None or self.high is None:
            more = "take a larger sample" if self.architectures > max(len(self.rows), LEAST - 1) else "search longer for more"
            return f"Too few to say whether this search may be believed: {of} were trained in full; {more}."
        told = f"(τ = {self.tau:.2f}, 95 % {self.low:.2f} to {self.high:.2f}, {of})"
        if self.low >= CLOSE:
            order = f"The search's order agrees with full training {told}"
        elif self.low > 0:
            order = f"The search's order agrees with full training, if not closely {told}"
        elif self.high < CLOSE:
            order = f"The search's order does not agree with full training {told}"
        else:
            order = f"Too few to say whether the search's order agrees with full training {told}"
        return f"{order}; {self._of_the_first()}{self._of_the_top()}."

    def _of_the_first(self) -> str:
        if self.first is None or self.regret is None:
            return "what it puts first has not been trained in full"
        if self.regret == 0:
            return "it may be believed for its first, the best of those audited"
        short = f"short of the best audited by {self.regret:.3g}"
        if self.margin is None:
            return f"its first is {short}, and whether that is more than luck takes several seeds to tell"
        if self.regret <= self.margin:
            return f"it may be believed for its first, which is {short}, within the luck of training"
        place = "one that it pruned" if self.best.cheap_rank is None else f"its number {self.best.cheap_rank}"
        return f"it may not be believed for its first, which is {short}, {place}"

    def _of_the_top(self) -> str:
        within = self.within
        if within is None or within >= CLOSE:
            return ""
        return f"; within its first {max(k for k, _ in self.tops)} the order may not be believed (τ = {within:.2f})"


def objectives_of(entry: StudyEntry) -> tuple[Objective, Objective]:
    """What a study orders by before training in full, and what after it.

    Raises:
        LedgerError: all that it steers by is known without training.
    """
    goals = [Objective(**goal) for goal in entry.definition["objectives"]]
    cheap = next((goal for goal in goals if figure_kind(goal.figure) is None), None)
    if cheap is None:
        names = ", ".join(goal.figure for goal in goals)
        raise LedgerError(f"An audit trains in full, which changes nothing of {names}, by which {entry.name} was searched.")
    if cheap.figure not in SCORES:
        return cheap, cheap
    return cheap, Objective(**entry.definition["benchmark"]["objectives"][0])


@dataclass(frozen=True)
class Found:
    """What a search found, in the order in which it is audited."""

    table: Table
    rows: tuple[Row, ...]
    """The best first."""
    first: str
    """Id of what the search puts first: where it confirmed its best, the best of these."""


def found_by(tables: Sequence[Table], cheap: Objective, until: str | None = None) -> Found | None:
    """The architectures that a search found complete, up to a moment where one is given; None where there are none."""
    searched = max((table for table in tables if table.stage == "search"), key=lambda table: len(table.rows), default=None)
    if searched is None:
        return None
    known = [row for row in searched.rows if until is None or (row.trials[0].ended_at or "") <= until]
    known = [row for row in known if cheap.figure in row.figures]
    rows = sorted(known, key=lambda row: (cheap.cost(row.figures[cheap.figure].mean), row.number))
    if not rows:
        return None
    ids = {row.architecture.id for row in rows}
    again = max((table.rows for table in tables if table.stage == "confirm"), key=len, default=())
    costs = {row.architecture.id: cheap.cost(row.figures[cheap.figure].mean) for row in again if cheap.figure in row.figures}
    confirmed = min((one for one in costs if one in ids), key=costs.__getitem__, default=None)
    return Found(searched, tuple(rows), confirmed or rows[0].architecture.id)


def pruned_by(trials: Sequence[Trial], until: str | None = None) -> dict[str, Trial]:
    """Id → the first trial of each architecture that the search pruned, and never trained to the end."""
    searched = [trial for trial in trials if trial.stage == "search" and trial.state != "running"]
    complete = {trial.architecture.id for trial in searched if trial.state == "complete"}
    found: dict[str, Trial] = {}
    for trial in searched:
        if (
            trial.state == "pruned"
            and trial.architecture.id not in complete
            and (until is None or (trial.ended_at or "") <= until)
        ):
            found.setdefault(trial.architecture.id, trial)
    return found


def audit_of(
    ledger: Ledger, study: str, *, tables: Sequence[Table] | None = None, design: Mapping[str, Any] | None = None
) -> Audit | None:
    """What an audit of `study` tells; None where nothing is audited yet.

    `tables` are those of its leaderboard, where they are known already. `design` is how the sample was drawn; where it is not
    given, that of the last audit that trained something, with whose trials it is kept.

    Raises:
        LedgerError: there is no such study.
    """
    entry = ledger.study(study)
    audits = [trial for trial in ledger.trials(entry, "audit") if trial.state != "running"]
    told = [trial.proposal["audit"] for trial in audits if "audit" in trial.proposal]
    if design is None and (not any(trial.state == "complete" for trial in audits) or not told):
        return None
    latest = told[-1] if design is None else design
    cheap, real = objectives_of(entry)
    found = found_by(leaderboard(ledger, study) if tables is None else tables, cheap, latest["until"])
    if found is None:
        return None
    finals = ledger.trials(entry, "final")
    trainings = full_trainings([*audits, *finals], real, Budget(**latest["budget"]))
    finalists = [one for one in trained_in_full(finals) if one in trainings]
    failed = {trial.architecture.id for trial in audits if trial.state == "failed"} - trainings.keys()
    elsewhere = {
        trial.architecture.id for trial in audits if trial.state == "complete" and _spent(trial, latest)
    } - trainings.keys()
    pruned = pruned_by(ledger.trials(entry, "search"), latest["until"]) if latest["pruned"] else {}
    return _audit(entry, found, trainings, finalists, latest, pruned, len(failed - elsewhere), len(elsewhere))


def _spent(trial: Trial, design: Mapping[str, Any]) -> bool:
    return trial.record is not None and asdict(trial.record.budget) == design["budget"]


def full_trainings(trials: Sequence[Trial], real: Objective, budget: Budget) -> dict[str, list[Record]]:
    """Id → its trainings at `budget` that can be compared, by audits and finals: in one setting, that in which most are known."""
    groups: defaultdict[Setting, dict[str, list[Record]]] = defaultdict(dict)
    for trial in trials:
        record = trial.record
        if trial.state == "complete" and record is not None and record.budget == budget and real.figure in record.figures:
            of_one = groups[record.setting].setdefault(trial.architecture.id, [])
            if record.seed not in [other.seed for other in of_one]:
                of_one.append(record)
    return max(groups.values(), key=len, default={})


def trained_in_full(finals: Iterable[Trial]) -> dict[str, int]:
    """Id → how many trainings of it finals have made."""
    return Counter(trial.architecture.id for trial in finals if trial.state == "complete")


def design_of(entry: StudyEntry, found: Found, finalists: Iterable[str], sample: int) -> tuple[Stratum, ...]:
    """The sample of an audit; finalists are trained in full anyhow, and belong to it."""
    return draw([row.architecture.id for row in found.rows], sample, {found.first, *finalists}, entry.name)


def drawn_of_pruned(entry: StudyEntry, pruned: Mapping[str, Trial], count: int) -> list[str]:
    """Which of those that the search pruned are audited."""
    return lots([*pruned], entry.name)[:count]


def _audit(
    entry: StudyEntry,
    found: Found,
    trainings: Mapping[str, Sequence[Record]],
    finalists: Iterable[str],
    design: Mapping[str, Any],
    pruned: Mapping[str, Trial],
    failed: int,
    elsewhere: int,
) -> Audit | None:
    cheap, real = objectives_of(entry)
    wanted = design_of(entry, found, finalists, design["sample"])
    strata = observed(wanted, trainings)
    if not strata:
        return None
    place = places(strata)
    worth = {one: fmean(record.figures[real.figure] for record in records) for one, records in trainings.items()}
    also = [one for one in drawn_of_pruned(entry, pruned, design["pruned"]) if one in worth]
    order = sorted([*place, *also], key=lambda one: real.cost(worth[one]))
    ranks = {one: 1 + sum(real.cost(worth[other]) < real.cost(worth[one]) for other in order) for one in order}

    def audited(one: str, number: int, architecture: Architecture, figure: float, rank: int | None, weight: float) -> Audited:
        return Audited(
            number=number,
            architecture=architecture,
            cheap=figure,
            cheap_rank=rank,
            real=worth[one],
            real_rank=ranks[one],
            seeds=len(trainings[one]),
            weight=weight,
            curve=_curve(trainings[one], real),
        )

    rows = []
    for number, row in enumerate(found.rows, start=1):
        one = row.architecture.id
        if one in place:
            stratum = strata[place[one]]
            weight = len(stratum.members) / len(stratum.drawn)
            rows.append(audited(one, row.number, row.architecture, row.figures[cheap.figure].mean, number, weight))
    others = [audited(one, pruned[one].number, pruned[one].architecture, _last(pruned[one], cheap), None, 0.0) for one in also]
    sampled = [row.architecture.id for row in rows]
    a, b = [cheap.cost(row.cheap) for row in rows], [real.cost(row.real) for row in rows]
    weights = pair_weights(strata, sampled)
    tau = tau_b(a, b, weights) if len(rows) > 2 else None
    low, high = interval(tau, a, b, strata, sampled) if tau is not None else (None, None)
    everyone = [*rows, *others]
    noise = pooled_deviation([[record.figures[real.figure] for record in trainings[row.architecture.id]] for row in everyone])
    share = None
    if noise is not None and len(rows) > 2:
        luck = [noise**2 / row.seeds for row in rows]
        share = reliability([row.real for row in rows], [row.weight for row in rows], luck)
    best = min(everyone, key=lambda row: row.real_rank)
    first = next((row for row in rows if row.architecture.id == found.first), None)
    margin = None
    if noise is not None and first is not None:
        seeds = [row.seeds for row in everyone]
        margin = noise * best_by_luck(seeds, everyone.index(first), freedom=sum(seeds) - len(seeds))
    readings = _readings(rows, real, weights)
    good = [n for n in range(len(readings)) if all(one.tau >= ENOUGH for one in readings[n:])]
    return Audit(
        study=entry.name,
        cheap=cheap,
        real=real,
        cheap_budget=found.table.budget,
        real_budget=str(trainings[sampled[0]][0].budget),
        architectures=len(found.rows),
        wanted=sum(len(stratum.drawn) for stratum in wanted) + min(design["pruned"], len(pruned)),
        failed=failed,
        elsewhere=elsewhere,
        rows=tuple(rows),
        pruned=tuple(others),
        tau=tau,
        low=low,
        high=high,
        noise=noise,
        ceiling=tau_of_truth(share) if share is not None else None,
        corrected=without_luck(tau, share) if tau is not None and share else None,
        first=first,
        best=best,
        regret=real.cost(first.real) - real.cost(best.real) if first else None,
        margin=margin,
        tops=_tops(rows, best, real),
        readings=readings,
        enough=readings[good[0]].epochs if good else None,
    )


def _last(trial: Trial, cheap: Objective) -> float:
    return trial.record.figures.get(cheap.figure, float("nan")) if trial.record is not None else float("nan")


def _curve(records: Sequence[Record], real: Objective) -> dict[int, float]:
    """Epochs → the mean over trainings, where all of them tell the figure."""
    told: defaultdict[int, list[float]] = defaultdict(list)
    for record in records:
        for point in record.curve:
            if real.figure in point.figures:
                told[point.epoch].append(point.figures[real.figure])
    return {epoch: fmean(values) for epoch, values in sorted(told.items()) if len(values) == len(records)}


def _tops(rows: Sequence[Audited], best: Audited, real: Objective) -> tuple[tuple[int, float], ...]:
    found = []
    for k, row in enumerate(rows, start=1):
        if row.cheap_rank != k:
            break
        found.append((k, min(real.cost(one.real) for one in rows[:k]) - real.cost(best.real)))
    return tuple(found)


def _readings(rows: Sequence[Audited], real: Objective, weights: "Floats") -> tuple[Reading, ...]:
    """At 1, 2, 4, … epochs, and those of full training, as far as all rows tell them."""
    told = set.intersection(*(set(row.curve) for row in rows))
    if not told or len(rows) < 3:
        return ()
    last = max(told)
    wanted = sorted({epochs for epochs in told if epochs & (epochs - 1) == 0 or epochs == last})
    found = []
    for epochs in wanted:
        tau = tau_b([real.cost(row.curve[epochs]) for row in rows], [real.cost(row.real) for row in rows], weights)
        if tau is not None:
            found.append(Reading(epochs=epochs, tau=tau))
    return tuple(found)


def _costs(goal: Objective, figures: Sequence[float]) -> list[float]:
    return [goal.cost(figure) for figure in figures]
