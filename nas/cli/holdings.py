"""A survey of what a space holds, for people and for scripts."""

import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from nas.space import size_text

if TYPE_CHECKING:
    from nas.models import Survey

_TITLES = {"params": "parameters", "flops": "FLOPs", "macs": "multiply-adds"}


def survey_text(survey: "Survey", title: str) -> RenderableType:
    """What people read: how many, how large, what the limits leave, and which names make no difference."""
    looked = "all of them looked at" if survey.whole else f"{survey.looked_at:,} looked at, each as likely as any other"
    return Group(
        Text(title, style="bold"),
        Text(f"{size_text(survey.size)} architectures, {looked}.\n"),
        _figures(survey),
        Text("\n" + "\n".join(_sentences(survey))),
    )


def _figures(survey: "Survey") -> Table:
    grid = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    grid.add_column("")
    for name in ("smallest", "25 %", "median", "75 %", "largest", ""):
        grid.add_column(name, justify="right")
    for figure in ("params", "flops"):
        reach, seen = survey.reach[figure], survey.figures[figure]
        values = (reach.smallest.total, seen.lower, seen.median, seen.upper, reach.largest.total)
        proven = "proven" if reach.proven else "the ends are the best that were found"
        grid.add_row(_TITLES[figure], *(f"{value:,.0f}" for value in values), Text(proven, style="dim"))
    return grid


def _sentences(survey: "Survey") -> Iterator[str]:
    yield from survey.impossible
    if survey.by_limit:
        for limit, share in survey.by_limit.items():
            yield f"{limit}: {share} of the architectures."
        if len(survey.by_limit) > 1:
            yield f"All limits: {survey.within} of the architectures."
        yield f"A random search, which draws every choice evenly, meets them with {survey.proposals_within} of its proposals."
    yield from (f"{limit}: known only where it is measured." for limit in survey.unknown)
    if survey.misfits.value:
        yield f"Of the architectures {survey.misfits} have a layer that does not fit: {survey.misfit}"
    if survey.networks is not None:
        yield f"{survey.networks:,} different networks; {survey.repeated} of the architectures are the same network as another."
    elif survey.repeated.value:
        yield f"At least {survey.repeated} of the architectures are the same network as one that differs in one answer."
    else:
        most = f"{100 * survey.repeated.high:.2g} %"
        yield f"No two names of one network were met; at most {most} of the architectures have a twin one answer away."
    for idle in survey.idle:
        words = "changes nothing" if idle.share.value == 1 else f"changes nothing {_often(idle.share.value)}"
        yield f"{idle.choice} {words}: {idle.share} of {idle.tried:,} changes gave the same network."


def _often(share: float) -> str:
    return "mostly" if share > 0.5 else "at times"


def survey_data(survey: "Survey") -> dict[str, Any]:
    """The same as plain data, ready for JSON."""
    return {
        "architectures": survey.size if survey.size != math.inf else None,
        "looked_at": survey.looked_at,
        "whole": survey.whole,
        "figures": {
            name: {
                **vars(quartiles),
                "reach": [survey.reach[name].smallest.total, survey.reach[name].largest.total],
                "proven": survey.reach[name].proven,
                "smallest_architecture": dict(survey.reach[name].smallest.architecture.choices),
                "largest_architecture": dict(survey.reach[name].largest.architecture.choices),
            }
            for name, quartiles in survey.figures.items()
        },
        "within": vars(survey.within),
        "by_limit": _shares(survey.by_limit),
        "proposals_within": vars(survey.proposals_within),
        "impossible": list(survey.impossible),
        "unknown": list(survey.unknown),
        "misfits": vars(survey.misfits),
        "misfit": survey.misfit or None,
        "networks": survey.networks,
        "repeated": vars(survey.repeated),
        "idle": [{"choice": idle.choice, **vars(idle.share), "tried": idle.tried} for idle in survey.idle],
        "seconds": survey.seconds,
    }


def _shares(shares: Mapping[str, Any]) -> dict[str, Any]:
    return {name: vars(share) for name, share in shares.items()}
