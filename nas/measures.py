"""What a trained network is asked beside its benchmark's own figures, by name: how it holds when its inputs change.

    pgd-linf-8_255   its accuracy under an attack: projected gradient descent, no number changed by more than 8/255
    noise-3          its accuracy on corrupted inputs, by severity 1 to 5
    corruptions      the mean of its accuracy over all corruptions and severities that its kind of input has
    ece              how far its confidence is from its accuracy
    worst-group      its accuracy on the group (a speaker, a source) that it serves worst

A measure of a split is one figure or several of them: `validation_accuracy:pgd-linf-8_255`, `test_ece`. The name says all that
decides about the figure, so that two of one name can be compared. `nas.robustness` says how each is taken.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, Self

from nas.errors import BenchmarkError, did_you_mean, quote

Method = Literal["fgsm", "pgd"]
Norm = Literal["linf", "l2"]

STEPS = 20
"""Of PGD, where its name says no other number."""

MOST_STEPS, MOST_RESTARTS = 1_000, 100

SEVERITIES = (1, 2, 3, 4, 5)

NORMS: Mapping[str, str] = {"linf": "L∞", "l2": "L2"}


@dataclass(frozen=True)
class Corruption:
    """One way in which inputs get worse by themselves."""

    meaning: str
    unit: str
    """Of the severities' values."""
    values: tuple[float, ...]
    """Of severities 1 to 5."""
    source: str


_CIFAR_C = "Hendrycks & Dietterich 2019, arXiv:1903.12261, the values of CIFAR-10-C"
_OURS = "ours"

CORRUPTIONS: Mapping[str, Mapping[str, Corruption]] = {
    "image": {
        "noise": Corruption(
            "Gaussian noise, drawn for each number",
            "standard deviation, as a share of the range from black to white",
            (0.04, 0.06, 0.08, 0.09, 0.10),
            _CIFAR_C,
        ),
        "blur": Corruption(
            "Gaussian blur; the rim is repeated",
            "standard deviation in pixels of a side of 32; larger pictures are blurred in proportion, smaller ones by as many",
            (0.4, 0.6, 0.7, 0.8, 1.0),
            _CIFAR_C,
        ),
        "contrast": Corruption(
            "each channel drawn together around its mean in the picture",
            "share of the contrast that is left",
            (0.75, 0.5, 0.4, 0.3, 0.15),
            _CIFAR_C,
        ),
        "shift": Corruption(
            "moved in a direction that is drawn, by parts of pixels too; the rim is repeated",
            "share of the picture's shorter side",
            (0.03, 0.06, 0.09, 0.12, 0.16),
            _OURS,
        ),
    },
    "sequence": {
        "noise": Corruption(
            "white noise, as loud as the example's own mean square asks for",
            "signal to noise in dB",
            (25, 20, 15, 10, 5),
            _OURS,
        ),
        "speed": Corruption(
            "faster or slower, which is drawn, around its middle; what is missing repeats the end",
            "change of the speed",
            (0.04, 0.08, 0.12, 0.16, 0.20),
            _OURS,
        ),
        "gain": Corruption("louder or softer, which is drawn", "dB", (2, 4, 6, 9, 12), _OURS),
    },
    "tokens": {
        "typos": Corruption(
            "tokens of letters are spelt wrong (two letters swapped, one left out, doubled, or another in its place) and read "
            "again",
            "share of the tokens",
            (0.02, 0.05, 0.10, 0.15, 0.20),
            _OURS,
        ),
        "drop": Corruption(
            "tokens are left out, those before move up", "share of the tokens", (0.05, 0.10, 0.15, 0.20, 0.30), _OURS
        ),
    },
}
"""Kind of input → name → what it does."""

_ATTACK = re.compile(
    r"(?P<method>fgsm|pgd)-(?P<norm>linf|l2)-(?P<eps>[0-9]{1,9}(?:\.[0-9]{1,12})?|[0-9]{1,6}[_/][0-9]{1,6})"
    r"(?:-(?P<steps>[0-9]{1,4})(?:x(?P<restarts>[0-9]{1,3}))?)?"
)
_CORRUPTION = re.compile(r"(?P<name>[a-z]+)-(?P<severity>[0-9]{1,3})")


