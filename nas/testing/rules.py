"""A rule, and what is wrong where it is broken; a contract is a list of them."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from nas.errors import NasError, printable

Trial = TypeVar("Trial")


class NotTried(Exception):
    """Nothing on trial is what a rule is about; says why. Neither kept nor broken, it is left out."""


@dataclass(frozen=True)
class Rule(Generic[Trial]):
    """What must be so."""

    text: str
    check: Callable[[Trial], str | None]
    """What is wrong, in one line, or None. May raise: then that is what is wrong, NotTried aside."""

    def __str__(self) -> str:
        return self.text


def unwritten(readme: Path, what: str) -> str | None:
    """That there is nothing in `readme`, and that it is to say `what`; None where there is something."""
    if readme.is_file() and readme.read_text(encoding="utf-8").strip():
        return None
    return f"{readme} is missing or empty; write {what}."


def check(rules: Iterable[Rule[Trial]], trial: Trial) -> Iterator[tuple[str, str | None]]:
    """Each rule that could be tried with what is wrong, or None."""
    for rule in rules:
        try:
            problem = rule.check(trial)
        except NotTried:
            continue
        except NasError as error:
            problem = str(error)
        except Exception as error:  # what is on trial may raise anything, and the other rules are still to be told
            problem = f"{type(error).__name__}: {str(error)[:300]}"
        yield rule.text, None if problem is None else printable(problem)
