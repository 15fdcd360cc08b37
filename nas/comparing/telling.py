"""What a comparison has found, in words, in tables for people, as CSV and as plain data."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import cached_property
from statistics import fmean
from typing import Any

from nas.comparing.arena import SIZES
from nas.comparing.running import SORT
from nas.comparing.significance import ALPHA, HINT, Significance, available, significance
from nas.comparing.standings import TOLERANCE, Standings
from nas.comparing.values import Question
from nas.reports.origin import Facts
from nas.reports.tables import NOT_MEASURED, neutral

EXPECTED = "random, expected"
"""What the last row of a table is called: random search by formula."""

MANY_SEEDS = 20
"""From so many on a standard error is known well enough that about one mean in twenty lies two of them off."""

Rows = list[dict[str, str]]


class Findings:
    """What came of a comparison."""

    def __init__(
        self,
        standings: Standings,
        *,
        origin: Facts = (),
        command: str = "",
        objectives: Mapping[Question, str] | None = None,
        training_seconds: Mapping[Question, float | None] | None = None,
        unsized: Sequence[str] = (),
    ) -> None:
        """`origin` and `command` say where it comes from and how it is made again, `objectives` what was searched for, and
        `training_seconds` what tables say that one training takes; `unsized` are the tables for which no baseline goes by size.
        """
        self.standings = standings
        self.origin = origin
        self.command = command
        self.objectives = objectives or {}
        self.training_seconds = training_seconds or {}
        self.unsized = tuple(unsized)

    @property
    def tested(self) -> bool:
        """Whether it can be said what is more than chance."""
        return self.standings.seeds > 1 and available()

    def test(self, question: Question | None, evaluations: int) -> Significance | None:
        """The tests on `question`, or over all, after so many evaluations; None where they cannot be made."""
        if not self.tested:
            return None
        if (question, evaluations) not in self._tests:
            blocks = self.standings.blocks(evaluations, question)
            self._tests[question, evaluations] = significance(blocks, self.standings.strategies)
        return self._tests[question, evaluations]

    @cached_property
    def _tests(self) -> dict[tuple[Question | None, int], Significance]:
        return {}

    @property
    def headline(self) -> str:
        """Who comes first, and whether that is more than chance, in a sentence or two."""
        questions, seeds = self.standings.questions, counted(self.standings.seeds, "seed")
        over = f"On {questions[0]}, over {seeds}" if len(questions) == 1 else f"Over {len(questions)} questions and {seeds}"
        return f"{over}: {self.told(None)}.{self.reserve}{self.without_sort}"

    @property
    def without_sort(self) -> str:
        """Why the baseline is missing that takes the largest first; empty where it is not."""
        if not self.unsized:
            return ""
        tables = f"the table {self.unsized[0]} has" if len(self.unsized) == 1 else f"the tables {listed(self.unsized)} have"
        return f" The baseline {SORT} is left out, since {tables} neither {' nor '.join(SIZES)}."

    @property
    def reserve(self) -> str:
        """Why it is not said what is more than chance; empty where it is."""
        if self.tested:
            return ""
        if self.standings.seeds == 1:
            return " One seed cannot tell whether that is more than chance."
        return f" Whether that is more than chance is not tested; {HINT}."

    def told(self, question: Question | None) -> str:
        """Who comes first on `question`, or over all, at each checkpoint; those with the same outcome are told together."""
        outcomes: dict[str, list[str]] = {}
        for evaluations in self.standings.checkpoints:
            outcomes.setdefault(self._outcome(question, evaluations), []).append(str(evaluations))
        return "; ".join(f"after {listed(budgets)} evaluations {outcome}" for outcome, budgets in outcomes.items())

    def _outcome(self, question: Question | None, evaluations: int) -> str:
        ranks = self.standings.ranks(evaluations, question)
        if len(set(ranks.values())) == 1:
            return "all are equal"
        first = min(ranks, key=lambda strategy: ranks[strategy])
        found = self.test(question, evaluations)
        if found is None:
            return f"{first} ranks first"
        if found.friedman is not None and found.friedman > ALPHA:
            return "no difference is more than chance"
        beside = found.beside(first)
        if not beside:
            return f"{first} comes first, told apart from every other"
        if len(beside) == len(ranks) - 1:
            return f"{first} ranks first and cannot be told apart from any other"
        if len(beside) > 3:
            return f"{first} ranks first and cannot be told apart from {len(beside)} others"
        return f"{listed([first, *beside])} lead and cannot be told apart"

    @property
    def agreement(self) -> str:
        """Whether random search does as its closed form says, in a sentence or two; empty where that cannot be asked."""
        agreements = self.standings.agreements()
        uneven = self.standings.uneven
        note = (
            f" On {listed([str(question) for question in sorted(uneven)])} choices hang on each other, so that random search "
            "does not draw evenly and the closed form is a yardstick alone."
            if uneven
            else ""
        )
        if not agreements or self.standings.seeds == 1:
            return note.strip()
        out = [one for one in agreements if not one.agrees]
        total = len(agreements)
        head = (
            f"Random search lies within {TOLERANCE:g} standard errors of its closed form at {total - len(out)} of {total} points"
        )
        far = [
            f"{one.question} after {one.evaluations}: {figure(one.mean)} ± {figure(one.error)} against {figure(one.expected)}"
            for one in out
        ]
        chance = "one in twenty lies" if self.standings.seeds >= MANY_SEEDS else "with few seeds more than one in twenty lie"
        tail = f" ({chance} outside by chance); outside: {'; '.join(far)}." if out else "."
        return head + tail + note

    def grid(self, question: Question) -> Rows:
        """Mean regret ± standard error at each checkpoint and the mean rank at the end, the best first; last what random search
        is expected to reach.
        """
        standings, end = self.standings, self.standings.evaluations
        ranks = standings.ranks(end, question)
        order = sorted(standings.strategies, key=lambda name: standings.interval(question, name, end).mean)
        rows: Rows = []
        for name in order:
            intervals = {str(at): standings.interval(question, name, at) for at in standings.checkpoints}
            cells = {at: _plus_minus(one.mean, one.error, standings.seeds) for at, one in intervals.items()}
            rows.append({"strategy": name, **cells, "rank": f"{ranks[name]:.2f}"})
        expected = {str(at): figure(float(standings.expected[question][at - 1])) for at in standings.checkpoints}
        return [*rows, {"strategy": EXPECTED, **expected, "rank": NOT_MEASURED}]

    def overall(self) -> Rows:
        """Over all questions: at each checkpoint the mean rank, and the mean regret as a share of what random search is expected
        to reach; best at the end first.
        """
        standings = self.standings
        ranks = {at: standings.ranks(at) for at in standings.checkpoints}
        shares = {at: standings.shares(at) for at in standings.checkpoints}
        order = sorted(standings.strategies, key=lambda name: ranks[standings.evaluations][name])
        return [
            {
                "strategy": name,
                **{f"rank at {at}": f"{ranks[at][name]:.2f}" for at in standings.checkpoints},
                **{f"share at {at}": figure(shares[at][name]) for at in standings.checkpoints},
            }
            for name in order
        ]

    def effort(self) -> Rows:
        """What each strategy took beside the trainings, in the mean over questions and seeds."""
        return [
            {
                "strategy": name,
                "ms to ask": figure(values["ask_ms"]),
                "proposals": f"{values['proposals']:,.1f}",
                "repeated": f"{values['repeated']:,.1f}",
                "infeasible": f"{values['infeasible']:,.1f}",
                "by chance": f"{values['by_chance']:,.1f}",
            }
            for name in self.standings.strategies
            for values in [self._effort(None, name)]
        ]

    @property
    def cost(self) -> str:
        """What the tables say that a training takes, to be held against the time to ask; that they do not, where they do not."""
        told = {question: seconds for question, seconds in self.training_seconds.items() if seconds is not None}
        if not told:
            return "The tables do not tell how long a training takes."
        words = [f"{question} {seconds:,.3g} s" for question, seconds in told.items()]
        return f"One training takes, as the tables tell: {'; '.join(words)}."

    def _effort(self, question: Question | None, strategy: str) -> dict[str, float]:
        """Means over the runs of `strategy`: milliseconds a proposal, and proposals of each kind."""
        questions = self.standings.questions if question is None else (question,)
        runs = [run for one in questions for run in self.standings.by_strategy[one, strategy]]
        return {
            "ask_ms": 1000 * sum(run.ask_seconds for run in runs) / sum(run.proposals for run in runs),
            "proposals": fmean(run.proposals for run in runs),
            "repeated": fmean(run.repeated for run in runs),
            "infeasible": fmean(run.infeasible for run in runs),
            "by_chance": fmean(run.by_chance for run in runs),
        }

    def rows(self) -> list[dict[str, Any]]:
        """One a question, strategy and checkpoint, in full."""
        found = []
        for question in self.standings.questions:
            efforts = {strategy: self._effort(question, strategy) for strategy in self.standings.strategies}
            for at in self.standings.checkpoints:
                ranks = self.standings.ranks(at, question)
                for strategy in self.standings.strategies:
                    interval = self.standings.interval(question, strategy, at)
                    found.append(
                        {
                            **asdict(question),
                            "evaluations": at,
                            "strategy": strategy,
                            "seeds": self.standings.seeds,
                            "regret": interval.mean,
                            "error": interval.error if self.standings.seeds > 1 else None,
                            "low": interval.low,
                            "high": interval.high,
                            "random_expected": float(self.standings.expected[question][at - 1]),
                            "rank": ranks[strategy],
                            **efforts[strategy],
                        }
                    )
        return found

    def csv(self) -> str:
        """The rows as CSV; `error` is the standard error of the mean, `low` and `high` the ends of its 95 % interval."""
        stream = io.StringIO()
        rows = self.rows()
        writer = csv.DictWriter(stream, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        for row in rows:
            writer.writerow({name: f"{value:.6g}" if isinstance(value, float) else neutral(value) for name, value in row.items()})
        return stream.getvalue()

    def data(self) -> dict[str, Any]:
        """Plain data, ready for JSON."""
        standings = self.standings
        return {
            "headline": self.headline,
            "agreement": self.agreement,
            "evaluations": standings.evaluations,
            "seeds": standings.seeds,
            "strategies": list(standings.strategies),
            "rows": self.rows(),
            "overall": [
                {"evaluations": at, "ranks": standings.ranks(at), "shares": standings.shares(at)} for at in standings.checkpoints
            ],
            "random": [
                {
                    **asdict(one.question),
                    "evaluations": one.evaluations,
                    "mean": one.mean,
                    "error": one.error if standings.seeds > 1 else None,
                    "expected": one.expected,
                    "agrees": one.agrees if standings.seeds > 1 else None,
                }
                for one in standings.agreements()
            ],
            "tests": self._tests_data(),
            "training_seconds": [
                {**asdict(question), "seconds": self.training_seconds.get(question)} for question in standings.questions
            ],
            "origin": [{"what": label, "is": text} for label, text in self.origin],
            "command": self.command,
        }

    def _tests_data(self) -> list[dict[str, Any]]:
        scopes: list[Question | None] = [None, *(self.standings.questions if len(self.standings.questions) > 1 else ())]
        found = []
        for scope in scopes:
            for at in self.standings.checkpoints:
                test = self.test(scope, at)
                if test is not None:
                    where = {"table": None, "limits": None} if scope is None else asdict(scope)
                    pairs = {
                        one: {other: p for other, p in zip(test.names, row, strict=True) if other != one}
                        for one, row in zip(test.names, test.pairs, strict=True)
                    }
                    found.append({**where, "evaluations": at, "friedman": test.friedman, "pairs": pairs})
        return found


def _plus_minus(mean: float, error: float, seeds: int) -> str:
    return f"{figure(mean)} ± {figure(error)}" if seeds > 1 else figure(mean)


def figure(value: float) -> str:
    """A regret for people: three decimals, and two digits at least."""
    if value and abs(value) < 0.01:
        return f"{value:.2g}" if abs(value) >= 0.0001 else "<0.0001"
    return f"{value:.3f}"


def counted(number: int, noun: str) -> str:
    """`3 seeds`, `1 seed`."""
    return f"{number} {noun}" + ("" if number == 1 else "s")


def sentence(words: str) -> str:
    """`words` with a capital and a full stop."""
    return f"{words[:1].upper()}{words[1:]}."


def listed(names: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return " and ".join([*([", ".join(names[:-1])] if names[:-1] else []), *names[-1:]])
