"""Whether an evaluation that was done again gave the same: to the last bit, within a tolerance, or not, and what may be why.

    then, now → a check for each thing in its order → verdict        no torch: two Records are all it takes

Figures of time and memory are never required to be equal: they stand beside each other with their intervals.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from math import sqrt
from typing import Any, Literal

from nas.records.record import FIGURES, Epoch, Record, figure_kind

Verdict = Literal["bit-equal", "within tolerance", "different"]

SHARE = 0.02
"""Of the figure, that it may differ by where no deviation over seeds is known."""

SAME = ("params", "macs", "flops", "size_bytes")
"""Figures that follow from the network alone."""

WITHIN = 0.95
"""Of two trainings from two seeds, how many differ by no more than `Deviation.limit`."""

Kind = Literal["identity", "bits", "figure", "measured"]
"""Must be equal · must be equal to be bit-equal · and else within tolerance · need not be equal."""


@dataclass(frozen=True)
class Deviation:
    """How far a figure deviates from seed to seed."""

    value: float
    """The standard deviation."""
    freedom: int
    """Degrees of freedom that it is known from: trainings, less one for each architecture."""

    @property
    def factor(self) -> float:
        """t √2: deviations that the difference of two trainings stays within in 19 of 20 cases.

        Of many degrees of freedom it is the 2.8 of ISO 5725-6 (sec. 4.1), which takes the deviation to be known; of one it is 18.
        """
        from scipy.special import stdtrit

        return float(stdtrit(self.freedom, (1 + WITHIN) / 2)) * sqrt(2)

    @property
    def limit(self) -> float:
        """The most that two trainings differ by in 19 of 20 cases."""
        return self.factor * self.value

    def __str__(self) -> str:
        return (
            f"{self.factor:.2g} deviations over seeds, known from {self.freedom:,} degree{'s' * (self.freedom != 1)} of freedom"
        )


@dataclass(frozen=True, kw_only=True)
class Check:
    """One thing, then and now."""

    what: str
    kind: Kind
    then: Any
    now: Any
    equal: bool | None
    """None where one of the two does not tell."""
    difference: float | None = None
    """Of numbers that are not equal, how far apart they are; of curves the most at any point."""
    tolerance: float | None = None
    """The most that a figure may differ by."""
    basis: str = ""
    """Where the tolerance comes from, or what is to be known of the check."""

    @property
    def holds(self) -> bool:
        """Whether it is equal, near enough, or cannot be told."""
        if self.equal is not False or self.kind == "measured":
            return True
        return self.difference is not None and self.tolerance is not None and self.difference <= self.tolerance


@dataclass(frozen=True, kw_only=True)
class Difference:
    """A condition that is another now."""

    what: str
    then: str
    now: str

    def __str__(self) -> str:
        return f"{self.what} {self.then}, now {self.now}"


@dataclass(frozen=True, kw_only=True)
class Reproduction:
    """What came of doing an evaluation again."""

    checks: tuple[Check, ...]
    """In the order in which an evaluation goes."""
    differences: tuple[Difference, ...]
    """Conditions that are others now."""
    doubts: tuple[str, ...]
    """Why it need not be bit-equal even under equal conditions, as sentences."""

    @property
    def verdict(self) -> Verdict:
        """Bit-equal where all that can be told is; different where an identity is another, or a figure out of tolerance."""
        asked = [check for check in self.checks if check.kind != "measured"]
        if all(check.equal is not False for check in asked):
            return "bit-equal"
        wrong = any(check.kind in {"identity", "figure"} and not check.holds for check in asked)
        return "different" if wrong else "within tolerance"

    @property
    def sentence(self) -> str:
        """The verdict in one sentence: what was equal, or what was not and what may be why."""
        if self.verdict == "bit-equal":
            told = [check for check in self.checks if check.equal and check.kind != "measured"]
            unknown = [check.what for check in self.checks if check.equal is None and check.kind != "measured"]
            which = f"all {len(told)} checks are equal to the last bit" if len(told) != 1 else "the one check is equal"
            silent = f"; the record does not tell {_listed(unknown)}" if unknown else ""
            though = f", though {_listed(map(str, self.differences))}" if self.differences else ""
            return f"Bit-equal: {which}{though}{silent}."
        off = [check for check in self.checks if check.equal is False and check.kind != "measured"]
        if self.verdict == "different":
            named = [check for check in off if not check.holds and check.kind != "bits"]
        else:
            named = [check for check in off if check.kind == "figure"] or off
        told_of = "; ".join(_in_words(check) for check in named[:3]) + (f"; and {len(named) - 3} more" if len(named) > 3 else "")
        return f"{self.verdict.capitalize()}: {told_of}. {self.why}"

    @property
    def why(self) -> str:
        """What may be the cause of what is not bit-equal, as sentences."""
        sentences = []
        if self.differences:
            sentences.append(f"Other than then: {_listed(map(str, self.differences))}.")
        sentences += self.doubts
        return " ".join(sentences) or "Nothing that the record tells of the conditions differs."

    def to_data(self) -> dict[str, Any]:
        """Plain data, ready for JSON."""
        return {
            "verdict": self.verdict,
            "sentence": self.sentence,
            "checks": [{**asdict(check), "holds": check.holds} for check in self.checks],
            "differences": [asdict(difference) for difference in self.differences],
            "doubts": list(self.doubts),
        }


def judge(
    then: Record,
    now: Record,
    *,
    architecture: tuple[str, str] | None = None,
    deviations: Mapping[str, Deviation] | None = None,
    share: float = SHARE,
    doubts: Sequence[str] = (),
) -> Reproduction:
    """What came of an evaluation, whose Record is `then`, that was done again as `now`.

    `architecture` are the ids of what was trained then and now. A figure may differ by the limit of its `deviations` over
    seeds, by name, and by `share` of itself where none is known. `doubts` are sentences on why it need not be bit-equal.
    """
    checks: list[Check] = []
    if architecture is not None:
        checks.append(_check("architecture", "identity", *architecture))
    checks.append(_check("network", "identity", then.network_id, now.network_id))
    checks += [_check(name, "identity", then.figures.get(name), now.figures.get(name)) for name in SAME if name in then.figures]
    checks.append(_check("data", "identity", then.data_sha256, now.data_sha256))
    checks.append(_outcomes(then, now))
    checks += _curves(then, now)
    checks += _weights(then, now)
    checks += _figures(then, now, deviations or {}, share)
    checks += _measured(then, now)
    checks = [check for check in checks if not (check.then is None and check.now is None)]
    return Reproduction(checks=tuple(checks), differences=tuple(differences(then, now)), doubts=(*doubts, *_doubts(then, now)))


def differences(then: Record, now: Record) -> Iterator[Difference]:
    """The conditions that two Records tell to be others: machine, device, how it was used, versions, data."""
    for name in dict.fromkeys((*then.versions, *now.versions)):
        if then.versions and then.versions.get(name) != now.versions.get(name):
            yield Difference(what=name, then=then.versions.get(name, "absent"), now=now.versions.get(name, "absent"))
    if then.commit is not None and then.commit != now.commit:
        yield Difference(what="harness commit", then=then.commit, now=now.commit or "unknown")
    if then.machine != now.machine:
        yield Difference(what="machine", then=str(then.machine), now=str(now.machine))
    for name in ("device", "threads", "precision", "compile", "processes", "loading", "seed", "budget"):
        before, after = getattr(then, name), getattr(now, name)
        if before != after and None not in (before, after):
            yield Difference(what=name, then=str(before), now=str(after))
    if then.data_sha256 and now.data_sha256 and then.data_sha256 != now.data_sha256:
        yield Difference(what="data", then=then.data_sha256[:12], now=now.data_sha256[:12])


def _check(what: str, kind: Kind, then: Any, now: Any, **more: Any) -> Check:
    equal = None if then is None or now is None else then == now
    return Check(what=what, kind=kind, then=then, now=now, equal=equal, **more)


def measured_out(record: Record) -> bool:
    """Whether limits of measured figures alone decided that it is infeasible, and another measurement may decide otherwise."""
    decided = [FIGURES.get(limit.split()[0]) for limit in record.broken_limits]
    by_measuring = all(kind is not None and kind.known == "measured" for kind in decided)
    return record.outcome == "infeasible" and not record.curve and bool(decided) and by_measuring


def _outcomes(then: Record, now: Record) -> Check:
    if not measured_out(then) or now.error is not None:
        return _check("outcome", "identity", _outcome(then), _outcome(now))
    after = "infeasible" if now.outcome == "infeasible" else "within limits"
    return _check("outcome", "measured", "infeasible", after, basis=f"then {_listed(then.broken_limits)}")


def _outcome(record: Record) -> str:
    return f"{record.outcome}, {record.error.kind}" if record.error else record.outcome


def _curves(then: Record, now: Record) -> Iterator[Check]:
    """The learning curve, or of replicates that of each."""
    if then.replicates or now.replicates:
        again = {one.seed: one.curve for one in now.replicates}
        for one in then.replicates:
            yield _curve(f"learning curve of seed {one.seed}", one.curve, again.get(one.seed, ()))
    elif then.curve or now.curve:
        yield _curve("learning curve", then.curve, now.curve)


def _curve(what: str, then: Sequence[Epoch], now: Sequence[Epoch]) -> Check:
    """Losses and figures of each epoch; seconds are none of it."""
    first = next((a.epoch for a, b in zip(then, now, strict=False) if a.told != b.told), None)
    apart = [abs(a.told[name] - b.told[name]) for a, b in zip(then, now, strict=False) for name in a.told if name in b.told]
    equal = first is None and len(then) == len(now)
    return Check(
        what=what,
        kind="bits",
        then=_epochs(then),
        now=_epochs(now),
        equal=equal,
        difference=None if equal or not apart else max(apart),
        basis="" if first is None else f"first other at epoch {first}",
    )


def _epochs(curve: Sequence[Epoch]) -> str:
    return f"{len(curve)} epoch{'s' * (len(curve) != 1)}"


def _weights(then: Record, now: Record) -> Iterator[Check]:
    if then.replicates or now.replicates:
        again = {one.seed: one.weights_sha256 for one in now.replicates}
        for one in then.replicates:
            yield _check(f"weights of seed {one.seed}", "bits", one.weights_sha256, again.get(one.seed))
    else:
        yield _check("weights", "bits", then.weights_sha256, now.weights_sha256)


def _figures(then: Record, now: Record, deviations: Mapping[str, Deviation], share: float) -> Iterator[Check]:
    """What a network is worth, and its scores."""
    for name, before in then.figures.items():
        if _is_a_cost(name):
            continue
        after = now.figures.get(name)
        deviation = deviations.get(name)
        yield Check(
            what=name,
            kind="figure",
            then=before,
            now=after,
            equal=before == after,
            difference=None if after is None or before == after else abs(after - before),
            tolerance=deviation.limit if deviation and deviation.value else share * abs(before),
            basis=str(deviation) if deviation and deviation.value else f"{100 * share:g} % of the figure",
        )


def _is_a_cost(name: str) -> bool:
    """Whether a figure is what a network costs, and not what it is worth: one that every evaluation gives, or a time."""
    kind = figure_kind(name)
    return name.partition(":")[0] in FIGURES or (kind is not None and kind.unit == "s")


def _measured(then: Record, now: Record) -> Iterator[Check]:
    for name, before in then.figures.items():
        if not _is_a_cost(name) or name in SAME:
            continue
        after, basis = now.figures.get(name), ""
        if name == "latency_ms" and then.latency and now.latency:
            spans = [f"[{one.low_ms:.3g}, {one.high_ms:.3g}]" for one in (then.latency, now.latency)]
            meet = then.latency.low_ms <= now.latency.high_ms and now.latency.low_ms <= then.latency.high_ms
            basis = f"{spans[0]} and {spans[1]} {'meet' if meet else 'do not meet'}"
        apart = None if after is None else abs(after - before)
        yield Check(
            what=name,
            kind="measured",
            then=before,
            now=after,
            equal=None if after is None else before == after,
            difference=apart,
            basis=basis,
        )


def _doubts(then: Record, now: Record) -> Iterator[str]:
    """Why equal conditions need not give equal bits."""
    if not then.device.startswith(("cpu", "table")):
        yield f"On {then.device} sums are taken in an order that chance decides."
    if then.budget.seconds is not None:
        yield "The clock may have ended the training, which had a budget of seconds."
    if any("Out of memory" in note for note in (*then.notes, *now.notes)):
        yield "Batches were halved where memory ran out."
    if any(note.startswith("Trained together") for note in (*then.notes, *now.notes)):
        yield "Replicates were trained together, which rounds otherwise and is chosen by time."
    if then.commit is not None and then.commit.endswith("-dirty"):
        yield "The harness had uncommitted changes then."


def _in_words(check: Check) -> str:
    if check.kind == "figure" and check.difference is not None and check.tolerance is not None:
        sign = "≤" if check.holds else ">"
        return (
            f"{check.what} {check.then:.6g} then, {check.now:.6g} now "
            f"(|Δ| {check.difference:.2g} {sign} {check.tolerance:.2g}, {check.basis})"
        )
    if check.kind == "bits" and check.basis:
        return f"{check.what} is another ({check.basis})"
    return f"{check.what} {short(check.then)} then, {short(check.now)} now"


def short(value: Any) -> str:
    """A value of a check in words; of a digest the beginning."""
    if isinstance(value, str) and len(value) == 64:
        return value[:12]
    return "absent" if value is None else f"{value:,}" if isinstance(value, int | float) else str(value)


def _listed(words: Iterable[str]) -> str:
    return "; ".join(words)
