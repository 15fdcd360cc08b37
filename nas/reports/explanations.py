"""What a network's answers rest on, as plain data: kept beside the ledger, shown on a page of its own and in the report.

nas.sqlite.explanations/STUDY/EVALUATION.METHOD.json        EVALUATION as the ledger names the work
"""

import base64
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import TypeAdapter, ValidationError

from nas.errors import PathError, ReportError
from nas.files import inside, write_whole
from nas.ranking import Table
from nas.records import Ledger, Trial
from nas.reports.assets import asset, policy, templates
from nas.reports.tables import show, title
from nas.reports.writing import replace_file

Verdict = Literal["depends on the weights", "does not depend on the weights", "cannot be told"]

_KIND = "explanations"

LEVELS = 4
"""Shades of for and of against."""

SHOWN = 3
"""Finalists whose explanations a report shows."""

LARGEST = 2**23
"""Bytes of a file of explanations that is read."""


@dataclass(frozen=True, kw_only=True)
class Interval:
    """A mean and its 95 % interval; None where there is none."""

    mean: float
    low: float | None
    high: float | None

    def __str__(self) -> str:
        between = f" ({signed(self.low)} to {signed(self.high)})" if self.low is not None and self.high is not None else ""
        return f"{signed(self.mean)}{between}"


@dataclass(frozen=True, kw_only=True)
class Depth:
    """How like the explanations are with the last layers drawn anew."""

    layers: int
    """That were drawn anew, from the last on."""
    of: int
    correlation: Interval


@dataclass(frozen=True, kw_only=True)
class Check:
    """How like an explainer's maps are to those of the network with weights drawn anew; see `nas.explaining.checking`."""

    verdict: Verdict
    correlation: Interval
    """Rank correlation over places, with all weights drawn anew."""
    structure: Interval | None
    """Structural similarity of the maps' sizes, of pictures; None of others."""
    depths: tuple[Depth, ...]
    each: tuple[float, ...]
    """The rank correlation of each example."""


@dataclass(frozen=True, kw_only=True)
class Part:
    """A token, a stretch of sound, or a number, and what it adds."""

    text: str
    value: float
    level: int
    """From −LEVELS, against, to LEVELS, for."""
    low: float = 0.0
    """Of sound: the least of its samples, as a share of the loudest."""
    high: float = 0.0
    """The largest."""


@dataclass(frozen=True, kw_only=True)
class View:
    """An example and its attributions as people see them."""

    kind: Literal["picture", "text", "sound", "numbers"]
    told: str
    """What is to be seen, for whoever does not see it."""
    given: str = ""
    """A picture of the input, PNG in base64."""
    over: str = ""
    """The attributions over it, PNG in base64."""
    parts: tuple[Part, ...] = ()

    @property
    def strongest(self) -> list[Part]:
        """The parts that add most, either way, strongest first."""
        named = [part for part in self.parts if part.text.strip()]
        return sorted(named, key=lambda part: -abs(part.value))[:8]


@dataclass(frozen=True, kw_only=True)
class Example:
    """One example, explained."""

    number: int
    """In its split, from 0."""
    wanted: str
    answer: str
    share: float | None
    """The answer's probability by the network; None where it gives none."""
    output: float
    """What is explained: the logit of the answer."""
    baseline: float
    """The same output for an input that says nothing."""
    total: float
    """Sum of the attributions."""
    error: float | None
    """Completeness error: how far the sum is off the difference of `output` and `baseline`; None of a method that does not claim
    to add up."""
    view: View


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """Some examples of one network, explained by one method."""

    study: str
    architecture: str
    seed: int
    evaluation: str
    benchmark: str
    split: str
    method: str
    tells: str
    """What a place's number is."""
    check: Check
    examples: tuple[Example, ...]

    @property
    def title(self) -> str:
        """What a heading says."""
        return f"{self.method} of {self.architecture}, seed {self.seed}"

    @property
    def sentence(self) -> str:
        """What the check came to."""
        check = self.check
        words = {
            "depends on the weights": "The explanations depend on the weights",
            "does not depend on the weights": "The explanations tell of the inputs and do not depend on the weights",
            "cannot be told": "Whether the explanations depend on the weights cannot be told from these examples",
        }[check.verdict]
        structure = f", structural similarity {check.structure}" if check.structure else ""
        return f"{words}: rank correlation {check.correlation} with those of the network with weights drawn anew{structure}."

    def to_data(self) -> dict[str, Any]:
        """Plain data, ready for JSON."""
        return asdict(self)


