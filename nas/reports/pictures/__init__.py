"""A study → pictures for papers and notebooks: drawn by seaborn and Matplotlib on figures of their own, so that pyplot and global
settings stay as they are. Equal studies give equal files.
"""

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from nas.errors import ReportError, did_you_mean, quote
from nas.records import StudyEntry, Trial

if TYPE_CHECKING:
    from nas.reports.pictures.style import Picture

Kind = Literal["pareto", "anytime", "curves", "parallel", "importance", "marginals", "funnel"]

KINDS: Mapping[Kind, str] = {
    "pareto": "trade_off",
    "anytime": "anytime",
    "curves": "curves",
    "parallel": "parallel",
    "importance": "importance",
    "marginals": "importance",
    "funnel": "funnel",
}
"""Each with the module that draws it, by a function of its name."""

TITLES: Mapping[Kind, str] = {
    "pareto": "what it costs to be good",
    "anytime": "progress of the search",
    "curves": "learning curves",
    "parallel": "answers, and what they reached",
    "importance": "which choices matter, with 95 % intervals",
    "marginals": "means by value, with 95 % intervals",
    "funnel": "what became of the proposals",
}

Ending = Literal["svg", "png"]

__all__ = ["KINDS", "Ending", "Kind", "draw", "write_pictures"]


def draw(entry: StudyEntry, trials: Sequence[Trial], kind: Kind) -> "Picture":
    """One picture of a study.

    Raises:
        ReportError: there is no such kind, or the trials do not give it.
    """
    if kind not in KINDS:
        raise ReportError(f"No picture is called {quote(kind)}. {did_you_mean(kind, KINDS)}")
    from matplotlib import rc_context

    from nas.reports.pictures.style import FONTS, head
    from nas.reports.pictures.view import View

    make: Callable[[View], Picture] = getattr(import_module(f"nas.reports.pictures.{KINDS[kind]}"), kind)
    with rc_context(FONTS):
        try:
            picture = make(View(entry, trials))
        except ReportError as error:
            raise ReportError(f"{entry.name} has no {kind} to draw: {error}.") from error
        head(picture, f"{entry.name}: {TITLES[kind]}")
    return picture


def write_pictures(
    entry: StudyEntry, trials: Sequence[Trial], folder: Path, kinds: Sequence[Kind], endings: Sequence[Ending]
) -> tuple[list[Path], list[str]]:
    """Write each of `kinds` to STUDY-KIND.ENDING in `folder`; returns the files, and why there are no others.

    Raises:
        ReportError: there is no such kind, or a file cannot be written.
    """
    from matplotlib import rc_context

    from nas.reports.pictures.style import FONTS, to_png, to_svg
    from nas.reports.writing import replace_file

    write = {"svg": to_svg, "png": to_png}
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ReportError(f"The folder {folder} cannot be made: {error.strerror}.") from error
    files, missing = [], []
    for kind in kinds:
        try:
            picture = draw(entry, trials, kind)
        except ReportError as error:
            missing.append(str(error))
            continue
        for ending in endings:
            path = folder / f"{entry.name}-{kind}.{ending}"
            with rc_context(FONTS):
                replace_file(path, write[ending](picture), "the picture")
            files.append(path)
    return files, missing
