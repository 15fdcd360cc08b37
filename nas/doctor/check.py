"""What one look at the machine came to."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from nas.errors import printable

Verdict = Literal["ok", "advice", "problem"]
"""Fit; would be better otherwise; something will not work."""


@dataclass(frozen=True, kw_only=True)
class Check:
    """One finding."""

    name: str
    """What was looked at, in a word."""
    verdict: Verdict
    found: str
    """What is so, in one line; without passwords, and with the home folder as ~."""
    change: str = ""
    """What would mend or better it; empty where nothing would."""

    def to_data(self) -> dict[str, str]:
        """Plain data, ready for JSON."""
        return {"check": self.name, "verdict": self.verdict, "found": self.found, "change": self.change}


def ok(name: str, found: str) -> Check:
    """All is well."""
    return Check(name=name, verdict="ok", found=tidy(found))


def advice(name: str, found: str, change: str) -> Check:
    """It works, and would be better otherwise."""
    return Check(name=name, verdict="advice", found=tidy(found), change=tidy(change))


def problem(name: str, found: str, change: str) -> Check:
    """It will not work."""
    return Check(name=name, verdict="problem", found=tidy(found), change=tidy(change))


def tidy(text: object) -> str:
    """`text` on one line, with the home folder as ~."""
    line, home = printable(text), str(Path.home())
    return line.replace(home, "~") if len(home) > 1 else line


def gib(size: float) -> str:
    """Bytes in GiB, or MiB where there is less than one."""
    return f"{size / 2**30:,.1f} GiB" if size >= 2**30 else f"{size / 2**20:,.0f} MiB"