@dataclass(frozen=True, kw_only=True)
class Attack:
    """Who looks for inputs nearby that a network gets wrong, knowing the network: FGSM (Goodfellow et al. 2015, arXiv:1412.6572)
    in one step, or PGD (Madry et al. 2018, arXiv:1706.06083) in several, from a random start.
    """

    method: Method
    norm: Norm
    told: str
    """ε as it stands in the name: a decimal number, or a fraction with _ for its stroke."""
    steps: int = STEPS
    restarts: int = 1

    def __post_init__(self) -> None:
        if not 1 <= self.steps <= MOST_STEPS or not 1 <= self.restarts <= MOST_RESTARTS:
            raise BenchmarkError(
                f"PGD takes 1 to {MOST_STEPS:,} steps and 1 to {MOST_RESTARTS} restarts, got {self.steps} and {self.restarts}."
            )
        if self.method == "fgsm" and (self.steps, self.restarts) != (1, 1):
            raise BenchmarkError(
                f"FGSM takes one step, without restarts, got {self.steps} and {self.restarts}; name pgd for more."
            )

    @classmethod
    def of(cls, method: Method, norm: Norm, eps: str, steps: int | None = None, restarts: int = 1) -> Self:
        """With `eps` as people write it: 0.1 or 8/255.

        Raises:
            BenchmarkError: ε is no such number, or steps and restarts are out of their range.
        """
        over, stroke, under = eps.replace("/", "_").partition("_")
        if stroke and not int(under):
            raise BenchmarkError(f"ε is a number of at least 0, got {quote(eps)}; write 0.1 or 8/255.")
        told = f"{int(over)}_{int(under)}" if stroke else _shortest(over)
        return cls(
            method=method,
            norm=norm,
            told=told,
            steps=1 if method == "fgsm" else STEPS if steps is None else steps,
            restarts=restarts,
        )

    @property
    def eps(self) -> float:
        """How far an input may be moved, in the raw input's unit: no number by more, or, in L2, all together."""
        over, _, under = self.told.partition("_")
        return float(over) / float(under or 1)

    @property
    def step(self) -> float:
        """How far one step goes: FGSM's to the rim at once, those of PGD two and a half times as far as needed to reach it."""
        return self.eps if self.method == "fgsm" else 2.5 * self.eps / self.steps

    @property
    def name(self) -> str:
        """What `read_measure` reads."""
        more = f"x{self.restarts}" if self.restarts > 1 else ""
        effort = f"-{self.steps}{more}" if self.method == "pgd" and (self.steps != STEPS or more) else ""
        return f"{self.method}-{self.norm}-{self.told}{effort}"

    @property
    def title(self) -> str:
        """As short as a column needs it."""
        effort = f" {self.steps}×{self.restarts}" if self.method == "pgd" and (self.steps, self.restarts) != (STEPS, 1) else ""
        return f"{self.method.upper()} {NORMS[self.norm]} {self.told.replace('_', '/')}{effort}"


def _shortest(number: str) -> str:
    whole, _, part = number.partition(".")
    return f"{int(whole)}.{part.rstrip('0')}".removesuffix(".")


@dataclass(frozen=True, kw_only=True)
class Measure:
    """One thing that a trained network is asked."""

    name: str
    title: str
    """Over a column, beside the figure's own name."""
    meaning: str
    source: str
    figures: tuple[str, ...]
    """What it gives of a split, without the split's name."""
    attack: Attack | None = None
    corruption: tuple[str, int] | None = None
    """Name and severity."""


ECE = ("ece", "ece-mass")
GROUP = "worst-group"
EVERY = "corruptions"

