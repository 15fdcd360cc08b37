"""Where the figures of a comparison come from, and the command that makes them again; no folder of this machine is named."""

import shlex
from collections.abc import Sequence

from nas.comparing.config import BASELINES, CompareConfig
from nas.comparing.values import Run
from nas.records import this_machine, versions
from nas.reports.origin import Facts, distinct, pairs
from nas.tables import Table

PACKAGES = {"python", "nas-harness", "optuna", "numpy", "scikit-learn"}
"""Those whose versions can change what is proposed."""


def origin_of(config: CompareConfig, tables: Sequence[Table], runs: Sequence[Run]) -> Facts:
    """The tables, what was asked of them, and with what the runs were made."""
    answers = "one training each, drawn by seed and architecture" if config.noise else "the mean over trainings"
    facts = [
        *(("Table", _table(table)) for table in tables),
        ("Answers", answers if any(table.trainings.shape[1] > 1 for table in tables) else ""),
        ("Confirmed", _confirmed(config) if config.noise else ""),
        ("Scores", ", ".join(config.proxies) and f"{', '.join(config.proxies)}, for strategies that learn from them"),
        ("Commit", ", ".join(distinct(run.commit or "none: not run from a checkout" for run in runs))),
        ("Versions", pairs({name: version for name, version in versions().items() if name in PACKAGES})),
        ("Machine", str(this_machine())),
    ]
    return tuple((label, text) for label, text in facts if text)


def command_of(config: CompareConfig) -> str:
    """The line for a shell that makes the comparison again."""
    words = ["nas", "compare"]
    for name in config.strategies:
        words += [] if name in BASELINES else ["--strategy", name]
    for table in config.tables:
        words += ["--table", table.name]
    for limit in config.limits:
        words += ["--limit", limit]
    for proxy in config.proxies:
        words += ["--proxy", proxy]
    words += [] if config.noise else ["--means"]
    words += [] if config.confirm is None else ["--confirm", str(config.confirm)]
    return shlex.join([*words, "--evaluations", str(config.evaluations), "--seeds", str(config.seeds)])


def _table(table: Table) -> str:
    trainings = table.trainings.shape[1]
    several = f", {trainings} trainings of each" if trainings > 1 else ""
    source = f"; {table.source}, {table.licence}" if table.source else ""
    return f"{table.name}: {table.asked} of {len(table):,} architectures{several}; {table.file}, digest {table.digest}{source}"


def _confirmed(config: CompareConfig) -> str:
    """Who trains the best again with the last of its budget."""
    counts = {name: config.confirmations(name) for name in config.strategies}
    told = [f"the last {count} evaluations of {name}" for name, count in counts.items() if count]
    return f"{', '.join(told)} train its best again, where a table has several trainings" if told else ""
