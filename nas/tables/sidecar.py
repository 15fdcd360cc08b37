"""What a table says of itself, in `STEM.yaml` beside `STEM.csv`; all of it may be left out.

summary: Small networks on digits, trained three times
source: made by results/three_families/make.py
licence: Apache-2.0
objective: {figure: validation_accuracy@16, direction: maximize}
space:                   # as in space.yaml; an empty cell is a choice that does not apply
  name: three_families
  …
"""

from dataclasses import dataclass
from pathlib import Path

from nas.benchmark import Direction
from nas.documents import Document, read_file
from nas.errors import TableError, did_you_mean, quote
from nas.space import Space, space_from_document

_TEXTS = ("summary", "source", "licence")


@dataclass(frozen=True, kw_only=True)
class Sidecar:
    """What stands beside a table; None and "" for what does not."""

    space: Space | None = None
    figure: str | None = None
    """The objective's, with its fidelity where one is named: accuracy@16."""
    direction: Direction | None = None
    summary: str = ""
    source: str = ""
    licence: str = ""


def read_sidecar(path: Path) -> Sidecar:
    """The sidecar in the file at `path`; an empty one where there is no file.

    Raises:
        DocumentError: the file cannot be read, or breaks a rule; names file, line and path.
    """
    if not path.is_file():
        return Sidecar()
    document = read_file(path)
    known = (*_TEXTS, "objective", "space")
    if not isinstance(document.value, dict):
        raise document.error((), f"what stands beside a table is a mapping of {', '.join(known)}.")
    for key, value in document.value.items():
        if key not in known:
            raise document.error((key,), f"unknown key. {did_you_mean(key, known)}")
        if key in _TEXTS and not isinstance(value, str):
            raise document.error((key,), f"must be text, got {quote(value)}.")
    figure, direction = _objective(document)
    texts = {key: " ".join(document.value.get(key, "").split()) for key in _TEXTS}
    return Sidecar(space=_space(document), figure=figure, direction=direction, **texts)


def _objective(document: Document) -> tuple[str | None, Direction | None]:
    given = document.value.get("objective")
    if given is None:
        return None, None
    if not isinstance(given, dict) or set(given) - {"figure", "direction"} or not isinstance(given.get("figure"), str):
        raise document.error(
            ("objective",),
            f"reads like {{figure: accuracy@16, direction: maximize}}, direction may be left out; got {quote(given)}.",
        )
    direction = given.get("direction")
    if direction not in {None, "maximize", "minimize"}:
        raise document.error(("objective", "direction"), f"must be maximize or minimize, got {quote(direction)}.")
    return given["figure"], direction


def _space(document: Document) -> Space | None:
    if "space" not in document.value:
        return None
    lines = {place[1:]: line for place, line in document.lines.items() if place[:1] == ("space",)}
    return space_from_document(Document(document.source, document.value["space"], lines))


def sidecar_of(path: Path, stem: str) -> Path:
    """Where the sidecar of the table at `path` stands.

    Raises:
        TableError: the table has no name but its ending.
    """
    if not stem:
        raise TableError(f"{path}: a table needs a name before its ending.")
    return path.with_name(f"{stem}.yaml")