_ALONE: Mapping[str, Measure] = {
    one.name: one
    for one in (
        Measure(
            name="ece",
            title="ECE",
            meaning="mean distance of confidence and accuracy in 15 bins of equal width, weighed by their examples; with the "
            "95 % interval that drawing the examples again gives (1,000 times)",
            source="Guo et al. 2017, arXiv:1706.04599, eq. 3; Efron 1979 for the interval",
            figures=("ece", "ece_low", "ece_high"),
        ),
        Measure(
            name="ece-mass",
            title="ECE, equal mass",
            meaning="as ece, in 15 bins of equally many examples",
            source="Nixon et al. 2019, arXiv:1904.01685, sec. 4.3",
            figures=("ece_mass", "ece_mass_low", "ece_mass_high"),
        ),
        Measure(
            name=GROUP,
            title="worst group",
            meaning="accuracy on the group of examples (of a speaker, of a source) on which it is lowest",
            source="Sagawa et al. 2020, arXiv:1911.08731",
            figures=(f"accuracy:{GROUP}",),
        ),
        Measure(
            name=EVERY,
            title="corrupted",
            meaning="mean of the accuracy over all corruptions and severities that this kind of input has",
            source="Hendrycks & Dietterich 2019, arXiv:1903.12261, sec. 4.2, as accuracy and without a baseline",
            figures=(f"accuracy:{EVERY}",),
        ),
    )
}

KNOWN = (*_ALONE, "pgd-linf-EPS", "pgd-l2-EPS", "fgsm-linf-EPS", "fgsm-l2-EPS", "CORRUPTION-SEVERITY")
"""What `--measure` takes, for messages."""


def read_measure(name: str) -> Measure:
    """The measure called `name`.

    Raises:
        BenchmarkError: there is none; says what there is.
    """
    if name in _ALONE:
        return _ALONE[name]
    if match := _ATTACK.fullmatch(name):
        steps, restarts = (int(match[part]) if match[part] else None for part in ("steps", "restarts"))
        attack = Attack.of(match["method"], match["norm"], match["eps"], steps, restarts or 1)  # type: ignore[arg-type]
        if attack.method == "fgsm" and steps is not None:
            attack = replace(attack, steps=steps)  # which refuses it
        return _of_attack(attack)
    if match := _CORRUPTION.fullmatch(name):
        return _of_corruption(match["name"], int(match["severity"]))
    if name.partition("-")[0] in {"fgsm", "pgd"}:
        raise BenchmarkError(
            f"An attack is named METHOD-NORM-EPS, such as pgd-linf-8/255, fgsm-linf-0.1 or pgd-l2-0.5-50x5 (50 steps, 5 "
            f"restarts), got {quote(name)}."
        )
    raise BenchmarkError(f"No measure is called {quote(name)}. {did_you_mean(name, KNOWN)}")


def _of_attack(attack: Attack) -> Measure:
    how = {
        "fgsm": "a step along the loss's gradient",
        "pgd": f"{attack.steps} steps along the loss's gradient from a random start, {attack.restarts} "
        f"time{'s' * (attack.restarts > 1)}",
    }
    return Measure(
        name=attack.name,
        title=attack.title,
        meaning=f"right answers as it is and after {how[attack.method]}, within ε = {attack.told.replace('_', '/')} in "
        f"{NORMS[attack.norm]}, of the raw input's unit / all answers",
        source="Goodfellow et al. 2015, arXiv:1412.6572" if attack.method == "fgsm" else "Madry et al. 2018, arXiv:1706.06083",
        figures=(f"accuracy:{attack.name}",),
        attack=attack,
    )


def _of_corruption(name: str, severity: int) -> Measure:
    found = [kinds[name] for kinds in CORRUPTIONS.values() if name in kinds]
    if not found:
        names = {one for kinds in CORRUPTIONS.values() for one in kinds}
        raise BenchmarkError(f"No corruption is called {quote(name)}. {did_you_mean(name, names)}")
    if severity not in SEVERITIES:
        raise BenchmarkError(f"A corruption's severity is 1 to 5, got {severity} of {name}.")
    return Measure(
        name=f"{name}-{severity}",
        title=f"{name} {severity}",
        meaning=" or ".join(f"{one.meaning} ({one.unit}: {one.values[severity - 1]:g})" for one in found),
        source=found[0].source,
        figures=(f"accuracy:{name}-{severity}",),
        corruption=(name, severity),
    )