def signed(value: float) -> str:
    """Two digits, with a minus that is one."""
    return f"{value:.2f}".replace("-", "−").replace("−0.00", "0.00")


def keep_explanation(ledger: Ledger, explanation: Explanation) -> Path:
    """Keep it beside the ledger, in place of an earlier one of that trial by that method; returns the file.

    Raises:
        ReportError: it cannot be written.
    """
    folder = ledger.beside(_KIND)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        home = inside(folder, explanation.study)
        home.mkdir(exist_ok=True)
        path = inside(home, f"{explanation.evaluation}.{explanation.method}.json")
        write_whole(json.dumps(explanation.to_data(), allow_nan=False).encode(), path)
    except OSError as error:
        raise ReportError(f"The explanation cannot be kept in {folder.name}: {error.strerror or error}.") from error
    return path


def kept_explanations(ledger: Ledger, trial: Trial) -> list[Explanation]:
    """What is kept of `trial`, by method; what cannot be read is left out."""
    found = []
    try:
        home = inside(ledger.beside(_KIND), trial.study)
        paths = sorted(home.glob(f"{trial.evaluation}.*.json")) if home.is_dir() else []
    except (PathError, OSError, ValueError):
        return []
    for path in paths:
        try:
            if path.stat().st_size <= LARGEST:
                found.append(_ADAPTER.validate_json(path.read_bytes()))
        except (OSError, ValidationError):
            continue
    return found


_ADAPTER = TypeAdapter(Explanation)


@dataclass(frozen=True)
class Explained:
    """A finalist's explanations."""

    title: str
    told: str
    explanations: tuple[Explanation, ...]


def explained(ledger: Ledger, tables: Sequence[Table]) -> list[Explained]:
    """Those of the best finalists that were explained, best first."""
    found = []
    for table in (table for table in tables if table.stage == "final"):
        for row in table.rows:
            kept = [one for trial in row.trials for one in kept_explanations(ledger, trial)]
            if kept:
                figure = table.objectives[0].figure
                told = f"rank {row.rank}, {title(figure)} {show(figure, row.figures[figure])}"
                found.append(Explained(row.architecture.id, told, tuple(kept)))
            if len(found) == SHOWN:
                return found
    return found


def render_explanations(explanations: Sequence[Explanation], headline: str, command: str) -> str:
    """A page of its own, which needs no network."""
    environment = templates()
    style = asset("page.css") + asset("explained.css")
    page = environment.get_template("explanations.html")
    return page.render(
        explanations=explanations, headline=headline, command=command, style=style, policy=policy(style), levels=LEVELS
    )


def write_explanations(explanations: Sequence[Explanation], headline: str, command: str, out: Path) -> Path:
    """Write the page to `out`, whole or not at all; returns `out`.

    Raises:
        ReportError: it cannot be written.
    """
    replace_file(out, render_explanations(explanations, headline, command).encode("utf-8", "replace"), "the explanations")
    return out


def write_parts(explanations: Sequence[Explanation], folder: Path) -> None:
    """Write explanations.json and, of pictures, NUMBER.png and NUMBER-METHOD.png into `folder`.

    Raises:
        ReportError: one cannot be written.
    """
    files = {"explanations.json": json.dumps([one.to_data() for one in explanations], indent=1, allow_nan=False).encode()}
    for one in explanations:
        for example in one.examples:
            for name, picture in (
                (f"{example.number}", example.view.given),
                (f"{example.number}-{one.method}", example.view.over),
            ):
                if picture:
                    files[f"{name}.png"] = base64.b64decode(picture)
    for name, content in files.items():
        replace_file(inside(folder, name), content, "the explanations")
