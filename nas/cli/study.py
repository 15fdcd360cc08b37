"""Which study is meant, for the commands that look at one: STUDY may be left out where the ledger has one alone."""

import shlex
from typing import TYPE_CHECKING

import click

from nas.errors import LedgerError

if TYPE_CHECKING:
    from nas.records import Ledger, StudyEntry

ledger_option = click.option(
    "--ledger",
    envvar="NAS_LEDGER",
    default="sqlite:///nas.sqlite",
    show_default=True,
    metavar="URL",
    help="Where studies are kept.",
)

study_argument = click.argument("study", required=False)

MOST_NAMED = 20
"""Studies that a message names."""


def the_study(ledger: "Ledger", name: str | None) -> "StudyEntry":
    """The study called `name`, or the only one.

    Raises:
        LedgerError: there is none, or without a name there are several.
    """
    if name is not None:
        return ledger.study(name)
    studies = ledger.studies()
    if len(studies) == 1:
        return studies[0]
    if not studies:
        raise LedgerError(f"The ledger {ledger.shown} has no study yet; run `nas search` first, or name another with --ledger.")
    names = [entry.name for entry in studies][-MOST_NAMED:]
    more = f", and {len(studies) - len(names)} older ones" if len(studies) > len(names) else ""
    raise LedgerError(f"The ledger has {len(studies)} studies; name one of them: {', '.join(names)}{more}.")


def with_ledger(line: str, ledger: "Ledger") -> str:
    """`line` as it is typed for this ledger, which need not be named where it is the usual one."""
    from nas.records import DEFAULT_URL

    return line if ledger.shown == DEFAULT_URL else f"{line} --ledger {shlex.quote(ledger.shown)}"