def is_attack(name: str) -> bool:
    """Whether the measure called `name` follows gradients by the input."""
    return read_measure(name).attack is not None


_FIGURE = re.compile(r"(?:(?P<split>validation|test)_)?(?P<figure>accuracy:(?P<name>[a-z0-9_.-]+)|ece(?:_mass)?(?:_low|_high)?)")


def measure_of(figure: str) -> Measure | None:
    """The measure that gives `figure`, a split's ("validation_accuracy:pgd-linf-0.1"); None where none does."""
    match = _FIGURE.fullmatch(figure)
    if match is None:
        return None
    try:
        name = match["name"] or ("ece-mass" if match["figure"].startswith("ece_mass") else "ece")
        found = read_measure(name)
    except BenchmarkError:
        return None
    return found if match["figure"] in found.figures else None


def is_detail(figure: str) -> bool:
    """Whether it says one part of what another figure says: one corruption at one severity, an end of an interval."""
    found = measure_of(figure)
    return found is not None and (found.corruption is not None or figure.endswith(("_low", "_high")))


def in_reading_order(figures: Iterable[str]) -> list[str]:
    """Those of `figures` that a measure gives: groups and attacks by their size, corruptions, then calibration."""
    found = [(figure, measure) for figure in set(figures) if (measure := measure_of(figure)) is not None]
    return [figure for figure, _ in sorted(found, key=_place)]


def _place(asked: tuple[str, Measure]) -> tuple[object, ...]:
    figure, measure = asked
    attack, corruption = measure.attack, measure.corruption
    part = 1 if attack else 2 if measure.name == EVERY or corruption else 3 if measure.name in ECE else 0
    size = (attack.method, attack.norm, attack.eps, attack.steps, attack.restarts) if attack else ("", "", 0.0, 0, 0)
    return figure.partition("_")[0], part, size, *(corruption or ("", 0)), figure


def measures_among(figures: Iterable[str], split: str = "validation") -> tuple[str, ...]:
    """The names of the measures that give those of `figures` that are of `split`, each once."""
    found = (measure_of(figure) for figure in figures if figure.startswith(f"{split}_"))
    return tuple(dict.fromkeys(one.name for one in found if one is not None))


def check_measures(names: Iterable[str], kinds: Sequence[str], classes: int | None, benchmark: str) -> tuple[str, ...]:
    """The names as they are kept, each once, of what can be measured where inputs are of `kinds` and answers of `classes`.

    Raises:
        BenchmarkError: a name is none, or the benchmark's inputs or answers are not made for it; says which are.
    """
    found = tuple(dict.fromkeys(read_measure(name) for name in names))
    for one in found:
        if classes is None or classes < 2:
            raise BenchmarkError(
                f"{one.name} is of networks that give each example one of several classes, and those of {benchmark} do not; "
                "leave it out."
            )
        if one.attack and not {"image", "sequence", "features"} & set(kinds):
            raise BenchmarkError(
                f"{one.name} follows a gradient by the input, and {benchmark} feeds {kinds[0] if kinds else 'none'}, which has "
                "none; measure typos-3 or drop-3 where it feeds tokens, or leave it out."
            )
        known = corruptions_of(kinds)
        if (one.corruption or one.name == EVERY) and (one.corruption[0] if one.corruption else "") not in {
            *known,
            *(known and [""]),
        }:
            told = ", ".join(known) or "none"
            raise BenchmarkError(f"{one.name} is no corruption of what {benchmark} feeds ({', '.join(kinds)}); there: {told}.")
    return tuple(one.name for one in found)


def corruptions_of(kinds: Sequence[str]) -> Mapping[str, Corruption]:
    """The corruptions of inputs of `kinds`, by name; none where there are none."""
    return next((CORRUPTIONS[kind] for kind in CORRUPTIONS if kind in kinds), {})
