"""A comparison as one HTML page that needs no network and no server, and as CSV beside it."""

from pathlib import Path
from typing import Any

from nas.comparing.drawing import differences, regret_curves
from nas.comparing.running import STUCK
from nas.comparing.significance import Significance
from nas.comparing.standings import Agreement
from nas.comparing.telling import EXPECTED, Findings, counted, figure, listed, sentence
from nas.reports.assets import asset, data_uri, policy, templates
from nas.reports.writing import replace_file

PAGE = "comparison.html"

Row = dict[str, str]


def write_comparison(findings: Findings, folder: Path) -> Path:
    """Write the page and the CSV into `folder`, each whole or not at all; returns the page. Equal findings give equal bytes.

    Raises:
        ReportError: a file cannot be written.
    """
    page = folder / PAGE
    replace_file(page, render(findings).encode("utf-8", "replace"), "the comparison")
    replace_file(page.with_suffix(".csv"), findings.csv().encode(), "the comparison")
    return page


def render(findings: Findings) -> str:
    """The page of `findings`."""
    environment = templates("nas.comparing")
    style = asset("page.css") + asset("comparison.css", "nas.comparing")
    standings = findings.standings
    several = len(standings.questions) > 1
    return environment.get_template("comparison.html").render(
        findings=findings,
        style=style,
        policy=policy(style),
        title=_title(findings),
        asked=_asked(findings),
        overall=findings.overall() if several else [],
        questions=[
            {
                "key": f"q{n}",
                "name": str(question),
                "told": sentence(findings.told(question)),
                "curves": data_uri(regret_curves(standings, question, findings.objectives.get(question, ""))),
                "objective": findings.objectives.get(question, "").replace("_", " "),
                "grid": findings.grid(question),
            }
            for n, question in enumerate(standings.questions)
        ],
        expected=EXPECTED,
        tests=_tests(findings),
        agreements=[_agreement(one) for one in standings.agreements()] if standings.seeds > 1 else [],
        effort=findings.effort(),
        stuck=STUCK,
    )


def _title(findings: Findings) -> str:
    tables = list(dict.fromkeys(question.table for question in findings.standings.questions))
    return f"Strategies on {listed(tables)}" if len(tables) <= 3 else f"Strategies on {len(tables)} tables"


def _asked(findings: Findings) -> list[tuple[str, str]]:
    """What was compared."""
    standings = findings.standings
    return [
        ("Strategies", listed(standings.strategies)),
        ("Questions", "; ".join(str(question) for question in standings.questions)),
        ("Runs", f"{len(standings.runs):,}: {counted(standings.seeds, 'seed')} of each strategy on each question"),
        ("Budget", f"{standings.evaluations:,} different architectures a run"),
    ]


def _tests(findings: Findings) -> list[dict[str, Any]]:
    """The tests over all questions, at each checkpoint; empty where they cannot be made."""
    found = [(at, findings.test(None, at)) for at in findings.standings.checkpoints]
    return [
        {
            "evaluations": at,
            "friedman": "" if test.friedman is None else probability(test.friedman),
            "diagram": data_uri(differences(test)),
            "pairs": _pairs(test),
        }
        for at, test in found
        if test is not None
    ]


def _pairs(test: Significance) -> list[Row]:
    order = sorted(test.names, key=lambda name: test.ranks[test.names.index(name)])
    return [{"": one, **{other: "–" if other == one else probability(test.p(one, other)) for other in order}} for one in order]


def _agreement(one: Agreement) -> Row:
    return {
        "question": str(one.question),
        "evaluations": str(one.evaluations),
        "mean regret": f"{figure(one.mean)} ± {figure(one.error)}",
        "by formula": figure(one.expected),
        "standard errors apart": f"{one.deviations:.1f}",
    }


def probability(p: float) -> str:
    """A probability for people: two digits, without the 0 before the point."""
    if p >= 0.9995:
        return "1"
    return "<.0001" if p < 0.0001 else f"{float(f'{p:.2g}'):.10f}".rstrip("0").removeprefix("0")
